// The monitor's commands for disks: words to calls, and what comes of them to text. Names and messages are those of QEMU's monitor.

import BlockLayer
import Options

/// What a command wants of its words.
struct CommandWords {
    private(set) var words: [Substring]
    private let usage: String

    init(_ words: [Substring], usage: String) { (self.words, self.usage) = (words, usage) }

    /// Letters behind a dash, before the other words.
    mutating func flag(_ letter: Character) -> Bool {
        guard let index = words.firstIndex(where: { $0 == "-\(letter)" }) else { return false }
        words.remove(at: index)
        return true
    }

    mutating func word() throws(OptionError) -> String {
        guard let word = optional() else { throw OptionError("usage: \(usage)") }
        return word
    }

    mutating func optional() -> String? { words.isEmpty ? nil : String(words.removeFirst()) }

    /// In MiB, but for those with a suffix.
    mutating func size() throws(OptionError) -> UInt64 {
        let text = try word()
        guard let size = parseSize(text, unit: 1 << 20) else {
            throw OptionError("'\(text)' is no size; wanted a number of MiB, or one with B, K, M, G, T")
        }
        return size
    }

    func end() throws(OptionError) {
        if let word = words.first { throw OptionError("'\(word)' is too much; usage: \(usage)") }
    }
}

extension Monitor {
    private typealias Body = (BlockCommands, inout CommandWords) throws -> Void

    static var blockCommands: [Command] {
        var rows: [Command] = []
        func row(_ name: String, _ arguments: String, _ help: String, _ body: @escaping Body) {
            rows.append(
                Command(names: [name], arguments: arguments, help: help) { monitor, given in
                    guard let commands = monitor.sources.block else { return "Error: the machine has no disks\n" }
                    var words = CommandWords(given, usage: "\(name) \(arguments)")
                    do { try body(commands, &words) } catch let error as OptionError {
                        return "Error: \(error.message)\n"
                    } catch { return "Error: \((error as? BlockCommandError).map(text) ?? "\(error)")\n" }
                    return ""
                })
        }
        func jobRow(_ name: String, _ help: String, _ body: @escaping (BlockCommands, String) throws -> Void) {
            row(name, "DEVICE", help) { commands, words in
                let job = try words.word()
                try words.end()
                try body(commands, job)
            }
        }
        func copyRow(
            _ name: String, _ flags: String, _ help: String,
            _ body: @escaping (BlockCommands, String, CopyTarget) throws -> Void
        ) {
            row(name, "\(flags) DEVICE TARGET [FORMAT]", help) { commands, words in
                let isReused = words.flag("n"), isFull = words.flag("f")
                let isCompressed = flags.contains("-c") && words.flag("c")
                let device = try words.word(), path = try words.word(), format = words.optional()
                try words.end()
                var target = CopyTarget(path: path, format: format, isReused: isReused, isFull: isFull)
                target.isCompressed = isCompressed
                try body(commands, device, target)
            }
        }
        row("block_resize", "DEVICE SIZE", "give a disk another size") { commands, words in
            let device = try words.word(), size = try words.size()
            try words.end()
            try commands.resize(device, to: size)
        }
        row("commit", "DEVICE|all", "write what a disk's image holds into the one below it") { commands, words in
            let device = try words.word()
            try words.end()
            if device == "all" { try commands.commitAll() } else { try commands.commit(device) }
        }
        copyRow(
            "drive_mirror", "[-n] [-f]", "keep a copy of a disk; -n: of an image that is there; -f: all of the disk"
        ) {
            try $0.mirror($1, to: $2)
        }
        copyRow(
            "drive_backup", "[-n] [-f] [-c]",
            "make a copy of a disk as it is now; -c: compressed; -n and -f as for drive_mirror"
        ) {
            try $0.backup($1, to: $2)
        }
        row(
            "block_stream", "DEVICE [SPEED [BASE]]",
            "make what a disk shows from below its own, up to an image that stays"
        ) {
            commands, words in
            let device = try words.word(), speed = words.words.isEmpty ? 0 : try words.size(), base = words.optional()
            try words.end()
            try commands.stream(device, to: base, speed: speed)
        }
        row("block_job_set_speed", "DEVICE SPEED", "limit a job to so much in a second; 0: no limit") {
            commands, words in
            let job = try words.word(), speed = try words.size()
            try words.end()
            try commands.setSpeed(job, speed)
        }
        row("block_job_cancel", "[-f] DEVICE", "end a job; a mirror that is ready stays a copy") { commands, words in
            _ = words.flag("f")
            let job = try words.word()
            try words.end()
            try commands.cancel(job)
        }
        jobRow("block_job_complete", "put a mirror that is ready in the disk's place") { try $0.complete($1) }
        jobRow("block_job_pause", "let a job rest") { try $0.pause($1) }
        jobRow("block_job_resume", "let a job go on") { try $0.resume($1) }
        row("eject", "[-f] DEVICE", "take a medium out; -f: also one that the guest keeps") { commands, words in
            let forces = words.flag("f"), device = try words.word()
            try words.end()
            try commands.eject(device, forces: forces)
        }
        row(
            "change", "DEVICE [-f] FILE [FORMAT [retain|read-only|read-write]]",
            "put in another medium; -f: also where the guest keeps the old one"
        ) { commands, words in
            let forces = words.flag("f"), device = try words.word(), file = try words.word()
            let format = words.optional(), word = words.optional() ?? "retain"
            try words.end()
            if device == "vnc" { throw OptionError("there is no display whose password could be changed") }
            guard let access = MediumAccess(rawValue: word) else {
                throw OptionError("'\(word)' is not known; wanted retain, read-only or read-write")
            }
            try commands.change(device, to: file, format: format, access: access, forces: forces)
        }
        return rows
    }

    private static func text(_ error: BlockCommandError) -> String {
        switch error {
        case .noDevice(let name): "Cannot find device '\(name)'; 'info block' lists them"
        case .notRemovable(let name): "Device '\(name)' is not removable"
        case .locked(let name): "Device '\(name)' is locked by the guest; 'eject -f' takes its medium anyway"
        case .noMedium(let name): "Device '\(name)' has no medium"
        case .noBase(let name, let device): "'\(name)' is not below '\(device)'; 'info block -v' lists what is"
        case .notCompressible(let path):
            "\(path): only qcow2 with clusters of at most 64 KiB can be compressed here"
        case .fixedSize(let name): "'\(name)' cannot have another size: it is flash memory"
        case .busy(let device, let kind):
            "Node '\(device)' is busy: block device is in use by block job: \(kind.rawValue)"
        case .noJob(let id): "Block job '\(id)' not found; 'info block-jobs' lists them"
        case .notReady(let job):
            "Block job '\(job)' cannot be completed now; a mirror can when 'info block-jobs' says that it is ready"
        case .alreadyPaused: "Job is already paused"
        case .notPaused: "Can't resume a job that was not paused"
        case .noBacking(let device): "'\(device)' does not lie on another image"
        case .readOnly(let device): "'\(device)' can only be read"
        case .noFormat(let name): "there is no format '\(name)'; there are \(imageFormats.joined(separator: ", "))"
        case .targetTooSmall(let size, let wanted): "the target has \(size) bytes; wanted at least \(wanted)"
        case .failed(let error): error.description
        }
    }
}
