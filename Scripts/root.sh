# devtool root DIR [--arch ARCH] [PACKAGE...]: a Debian tree in a folder, from packages.
#
# Packages are unpacked, not installed: no maintainer script runs, so no root and no emulator is needed. What the
# scripts would have made and programs look for (alternatives, passwd, ld.so's paths) is made here as links and files.
# The dynamic loader finds everything in its built-in multiarch folders, so there is no ld.so.cache.

ROOT_PACKAGES=(bash dash coreutils busybox-static python3-minimal python3 perl lua5.4 sqlite3 gcc binutils libc6-dev
    xz-utils zstd openssl gzip bzip2 tar sed grep gawk findutils diffutils util-linux procps file make)

# Alternatives that maintainer scripts make: LINK TARGET, both in /usr/bin; made where the target exists and the link does not.
ROOT_ALTERNATIVES='
sh dash
awk gawk
awk mawk
lua lua5.4
luac luac5.4
cc gcc
c89 c89-gcc
c99 c99-gcc
c++ g++
python python3
pager more
which which.debianutils
nawk awk
php php8.4
vim vim.basic
vim vim.nox
emacs emacs-nox
gnuplot gnuplot-nox
tclsh tclsh8.6
'

# The same among libraries, in the architecture's folder.
ROOT_LIBRARIES='
libblas.so.3 blas/libblas.so.3
liblapack.so.3 lapack/liblapack.so.3
'

root_command() {
    local arch=riscv64 dir="" packages=()
    while [ $# -gt 0 ]; do
        case "$1" in
            --arch) [ $# -ge 2 ] || fail "--arch needs a Debian architecture: riscv64 or amd64"; arch=$2; shift ;;
            -*) fail "root: unknown option '$1': usage: devtool root DIR [--arch riscv64|amd64] [PACKAGE...]" ;;
            *) if [ -z "$dir" ]; then dir=$1; else packages+=("$1"); fi ;;
        esac
        shift
    done
    [ -n "$dir" ] || fail "root: no folder: usage: devtool root DIR [--arch riscv64|amd64] [PACKAGE...]"
    if [ ${#packages[@]} = 0 ]; then packages=("${ROOT_PACKAGES[@]}"); fi
    make_root "$arch" "$dir" "${packages[@]}"
    say "Debian $GUEST_RELEASE $arch is in $dir: $(du -sh "$dir" | cut -f1), ${#packages[@]} packages and what they need"
}

# make_root ARCH DIR PACKAGE...: unpacks the packages and what they depend on; a second call adds to the tree.
make_root() {
    local arch=$1 dir=$2 debs deb stamp
    shift 2
    debs=$(fetch_packages "$arch" base-files libc-bin "$@")
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    [ "$dir" != / ] || fail "root: the host's own / is not a folder for a tree"
    merge_usr "$arch" "$dir"
    mkdir -p "$dir/var/lib/martlet-root"
    say "unpacking $(wc -l <<<"$debs") packages into $dir"
    while read -r deb; do
        stamp="$dir/var/lib/martlet-root/$(basename "$deb")"
        if [ -e "$stamp" ]; then continue; fi
        unpack "$deb" "$dir"
        : >"$stamp"
    done <<<"$debs"
    finish_root "$dir"
}

# Programs' data goes where it belongs also when a package still names /lib or /bin: those are links to /usr before
# the first package is unpacked, and tar keeps a link that it meets in place of a folder.
merge_usr() {
    local arch=$1 dir=$2 name
    for name in bin sbin lib lib64; do
        if [ "$name" = lib64 ] && [ "$arch" != amd64 ]; then continue; fi
        mkdir -p "$dir/usr/$name"
        [ -e "$dir/$name" ] || ln -s "usr/$name" "$dir/$name"
    done
}

unpack() {
    dpkg-deb --fsys-tarfile "$1" |
        tar -x -f - -C "$2" --keep-directory-symlink --no-same-owner --delay-directory-restore --exclude='./usr/share/doc/*' \
            --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --warning=no-timestamp
}

finish_root() {
    local dir=$1 link target libraries
    mkdir -p "$dir"/{tmp,proc,sys,dev,root,run,home,etc,var/tmp}
    chmod 1777 "$dir/tmp" "$dir/var/tmp"
    while read -r link target; do
        [ -n "$link" ] || continue
        if [ -e "$dir/usr/bin/$target" ] && [ ! -e "$dir/usr/bin/$link" ]; then ln -sf "$target" "$dir/usr/bin/$link"; fi
    done <<<"$ROOT_ALTERNATIVES"
    for libraries in "$dir"/usr/lib/*-linux-gnu; do
        while read -r link target; do
            [ -n "$link" ] || continue
            if [ -e "$libraries/$target" ] && [ ! -e "$libraries/$link" ]; then ln -sf "$target" "$libraries/$link"; fi
        done <<<"$ROOT_LIBRARIES"
    done
    [ -e "$dir/etc/passwd" ] || printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n' >"$dir/etc/passwd"
    [ -e "$dir/etc/group" ] || printf 'root:x:0:\nnogroup:x:65534:\n' >"$dir/etc/group"
    [ -e "$dir/etc/hosts" ] || printf '127.0.0.1 localhost\n' >"$dir/etc/hosts"
    [ -e "$dir/etc/nsswitch.conf" ] || printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$dir/etc/nsswitch.conf"
    [ -e "$dir/etc/hostname" ] || printf 'martlet\n' >"$dir/etc/hostname"
}
