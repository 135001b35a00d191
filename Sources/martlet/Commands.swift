// The words behind `martlet`, as a table: for the help, and for what makes completions and manual pages.

import EngineSetup

struct CommandRow: Sendable {
    let word: String
    /// What stands behind the word, for each way to use it.
    let forms: [String]
    let help: String
    /// Its options, as lines of `CommandOption.tableLine`.
    let options: @Sendable () -> String
}

let allCommands: [CommandRow] = [
    CommandRow(
        word: "run", forms: ["[OPTIONS] PROGRAM [ARGUMENTS...]"], help: "run a program built for another processor",
        options: { userOptions.map { $0.tableLine() }.joined() }),
    CommandRow(
        word: "system", forms: ["TARGET [OPTIONS]"], help: "run a whole machine",
        options: { "" }),  // martlet-system tells them
    CommandRow(
        word: "img", forms: ["COMMAND [OPTIONS] FILE..."], help: "make, check, copy and change disk images",
        options: { "" }),  // it tells them itself
    CommandRow(
        word: "nbd", forms: ["[OPTIONS] FILE"], help: "let others use a disk image over a socket",
        options: { "" }),  // it tells them itself
    CommandRow(
        word: "report", forms: ["[OPTIONS] PROFILE...", "[OPTIONS] -- [RUN-OPTIONS] PROGRAM [ARGUMENTS...]"],
        help: "tell where the time of a program goes",
        options: { reportOptions.map { $0.tableLine(dash: "--") }.joined() }),
    CommandRow(
        word: "binfmt", forms: ["ACTION [OPTIONS] [GUEST...]"],
        help: "let the kernel run programs of the guests by Martlet",
        options: { binfmtOptions.map { $0.tableLine(dash: "--") }.joined() }),
    CommandRow(word: "help", forms: [""], help: "print a summary", options: { "" }),
    CommandRow(word: "version", forms: [""], help: "print version, commit, hosts and guests", options: { "" }),
]

enum OptionTables {
    /// `martlet options`: word, form, nothing, help, with tabs between. `martlet options WORD`: the options of a command.
    static func text(of command: String?) throws(CommandError) -> String {
        guard let command else {
            return allCommands.map { "\($0.word)\t\($0.forms[0])\t\t\($0.help)\n" }.joined()
        }
        guard let row = allCommands.first(where: { $0.word == command }) else {
            throw CommandError("options: there is no command '\(command)'")
        }
        return row.options()
    }
}
