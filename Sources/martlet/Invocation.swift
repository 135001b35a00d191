// From the command line to a run.
//
//   martlet run [OPTIONS] PROGRAM [ARGUMENTS...]      finds the guest from the ELF header
//   martlet-riscv64 [OPTIONS] PROGRAM ...             a link to this binary: the name selects mode and target
//   qemu-riscv64 [OPTIONS] PROGRAM ...                the same, and `-static` variants
//   started by the kernel's binfmt_misc               no word is an option: BinfmtStart.swift

import Diagnostics
import EngineSetup
import ExecutionEngine
import GuestKit
import HostOS
import LinuxUser

/// The word by which Martlet starts itself for a program that a guest executes: as `run`, but all options come from the
/// parent by way of the arguments, and the parent's log is appended to.
let relaunchCommand = "run-executed"

/// Bytes of the command line as text, for names and messages.
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

struct Invocation {
    /// Raw bytes: a guest's arguments need not be valid text.
    private let arguments: [[UInt8]]
    /// What the program is called by, without folders.
    private let name: String
    /// The guest that the program's name asks for.
    private var guest: GuestRow?
    private var isDirect = false

    init(_ arguments: [[UInt8]]) {
        self.arguments = arguments
        let path = arguments.first ?? [], slash = UInt8(ascii: "/")
        let end = path.lastIndex { $0 != slash }.map { $0 + 1 } ?? 0
        let start = path[..<end].lastIndex(of: slash).map { $0 + 1 } ?? 0
        name = end > 0 ? text(Array(path[start..<end])) : "martlet"
        guard name.utf8.contains(UInt8(ascii: "-")) else { return }
        for row in allGuests {
            for form in [
                "martlet-\(row.name)", "qemu-\(row.name)", "qemu-\(row.name)-static", "martlet-\(row.name)-static",
            ]
            where name == form {
                guest = row
                isDirect = true
            }
        }
    }

    func run() throws(CommandError) -> Int32 {
        if let start = BinfmtStart(arguments) { return try runUser(start) }
        if SystemSibling.isMeant(by: name) { try SystemSibling.run(arguments) }
        if isDirect { return try runUser(Array(arguments.dropFirst())) }
        guard let command = arguments.dropFirst().first.map(text) else {
            throw CommandError("usage: martlet run [OPTIONS] PROGRAM [ARGUMENTS...]; 'martlet help' says more")
        }
        switch command {
        case "run": return try runUser(Array(arguments.dropFirst(2)))
        case relaunchCommand: return try runUser(Array(arguments.dropFirst(2)), isRelaunch: true)
        case "system": try SystemSibling.run([Array("martlet-system".utf8)] + arguments.dropFirst(2))
        case "img": try SystemSibling.run([Array("qemu-img".utf8)] + arguments.dropFirst(2))
        case "nbd": try SystemSibling.run([Array("qemu-nbd".utf8)] + arguments.dropFirst(2))
        case "report": return try ReportCommand(Array(arguments.dropFirst(2))).run()
        case "binfmt": return try BinfmtCommand(Array(arguments.dropFirst(2))).run()
        case "options":
            writeStandardOutput(try OptionTables.text(of: arguments.dropFirst(2).first.map(text)))
            return 0
        case "help", "-h", "-help", "--help":
            writeStandardOutput(Self.usage)
            return 0
        case "version", "-version", "--version":
            writeStandardOutput(Self.version)
            return 0
        case _ where command.hasPrefix("-") || command.contains("/"):
            // Options or a program without the word: `martlet ./hello`.
            return try runUser(Array(arguments.dropFirst()))
        default:
            throw CommandError(
                "unknown command '\(command)'; wanted \(allCommands.map(\.word).joined(separator: ", ")) ('martlet run PROGRAM')"
            )
        }
    }

    // MARK: User mode

    private func runUser(_ arguments: [[UInt8]], isRelaunch: Bool = false) throws(CommandError) -> Int32 {
        var line = UserCommandLine()
        line.isExecuted = isRelaunch
        if !isRelaunch { try readEnvironment(&line) }
        let end = try UserOption.read(arguments.map(text), userOptions, into: &line, usage: "martlet run -h") {
            if $1.isInherited { $0.inherited += arguments[$2] }
        }
        let rest = arguments[end...]
        if line.wantsHelp {
            writeStandardOutput(Self.userHelp)
            return 0
        }
        if line.wantsVersion {
            writeStandardOutput(Self.version)
            return 0
        }
        if line.logItems == "help" || line.logItems == "?" {
            writeStandardOutput(LogItem.help)
            return 0
        }
        if line.cpu == "help" || line.cpu == "?" {
            writeStandardOutput((guest ?? allGuests[0]).cpuHelp())
            return 0
        }
        guard let program = rest.first else {
            throw CommandError("no program to run; 'martlet run PROGRAM [ARGUMENTS]'")
        }
        let diagnostics = try makeDiagnostics(line, appending: isRelaunch)
        return try UserRun(
            line: line, guest: guest, program: text(program), arguments: Array(rest.dropFirst()),
            diagnostics: diagnostics
        ).run()
    }

    /// A program that the kernel has started by way of binfmt_misc.
    private func runUser(_ start: BinfmtStart) throws(CommandError) -> Int32 {
        var line = UserCommandLine()
        try readEnvironment(&line)
        line.programDescriptor = start.descriptor
        line.argumentZero = start.argumentZero
        return try UserRun(
            line: line, guest: guest, program: text(start.words[0]), arguments: Array(start.words.dropFirst()),
            diagnostics: try makeDiagnostics(line, appending: false)
        ).run()
    }

    private func readEnvironment(_ line: inout UserCommandLine) throws(CommandError) {
        // The environment of a program with more rights than its user has is the user's: it may not name files.
        if HostProcess.isSecure { return }
        for prefix in ["QEMU_", "MARTLET_"] {
            for entry in HostProcess.environment where entry.starts(with: prefix.utf8) {
                guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
                let name = text(Array(entry[..<equals]))
                let value = text(Array(entry[(equals + 1)...]))
                guard let option = userOptions.first(where: { $0.variable.map { prefix + $0 } == name }) else {
                    continue
                }
                if option.argument == nil, value == "0" { continue }
                if option.isInherited {
                    line.inherited.append(Array(("-" + option.names[0]).utf8))
                    if option.argument != nil { line.inherited.append(Array(value.utf8)) }
                }
                try option.set(&line, value, after: name + "=")
            }
        }
    }

    private func makeDiagnostics(_ line: UserCommandLine, appending: Bool) throws(CommandError) -> Diagnostics {
        var items = line.logItems
        if line.strace { items = items.map { $0 + ",strace" } ?? "strace" }
        do {
            return try Diagnostics(items: items, filter: line.logFilter, file: line.logFile, appending: appending)
        } catch {
            throw CommandError("\(error)")
        }
    }

    static let usage = """
        martlet \(martletVersion): runs programs built for another processor
        \(forms)
        'martlet run -h', 'martlet report -h' and 'martlet binfmt -h' list the options, 'martlet system riscv64 -h' those of a whole machine.
        Guests: \(allGuests.map(\.name).joined(separator: ", ")).

        """

    private static let forms: String = {
        let lines = allCommands.flatMap { row in row.forms.map { ("martlet \(row.word) \($0)", row.help) } }
        let width = lines.map { $0.0.utf8.count }.max() ?? 0
        return lines.enumerated().map { index, line in
            (index == 0 ? "usage: " : "       ") + line.0
                + String(repeating: " ", count: width - line.0.utf8.count + 2) + line.1
        }.joined(separator: "\n")
    }()

    static var version: String { versionText("guests", allGuests.map(\.name)) }

    static var userHelp: String {
        "usage: martlet run [OPTIONS] PROGRAM [ARGUMENTS...]\n\nOptions (environment variable after MARTLET_ or QEMU_):\n"
            + userOptions.map { $0.helpLine() }.joined()
    }
}
