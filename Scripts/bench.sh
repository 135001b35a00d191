# devtool bench [--html FILE] [NAME...]: native, qemu-user and martlet side by side, in one table; --html draws it, with earlier runs
# (bench-page.sh). Benchmarks/README.md says how and why.
#
# A row is measured RUNS times in turn (native, qemu, martlet, native, ...), after one run of each that is checked, not
# timed: all outputs must equal the native one's. A variant that does not run prints "-", a wrong output prints WRONG.

KERNELS_INTEGER=(sieve crc sort matrix interp calls chase strings)
KERNELS_FLOAT=(nbody mandel fft lu)
KERNEL_FLAGS=(-O2 -ffp-contract=off -static)

bench_command() {
    if [ "${1:-}" = system ]; then
        shift
        bench_system_command "$@"
        return
    fi
    if [ "${1:-}" = image ]; then
        shift
        bench_image_command "$@"
        return
    fi
    local page=""
    if [ "${1:-}" = --html ]; then
        page=${2:-}
        [ -n "$page" ] || fail "bench: --html needs a file: ./devtool bench --html FILE [NAMES...]"
        shift 2
    fi
    RUNS=${RUNS:-3}
    BENCH="$REPO/.build/bench"
    GUEST_ROOT=${GUEST_ROOT:-$CACHE/root-riscv64}
    NATIVE_ROOT=${NATIVE_ROOT:-$CACHE/root-amd64}
    local wanted=("$@")
    mkdir -p "$BENCH"
    MARTLET=$(installed_martlet "$(martlet_binary)")
    QEMU=${QEMU:-$(qemu_user)}
    prepare_bench
    : >"$BENCH/rows"
    say "$RUNS runs of each row; $(bench_host)"
    note "qemu-user: $([ -n "$QEMU" ] && "$QEMU" --version | head -1 || echo 'not installed')"
    note "martlet:   $MARTLET"
    table_head
    local name kind line
    for name in "${KERNELS_INTEGER[@]}"; do bench_row integer "$name" kernel "@kernels $name" "${wanted[@]}"; done
    for name in "${KERNELS_FLOAT[@]}"; do bench_row float "$name" kernel "@kernels $name" "${wanted[@]}"; done
    while IFS='|' read -r name kind line; do
        case "$name" in '' | '#'* | ' '*) continue ;; esac
        bench_row apps "$name" "$kind" "$line" "${wanted[@]}"
    done <"$REPO/Benchmarks/apps.txt"
    bench_row startup true startup "@/usr/bin/true" "${wanted[@]}"
    table_end
    translation_cost
    keep_rows
    if [ -n "$page" ]; then
        bench_page >"$page.new"
        mv "$page.new" "$page"
        note "drawn in $page"
    fi
}

# installed_martlet FILE: prints the path of a copy. What a linker writes lies in small pieces in the kernel's cache, a copy, as an installed
# file, in large ones, which a start maps with 280 page faults less.
installed_martlet() {
    [ "$BENCH/martlet" -nt "$1" ] || { cp "$1" "$BENCH/martlet.new" && mv "$BENCH/martlet.new" "$BENCH/martlet"; }
    printf '%s' "$BENCH/martlet"
}

# Rows of this run stay, for pages of later ones: rows/TIME, with a line that says what was measured.
keep_rows() {
    mkdir -p "$BENCH/history"
    {
        printf '# %s %s\n' "$(date -u +%Y-%m-%dT%H:%M)" "$(git -C "$REPO" rev-parse --short HEAD 2>/dev/null || echo unknown)"
        cat "$BENCH/rows"
    } >"$BENCH/history/$(date +%s)"
}

bench_host() {
    printf '%s, %s processors, kernel %s' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)" "$(nproc)" "$(uname -r)"
}

# The kernels as the guest's program.
guest_kernels() {
    local source="$REPO/Benchmarks/kernels.c"
    [ "$BENCH/kernels.guest" -nt "$source" ] || "$GUEST_CC" "${KERNEL_FLAGS[@]}" -o "$BENCH/kernels.guest" "$source" -lm
}

# The kernels by two compilers of one version, the two roots, the measuring tool.
prepare_bench() {
    need gcc libc6-dev gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    local major native=gcc source="$REPO/Benchmarks/kernels.c"
    major=$("$GUEST_CC" -dumpversion | cut -d. -f1)
    if [ "$(gcc -dumpversion | cut -d. -f1)" != "$major" ]; then
        native=gcc-$major
        have "$native" || need "gcc-$major"
    fi
    "$native" -O2 -o "$BENCH/measure" "$REPO/Benchmarks/measure.c"
    [ "$BENCH/kernels.native" -nt "$source" ] || "$native" "${KERNEL_FLAGS[@]}" -o "$BENCH/kernels.native" "$source" -lm
    guest_kernels
    [ -e "$GUEST_ROOT/var/lib/martlet-root" ] || make_root riscv64 "$GUEST_ROOT" "${ROOT_PACKAGES[@]}"
    [ -e "$NATIVE_ROOT/var/lib/martlet-root" ] || make_root amd64 "$NATIVE_ROOT" "${ROOT_PACKAGES[@]}"
    mkdir -p "$NATIVE_ROOT/apps" "$GUEST_ROOT/apps"
    cp "$REPO"/Benchmarks/apps/* "$NATIVE_ROOT/apps/"
    cp "$REPO"/Benchmarks/apps/* "$GUEST_ROOT/apps/"
    QEMU_TREES=yes
    if ! by_kernel true 2>/dev/null; then
        QEMU_TREES=
        note "qemu runs no rows of several processes: the kernel has no binfmt_misc for user namespaces (Linux 6.7)"
    fi
    NATIVE_APPS=yes
    if ! "$BENCH/measure" -r "$NATIVE_ROOT" /bin/true >/dev/null 2>&1; then
        NATIVE_APPS=
        note "native apps are left out: this user may not enter a root folder (needs root or user namespaces)"
    fi
}

# by_kernel COMMAND...: with a binfmt_misc of its own, by which the kernel runs riscv64 programs by qemu. The host's stays as it is.
by_kernel() {
    local line
    line=$("$MARTLET" binfmt --print riscv64 --interpreter "$QEMU" --flags OCF)
    # shellcheck disable=SC2016
    unshare --user --map-root-user --mount sh -c '
        mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf %s "$1" >/proc/sys/fs/binfmt_misc/register && shift && exec "$@"
    ' sh "$line" "$@"
}

# run_variant VARIANT KIND COMMAND OUTPUT: prints "microseconds kilobytes status", or "-" where the variant cannot run it.
run_variant() {
    local variant=$1 kind=$2 command=$3 output=$4 emulator=() root=$GUEST_ROOT side=guest
    case "$variant" in
        native) root=$NATIVE_ROOT side=native ;;
        qemu) [ -n "$QEMU" ] || { echo -; return; }
            # Children of an emulated program need binfmt_misc, and a root of their own.
            if [ "$kind" = tree ]; then root=$GUEST_ROOT; [ -n "$QEMU_TREES" ] || { echo -; return; }; fi
            emulator=("$QEMU" -L "$GUEST_ROOT") ;;
        martlet) emulator=("$MARTLET" -L "$GUEST_ROOT") ;;
    esac
    export PYTHONDONTWRITEBYTECODE= LC_ALL=C
    command=$(app_command $side "$command")
    case "$kind.$variant" in
        kernel.native) "$BENCH/measure" -o "$output" "$BENCH/kernels.native" ${command#@kernels } ;;
        kernel.*) "$BENCH/measure" -o "$output" "${emulator[@]}" "$BENCH/kernels.guest" ${command#@kernels } ;;
        startup.native) [ -n "$NATIVE_APPS" ] || { echo -; return; }
            "$BENCH/measure" -n 21 -r "$root" -o "$output" "${command#@}" ;;
        startup.*) "$BENCH/measure" -n 21 -o "$output" "${emulator[@]}" "$root${command#@}" ;;
        tree.qemu) by_kernel "$BENCH/measure" -r "$root" -d /apps -o "$output" /bin/sh -c "${command//@/}" ;;
        *.native) [ -n "$NATIVE_APPS" ] || { echo -; return; }
            "$BENCH/measure" -r "$root" -d /apps -o "$output" /bin/sh -c "${command//@/}" ;;
        *) "$BENCH/measure" -d "$REPO/Benchmarks/apps" -o "$output" /bin/sh -c "${command//@/${emulator[*]} $root}" ;;
    esac 2>>"$BENCH/errors" || echo -
}

# bench_row GROUP NAME KIND COMMAND [WANTED...]
bench_row() {
    local group=$1 name=$2 kind=$3 command=$4 variant run result word
    shift 4
    if [ $# -gt 0 ]; then
        local found=
        for word in "$@"; do
            case "$word" in "$name" | "$group" | "$kind"s) found=yes ;; kernels) [ "$kind" != kernel ] || found=yes ;; esac
        done
        [ -n "$found" ] || return 0
    fi
    local file="$BENCH/row.$name"
    : >"$file"
    # The checked run: status 0 and the native output (where there is one, else the other emulator's).
    local reference="" state=()
    for variant in native qemu martlet; do
        rm -f "$BENCH/out.$variant"
        result=$(run_variant "$variant" "$kind" "$command" "$BENCH/out.$variant")
        if [ "$result" = - ]; then state+=(absent); continue; fi
        if [ "${result##* }" != 0 ]; then state+=(failed)
        elif [ -z "$reference" ]; then reference="$BENCH/out.$variant"; state+=(good)
        elif cmp -s "$reference" "$BENCH/out.$variant"; then state+=(good)
        else state+=(wrong); fi
    done
    for ((run = 0; run < RUNS; run++)); do
        local index=0
        for variant in native qemu martlet; do
            if [ "${state[$index]}" = good ]; then
                result=$(run_variant "$variant" "$kind" "$command" /dev/null)
                printf '%s %s\n' "$variant" "$result" >>"$file"
            fi
            index=$((index + 1))
        done
    done
    awk -v group="$group" -v name="$name" -v states="${state[*]}" '
        { t[$1, ++n[$1]] = $2; if ($3 > m[$1]) m[$1] = $3; if ($4 != 0) bad[$1] = 1 }
        function median(v,   i, j, x, a) {
            for (i = 1; i <= n[v]; i++) a[i] = t[v, i]
            for (i = 2; i <= n[v]; i++) { x = a[i]; for (j = i - 1; j > 0 && a[j] > x; j--) a[j + 1] = a[j]; a[j + 1] = x }
            return n[v] % 2 ? a[(n[v] + 1) / 2] : (a[n[v] / 2] + a[n[v] / 2 + 1]) / 2
        }
        END {
            split(states, s, " "); split("native qemu martlet", v, " ")
            printf "%s %s", group, name
            for (i = 1; i <= 3; i++)
                if (s[i] == "good" && !bad[v[i]]) printf " %d %d", median(v[i]), m[v[i]]
                else printf " %s -", s[i] == "absent" ? "-" : s[i] == "wrong" ? "WRONG" : "FAILED"
            printf "\n"
        }' "$file" | tee -a "$BENCH/rows" | table_row
}

table_head() {
    printf '%-10s %10s %10s %10s  %12s %14s  %22s\n' row native qemu martlet qemu/native martlet/native 'peak MB (n, q, m)'
}
table_row() {
    awk 'function ms(x) { return x ~ /^[0-9]+$/ ? sprintf(x < 100000 ? "%.2f ms" : "%.0f ms", x / 1000) : x }
        function ratio(a, b) { return a ~ /^[0-9]+$/ && b ~ /^[0-9]+$/ && b > 0 ? sprintf("%.2f", a / b) : "-" }
        function mb(x) { return x ~ /^[0-9]+$/ ? sprintf("%.1f", x / 1024) : "-" }
        { printf "%-10s %10s %10s %10s  %12s %14s  %7s %6s %7s\n", $2, ms($3), ms($5), ms($7), ratio($5, $3), ratio($7, $3), mb($4), mb($6), mb($8) }'
}

# Geometric means of the ratios, group by group, and how many rows each is of.
table_end() {
    awk 'function add(k, a, b) { if (a ~ /^[0-9]+$/ && b ~ /^[0-9]+$/ && b > 0) { sum[k] += log(a / b); count[k]++ } }
        { add($1 " q", $5, $3); add($1 " m", $7, $3); if ($7 ~ /[A-Z]/) bad++; seen[$1] = 1
          if ($7 ~ /^[0-9]+$/ && $5 ~ /^[0-9]+$/ && $7 > $5) slower = slower " " $2 }
        function mean(k) { return count[k] ? sprintf("%.2f (%d rows)", exp(sum[k] / count[k]), count[k]) : "-" }
        END {
            printf "\ngeometric means, times native\n"
            n = split("integer float apps startup", g, " "); split("integer kernels,FP kernels,apps,start-up", title, ",")
            for (i = 1; i <= n; i++) if (seen[g[i]]) printf "  %-16s qemu %-18s martlet %s\n", title[i], mean(g[i] " q"), mean(g[i] " m")
            printf "rows where martlet is slower than qemu:%s\n", slower == "" ? " none" : slower
            printf "rows with a wrong or failed result: %d\n", bad
        }' "$BENCH/rows"
}

# Translation cost, when this martlet prints counters (a line "translation: N guest instructions, M ns").
translation_cost() {
    local line
    line=$(MARTLET_STATS=1 MARTLET_ACCEL=tcg,cache=off "$MARTLET" -L "$GUEST_ROOT" "$GUEST_ROOT/usr/bin/python3" -c pass 2>&1 >/dev/null |
        grep -m1 '^translation:' || true)
    printf 'translation cost: %s\n' "${line:-absent (this martlet prints no counters)}"
}
