#!/bin/sh
# controller.sh ADDRESS: install Tunbridge from /opt/tunbridge and keep it running, for hosts that reach ADDRESS.
set -eu
address=$1
if ! command -v make >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install -y --no-install-recommends make
fi
make -C /opt/tunbridge setup
cat >/etc/systemd/system/tunbridge.service <<UNIT
[Unit]
Description=Tunbridge
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/opt/tunbridge/.venv/bin/tunbridge serve --data /var/lib/tunbridge --listen $address:9696 \\
  --openflow $address:6653 --ovsdb $address:6640
Restart=on-failure
StateDirectory=tunbridge

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now tunbridge.service
