# devtool bench image [ROW...]: Debian on a disk, in a machine of martlet's and in one of qemu-system's, in turn, in one table.
#
#   login                       seconds from start to the login prompt, by U-Boot from the disk alone
#   FORMAT-write, -read         MB/s of fio on a second disk, raw or qcow2: 1 MiB at a time, one after the other, 16 requests under way
#   FORMAT-randread, -randwrite the same with 4 KiB at random places
#   build                       seconds of configure and make of a small C program
#   forks                       seconds of 1,000 processes
#   idle, memory                per cent of a processor, and most MiB of the host's, of a machine with 512 MiB that has logged in
#
# FIO_SECONDS (6) for each row of fio. The disks are the host's files, through its page cache (cache=writeback).

BENCH_IMAGE_ROWS=(login raw-write raw-read raw-randread raw-randwrite qcow2-write qcow2-read qcow2-randread qcow2-randwrite build forks idle memory)
BENCH_IMAGE_PACKAGES=(fio gcc libc6-dev make)
# The disk of `devtool image` with what the rows need.
BENCH_IMAGE_DISK="$CACHE/image/bench.qcow2"

bench_image_command() {
    local rows=("$@") which command=() folder disk options=() name
    [ ${#rows[@]} != 0 ] || rows=("${BENCH_IMAGE_ROWS[@]}")
    for name in "${rows[@]}"; do
        [[ " ${BENCH_IMAGE_ROWS[*]} " = *" $name "* ]] || fail "bench image: no row '$name': there are ${BENCH_IMAGE_ROWS[*]}"
    done
    need bc
    debian_image
    qemu_system >/dev/null
    MARTLET_BIN=$(martlet_binary)
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    local MACHINE_PROMPT=$IMAGE_TEST_PROMPT MACHINE_PATIENCE=forever MACHINE_OFF=poweroff
    bench_image_disk
    say "$(bench_host)"
    for which in martlet qemu; do
        if [ $which = martlet ]; then command=("$MARTLET_BIN" system riscv64); else command=("$PAYLOADS/qemu-system-riscv64"); fi
        : >"$folder/$which"
        if bench_image_wants login idle memory; then bench_image_login; fi
        for name in raw qcow2; do
            if bench_image_wants $name-write $name-read $name-randread $name-randwrite; then bench_image_fio $name; fi
        done
        if bench_image_wants build forks; then bench_image_work; fi
    done
    bench_image_table
    rm -rf "$folder"
    trap - EXIT
}

# True if one of the rows is wanted.
bench_image_wants() {
    local name
    for name in "$@"; do [[ " ${rows[*]} " != *" $name "* ]] || return 0; done
    return 1
}

bench_image_disk() {
    local recipe packed
    recipe="$(cksum <"$REPO/Scripts/image.sh") ${BENCH_IMAGE_PACKAGES[*]}"
    [ "$(cat "$BENCH_IMAGE_DISK.recipe" 2>/dev/null)" != "$recipe" ] || return 0
    say "making the disk of the rows"
    rm -f "$BENCH_IMAGE_DISK" "$BENCH_IMAGE_DISK.recipe"
    # The mirror's server ends with the subshell.
    (
        command=("$MARTLET_BIN" system riscv64)
        packed=$(fetch_source hello)
        image_mirror "${BENCH_IMAGE_PACKAGES[@]}"
        cp "$packed" "$folder/mirror/source.tar.gz"
        {
            image_sources
            printf '%s\n' "apt-get -y install --no-install-recommends ${BENCH_IMAGE_PACKAGES[*]}" \
                "/usr/lib/apt/apt-helper download-file http://10.0.2.2:$port/source.tar.gz source.tar.gz" 'tar xf source.tar.gz && mv hello-* hello' \
                "hello/configure --version && echo 'disk made' | tr a-z A-Z"
        } | debian_uboot -smp 2 >"$folder/log"
    )
    grep -aq 'DISK MADE' "$folder/log" || { tail -n 5 "$folder/log" >&2; fail "bench image: the disk cannot be made"; }
    mv "$folder/overlay.qcow2" "$BENCH_IMAGE_DISK"
    printf '%s\n' "$recipe" >"$BENCH_IMAGE_DISK.recipe"
}

# bench_image_machine MEMORY OPTIONS...: a machine with an overlay of that disk, which standard input is typed to; what it prints goes to
# $folder/log.
bench_image_machine() {
    local memory=$1
    shift
    rm -f "$folder/bench-overlay"
    "$MARTLET_BIN" img create -q -f qcow2 -b "$BENCH_IMAGE_DISK" -F qcow2 "$folder/bench-overlay"
    type_to_machine 900 "${command[@]}" -M virt -nographic -smp 2 -m "$memory" -bios "$PAYLOADS/firmware64.bin" \
        -drive "if=none,id=disk,format=qcow2,file=$folder/bench-overlay" -device virtio-blk-pci,drive=disk "$@" >"$folder/log"
}

bench_image_login() {
    local start=$EPOCHREALTIME card=virtio-net-pci,netdev=net
    # The package of QEMU that is fetched has no boot ROMs for cards.
    [ $which = martlet ] || card+=,romfile=
    : >"$folder/login"
    : >"$folder/log"
    bench_image_watch &
    printf '%s\n' root 'sleep 5; echo quiet now | tr a-z A-Z; sleep 12' | bench_image_machine 512M -kernel "$PAYLOADS/u-boot.bin" -netdev user,id=net -device "$card"
    wait $!
    {
        printf 'login %s\n' "$(bc <<<"$(cut -d' ' -f1 "$folder/login") - $start")"
        sed -n 's/^idle/idle/p;s/^memory/memory/p' "$folder/watched"
    } >>"$folder/$which"
}

# Beside bench_image_login: when the prompt came, and what the process takes when nothing happens.
bench_image_watch() {
    local process="" before end=$((SECONDS + 300))
    bench_image_await 'debian login:' $end || return 0
    printf '%s\n' "$EPOCHREALTIME" >"$folder/login"
    bench_image_await 'QUIET NOW' $end || return 0
    process=$(pgrep -f -n -- "file=$folder/bench-overlay") || return 0
    before=$(bench_image_ticks "$process")
    sleep 10
    {
        printf 'idle %s\n' "$(bc -l <<<"($(bench_image_ticks "$process") - $before) / 10 / $(getconf CLK_TCK) * 100")"
        printf 'memory %s\n' "$(awk '$1 == "VmHWM:" { print $2 / 1024 }' "/proc/$process/status")"
    } >"$folder/watched"
}

bench_image_await() {
    until grep -aq -- "$1" "$folder/log" 2>/dev/null; do
        [ $SECONDS -lt "$2" ] || return 1
        sleep 0.05
    done
}

# Processor time so far, in ticks.
bench_image_ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }

# Boots by the host's kernel.
bench_image_kernel() {
    bench_image_machine 1G -kernel "$PAYLOADS/kernel" -initrd "$PAYLOADS/initrd-modules" -append 'console=ttyS0 quiet root=/dev/vda2 rw' "$@"
}

bench_image_fio() {
    local format=$1 row size=4k
    rm -f "$folder/second"
    "$MARTLET_BIN" img create -q -f "$format" "$folder/second" 1G
    {
        printf '%s\n' root
        for row in write read randread randwrite; do
            case $row in rand*) size=4k ;; *) size=1M ;; esac
            bench_image_wants "$format-$row" || continue
            # The fields are KiB/s read and written.
            printf '%s\n' "echo '$format-$row' \$(fio --name=x --filename=/dev/vdb --rw=$row --bs=$size --direct=1 --ioengine=libaio --iodepth=16 --size=512M --runtime=${FIO_SECONDS:-6} --time_based --output-format=terse --terse-version=3 | awk -F';' '{ print (\$7 + \$48) * 1.024 / 1000 }') is measured"
        done
    } | bench_image_kernel -drive "if=none,id=second,format=$format,file=$folder/second" -device virtio-blk-pci,drive=second
    bench_image_rows
}

bench_image_work() {
    {
        printf '%s\n' root 'cd hello; TIMEFORMAT=%R'
        printf '%s\n' "echo build \$( { time { (./configure -q --build=riscv64-linux-gnu && make -s -j2) >/dev/null 2>&1; }; } 2>&1 ) is measured"
        printf '%s\n' "echo forks \$( { time (for i in {1..1000}; do /bin/true; done) ; } 2>&1 ) is measured"
    } | bench_image_kernel
    bench_image_rows
}

# Lines such as "build 12.3 is measured" of the log; the shell's escape sequences end with a carriage return. What is typed has no number in it.
bench_image_rows() { tr '\r' '\n' <"$folder/log" | grep -aoE '^[a-z0-9-]+ [0-9.]+ is measured' | sed 's/ is measured//' >>"$folder/$which"; }

# Speed is the ratio of times, or of MB/s.
bench_image_table() {
    local name ours theirs ratio
    printf '%-16s %10s %10s %8s\n' row martlet qemu speed
    for name in "${BENCH_IMAGE_ROWS[@]}"; do
        bench_image_wants "$name" || continue
        ours=$(awk -v r="$name" '$1 == r { print $2 }' "$folder/martlet")
        theirs=$(awk -v r="$name" '$1 == r { print $2 }' "$folder/qemu")
        ratio=-
        if [ -n "$ours" ] && [ -n "$theirs" ]; then
            case $name in
                raw-* | qcow2-*) ratio=$(bc -l <<<"$ours / $theirs") ;;
                login | build | forks) ratio=$(bc -l <<<"$theirs / $ours") ;;
            esac
        fi
        printf '%-16s %10.2f %10.2f %8s\n' "$name" "${ours:-0}" "${theirs:-0}" "$([ "$ratio" = - ] && echo - || printf '%.2f' "$ratio")"
    done
}
