# devtool bench system [ROW...]: the same work in a machine of martlet's and in one of qemu-system's, in turn, in one table.
#
# Each machine boots Debian's kernel into Benchmarks/system.sh, which does the rows and says how long they took by the guest's clock; how
# long they took outside is when their lines came. Both machines must print the same. RUNS boots of each (default 1); the least counts.
# The row boot is a machine's first boot, with nothing kept on disk, and again its second one. BENCH_OPTIONS are more options for both
# machines, such as '-smp 2'. A row of Benchmarks/apps.txt that is named runs in a tree of the same packages, which the kernel unpacks as a
# second archive, in a machine with 2 GiB. SYSTEM_SCALES says how much work a row is.

SYSTEM_ROWS=(loop sum pack forks "${KERNELS_INTEGER[@]}" "${KERNELS_FLOAT[@]}")
SYSTEM_APPS=(orbits queens tables compile fork)

# ROW AMOUNT, where a machine does less or more than the program alone: for a kernel its scale, with which it takes QEMU three to six
# seconds; for `compile` how many of the functions of compile.c there are.
SYSTEM_SCALES='
sieve    .4
crc      12
sort     2
matrix   2
interp   2
calls    3
chase    .4
strings  1
nbody    .6
mandel   1.5
fft      .6
lu       1
compile  100
'

# What the table says of a row; 1 where it says nothing.
system_scale() { awk -v row="$1" '$1 == row { print $2; found = 1 } END { if (!found) print 1 }' <<<"$SYSTEM_SCALES"; }

bench_system_command() {
    RUNS=${RUNS:-1}
    BENCH="$REPO/.build/bench"
    local rows=("$@") run name which martlet
    [ ${#rows[@]} -gt 0 ] || rows=("${SYSTEM_ROWS[@]}")
    [ "${rows[*]}" != apps ] || rows=("${SYSTEM_APPS[@]}")
    mkdir -p "$BENCH"
    need gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    guest_kernels
    guest_payloads
    qemu_system >/dev/null
    if [ -n "${MARTLET_SYSTEM:-}" ]; then martlet=("$MARTLET_SYSTEM" riscv64); else martlet=("$(martlet_binary)" system riscv64); fi
    BENCH_MEMORY=512M
    bench_initrd >"$BENCH/system.initrd"
    if bench_has_apps "${rows[@]}"; then
        BENCH_MEMORY=2G
        bench_apps >>"$BENCH/system.initrd"
    fi
    : >"$BENCH/system.rows"
    say "$RUNS boots of each machine; $(bench_host)"
    for ((run = 1; run <= RUNS; run++)); do
        for which in martlet qemu; do
            if [ $which = martlet ]; then set -- "${martlet[@]}"; else set -- "$PAYLOADS/qemu-system-riscv64"; fi
            rm -rf "$BENCH/system.cache"
            bench_boot "$which" boot "$(for name in "${rows[@]}"; do printf '%s:%s,' "$name" "$(system_scale "$name")"; done)" "$@"
            bench_boot "$which" again none "$@"
        done
    done
    rm -rf "$BENCH/system.cache"
    bench_system_table
}

# The kernel takes archives one after the other: what the shell's has, and the work.
bench_initrd() {
    local entries=1000
    cat "$PAYLOADS/initrd"
    {
        newc_entry bench 0100755 "$REPO/Benchmarks/system.sh"
        newc_entry kernels 0100755 "$BENCH/kernels.guest"
        newc_entry TRAILER!!! 0 /dev/null
    } | gzip -9n
}

# True if one of the rows is a row of apps.txt.
bench_has_apps() {
    local row
    for row in "$@"; do ! is_kernel "$row" && grep -q "^$row|" "$REPO/Benchmarks/apps.txt" && return 0; done
    return 1
}

# A row with a kernel's name is the kernel.
is_kernel() { case " ${KERNELS_INTEGER[*]} ${KERNELS_FLOAT[*]} " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# The tree of `devtool bench`, without what is there to be read, as the folder tree, and a script for each row of apps.txt.
bench_apps() {
    local root=${GUEST_ROOT:-$CACHE/root-riscv64} folder entries=0 name kind line
    need cpio
    [ -e "$root/var/lib/martlet-root" ] || make_root riscv64 "$root" "${ROOT_PACKAGES[@]}" >&2
    folder=$(mktemp -d)
    ln -s "$root" "$folder/tree"
    (cd "$folder" && find tree/ \( -path '*/usr/share/doc' -o -path '*/usr/share/man' -o -path '*/usr/share/locale' \) -prune -o -print0 |
        cpio -0 -o -H newc --quiet) | gzip -1n
    {
        newc_entry tree/apps 040755 /dev/null
        while IFS='|' read -r name kind line; do
            case "$name" in '' | '#'* | ' '*) continue ;; esac
            ! is_kernel "$name" || continue
            printf 'cd /apps\n%s\n' "$(app_command guest "${line//@/}")" >"$folder/line"
            newc_entry "tree/apps/$name.sh" 0100755 "$folder/line"
        done <"$REPO/Benchmarks/apps.txt"
        cp -r "$REPO/Benchmarks/apps" "$folder/"
        first_functions "$(system_scale compile)" <"$REPO/Benchmarks/apps/compile.c" >"$folder/apps/compile.c"
        for line in "$folder"/apps/*; do newc_entry "tree/apps/$(basename "$line")" 0100644 "$line"; done
        newc_entry TRAILER!!! 0 /dev/null
    } | gzip -9n
    rm -rf "$folder"
}

# first_functions N: of a source whose functions are f0, f1 and so on and are all called by the last one, what the first N need.
first_functions() {
    awk -v n="$1" '
        match($0, /[ (]f[0-9]+\(/) { number = substr($0, RSTART + 2) + 0 }
        /^static uint64_t f[0-9]+\(/ { skip = number >= n }
        /^uint64_t / { skip = 0 }
        /^    s [+]= f[0-9]+\(/ && number >= n { next }
        !skip'
}

# bench_boot WHICH BOOT ROWS COMMAND...: one boot; its rows into system.rows: WHICH ROW INSIDE OUTSIDE SUM. The row BOOT ends with the first
# line.
bench_boot() {
    local which=$1 boot=$2 rows=$3 word name start end sum before now
    shift 3
    before=$EPOCHREALTIME
    while read -r word name start end sum; do
        now=$EPOCHREALTIME
        word=${word%$'\r'}
        case "$word" in
            ready) awk -v b="$before" -v n="$now" 'BEGIN { printf "'"$which $boot"' %.2f %.2f -\n", n - b, n - b }' >>"$BENCH/system.rows" ;;
            row)
                awk -v w="$which" -v r="$name" -v s="$start" -v e="$end" -v b="$before" -v n="$now" -v sum="${sum%$'\r'}" \
                    'BEGIN { printf "%s %s %.2f %.2f %s\n", w, r, e - s, n - b, sum }' >>"$BENCH/system.rows" ;;
            *) continue ;;
        esac
        before=$now
    done < <(MARTLET_CACHE_DIR="$BENCH/system.cache" timeout --foreground --kill-after=5 "${LIMIT:-900}" "$@" -M virt -nographic -m "$BENCH_MEMORY" -bios "$PAYLOADS/firmware64.bin" \
        -kernel "$PAYLOADS/kernel" -initrd "$BENCH/system.initrd" \
        -append "console=ttyS0 quiet rdinit=/bench rows=$rows" ${BENCH_OPTIONS:-} </dev/null 2>&1)
}

bench_system_table() {
    awk '
        { key = $1 " " $2; if (!($2 in seen)) { seen[$2] = 1; order[++n] = $2 }
          if (!(key in inside) || $3 < inside[key]) { inside[key] = $3; outside[key] = $4 }
          if ($5 != "-") { if ($2 in sum && sum[$2] != $5) wrong[$2] = 1; sum[$2] = $5 } }
        END {
            printf "%-8s %10s %10s %8s %10s %10s %8s\n", "row", "martlet s", "qemu s", "times", "outside", "outside", "times"
            for (i = 1; i <= n; i++) {
                r = order[i]; m = "martlet " r; q = "qemu " r
                if (!(m in inside) || !(q in inside)) { printf "%-8s -\n", r; continue }
                printf "%-8s %10.2f %10.2f %8.2f %10.2f %10.2f %8.2f%s\n", r, inside[m], inside[q], inside[q] / (inside[m] > 0 ? inside[m] : 0.01),
                    outside[m], outside[q], outside[q] / outside[m], r in wrong ? "  WRONG" : ""
            }
        }' "$BENCH/system.rows"
}
