// What the programs' command lines have in common.

import HostOS
import Options

/// What is wrong with the command line, or kept a program from starting: one line for the user.
public struct CommandError: Error {
    public var message: String
    public var status: Int32
    public init(_ message: String, status: Int32 = 1) {
        self.message = "martlet: " + message
        self.status = status
    }
}

/// An option of a command line that fills a `Line`.
public struct CommandOption<Line>: Sendable {
    /// Names without the dash; the first is the canonical one.
    public let names: [String]
    /// Placeholder of the argument; nil for a switch.
    public let argument: String?
    /// Suffix of an environment variable that says the same, after `MARTLET_` or `QEMU_`; nil: there is none.
    public let variable: String?
    public let help: String
    /// Stores a value ("" for a switch). The error is the part after "martlet: -NAME VALUE: ".
    public let apply: @Sendable (inout Line, String) throws(OptionError) -> Void

    public init(
        _ names: String..., argument: String? = nil, variable: String? = nil, help: String,
        _ apply: @escaping @Sendable (inout Line, String) throws(OptionError) -> Void
    ) {
        self.names = names
        self.argument = argument
        self.variable = variable
        self.help = help
        self.apply = apply
    }

    /// The names with dashes. `dash` is for the long ones; one and two dashes are read alike.
    private func shownNames(_ dash: String) -> [String] { names.map { ($0.utf8.count == 1 ? "-" : dash) + $0 } }

    /// A line of a list of options.
    public func helpLine(dash: String = "-") -> String {
        let left = "  " + shownNames(dash).joined(separator: ", ") + (argument.map { " " + $0 } ?? "")
        let right = help + (variable.map { " [\($0)]" } ?? "")
        return left + String(repeating: " ", count: max(2, 34 - left.count)) + right + "\n"
    }

    /// The same for programs that make completions and manual pages of it: names, argument, variable, help, with tabs between.
    public func tableLine(dash: String = "-") -> String {
        [shownNames(dash).joined(separator: ","), argument ?? "", variable ?? "", help].joined(separator: "\t")
            + "\n"
    }

    /// Stores a value. `origin`: what stands before it in what the user has said.
    @inlinable public func set(_ line: inout Line, _ value: String, after origin: String) throws(CommandError) {
        do { try apply(&line, value) } catch { throw CommandError("\(origin)\(value): \(error.message)") }
    }

    /// Reads options up to a word that is none, or up to `--` and over it: returns where that is. `usage`: what lists the options. `note` is
    /// told of each option and where its words are.
    @inlinable public static func read(
        _ arguments: [String], _ options: [CommandOption], into line: inout Line, usage: String,
        note: (inout Line, CommandOption, Range<Int>) -> Void = { _, _, _ in }
    ) throws(CommandError) -> Int {
        var at = 0
        while at < arguments.count {
            let word = arguments[at], start = at
            guard word.hasPrefix("-"), word != "-" else { break }
            at += 1
            if word == "--" { break }
            let name = String(word.drop { $0 == "-" })
            guard let option = options.first(where: { $0.names.contains(name) }) else {
                throw CommandError("unknown option '\(word)'; '\(usage)' lists them")
            }
            var value = ""
            if let placeholder = option.argument {
                guard at < arguments.count else {
                    throw CommandError("option '\(word)' wants an argument: \(placeholder)")
                }
                value = arguments[at]
                at += 1
            }
            note(&line, option, start..<at)
            try option.set(&line, value, after: option.argument == nil ? word : word + " ")
        }
        return at
    }
}
