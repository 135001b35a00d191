# devtool bisect: narrows a wrong result down to a tier, to passes of the optimizer, and to one translation.
#
#   devtool bisect [--expect FILE] [OPTIONS...] PROGRAM [ARGUMENTS...]
#
# A run is wrong when its standard output or its status differs from the reference: FILE (what the program prints, and a last line
# "[status N]"), else a run of the intermediate code as the front end made it, on the interpreter. OPTIONS are martlet's own.
# Translations are narrowed by address (-accel tcg,optimize-only=0..ADDRESS), which is the same in every run.

BISECT_TIMEOUT="${BISECT_TIMEOUT:-120}"      # seconds that one run may take

bisect_command() {
    local expectation="" martlet setting wrong="" right
    if [ "${1:-}" = --expect ]; then
        [ $# -ge 2 ] && [ -f "$2" ] || fail "bisect: --expect wants a file"
        expectation=$2
        shift 2
    fi
    [ $# -ge 1 ] || fail "usage: devtool bisect [--expect FILE] [OPTIONS...] PROGRAM [ARGUMENTS...]"
    martlet=$(martlet_binary)
    folder=$(mktemp -d)                      # not local: the trap runs after all functions have returned
    trap 'rm -rf "$folder"' EXIT
    bisect_words=("$@")
    bisect_names=$("$martlet" run -accel tcg,no-pass=help x 2>&1 | sed -n 's/.*wants one of //p' | tr -d , || true)
    [ -n "$bisect_names" ] || fail "bisect: $martlet does not say which passes it has"

    bisect_reference "$expectation"
    say "tiers"
    for setting in tier=interpreter tier=baseline tier=optimizing hot=20,background=off background=off; do
        right=right
        bisect_is_right "$setting" || { right=WRONG; wrong=${wrong:-$setting}; }
        note "$setting: $right"
    done
    if [ -z "$wrong" ]; then
        say "every tier does what the reference does"
        return 0
    fi
    if ! bisect_is_right "$wrong,optimize-only=0x1..0x1"; then
        say "wrong with $wrong even where the optimizer never works: lowering, allocation, or the engine"
        bisect_without_optimizer "$wrong"
        return 1
    fi
    bisect_passes "$wrong" "with $wrong"
    bisect_translation "$wrong"
    return 1
}

# run SETTING [OPTIONS...]: output and status to $folder/out.
bisect_run() {
    local setting=$1 status=0
    shift
    # The shell would tell of a run that a signal ended.
    { timeout "$BISECT_TIMEOUT" "$martlet" run -seed 1 -accel "tcg,cache=off,$setting" "$@" "${bisect_words[@]}" \
        >"$folder/out" </dev/null; } 2>/dev/null || status=$?
    printf '[status %d]\n' $status >>"$folder/out"
}

bisect_is_right() {
    bisect_run "$@"
    cmp -s "$folder/out" "$folder/reference"
}

bisect_reference() {
    if [ -n "$1" ]; then
        cp "$1" "$folder/reference"
        return
    fi
    local plain=tier=interpreter,optimize-only=0x1..0x1
    bisect_run "$plain"
    mv "$folder/out" "$folder/reference"
    bisect_is_right "$plain" || fail "bisect: the program's output differs from run to run: nothing to compare with"
    note "reference: the interpreter without the optimizer, $(tail -1 "$folder/reference")"
}

# Which passes, left out alone, make the result right?
bisect_passes() {
    local pass guilty=""
    say "passes, $2"
    for pass in $bisect_names; do
        if bisect_is_right "$1,no-pass=$pass"; then guilty="$guilty $pass"; fi
    done
    note "right without:${guilty:- no single one}"
}

bisect_without_optimizer() {
    if bisect_is_right "$1" -one-insn-per-tb; then note "right with -one-insn-per-tb: what crosses instructions"; fi
    if bisect_is_right "$1" -d nochain -D /dev/null; then note "right with -d nochain: linking, or invalidation"; fi
    if bisect_is_right "$1" -tb-size 1G; then note "right with -tb-size 1G: flushes"; fi
}

# The lowest address such that optimizing all translations up to it goes wrong; then the highest from which on they must be optimized
# for that: the same one, unless two are needed.
bisect_translation() {
    local setting=$1 heads=() low=0 high middle first last range file pattern
    say "translations"
    case "$setting" in
        *interpreter | *baseline) pattern='^IN: 0x' ;;
        *) pattern='^region 0x' ;;
    esac
    bisect_run "$setting" -d regions,in_asm -D "$folder/log"
    mapfile -t heads < <(sed -n "s/$pattern\([0-9a-f]*\).*/\1/p" "$folder/log" | bisect_sort)
    high=$((${#heads[@]} - 1))
    [ $high -ge 0 ] || fail "bisect: no translation was optimized"
    if bisect_is_right "$setting,optimize-only=0x0..0x${heads[high]}"; then
        fail "bisect: right when asked for all ${#heads[@]} translations by address: not the same from run to run?"
    fi
    while [ $low -lt $high ]; do
        middle=$(((low + high) / 2))
        if bisect_is_right "$setting,optimize-only=0x0..0x${heads[middle]}"; then low=$((middle + 1)); else high=$middle; fi
    done
    last=0x$(sed 's/^0*//' <<<"${heads[high]}")
    low=0
    while [ $low -lt $high ]; do
        middle=$(((low + high + 1) / 2))
        if bisect_is_right "$setting,optimize-only=0x${heads[middle]}..$last"; then high=$((middle - 1)); else low=$middle; fi
    done
    first=0x$(sed 's/^0*//' <<<"${heads[low]}")
    range="$first..$last"
    if [ "$first" = "$last" ]; then
        note "${#heads[@]} translations; the one at $last is wrong"
    else
        note "${#heads[@]} translations; wrong when those at $first and $last are both optimized"
    fi
    bisect_passes "$setting,optimize-only=$range" "in the translations of $range"
    file=${BISECT_LOG:-bisect-$last.log}
    : >"$file"
    bisect_run "$setting,optimize-only=$range" -d in_asm,op,op_opt,out_asm -dfilter "$first..$first,$last..$last" -D "$folder/log"
    # The last translation of an address is the optimized one.
    for first in "$last" "$first"; do
        tac "$folder/log" | sed "/^IN: $first\$/q" | tac >>"$file"
        if [ "$first" = "${range%%..*}" ]; then break; fi
    done
    say "guest code, IR, optimized IR and host code are in $file"
    head -n "${LINES_MAX:-60}" "$file"
}

# Hexadecimal numbers in ascending order, each once.
bisect_sort() { while read -r number; do printf '%16s\n' "$number"; done | tr ' ' 0 | sort -u; }
