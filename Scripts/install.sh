# devtool install [PREFIX] [--qemu-names], devtool uninstall [PREFIX]: what a user of Martlet needs, below PREFIX (/usr/local).
#
# DESTDIR is put in front of it, for packages. The names of QEMU's programs are links in PREFIX/lib/martlet/qemu-names, a folder that may be
# put into a PATH. With --qemu-names they are in PREFIX/bin as well; not by itself, since /usr/local/bin comes before /usr/bin, and there they would
# take the place of an installed QEMU that nobody asked to replace.
#
# PREFIX/share/martlet/manifest lists what was installed: files, links and folders that were not there before. `uninstall` removes these.

MANIFEST=share/martlet/manifest

# Where the kinds of files go below the prefix. A package may say otherwise.
ZSH_FOLDER=share/zsh/site-functions

install_command() {
    local prefix=/usr/local qemu=no word
    for word in "$@"; do
        case "$word" in
            --qemu-names) qemu=yes ;;
            /*) prefix=$word ;;
            *) fail "install: '$word' is no absolute path; usage: devtool install [PREFIX] [--qemu-names]" ;;
        esac
    done
    use_release
    local root=${DESTDIR:-}$prefix
    if ! is_writable "$root"; then
        as_installer "$root" install "$@"
        return
    fi
    if [ -f "$root/$MANIFEST" ]; then remove_installed "$root"; fi
    INSTALLED=()
    install_tree "$root" "$qemu"
    put_manifest "$root"
    say "installed in $root: ./devtool uninstall $prefix removes it"
}

uninstall_command() {
    local prefix=${1:-/usr/local}
    case "$prefix" in /*) ;; *) fail "uninstall: '$prefix' is no absolute path" ;; esac
    local root=${DESTDIR:-}$prefix
    [ -f "$root/$MANIFEST" ] || fail "uninstall: $root/$MANIFEST is not there: nothing was installed by ./devtool install"
    if ! is_writable "$root"; then
        as_installer "$root" uninstall "$@"
        return
    fi
    remove_installed "$root"
    say "removed from $root"
}

# The folder, or the nearest one above it that is there, can be written.
is_writable() {
    local folder=$1
    while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
    [ -w "$folder" ]
}

# as_installer ROOT COMMAND...: the same command as root, which builds nothing then, and asks git nothing, since the tree is another user's.
as_installer() {
    local root=$1
    shift
    [ "$(id -u)" != 0 ] || fail "$root cannot be written"
    as_root env DESTDIR="${DESTDIR:-}" MARTLET_BIN="${RELEASE:+$RELEASE/martlet}" SOURCE_DATE_EPOCH="$(source_date)" "$REPO/devtool" "$@"
}

# install_tree ROOT yes|no: everything below ROOT. Paths are noted in INSTALLED, folders with a slash behind them.
install_tree() {
    local root=$1 qemu=$2 name program link page
    for name in "${PROGRAMS[@]}"; do
        put_folder "$root" bin
        strip --strip-all --remove-section=.comment -o "$root/bin/.$name.new" "$RELEASE/$name"
        chmod 755 "$root/bin/.$name.new"
        mv -f "$root/bin/.$name.new" "$root/bin/$name"
        INSTALLED+=("bin/$name")
    done
    while read -r program link; do put_link "$root" "bin/$link" "$program"; done < <(links martlet)
    while read -r program link; do
        put_link "$root" "lib/martlet/qemu-names/$link" "../../../bin/$program"
        if [ "$qemu" = yes ]; then put_link "$root" "bin/$link" "$program"; fi
    done < <(links qemu)

    for name in "${PROGRAMS[@]}"; do
        put_file "$root" "share/man/man1/$name.1" fill "$REPO/Packaging/man/$name.1"
    done
    while read -r program link; do put_link "$root" "share/man/man1/$link.1" "$program.1"; done < <(links martlet)

    put_file "$root" share/bash-completion/completions/martlet fill "$REPO/Packaging/completions/martlet.bash"
    for link in martlet-system $(links martlet | cut -d ' ' -f 2); do
        put_link "$root" "share/bash-completion/completions/$link" martlet
    done
    put_file "$root" "$ZSH_FOLDER/_martlet" fill "$REPO/Packaging/completions/_martlet"
    # fish looks for a command's file by the command's name.
    for name in martlet martlet-system $(links martlet | cut -d ' ' -f 2); do
        page=share/fish/vendor_completions.d/$name.fish
        if [ "$name" = martlet ]; then
            put_file "$root" "$page" fill "$REPO/Packaging/completions/martlet.fish"
        else
            put_link "$root" "$page" martlet.fish
        fi
    done

    put_file "$root" share/doc/martlet/copyright cat "$REPO/Packaging/debian/copyright"
    for name in README.md LICENSE CHANGELOG.md; do put_file "$root" "share/doc/martlet/$name" cat "$REPO/$name"; done
}

put_folder() {
    local root=$1 folder=$2
    [ ! -d "$root/$folder" ] || return 0
    if [ "$folder" != . ]; then put_folder "$root" "$(dirname "$folder")"; fi
    mkdir -p "$root/$folder" 2>/dev/null || fail "$root cannot be made, or folders below it"
    chmod 755 "$root/$folder"
    INSTALLED+=("$folder/")
}

# put_file ROOT PATH COMMAND...: what the command prints.
put_file() {
    local root=$1 path=$2
    shift 2
    put_folder "$root" "$(dirname "$path")"
    rm -f "$root/$path"
    "$@" >"$root/$path"
    chmod 644 "$root/$path"
    INSTALLED+=("$path")
}

put_link() {
    put_folder "$1" "$(dirname "$2")"
    ln -sfn "$3" "$1/$2"
    INSTALLED+=("$2")
}

put_manifest() {
    put_folder "$1" "$(dirname "$MANIFEST")"
    printf '%s\n' "${INSTALLED[@]}" "$MANIFEST" >"$1/$MANIFEST"
}

# Files first, then folders that are empty, the deepest first.
remove_installed() {
    local root=$1 path paths
    mapfile -t paths <"$root/$MANIFEST"
    for path in "${paths[@]}"; do
        case "$path" in
            /* | ../* | */../* | */..) fail "$root/$MANIFEST names '$path', which is not below it" ;;
            */) ;;
            ?*) rm -f "$root/$path" ;;
        esac
    done
    printf '%s\n' "${paths[@]}" | grep '/$' | LC_ALL=C sort -r | while IFS= read -r path; do
        rmdir "$root/${path#./}" 2>/dev/null || true
    done
    return 0
}
