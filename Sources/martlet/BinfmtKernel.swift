// The kernel's binfmt_misc as a folder of files.

import EngineSetup
import HostOS

/// An entry as the kernel tells it.
struct RegisteredBinfmt {
    var isEnabled = false
    var interpreter = ""
    var flags: BinfmtFlags = []
    var magic = "", mask = ""

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 1)
            let value = words.count == 2 ? String(words[1]) : ""
            switch words.first {
            case "enabled": isEnabled = true
            case "interpreter": interpreter = value
            case "flags:": flags = BinfmtFlags(value) ?? []
            case "magic": magic = value
            case "mask": mask = value
            default: break
            }
        }
    }

    func matches(_ pattern: BinfmtPattern) -> Bool {
        func digits(_ bytes: [UInt8]) -> String {
            bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
        return magic == digits(pattern.magic) && mask == digits(pattern.mask)
    }

    var summary: String {
        (isEnabled ? "enabled" : "disabled") + ", interpreter \(interpreter)"
            + (flags.isEmpty ? "" : ", flags \(flags.text)")
    }
}

enum BinfmtKernel {
    static let folder = "/proc/sys/fs/binfmt_misc"

    /// Mounts binfmt_misc where that is asked for and needed; throws where it is not there.
    static func open(mounting: Bool) throws(CommandError) {
        if HostFile.exists(folder + "/register") { return }
        guard HostFile.exists(folder) else {
            throw CommandError(
                "binfmt: this kernel has no binfmt_misc, or /proc is not mounted; 'modprobe binfmt_misc' loads a module"
            )
        }
        guard mounting else {
            throw CommandError(
                "binfmt: \(folder) is not mounted; --mount, or 'mount -t binfmt_misc binfmt_misc \(folder)' as root, mounts it"
            )
        }
        do throws(Errno) { try HostFile.mount("binfmt_misc", at: folder) } catch {
            throw CommandError("binfmt: \(folder) cannot be mounted: \(error.message)")
        }
    }

    static var isEnabled: Bool { (try? HostFile.text(folder + "/status"))?.hasPrefix("enabled") ?? false }

    /// Names of all entries, in order.
    static var names: [String] {
        HostFile.names(in: folder).filter { $0 != "register" && $0 != "status" }.sorted()
    }

    static func entry(_ name: String) -> RegisteredBinfmt? {
        (try? HostFile.text(folder + "/" + name)).map { RegisteredBinfmt($0) }
    }

    static func register(_ entry: BinfmtEntry) throws(CommandError) {
        try send(entry.line, to: "register", what: "register \(entry.name)")
    }

    static func remove(_ name: String) throws(CommandError) { try send("-1", to: name, what: "remove \(name)") }

    private static func send(_ text: String, to file: String, what: String) throws(CommandError) {
        let path = folder + "/" + file
        do throws(Errno) { try HostFile.send(text, to: path) } catch {
            let isRefused = error == .acces || error == .perm || error == .rofs
            throw CommandError("binfmt: cannot \(what): \(error.message)" + (isRefused ? "; this needs root" : ""))
        }
    }

    /// Since Linux 5.12 the kernel tells the interpreter that it has handed argv[0] over (AT_FLAGS).
    static var tellsOfPreservedArgument: Bool {
        let release = (try? HostFile.text("/proc/sys/kernel/osrelease")) ?? ""
        let numbers = release.split { $0 == "." || $0 == "-" }.prefix(2).map { Int($0) ?? 0 }
        guard numbers.count == 2 else { return false }
        return numbers[0] > 5 || numbers[0] == 5 && numbers[1] >= 12
    }
}
