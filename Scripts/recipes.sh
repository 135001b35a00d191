# devtool test recipes [all] [NAME...]: Documentation/Recipes.md, run as it stands there. Its top says what words a block has.

RECIPES=$REPO/Documentation/Recipes.md
RECIPE_SECONDS=120              # that one recipe may take
LONG_RECIPE_SECONDS=1800

recipe_tests() {
    local folder name names=() all='' tried=0 passed=0 said
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    chmod 755 "$folder"                 # users of namespaces are not the folder's owner
    mkdir "$folder/bin" "$folder/home" "$folder/blocks"
    # As root of a user namespace: it cannot mount a /sys, and device nodes of an archive are no devices there.
    printf 'USESYSFS=no\nBINDMOUNTS="/dev/null /dev/zero /dev/full /dev/random /dev/urandom"\n' >"$folder/home/.pbuilderrc"
    split_recipes "$folder/blocks" <"$RECIPES"
    for name in "$@"; do
        [ "$name" != all ] || { all=yes; continue; }
        grep -q "^$name " "$folder/blocks/list" || fail "recipes: no recipe '$name': there are $(cut -d' ' -f1 "$folder/blocks/list" | tr '\n' ' ')"
        names+=("$name")
    done
    if [ ${#names[@]} = 0 ]; then mapfile -t names < <(cut -d' ' -f1 "$folder/blocks/list"); elif [ -z "$all" ]; then all=named; fi
    install_recipes_martlet "$folder/bin"
    for name in "${names[@]}"; do
        said=$(recipe_result "$folder" "$name" "$all")
        case "$said" in *': ok'*) passed=$((passed + 1)); tried=$((tried + 1)) ;; *': failed'*) tried=$((tried + 1)) ;; esac
        printf '%s\n' "$said"
    done
    rm -rf "$folder"
    trap - EXIT
    printf '%d passed, %d failed\n' "$passed" $((tried - passed))
    [ "$passed" = "$tried" ]
}

# One static file, that runs also where nothing of the host is seen: MARTLET_BIN, or what the tests' build has linked.
install_recipes_martlet() {
    local program=${MARTLET_BIN:-}
    if [ -z "$program" ]; then
        need_build
        build_swift_tests >&2 || fail "recipes: the tests do not build"
        program=$SCRATCH/tests/release/martlet-static
    fi
    cp "$program" "$1/martlet"
}

# split_recipes FOLDER: FOLDER/list has a line "NAME WORD..." for each recipe, in order, with "not-run REASON" as the words of one that is not
# run. NAME.sh is the block, NAME.prints what its output must have.
split_recipes() {
    awk -v folder="$1" '
        /^```/ && file != ""   { if (file != "-") close(file); file = ""; next }
        /^```/                 {
            file = "-"
            count = split(substr($0, 4), word, " ")
            split(word[2], pair, "=")
            if (pair[1] == "run") {
                name = pair[2]; file = folder "/" name ".sh"; printf "" >file; expects = name
                printf "%s", name >(folder "/list")
                for (i = 3; i <= count; i++) printf " %s", word[i] >(folder "/list")
                printf " \n" >(folder "/list")
            } else if (pair[1] == "not-run") {
                print pair[2] " not-run " (reason == "" ? "no reason given" : reason) >(folder "/list")
            } else if (word[1] == "text" && expects != "") { file = folder "/" expects ".prints"; expects = "" }
            reason = ""
            next
        }
        file == "-"            { next }
        file != ""             { print >file; next }
        /^#/                   { expects = "" }
        /^Not run: /           { reason = substr($0, 10); collecting = 1; next }
        collecting && /^$/     { collecting = 0; sub(/[.:]( .*)?$/, "", reason); next }
        collecting             { reason = reason " " $0 }'
}

# recipe_result FOLDER NAME ALL: runs a recipe, with that in whose folder it is, and prints its line. Each is run once. ALL is empty when
# long ones are left out.
recipe_result() {
    local folder=$1 name=$2 all=$3 words word place=$2 how=() packages=() seconds=$RECIPE_SECONDS before log status=0 start
    local line="$folder/blocks/$name.line"
    if [ -f "$line" ]; then cat "$line"; return; fi
    words=$(sed -n "s/^$name //p" "$folder/blocks/list")
    case "$words" in not-run*) printf '%s: not run (%s)\n' "$name" "${words#not-run }" | tee "$line"; return ;; esac
    for word in $words; do
        case "$word" in
            needs=*) IFS=, read -r -a packages <<<"${word#needs=}" ;;
            in=*) place=${word#in=} ;;
            binfmt) how=(own_binfmt) ;;
            root) [ "$(id -u)" = 0 ] || { printf '%s: not run (only root can)\n' "$name" | tee "$line"; return; } ;;
            long)
                seconds=$LONG_RECIPE_SECONDS
                [ -n "$all" ] || { printf '%s: not run (long: ./devtool test recipes all)\n' "$name" | tee "$line"; return; }
                ;;
            *) fail "recipes: $name: unknown word '$word'" ;;
        esac
    done
    if [ "$place" != "$name" ]; then
        before=$(recipe_result "$folder" "$place" "$all")
        # The recipes of one folder build on one another.
        case "$before" in
            *': ok'*) ;;
            *': failed'*) printf '%s: failed (it needs %s)\n' "$name" "$place" | tee "$line"; return ;;
            *) printf '%s: not run (it needs %s)\n' "$name" "$place" | tee "$line"; return ;;
        esac
    fi
    if [ ${#how[@]} != 0 ] && ! has_own_binfmt; then
        printf '%s: not run (this kernel has no binfmt_misc in a user namespace)\n' "$name" | tee "$line"
        return
    fi
    [ ${#packages[@]} = 0 ] || need "${packages[@]}"
    # A folder is known by the recipe that made it.
    if [ "$place" != "$name" ]; then place=$(cat "$folder/blocks/$place.place"); fi
    printf '%s' "$place" >"$folder/blocks/$name.place"
    mkdir -p "$folder/$place"
    log=$folder/blocks/$name.log
    start=$(date +%s)
    (
        cd "$folder/$place"
        export PATH="$folder/bin:$PATH:/usr/sbin:/sbin" HOME="$folder/home" MARTLET_CACHE_DIR="$folder/home/martlet" LC_ALL=C.UTF-8
        export DEBIAN_FRONTEND=noninteractive NSPAWN='' MIRROR
        [ -d /run/systemd/system ] || NSPAWN='--register=no --keep-unit'
        MIRROR=$(host_mirrors | head -1 | cut -d' ' -f1)
        "${how[@]}" timeout -s KILL "$seconds" bash -e "$folder/blocks/$name.sh"
    ) </dev/null >"$log" 2>&1 || status=$?
    if [ $status = 0 ] && missing_line "$folder/blocks/$name.prints" "$log" >"$log.missing"; then
        printf '%s: ok (%d s)\n' "$name" $(($(date +%s) - start)) | tee "$line"
        return
    fi
    printf '%s: failed\n' "$name" | tee "$line"
    note "$name: status $status$(sed 's/^/, not printed: /' "$log.missing" 2>/dev/null); the end of what it printed:"
    tail -n 20 "$log" | sed 's/^/        /' >&2
}

# missing_line WANTED SEEN: fails when a line of WANTED is not in one of SEEN, behind the line before it; prints that line. Spaces count as one.
missing_line() {
    [ -f "$1" ] || return 0
    awk 'function plain(line) { gsub(/[ \t\r]+/, " ", line); sub(/ $/, "", line); return line }
        FNR == NR { wanted[++count] = plain($0); next }
        found < count && index(plain($0), wanted[found + 1]) { found++ }
        END { if (found < count) { print wanted[found + 1]; exit 1 } }' "$1" "$2"
}

has_own_binfmt() {
    unshare -Ur --mount --pid --fork sh -c 'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc' 2>/dev/null
}

# own_binfmt COMMAND...: as root of a user namespace with a binfmt_misc where Martlet is registered. Root's has all ids, as what installs
# packages wants, and gives them to namespaces within; another user's has that user alone. debootstrap does not try to make devices in what
# calls itself a container of LXC.
own_binfmt() {
    local -x container=lxc
    # shellcheck disable=SC2016
    local inside='mount -t proc proc /proc && martlet binfmt --mount --register riscv64 >/dev/null && exec "$@"'
    if [ "$(id -u)" != 0 ]; then
        unshare -Ur --mount --pid --fork --kill-child sh -c "$inside" sh "$@"
        return
    fi
    local gate
    gate=$(mktemp -d)
    mkfifo "$gate/ready" "$gate/go"
    printf 'root:1:65535\n' >"$gate/ids"
    inside="for file in /etc/subuid /etc/subgid; do [ ! -f \$file ] || mount --bind '$gate/ids' \$file || exit; done; $inside"
    # shellcheck disable=SC2016
    unshare -U --kill-child=KILL sh -c 'gate=$1; shift; echo $$ >"$gate/ready"; read -r line <"$gate/go"
        exec unshare --mount --pid --fork --kill-child=KILL sh -c "$@"' sh "$gate" "$inside" sh "$@" &
    local namespace process=$!
    read -r namespace <"$gate/ready"
    printf '0 0 65536\n' >"/proc/$namespace/uid_map"
    printf '0 0 65536\n' >"/proc/$namespace/gid_map"
    echo >"$gate/go"
    wait $process
    local status=$?
    rm -rf "$gate"
    return $status
}
