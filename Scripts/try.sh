# devtool try [PROGRAM ARGS...]: build, then run a guest program: the given one, or a tour with a static busybox.
# devtool try system [OPTIONS...]: build, then boot Debian's kernel to a shell; OPTIONS are added to the machine's.

try_command() {
    local martlet busybox
    if [ "${1:-}" = system ]; then
        shift
        try_system "$@"
        return
    fi
    martlet=$(martlet_binary)
    if [ $# -gt 0 ]; then exec "$martlet" "$@"; fi
    busybox=$(static_busybox)
    say "a riscv64 shell script under $(basename "$martlet") on $(uname -m)"
    PATH=/nonexistent "$martlet" "$busybox" sh "$REPO/Scripts/tour.sh" "$busybox"
    say "done: the program above was $(file_kind "$busybox")"
}

# A machine whose terminal is this one, or, where standard input is none, types what comes from there: SYSTEM names the emulator
# (default: this martlet), LIMIT the seconds that such a machine may take. Ends with the machine's status; 124: it took too long.
try_system() {
    local command=() options=()
    if [ -n "${SYSTEM:-}" ]; then
        read -ra command <<<"$SYSTEM"
    else
        command=("$(martlet_binary)" system riscv64)
    fi
    guest_payloads
    mapfile -t options < <(payload_options)
    command+=("${options[@]}" "$@")
    if [ -t 0 ]; then exec "${command[@]}"; fi
    type_to_machine "${LIMIT:-600}" "${command[@]}"
}

# What a prompt is, as a regular expression for the end of a line; how long a line waits for one (see `await_prompt`); how a machine is switched
# off.
MACHINE_PROMPT="($PAYLOAD_PROMPT.*# |> )\$"
MACHINE_PATIENCE=20
MACHINE_OFF='poweroff -f'

# type_to_machine SECONDS COMMAND...: types standard input to a machine, a line whenever its shell has a prompt, and copies what the
# machine prints (but for NULs). The machine gets no end of input; at the end of ours, once there is a prompt again, it is switched off.
#
# Nothing is lost: a line is typed when the one before it has been read. A program that reads lines itself shows no prompt: then the next
# line is typed when nothing has been printed for a second, which the kernel's buffers have room for.
type_to_machine() {
    local seconds=$1 line="" status=0 folder machine LC_ALL=C
    shift
    folder=$(mktemp -d)
    mkfifo "$folder/input"
    # Opened for both directions, a FIFO neither waits for its other end nor ends.
    exec 7<>"$folder/input"
    rm -rf "$folder"
    exec 8< <(exec timeout --foreground --kill-after=5 "$seconds" "$@" <&7 7>&-)
    machine=$!
    # shellcheck disable=SC2064
    trap "kill '$machine' 2>/dev/null || true" EXIT
    machine_tail=""
    if await_prompt forever; then
        while IFS= read -r line || [ -n "$line" ]; do
            type_line "$line"
            await_prompt "$MACHINE_PATIENCE" || break
            line=""
        done
        if await_prompt forever; then
            type_line "$MACHINE_OFF"
            cat <&8
        fi
    fi
    wait "$machine" || status=$?
    trap - EXIT
    exec 7>&- 8<&-
    [ "$status" != 124 ] || note "the machine did not end within $seconds seconds"
    return "$status"
}

# Ctrl-A is the escape key of emulators' terminals: twice is once.
type_line() {
    machine_tail=""
    printf '%s\n' "${1//$'\x01'/$'\x01\x01'}" >&7
}

# await_prompt N|forever: copies what the machine prints until that ends with a prompt, or N twentieths of a second long nothing came.
# Fails when the machine has ended.
await_prompt() {
    local enough=$1 part quiet=0 status
    while :; do
        status=0
        IFS= read -r -t 0.05 -N 4096 part <&8 || status=$?
        printf '%s' "$part"
        # More than 128: the time was over; else it is the end.
        [ $status = 0 ] || [ $status -gt 128 ] || return 1
        if [ -n "$part" ]; then
            machine_tail+=$part
            machine_tail=${machine_tail##*$'\n'}
            # The shell asks the terminal where the cursor is.
            machine_tail=${machine_tail%$'\e[6n'}
            quiet=0
            continue
        fi
        [[ ! "$machine_tail" =~ $MACHINE_PROMPT ]] || return 0
        quiet=$((quiet + 1))
        [ "$enough" = forever ] || [ $quiet -lt "$enough" ] || return 0
    done
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
