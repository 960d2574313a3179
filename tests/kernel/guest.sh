#!/bin/sh
# Process 1 of the guest, after switch_root: / is the host's own, read-only. Runs share/command, leaves share/status.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mkdir -p /run/checkout
mount --bind "$TUNBRIDGE_ROOT" /run/checkout
mount -t tmpfs tmpfs /tmp
mkdir -p "$TUNBRIDGE_ROOT" # where the checkout lies below /tmp
mount --bind /run/checkout "$TUNBRIDGE_ROOT"
mkdir -p /run/netns /run/openvswitch /run/share /run/home
export HOME=/run/home
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share /run/share
ip link set lo up
for module in openvswitch vport-vxlan veth bridge nf_conntrack nf_nat tun dummy 8021q; do
    modprobe -d "$TUNBRIDGE_MODULES" $module || echo "no module $module"
done
# Every host of the lab has its connections here. When the table is full the kernel ends half-open ones by itself.
echo 1048576 >/proc/sys/net/netfilter/nf_conntrack_max
# Who wants times of arrival (each ping does) makes the kernel rewrite its receive path while the other processor runs
# it, and QEMU 7.2 may then run what was there in between for ever. While this socket is open nobody is the first.
# 29 is SO_TIMESTAMP, which Python has no name for.
python3 -c 'import signal, socket as s; a = s.socket(type=s.SOCK_DGRAM); a.setsockopt(s.SOL_SOCKET, 29, 1); signal.pause()' &
echo "kernel $(uname -r) is up after $(cut -d' ' -f1 /proc/uptime) s"
setsid sh /run/share/command >/run/share/output 2>&1 </dev/null
echo $? >/run/share/status
sync
exec /bin/busybox poweroff -f
