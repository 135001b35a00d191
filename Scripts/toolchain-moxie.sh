# devtool toolchain moxie: what compiles programs for Moxie, for which Debian has nothing, the simulator of the architecture, and the
# test programs that are kept as files, made anew with it (Tests/Guest/moxie).
#
# Built from Debian's source packages (their upstream archives, without Debian's patches): assembler and linker, gcc for C, newlib, the
# simulator that comes with gdb. Only those who make fixtures anew need it: no test and no other command of devtool builds it or
# asks for it, and tests that find the simulator in the cache use it.

MOXIE_TARGET=moxie-elf

toolchain_moxie() {
    local prefix=$CACHE/toolchain-moxie work=$CACHE/toolchain-moxie.build log=$CACHE/toolchain-moxie.log
    need gcc g++ make m4 bison flex xz-utils libgmp-dev libmpfr-dev libmpc-dev device-tree-compiler
    mkdir -p "$prefix/stamps" "$work"
    : >"$log"
    local PATH=$prefix/bin:$PATH
    moxie_part binutils binutils-source "all-gas all-ld all-binutils" "install-gas install-ld install-binutils" \
        --disable-gprofng
    # What needs a C library, an operating system or threads is left out.
    moxie_part gcc gcc-13-source "all-gcc all-target-libgcc" "install-gcc install-target-libgcc" \
        --enable-languages=c --disable-bootstrap --with-newlib --without-headers --disable-shared --disable-threads \
        --disable-libssp --disable-libgomp --disable-libquadmath --disable-libatomic --disable-lto --disable-plugin \
        --without-isl --without-zstd
    moxie_part newlib newlib-source "all-target-newlib all-target-libgloss" \
        "install-target-newlib install-target-libgloss"
    moxie_part sim gdb-source "all-sim" "install-sim" --disable-gdb --disable-gdbserver --disable-binutils \
        --disable-gas --disable-ld --disable-gprof --disable-gprofng
    rm -rf "$work"
    moxie_fixtures
}

# moxie_part NAME PACKAGE BUILD-TARGETS INSTALL-TARGETS OPTION...: one part, unless it is there already.
moxie_part() {
    local name=$1 package=$2 build=$3 install=$4 deb
    shift 4
    [ ! -e "$prefix/stamps/$name" ] || return 0
    say "building $name for $MOXIE_TARGET"
    deb=$(fetch_alone "$(dpkg --print-architecture)" "$package" 2>>"$log") && [ -f "$deb" ] ||
        fail "toolchain: $package of Debian $GUEST_RELEASE cannot be fetched: $(tail -1 "$log")"
    rm -rf "${work:?}/$name"
    mkdir -p "$work/$name/source" "$work/$name/build"
    dpkg-deb --fsys-tarfile "$deb" | tar -xO --wildcards -f - '*.tar.xz' | xz -dc |
        tar -x --strip-components=1 -C "$work/$name/source" --exclude='*/gcc/testsuite/g*' -f - ||
        fail "toolchain: $package cannot be unpacked into $work"
    moxie_step "$name" configure ../source/configure --target="$MOXIE_TARGET" --prefix="$prefix" \
        --disable-nls --disable-werror --disable-multilib "$@"
    # Lists of make's targets. Nobody reads the manuals, and the compiler itself need not be fast.
    # shellcheck disable=SC2086
    moxie_step "$name" make make -j"$JOBS" MAKEINFO=true CFLAGS=-O1 CXXFLAGS=-O1 $build
    # What the manual of gcc's internals is made of is not in Debian's archive.
    [ "$name" != gcc ] || touch "$work/gcc/build/gcc/s-tm-texi"
    # shellcheck disable=SC2086
    moxie_step "$name" install make MAKEINFO=true $install
    rm -rf "${work:?}/$name"
    deb=$(basename "$deb")
    printf '%s\n' "${deb%_*}" >"$prefix/stamps/$name"
}

# moxie_step NAME STEP COMMAND...: runs a command in the part's build folder.
moxie_step() {
    local name=$1 step=$2
    shift 2
    (cd "$work/$name/build" && "$@") >>"$log" 2>&1 ||
        fail "toolchain: $name: $step failed: $(grep -E 'error|Error' "$log" | tail -1); the whole output is in $log"
}

# The programs that say `guests: moxie`, and the benchmark's kernels.
moxie_fixtures() {
    local dir=$GUEST_SOURCES/moxie source level
    for source in $(moxie_sources) "$REPO/Benchmarks/kernels.c"; do
        for level in O0 O2; do
            "$MOXIE_TARGET-gcc" "-$level" -ffp-contract=off -ffunction-sections -fdata-sections -Wl,--gc-sections -s -nostartfiles \
                -Wl,-N -T "$dir/program.ld" -o "$dir/$(basename "$source" .c)-$level" "$dir/start.S" "$source" -lm >"$log" 2>&1 ||
                fail "toolchain: $source does not compile: $(grep -m1 -E 'error|undefined' "$log"); the whole output is in $log"
        done
    done
    note "$dir: $(du -ch "$dir"/*-O? | tail -1 | cut -f1) of programs"
}
