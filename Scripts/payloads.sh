# devtool payloads: what machines are tried and tested with, in $CACHE/payloads. Debian 13's packages, unpacked and not installed:
#
#   kernel                      the riscv64 kernel, an Image           modules/      its modules
#   initrd                      made here: busybox and a shell         riscv64/      the packages as they are
#   firmware64.bin, .elf        OpenSBI, fw_dynamic                    firmware32.bin, .elf  the same for riscv32
#   u-boot.bin, .elf            U-Boot for supervisor mode             u-boot-machine.bin    the one for machine mode
#   qemu-system-riscv64, -riscv32   the release's QEMU, run by its own loader and libraries (amd64/)
#   qemu-img                    its tool for disk images

PAYLOADS="$CACHE/payloads"
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
    for package in opensbi u-boot-qemu busybox-static "$image"; do
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
    make_initramfs "$PAYLOADS/riscv64/usr/bin/busybox" >"$PAYLOADS/initrd.new"
    mv "$PAYLOADS/initrd.new" "$PAYLOADS/initrd"
    printf '%s\n' "$recipe" >"$PAYLOADS/recipe"
}

# make_initramfs BUSYBOX: a root file system for the kernel to unpack: a static busybox, and a shell on the console that is
# started again when it ends. It holds no device nodes, so that making it needs no privileges: the kernel has them in devtmpfs.
make_initramfs() {
    local folder entries=0
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
# A controlling terminal, for job control and Ctrl-C.
while :; do setsid cttyhack sh; done
TEXT
    {
        local directory
        for directory in bin dev proc root sbin sys tmp usr usr/bin usr/sbin; do newc_entry "$directory" 040755 /dev/null; done
        newc_entry init 0100755 "$folder/init"
        newc_entry bin/busybox 0100755 "$1"
        newc_entry TRAILER!!! 0 /dev/null
    } | gzip -9n
    rm -rf "$folder"
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
