// Memory as text: `x /FMT ADDRESS`, with FMT = count, format and size, such as 4xw.

import Diagnostics

/// What FMT says.
struct MemoryFormat: Equatable {
    /// x hexadecimal, d signed, u unsigned, o octal, c character, i instruction.
    var letter: Character = "x"
    var size = 4
    var count = 1
    static let largestCount = 4096

    init() {}

    /// Nil: it is no format. What it leaves out stays as it was in `last`.
    init?(parsing text: Substring, last: MemoryFormat) {
        letter = last.letter
        size = last.size
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        if !digits.isEmpty {
            guard let number = Int(digits), number > 0, number <= Self.largestCount else { return nil }
            count = number
        }
        for character in text.dropFirst(digits.count) {
            switch character {
            case "x", "d", "u", "o", "c", "i": letter = character
            case "b": size = 1
            case "h": size = 2
            case "w": size = 4
            case "g": size = 8
            default: return nil
            }
        }
        if letter == "c", !text.contains(where: { "bhwg".contains($0) }) { size = 1 }
    }

    func text(_ value: UInt64) -> String {
        let bits = UInt64(8 * size), signed = Int64(bitPattern: value &<< (64 - bits)) &>> Int64(64 - bits)
        switch letter {
        case "d": return String(signed)
        case "u": return String(value)
        case "o": return "0" + String(value, radix: 8)
        case "c":
            let isPrintable = value >= 32 && value < 127
            return isPrintable ? "'\(Character(Unicode.Scalar(UInt8(value))))'" : "'\\x" + hex(value, 2) + "'"
        default: return "0x" + hex(value, 2 * size)
        }
    }
}

private func hex(_ value: UInt64, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}

extension Monitor {
    func examine(_ words: [Substring], _ read: (UInt64, Int) -> [UInt8]?) -> String {
        var words = words
        var format = MemoryFormat()
        if let first = words.first, first.hasPrefix("/") {
            guard let parsed = MemoryFormat(parsing: first.dropFirst(), last: format) else {
                return "'\(first)' is no format: /COUNT, one of x d u o c i, and one of b h w g\n"
            }
            format = parsed
            words.removeFirst()
        }
        guard words.count == 1, let address = address(words[0]) else { return "an address is wanted\n" }
        return format.letter == "i" ? instructions(address, format.count, read) : values(address, format, read)
    }

    /// A number, or a register after a dollar sign.
    private func address(_ text: Substring) -> UInt64? {
        text.hasPrefix("$") ? sources.register(String(text.dropFirst())) : parseNumber(text.utf8)
    }

    private func values(_ address: UInt64, _ format: MemoryFormat, _ read: (UInt64, Int) -> [UInt8]?) -> String {
        var text = "", perLine = format.letter == "c" ? 8 : max(1, 16 / format.size)
        perLine = min(perLine, 8)
        for index in 0..<format.count {
            let at = address &+ UInt64(index * format.size)
            if index % perLine == 0 { text += "\(index > 0 ? "\n" : "")\(hex(at, 16)):" }
            guard let bytes = read(at, format.size) else { return text + " cannot be read\n" }
            var value: UInt64 = 0
            for byte in bytes.reversed() { value = value &<< 8 | UInt64(byte) }
            text += " " + format.text(value)
        }
        return text + "\n"
    }

    private func instructions(_ address: UInt64, _ count: Int, _ read: (UInt64, Int) -> [UInt8]?) -> String {
        var text = "", at = address
        for _ in 0..<count {
            // Fewer bytes where the next page cannot be read.
            guard let bytes = read(at, 4) ?? read(at, 2), let found = sources.disassemble(bytes, at), found.size > 0
            else { return text + "\(hex(at, 16)): cannot be read\n" }
            text += "\(hex(at, 16)): \(found.text)\n"
            at &+= UInt64(found.size)
        }
        return text
    }
}
