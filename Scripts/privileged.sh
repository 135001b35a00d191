# devtool test privileged [--oracle | --bless] [--details] [NAME...]: the tests of a whole machine in Tests/Machine.
#
# Each test is a bare-metal program for the machine `spike` or `virt`, which prints a hash for each of its sections and ends with status 0 when all
# that the manual demands held. It runs under the oracle, qemu-system of Debian 13, and under ours; both must print the same. With
# --oracle only under the oracle. With --bless what the oracle prints is kept in Tests/Machine/expected, where the Swift tests
# (MachineProgramTests) read it: they need no oracle. With --details the observations behind the hashes are printed, and the first
# that differ are shown.
#
# A test says at its top how it is built, one line for each program:
#
#   // build: NAME [rv32] [cpu=EXTENSION=on,...] [machine=virt] [harts=N] [icount=VALUE] [-DMACRO=VALUE...]
#
# MACHINE_FLAGS are more compiler flags: MACHINE_FLAGS='-DFIRST=5000 -DSEEDS=500' ./devtool test privileged streams runs other seeds.

MACHINE_TESTS="$REPO/Tests/Machine"
MACHINE_BUILD="$REPO/.build/machine"
MACHINE_SECONDS=${MACHINE_SECONDS:-20}                                 # a run's bound
# What the usual CPUs of both do not have in common is switched on.
MACHINE_CPU_32="svinval=on,zcb=on,zimop=on,zcmop=on,zacas=on,zicond=on,zfhmin=on"
MACHINE_CPU="$MACHINE_CPU_32,svnapot=on,svpbmt=on"
ORACLE_CPU="h=off"                                                    # what ours has not

privileged_command() {
    local oracle_only=0 bless=0 details=0 names=() failed=0 passed=0
    while [ $# -gt 0 ]; do
        case "$1" in
            --oracle) oracle_only=1 ;;
            --bless) oracle_only=1 bless=1 ;;
            --details) details=1 ;;
            -*) fail "usage: ./devtool test privileged [--oracle | --bless] [--details] [NAME...]" ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    need gcc-riscv64-linux-gnu >&2
    local ours name bits machine harts cpu icount program
    [ $bless = 0 ] || [ "$details${MACHINE_FLAGS:-}" = 0 ] || fail "test privileged: --bless keeps what the programs print as they are"
    qemu_system >/dev/null
    [ $oracle_only = 1 ] || ours=$(tested_system)
    mkdir -p "$MACHINE_BUILD"
    while IFS=$'\t' read -r name bits machine harts cpu icount program; do
        selected "$name" "${names[@]}" || continue
        program="$program ${MACHINE_FLAGS:-}"
        build_machine_test "$name" "$bits" "$program" $details || { failed=$((failed + 1)); printf '%-28s not built\n' "$name"; continue; }
        check_machine_test "$name" "$bits" "$machine" "$harts" "$cpu" "$icount" $oracle_only || { failed=$((failed + 1)); continue; }
        passed=$((passed + 1))
        [ $bless = 0 ] || grep -v '^FAIL' "$MACHINE_BUILD/$name.oracle" >"$MACHINE_TESTS/expected/$name.txt"
    done < <(machine_tests)
    printf '%d passed, %d failed\n' $passed $failed
    [ $failed = 0 ]
}

# The martlet-system that is tested: MARTLET_SYSTEM, or the one that was built for the tests.
tested_system() {
    local system=${MARTLET_SYSTEM:-$SCRATCH/tests/release/martlet-system}
    [ -x "$system" ] || fail "no $system: build it, or name another by MARTLET_SYSTEM"
    printf '%s' "$system"
}

selected() {
    local name=$1 wanted
    shift
    [ $# -gt 0 ] || return 0
    for wanted in "$@"; do case "$name" in $wanted) return 0 ;; esac; done
    return 1
}

# Builds all programs, and writes the manifest that the Swift tests read: name, XLEN, machine, harts, CPU properties, -icount or
# "off".
build_machine_tests() {
    local name bits machine harts cpu icount program jobs=0
    mkdir -p "$MACHINE_BUILD"
    rm -f "$MACHINE_BUILD"/*.failed
    while IFS=$'\t' read -r name bits machine harts cpu icount program; do
        { build_machine_test "$name" "$bits" "$program " 0 || : >"$MACHINE_BUILD/$name.failed"; } &
        jobs=$((jobs + 1))
        if [ $((jobs % JOBS)) = 0 ]; then wait; fi
    done < <(machine_tests)
    wait
    ! compgen -G "$MACHINE_BUILD/*.failed" >&2 || fail "some programs of Tests/Machine were not built"
    machine_tests | cut -f 1-6 >"$MACHINE_BUILD/manifest"
}

# One line for each program: as in the manifest, then source and compiler flags, separated by tabs.
machine_tests() {
    local source word words name bits machine harts cpu icount flags
    for source in "$MACHINE_TESTS"/tests/*.c; do
        while read -r name words; do
            bits=64 machine=spike harts=1 cpu=$MACHINE_CPU icount=off flags=$source
            for word in $words; do
                case "$word" in
                    rv32) bits=32 cpu=$MACHINE_CPU_32 ;;
                    machine=virt) machine=virt flags="$flags -DVIRT" ;;
                    harts=*) harts=${word#harts=} ;;
                    cpu=*) cpu=$cpu,${word#cpu=} ;;
                    icount=*) icount=${word#icount=} ;;
                    *) flags="$flags $word" ;;
                esac
            done
            printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" $bits $machine $harts "$cpu" "$icount" "$flags"
        done < <(directive "$source" build)
    done
}

# build_machine_test NAME XLEN "SOURCE FLAGS..." DETAILS
build_machine_test() {
    local name=$1 bits=$2 program=$3 output="$MACHINE_BUILD/$1" part abi=lp64
    [ "$bits" = 64 ] || abi=ilp32
    if [ -f "$output" ] && [ "$(cat "$output.flags")" = "$program $4" ]; then
        local stale=0
        for part in "$MACHINE_TESTS"/runtime/* "${program%% *}"; do [ "$output" -nt "$part" ] || stale=1; done
        [ $stale = 1 ] || return 0
    fi
    # The source and its flags are a list of words.
    # shellcheck disable=SC2086
    "$GUEST_CC" -march="rv${bits}imac_zicsr_zifencei" -mabi=$abi -mcmodel=medany -O2 -Wall -Wextra -ffreestanding -fno-builtin -fno-pic \
        -fno-stack-protector -fno-strict-aliasing -nostdlib -static -mno-relax -Wl,--no-relax -Wl,--build-id=none -Wl,--no-warn-rwx-segments -DDETAILS="$4" \
        -T "$MACHINE_TESTS/runtime/link.ld" -I "$MACHINE_TESTS/runtime" -o "$output" "$MACHINE_TESTS"/runtime/{entry.S,machine.c} $program &&
        printf '%s' "$program $4" >"$output.flags"
}

# run_machine_test XLEN MACHINE HARTS CPU ICOUNT FILE COMMAND...: the output and a last line "[exit N]".
run_machine_test() {
    local bits=$1 machine=$2 harts=$3 cpu=$4 icount=$5 file=$6 status=0 counting=()
    shift 6
    [ "$icount" = off ] || counting=(-icount "$icount")
    timeout --kill-after=1 "$MACHINE_SECONDS" "$@" -M "$machine" -smp "$harts" -cpu "rv$bits,$cpu" -m 128M -bios none -kernel "$file" \
        "${counting[@]}" -display none -monitor none -serial stdio </dev/null 2>&1 || status=$?
    printf '[exit %d]\n' $status
}

# check_machine_test NAME XLEN MACHINE HARTS CPU ICOUNT ORACLE_ONLY: one line of the table, and what differs.
check_machine_test() {
    local name=$1 bits=$2 machine=$3 harts=$4 cpu=$5 icount=$6 oracle_only=$7 file="$MACHINE_BUILD/$1" verdict=passed
    if ! [ "$file.oracle" -nt "$file" ] || ! [ "$file.oracle" -nt "$REPO/Scripts/privileged.sh" ]; then run_machine_test "$bits" "$machine" "$harts" "$ORACLE_CPU,$cpu" "$icount" "$file" "$PAYLOADS/qemu-system-riscv$bits" >"$file.oracle"; fi
    local tested=$file.oracle
    if [ $oracle_only = 0 ]; then
        run_machine_test "$bits" "$machine" "$harts" "$cpu" "$icount" "$file" "$ours" "riscv$bits" >"$file.ours"
        tested=$file.ours
    fi
    excuse_deviations "$name" "$file.oracle"
    if ! tail -1 "$tested" | grep -q '^\[exit 0\]$'; then verdict="FAILED: $(tail -1 "$tested")"; fi
    if [ $oracle_only = 0 ] && ! cmp -s <(grep -v '^FAIL' "$file.oracle") <(grep -v '^FAIL' "$file.ours"); then verdict="FAILED: differs"; fi
    printf '%-28s %s\n' "$name" "$verdict"
    [ "$verdict" != passed ] || return 0
    grep -E '^(FAIL|STRAY)' "$tested" | head -10 || true
    if [ $oracle_only = 0 ]; then diff "$file.oracle" "$file.ours" | head -20 || true; fi
    return 1
}

# The oracle is not the manual: what it is known to do otherwise is in a table, and does not count against it.
excuse_deviations() {
    local name=$1 output=$2 test complaint rest left
    left=$(grep '^FAIL' "$output" || true)
    [ -n "$left" ] || return 0
    while IFS='|' read -r test complaint rest; do
        case "$test" in '' | '#'*) continue ;; esac
        case "$name" in ${test// /}) left=$(grep -vF -- "$(sed 's/^ *//; s/ *$//' <<<"$complaint")" <<<"$left" || true) ;; esac
    done <"$MACHINE_TESTS/deviations.txt"
    [ -n "$left" ] || sed -i 's/^\[exit 1\]$/[exit 0]/' "$output"
}
