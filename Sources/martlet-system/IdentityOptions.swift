// The values of `-name` and `-uuid`: what a machine is called.

import HostOS
import Options

struct NameOption: Sendable {
    /// The machine's.
    private(set) var guest = ""
    private var process: String?
    private var namesThreads = false

    /// What comes later counts.
    mutating func parse(_ text: String) throws(OptionError) {
        var list = try OptionList(parsing: text, implied: "guest")
        guest = list.take("guest") ?? guest
        process = list.take("process") ?? process
        namesThreads = try list.takeFlag("debug-threads") ?? namesThreads
        if let pair = list.pairs.first {
            throw OptionError(
                "'\(pair.name)' is not known; wanted [guest=]NAME[,process=NAME][,debug-threads=on|off]")
        }
    }

    /// Names this process and, when they begin, its threads. There is one thread.
    func apply() {
        if let process { HostThread.setName(process) }
        HostThread.areNamed = namesThreads
    }
}

/// 16 bytes that no other machine has. (RFC 9562)
struct MachineUUID: Sendable {
    let bytes: [UInt8]

    static let none = MachineUUID(bytes: Array(repeating: 0, count: 16))
    private static let lengths = [8, 4, 4, 4, 12]

    private init(bytes: [UInt8]) { self.bytes = bytes }

    init(parsing text: String) throws(OptionError) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let digits = parts.joined().compactMap(\.hexDigitValue)
        guard parts.map(\.utf8.count) == Self.lengths, digits.count == 32 else {
            throw OptionError("wanted hexadecimal digits such as 01234567-89ab-cdef-0123-456789abcdef")
        }
        bytes = stride(from: 0, to: 32, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    var text: String {
        var digits = bytes.map { (byte: UInt8) in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()[...]
        var parts: [Substring] = []
        for length in Self.lengths {
            parts.append(digits.prefix(length))
            digits = digits.dropFirst(length)
        }
        return parts.joined(separator: "-")
    }
}
