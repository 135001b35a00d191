# Packages of another release or architecture, without touching the host's apt.
#
# A private apt state lives under $CACHE/apt/ARCH: its own sources, package lists, archive cache and an empty dpkg
# status; the ARCH `source` has source packages. The sources are derived from the host's: the same Debian mirror (whatever it is), the same keyring, with the
# release's name replaced. apt itself says which of the host's entries are Debian's, so deb822 and one-line files,
# comments and third-party entries are all read by the one program that knows how.

GUEST_RELEASE=trixie          # Debian 13, the first release with riscv64
GUEST_KERNEL=6.12             # its kernel

# Prints "URI KEYRING" for each Debian mirror of the host's configuration; KEYRING is "-" where the entry names none.
host_mirrors() {
    local lines codename
    lines=$(apt-get indextargets --format '$(ORIGIN)|$(RELEASE)|$(COMPONENT)|$(REPO_URI)|$(SOURCESENTRY)' \
        'Created-By: Packages')
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-stable}")
    # Before the first `apt-get update` apt does not know the origins: then an entry counts by its release's name.
    if grep -q '^Debian|' <<<"$lines"; then lines=$(grep '^Debian|' <<<"$lines"); fi
    local origin release component uri entry seen=" "
    while IFS='|' read -r origin release component uri entry; do
        [ "$component" = main ] || continue
        case "$release" in "$codename" | "$GUEST_RELEASE" | stable | oldstable | testing | unstable | sid) ;; *) continue ;; esac
        case "$seen" in *" $uri "*) continue ;; esac
        seen="$seen$uri "
        printf '%s %s\n' "$uri" "$(entry_keyring "${entry%:*}" "${entry##*:}")"
    done <<<"$lines"
}

# entry_keyring FILE N: the keyring file that a sources entry is signed by: stanza N of a deb822 file (apt counts
# stanzas from 0 or 1 by version: any stanza's keyring is good, so the named one is only preferred), line N of a list.
entry_keyring() {
    local file=$1 number=$2 keyring=""
    case "$file" in
        *.sources) keyring=$(awk -v n="$number" 'BEGIN { RS = ""; FS = "\n" }
            { for (i = 1; i <= NF; i++) if (tolower($i) ~ /^signed-by:[ \t]*\//) { sub(/^[^:]*:[ \t]*/, "", $i)
                if (NR == n || best == "") best = $i } } END { print best }' "$file") ;;
        *) keyring=$(sed -n "${number}p" "$file" | grep -oiE 'signed-by=[^] ]+' | cut -d= -f2- || true) ;;
    esac
    keyring=${keyring%%[, ]*}
    if [ -f "$keyring" ]; then printf '%s' "$keyring"; return; fi
    for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        if [ -f "$keyring" ]; then printf '%s' "$keyring"; return; fi
    done
    printf -- '-'
}

# private_apt ARCH COMMAND...: apt-get (or apt-cache) with the private state of one architecture.
private_apt() {
    local arch=$1 tool=$2 dir=$CACHE/apt/$1
    shift 2
    [ "$arch" != source ] || arch=$(dpkg --print-architecture)
    "$tool" -qq \
        -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Install-Recommends=false \
        -o APT::Sandbox::User="$(id -un)" -o APT::Get::Assume-Yes=true \
        -o Dir::State="$dir/state" -o Dir::State::status="$dir/status" -o Dir::State::lists="$dir/lists" \
        -o Dir::Cache="$dir/cache" -o Dir::Cache::archives="$dir/archives" \
        -o Dir::Etc::sourcelist="$dir/debian.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::Log="$dir" -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Update::Post-Invoke-Success= -o APT::Update::Post-Invoke= -o DPkg::Post-Invoke= \
        -o Debug::NoLocking=true "$@"
}

# write_sources ARCH KEYRING|trust: the private sources file.
write_sources() {
    local arch=$1 keyring=$2 uri signed type=deb
    [ "$arch" != source ] || type=deb-src
    while read -r uri signed; do
        [ "$keyring" = host ] || signed=$keyring
        printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\n' "$type" "$uri" "$GUEST_RELEASE"
        case "$signed" in trust) printf 'Trusted: yes\n' ;; -) ;; *) printf 'Signed-By: %s\n' "$signed" ;; esac
        printf '\n'
    done <"$CACHE/apt/$arch/mirrors" >"$CACHE/apt/$arch/debian.sources"
}

# prepare_apt ARCH: makes the private state and fetches the package lists, at most once a day.
prepare_apt() {
    local arch=$1 dir=$CACHE/apt/$1 error
    mkdir -p "$dir"/{state,lists/partial,cache,archives/partial}
    : >"$dir/status"
    host_mirrors >"$dir/mirrors"
    [ -s "$dir/mirrors" ] || fail "apt's configuration names no Debian mirror: add one to /etc/apt, then repeat"
    if [ -f "$dir/ready" ] && [ -s "$dir/debian.sources" ] && cmp -s "$dir/mirrors" "$dir/ready" &&
        [ -z "$(find "$dir/ready" -mmin +1440)" ]; then return; fi
    say "fetching the $arch package list of Debian $GUEST_RELEASE"
    write_sources "$arch" host
    if ! error=$(update_lists "$arch"); then
        # The host's keyring may be older than the release. Its newest version comes through the host's own, verified apt.
        local newer
        note "the installed keyring does not verify $GUEST_RELEASE: fetching the current debian-archive-keyring"
        rm -rf "$CACHE/keyring" && mkdir -p "$CACHE/keyring"
        if (cd "$CACHE/keyring" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download debian-archive-keyring) &&
            dpkg-deb -x "$CACHE"/keyring/*.deb "$CACHE/keyring"; then
            for newer in "$CACHE"/keyring/usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
                if [ -f "$newer" ]; then write_sources "$arch" "$newer"; fi
            done
        fi
        if ! error=$(update_lists "$arch"); then
            case "$error" in *NO_PUBKEY* | *"not signed"* | *signature*) ;; *) fail "apt: $error" ;; esac
            printf 'devtool: WARNING: no keyring here verifies Debian %s: its packages are used unverified\n' \
                "$GUEST_RELEASE" >&2
            write_sources "$arch" trust
            error=$(update_lists "$arch") || fail "apt: $error"
        fi
    fi
    cp "$dir/mirrors" "$dir/ready"
}

# Updates the lists; on failure prints what apt said. A missing signature is a failure, never a warning.
update_lists() {
    local output
    output=$(private_apt "$1" apt-get update -o APT::Update::Error-Mode=any 2>&1) || { printf '%s' "$output"; return 1; }
    compgen -G "$CACHE/apt/$1/lists/*_Packages*" >/dev/null || compgen -G "$CACHE/apt/$1/lists/*_Sources*" >/dev/null || { printf 'no package list: %s' "$output"; return 1; }
}

# fetch_packages ARCH PACKAGE...: downloads packages with all their dependencies (cached); prints the .deb paths.
fetch_packages() {
    local arch=$1 dir=$CACHE/apt/$1 plan name version file
    shift
    prepare_apt "$arch"
    plan=$(private_apt "$arch" apt-get -s install "$@" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p')
    [ -n "$plan" ] || fail "apt finds nothing to install for: $*"
    private_apt "$arch" apt-get install --download-only "$@" >&2
    while read -r name version; do
        for file in "$dir/archives/${name%%:*}_${version//:/%3a}_"{"$arch",all}.deb; do
            [ -f "$file" ] && printf '%s\n' "$file"
        done
    done <<<"$plan"
    return 0
}

# fetch_alone ARCH PACKAGE: downloads one package without its dependencies (a static program); prints its path.
fetch_alone() {
    local arch=$1 package=$2 dir=$CACHE/apt/$1
    prepare_apt "$arch"
    (cd "$dir/archives" && private_apt "$arch" apt-get download "$package" >&2)
    ls -t "$dir/archives/${package}"_*.deb | head -1
}

# kernel_source PACKAGE: the kernel's source that a .deb of linux-source-$GUEST_KERNEL holds, as a tar archive.
kernel_source() {
    dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards -f - '*/linux-source-*.tar.xz' | xz -dc
}

# fetch_source PACKAGE: downloads a source package; prints the path of its upstream archive.
fetch_source() {
    local package=$1 dir=$CACHE/apt/source
    prepare_apt source
    (cd "$dir/archives" && private_apt source apt-get source --download-only --tar-only "$package" >&2)
    ls -t "$dir/archives/${package}"_*.orig.tar.* | grep -v '\.asc$' | head -1
}
