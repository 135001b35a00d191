# devtool test image [NAME...]: what people do with Debian on a disk. The disk is made once, and each test has an overlay of its own on it.
#
#   uboot     U-Boot finds the disk, systemd comes up whole, the network too, and it powers off
#   kernel    the same with a kernel and an initramfs of the host's
#   uefi      UEFI in flash memory finds it on PCI
#   scsi      the disk is on SCSI, the console on virtio, and a port leads to a file; free memory goes back to the host
#   apt       apt-get update and install, from a folder on the host
#   build     configure and make of a small C program, with the compiler from that folder
#   share     the same in a folder of the host's (9p)
#   stress    stress-ng with four harts, which checks what it computes (STRESS_SECONDS, 60)
#   boots     LONG_BOOTS (20) boots in a row with four harts
#
# Each line says how long it took; SYSTEM names another emulator, as for `try system`.

IMAGE_TESTS=(uboot kernel uefi scsi apt build share stress boots)
IMAGE_TEST_SECONDS=900
IMAGE_TEST_PROMPT='(login: |root@debian:[^ ]*# )$'
# How machines have their disk.
IMAGE_DISK=(-device virtio-blk-pci,drive=disk)
# The overlays' disk.
DEBIAN_IMAGE="$CACHE/image/debian.img"

image_tests() {
    local names=("$@") name tried=0 passed=0 start folder command=() status
    [ ${#names[@]} != 0 ] || names=("${IMAGE_TESTS[@]}")
    for name in "${names[@]}"; do
        [[ " ${IMAGE_TESTS[*]} " = *" $name "* ]] || fail "test image: no test '$name': there are ${IMAGE_TESTS[*]}"
    done
    debian_image
    MARTLET_BIN=$(martlet_binary)
    if [ -n "${SYSTEM:-}" ]; then read -ra command <<<"$SYSTEM"; else command=("$MARTLET_BIN" system riscv64); fi
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    for name in "${names[@]}"; do
        start=$(date +%s.%N)
        # Not as part of a condition, within which a test would go on behind what fails.
        set +e
        (
            set -e
            MACHINE_PROMPT=$IMAGE_TEST_PROMPT MACHINE_PATIENCE=forever MACHINE_OFF=poweroff
            "image_test_$name"
        ) >"$folder/log" 2>&1
        status=$?
        set -e
        tried=$((tried + 1))
        if [ $status = 0 ]; then
            passed=$((passed + 1))
            printf '%s: ok (%.1f s)\n' "$name" "$(bc <<<"$(date +%s.%N) - $start")"
        else
            printf '%s: failed\n' "$name"
            cp "$folder/log" "$SCRATCH/image-$name.log"
            note "$name: status $status; what it printed is in $SCRATCH/image-$name.log, and ends with"
            tail -n 5 "$folder/log" >&2
        fi
    done
    rm -rf "$folder"
    trap - EXIT
    printf '%d passed, %d failed\n' "$passed" $((tried - passed))
    [ "$passed" = "$tried" ]
}

# The disk, made anew when what makes it has changed.
debian_image() {
    local recipe
    recipe=$(cksum <"$REPO/Scripts/image.sh")
    guest_payloads
    [ "$(cat "$DEBIAN_IMAGE.recipe" 2>/dev/null)" != "$recipe" ] || return 0
    mkdir -p "$(dirname "$DEBIAN_IMAGE")"
    rm -f "$DEBIAN_IMAGE.recipe"
    image_command "$DEBIAN_IMAGE" >/dev/null
    printf '%s\n' "$recipe" >"$DEBIAN_IMAGE.recipe"
}

# debian_machine OPTIONS...: a new overlay's machine with a disk and a network, which is typed to. Its output goes to $folder/output too.
debian_machine() {
    local overlay=$folder/overlay.qcow2
    rm -f "$overlay"
    "$MARTLET_BIN" img create -q -f qcow2 -b "$DEBIAN_IMAGE" -F raw "$overlay"
    type_to_machine $IMAGE_TEST_SECONDS "${command[@]}" -M virt -nographic -m 1G -bios "$PAYLOADS/firmware64.bin" \
        -drive "if=none,id=disk,format=qcow2,file=$overlay" "${IMAGE_DISK[@]}" -netdev user,id=net -device virtio-net-pci,netdev=net "$@" | tee "$folder/output"
    "$MARTLET_BIN" img check -q "$overlay"
    has 'reboot: Power down' output serial
}

debian_uboot() { debian_machine -kernel "$PAYLOADS/u-boot.bin" "$@"; }

# has TEXT [FILE...]: the machine has printed it.
has() {
    local text=$1 files
    shift
    files=("${@:-output}")
    grep -aqsF -- "$text" "${files[@]/#/$folder/}" || { printf '\nnot printed: %s\n' "$text"; return 1; }
}

# A line typed does not have what it prints in it: that is how the tests tell one from the other.
IMAGE_STATE='root
systemctl is-system-running --wait; ip -4 -br -color=never address; echo "$(nproc)" harts'

has_state() {
    has running
    has 10.0.2.15/24
    has "$1 harts"
}

image_test_uboot() {
    debian_uboot -smp 2 <<<"$IMAGE_STATE"
    has 'U-Boot 20'
    has_state 2
}

image_test_kernel() {
    debian_machine -smp 2 -kernel "$PAYLOADS/kernel" -initrd "$PAYLOADS/initrd-modules" -append 'console=ttyS0 quiet root=LABEL=root' \
        <<<"$IMAGE_STATE"
    has_state 2
}

image_test_uefi() {
    cp "$PAYLOADS/uefi-vars.fd" "$folder/variables.fd"
    debian_machine -smp 2 -drive "if=pflash,unit=0,format=raw,readonly=on,file=$PAYLOADS/uefi-code.fd" \
        -drive "if=pflash,unit=1,format=raw,file=$folder/variables.fd" <<<"$IMAGE_STATE"
    has_state 2
}

# The kernel's last words come when virtio has been switched off.
image_test_scsi() {
    IMAGE_DISK=(-device virtio-scsi-pci,id=scsi,num_queues=2 -device scsi-hd,bus=scsi.0,drive=disk,scsi-id=2,lun=1,serial=martlet)
    debian_machine -smp 2 -kernel "$PAYLOADS/kernel" -initrd "$PAYLOADS/initrd-modules" -append 'console=ttyS0 console=hvc0 quiet root=LABEL=root' \
        -serial "file:$folder/serial" -chardev stdio,id=console -device virtio-serial -device virtconsole,chardev=console \
        -chardev "file,id=port,path=$folder/port" -device virtserialport,chardev=port,name=martlet.port \
        -device virtio-balloon-pci,free-page-reporting=on <<<"$IMAGE_STATE
ls /dev/disk/by-id; fstrim -v /; echo through the port >/dev/virtio-ports/martlet.port"
    has_state 2
    has scsi-0QEMU_QEMU_HARDDISK_martlet
    has 'bytes) trimmed'
    grep -qx 'through the port' "$folder/port"
}

image_test_apt() {
    local port
    image_mirror hello
    { image_sources; printf '%s\n' 'apt-get -y install hello && hello'; } | debian_uboot -smp 2
    has 'Hello, world!'
}

image_test_build() { build_in_guest 'cd /root'; }

image_test_share() {
    mkdir -p "$folder/share"
    build_in_guest 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 host /mnt && cd /mnt' \
        -virtfs "local,path=$folder/share,mount_tag=host,security_model=mapped-xattr"
    compgen -G "$folder/share/hello-*/hello" >/dev/null
}

# build_in_guest COMMAND OPTIONS...: builds a program in the folder that COMMAND goes to.
build_in_guest() {
    local archive place=$1
    shift
    archive=$(fetch_source hello)
    image_mirror gcc libc6-dev make
    cp "$archive" "$folder/mirror/source.tar.gz"
    {
        image_sources
        printf '%s\n' 'apt-get -y install gcc libc6-dev make' "$place" "/usr/lib/apt/apt-helper download-file http://10.0.2.2:$port/source.tar.gz source.tar.gz" \
            'tar xf source.tar.gz && cd hello-*' 'time (./configure -q --build=riscv64-linux-gnu && make -s -j2)' "./hello -g 'built here' | tr a-z A-Z"
    } | debian_uboot -smp 2 "$@"
    has 'BUILT HERE'
}

image_test_stress() {
    image_mirror stress-ng
    {
        image_sources
        printf '%s\n' 'apt-get -y install stress-ng' \
            "stress-ng --verify --cpu 4 --vm 2 --vm-bytes 64M --fork 2 --switch 2 --pipe 2 --futex 2 --mmap 1 --atomic 2 --timeout ${STRESS_SECONDS:-60}s --metrics-brief"
    } | debian_uboot -smp 4
    has 'successful run completed'
}

image_test_boots() {
    local boot
    for ((boot = 1; boot <= ${LONG_BOOTS:-20}; boot++)); do
        printf '\n=== boot %d\n' "$boot"
        debian_uboot -smp 4 <<<"$IMAGE_STATE"
        has_state 4
    done
}

# image_mirror PACKAGE...: a folder with these packages and what they need, which a server on the host's loopback device hands out, at $port. The
# server ends with the test.
image_mirror() {
    local deb
    need dpkg-dev python3-minimal python3
    mkdir -p "$folder/mirror"
    fetch_packages riscv64 "$@" >"$folder/debs"
    while read -r deb; do ln -sf "$deb" "$folder/mirror/"; done <"$folder/debs"
    (cd "$folder/mirror" && dpkg-scanpackages -m . 2>/dev/null >Packages)
    mkfifo "$folder/port"
    python3 -c '
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1], flush=True)
sys.stdout.close()
server.serve_forever()' "$folder/mirror" >"$folder/port" 2>/dev/null &
    # shellcheck disable=SC2064
    trap "kill $!" EXIT
    read -r port <"$folder/port"
    rm "$folder/port"
}

# What is typed to log in and to have apt use that folder.
image_sources() {
    printf '%s\n' root 'rm /etc/apt/sources.list.d/*' "echo 'deb [trusted=yes] http://10.0.2.2:$port ./' >/etc/apt/sources.list" 'apt-get update'
}
