#!/bin/sh
# host.sh CONTROLLER ADDRESS: stock Open vSwitch, and the one command. The tunnels end at ADDRESS, which Open vSwitch
# dials from anyway; it is said because a Vagrant machine has a second address that leads nowhere.
set -eu
export DEBIAN_FRONTEND=noninteractive
if ! command -v ovs-vswitchd >/dev/null; then
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends openvswitch-switch
fi
ovs-vsctl set Open_vSwitch . external_ids:hostname="$(hostname)" external_ids:ovn-encap-ip="$2"
ovs-vsctl set-manager "tcp:$1:6640"
