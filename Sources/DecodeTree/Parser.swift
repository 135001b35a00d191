// Reads table files. One line is one entry; its first character says what it is. Documentation/DecodeTables.md has the
// grammar:
//
//     # comment
//     .unit 16, .order little|big|data, .join low|high, .bits msb0, .length 0:2 { 3:4 }     how words lie in memory
//     .table NAME                                 what follows in this file belongs to this table
//     .width 32                                   rows that follow are 32 bits wide
//     .gate [zba rv64]                            rows that follow need these extensions, too
//     .extension zba "address generation"         a bit of the extension set, optionally `implies a b`
//     .protocol NAME, .extensions NAME, .arguments NAME, .disassembler NAME
//     %imm 31:s1 7:1 25:6 8:4 <<1                 a field: pieces position:length, `s` = sign-extend; then shift
//     %rdc 2:3 +8                                 left, add, and `!function` of the target's own
//     %disp +i16                                  a field behind the word
//     &R rd rs1 rs2 imm:Int64 roles rd:x.w imm    an argument set (Int32 unless a type is given)
//     @r &R %rd %rs1 rs2=%rs2 imm=0 "{name} …"    a format: argument set, assignments, disassembly
//     add 0000000 ..... ..... 000 ..... 0110011 @r [gate] => function over otherRow class load|fp roles rd:f.w
//     { … }                                       a group: its rows may overlap, earlier ones go first
//     .alias addi rd=0 rs1=0 imm=0 "nop"          disassembly of a special case
//
// In a row `0` and `1` are fixed bits, `.` is a bit that some field reads, `-` is a bit without meaning.

struct Parser {
    var table = Table()
    private(set) var errors: [TableError] = []

    var location = Location(file: "", line: 0)
    var width = 0
    var fileGate = Gate()
    var group: Int?
    /// The table of what follows.
    var current: String?
    private var groupCount = 0

    /// Reads one file; complaints are collected in `errors`.
    mutating func parse(_ text: String, file: String) {
        width = 0
        fileGate = Gate()
        group = nil
        current = nil
        var opened = location
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            location = Location(file: file, line: number)
            guard var tokens = tokenize(line), let first = tokens.first else { continue }
            tokens.removeFirst()
            guard case .word(let head) = first else {
                complain("a line starts with a name, not with a quoted text or a gate")
                continue
            }
            switch head.first {
            case "." where !isBits(head): directive(head, tokens)
            case "%": field(String(head.dropFirst()), tokens)
            case "&": argumentSet(String(head.dropFirst()), tokens)
            case "@": format(String(head.dropFirst()), tokens)
            case "{":
                if group != nil { complain("groups do not nest") }
                groupCount += 1
                group = groupCount
                opened = location
            case "}":
                if group == nil { complain("'}' without '{'") }
                group = nil
            default: row(head, tokens)
            }
        }
        if group != nil {
            location = opened
            complain("'{' without '}'")
        }
    }

    mutating func complain(_ message: String) {
        errors.append(TableError(location: location, message: message))
    }

    // MARK: Tokens

    enum Token: Equatable {
        case word(String)
        case text(String)
        case gate(String)
    }

    /// Words, "texts" and [gates] of a line without its comment; nil after a complaint.
    private mutating func tokenize(_ line: Substring) -> [Token]? {
        var tokens: [Token] = []
        var rest = line[...]
        while let character = rest.first {
            if character == "#" { break }
            if character.isWhitespace {
                rest = rest.dropFirst()
            } else if character == "\"" || character == "[" {
                let end: Character = character == "[" ? "]" : "\""
                rest = rest.dropFirst()
                guard let stop = rest.firstIndex(of: end) else {
                    complain("missing \(end)")
                    return nil
                }
                let inside = String(rest[..<stop])
                tokens.append(character == "[" ? .gate(inside) : .text(inside))
                rest = rest[rest.index(after: stop)...]
            } else {
                let stop = rest.firstIndex { $0.isWhitespace || $0 == "#" || $0 == "[" || $0 == "\"" } ?? rest.endIndex
                tokens.append(.word(String(rest[..<stop])))
                rest = rest[stop...]
            }
        }
        return tokens
    }

    func isBits(_ word: String) -> Bool { !word.isEmpty && word.utf8.allSatisfy { "01.-".utf8.contains($0) } }

    func isName(_ word: some StringProtocol) -> Bool {
        guard let first = word.first, first.isLetter || first == "_" else { return false }
        return word.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }

    func integer(_ word: some StringProtocol) -> Int? {
        word.hasPrefix("0x") ? Int(word.dropFirst(2), radix: 16) : Int(word)
    }

    /// `position:length` with a positive length, within `limit` bits.
    func range(_ word: some StringProtocol, within limit: Int) -> (position: Int, length: Int)? {
        let sides = word.split(separator: ":", omittingEmptySubsequences: false)
        guard sides.count == 2, let position = Int(sides[0]), let length = Int(sides[1]), position >= 0, length > 0,
            position <= limit, length <= limit, position + length <= limit
        else { return nil }
        return (position, length)
    }

    // MARK: Directives

    private mutating func directive(_ head: String, _ tokens: [Token]) {
        switch (head, tokens.first) {
        case (".width", .word(let word)?):
            guard let bits = Int(word), 8...64 ~= bits, bits % 8 == 0 else {
                return complain("a width is 8, 16, ... 64 bits, not '\(word)'")
            }
            width = bits
        case (".gate", .gate(let text)?):
            if let gate = parseGate(text) { fileGate = gate }
        case (".protocol", .word(let name)?): typeName(head, \.instructionSet, name)
        case (".extensions", .word(let name)?): typeName(head, \.extensions, name)
        case (".arguments", .word(let name)?): typeName(head, \.arguments, name)
        case (".disassembler", .word(let name)?): typeName(head, \.disassembler, name)
        case (".table", .word(let name)?): openTable(name)
        case (".unit", .word(let word)?):
            guard let bits = Int(word), [8, 16, 32].contains(bits) else {
                return complain("a unit is 8, 16 or 32 bits, not '\(word)'")
            }
            layout(head, \.unit, bits)
        case (".order", .word(let word)?):
            guard let order = Layout.Order(rawValue: word) else {
                return complain("an order is little, big or data, not '\(word)'")
            }
            layout(head, \.order, order)
        case (".join", .word(let word)?):
            guard let join = Layout.Join(rawValue: word) else {
                return complain("units are joined low or high (what the first one is), not '\(word)'")
            }
            layout(head, \.join, join)
        case (".bits", .word(let word)?):
            guard word == "msb0" || word == "lsb0" else {
                return complain("bits are numbered msb0 or lsb0, not '\(word)'")
            }
            layout(head, \.countsFromTop, word == "msb0")
        case (".length", .word?): lengthRule(tokens)
        case (".extension", .word(let name)?): extensionRow(name, Array(tokens.dropFirst()))
        case (".alias", .word(let function)?): alias(function, Array(tokens.dropFirst()))
        default: complain("unknown or incomplete directive '\(head)'")
        }
    }

    private mutating func typeName(_ head: String, _ property: WritableKeyPath<Names, String>, _ name: String) {
        guard isName(name) else { return complain("'\(name)' is not the name of a type") }
        if !table.names[keyPath: property].isEmpty { return complain("'\(head)' is said twice") }
        table.names[keyPath: property] = name
    }

    private mutating func openTable(_ name: String) {
        guard isName(name) else { return complain("'\(name)' is not a table name") }
        if group != nil { complain("'.table' inside a group") }
        width = 0
        current = name
        if !table.tables.contains(where: { $0.name == name }) {
            table.tables.append(EncodingTable(name: name, location: location))
        }
    }

    /// Sets a property of the table of what follows, or what tables have that do not say it themselves.
    private mutating func layout<Value>(
        _ head: String, _ property: WritableKeyPath<Layout, Value?>, _ value: Value
    ) {
        let index = table.tables.firstIndex { $0.name == current }
        let old = index.map { table.tables[$0].layout } ?? table.layout
        if old[keyPath: property] != nil { return complain("'\(head)' is said twice") }
        if let index {
            table.tables[index].layout[keyPath: property] = value
        } else {
            table.layout[keyPath: property] = value
        }
    }

    private mutating func lengthRule(_ tokens: [Token]) {
        let usage = "expected: .length position:length { value:bytes ... }"
        var words: [Substring] = []
        for token in tokens {
            guard case .word(let word) = token else { return complain(usage) }
            words += word.replacing("{", with: " { ").replacing("}", with: " } ").split(separator: " ")
        }
        guard words.count >= 4, words[1] == "{", words.last == "}", let bits = range(words[0], within: 32) else {
            return complain(usage)
        }
        var rule = LengthRule(position: bits.position, length: bits.length, bytes: [:], location: location)
        for word in words[2..<(words.count - 1)] {
            let sides = word.split(separator: ":", omittingEmptySubsequences: false)
            guard sides.count == 2, let value = integer(sides[0]), let bytes = Int(sides[1]) else {
                return complain("'\(word)' is not a length 'value:bytes'")
            }
            if value < 0 || value >> bits.length != 0 {
                return complain("\(value) is no value of \(bits.length) bits")
            }
            if !(1...8 ~= bytes) { return complain("a word has 1 to 8 bytes, not \(bytes)") }
            if rule.bytes.updateValue(bytes, forKey: value) != nil { return complain("value \(value) is listed twice") }
        }
        layout(".length", \.length, rule)
    }

    /// Terms `a`, `!a` and `a|b`; nil after a complaint.
    mutating func parseGate(_ text: String) -> Gate? {
        var gate = Gate()
        for word in text.split(separator: " ") {
            let names = word.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            if names.count == 1, word.hasPrefix("!") {
                gate.terms.append(Gate.Term(names: [String(word.dropFirst())], isNegated: true))
            } else if names.contains(where: { $0.hasPrefix("!") }) {
                complain("an alternative 'a|b' cannot be negated: '\(word)'")
                return nil
            } else {
                gate.terms.append(Gate.Term(names: names))
            }
        }
        return gate
    }

    private mutating func extensionRow(_ name: String, _ tokens: [Token]) {
        guard isName(name), !setMembers.contains(name) else {
            return complain("'\(name)' is not an extension name")
        }
        var entry = Extension(name: name, summary: "", implies: [], location: location)
        var implying = false
        for token in tokens {
            switch token {
            case .text(let text) where !implying: entry.summary = text
            case .word("implies"): implying = true
            case .word(let other) where implying: entry.implies.append(other)
            default: return complain("expected: .extension name \"summary\" [implies names]")
            }
        }
        table.extensions.append(entry)
    }

    private mutating func alias(_ function: String, _ tokens: [Token]) {
        var entry = Alias(function: function, conditions: [], template: "", location: location)
        for token in tokens {
            switch token {
            case .text(let text): entry.template = text
            case .word(let word):
                let sides = word.split(separator: "=").map(String.init)
                guard sides.count == 2 else { return complain("expected argument=value, found '\(word)'") }
                if let number = integer(sides[1]) {
                    entry.conditions.append(.constant(argument: sides[0], number))
                } else {
                    entry.conditions.append(.equal(sides[0], sides[1]))
                }
            case .gate: return complain("an alias has no gate")
            }
        }
        if entry.template.isEmpty { return complain("an alias needs a text to print") }
        table.aliases.append(entry)
    }
}

/// What a set of extensions has besides them.
private let setMembers: Set<String> = ["all", "count", "name", "summary", "implied", "word", "contains", "rawValue"]
