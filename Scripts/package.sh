# devtool tarball [FOLDER], devtool deb [FOLDER]: what is installed, as one file in FOLDER (.build/packages). Both print the file's path.
#
# What is made of one commit and one build is the same, byte for byte, whenever it is made: names are sorted, owners are root, and times are
# that of the commit (SOURCE_DATE_EPOCH).

PACKAGES="$REPO/.build/packages"

tarball_command() {
    local output=${1:-$PACKAGES} name stage
    use_release
    need xz-utils
    name=martlet-$(martlet_version)-x86_64-linux
    stage=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$stage'" EXIT
    INSTALLED=()
    install_tree "$stage/$name" no
    install_instructions >"$stage/$name/INSTALL"
    chmod 644 "$stage/$name/INSTALL"
    mkdir -p "$output"
    tar -C "$stage" --sort=name --format=gnu --owner=root:0 --group=root:0 --numeric-owner --mtime="@$(source_date)" -cf - "$name" |
        xz -T1 -6 >"$output/$name.tar.xz"
    rm -rf "$stage"
    trap - EXIT
    printf '%s\n' "$output/$name.tar.xz"
}

install_instructions() {
    cat <<TEXT
Martlet $(martlet_version) for x86-64 Linux. The processor needs AVX2, FMA and BMI (x86-64-v3).

The programs in bin/ run from any folder. To install them with their manual pages and completions, in this folder, as root:

    tar -cf - bin lib share | tar -C /usr/local -xf -

To try it, with a program for riscv64:

    bin/martlet PROGRAM

Programs of riscv64 are run by their names alone when Martlet is registered with the kernel, as root:

    bin/martlet binfmt --register riscv64

To remove what the command above has installed, as root:

    (cd /usr/local && rm -f $(links martlet | cut -d ' ' -f 2 | sed 's|^|bin/|' | paste -sd ' ') bin/martlet bin/martlet-system)
    (cd /usr/local && rm -rf lib/martlet share/doc/martlet share/man/man1/martlet*.1)
    (cd /usr/local && rm -f share/bash-completion/completions/martlet* $ZSH_FOLDER/_martlet share/fish/vendor_completions.d/martlet*.fish)
TEXT
}

DEBIAN_REVISION=1

deb_command() {
    local output=${1:-$PACKAGES} stage version file
    use_release
    need dpkg-dev
    version=$(martlet_version)-$DEBIAN_REVISION
    stage=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$stage'" EXIT
    chmod 755 "$stage"
    INSTALLED=()
    ZSH_FOLDER=share/zsh/vendor-completions install_tree "$stage/usr" no
    debian_documents "$stage/usr/share/doc/martlet" "$version"
    debian_manuals "$stage/usr/share/man/man1"
    mkdir -p "$stage/usr/share/lintian/overrides"
    cp "$REPO/Packaging/debian/lintian-overrides" "$stage/usr/share/lintian/overrides/martlet"
    find "$stage/usr" -type d -exec chmod 755 {} +
    find "$stage/usr/share" -type f -exec chmod 644 {} +
    mkdir "$stage/DEBIAN"
    (cd "$stage" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$stage/DEBIAN/md5sums"
    debian_control "$version" "$(du -sk --apparent-size "$stage/usr" | cut -f 1)" >"$stage/DEBIAN/control"
    chmod 644 "$stage/DEBIAN/"*
    mkdir -p "$output"
    file=$output/martlet_${version}_amd64.deb
    SOURCE_DATE_EPOCH=$(source_date) dpkg-deb -Zxz --root-owner-group --build "$stage" "$file" >&2
    rm -rf "$stage"
    trap - EXIT
    printf '%s\n' "$file"
}

# Built-Using: the sources of what is linked in, as far as it is Debian's.
debian_control() {
    cat <<TEXT
Package: martlet
Version: $1
Architecture: amd64
Maintainer: $DEBIAN_MAINTAINER
Installed-Size: $2
Built-Using: $(linked_sources)
Suggests: opensbi, libslirp0
Section: otherosfs
Priority: optional
Description: fast emulator of RISC-V programs and machines
 Martlet runs Linux programs built for one kind of processor on another, by
 translating their code while they run. It runs programs of riscv64 and
 riscv32, static and dynamic ones, and whole machines with firmware and a
 kernel of their own. Options are those of qemu-user and qemu-system.
 .
 Translations are kept on disk between runs, hot code is optimized beside the
 running program, and a profile shows where the time of a program goes.
 .
 The processor needs AVX2, FMA and BMI (x86-64-v3).
TEXT
}

DEBIAN_MAINTAINER="${DEBFULLNAME:-The Martlet authors} <${DEBEMAIL:-martlet@packages.local}>"

# The packages that static libraries come from, as "SOURCE (= VERSION)".
linked_sources() {
    local package
    for package in libc6-dev libcapstone-dev libfdt-dev zlib1g-dev libzstd-dev liburing-dev $(dpkg-query -W -f '${Package}\n' 'libstdc++-*-dev' 2>/dev/null); do
        dpkg-query -W -f '${db:Status-Abbrev}${source:Package} (= ${source:Version})\n' "$package" 2>/dev/null | sed -n 's/^ii //p'
    done | LC_ALL=C sort -u | paste -sd , | sed 's/,/, /g'
}

# debian_documents FOLDER VERSION
debian_documents() {
    local folder=$1
    rm "$folder/LICENSE"                     # /usr/share/common-licenses has it; `copyright` says so
    gzip -9n <"$folder/CHANGELOG.md" >"$folder/changelog.gz"
    rm "$folder/CHANGELOG.md"
    {
        printf 'martlet (%s) unstable; urgency=medium\n\n  * Built from commit %s.\n\n' \
            "$2" "$("$RELEASE/martlet" version | sed -n 's/^commit: //p')"
        printf ' -- %s  %s\n' "$DEBIAN_MAINTAINER" "$(LC_ALL=C date -u -R -d "@$(source_date)")"
    } | gzip -9n >"$folder/changelog.Debian.gz"
    cp "$REPO/Packaging/debian/README.Debian" "$folder/"
}

# Compressed, and links to the compressed files.
debian_manuals() {
    local page
    for page in "$1"/*.1; do
        if [ -L "$page" ]; then
            ln -s "$(readlink "$page").gz" "$page.gz"
            rm "$page"
        else
            gzip -9n "$page"
        fi
    done
}
