// Files of /proc that would tell the guest about Martlet instead of about itself. Opening one of them gives a memory
// file with the guest's own view (proc(5)). What is not listed here comes from the host unchanged.

import CLinux
import GuestMemory
import HostOS

/// A file of /proc that is emulated.
enum ProcFile: Equatable {
    case executable, maps, commandLine, auxiliaryVector, limits, processorInfo

    /// Recognises /proc/self/..., /proc/thread-self/..., /proc/PID/... of this process, and /proc/cpuinfo.
    init?(_ path: HostPath) {
        guard GuestPaths.begins(path, "/proc") else { return nil }
        self.init(String(cString: path.bytes))
    }

    init?(_ path: String) {
        if path == "/proc/cpuinfo" {
            self = .processorInfo
            return
        }
        let parts = path.split(separator: "/")
        guard parts.count == 3, parts[0] == "proc" else { return nil }
        guard parts[1] == "self" || parts[1] == "thread-self" || parts[1] == "\(HostProcess.processID)" else {
            return nil
        }
        switch parts[2] {
        case "exe": self = .executable
        case "maps": self = .maps
        case "cmdline": self = .commandLine
        case "auxv": self = .auxiliaryVector
        case "limits": self = .limits
        default: return nil
        }
    }

    /// Opens the file: a descriptor, or -errno.
    func open(_ process: GuestProcess, flags: UInt64) -> Int { Self.openMemoryFile(content(process), flags: flags) }

    /// A descriptor of a memory file at offset 0, or -errno.
    static func openMemoryFile(_ content: [UInt8], flags: UInt64) -> Int {
        content.withUnsafeBytes {
            HostFile.inMemory($0, closesOnExec: flags & UInt64(HostFile.closeOnExec) != 0)
        }
    }

    func content(_ process: GuestProcess) -> [UInt8] {
        switch self {
        case .executable: Array(process.guestPath(process.executablePath).utf8)
        case .maps: Array(Self.mapsText(process).utf8)
        case .commandLine: process.arguments.flatMap { $0 + [0] }
        case .auxiliaryVector: process.auxiliaryVector.withUnsafeBytes { Array($0) }
        case .limits: Array(LimitCalls.text(process, host: (try? HostFile.text("/proc/self/limits")) ?? "").utf8)
        case .processorInfo: Array(Self.processorText(process).utf8)
        }
    }

    /// The guest's mappings with the guest's rights; file, device and offset from the host's own list.
    private static func mapsText(_ process: GuestProcess) -> String {
        let host = hostMappings()
        var text = ""
        var index = 0
        for mapping in process.memory.mappings {
            let start = UInt64(process.memory.hostAddress(mapping.start))
            while index < host.count && host[index].end <= start { index += 1 }
            var offset: UInt64 = 0
            var object: Substring = "00:00 0"
            var name: Substring = ""
            if index < host.count, host[index].start <= start {
                object = host[index].object
                name = host[index].name
                if !name.isEmpty && !name.hasPrefix("[") { offset = host[index].offset + (start - host[index].start) }
                name = name.hasPrefix("[") ? "" : process.guestPath(String(name))[...]
            }
            if let known = special(mapping.kind) { name = known }
            let line =
                "\(hex(mapping.start, 8))-\(hex(mapping.end, 8)) \(rights(mapping)) \(hex(offset, 8)) \(object) "
            text += name.isEmpty ? line : line + String(repeating: " ", count: max(0, 73 - line.utf8.count)) + name
            text += "\n"
        }
        return text
    }

    private static func special(_ kind: MappingKind) -> Substring? {
        switch kind {
        case .ordinary, .file: nil
        case .heap: "[heap]"
        case .stack: "[stack]"
        case .trampoline: "[vdso]"
        }
    }

    private static func rights(_ mapping: Mapping) -> String {
        (mapping.rights.contains(.read) ? "r" : "-") + (mapping.rights.contains(.write) ? "w" : "-")
            + (mapping.rights.contains(.execute) ? "x" : "-") + (mapping.isShared ? "s" : "p")
    }

    private struct HostMapping {
        var start, end, offset: UInt64
        /// Device and inode.
        var object, name: Substring
    }

    private static func hostMappings() -> [HostMapping] {
        var result: [HostMapping] = []
        for line in ((try? HostFile.text("/proc/self/maps")) ?? "").split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count >= 5 else { continue }
            let range = fields[0].split(separator: "-")
            guard range.count == 2, let start = UInt64(range[0], radix: 16), let end = UInt64(range[1], radix: 16)
            else { continue }
            result.append(
                HostMapping(
                    start: start, end: end, offset: UInt64(fields[2], radix: 16) ?? 0,
                    object: fields[3] + " " + fields[4],
                    name: fields.count > 5 ? fields[5].drop { $0 == " " } : ""))
        }
        return result
    }

    private static func processorText(_ process: GuestProcess) -> String {
        var text = ""
        for processor in 0..<processorCount() {
            text += "processor\t: \(processor)\nhart\t\t: \(processor)\n\(process.guest.processorDescription)\n"
        }
        return text
    }

    private static func processorCount() -> Int {
        var mask: InlineArray<16, UInt64> = .init(repeating: 0)
        let size = withUnsafeMutablePointer(to: &mask) { kernel(SYS_sched_getaffinity, 0, 128, Int(bitPattern: $0)) }
        var count = 0
        for index in 0..<16 where size > 8 * index { count += mask[index].nonzeroBitCount }
        return max(count, 1)
    }

    private static func hex(_ value: UInt64, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
