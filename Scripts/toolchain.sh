# devtool toolchain ARCH: a cross compiler for a guest that Debian has none for, in $CACHE/toolchain-ARCH. The part
# Scripts/toolchain-ARCH.sh makes it.

toolchain_command() {
    [ $# = 1 ] && declare -F "toolchain_$1" >/dev/null || fail "toolchain: usage: devtool toolchain riscv32 | moxie"
    "toolchain_$1"
    say "the toolchain is in $CACHE/toolchain-$1: $(du -sh "$CACHE/toolchain-$1" | cut -f1)"
}
