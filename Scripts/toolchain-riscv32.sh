# devtool toolchain riscv32: what compiles C programs for 32-bit RISC-V Linux, for which Debian has no C library.
#
# The compiler of riscv64 makes rv32 code too; what it lacks is a C library and its own run-time support for that. The
# library is musl, built from Debian's source package in about a minute; libgcc comes with the bare-metal compiler, which has
# one for rv32imafdc. All of it goes to $CACHE/toolchain-riscv32; the result is the command bin/riscv32-linux-musl-gcc.

RISCV32_FLAGS=(-march=rv32imafdc -mabi=ilp32d)

toolchain_riscv32() {
    local prefix=$CACHE/toolchain-riscv32 log=$CACHE/toolchain-riscv32.log work source libgcc recipe made
    # What was made by another state of this file is made anew.
    recipe=$(cksum <"$REPO/Scripts/toolchain-riscv32.sh")
    [ ! -x "$RISCV32_CC" ] || [ "$(cat "$prefix/recipe" 2>/dev/null)" != "$recipe" ] || return 0
    need gcc-riscv64-linux-gnu linux-libc-dev-riscv64-cross gcc-riscv64-unknown-elf make
    mkdir -p "$CACHE"
    source=$(fetch_source musl 2>"$log") && [ -f "$source" ] ||
        fail "toolchain: the source package musl of Debian $GUEST_RELEASE cannot be fetched: $(tail -1 "$log")"
    libgcc=$(riscv64-unknown-elf-gcc "${RISCV32_FLAGS[@]}" -print-libgcc-file-name)
    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    say "building musl for riscv32"
    mkdir "$work/source" "$work/root"
    tar -x -f "$source" -C "$work/source" --strip-components=1
    (
        cd "$work/source"
        riscv32_corrections
        ./configure --target=riscv32-linux-musl --prefix="$prefix" --syslibdir="$prefix/lib" --disable-gcc-wrapper \
            CC="riscv64-linux-gnu-gcc ${RISCV32_FLAGS[*]}" CROSS_COMPILE=riscv64-linux-gnu- LIBCC="$libgcc"
        make -j"$JOBS"
        make install DESTDIR="$work/root"
    ) >>"$log" 2>&1 || fail "toolchain: musl: $(grep -iE 'error' "$log" | tail -1); the whole output is in $log"
    made=$work/root$prefix
    cp "$libgcc" "$made/lib/"
    # The kernel's headers are the same for both widths.
    for source in linux asm asm-generic; do ln -s "/usr/riscv64-linux-gnu/include/$source" "$made/include/"; done
    mkdir -p "$made/bin"
    riscv32_wrapper "$prefix" >"$made/bin/${RISCV32_CC##*/}"
    chmod +x "$made/bin/${RISCV32_CC##*/}"
    printf '%s\n' "$recipe" >"$made/recipe"
    rm -rf "$prefix"
    mv "$made" "$prefix"
}

# Where musl 1.2.5 is wrong about Linux on riscv32.
riscv32_corrections() {
    # Linux's struct sigaction has no sa_restorer there (arch/riscv has no SA_RESTORER, as new architectures): with one, the kernel
    # takes what lies on the stack for half of the signal mask.
    sed -i '/define SA_RESTORER/d' arch/riscv32/bits/signal.h
    # The system call needs assembly, without which vfork is fork; that of riscv64 has no word of 64 bits.
    mkdir -p src/process/riscv32
    cp src/process/riscv64/vfork.s src/process/riscv32/
}

# The compiler with musl's headers and start files in place of its own. Programs are linked statically.
riscv32_wrapper() {
    cat <<TEXT
#!/bin/sh
# Made by devtool toolchain riscv32.
lib='$1/lib'
common='${RISCV32_FLAGS[*]} -nostdinc -isystem $1/include -isystem $(riscv64-linux-gnu-gcc -print-file-name=include)'
for argument in "\$@"; do
    case "\$argument" in -c | -S | -E | -M | -MM | -nostdlib | -fsyntax-only) exec riscv64-linux-gnu-gcc \$common "\$@" ;; esac
done
exec riscv64-linux-gnu-gcc \$common -static -nostdlib -nostartfiles "\$lib/crt1.o" "\$lib/crti.o" "\$@" -L"\$lib" \\
    -Wl,--start-group -lc "\$lib/libgcc.a" -Wl,--end-group "\$lib/crtn.o"
TEXT
}
