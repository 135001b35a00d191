// The profile as a file: text, one record a line, fields separated by one space, the last field to the end of the line. A line is one
// write, so that threads do not mix theirs and what was written stays whatever ends the process. Numbers are hexadecimal, except in
// P, C and Y, where they are decimal.
//
//     martlet-profile 1                       first line; the number is the format's
//     P pid period command                    process, nanoseconds of processor time per period, program and arguments
//     M start end offset path                 from here on [start, end) of guest memory is code of a file
//     S thread periods activity pc caller...  a sample: an activity's letter (and detail), guest pc, return addresses, newest first
//     C name value                            a counter at the end; a later line replaces an earlier one
//     Y number name calls nanoseconds errors  a system call's totals at the end; likewise
//
// The last line of a process that was killed may be incomplete: a line without its end does not count.

import ExecutionEngine

public enum ProfileFormat {
    public static let firstLine = "martlet-profile 1"
    /// Nanoseconds of processor time between samples. The kernel rounds up to its own tick, and samples say so.
    public static let period = 1_000_000
    /// Return addresses that a sample has at most.
    public static let callerLimit = 128

    /// `text` without anything that would end a line.
    public static func escaped(_ text: some Sequence<UInt8>) -> String {
        var bytes: [UInt8] = []
        for byte in text {
            if byte < 0x20 || byte == UInt8(ascii: "%") || byte == 0x7f {
                bytes.append(contentsOf: "%\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The reverse of `escaped`; what is no escape stays as it is.
    public static func unescaped(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Activity {
    /// The letter in samples.
    public var letter: UInt8 {
        switch self {
        case .engine: UInt8(ascii: "e")
        case .generatedCode: UInt8(ascii: "g")
        case .translating: UInt8(ascii: "t")
        case .optimizing: UInt8(ascii: "o")
        case .systemCall: UInt8(ascii: "s")
        case .signal: UInt8(ascii: "n")
        case .baselineCode: UInt8(ascii: "B")
        case .optimizedCode: UInt8(ascii: "O")
        case .helper: UInt8(ascii: "H")
        case .interpreter: UInt8(ascii: "I")
        }
    }

    public init?(letter: UInt8) {
        guard let found = Activity.allCases.first(where: { $0.letter == letter }) else { return nil }
        self = found
    }
}
