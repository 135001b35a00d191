// The text table of one Linux ABI, as `devtool abi` writes it (Documentation/LinuxABI.md), read into values.

/// One ABI's table.
public struct Table: Equatable, Sendable {
    public struct Call: Equatable, Sendable {
        public var number: Int
        public var name: String
        /// The kernel's function: "sys_" and the name unless the row says another one.
        public var entry: String
    }

    /// A named number of a set.
    public struct Constant: Equatable, Sendable {
        public var name: String
        public var value: UInt64
    }

    public struct Request: Equatable, Sendable {
        public var name: String
        public var number: UInt64
        /// "in", "out", "both", or "-" when the number says neither this nor a size.
        public var direction: String
        public var size: Int
    }

    /// A field; its offset is nil when the ABI does not have it.
    public struct Field: Equatable, Sendable {
        public var name: String
        public var offset: Int?
        public var size: Int
        public var kind: Character
    }

    /// A structure; its size is nil when the ABI does not have it.
    public struct Structure: Equatable, Sendable {
        public var name: String
        public var size: Int?
        public var fields: [Field]
    }

    public var name = ""
    public var kernel = ""
    /// Bytes of a long; alignment of a 64-bit number within a structure.
    public var word = 8, align = 8
    public var isBigEndian = false
    public var calls: [Call] = []
    public var errors: [Constant] = []
    public var signals: [Constant] = []
    /// Sets of constants in the order in which the table names them.
    public var bits: [(set: String, names: [Constant])] = []
    public var values: [(set: String, names: [Constant])] = []
    public var requests: [Request] = []
    public var structures: [Structure] = []

    public static func == (a: Table, b: Table) -> Bool {
        a.name == b.name && a.word == b.word && a.align == b.align && a.isBigEndian == b.isBigEndian
            && a.calls == b.calls && a.errors == b.errors && a.signals == b.signals && a.requests == b.requests
            && a.structures == b.structures
            && a.bits.elementsEqual(b.bits, by: { $0.set == $1.set && $0.names == $1.names })
            && a.values.elementsEqual(b.values, by: { $0.set == $1.set && $0.names == $1.names })
    }
}

/// What is wrong with a table: its file, the line, and what was expected.
public struct TableError: Error, CustomStringConvertible {
    public var description: String
}

extension Table {
    /// Reads the text of a table; `file` is its name in errors.
    public init(_ text: String, file: String) throws(TableError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(separator: " ").map(String.init)
            if words.isEmpty || words[0].hasPrefix("#") { continue }
            do throws(RowError) {
                try read(words)
            } catch {
                throw TableError(description: "\(file):\(index + 1): \(error.text): \(line)")
            }
        }
        if name.isEmpty { throw TableError(description: "\(file): no row 'abi NAME'") }
    }

    private struct RowError: Error { var text: String }

    private mutating func read(_ row: [String]) throws(RowError) {
        func count(_ allowed: ClosedRange<Int>) throws(RowError) {
            if !allowed.contains(row.count) {
                throw RowError(text: "a row '\(row[0])' does not have \(row.count) words")
            }
        }
        switch row[0] {
        case "abi":
            try count(2...2)
            name = row[1]
        case "kernel":
            try count(2...2)
            kernel = row[1]
        case "word":
            try count(2...2)
            word = Int(try Self.number(row[1]))
        case "align":
            try count(2...2)
            align = Int(try Self.number(row[1]))
        case "order":
            try count(2...2)
            isBigEndian = row[1] == "big"
        case "call":
            try count(3...4)
            calls.append(
                Call(
                    number: Int(try Self.number(row[1])), name: row[2],
                    entry: row.count == 4 ? row[3] : "sys_" + row[2]))
        case "errno":
            try count(3...3)
            errors.append(Constant(name: row[1], value: try Self.number(row[2])))
        case "signal":
            try count(3...3)
            signals.append(Constant(name: row[1], value: try Self.number(row[2])))
        case "bits":
            try count(4...4)
            Self.add(Constant(name: row[2], value: try Self.number(row[3])), to: &bits, row[1])
        case "value":
            try count(4...4)
            Self.add(Constant(name: row[2], value: try Self.number(row[3])), to: &values, row[1])
        case "ioctl":
            try count(5...5)
            requests.append(
                Request(
                    name: row[1], number: try Self.number(row[2]), direction: row[3],
                    size: Int(try Self.number(row[4]))))
        case "struct": structures.append(try Self.structure(row))
        default: throw RowError(text: "no row begins with '\(row[0])'")
        }
    }

    private static func structure(_ row: [String]) throws(RowError) -> Structure {
        if row.count == 3 && row[2] == "-" { return Structure(name: row[1], size: nil, fields: []) }
        if row.count < 7 || row.count % 4 != 3 { throw RowError(text: "a structure's field is four words") }
        var structure = Structure(name: row[1], size: Int(try number(row[2])), fields: [])
        for at in stride(from: 3, to: row.count, by: 4) {
            if row[at + 1] == "-" {
                structure.fields.append(Field(name: row[at], offset: nil, size: 0, kind: "u"))
                continue
            }
            guard let kind = row[at + 3].first, row[at + 3].count == 1, "usUSWpgro".contains(kind) else {
                throw RowError(text: "'\(row[at + 3])' is no kind of field")
            }
            let offset = Int(try number(row[at + 1])), size = Int(try number(row[at + 2]))
            if offset + size > structure.size ?? 0 { throw RowError(text: "\(row[at]) lies outside the structure") }
            structure.fields.append(Field(name: row[at], offset: offset, size: size, kind: kind))
        }
        return structure
    }

    private static func add(
        _ constant: Constant, to sets: inout [(set: String, names: [Constant])], _ name: String
    ) {
        if sets.last?.set == name {
            sets[sets.count - 1].names.append(constant)
        } else {
            sets.append((name, [constant]))
        }
    }

    /// A decimal number, perhaps negative, or a hexadecimal one.
    private static func number(_ word: String) throws(RowError) -> UInt64 {
        if word.hasPrefix("0x"), let value = UInt64(word.dropFirst(2), radix: 16) { return value }
        if let value = UInt64(word) { return value }
        if let value = Int64(word) { return UInt64(bitPattern: value) }
        throw RowError(text: "'\(word)' is no number")
    }
}
