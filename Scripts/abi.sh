# devtool abi [ARCH...]: the Linux ABI of an architecture as a text table, Sources/LinuxABI/Tables/ARCH.abi.
#
# Numbers of system calls come from the kernel source's own tables, which also name the entry point: it tells which of
# several flavours a call is. Constants and layouts come from the kernel's UAPI headers, through a probe that a cross
# compiler turns into assembly and that never runs. Both packages are Debian's, for all architectures at once, and are
# fetched by name into the cache. Documentation/LinuxABI.md describes the table.

ABI_TABLES="$REPO/Sources/LinuxABI/Tables"

# One ABI a line: NAME, UAPI folder, compiler's package, compiler, its options, system-call table, the table's ABIs, base.
ABI_ROWS='
alpha       alpha     gcc-alpha-linux-gnu           alpha-linux-gnu-gcc           -                            arch/alpha/kernel/syscalls/syscall.tbl         common                              0
arm         arm       gcc-arm-linux-gnueabihf       arm-linux-gnueabihf-gcc       -                            arch/arm/tools/syscall.tbl                     common,eabi                         0
arm64       arm64     gcc-aarch64-linux-gnu         aarch64-linux-gnu-gcc         -                            scripts/syscall.tbl                            common,64,renameat,rlimit,memfd_secret  0
hppa        parisc    gcc-hppa-linux-gnu            hppa-linux-gnu-gcc            -                            arch/parisc/kernel/syscalls/syscall.tbl        common,32                           0
i386        x86       gcc                           gcc                           -m32                         arch/x86/entry/syscalls/syscall_32.tbl         i386                                0
loongarch64 loongarch gcc-loongarch64-linux-gnu     loongarch64-linux-gnu-gcc     -                            scripts/syscall.tbl                            common,64                           0
m68k        m68k      gcc-m68k-linux-gnu            m68k-linux-gnu-gcc            -                            arch/m68k/kernel/syscalls/syscall.tbl          common                              0
mips        mips      gcc-mips-linux-gnu            mips-linux-gnu-gcc            -mabi=32,-EB                 arch/mips/kernel/syscalls/syscall_o32.tbl      o32                                 4000
mipsel      mips      gcc-mips-linux-gnu            mips-linux-gnu-gcc            -mabi=32,-EL                 arch/mips/kernel/syscalls/syscall_o32.tbl      o32                                 4000
mips64      mips      gcc-mips-linux-gnu            mips-linux-gnu-gcc            -march=mips64r2,-mabi=64,-EB arch/mips/kernel/syscalls/syscall_n64.tbl      n64                                 5000
mips64el    mips      gcc-mips-linux-gnu            mips-linux-gnu-gcc            -march=mips64r2,-mabi=64,-EL arch/mips/kernel/syscalls/syscall_n64.tbl      n64                                 5000
mipsn32     mips      gcc-mips-linux-gnu            mips-linux-gnu-gcc            -march=mips64r2,-mabi=n32,-EB arch/mips/kernel/syscalls/syscall_n32.tbl     n32                                 6000
mipsn32el   mips      gcc-mips-linux-gnu            mips-linux-gnu-gcc            -march=mips64r2,-mabi=n32,-EL arch/mips/kernel/syscalls/syscall_n32.tbl     n32                                 6000
powerpc     powerpc   gcc-powerpc-linux-gnu         powerpc-linux-gnu-gcc         -m32                         arch/powerpc/kernel/syscalls/syscall.tbl       common,nospu,32                     0
ppc64       powerpc   gcc-powerpc64-linux-gnu       powerpc64-linux-gnu-gcc       -m64                         arch/powerpc/kernel/syscalls/syscall.tbl       common,nospu,64                     0
ppc64le     powerpc   gcc-powerpc64le-linux-gnu     powerpc64le-linux-gnu-gcc     -m64                         arch/powerpc/kernel/syscalls/syscall.tbl       common,nospu,64                     0
riscv32     riscv     gcc-riscv64-linux-gnu         riscv64-linux-gnu-gcc         -march=rv32imafdc,-mabi=ilp32d scripts/syscall.tbl                          common,32,riscv,memfd_secret        0
riscv64     riscv     gcc-riscv64-linux-gnu         riscv64-linux-gnu-gcc         -march=rv64imafdc,-mabi=lp64d scripts/syscall.tbl                           common,64,riscv,rlimit,memfd_secret 0
s390x       s390      gcc-s390x-linux-gnu           s390x-linux-gnu-gcc           -                            arch/s390/kernel/syscalls/syscall.tbl          common,64                           0
sh4         sh        gcc-sh4-linux-gnu             sh4-linux-gnu-gcc             -                            arch/sh/kernel/syscalls/syscall.tbl            common                              0
sparc       sparc     gcc-sparc64-linux-gnu         sparc64-linux-gnu-gcc         -m32                         arch/sparc/kernel/syscalls/syscall.tbl         common,32                           0
sparc64     sparc     gcc-sparc64-linux-gnu         sparc64-linux-gnu-gcc         -m64                         arch/sparc/kernel/syscalls/syscall.tbl         common,64                           0
x32         x86       gcc                           gcc                           -mx32                        arch/x86/entry/syscalls/syscall_64.tbl         common,x32                          1073741824
x86_64      x86       gcc                           gcc                           -m64                         arch/x86/entry/syscalls/syscall_64.tbl         common,64                           0
'

# Calls that later kernels have added: the same number everywhere, past the base (alpha counts 110 more).
ABI_NEWER_CALLS='463 setxattrat 464 getxattrat 465 listxattrat 466 removexattrat 467 open_tree_attr 468 file_getattr 469 file_setattr'

abi_command() {
    local output=$ABI_TABLES names=() name update=""
    while [ $# -gt 0 ]; do
        case "$1" in
            --output) [ $# -ge 2 ] || fail "abi: --output needs a folder"; output=$2; shift ;;
            --update) update=yes ;;
            --list) awk 'NF { print $1 }' <<<"$ABI_ROWS"; return ;;
            -*) fail "abi: unknown option '$1': usage: devtool abi [--update] [--output DIR] [ARCH...] | --list" ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    # Without names: what is checked in.
    if [ ${#names[@]} = 0 ]; then
        for name in "$ABI_TABLES"/*.abi; do [ -e "$name" ] && names+=("$(basename "$name" .abi)"); done
    fi
    [ ${#names[@]} != 0 ] || fail "abi: no architecture: ./devtool abi --list names them"
    for name in "${names[@]}"; do
        [ -n "$(abi_row "$name")" ] || fail "abi: no architecture '$name': ./devtool abi --list names them"
    done
    local work
    work=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    [ -z "$update" ] || rm -rf "$CACHE/abi"
    abi_sources
    for name in "${names[@]}"; do
        mkdir "$work/$name"
        abi_table "$name" "$work/$name"
    done
    mkdir -p "$output"
    for name in "${names[@]}"; do
        cp "$work/$name/table" "$output/$name.abi.new"
        mv "$output/$name.abi.new" "$output/$name.abi"
        note "$output/$name.abi: $(abi_summary <"$output/$name.abi")"
    done
}

abi_row() { awk -v name="$1" '$1 == name' <<<"$ABI_ROWS"; }

# Counts what a table has.
abi_summary() {
    awk '{ n[$1]++ } END { printf "%d calls, %d errors, %d signals, %d flags, %d values, %d ioctls, %d structures\n",
        n["call"], n["errno"], n["signal"], n["bits"], n["value"], n["ioctl"], n["struct"] }'
}

# The headers and system-call tables of the kernel, unpacked once into $CACHE/abi.
abi_sources() {
    local dir=$CACHE/abi arch package deb
    [ -f "$dir/release" ] && return
    have dpkg-deb || fail "abi: no dpkg-deb: this needs a Debian system"
    arch=$(dpkg --print-architecture)
    rm -rf "$dir" && mkdir -p "$dir/new"
    for package in linux-libc-dev "linux-source-$GUEST_KERNEL"; do
        say "fetching $package of Debian $GUEST_RELEASE"
        # In a subshell, so that a failed download ends in the one line below.
        deb=$(fetch_alone "$arch" "$package" 2>"$dir/log") && [ -f "$deb" ] ||
            fail "abi: $package of Debian $GUEST_RELEASE cannot be fetched: $(tail -1 "$dir/log")"
        case "$package" in
            linux-libc-dev)
                dpkg-deb -x "$deb" "$dir/new"
                dpkg-deb -f "$deb" Version >"$dir/new/release" ;;
            *)
                kernel_source "$deb" | tar -x --wildcards --strip-components=1 -C "$dir/new" -f - '*/syscall*.tbl' ;;
        esac
    done
    mv "$dir/new"/* "$dir/"
    rmdir "$dir/new"
}

# abi_table NAME WORK: writes WORK/table.
abi_table() {
    local name=$1 work=$2 uapi package compiler options table abis base order align
    read -r name uapi package compiler options table abis base <<<"$(abi_row "$name")"
    [ -d "$CACHE/abi/usr/lib/linux/uapi/$uapi" ] || fail "abi: $name: linux-libc-dev has no headers for $uapi"
    [ -f "$CACHE/abi/$table" ] || fail "abi: $name: the kernel source has no $table"
    have "$compiler" || fail "abi: $name: no $compiler: install the package $package"
    local flags=(-O1 -w -nostdinc -ffreestanding -fno-pic -fmax-errors=0
        -isystem "$CACHE/abi/usr/lib/linux/uapi/$uapi" -isystem "$CACHE/abi/usr/include")
    local more
    # What a few headers want of the C library.
    mkdir -p "$work/include/sys"
    printf '#include <linux/time.h>\n' >"$work/include/sys/time.h"
    : >"$work/include/sys/ioctl.h"
    : >"$work/include/sys/types.h"
    : >"$work/include/unistd.h"
    printf 'struct sockaddr { unsigned short sa_family; char sa_data[14]; };\n' >"$work/include/sys/socket.h"
    flags+=(-isystem "$work/include" -isystem "$("$compiler" -print-file-name=include)")
    [ "$options" = - ] || { IFS=, read -ra more <<<"$options"; flags+=("${more[@]}"); }
    abi_probe "$work" "$compiler" "${flags[@]}"
    {
        printf '# Written by ./devtool abi from the headers and tables of Linux: Documentation/LinuxABI.md.\n'
        printf 'abi %s\nkernel %s\n' "$name" "$(cat "$CACHE/abi/release")"
        awk '$1 == "target" { print $2, ($2 == "order") ? ($3 ? "big" : "little") : $3 }' "$work/values"
        abi_calls "$CACHE/abi/$table" "$abis" "$base"
        abi_constants <"$work/values"
        abi_structures "$work/values" "$REPO/Scripts/abi/structs"
    } >"$work/table.new"
    mv "$work/table.new" "$work/table"
}

# abi_calls TABLE ABIS BASE: "call NUMBER NAME [ENTRY]": the entry point where it is not sys_NAME.
abi_calls() {
    awk -v abis="$2" -v base="$3" -v newer="$ABI_NEWER_CALLS" '
        BEGIN { n = split(abis, list, ","); for (i = 1; i <= n; i++) wanted[list[i]] = 1 }
        /^[0-9]/ && ($2 in wanted) && $3 !~ /^(unused|reserved)/ {
            # sparc64 has rows of its own beside the common ones.
            entry = $4 == "" || $4 == "-" ? "sys_ni_syscall" : $4
            number = $1 + base; has[$3] = 1
            if ($3 == "mseal") step = $1 - 462
            row[number] = "call " number " " $3 (entry == "sys_" $3 ? "" : " " entry)
            if (number > last) last = number
        }
        END {
            n = split(newer, list, " ")
            for (i = 1; i < n; i += 2) if (!(list[i + 1] in has)) {
                number = list[i] + step + base
                row[number] = "call " number " " list[i + 1]
                if (number > last) last = number
            }
            for (i = base; i <= last; i++) if (i in row) print row[i]
        }' "$1"
}

# abi_probe WORK COMPILER FLAGS...: writes WORK/values: "KIND SET NAME VALUE", "size STRUCT N", "field STRUCT NAME OFFSET SIZE SIGN".
abi_probe() {
    local work=$1 kind set headers pattern except pass bad
    shift
    : >"$work/names"
    while read -r kind set headers pattern except; do
        case "$kind" in '' | '#'*) continue ;; esac
        printf '#include <%s>\n' "linux/types.h" "$headers" | "$@" -E -dM - >"$work/macros" 2>"$work/errors" ||
            fail "abi: $headers cannot be read: $(grep -m1 error "$work/errors")"
        awk -v kind="$kind" -v set="$set" -v pattern="^($pattern)\$" -v except="^($except)\$" '
            $1 == "#define" && $2 ~ pattern && $2 !~ except && NF > 2 {
                body = $0; sub(/^#define [^ ]+ /, "", body)
                if (kind == "ioctl" && body !~ /_IO[A-Z_]*\(|^\(?0x[0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]|^\(?SIOC|^\(?TIOC|^\(?FI/ &&
                    body !~ /^\([a-zA-Z_]*\|/ && body !~ /tIOC|\047/) next
                if (body ~ /"/ || seen[$2]++) next
                print kind, set, $2
            }' "$work/macros" | sort >>"$work/names"
    done <"$REPO/Scripts/abi/sets"
    {
        printf '#include <stddef.h>\n#include "%s"\n' "$REPO/Scripts/abi/probe.h"
        # Written out, without macros, because an error in a macro names the macro's line. A function each, because an
        # unknown identifier is named once for each function.
        {
            printf 'V\ttarget word\tsizeof(long)\n'
            printf 'V\ttarget order\t__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__\n'
            printf 'V\ttarget align\t__builtin_offsetof(struct { char c; unsigned long long v; }, v)\n'
            awk '!seen[$1 == "ioctl" ? $3 : $2 "." $3]++ {
                printf "V\t%s %s %s\t%s\n", $1, $2, $3, $3
                if ($1 == "ioctl") {
                    number = "((unsigned)" $3 ")"
                    printf "V\tdirection %s %s\t(_IOC_DIR(%s) & _IOC_WRITE ? 1 : 0) + (_IOC_DIR(%s) & _IOC_READ ? 2 : 0)\n", $2, $3, number, number
                    printf "V\tbytes %s %s\t_IOC_SIZE(%s)\n", $2, $3, number
                }
            }' "$work/names"
            awk '/^[a-z]/ {
                split($0, part, / = |: /); name = part[1]; type = part[2]
                printf "V\tsize %s\tsizeof(%s)\n", name, type
                n = split(part[3], field, " ")
                for (i = 1; i <= n; i++) {
                    kind = field[i]; sub(/^[^=*^#!?]*/, "", kind); sub(/[=*^#!?]$/, "", field[i])
                    m = split(field[i], choice, "|")
                    for (j = 1; j <= m; j++)
                        printf "F\t%s %s\t%s\t%s\t%s\n", name, choice[j], type, choice[j], kind !~ /^[=*^#]$/
                }
            }' "$REPO/Scripts/abi/structs"
        } | awk -F '\t' '
            $1 == "V" { printf "void p%d(void) { asm volatile(\"\\n@@ %s %%0\" :: \"i\"(%s)); }\n", NR, $2, $3 }
            $1 == "F" {
                member = "((" $3 " *)0)->" $4
                sign = $5 ? "((__typeof__(" member "))-1 < 1)" : "0"
                printf "void p%d(void) { asm volatile(\"\\n@@ field %s %%0 %%1 %%2\" :: \"i\"(__builtin_offsetof(%s, %s)), \"i\"(sizeof(%s)), \"i\"(%s)); }\n",
                    NR, $2, $3, $4, member, sign
            }'
    } >"$work/probe.c"
    # A macro that is no constant, a structure or a field that the ABI does not have: an error names its line, which goes.
    for pass in 1 2 3 4 5 6; do
        if LC_ALL=C "$@" -S -o "$work/probe.s" "$work/probe.c" 2>"$work/errors"; then
            sed -n 's/^@@ //p' "$work/probe.s" | awk '{
                for (i = $1 == "size" || $1 == "target" ? 3 : 4; i <= NF; i++) sub(/^[^-0-9]+/, "", $i); print }' >"$work/values"
            return
        fi
        if grep -q "error:" "$work/errors" && bad=$(grep 'error:' "$work/errors" | grep -v "^$work/probe.c:"); then
            fail "abi: the headers do not compile: ${bad%%$'\n'*}"
        fi
        bad=$(sed -n "s,^$work/probe.c:\([0-9]*\):.*error:.*,\1d,p" "$work/errors" | sort -u)
        [ -n "$bad" ] || fail "abi: the probe does not compile: $(head -1 "$work/errors")"
        sed -i -f - "$work/probe.c" <<<"$bad"
    done
    fail "abi: the probe does not compile: $(grep -m1 error: "$work/errors")"
}

# From values to the rows of constants, by set and value.
abi_constants() {
    awk '
        function hex(v) { return sprintf("0x%x", v) }
        function unsigned(v) { return v < 0 ? v + 4294967296 : v }
        $1 == "errno" || $1 == "signal" { if ($4 >= 0) print $1, $3, $4, "\t" (($1 == "errno") ? 1 : 2), 0, $4 }
        $1 == "bits" { v = unsigned($4); print $1, $2, $3, hex(v), "\t" 3, $2, v }
        $1 == "value" { print $1, $2, $3, $4, "\t" 4, $2, $4 }
        $1 == "direction" { direction[$3] = $4 }
        $1 == "bytes" { bytes[$3] = $4 }
        $1 == "ioctl" { if (!($3 in number)) order[++count] = $3; number[$3] = unsigned($4) }
        END {
            split("none in out both", word, " ")
            for (i = 1; i <= count; i++) {
                name = order[i]; d = direction[name]
                # Numbers that say neither are of the time before they could.
                print "ioctl", name, hex(number[name]), (d == 0 || bytes[name] == 0) ? "-" : word[d + 1], bytes[name], "\t" 5, 0, number[name]
            }
        }' | sort -s -t "$(printf '\t')" -k2 | awk -F '\t' '{ print $1, "\t" $2 }' |
        LC_ALL=C sort -s -t "$(printf '\t')" -k2,2 -V | sed 's/ *\t.*//'
}

# abi_structures VALUES STRUCTS: "struct NAME SIZE (FIELD OFFSET BYTES KIND)...".
abi_structures() {
    awk '
        NR == FNR {
            if ($1 == "size") size[$2] = $3
            if ($1 == "field") { at[$2, $3] = $4; bytes[$2, $3] = $5; sign[$2, $3] = $6 }
            next
        }
        /^[a-z]/ {
            split($0, part, / = |: /); name = part[1]
            if (!(name in size)) { print "struct", name, "-"; next }
            line = "struct " name " " size[name]
            n = split(part[3], field, " ")
            for (i = 1; i <= n; i++) {
                kind = field[i]; sub(/^[^=*^#!?]*/, "", kind); sub(/[=*^#!?]$/, "", field[i])
                m = split(field[i], choice, "|"); found = ""
                for (j = m; j >= 1; j--) if ((name, choice[j]) in at) found = choice[j]
                if (found == "") { line = line " " choice[1] " - - -"; continue }
                letter = sign[name, found] ? "s" : "u"
                if (kind == "!") letter = toupper(letter)
                if (kind == "?") letter = "W"
                if (kind == "=") letter = "r"
                if (kind == "*") letter = "p"
                if (kind == "^") letter = "g"
                if (kind == "#") letter = "o"
                line = line " " choice[1] " " at[name, found] " " bytes[name, found] " " letter
            }
            print line
        }' "$1" "$2"
}
