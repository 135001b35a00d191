# devtool test [FILTER]: everything that is tested, and a last line that counts it.
# devtool test privileged: programs for a whole machine, beside the oracle (privileged.sh).
# devtool test packaging: what is installed and packaged (packaging-test.sh).
# devtool test recipes [all] [NAME...]: the recipes of the documentation (recipes.sh).
# devtool test image [NAME...]: Debian on a disk (image-test.sh).
# devtool test long [FILTER]: what takes longer than that, again and again with other seeds for MARTLET_MINUTES; without FILTER boots of
# whole machines come first. devtool test long boots, devtool test long linux32: those of Debian's kernel alone, and those of a kernel for
# riscv32 (linux32.sh).

test_command() {
    if [ "${1:-}" = privileged ]; then
        shift
        privileged_command "$@"
        return
    fi
    if [ "${1:-}" = packaging ]; then
        packaging_tests
        return
    fi
    if [ "${1:-}" = recipes ]; then
        shift
        recipe_tests "$@"
        return
    fi
    if [ "${1:-}" = image ]; then
        shift
        image_tests "$@"
        return
    fi
    need_build
    need gcc libc6-dev gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user-static gdb-multiarch strace
    (toolchain_riscv32) || note "programs of riscv32 are not tested: their C library could not be built"
    say "building the guest programs"
    build_guest
    build_machine_tests
    if [ "${1:-}" = long ]; then
        shift
        run_long_tests "$@"
    else
        run_swift_tests "$@"
    fi
}

# Optimized, because debug builds do not specialise generic code across files: SoftFloat would be a hundred times slower.
TEST_FLAGS=(-c release -Xswiftc -enable-testing)

# run_swift_tests [FILTER]: builds and runs the Swift tests; ends with "N passed, N failed" and its status.
run_swift_tests() {
    build_swift_tests || return 1
    say "running the tests"
    run_built_tests "$@"
}

# Random tests have "random" in their names, or are of SoftFloat; long ones, which only MARTLET_LONG turns on, have "long".
LONG_TESTS='[Rr]andom|[Ll]ong|SoftFloatTests'

# run_long_tests [FILTER]: rounds of the long tests, each with another seed, until one fails or the time is over.
run_long_tests() {
    local minutes="${MARTLET_MINUTES:-10}" filter="${1:-$LONG_TESTS}" round=1 end counts passed=0
    local seed="${MARTLET_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"
    build_swift_tests || return 1
    case "${1:-all}" in
        all | boots | linux32)
            counts=$(boot_machines "${1:-all}") || { printf '%s\n' "$counts"; return 1; }
            passed=${counts%% *}
            [ $# = 0 ] || { printf '%s\n' "$counts"; return 0; }
            ;;
    esac
    say "running long tests for $minutes minutes"
    end=$(($(date +%s) + minutes * 60))
    while :; do
        note "round $round: MARTLET_SEED=$seed"
        counts=$(MARTLET_LONG=1 MARTLET_ROUNDS="${MARTLET_ROUNDS:-2}" MARTLET_SEED="$seed" run_built_tests "$filter") || {
            note "again: MARTLET_SEED=$seed ./devtool test long '$filter'"
            printf '%s\n' "$counts"
            return 1
        }
        passed=$((passed + ${counts%% *}))
        [ "$(date +%s)" -lt "$end" ] || break
        round=$((round + 1))
        seed=$((seed + 1000003))
    done
    printf '%s passed, 0 failed\n' "$passed"
}

# boot_machines boots|linux32|all: ends with "N passed, N failed" and its status. LONG_BOOTS boots (20) of Debian's kernel, every fourth with
# four harts; boots of the kernel for riscv32, in several shapes of its machine.
boot_machines() {
    local what=$1 boots="${LONG_BOOTS:-20}" boot harts tried=0 passed=0 log="$SCRATCH/tests/boot.log"
    if [ "$what" != linux32 ]; then
        say "booting a machine $boots times"
        for ((boot = 1; boot <= boots; boot++)); do
            harts=$((boot % 4 ? 1 : 4))
            boot_counted "boot $boot with $harts harts" boot_debian $harts
        done
    fi
    if [ "$what" != boots ]; then
        (linux32_payloads) || { printf '0 passed, 1 failed\n'; return 1; }
        say "booting Linux for riscv32"
        for boot in "${LINUX32_BOOTS[@]}"; do boot_counted "Linux for riscv32 with $boot" linux32_boot "$boot"; done
    fi
    printf '%d passed, %d failed\n' "$passed" $((tried - passed))
    [ "$passed" = "$tried" ]
}

# boot_counted TITLE COMMAND...: one boot, whose output goes to $log.
boot_counted() {
    local title=$1 status=0
    shift
    tried=$((tried + 1))
    "$@" >"$log" 2>&1 || status=$?
    if [ $status = 0 ]; then
        passed=$((passed + 1))
    else
        note "$title: status $status; its last lines:"
        tail -5 "$log" >&2
        cp "$log" "$log.failed"
    fi
}

# Debian's kernel to its shell and off again, as `try system` does.
boot_debian() {
    # shellcheck disable=SC2016
    printf 'echo booted with $(nproc)\n' |
        (MARTLET_BIN="${MARTLET_BIN:-$SCRATCH/tests/release/martlet}" LIMIT=${LIMIT:-120} try_system -smp "$1") && grep -q "^booted with $1" "$log"
}

# Ends with "0 passed, 1 failed" when the tests do not build.
build_swift_tests() {
    local scratch="$SCRATCH/tests"
    local log="$scratch/test.log"
    mkdir -p "$scratch"
    say "building the tests"
    (cd "$REPO" && "$SWIFT" build --build-tests "${TEST_FLAGS[@]}" -j "$JOBS" --scratch-path "$scratch") >"$log" 2>&1 || {
        grep -E 'error|warning' "$log" | sort -u | head -60 >&2 || true
        tail -5 "$log" >&2
        note "the tests do not build: the whole output is in $log"
        printf '0 passed, 1 failed\n'
        return 1
    }
    link_static "$scratch/release" >>"$log" 2>&1 || { tail -5 "$log" >&2; printf '0 passed, 1 failed\n'; return 1; }
}

# link_static FOLDER: martlet as one file, FOLDER/martlet-static, from what the tests' build has compiled. Swift's own main function takes
# the name of the program there.
link_static() {
    local archive
    archive=$(static_capstone)
    (cd "$REPO" && "${SWIFT}c" -static-executable -use-ld=lld -Xclang-linker -static-pie -Xlinker --defsym=main=martlet_main \
        "@$1/martlet.product/Objects.LinkFileList" "$archive" -o "$1/martlet-static")
}

# run_built_tests [FILTER]: ends with "N passed, N failed" and its status.
run_built_tests() {
    local filter=() scratch="$SCRATCH/tests" status=0 counts
    local log="$scratch/test.log"
    if [ $# -gt 0 ]; then filter=(--filter "$1"); fi
    (cd "$REPO" && MARTLET_BIN="${MARTLET_BIN:-$scratch/release/martlet}" MARTLET_GUEST="$GUEST_BUILD" MARTLET_MACHINE="$MACHINE_BUILD" \
        MARTLET_STATIC="$scratch/release/martlet-static" \
        timeout --kill-after=10 1500 "$SWIFT" test --skip-build "${TEST_FLAGS[@]}" --scratch-path "$scratch" "${filter[@]}") >"$log" 2>&1 || status=$?
    # What failed, without the noise of what passed.
    grep -vE '^(◇|✔)|^Test (Suite|Case)|Executed 0 tests' "$log" | head -400 >&2 || true
    counts=$(count_tests "$log" "$status")
    if [ "$status" = 124 ] || [ "$status" = 137 ]; then note "stopped after 25 minutes"; fi
    printf '%s\n' "$counts"
    case "$counts" in *", 0 failed") return 0 ;; *) return 1 ;; esac
}

# Counts test cases in the runner's log: a parameterised test counts once for each of its arguments. A run that ended
# badly without a failed test (a crash, a time-out) counts as a failure.
count_tests() {
    awk -v status="$2" '
        function cases() { return match($0, /with [0-9]+ test case/) ? substr($0, RSTART + 5) + 0 : 1 }
        function name() { t = $0; sub(/^[^ ]+ Test /, "", t); sub(/( with [0-9]+ test case.*| (passed|failed) after.*| recorded an issue.*)$/, "", t); return t }
        / Test run with /                        { ended = 1; next }
        /^✔ Test .* passed after/                { passed += cases(); next }
        /^✘ Test .* recorded an issue with/      { key = $0; sub(/ at [^ ]*\.swift:[0-9].*$/, "", key)
                                                   if (!(key in seen)) { seen[key] = 1; bad[name()]++ } next }
        /^✘ Test .* failed after/                { n = cases(); b = bad[name()]; if (b < 1) b = 1; if (b > n) b = n
                                                   failed += b; passed += n - b; next }
        END { if (!failed && (status != 0 || !ended)) failed = 1
              printf "%d passed, %d failed\n", passed, failed }' "$1"
}
