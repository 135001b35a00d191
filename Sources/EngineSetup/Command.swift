// What the programs' command lines have in common.

import HostOS

public let martletVersion = "0.1.0"
public var versionText: String { "martlet version \(martletVersion)\n" }

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
    public let help: String
    /// Stores a value ("" for a switch). The error is the part after "martlet: -NAME VALUE: ".
    public let apply: @Sendable (inout Line, String) throws(OptionError) -> Void

    public init(
        _ names: String..., argument: String? = nil, help: String,
        _ apply: @escaping @Sendable (inout Line, String) throws(OptionError) -> Void
    ) {
        self.names = names
        self.argument = argument
        self.help = help
        self.apply = apply
    }

    /// A line of a list of options.
    public var helpLine: String {
        let left = "  " + names.map { "-" + $0 }.joined(separator: ", ") + (argument.map { " " + $0 } ?? "")
        return left + String(repeating: " ", count: max(2, 34 - left.count)) + help + "\n"
    }

    /// Reads a command line of nothing but options. `usage`: what lists them.
    public static func read(
        _ arguments: [String], _ options: [CommandOption], into line: inout Line, usage: String
    ) throws(CommandError) {
        var at = 0
        while at < arguments.count {
            let word = arguments[at]
            at += 1
            let name = String(word.drop { $0 == "-" })
            guard word.hasPrefix("-"), let option = options.first(where: { $0.names.contains(name) }) else {
                throw CommandError(
                    word.hasPrefix("-")
                        ? "unknown option '\(word)'; '\(usage)' lists them"
                        : "'\(word)' is no option; '\(usage)' lists them")
            }
            var value = ""
            if let placeholder = option.argument {
                guard at < arguments.count else {
                    throw CommandError("option '\(word)' wants an argument: \(placeholder)")
                }
                value = arguments[at]
                at += 1
            }
            do { try option.apply(&line, value) } catch {
                throw CommandError("\(word)\(option.argument == nil ? "" : " \(value)"): \(error.message)")
            }
        }
    }
}
