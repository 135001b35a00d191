# What every part of devtool uses: messages, privileges, package installation, paths.
# Sourced by ../devtool, which sets REPO (the project's root) and `set -euo pipefail`.

CACHE="${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/martlet"
SCRATCH="${MARTLET_SCRATCH:-$REPO/.build}"        # SwiftPM's build folder
GUEST_BUILD="$REPO/.build/guest"                  # compiled guest test programs
GUEST_CC="${GUEST_CC:-riscv64-linux-gnu-gcc}"
RISCV32_CC="$CACHE/toolchain-riscv32/bin/riscv32-linux-musl-gcc"  # ./devtool toolchain riscv32 makes it
HOST_CC="${HOST_CC:-gcc}"
JOBS="${JOBS:-$(nproc)}"
SWIFT="${SWIFT:-swift}"

say()  { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
note() { printf '    %s\n' "$*" >&2; }
fail() { printf 'devtool: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root: directly, or through sudo where there is one.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif have sudo; then sudo "$@"
    else fail "'$*' needs root, and there is no sudo: run it as root, then repeat"
    fi
}

# True when every named package is installed.
installed() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null || true)" = "ii " ] || return 1
    done
}

# need PACKAGE...: installs through apt what is missing. Asks apt for nothing when all are there.
need() {
    local package missing=()
    have dpkg-query || fail "this is not a Debian system: install by hand: $*"
    for package in "$@"; do installed "$package" || missing+=("$package"); done
    [ ${#missing[@]} = 0 ] && return 0
    say "installing ${missing[*]}"
    as_root apt-get -qq update
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}" >&2
}

# Everything needed to build martlet itself: what the Swift toolchain asks of a Debian host, the disassembler, and what
# machines need.
need_build() {
    have "$SWIFT" || fail "no '$SWIFT' on the PATH: install a Swift 6.3 toolchain first"
    # A toolchain links against the newest gcc folder that exists, so its C++ library must be that version's.
    local gcc_dir newest=""
    for gcc_dir in /usr/lib/gcc/x86_64-linux-gnu/*/; do
        [ -d "$gcc_dir" ] && newest=$(printf '%s\n%s\n' "$newest" "$(basename "$gcc_dir")" | sort -n | tail -1)
    done
    local packages=(libc6-dev binutils libcapstone-dev libfdt-dev zlib1g-dev libzstd-dev liburing-dev libslirp-dev pkg-config)
    if [ -n "$newest" ]; then
        packages+=("libgcc-$newest-dev" "libstdc++-$newest-dev")
    else
        packages+=(gcc g++)
    fi
    need "${packages[@]}"
}

# app_command guest|native COMMAND: a command of Benchmarks/apps.txt with that side's names of itself.
app_command() {
    local triple=riscv64-linux-gnu cc1flags="-march=rv64gc -mabi=lp64d"
    if [ "$1" = native ]; then triple=x86_64-linux-gnu cc1flags="-march=x86-64"; fi
    set -- "${2//TRIPLE/$triple}"
    printf '%s' "${1//CC1FLAGS/$cc1flags}"
}
