# devtool try [PROGRAM ARGS...]: build, then run a guest program: the given one, or a tour with a static busybox.

try_command() {
    local martlet busybox
    martlet=$(martlet_binary)
    if [ $# -gt 0 ]; then exec "$martlet" "$@"; fi
    busybox=$(static_busybox)
    say "a riscv64 shell script under $(basename "$martlet") on $(uname -m)"
    PATH=/nonexistent "$martlet" "$busybox" sh "$REPO/Scripts/tour.sh" "$busybox"
    say "done: the program above was $(file_kind "$busybox")"
}

# Debian 13's static riscv64 busybox from the host's own mirror, unpacked once; prints its path.
static_busybox() {
    local folder="$CACHE/busybox" deb
    if [ ! -x "$folder/usr/bin/busybox" ]; then
        deb=$(fetch_alone riscv64 busybox-static)
        rm -rf "$folder"
        mkdir -p "$folder"
        dpkg-deb -x "$deb" "$folder"
    fi
    printf '%s' "$folder/usr/bin/busybox"
}

# The architecture from the ELF header, for a host without file(1).
file_kind() {
    case "$(od -An -tu2 -j18 -N2 "$1" | tr -d ' ')" in
        243) printf 'a RISC-V ELF file' ;;
        62) printf 'an x86-64 ELF file' ;;
        *) printf 'not recognised' ;;
    esac
}
