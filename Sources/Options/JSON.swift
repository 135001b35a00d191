// Values of JSON. (RFC 8259)

public indirect enum JSON: Sendable {
    case null
    case bool(Bool)
    case number(UInt64)
    /// A number that is no whole one from 0 on, as it is written.
    case otherNumber(String)
    case string(String)
    case list([JSON])
    case object([(String, JSON)])

    /// With four spaces for each level.
    public func text(_ indent: String = "") -> String {
        let inner = indent + "    "
        switch self {
        case .null: return "null"
        case .bool(let value): return value ? "true" : "false"
        case .number(let value): return "\(value)"
        case .otherNumber(let text): return text
        case .string(let value): return Self.quoted(value)
        case .list(let values):
            return "[\n" + values.map { inner + $0.text(inner) }.joined(separator: ",\n") + (values.isEmpty ? "" : "\n")
                + indent + "]"
        case .object(let pairs):
            let rows = pairs.map { inner + Self.quoted($0.0) + ": " + $0.1.text(inner) }
            return "{\n" + rows.joined(separator: ",\n") + (rows.isEmpty ? "" : "\n") + indent + "}"
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            default:
                if scalar.value < 0x20 {
                    let hex = String(scalar.value, radix: 16, uppercase: true)
                    out += "\\u" + String(repeating: "0", count: 4 - hex.utf8.count) + hex
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        return out + "\""
    }
}

// MARK: Reading

extension JSON {
    /// One value, and nothing else. Strings may also stand in single quotes, as QEMU takes them.
    public init(parsing text: String) throws(OptionError) {
        var reader = JSONReader(Array(text.unicodeScalars)[...])
        self = try reader.value(depth: 0)
        reader.skipSpace()
        if let next = reader.rest.first { throw OptionError("JSON: '\(next)' behind its end") }
    }
}

private struct JSONReader {
    var rest: ArraySlice<Unicode.Scalar>
    /// A value that lies deeper is refused, as the stack has an end.
    private static let deepest = 64

    init(_ text: ArraySlice<Unicode.Scalar>) { rest = text }

    mutating func skipSpace() { rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" } }

    private mutating func take(_ wanted: Unicode.Scalar) -> Bool {
        skipSpace()
        guard rest.first == wanted else { return false }
        rest.removeFirst()
        return true
    }

    private func wrong(_ wanted: String) -> OptionError {
        OptionError("JSON: \(rest.first.map { "'\($0)'" } ?? "its end"), where \(wanted) is wanted")
    }

    mutating func value(depth: Int) throws(OptionError) -> JSON {
        if depth > Self.deepest { throw OptionError("JSON: more than \(Self.deepest) levels") }
        skipSpace()
        switch rest.first {
        case "{": return .object(try pairs(depth))
        case "[": return .list(try elements(depth))
        case "\"", "'": return .string(try string())
        default: break
        }
        let letters = rest.prefix { $0.properties.isAlphabetic || "+-.0123456789".unicodeScalars.contains($0) }
        let word = String(String.UnicodeScalarView(letters))
        guard let value = Self.plain(word) else { throw wrong("a value") }
        rest = rest.dropFirst(letters.count)
        return value
    }

    private static func plain(_ word: String) -> JSON? {
        switch word {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default: break
        }
        let digits = word.drop { $0 == "-" }
        guard let first = digits.utf8.first, (48...57).contains(first), Double(word) != nil,
            word.utf8.allSatisfy({ (48...57).contains($0) || "+-.eE".utf8.contains($0) })
        else { return nil }
        return UInt64(word).map { .number($0) } ?? .otherNumber(word)
    }

    private mutating func pairs(_ depth: Int) throws(OptionError) -> [(String, JSON)] {
        var pairs: [(String, JSON)] = []
        _ = take("{")
        if take("}") { return [] }
        repeat {
            skipSpace()
            guard rest.first == "\"" || rest.first == "'" else { throw wrong("a name in quotes") }
            let name = try string()
            guard take(":") else { throw wrong("':' behind \"\(name)\"") }
            if pairs.contains(where: { $0.0 == name }) { throw OptionError("JSON: \"\(name)\" is there twice") }
            pairs.append((name, try value(depth: depth + 1)))
        } while take(",")
        guard take("}") else { throw wrong("',' or '}'") }
        return pairs
    }

    private mutating func elements(_ depth: Int) throws(OptionError) -> [JSON] {
        var elements: [JSON] = []
        _ = take("[")
        if take("]") { return [] }
        repeat { elements.append(try value(depth: depth + 1)) } while take(",")
        guard take("]") else { throw wrong("',' or ']'") }
        return elements
    }

    private mutating func string() throws(OptionError) -> String {
        let quote = rest.removeFirst()
        var text = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            if next == quote { return String(text) }
            text.append(next == "\\" ? try escaped() : next)
        }
        throw OptionError("JSON: a string without its end")
    }

    private mutating func escaped() throws(OptionError) -> Unicode.Scalar {
        switch rest.popFirst() {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "u":
            var unit = try codeUnit()
            if unit & 0xfc00 == 0xd800, rest.starts(with: ["\\", "u"]) {
                rest = rest.dropFirst(2)
                let low = try codeUnit()
                guard low & 0xfc00 == 0xdc00 else { throw OptionError("JSON: half of a pair of surrogates") }
                unit = 0x10000 + (unit & 0x3ff) << 10 + low & 0x3ff
            }
            guard let scalar = Unicode.Scalar(unit) else { throw OptionError("JSON: half of a pair of surrogates") }
            return scalar
        case let other?: return other
        case nil: throw OptionError("JSON: a string without its end")
        }
    }

    private mutating func codeUnit() throws(OptionError) -> UInt32 {
        let digits = String(String.UnicodeScalarView(rest.prefix(4)))
        guard digits.utf8.count == 4, let unit = UInt32(digits, radix: 16) else {
            throw OptionError("JSON: \\u\(digits), where four hexadecimal digits are wanted")
        }
        rest = rest.dropFirst(4)
        return unit
    }
}
