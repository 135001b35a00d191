# Completion for bash. Scripts/documents.sh puts lists in place of lines in @, from the programs' own option tables.
# It needs bash alone; where the package bash-completion is, the words of the guest's program are completed as its command's.

# The options of a command.
_martlet_options() {
    case "$1" in
@words run@
@words report@
@words binfmt@
@words system@
    esac
}

# The argument that an option of a command takes: nothing for none.
_martlet_argument() {
    case "$1:$2" in
@bash run@
@bash report@
@bash binfmt@
@bash system@
    esac
}

# Words for an argument, as the help describes it: alternatives behind |, names of files.
_martlet_value() {
    local word choices=()
    for word in ${1//|/ }; do
        case "$word" in
            FILE | PATH | file:PATH | *:FILE | ARGV0) compopt -o filenames 2>/dev/null; mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$2") ;;
            DIR) compopt -o filenames 2>/dev/null; mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$2") ;;
            *[A-Z]*) ;;
            *) choices+=("$word") ;;
        esac
    done
    [ ${#choices[@]} = 0 ] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "${choices[*]}" -- "$2")
}

# _martlet_words COMMAND FIRST HOW: completes the current word; the command's words begin at FIRST. HOW is what stands behind the options:
# `program`: a program and its arguments; `--`: files, and a program behind --; anything else: these words.
_martlet_words() {
    local command=$1 at=$2 how=$3 word argument
    while [ "$at" -lt "$count" ]; do
        word=${words[at]}
        if [ "$word" = -- ]; then
            if [ "$how" = -- ]; then _martlet_words run $((at + 1)) program; else _martlet_program $((at + 1)); fi
            return
        fi
        case "$word" in
            -?*)
                argument=$(_martlet_argument "$command" "$word")
                if [ -n "$argument" ]; then
                    if [ $((at + 1)) = "$count" ]; then _martlet_value "$argument" "$current"; return; fi
                    at=$((at + 1))
                fi
                ;;
            *) if [ "$how" = program ]; then _martlet_program "$at"; return; fi ;;
        esac
        at=$((at + 1))
    done
    case "$current" in
        -*) mapfile -t COMPREPLY < <(compgen -W "$(_martlet_options "$command")" -- "$current") ;;
        *)
            case "$how" in
                program | --) _martlet_value FILE "$current" ;;
                *) mapfile -t COMPREPLY < <(compgen -W "$how" -- "$current") ;;
            esac
            ;;
    esac
}

# The guest's program stands at word $1.
_martlet_program() {
    local at=$1
    if [ "$1" -lt "$count" ] && declare -F _command_offset >/dev/null; then
        # bash may have cut words in front of it.
        while [ "$at" -lt "$COMP_CWORD" ] && [ "${COMP_WORDS[at]}" != "${words[$1]}" ]; do at=$((at + 1)); done
        _command_offset "$at"
    else
        _martlet_value FILE "$current"
    fi
}

_martlet() {
    local name=${1##*/} words count current reply
    # Words as the program gets them: bash itself ends a word at = and : too. Quotes are not looked at.
    read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
    case "${COMP_LINE:0:COMP_POINT}" in *[[:blank:]]) words+=('') ;; esac
    count=$((${#words[@]} - 1)) current=${words[-1]}
    COMPREPLY=()
    _martlet_complete "$name"
    # What bash replaces begins behind the last = or :.
    case "$current" in
        *[=:]*)
            reply=${current%"${current##*[=:]}"}
            COMPREPLY=("${COMPREPLY[@]#"$reply"}")
            ;;
    esac
}

_martlet_complete() {
    local name=$1
    case "$name" in
        martlet-system-*) _martlet_words system 1 '' ;;
        martlet-system) _martlet_machine 1 ;;
        martlet-*) _martlet_words run 1 program ;;
        *)
            if [ "$count" = 1 ] && [[ $current != -* && $current != */* ]]; then
                mapfile -t COMPREPLY < <(compgen -W '@COMMANDS@' -- "$current")
                return
            fi
            case "${words[1]}" in
                run) _martlet_words run 2 program ;;
                system) _martlet_machine 2 ;;
                report) _martlet_words report 2 -- ;;
                binfmt) _martlet_words binfmt 2 '@GUESTS@ all' ;;
                help | version) ;;
                *) _martlet_words run 1 program ;;
            esac
            ;;
    esac
}

# The target stands at word $1.
_martlet_machine() {
    if [ "$count" = "$1" ]; then
        mapfile -t COMPREPLY < <(compgen -W '@TARGETS@' -- "$current")
    else
        _martlet_words system $(($1 + 1)) ''
    fi
}

complete -F _martlet martlet martlet-system @NAMES@
