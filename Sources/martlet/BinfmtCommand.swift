// `martlet binfmt`: the kernel runs programs of the guests by Martlet, by their names alone.

import EngineSetup
import HostOS
import Options

/// What is to be done.
enum BinfmtAction: String, Sendable { case print, register, unregister, status }

struct BinfmtLine: Sendable {
    var action: BinfmtAction?
    var isForDebian = false, isForSystemd = false
    var flags: BinfmtFlags?
    var prefix = "martlet"
    var interpreter: String?
    var replaces = false
    var mounts = false
    var waits = false
    var wantsHelp = false

    mutating func choose(_ action: BinfmtAction) throws(OptionError) {
        if let other = self.action, other != action { throw OptionError("--\(other.rawValue) is asked for already") }
        self.action = action
    }
}

private typealias Option = CommandOption<BinfmtLine>

let binfmtOptions: [CommandOption<BinfmtLine>] = [
    Option("print", help: "print what would be registered, as lines for the kernel") {
        (line, _) throws(OptionError) in try line.choose(.print)
    },
    Option("register", "install", help: "register the guests with the kernel; needs root") {
        (line, _) throws(OptionError) in try line.choose(.register)
    },
    Option("unregister", "uninstall", help: "take them out of the kernel; needs root") {
        (line, _) throws(OptionError) in try line.choose(.unregister)
    },
    Option("status", help: "tell what is registered; status 1 if a guest is not") {
        (line, _) throws(OptionError) in try line.choose(.status)
    },
    Option("systemd", help: "with --print: a file for /etc/binfmt.d, which systemd registers at each boot") {
        (line, _) throws(OptionError) in
        try line.choose(.print)
        line.isForSystemd = true
    },
    Option("debian", help: "with --print: a file for 'update-binfmts --import', of one guest") {
        (line, _) throws(OptionError) in
        try line.choose(.print)
        line.isForDebian = true
    },
    Option(
        "flags", argument: "FLAGS",
        help:
            "of P (keep argv[0]), O (hand over the open file), C (set-user-ID programs work), F (works in containers); default OPF"
    ) { (line, value) throws(OptionError) in
        guard let flags = BinfmtFlags(value) else { throw OptionError("wanted some of the letters P, O, C and F") }
        line.flags = flags
    },
    Option("prefix", argument: "NAME", help: "an entry's name is NAME-GUEST; default martlet") {
        (line, value) throws(OptionError) in
        guard !value.isEmpty, !value.contains(where: { "/: \n".contains($0) }) else {
            throw OptionError("wanted a name without /, : and blanks")
        }
        line.prefix = value
    },
    Option("interpreter", argument: "PATH", help: "the Martlet that is run; default: this one") {
        (line, value) throws(OptionError) in
        guard !value.isEmpty, !value.contains(where: { ":\n".contains($0) }) else {
            throw OptionError("wanted a path without :")
        }
        line.interpreter = absolutePath(value)
    },
    Option("force", help: "with --register: replace an entry of that name") {
        (line, _) throws(OptionError) in line.replaces = true
    },
    Option("mount", help: "mount \(BinfmtKernel.folder) where it is not, as in a container") {
        (line, _) throws(OptionError) in line.mounts = true
    },
    Option("wait", help: "with --register: stay until SIGTERM or SIGINT, then take them out again") {
        (line, _) throws(OptionError) in line.waits = true
    },
    Option("h", "help", help: "print this help and exit") { (line, _) throws(OptionError) in line.wantsHelp = true },
]

struct BinfmtCommand {
    private var line = BinfmtLine()
    private var guests: [GuestRow] = []
    /// Guests were named.
    private var isNamed = false

    init(_ arguments: [[UInt8]]) throws(CommandError) {
        var rest = arguments.map(text)[...]
        while !rest.isEmpty {
            rest = rest.dropFirst(try Option.read(Array(rest), binfmtOptions, into: &line, usage: "martlet binfmt -h"))
            guard let name = rest.popFirst() else { break }
            if name == "all" { continue }
            guard let guest = allGuests.first(where: { $0.name == name }) else {
                throw CommandError(
                    "binfmt: there is no guest '\(name)'; there are \(allGuests.map(\.name).joined(separator: ", ")), and all"
                )
            }
            guests.append(guest)
        }
        isNamed = !guests.isEmpty
        if !isNamed { guests = allGuests }
    }

    func run() throws(CommandError) -> Int32 {
        if line.wantsHelp {
            writeStandardOutput(Self.help)
            return 0
        }
        guard let action = line.action else {
            throw CommandError(
                "binfmt: wanted --print, --register, --unregister or --status; 'martlet binfmt -h' says more")
        }
        if action == .print {
            try print()
            return 0
        }
        try BinfmtKernel.open(mounting: line.mounts)
        switch action {
        case .register:
            try register()
            if line.waits {
                HostProcess.awaitEnd()
                try unregister()
            }
        case .unregister: try unregister()
        default: return status()
        }
        return 0
    }

    private func print() throws(CommandError) {
        let entries = try guests.map { (guest) throws(CommandError) in try entry(guest) }
        if line.isForDebian {
            guard entries.count == 1 else {
                throw CommandError("binfmt: --debian makes the file of one guest: name it")
            }
            writeStandardOutput(entries[0].debianFile)
        } else {
            let comment =
                line.isForSystemd
                ? "# /etc/binfmt.d/\(line.prefix).conf, made by 'martlet binfmt'; systemd-binfmt.service reads it\n"
                : ""
            writeStandardOutput(comment + entries.map { $0.line + "\n" }.joined())
        }
    }

    /// All is looked at before anything is changed.
    private func register() throws(CommandError) {
        var new: [BinfmtEntry] = [], old: Set<String> = []
        for guest in guests {
            let entry = try entry(guest)
            guard HostFile.isExecutable(entry.interpreter) else {
                throw CommandError("binfmt: \(entry.interpreter): no executable file; --interpreter names another one")
            }
            guard let there = BinfmtKernel.entry(entry.name) else {
                new.append(entry)
                continue
            }
            let isSame =
                there.isEnabled && there.matches(entry.pattern) && there.interpreter == entry.interpreter
                && there.flags == entry.flags
            // With F the kernel has a file open, which may be an older one of that name.
            if line.replaces {
                old.insert(entry.name)
                new.append(entry)
            } else if isSame {
                writeStandardOutput("\(entry.name): registered already\n")
            } else {
                throw CommandError(
                    "binfmt: \(entry.name) is registered already (\(there.summary)); --force replaces it")
            }
        }
        for entry in new {
            if old.contains(entry.name) { try BinfmtKernel.remove(entry.name) }
            try BinfmtKernel.register(entry)
            writeStandardOutput("\(entry.name): registered, interpreter \(entry.interpreter)\n")
        }
    }

    /// Guests that are named have to be there, but for those that were to wait here.
    private func unregister() throws(CommandError) {
        let there = guests.filter { BinfmtKernel.entry(name($0)) != nil }
        if isNamed, !line.waits, let missing = guests.first(where: { BinfmtKernel.entry(name($0)) == nil }) {
            throw CommandError("binfmt: \(name(missing)) is not registered")
        }
        for guest in there {
            try BinfmtKernel.remove(name(guest))
            writeStandardOutput("\(name(guest)): removed\n")
        }
        if there.isEmpty { writeStandardOutput("nothing is registered\n") }
    }

    private func status() -> Int32 {
        var isComplete = true
        if !BinfmtKernel.isEnabled { writeStandardOutput("binfmt_misc is switched off: no entry has an effect\n") }
        let names = BinfmtKernel.names
        for guest in guests {
            let own = name(guest), pattern = BinfmtPattern(guest)
            let there = BinfmtKernel.entry(own)
            writeStandardOutput("\(own): \(there?.summary ?? "not registered")\n")
            isComplete = isComplete && there != nil
            for other in names where other != own {
                guard let entry = BinfmtKernel.entry(other), entry.matches(pattern) else { continue }
                writeStandardOutput("  the same programs: \(other): \(entry.summary)\n")
            }
        }
        return isComplete ? 0 : 1
    }

    private func name(_ guest: GuestRow) -> String { "\(line.prefix)-\(guest.name)" }

    private func entry(_ guest: GuestRow) throws(CommandError) -> BinfmtEntry {
        let isTold = BinfmtKernel.tellsOfPreservedArgument
        if let flags = line.flags, flags.contains(.preserveArgument), !isTold {
            throw CommandError("binfmt: --flags \(flags.text): P needs Linux 5.12")
        }
        let usual: BinfmtFlags = isTold ? [.preserveArgument, .openBinary, .fixBinary] : [.openBinary, .fixBinary]
        return BinfmtEntry(
            name: name(guest), pattern: BinfmtPattern(guest), interpreter: line.interpreter ?? Self.interpreter(guest),
            flags: line.flags ?? usual)
    }

    /// The link beside this file that has the guest's name: whatever the flags are, it takes a program's path. Else this file.
    private static func interpreter(_ guest: GuestRow) -> String {
        let own = (try? HostFile.readLink("/proc/self/exe")) ?? "/usr/bin/martlet"
        let link = own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + "martlet-\(guest.name)"
        return HostFile.isExecutable(String(link)) ? String(link) : own
    }

    private static var help: String {
        """
        usage: martlet binfmt ACTION [OPTIONS] [GUEST...]

        Lets the kernel (binfmt_misc) run programs of the guests by Martlet, by their names alone. Without a GUEST it is about all of
        them: \(allGuests.map(\.name).joined(separator: ", ")).


        """ + binfmtOptions.map { $0.helpLine(dash: "--") }.joined()
    }
}
