# The guest test programs of Tests/Guest: built by Debian's cross compiler into $GUEST_BUILD, listed in a manifest that
# the Swift tests read. What a program needs is said in its own comments, one directive a line:
#
#   // cflags: ...     more compiler flags          // libs: ...    libraries, after the sources
#   // link: dynamic | static-pie                   // args: ...    arguments, quoted as for a shell
#   // oracle: none. why                            its expectation is written by hand, `bless` leaves it alone
#   // guests: riscv32 moxie                        it is built for riscv32 too, and kept as a file for moxie, with -O0 and with -O2
#   // guests: riscv32-O0                           only so: with -O2 the compiler takes minutes
#
# Programs in compared/ are built for the host too: what they print there is what they must print.
#
# The expectation of the others, NAME.expected beside the source, is the program's standard output and a last line "[exit N]" or
# "[signal N]". What another guest prints by right is in NAME.GUEST.expected. Programs in fatal/ end by the signal that their name
# begins with and need no file.

GUEST_SOURCES="$REPO/Tests/Guest"

directive() { sed -n "s,^// $2: ,,p" "$1"; }

build_guest() {
    have "$GUEST_CC" || fail "no $GUEST_CC: run ./devtool test, which installs it"
    local source name output flags jobs=0 failed=0 manifest="$GUEST_BUILD/manifest" prefix header
    header=$(ls -t "$GUEST_SOURCES"/*/*.h | sed -n 1p)  # the one that changed last
    prefix=$("$GUEST_CC" -print-sysroot)
    [ -n "$prefix" ] && [ "$prefix" != / ] && [ -e "$prefix/lib" ] || prefix=/usr/riscv64-linux-gnu
    mkdir -p "$GUEST_BUILD"/{asm,c,fatal,compared,riscv32}
    rm -f "$GUEST_BUILD"/*/*.failed
    : >"$manifest.new"
    for source in "$GUEST_SOURCES"/asm/*.S "$GUEST_SOURCES"/{c,fatal,compared}/*.c; do
        name=${source#"$GUEST_SOURCES"/}
        name=${name%.*}
        output="$GUEST_BUILD/$name"
        guest_row "$source" "$name" "$prefix" >>"$manifest.new"
        if [ "$output" -nt "$source" ] && [ "$output" -nt "$header" ]; then continue; fi
        { compile_guest "$source" "$output" || : >"$output.failed"; } &
        jobs=$((jobs + 1))
        if [ $((jobs % JOBS)) = 0 ]; then wait; fi
    done
    wait
    build_riscv32 "$header"
    copy_moxie
    for output in "$GUEST_BUILD"/*/*.failed; do
        if [ -e "$output" ]; then failed=1; note "not built: ${output%.failed}"; fi
    done
    [ $failed = 0 ] || fail "some guest programs were not built"
    mv "$manifest.new" "$manifest"
}

# Programs for riscv32, one for each level of optimization.
build_riscv32() {
    local header=$1 source name level output
    if [ ! -x "$RISCV32_CC" ]; then
        note "no programs of riscv32: run ./devtool toolchain riscv32"
        return
    fi
    for source in "$GUEST_SOURCES"/c/*.c; do
        for level in O0 O2; do
            case " $(directive "$source" guests) " in *" riscv32 "* | *" riscv32-$level "*) ;; *) continue ;; esac
            name=riscv32/$(basename "$source" .c)-$level
            output="$GUEST_BUILD/$name"
            guest_row "$source" "$name" - >>"$manifest.new"
            if [ "$output" -nt "$source" ] && [ "$output" -nt "$header" ] && [ "$output" -nt "$RISCV32_CC" ]; then continue; fi
            # shellcheck disable=SC2046
            "$RISCV32_CC" -march=rv32imafdc_zicsr_zifencei -$level -Wall -Wextra -ffp-contract=off $(directive "$source" cflags) -pthread -o "$output" \
                "$source" $(directive "$source" libs) || : >"$output.failed"
        done
    done
}

# Programs for Moxie, one for each level of optimization: no compiler is at hand, they are kept (Tests/Guest/moxie).
copy_moxie() {
    local source level name
    mkdir -p "$GUEST_BUILD/moxie"
    for source in $(moxie_sources); do
        for level in O0 O2; do
            name=moxie/$(basename "$source" .c)-$level
            guest_row "$source" "$name" - >>"$manifest.new"
            cp -u "$GUEST_SOURCES/$name" "$GUEST_BUILD/$name"
        done
    done
}

moxie_sources() {
    local source
    for source in "$GUEST_SOURCES"/c/*.c; do
        case " $(directive "$source" guests) " in *" moxie "*) printf '%s\n' "$source" ;; esac
    done
}

compile_guest() {
    local source=$1 output=$2 flags=(-O2 -Wall -Wextra -ffp-contract=off)
    case "$source" in
        *.S) flags=(-nostdlib) ;;
    esac
    case "$(directive "$source" link)" in
        dynamic) ;;
        static-pie) flags+=(-static-pie) ;;              # assembly only: the cross libc has no start file for it
        *) flags+=(-static) ;;
    esac
    # The directives are lists of words.
    # shellcheck disable=SC2046
    "$GUEST_CC" "${flags[@]}" $(directive "$source" cflags) -pthread -o "$output" "$source" $(directive "$source" libs)
    case "$source" in
        # shellcheck disable=SC2046
        */compared/*) "$HOST_CC" "${flags[@]}" $(directive "$source" cflags) -pthread -o "$output.host" "$source" ;;
    esac
}

# One line of the manifest: name, source, -L prefix or "-", then the arguments, all separated by tabs.
guest_row() {
    local source=$1 name=$2 prefix=$3 arguments=()
    [ "$(directive "$source" link)" = dynamic ] || prefix=-
    eval "arguments=($(directive "$source" args))"
    printf '%s\t%s\t%s' "$name" "$source" "$prefix"
    if [ ${#arguments[@]} -gt 0 ]; then printf '\t%s' "${arguments[@]}"; fi
    printf '\n'
}

# The oracle for expectations: the release's own qemu-user, newer than an older host's. Fetched once, not installed.
oracle() {
    local qemu="$CACHE/qemu/usr/bin/qemu-riscv64" deb
    if [ ! -x "$qemu" ]; then
        deb=$(fetch_alone amd64 qemu-user)
        mkdir -p "$CACHE/qemu"
        dpkg-deb -x "$deb" "$CACHE/qemu"
    fi
    printf '%s' "$qemu"
}

# Writes the .expected files anew from the oracle, except those of programs that it cannot judge.
bless_guest() {
    local qemu name source prefix arguments line status output
    qemu=$(oracle)
    while IFS= read -r line; do
        # A tab is white space to `read`: it would swallow empty arguments.
        mapfile -t -d $'\t' arguments < <(printf '%s' "$line")
        name=${arguments[0]} source=${arguments[1]} prefix=${arguments[2]}
        arguments=("${arguments[@]:3}")
        case "$name" in fatal/* | compared/* | riscv32/* | moxie/*) continue ;; esac
        if [ -n "$(directive "$source" oracle)" ]; then note "$name: kept (written by hand)"; continue; fi
        output="${source%.*}.expected" status=0
        if [ "$prefix" = - ]; then prefix=/; fi
        timeout 60 "$qemu" -cpu max -L "$prefix" "$GUEST_BUILD/$name" "${arguments[@]}" \
            >"$output" 2>/dev/null </dev/null || status=$?
        if [ $status -ge 128 ]; then printf '[signal %d]\n' $((status - 128)) >>"$output"
        else printf '[exit %d]\n' "$status" >>"$output"; fi
        note "$name: $(tail -1 "$output")"
    done <"$GUEST_BUILD/manifest"
}
