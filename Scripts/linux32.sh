# devtool test long linux32: Linux for riscv32, which Debian has no kernel for, booted by ours and by qemu-system of Debian 13.
#
# The kernel is made of Debian's source, which is 6.12 for all architectures, with Tests/Linux/riscv32.config: some minutes of compiling,
# again only when that file, the source or how it is built has changed. Its init program is Tests/Linux/init.c, whose last line is a sum of
# what it computed; both emulators must print the same. All of it is in $CACHE/linux32:
#
#   kernel        the Image                     symbols     its System.map
#   build.log     what the compiler said        recipe      what the kernel was made of

LINUX32="$CACHE/linux32"
LINUX32_SECONDS=${LINUX32_SECONDS:-300}          # a boot's bound
# The shapes of the machine that are booted, as options.
LINUX32_BOOTS=('-smp 1' '-smp 2' '-smp 1 -icount shift=3,sleep=off')

# The kernel, and the initramfs in the build folder.
linux32_payloads() {
    linux32_kernel
    guest_payloads
    qemu_system >/dev/null
    toolchain_riscv32
    local folder="$SCRATCH/tests" entries=0
    "$RISCV32_CC" -O2 -Wall -Wextra -o "$folder/linux32.init" "$REPO/Tests/Linux/init.c" || fail "linux32: the init program does not compile"
    {
        newc_entry init 0100755 "$folder/linux32.init"
        newc_entry TRAILER!!! 0 /dev/null
    } | gzip -9n >"$folder/linux32.initrd"
}

linux32_kernel() {
    local arch deb recipe work config="$REPO/Tests/Linux/riscv32.config"
    arch=$(dpkg --print-architecture)
    # A newer source comes when something else fetches it.
    deb=$(find "$CACHE/apt/$arch/archives" -name "linux-source-${GUEST_KERNEL}_*.deb" 2>/dev/null | sort -V | tail -1 || true)
    if [ -z "$deb" ]; then
        say "fetching linux-source-$GUEST_KERNEL of Debian $GUEST_RELEASE"
        deb=$(fetch_alone "$arch" "linux-source-$GUEST_KERNEL") && [ -f "$deb" ] ||
            fail "linux32: linux-source-$GUEST_KERNEL of Debian $GUEST_RELEASE cannot be fetched"
    fi
    recipe="$(basename "$deb") $({ declare -f linux32_build; cat "$config"; } | sha256sum)"
    [ "$(cat "$LINUX32/recipe" 2>/dev/null)" != "$recipe" ] || return 0
    need bc bison flex gcc gcc-riscv64-linux-gnu libc6-dev make xz-utils
    mkdir -p "$LINUX32"
    rm -f "$LINUX32/recipe"
    work=$(mktemp -d "$LINUX32/work.XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    say "building Linux for riscv32 (some minutes)"
    linux32_build "$deb" "$config" "$work" >"$LINUX32/build.log" 2>&1 ||
        fail "linux32: the kernel: $(grep -iE 'error' "$LINUX32/build.log" | tail -1); the whole output is in $LINUX32/build.log"
    mv "$work/arch/riscv/boot/Image" "$LINUX32/kernel" && mv "$work/System.map" "$LINUX32/symbols" && printf '%s\n' "$recipe" >"$LINUX32/recipe" ||
        fail "linux32: the kernel cannot be kept in $LINUX32"
    rm -rf "$work"
}

# linux32_build PACKAGE CONFIG FOLDER: unpacks the source, without half of it that no configuration for `virt` compiles, and makes the Image.
linux32_build() {
    local make=(make -C "$3" ARCH=riscv CROSS_COMPILE=riscv64-linux-gnu- KCONFIG_ALLCONFIG="$2") line
    kernel_source "$1" | tar -x --strip-components=1 -C "$3" --exclude='*/drivers/gpu/*.[ch]' --exclude='*/drivers/net/*.[ch]' \
        --exclude='*/sound/*.[ch]' --exclude='*/Documentation/*.*' --exclude='*/tools/testing' -f - &&
        "${make[@]}" allnoconfig || return 1
    # Kconfig drops without a word what does not exist or depends on something that is off.
    while read -r line; do
        case "$line" in CONFIG_*) grep -qxF "$line" "$3/.config" || { printf 'error: %s has no effect\n' "$line"; return 1; } ;; esac
    done <"$2"
    timeout --kill-after=10 3000 "${make[@]}" -j"$JOBS" Image
}

# linux32_boot OPTIONS: true if the program's sums are equal under both emulators.
linux32_boot() {
    local options ours system oracle
    read -ra options <<<"$1"
    system=$(tested_system)
    oracle=$(linux32_sum "$PAYLOADS/qemu-system-riscv32" "${options[@]}") || return
    ours=$(linux32_sum "$system" riscv32 "${options[@]}") || return
    printf 'the sums: %s (QEMU), %s\n' "$oracle" "$ours"
    [ -n "$ours" ] && [ "$ours" = "$oracle" ]
}

# linux32_sum COMMAND...: boots and prints the sum; what the machine prints goes to standard error. Fails where the machine did not end by itself
# and well.
linux32_sum() {
    local output status=0
    output=$(timeout --foreground --kill-after=5 "$LINUX32_SECONDS" "$@" -M virt -nographic -m 256M -bios "$PAYLOADS/firmware32.bin" \
        -kernel "$LINUX32/kernel" -initrd "$SCRATCH/tests/linux32.initrd" -append console=ttyS0 </dev/null 2>&1 | tr -d '\r\0') || status=$?
    printf '%s\n' "$output" >&2
    [ $status = 0 ] || return $status
    sed -n 's/^sum //p' <<<"$output"
}
