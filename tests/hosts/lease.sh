#!/bin/sh
# udhcpc runs this at each DHCP event. It touches the interface of its own namespace only (no resolv.conf),
# and prints the event as one line of JSON.
case "$1" in
deconfig)
    ip -4 addr flush dev "$interface"
    ip link set "$interface" up
    exit 0
    ;;
bound | renew)
    [ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
    ip addr replace "$ip/$mask" brd + dev "$interface"
    # RFC 3442: with classless routes the router option is not used. udhcpc gives "prefix gateway prefix gateway …".
    if [ -n "$staticroutes" ]; then
        set -- "$1" $staticroutes
        event=$1
        shift
        while [ $# -ge 2 ]; do
            if [ "$2" = 0.0.0.0 ]; then
                ip route replace "$1" dev "$interface"
            else
                ip route replace "$1" via "$2" dev "$interface" onlink
            fi
            shift 2
        done
        set -- "$event"
    else
        for gateway in $router; do
            ip route replace default via "$gateway" dev "$interface"
            break
        done
    fi
    ;;
esac
printf '{"event":"%s","address":"%s","mask":"%s","router":"%s","dns":"%s","mtu":"%s","routes":"%s","seconds":"%s",' \
    "$1" "$ip" "$mask" "$router" "$dns" "$mtu" "$staticroutes" "$lease"
printf '"server":"%s","domain":"%s","hostname":"%s"}\n' "$serverid" "$domain" "$hostname"
