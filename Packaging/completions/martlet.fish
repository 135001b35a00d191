# Completion for fish. Scripts/documents.sh puts lists in place of lines in @, from the programs' own option tables.

# Which command's options may stand where the cursor is; nothing behind a guest's program.
function __martlet_command
    set -l words (commandline -opc)
    set -l name (string replace -r '.*/' '' -- $words[1])
    set -l rest $words[2..-1]
    switch $name
        case 'martlet-system-*'
            echo system
            return
        case martlet-system
            test (count $rest) -ge 1; and echo system; or echo target
            return
        case 'martlet-*'
            __martlet_is_before_program $rest; and echo run
            return
    end
    if test (count $rest) = 0
        echo first
        return
    end
    switch $rest[1]
        case system
            test (count $rest) -ge 2; and echo system; or echo target
        case report
            set -l at (contains -i -- -- $rest)
            if test -z "$at"
                echo report
            else
                __martlet_is_before_program $rest[(math $at + 1)..-1]; and echo run
            end
        case binfmt
            echo binfmt
        case help version
        case run
            __martlet_is_before_program $rest[2..-1]; and echo run
        case '*'
            __martlet_is_before_program $rest; and echo run
    end
end

# No word of these is the guest's program.
function __martlet_is_before_program
    set -l skips 0
    for word in $argv
        if test $skips = 1
            set skips 0
            continue
        end
        switch $word
            case --
                return 1
            case '-*'
                contains -- (string replace -r '^--?' '' -- $word) @ARGUMENTS@
                and set skips 1
            case '*'
                return 1
        end
    end
    return 0
end

# The command is this one.
function __martlet_is
    set -l command (__martlet_command)
    test "$command" = $argv[1]
end

# Without a command, options are those of run.
function __martlet_options_of
    __martlet_is $argv[1]
    or begin
        test $argv[1] = run
        and __martlet_is first
    end
end

# Behind `report --` options of run stand, where fish itself expects none any more.
function __martlet_is_behind_dashes
    set -l words (commandline -opc)
    contains -- -- $words; and __martlet_is run
end

# The first word may be a program's path too.
function __martlet_wants_a_command
    __martlet_is first; and not string match -q -- '*/*' (commandline -ct)
end

for name in martlet martlet-system @NAMES@
    complete -c $name -n '__martlet_is binfmt' -f -a '@GUESTS@ all'
    complete -c $name -n '__martlet_is target' -f -a '@TARGETS@'
    complete -c $name -n __martlet_is_behind_dashes -a '@OPTIONS@'
@fish run@
@fish report@
@fish binfmt@
@fish system@
end
@first commands@
