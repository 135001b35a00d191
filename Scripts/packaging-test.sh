# devtool test packaging: what `install`, `deb` and `tarball` make is whole, works from where it is, and goes away again.

# One check: a title, and a command that fails or succeeds. What a failed one has said is shown.
packaging_check() {
    local title=$1 said status
    shift
    # Not in a condition: there a failure within the command would not end it.
    set +e
    said=$(set -e; "$@" 2>&1)
    status=$?
    set -e
    if [ $status = 0 ]; then
        PACKAGING_PASSED=$((PACKAGING_PASSED + 1))
    else
        PACKAGING_FAILED=$((PACKAGING_FAILED + 1))
        note "failed: $title"
        sed 's/^/        /' <<<"$said" | tail -20 >&2
    fi
}

# equal WANTED SEEN, contains TEXT PART: for checks.
equal() { [ "$1" = "$2" ] || { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); return 1; }; }
contains() { case "$1" in *"$2"*) ;; *) printf 'no "%s" in:\n%s\n' "$2" "$1"; return 1 ;; esac; }

packaging_tests() {
    need_build
    need man-db groff-base bsdextrautils mandoc file zsh fish dpkg-dev lintian xz-utils python3-yaml gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    use_release
    export MARTLET_BIN=$RELEASE/martlet       # for the devtools that tests start: nothing is built again
    local folder
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    PACKAGING_PASSED=0 PACKAGING_FAILED=0
    say "what the packages hold"
    printf 'int main(int c, char **v) { return c == 2 ? 7 : c; }\n' >"$folder/seven.c"
    riscv64-linux-gnu-gcc -static -o "$folder/seven" "$folder/seven.c"

    test_installation "$folder"
    test_completions "$folder"
    test_registration "$folder"
    test_tarball "$folder"
    test_deb "$folder"
    test_container_files

    rm -rf "$folder"
    trap - EXIT
    printf '%d passed, %d failed\n' "$PACKAGING_PASSED" "$PACKAGING_FAILED"
    [ "$PACKAGING_FAILED" = 0 ]
}

# MARK: install

test_installation() {
    local folder=$1 root=$1/image/usr/local wanted
    mkdir -p "$folder/image/usr/local/bin"
    printf 'mine\n' >"$root/bin/other"
    (DESTDIR="$folder/image" install_command) 2>/dev/null
    packaging_check "install: the files" packaging_files "$root"
    packaging_check "install: a program runs from there" packaging_runs "$root/bin" "$folder/seven"
    packaging_check "install: the names of QEMU" packaging_runs_as_qemu "$root" "$folder/seven"
    packaging_check "install: nothing of the build's place is in the files" packaging_is_independent "$root"
    packaging_check "version: the commit" contains "$("$root/bin/martlet" version)" "commit: $(git -C "$REPO" rev-parse --short=12 HEAD 2>/dev/null || printf unknown)"
    packaging_check "guests of the table of names are the program's" packaging_guests
    packaging_check "manual pages: no warnings" check_manuals "$root"/share/man/man1/martlet{,-system}.1
    packaging_check "manual pages: found by name" packaging_man "$root/share/man"
    packaging_check "manual pages: every option of the help" packaging_man_options "$root/share/man/man1"
    packaging_check "manual pages: nothing is left to fill in" packaging_filled "$root"

    (DESTDIR="$folder/image" install_command --qemu-names) 2>/dev/null
    packaging_check "install --qemu-names: links in bin" test -x "$root/bin/qemu-riscv64-static" -a -x "$root/bin/qemu-system-riscv32"
    (DESTDIR="$folder/image" install_command) 2>/dev/null
    packaging_check "install again: links that are not wanted are gone" test ! -e "$root/bin/qemu-riscv64"
    (DESTDIR="$folder/image" uninstall_command) 2>/dev/null
    wanted=$(printf '%s\n' bin bin/other)
    packaging_check "uninstall: only what was there before is left" equal "$wanted" "$(cd "$root" && find . -mindepth 1 | sed 's/^..//' | sort)"
    packaging_check "uninstall twice: says what is missing" packaging_refuses 'is not there' env DESTDIR="$folder/image" "$REPO/devtool" uninstall
    packaging_check "install into a folder that nobody may write: says so" packaging_refuses 'cannot be made' "$REPO/devtool" install /proc/martlet
    packaging_check "install into a relative folder: refused" packaging_refuses 'is no absolute path' "$REPO/devtool" install here
    (DESTDIR="$folder/image" install_command /opt/martlet) 2>/dev/null
    (DESTDIR="$folder/image" uninstall_command /opt/martlet) 2>/dev/null
    packaging_check "uninstall: a prefix of its own is gone" test ! -e "$folder/image/opt/martlet"
}

packaging_files() {
    local root=$1 program link wanted
    wanted=$(
        printf '%s\n' bin/martlet bin/martlet-system share/man/man1/martlet.1 share/man/man1/martlet-system.1 \
            share/bash-completion/completions/martlet share/bash-completion/completions/martlet-system \
            share/zsh/site-functions/_martlet share/fish/vendor_completions.d/martlet.fish \
            share/fish/vendor_completions.d/martlet-system.fish share/martlet/manifest bin/other \
            share/doc/martlet/{README.md,LICENSE,CHANGELOG.md,copyright}
        while read -r program link; do
            printf '%s\n' "bin/$link" "share/man/man1/$link.1" "share/bash-completion/completions/$link" \
                "share/fish/vendor_completions.d/$link.fish"
        done < <(links martlet)
        while read -r program link; do printf 'lib/martlet/qemu-names/%s\n' "$link"; done < <(links qemu)
    )
    equal "$(sort <<<"$wanted")" "$(cd "$root" && find . ! -type d | sed 's/^..//' | sort)"
    [ -z "$(find "$root" -xtype l)" ]
    [ -z "$(find "$root" ! -type l -perm /022)" ]
    file -L "$root/bin/martlet" "$root/bin/martlet-system" | grep -c 'static-pie linked.* stripped' | grep -qx 2
}

packaging_runs() {
    local status=0
    MARTLET_CACHE_DIR="$(dirname "$2")" "$1/martlet" "$2" x || status=$?
    [ $status = 7 ]
    status=0
    MARTLET_CACHE_DIR="$(dirname "$2")" "$1/martlet-riscv64" "$2" x || status=$?
    [ $status = 7 ]
    contains "$("$1/martlet" system riscv32 -M help)" virt
    contains "$("$1/martlet-system-riscv64" -M help)" virt
}

packaging_runs_as_qemu() {
    local status=0
    MARTLET_CACHE_DIR="$(dirname "$2")" "$1/lib/martlet/qemu-names/qemu-riscv64-static" "$2" x || status=$?
    [ $status = 7 ]
    contains "$("$1/lib/martlet/qemu-names/qemu-system-riscv32" -M help)" virt
}

packaging_is_independent() { ! grep -rlF "$REPO" "$1"; }

packaging_guests() {
    local guest
    for guest in "${NAMED_GUESTS[@]}"; do
        contains " $(version_line martlet guests)," " $guest,"
        contains " $(version_line martlet-system targets)," " $guest,"
    done
}

packaging_man() {
    local name
    for name in martlet martlet-system $(links martlet | cut -d ' ' -f 2); do
        contains "$(MANPATH=$1 man -w "$name")" "$1/man1/martlet"
    done
    contains "$(MANPATH=$1 MANWIDTH=80 man martlet-riscv64 | col -b)" '-perfmap'
}

packaging_man_options() {
    local command page option
    for command in run report binfmt system; do
        page=$1/martlet.1
        [ $command != system ] || page=$1/martlet-system.1
        for option in $(option_table $command | cut -f 1 | tr , ' '); do
            grep -qF -- "\\fB${option//-/\\-}" "$page" || { printf '%s: no %s\n' "$page" "$option"; return 1; }
        done
    done
}

packaging_filled() { ! grep -rnE '@[A-Za-z]+( [a-z]+)?@' "$1/share/man" "$1/share/bash-completion" "$1/share/zsh" "$1/share/fish"; }

# packaging_refuses PART COMMAND...: fails, and says so in one line that holds PART.
packaging_refuses() {
    local part=$1 said status=0
    shift
    said=$("$@" 2>&1) || status=$?
    [ $status != 0 ]
    [ "$(wc -l <<<"$said")" = 1 ]
    contains "$said" "$part"
}

# MARK: completions

# What is typed, and a word that is to be among the completions, and one that is not.
PACKAGING_COMPLETIONS='
martlet bin                         binfmt               run
martlet -prof                       -profile             -html
martlet run -one                    -one-insn-per-tb     -h
martlet report --fo                 --folded             -folded
martlet report -- -prof             -profile             --html
martlet binfmt --reg                --register           -register
martlet binfmt --register riscv6    riscv64              riscv32
martlet system riscv6               riscv64              all
martlet system riscv64 -no-re       -no-reboot           -profile
martlet-riscv64 -stra               -strace              -kernel
martlet-system riscv64 -mach        -machine             -profile
martlet-system-riscv32 -ker         -kernel              -profile
martlet system riscv64 -bios def    default              none
martlet run -E A=b -stra            -strace              -stats
'

test_completions() {
    local folder=$1 root=$1/image/usr/local line wanted other typed
    export ZSH_DUMP=$1/zsh-functions
    (DESTDIR="$folder/image" install_command) 2>/dev/null
    while read -r line; do
        [ -n "$line" ] || continue
        read -r other wanted typed < <(awk '{ o = $NF; w = $(NF - 1); $NF = ""; $(NF - 1) = ""; sub(/ +$/, ""); print o, w, $0 }' <<<"$line")
        packaging_check "completions in bash: $typed" packaging_completes bash "$root" "$typed" "$wanted" "$other"
        packaging_check "completions in zsh: $typed" packaging_completes zsh "$root" "$typed" "$wanted" "$other"
        packaging_check "completions in fish: $typed" packaging_completes fish "$root" "$typed" "$wanted" "$other"
    done <<<"$PACKAGING_COMPLETIONS"
    mkdir -p "$folder/words/sub"
    touch "$folder/words/kernel.bin"
    packaging_check "completions in bash: a file" packaging_completes bash "$root" "martlet system riscv64 -kernel $folder/words/ker" "$folder/words/kernel.bin" none
    packaging_check "completions in bash: a folder" packaging_completes bash "$root" "martlet -L $folder/words/" "$folder/words/sub" "$folder/words/kernel.bin"
    packaging_check "completions in fish: a file" packaging_completes fish "$root" "martlet system riscv64 -kernel $folder/words/ker" "$folder/words/kernel.bin" none
    packaging_check "completions in zsh: a file" packaging_completes zsh "$root" "martlet system riscv64 -kernel $folder/words/ker" "$folder/words/kernel.bin" none
    (DESTDIR="$folder/image" uninstall_command) 2>/dev/null
}

packaging_completes() {
    local words
    words=$("complete_in_$1" "$2" "$3" | sed 's/[[:space:]]*$//')
    grep -qxF -- "$4" <<<"$words" || { printf 'no "%s" in:\n%s\n' "$4" "$words"; return 1; }
    ! grep -qxF -- "$5" <<<"$words" || { printf '"%s" in:\n%s\n' "$5" "$words"; return 1; }
}

# complete_in_SHELL ROOT LINE: prints the completions of a line, one a line.
complete_in_bash() {
    bash --norc -c '
        . "$1/share/bash-completion/completions/martlet"
        COMP_LINE=$2 COMP_POINT=${#2}
        IFS=" " read -ra COMP_WORDS <<<"$2"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        declared=$(complete -p "${COMP_WORDS[0]}")
        function=${declared#*-F } function=${function%% *}
        "$function" "${COMP_WORDS[0]}" 2>/dev/null
        printf "%s\n" "${COMPREPLY[@]}"' bash "$1" "$2"
}

complete_in_fish() {
    local home
    home=$(mktemp -d)
    HOME=$home XDG_DATA_DIRS="$1/share" PATH="$1/bin:$PATH" timeout -s KILL 30 fish --no-config -c '
        source $argv[1]/share/fish/vendor_completions.d/martlet.fish
        complete -C $argv[2]' "$1" "$2" | cut -f 1
    rm -rf "$home"
}

# zsh completes only for a terminal: a shell within one gets the line and Tab; the line as it is then is the answer. $ZSH_DUMP keeps
# the list of all commands' functions.
complete_in_zsh() {
    local home
    home=$(mktemp -d)
    cat >"$home/.zshrc" <<'ZSH'
PS1= PROMPT_SP=
fpath=($ROOT/share/zsh/site-functions $fpath)
autoload -Uz compinit
compinit -u -d $ZSH_DUMP
tell() { local word=${BUFFER% }; print -r -- ${word##* } >$ZDOTDIR/word; BUFFER=; print end }
zle -N tell
bindkey '^O' tell
print ready
ZSH
    : >"$home/word"
    ROOT="$1" ZDOTDIR="$home" TERM=dumb PATH="$1/bin:$PATH" timeout -s KILL 30 zsh -f -c '
        zmodload zsh/zpty
        zpty shell zsh -d -i
        zpty -r shell said "*ready*"
        zpty -w -n shell "$1"$'"'\\t\\x0f'"'
        zpty -r shell said "*end*"
        zpty -d shell' zsh "$2" >/dev/null
    cat "$home/word"
    rm -rf "$home"
}

# MARK: the kernel

# In a user namespace with a binfmt_misc of its own, which Linux has since 6.7.
test_registration() {
    local folder=$1
    if ! unshare -Ur --mount --pid --fork mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null; then
        note "skipped: registration with the kernel: this kernel has no binfmt_misc in a user namespace"
        return
    fi
    (DESTDIR="$folder/image" install_command /usr) 2>/dev/null
    cp "$folder/seven" "$folder/image/seven"
    cat >"$folder/register" <<'SCRIPT'
set -e
"$1/usr/bin/martlet" binfmt --mount --install all >/dev/null
status=0; "$1/seven" x || status=$?; [ $status = 7 ]
# Without /proc, without Martlet and its libraries: as in a container or a new chroot.
mkdir "$1/root"; cp "$1/seven" "$1/root/seven"
status=0; MARTLET_CACHE_DIR=/ chroot "$1/root" /seven x || status=$?; [ $status = 7 ]
"$1/usr/bin/martlet" binfmt --uninstall all >/dev/null
# As a container does it, whose files nobody sees any more when it has registered them; it takes them out at its end.
mkdir -p "$1/box/usr/bin" "$1/box/proc"
cp -a "$1"/usr/bin/* "$1/box/usr/bin"
mount -t proc proc "$1/box/proc"
chroot "$1/box" /usr/bin/martlet binfmt --mount --install all --force --wait >"$1/said" &
until grep -q moxie "$1/said"; do sleep 0.05; done
rm -r "$1/box/usr"
status=0; "$1/seven" x || status=$?; [ $status = 7 ]
kill $!
wait $!
[ "$(ls /proc/sys/fs/binfmt_misc)" = "register
status" ]
SCRIPT
    packaging_set_user_id "$folder"
    packaging_check "binfmt: programs run by their names, also in a chroot without /proc" \
        unshare -Ur --mount --pid --fork sh "$folder/register" "$folder/image"
    (DESTDIR="$folder/image" uninstall_command /usr) 2>/dev/null
}

# A set-user-ID program under flag C. It takes another user than root, and so a namespace with all users, which root alone can make.
packaging_set_user_id() {
    local folder=$1
    if [ "$(id -u)" != 0 ] || ! have setpriv; then
        note "skipped: set-user-ID programs: they want root and setpriv"
        return
    fi
    mkdir -p "$folder/other"
    cp "$folder/image/usr/bin/martlet" "$folder/other/martlet"
    printf '#include <unistd.h>\n#include <sys/auxv.h>\nint main(void) { return geteuid() == 0 && getuid() != 0 && getauxval(AT_SECURE) ? 7 : 1; }\n' >"$folder/id.c"
    riscv64-linux-gnu-gcc -static -o "$folder/other/id" "$folder/id.c"
    chmod 4755 "$folder/other/id"
    chmod 711 "$folder"
    chmod 755 "$folder/other"
    cat >"$folder/other/script" <<'SCRIPT'
cd "$1/other"
./martlet binfmt --mount --register --flags POCF riscv64 >/dev/null
mkdir -m 777 cache
MARTLET_CACHE_DIR=$PWD/cache MARTLET_LOG=strace MARTLET_LOG_FILENAME=$PWD/cache/log setpriv --reuid 1000 --clear-groups ./id
echo "status $?, $(ls cache | wc -l) files"
SCRIPT
    mkfifo "$folder/other/go"
    (
        # shellcheck disable=SC2016
        timeout -s KILL 60 unshare -U sh -c 'echo $$ >"$1/other/pid.new"; mv "$1/other/pid.new" "$1/other/pid"
            read -r line <"$1/other/go"; exec unshare --mount --pid --fork sh "$1/other/script" "$1"' sh "$folder" >"$folder/other/said" 2>&1 &
        chmod 777 "$folder/other"
        until [ -f "$folder/other/pid" ]; do sleep 0.05; done
        for map in uid_map gid_map; do printf '0 0 65536\n' >"/proc/$(cat "$folder/other/pid")/$map"; done
        echo >"$folder/other/go"
        wait
    )
    packaging_check "binfmt: a set-user-ID program gets its rights, and Martlet heeds no variable then" equal 'status 7, 0 files' "$(cat "$folder/other/said")"
}

# MARK: packages

test_tarball() {
    local folder=$1 first second name
    first=$(tarball_command "$folder/first" 2>/dev/null)
    second=$(tarball_command "$folder/second" 2>/dev/null)
    packaging_check "tarball: two runs make the same bytes" cmp "$first" "$second"
    name=$(basename "$first" .tar.xz)
    tar -C "$folder" -xJf "$first"
    packaging_check "tarball: a program runs from it" packaging_runs "$folder/$name/bin" "$folder/seven"
    packaging_check "tarball: it says how it is installed" grep -q '/usr/local' "$folder/$name/INSTALL"
    packaging_check "tarball: everything is root's" test -z "$(tar -tvJf "$first" --numeric-owner | awk '$2 != "0/0"')"
    mkdir "$folder/there"
    sh -c "cd '$folder/$name' && DESTDIR='$folder/there' && $(sed -n 's/^    \(tar .*\)/\1/p' "$folder/$name/INSTALL" | sed "s|/usr/local|'$folder/there'|")"
    packaging_check "tarball: the instructions install it" packaging_runs "$folder/there/bin" "$folder/seven"
}

test_deb() {
    local folder=$1 package again
    package=$(deb_command "$folder/deb" 2>/dev/null)
    again=$(deb_command "$folder/deb-again" 2>/dev/null)
    packaging_check "deb: two runs make the same bytes" cmp "$package" "$again"
    packaging_check "deb: lintian finds nothing" packaging_lintian "$package"
    packaging_check "deb: no file of it is in a package of Debian's QEMU" packaging_has_no_qemu "$package"
    packaging_check "deb: it installs, runs and leaves nothing" packaging_deb_cycle "$folder" "$package"
}

packaging_lintian() {
    local said
    said=$(lintian --allow-root --tag-display-limit 0 --display-info --pedantic --fail-on none "$1" 2>&1 || true)
    said=$(grep -v '^N:' <<<"$said" || true)
    [ -z "$said" ] || { printf '%s\n' "$said"; return 1; }
}

packaging_has_no_qemu() { ! dpkg-deb -c "$1" | grep -E '/(usr/)?bin/qemu'; }

# In a root of its own, with dpkg's own bookkeeping: the host's packages stay as they are.
packaging_deb_cycle() {
    local root=$1/dpkg name status=0
    local dpkg=(dpkg --root="$root" --force-not-root --force-script-chrootless --log=/dev/null)
    mkdir -p "$root/var/lib/dpkg/"{info,updates,triggers}
    : >"$root/var/lib/dpkg/status"
    "${dpkg[@]}" -i "$2" >/dev/null
    contains "$("$root/usr/bin/martlet" --version)" 'martlet version'
    for name in martlet martlet-system martlet-riscv64; do
        contains "$(MANPATH="$root/usr/share/man" man -w $name)" "$root/usr/share/man/man1/martlet"
    done
    MARTLET_CACHE_DIR="$1" "$root/usr/bin/martlet-riscv64" "$1/seven" x || status=$?
    [ $status = 7 ]
    "${dpkg[@]}" -r martlet >/dev/null
    "${dpkg[@]}" -P martlet >/dev/null 2>&1 || true
    equal '' "$(find "$root" -path "$root/var" -prune -o ! -type d -print)"
    equal '' "$(find "$root" -mindepth 1 -maxdepth 1 ! -name var)"
    equal '' "$(find "$root/var/lib/dpkg/info" -name 'martlet*')"
}

test_container_files() {
    packaging_check "container: the daemon set is YAML" python3 -c '
import sys, yaml
documents = [d for d in yaml.safe_load_all(open(sys.argv[1])) if d]
kinds = [d["kind"] for d in documents]
assert kinds == ["DaemonSet"], kinds
pod = documents[0]["spec"]["template"]["spec"]
assert pod["containers"][0]["securityContext"]["privileged"] is True
assert pod["containers"][0]["args"] == ["--install", "all", "--force", "--wait"]
' "$REPO/Packaging/kubernetes-daemonset.yaml"
    packaging_check "container: the entry point is the program's" grep -qxF 'ENTRYPOINT ["/usr/bin/martlet", "binfmt", "--mount"]' "$REPO/Packaging/Containerfile"
}
