// Sizes of a process's memory as /proc/PID/stat, statm and status tell them: of what the guest has mapped, without
// Martlet's own. How much of it is resident the kernel tells of the whole process only, cheaply: that is taken, up to
// the size.

import HostOS
import LinuxMemory

/// Bytes.
struct ProcSizes {
    private var total: UInt64 = 0, data: UInt64 = 0, stack: UInt64 = 0, code: UInt64 = 0, program: UInt64 = 0

    private mutating func add(_ bytes: UInt64, isData: Bool, isCode: Bool, isStack: Bool) {
        total &+= bytes
        if isStack { stack &+= bytes } else if isData { data &+= bytes } else if isCode { code &+= bytes }
    }

    /// Of this process.
    init(_ process: GuestProcess) {
        for mapping in process.memory.mappings {
            let rights = mapping.rights
            add(
                mapping.end - mapping.start, isData: !mapping.isShared && rights.contains(.write),
                isCode: rights.contains(.execute), isStack: mapping.kind == .stack)
        }
        program = Self.pages(process.image.code)
    }

    /// Of another one, by what the kernel shows: code counts as such where only reading is allowed.
    init(_ maps: OtherProcMaps, _ line: ProcStatLine) {
        for row in maps.rows {
            add(
                row.mapping.end - row.mapping.start, isData: row.isPrivate && row.isWritable,
                isCode: !row.isWritable && !row.mapping.isAnonymous, isStack: row.isStack)
        }
        let start = line[ProcStatLine.codeStart], end = line[ProcStatLine.codeEnd]
        program = end > start ? Self.pages(start..<end) : 0
    }

    private static func pages(_ range: Range<UInt64>) -> UInt64 {
        let page = HostProcess.pageSize
        return (range.upperBound &+ (page - 1)) & ~(page - 1) &- range.lowerBound & ~(page - 1)
    }

    func change(_ line: inout ProcStatLine) {
        line[ProcStatLine.size] = total
        line[ProcStatLine.resident] = min(line[ProcStatLine.resident], total / HostProcess.pageSize)
    }

    /// statm: size, resident, shared, text, a zero, data and stack, a zero; in pages.
    func statistics(_ text: String) -> String {
        let page = HostProcess.pageSize
        var numbers = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).map { UInt64($0) ?? 0 }
        guard numbers.count >= 7 else { return text }
        numbers[0] = total / page
        numbers[1] = min(numbers[1], numbers[0])
        numbers[2] = min(numbers[2], numbers[1])
        numbers[3] = program / page
        numbers[5] = (data &+ stack) / page
        return numbers.map { "\($0)" }.joined(separator: " ") + "\n"
    }

    /// The value of a line of status in kilobytes; nil for lines that are none of the sizes. `host`: the host's values.
    func status(_ name: Substring, _ host: (Substring) -> UInt64) -> UInt64? {
        let total = total / 1024
        // What is resident is of one kind after the other.
        let anonymous = min(host("RssAnon:"), total), file = min(host("RssFile:"), total - anonymous)
        switch name {
        case "VmPeak:", "VmSize:": return total
        case "VmHWM:", "VmRSS:": return min(host(name), total)
        case "RssAnon:": return anonymous
        case "RssFile:": return file
        case "RssShmem:": return min(host(name), total - anonymous - file)
        case "VmData:": return data / 1024
        case "VmStk:": return stack / 1024
        case "VmExe:": return program / 1024
        case "VmLib:": return (code - min(code, program)) / 1024
        default: return nil
        }
    }
}
