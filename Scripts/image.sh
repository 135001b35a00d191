# devtool image FILE [--size SIZE] [PACKAGE...]: a disk image that boots Debian's riscv64, for machines of any emulator.
#
#   partition 1   256 MiB, FAT: the EFI system partition, with systemd-boot, the kernel and its initramfs
#   partition 2   the rest, ext4, label "root": Debian with systemd, network by DHCP, apt; the packages asked for
#
# debootstrap unpacks the packages as nobody in particular (fakeroot), mke2fs makes the file system of the folder, and a machine of
# martlet's configures them: no privileges and no loop devices are needed. `root` logs in at the console without a password.

IMAGE_PACKAGES=(systemd-sysv udev dbus systemd-resolved libnss-resolve systemd-boot linux-image-riscv64 initramfs-tools zstd e2fsprogs kmod
    login procps iproute2 iputils-ping ca-certificates less nano)
IMAGE_ESP=256                     # MiB
IMAGE_MODULES="virtio_mmio virtio_blk virtio_scsi sd_mod ext4"      # what the initramfs of the image must have to find its root
IMAGE_SECONDS=1500                # that configuring may take

image_command() {
    local file="" size=4G packages=() bytes folder format=raw
    while [ $# -gt 0 ]; do
        case "$1" in
            --size) [ $# -ge 2 ] || fail "--size needs a size, such as 4G"; size=$2; shift ;;
            -*) fail "image: unknown option '$1': usage: devtool image FILE [--size SIZE] [PACKAGE...]" ;;
            *) if [ -z "$file" ]; then file=$1; else packages+=("$1"); fi ;;
        esac
        shift
    done
    [ -n "$file" ] || fail "image: no file: usage: devtool image FILE [--size SIZE] [PACKAGE...]"
    [ -d "$(dirname "$file")" ] || fail "image: $file: there is no folder $(dirname "$file")"
    bytes=$(numfmt --from=iec "$size" 2>/dev/null) || fail "image: --size $size: a size is a number with M or G, such as 4G"
    [ "$bytes" -ge $((1 << 30)) ] || fail "image: --size $size: a system needs 1G or more"
    case "$file" in *.qcow2) format=qcow2 ;; esac
    need debootstrap fakeroot e2fsprogs fdisk dosfstools xz-utils
    guest_payloads
    folder=$(mktemp -d "$(dirname "$file")/image.XXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    image_partitions "$folder/disk" "$bytes" "${packages[@]}"
    image_configure "$folder/disk" "$folder/log"
    if [ $format = qcow2 ]; then
        "$(martlet_binary)" img convert -f raw -O qcow2 "$folder/disk" "$file"
    else
        mv "$folder/disk" "$file"
    fi
    rm -rf "$folder"
    trap - EXIT
    say "Debian $GUEST_RELEASE is on $file: $(du -h "$file" | cut -f1); a boot of it:"
    printf 'martlet system riscv64 -M virt -smp 2 -m 1G -nographic -bios %s -kernel %s -drive if=none,id=disk,format=%s,file=%s -device virtio-blk-device,drive=disk -nic user\n' \
        "$PAYLOADS/firmware64.bin" "$PAYLOADS/u-boot.bin" "$format" "$file"
}

# image_partitions DISK BYTES PACKAGE...: the disk with a root that its next boot has to configure.
image_partitions() {
    local disk=$1 bytes=$2 first=$((IMAGE_ESP + 1)) sectors include
    shift 2
    sectors=$(((bytes >> 9) - (first + 1) * 2048))
    truncate -s "$bytes" "$disk"
    printf 'label: gpt\nstart=1MiB, size=%dMiB, type=uefi, name=EFI\nstart=%dMiB, size=%d, type=linux, name=root\n' \
        $IMAGE_ESP $first $sectors | /sbin/sfdisk -q "$disk"
    truncate -s "${IMAGE_ESP}M" "$disk.esp"
    /sbin/mkfs.vfat -n EFI -F 32 -s 4 "$disk.esp" >/dev/null
    dd status=none if="$disk.esp" of="$disk" bs=1M seek=1 conv=notrunc,sparse
    include=$(IFS=,; printf '%s' "${IMAGE_PACKAGES[*]}" "${*/#/,}")
    say "unpacking Debian $GUEST_RELEASE"
    (
        export ROOT=$disk.root DISK=$disk INCLUDE=$include GUEST_RELEASE IMAGE_MODULES OFFSET=$((first << 20)) BLOCKS=$((sectors / 8))
        MIRROR=$(host_mirrors | head -1 | cut -d' ' -f1)
        prepare_apt riscv64
        KEYRING=$(sed -n 's/^Signed-By: //p;s/^Trusted: yes/-/p' "$CACHE/apt/riscv64/debian.sources" | head -1)
        export MIRROR KEYRING
        [ -n "$MIRROR" ] || fail "image: apt's configuration names no Debian mirror: add one to /etc/apt, then repeat"
        # shellcheck disable=SC2016
        fakeroot -- bash -euo pipefail -c '. "$0"; image_tree' "$REPO/Scripts/image.sh"
    ) || fail "image: Debian $GUEST_RELEASE cannot be unpacked"
    rm -rf "$disk.root"
}

# As a user who seems to be root: owners and modes that are set here are those of the file system.
image_tree() {
    image_unpack || { tail -n 5 "$ROOT/debootstrap/debootstrap.log" >&2; return 1; }
    mkdir -p "$ROOT"/etc/{systemd/network,initramfs-tools/{conf.d,hooks},kernel,apt/sources.list.d} "$ROOT/boot/efi"
    image_second_stage | sed "s,^MIRROR=.*,MIRROR=$MIRROR,;s,^RELEASE=.*,RELEASE=$GUEST_RELEASE," >"$ROOT/second-stage"
    chmod 755 "$ROOT/second-stage"
    echo debian >"$ROOT/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost ip6-loopback\n' >"$ROOT/etc/hosts"
    printf '%s\n' 'LABEL=root / ext4 errors=remount-ro 0 1' 'LABEL=EFI /boot/efi vfat umask=0077,noauto,x-systemd.automount 0 0' >"$ROOT/etc/fstab"
    printf '[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n' >"$ROOT/etc/systemd/network/80-dhcp.network"
    # Found by a hook, not by the package's own list of modules: dpkg would ask which of two versions to keep.
    printf 'MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n' >"$ROOT/etc/initramfs-tools/conf.d/machine"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ "$1" != prereqs ] || exit 0\n. /usr/share/initramfs-tools/hook-functions\nmanual_add_modules %s\n' \
        "$IMAGE_MODULES" >"$ROOT/etc/initramfs-tools/hooks/machine"
    chmod 755 "$ROOT/etc/initramfs-tools/hooks/machine"
    echo debian >"$ROOT/etc/kernel/entry-token"
    echo 'root=LABEL=root rw console=ttyS0' >"$ROOT/etc/kernel/cmdline"
    /sbin/mke2fs -q -F -t ext4 -L root -b 4096 -d "$ROOT" -E "offset=$OFFSET" "$DISK" "$BLOCKS"
}

image_unpack() {
    local check=(--keyring="$KEYRING")
    [ "$KEYRING" != - ] || check=(--no-check-gpg)
    /usr/sbin/debootstrap --foreign --arch=riscv64 --variant=minbase "${check[@]}" --include="$INCLUDE" "$GUEST_RELEASE" "$ROOT" "$MIRROR" \
        >/dev/null
}

# The first process of the image's first boot.
image_second_stage() {
    cat <<'TEXT'
#!/bin/bash
# Configures the packages that debootstrap has unpacked, makes the disk bootable and powers the machine off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
MIRROR=
RELEASE=
exec </dev/null >/dev/console 2>&1
kernel_folders() {
    mountpoint -q /proc || mount -t proc proc /proc
    mountpoint -q /sys || mount -t sysfs sysfs /sys
    mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
}
configure() {
    # In a container debootstrap makes no devices: the kernel has made them.
    container=lxc /debootstrap/debootstrap --second-stage || { tail -n 20 /debootstrap/debootstrap.log; return 1; }
    kernel_folders          # it has taken them away
    mount -o umask=0077 LABEL=EFI /boot/efi || return
    systemctl enable systemd-networkd systemd-resolved || return
    passwd -d root || return
    bootctl install --no-variables --esp-path=/boot/efi || return
    local kernel
    kernel=$(cd /lib/modules && echo *) || return
    kernel-install add "$kernel" "/boot/vmlinux-$kernel" "/boot/initrd.img-$kernel" || return
    printf 'timeout 0\n' >/boot/efi/loader/loader.conf
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' "$MIRROR" "$RELEASE" \
        >/etc/apt/sources.list.d/debian.sources
    rm -f /etc/apt/sources.list /var/cache/apt/archives/*.deb /second-stage /boot/efi/loader/random-seed
    # Each machine that starts from a copy of this disk makes its own.
    : >/etc/machine-id
    umount /boot/efi
}
kernel_folders
if configure; then echo 'image: configured'; else echo 'image: failed'; fi
sync
mount -o remount,ro /
poweroff -ff
TEXT
}

# image_configure DISK LOG: boots it once.
image_configure() {
    local disk=$1 log=$2
    say "configuring the packages in a machine"
    timeout --foreground -s KILL $IMAGE_SECONDS "$(martlet_binary)" system riscv64 -M virt -smp "$(nproc)" -m 1G -display none -monitor none -no-reboot \
        -serial "file:$log" -bios "$PAYLOADS/firmware64.bin" -kernel "$PAYLOADS/kernel" -initrd "$PAYLOADS/initrd-modules" \
        -append 'console=ttyS0 quiet panic=-1 root=LABEL=root rw init=/second-stage' \
        -drive "if=none,id=disk,format=raw,cache=unsafe,file=$disk" -device virtio-blk-device,drive=disk </dev/null ||
        note "the machine ended with status $?"
    if ! grep -q 'image: configured' "$log"; then
        tail -n 30 "$log" >&2
        fail "image: the packages could not be configured"
    fi
}
