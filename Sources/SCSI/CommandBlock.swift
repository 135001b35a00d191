// A command as it is sent: a code, and fields whose places its group says. (SPC-4, 4.3; SBC-3, 5)

/// Bytes that are not there are 0.
struct CommandBlock {
    private let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    subscript(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }

    /// The number in bytes [range), the most significant first.
    func number(_ range: Range<Int>) -> UInt64 { range.reduce(0) { $0 << 8 | UInt64(self[$1]) } }

    var code: UInt8 { self[0] }

    /// How many bytes commands of its group have.
    private var length: Int { [6, 10, 10, 6, 16, 12, 6, 6][Int(code >> 5)] }

    /// The logical block address, and how many blocks.
    var blocks: (first: UInt64, count: UInt64) {
        switch length {
        case 6:
            let count = number(4..<5)
            return (number(1..<4) & 0x1f_ffff, count == 0 ? 256 : count)
        case 10: return (number(2..<6), number(7..<9))
        case 12: return (number(2..<6), number(6..<10))
        default: return (number(2..<10), number(10..<14))
        }
    }

    /// It speaks of protection information, which no unit has.
    var isProtected: Bool { length > 6 && self[1] & 0xe0 != 0 }
    /// What it writes is to stay.
    var mustStay: Bool { length > 6 && self[1] & 8 != 0 }

    /// Most bytes of an answer, or those of parameters.
    var dataLength: Int {
        switch length {
        case 6: Int(number(4..<5))
        case 10: Int(number(7..<9))
        case 12: Int(number(6..<10))
        default: Int(number(10..<14))
        }
    }
}

/// Numbers of answers, their most significant byte first.
struct AnswerBytes {
    var bytes: [UInt8] = []
    mutating func add<T: FixedWidthInteger>(_ value: T) {
        for index in (0..<T.bitWidth / 8).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> T(8 * index))) }
    }
    mutating func add(_ text: String, width: Int) {
        let text = text.utf8.prefix(width)
        bytes += text
        bytes += Array(repeating: UInt8(ascii: " "), count: width - text.count)
    }
    mutating func add(zeros count: Int) { bytes += Array(repeating: 0, count: count) }
}
