#!/bin/busybox sh
# The work of `devtool bench system`, as the init program of a machine: a line for each row, with the seconds that the guest's own
# clock has counted and a checksum of what the work printed; then off.
busybox mount -t proc proc /proc
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
busybox mount -t tmpfs tmp /tmp
exec </dev/console >/dev/console 2>&1
busybox --install -s /bin 2>/dev/null
if [ -d /tree ]; then
    for folder in proc dev; do busybox mount -o bind $folder /tree/$folder; done
    export LC_ALL=C PYTHONDONTWRITEBYTECODE=
fi
echo "ready"

now() { cut -d' ' -f1 /proc/uptime; }
row() {
    name=$1; shift
    start=$(now)
    "$@" >/tmp/output 2>&1
    end=$(now)
    echo "row $name $start $end $(md5sum </tmp/output | cut -c1-12)"
}

loop() { i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo $i; }
sum() { dd if=/dev/zero bs=1M count=512 2>/dev/null | md5sum; }
pack() { i=0; while [ $i -lt 32 ]; do cat /bin/busybox; i=$((i + 1)); done | gzip -9 | wc -c; }
forks() { i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i + 1)); done; echo $i; }
both() { /kernels sort 4 >/tmp/a & /kernels interp 5 >/tmp/b; wait; cat /tmp/a /tmp/b; }
after() { /kernels sort 4; /kernels interp 5; }

# Each with the scale of its work, which kernels take.
for name in $(sed 's/.*rows=//; s/ .*//; s/,/ /g' /proc/cmdline); do
    scale=${name#*:} name=${name%:*}
    case $name in
        none) ;;
        loop | sum | pack | forks | both | after) row $name $name ;;
        *) if [ -e /tree/apps/$name.sh ]; then row $name chroot /tree /bin/sh /apps/$name.sh; else row $name /kernels $name $scale; fi ;;
    esac
done
echo "end"
poweroff -f
