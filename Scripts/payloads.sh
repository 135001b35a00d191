# devtool payloads: what machines are tried and tested with, in $CACHE/payloads. Debian 13's packages, unpacked and not installed:
#
#   kernel                      the riscv64 kernel, an Image           modules/      its modules
#   initrd                      made here: busybox and a shell         riscv64/      the packages as they are
#   initrd-modules              the same with modules for disks, networks and file systems: see `make_initramfs`
#   firmware64.bin, .elf        OpenSBI, fw_dynamic                    firmware32.bin, .elf  the same for riscv32
#   u-boot.bin, .elf            U-Boot for supervisor mode             u-boot-machine.bin    the one for machine mode
#   uefi-code.fd, uefi-vars.fd  UEFI firmware for flash memory, and its variables when it is new
#   qemu-system-riscv64, -riscv32   the release's QEMU, run by its own loader and libraries (amd64/)
#   qemu-img                    its tool for disk images

PAYLOADS="$CACHE/payloads"
PAYLOAD_MODULES=(virtio_mmio virtio_blk virtio_scsi sd_mod virtio_net virtio-rng virtio_balloon ext4 vfat nls_ascii nls_cp437 9p 9pnet_virtio)
PAYLOAD_PROMPT='martlet:'          # how a prompt of the initramfs's shell begins

# NAME PATH: links to what the packages hold.
PAYLOAD_LINKS='
firmware64.bin      usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin
firmware64.elf      usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.elf
firmware32.bin      usr/lib/riscv32-linux-gnu/opensbi/generic/fw_dynamic.bin
firmware32.elf      usr/lib/riscv32-linux-gnu/opensbi/generic/fw_dynamic.elf
u-boot.bin          usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin
u-boot.elf          usr/lib/u-boot/qemu-riscv64_smode/uboot.elf
u-boot-machine.bin  usr/lib/u-boot/qemu-riscv64/u-boot.bin
uefi-code.fd        usr/share/qemu-efi-riscv64/RISCV_VIRT_CODE.fd
uefi-vars.fd        usr/share/qemu-efi-riscv64/RISCV_VIRT_VARS.fd
kernel              boot/vmlinux-*-riscv64
modules             usr/lib/modules/*-riscv64
'

payloads_command() {
    [ $# = 0 ] || fail "payloads: usage: devtool payloads"
    guest_payloads
    qemu_system >/dev/null
    qemu_img >/dev/null
    say "the payloads are in $PAYLOADS; a boot of them by QEMU:"
    printf '%s %s\n' "$PAYLOADS/qemu-system-riscv64" "$(payload_options | tr '\n' ' ')"
}

# The options that boot the kernel to the shell, on any emulator, one a line.
payload_options() {
    printf '%s\n' -M virt -nographic -m 512M -bios "$PAYLOADS/firmware64.bin" -kernel "$PAYLOADS/kernel" -initrd "$PAYLOADS/initrd" \
        -append console=ttyS0
}

# Kernel, firmware and initramfs. What was made by another state of this file is made anew.
guest_payloads() {
    local recipe debs=() deb package image link path found
    recipe=$(cksum <"$REPO/Scripts/payloads.sh")
    [ "$(cat "$PAYLOADS/recipe" 2>/dev/null)" != "$recipe" ] || return 0
    have dpkg-deb || fail "payloads: no dpkg-deb: this needs a Debian system"
    prepare_apt riscv64
    # The package of the kernel's name depends on the one that holds it.
    image=$(private_apt riscv64 apt-cache depends linux-image-riscv64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
    [ -n "$image" ] || fail "payloads: linux-image-riscv64 of Debian $GUEST_RELEASE names no kernel"
    for package in opensbi u-boot-qemu qemu-efi-riscv64 busybox-static "$image"; do
        deb=$(fetch_alone riscv64 "$package") && [ -f "$deb" ] ||
            fail "payloads: $package of Debian $GUEST_RELEASE cannot be fetched"
        debs+=("$deb")
    done
    say "unpacking ${#debs[@]} packages into $PAYLOADS"
    rm -rf "$PAYLOADS/riscv64" "$PAYLOADS/recipe"
    mkdir -p "$PAYLOADS/riscv64"
    merge_usr riscv64 "$PAYLOADS/riscv64"
    for deb in "${debs[@]}"; do unpack "$deb" "$PAYLOADS/riscv64"; done
    while read -r link path; do
        [ -n "$link" ] || continue
        found=$(cd "$PAYLOADS" && compgen -G "riscv64/$path") || fail "payloads: the packages hold no $path"
        ln -sfn "$found" "$PAYLOADS/$link"
    done <<<"$PAYLOAD_LINKS"
    make_initramfs >"$PAYLOADS/initrd.new"
    mv "$PAYLOADS/initrd.new" "$PAYLOADS/initrd"
    make_initramfs "${PAYLOAD_MODULES[@]}" >"$PAYLOADS/initrd-modules.new"
    mv "$PAYLOADS/initrd-modules.new" "$PAYLOADS/initrd-modules"
    printf '%s\n' "$recipe" >"$PAYLOADS/recipe"
}

# make_initramfs [MODULE...]: a root file system for the kernel to unpack: a static busybox, and a shell on the console that is started again
# when it ends. It holds no device nodes, so that making it needs no privileges: the kernel has them in devtmpfs. With modules it has the
# command `load MODULE...`, which loads what they need too; `load=MODULE,...` on the kernel's command line does it before the shell.
# `root=DEVICE`, or `root=LABEL=...`, goes on from that ext4 file system with `init=` (/sbin/init), with the modules of virtio disks loaded.
make_initramfs() {
    local folder entries=0 name
    folder=$(mktemp -d)
    cat >"$folder/init" <<TEXT
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox --install -s
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin PS1='$PAYLOAD_PROMPT\w\\$ '
cd /root
root= init=/sbin/init mode=ro
for word in \$(cat /proc/cmdline); do
    case \$word in
        root=*) root=\${word#root=} ;;
        init=*) init=\${word#init=} ;;
        ro | rw) mode=\$word ;;
        load=*) load \$(echo "\${word#load=}" | tr , ' ') ;;
    esac
done
if [ -n "\$root" ]; then
    load virtio_mmio virtio_blk virtio_scsi sd_mod ext4
    left=100 device=
    while [ \$left -gt 0 ]; do
        case \$root in /dev/*) device=\$root ;; *) device=\$(findfs "\$root" 2>/dev/null) ;; esac
        [ ! -b "\$device" ] || break
        left=\$((left - 1))
        usleep 100000
    done
    if mkdir -p /new && mount -t ext4 -o \$mode "\$device" /new; then
        umount /proc /sys
        exec switch_root /new "\$init"
    fi
    echo "init: cannot mount root=\$root"
fi
# A controlling terminal, for job control and Ctrl-C.
while :; do setsid cttyhack sh; done
TEXT
    cat >"$folder/load" <<'TEXT'
#!/bin/busybox sh
# load MODULE...: /modules/NAME.needs names what has to be there before.
for module; do
    name=$(echo "$module" | tr - _)
    [ ! -d /sys/module/"$name" ] || continue
    [ -f /modules/"$name".ko ] || { echo "load: no module $module here"; exit 1; }
    load $(cat /modules/"$name".needs) && insmod /modules/"$name".ko || exit
done
TEXT
    [ $# = 0 ] || payload_modules "$folder/modules" "$@"
    {
        local directory
        for directory in bin dev modules proc root sbin sys tmp usr usr/bin usr/sbin; do newc_entry "$directory" 040755 /dev/null; done
        newc_entry init 0100755 "$folder/init"
        newc_entry bin/busybox 0100755 "$PAYLOADS/riscv64/usr/bin/busybox"
        newc_entry bin/load 0100755 "$folder/load"
        for name in "$folder"/modules/*; do
            [ ! -f "$name" ] || newc_entry "modules/${name##*/}" 0100644 "$name"
        done
        newc_entry TRAILER!!! 0 /dev/null
    } | gzip -9n
    rm -rf "$folder"
}

# payload_modules FOLDER MODULE...: NAME.ko and NAME.needs of these modules and of what they need, in FOLDER. What is built into the kernel is
# nobody's need.
payload_modules() {
    local folder=$1 modules name packed
    shift
    mkdir -p "$folder"
    modules=("$@")
    while [ ${#modules[@]} != 0 ]; do
        name=${modules[0]//-/_}
        modules=("${modules[@]:1}")
        [ ! -f "$folder/$name.ko" ] || continue
        packed=$(find "$PAYLOADS/modules/kernel" -name "${name//_/[_-]}.ko.xz")
        [ -f "$packed" ] || fail "payloads: the kernel has no module $name"
        xz -dc "$packed" >"$folder/$name.ko"
        tr '\0' '\n' <"$folder/$name.ko" | sed -n 's/^depends=//p' | tr , ' ' >"$folder/$name.needs"
        # Found by name at run time: what computes ext4's check sums.
        if [ "$name" = ext4 ]; then echo crc32c_generic >>"$folder/$name.needs"; fi
        mapfile -t -O ${#modules[@]} modules < <(tr ' ' '\n' <"$folder/$name.needs" | grep .)
    done
}

# newc_entry NAME MODE FILE: one member of a cpio archive in the kernel's format (Documentation/driver-api/early-userspace/buffer-format),
# owned by root, as old as time. Counts members in `entries`, which are their inodes.
newc_entry() {
    local name=$1 size
    size=$(stat -Lc %s "$3")
    entries=$((entries + 1))
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' \
        "$entries" "$(($2))" 0 0 1 0 "$size" 0 0 0 0 "$((${#name} + 1))" 0 "$name"
    zeros $(((4 - (110 + ${#name} + 1) % 4) % 4))
    [ "$size" = 0 ] || cat "$3"
    zeros $(((4 - size % 4) % 4))
}

zeros() { head -c "$1" /dev/zero; }

# The release's QEMU for programs, a static file, fetched once; prints its path.
qemu_user() {
    local file=$PAYLOADS/qemu-riscv64 package
    if [ ! -x "$file" ]; then
        mkdir -p "$PAYLOADS"
        package=$(fetch_alone amd64 qemu-user)
        dpkg-deb --fsys-tarfile "$package" | tar -xO -f - ./usr/bin/qemu-riscv64 >"$file.new"
        chmod +x "$file.new"
        mv "$file.new" "$file"
    fi
    printf '%s' "$file"
}

# The release's QEMU for machines, fetched once; prints the path of a command that runs it on any host.
qemu_system() {
    local tree=$PAYLOADS/amd64 width script
    for width in 64 32; do
        script=$PAYLOADS/qemu-system-riscv$width
        [ ! -x "$script" ] || continue
        [ -x "$tree/usr/bin/qemu-system-riscv$width" ] || make_root amd64 "$tree" qemu-system-riscv
        cat >"$script.new" <<TEXT
#!/bin/sh
exec '$tree/usr/lib64/ld-linux-x86-64.so.2' --library-path '$tree/usr/lib/x86_64-linux-gnu' \\
    '$tree/usr/bin/qemu-system-riscv$width' -L '$tree/usr/share/qemu' "\$@"
TEXT
        chmod +x "$script.new"
        mv "$script.new" "$script"
    done
    printf '%s' "$PAYLOADS/qemu-system-riscv64"
}

# The release's tool for disk images, which tests compare Martlet's with, fetched once; prints the path of a command that runs it on any host.
qemu_img() {
    local tree=$PAYLOADS/amd64 script=$PAYLOADS/qemu-img package
    if [ ! -x "$script" ]; then
        qemu_system >/dev/null
        package=$(fetch_alone amd64 qemu-utils)
        dpkg-deb --fsys-tarfile "$package" | tar -xO -f - ./usr/bin/qemu-img >"$tree/usr/bin/qemu-img.new"
        chmod +x "$tree/usr/bin/qemu-img.new"
        mv "$tree/usr/bin/qemu-img.new" "$tree/usr/bin/qemu-img"
        cat >"$script.new" <<TEXT
#!/bin/sh
exec '$tree/usr/lib64/ld-linux-x86-64.so.2' --library-path '$tree/usr/lib/x86_64-linux-gnu' --argv0 qemu-img '$tree/usr/bin/qemu-img' "\$@"
TEXT
        chmod +x "$script.new"
        mv "$script.new" "$script"
    fi
    printf '%s' "$script"
}
