# Manual pages and completions: templates in Packaging/, whose lists come from the programs' own option tables (`martlet options`).
#
# In a template a line @WHAT COMMAND@ stands for the options of a command in the form that the file wants. Anywhere, @VERSION@, @DATE@,
# @GUESTS@, @TARGETS@, @COMMANDS@, @NAMES@ (links), @OPTIONS@ (of `run`) and @ARGUMENTS@ (those that take one, without dashes) stand for words.

RELEASE=                    # the folder of the programs; `use_release` sets it

# Builds the programs, unless MARTLET_BIN names one: then it and its neighbour are taken.
use_release() {
    local martlet
    martlet=$(martlet_binary)
    [ -x "$martlet-system" ] || fail "$martlet-system is not there: both programs are needed"
    RELEASE=$(cd "$(dirname "$martlet")" && pwd)
}

# option_table run|report|binfmt|system|commands: lines of names, argument, variable and help, with tabs between.
option_table() {
    case "$1" in
        system) "$RELEASE/martlet-system" options ;;
        commands) "$RELEASE/martlet" options ;;
        *) "$RELEASE/martlet" options "$1" ;;
    esac
}

# version_line PROGRAM TITLE: what `martlet version` says behind TITLE.
version_line() { "$RELEASE/$1" version | sed -n "s/^$2: //p"; }

martlet_version() { "$RELEASE/martlet" version | sed -n '1s/^martlet version //p'; }

# When the tree was changed last, in seconds since 1970: what is made of one commit is the same whenever it is made.
source_date() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        printf '%s' "$SOURCE_DATE_EPOCH"
    else
        git -C "$REPO" log -1 --format=%ct 2>/dev/null || stat -c %Y "$REPO/CHANGELOG.md"
    fi
}

# fill TEMPLATE: prints the file that it describes.
fill() {
    local line word what command
    declare -A words
    words[VERSION]=$(martlet_version)
    words[DATE]=$(LC_ALL=C date -u -d "@$(source_date)" +%Y-%m-%d)
    words[GUESTS]=$(version_line martlet guests | tr -d ,)
    words[TARGETS]=$(version_line martlet-system targets | tr -d ,)
    words[COMMANDS]=$(option_table commands | cut -f 1 | paste -sd ' ')
    words[NAMES]=$(links martlet | cut -d ' ' -f 2 | paste -sd ' ')
    words[OPTIONS]=$(option_table run | cut -f 1 | tr , ' ' | paste -sd ' ')
    words[ARGUMENTS]=$(option_table run | awk -F '\t' '$2 != "" { gsub(/(^|,)--?/, " ", $1); print $1 }' | paste -sd ' ')
    while IFS= read -r line || [ -n "$line" ]; do
        if [[ $line =~ ^@([a-z]+)\ ([a-z]+)@$ ]]; then
            what=${BASH_REMATCH[1]} command=${BASH_REMATCH[2]}
            option_table "$command" | "options_for_$what" "$command"
            continue
        fi
        for word in "${!words[@]}"; do line=${line//"@$word@"/${words[$word]}}; done
        printf '%s\n' "$line"
    done <"$1"
}

# Paragraphs of man(7). A dash is the minus sign there, a backslash begins a request, and so does a dot or a quote in front.
options_for_man() {
    awk -F '\t' '
        function escape(text) { gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); sub(/^[.'\'']/, "\\\\\\&&", text); return text }
        {
            count = split($1, names, ",")
            left = ""
            for (i = 1; i <= count; i++) left = left (i > 1 ? "\\fR, " : "") "\\fB" escape(names[i])
            if ($2 != "") left = left "\\fR \\fI" escape($2)
            print ".TP"
            print left "\\fR"
            print escape($4)
            if ($3 != "") { print ".br"; print "Environment: \\fBMARTLET_" $3 "\\fR, \\fBQEMU_" $3 "\\fR" }
        }'
}

# Lines of a shell's case: the names of options that take an argument, and which.
options_for_bash() {
    awk -F '\t' -v command="$1" '{
        gsub(/'\''/, "", $2)
        split($1, names, ",")
        if ($2 == "") next
        for (i = 1; i in names; i++) print "        " command ":" names[i] ") printf %s '\''" $2 "'\'' ;;"
    }'
}

# One word list for each command.
options_for_words() {
    awk -F '\t' -v command="$1" '{ gsub(/,/, " ", $1); words = words " " $1 } END { print "        " command ") printf %s '\''" substr(words, 2) "'\'' ;;" }'
}

# Specifications for _arguments.
options_for_zsh() {
    awk -F '\t' -v quote="'" '
        # Inside single quotes; brackets and colons are separators of a specification.
        function plain(text) {
            gsub(/\[/, "\\[", text); gsub(/\]/, "\\]", text); gsub(/:/, "\\:", text)
            gsub(quote, quote "\\" quote quote, text)
            return text
        }
        function action(argument) {
            if (argument ~ /(^|\|)DIR$/) return "_files -/"
            if (argument ~ /(^|[|:])(FILE|PATH)$/ && argument !~ /\|/) return "_files"
            if (argument ~ /^[a-z|:]+(\|FILE|:PATH)?$/) {
                list = argument
                gsub(/\|?(FILE|file:PATH)$/, "", list)
                gsub(/:/, "\\:", list)
                gsub(/\|/, " ", list)
                return "{ _values -- value " list "; _files }"
            }
            return " "
        }
        {
            count = split($1, names, ",")
            all = $1; gsub(/,/, " ", all)
            for (i = 1; i <= count; i++) {
                spec = (count > 1 ? "(" all ")" : "*") names[i] "[" plain($4) "]"
                if ($2 != "") spec = spec ":" plain($2) ":" action($2)
                print "        " quote spec quote
            }
        }'
}

# Words and what they mean, for _describe.
options_for_pairs() {
    awk -F '\t' '{ gsub(/'\''/, "", $4); print "                    '\''" $1 ":" $4 "'\''" }'
}

# The first word, in fish.
options_for_first() {
    awk -F '\t' '{ gsub(/'\''/, "", $4); print "complete -c martlet -n __martlet_wants_a_command -f -a " $1 " -d '\''" $4 "'\''" }'
}

# Lines of fish: -o for a name behind one dash, -l behind two; -x: an argument that is no file, -r: one that is. Letters are no short options
# (-s): fish would take what follows a letter for its argument.
options_for_fish() {
    awk -F '\t' -v command="$1" -v quote="'" '
        function quoted(text) { gsub(quote, "\\" quote, text); return quote text quote }
        {
            count = split($1, names, ",")
            line = "complete -c $name -n " quoted("__martlet_options_of " command)
            for (i = 1; i <= count; i++) {
                name = names[i]
                if (name ~ /^--/) line = line " -l " substr(name, 3)
                else line = line " -o " substr(name, 2)
            }
            if ($2 ~ /FILE$|PATH$|DIR$/) line = line " -r"
            else if ($2 != "") line = line " -x"
            if ($2 ~ /^[a-z|:]+(\|FILE|\|file:PATH)?$/) {
                list = $2; gsub(/\|?(FILE|file:PATH)$/, "", list); gsub(/\|/, " ", list)
                line = line " -a " quoted(list)
            }
            print "    " line " -d " quoted($4)
        }'
}

# check_manuals FILE...: the formatter and the checker have nothing to say.
check_manuals() {
    local file said
    for file in "$@"; do
        said=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$file" 2>&1 >/dev/null)
        [ -z "$said" ] || { printf '%s\n' "$said"; return 1; }
        said=$(mandoc -T lint -W warning "$file" 2>&1) || { printf '%s\n' "$said"; return 1; }
    done
}
