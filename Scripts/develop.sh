# The developer's small commands: check, fmt, bless, dump.

SWIFT_FOLDERS=(Package.swift Sources Tests Plugins)

fmt_command() {
    (cd "$REPO" && "$SWIFT" format -i -r --configuration .swift-format "${SWIFT_FOLDERS[@]}")
    say "formatted"
}

# Formatting, warnings as errors, layering, and the tests that need no guest program.
check_command() {
    need_build
    say "format"
    (cd "$REPO" && "$SWIFT" format lint --strict -r --configuration .swift-format "${SWIFT_FOLDERS[@]}")
    local script
    for script in "$REPO"/devtool "$REPO"/.ci/run "$REPO"/Scripts/*.sh; do bash -n "$script"; done
    mkdir -p "$SCRATCH/check"
    say "build, warnings as errors"
    (cd "$REPO" && "$SWIFT" build -j "$JOBS" --scratch-path "$SCRATCH/check" --build-tests -Xswiftc -warnings-as-errors)
    say "layering and fast tests"
    (cd "$REPO" && "$SWIFT" test --skip-build --scratch-path "$SCRATCH/check" --skip GuestProgramTests) >"$SCRATCH/check/test.log" 2>&1 || {
        grep -vE '^(◇|✔)' "$SCRATCH/check/test.log" | tail -100 >&2
        fail "tests fail"
    }
    say "all good"
}

bless_command() {
    need_build
    need gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user-static
    build_guest
    say "expectations of the guest programs, from the oracle"
    bless_guest
    say "expectations of the Swift tests"
    MARTLET_BLESS=1 run_swift_tests "$@" || true
    say "look at what changed: git diff"
}

# dump FILE [ADDRESS[..END]]: the first blocks of a program in every form they take on their way.
dump_command() {
    [ $# -ge 1 ] || fail "dump: no file: usage: devtool dump FILE [START..END]"
    local martlet filter=()
    [ -f "$1" ] || fail "dump: $1 is not a file"
    martlet=$(martlet_binary)
    if [ $# -ge 2 ]; then filter=(-dfilter "$2"); fi
    "$martlet" -d in_asm,op,op_opt,out_asm "${filter[@]}" -D /dev/stdout "$1" </dev/null 2>&1 | head -n "${LINES_MAX:-400}" || true
}
