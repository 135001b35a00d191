// Reads table files. One line is one entry; its first character says what it is:
//
//     # comment
//     .width 32                                   rows that follow are 32 (or 16) bits wide
//     .gate [zba rv64]                            rows that follow need these extensions, too
//     .extension zba "address generation"         a bit of the extension set, optionally `implies a b`
//     .protocol NAME, .extensions NAME, .arguments NAME, .disassembler NAME, .table NAME
//     %imm 31:s1 7:1 25:6 8:4 <<1                 a field: pieces position:length, `s` = sign-extend; then shift
//     %rdc 2:3 +8                                 left, add, and `!function` of the target's own
//     &R rd rs1 rs2 imm:Int64                     an argument set (Int32 unless a type is given)
//     @r &R %rd %rs1 rs2=%rs2 imm=0 "{name} …"    a format: argument set, assignments, disassembly
//     add 0000000 ..... ..... 000 ..... 0110011 @r [gate] => function over otherRow
//     { … }                                       a group: its rows may overlap, earlier ones go first
//     .alias addi rd=0 rs1=0 imm=0 "nop"          disassembly of a special case
//
// In a row `0` and `1` are fixed bits, `.` is a bit that some field reads, `-` is a bit without meaning.

struct Parser {
    private(set) var table = Table()
    private(set) var errors: [TableError] = []

    private var location = Location(file: "", line: 0)
    private var width = 0
    private var fileGate = Gate()
    private var group: Int?
    private var groupCount = 0

    /// Reads one file; complaints are collected in `errors`.
    mutating func parse(_ text: String, file: String) {
        width = 0
        fileGate = Gate()
        group = nil
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

    // MARK: Tokens

    private enum Token: Equatable {
        case word(String)
        case text(String)
        case gate(String)
    }

    private mutating func complain(_ message: String) {
        errors.append(TableError(location: location, message: message))
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

    private func isBits(_ word: String) -> Bool {
        !word.isEmpty && word.utf8.allSatisfy { "01.-".utf8.contains($0) }
    }

    private func isName(_ word: String) -> Bool {
        guard let first = word.first, first.isLetter || first == "_" else { return false }
        return word.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }

    private func parseGate(_ text: String) -> Gate {
        Gate(terms: text.split(separator: " ").map { $0.split(separator: "|").map(String.init) })
    }

    // MARK: Entries

    private mutating func directive(_ head: String, _ tokens: [Token]) {
        switch (head, tokens.first) {
        case (".width", .word(let word)?):
            guard let bits = Int(word), bits == 16 || bits == 32 else { return complain("width must be 16 or 32") }
            width = bits
        case (".gate", .gate(let text)?): fileGate = parseGate(text)
        case (".protocol", .word(let name)?): table.names.instructionSet = name
        case (".extensions", .word(let name)?): table.names.extensions = name
        case (".arguments", .word(let name)?): table.names.arguments = name
        case (".disassembler", .word(let name)?): table.names.disassembler = name
        case (".table", .word(let name)?): table.names.table = name
        case (".extension", .word(let name)?): extensionRow(name, Array(tokens.dropFirst()))
        case (".alias", .word(let function)?): alias(function, Array(tokens.dropFirst()))
        default: complain("unknown or incomplete directive '\(head)'")
        }
    }

    private mutating func extensionRow(_ name: String, _ tokens: [Token]) {
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

    private func integer(_ word: String) -> Int? {
        word.hasPrefix("0x") ? Int(word.dropFirst(2), radix: 16) : Int(word)
    }

    private mutating func field(_ name: String, _ tokens: [Token]) {
        guard isName(name) else { return complain("'%\(name)' is not a field name") }
        var entry = Field(name: name, pieces: [], location: location)
        for token in tokens {
            guard case .word(let word) = token else { return complain("a field has neither text nor gate") }
            if word.hasPrefix("<<"), let shift = Int(word.dropFirst(2)), 0..<32 ~= shift {
                entry.shift = shift
            } else if word.hasPrefix("+"), let offset = Int(word.dropFirst()) {
                entry.offset = offset
            } else if word.hasPrefix("!") {
                entry.function = String(word.dropFirst())
            } else {
                let sides = word.split(separator: ":").map(String.init)
                let signed = sides.count == 2 && sides[1].hasPrefix("s")
                guard sides.count == 2, let position = Int(sides[0]), let length = Int(sides[1].drop { $0 == "s" }),
                    position >= 0, length > 0, position + length <= 32
                else { return complain("'\(word)' is not a piece 'position:length' of a word") }
                if signed && !entry.pieces.isEmpty { return complain("only the first piece of a field can be signed") }
                entry.pieces.append(Piece(position: position, length: length, signed: signed))
            }
        }
        if entry.pieces.isEmpty { return complain("field '\(name)' has no pieces") }
        table.fields.append(entry)
    }

    private mutating func argumentSet(_ name: String, _ tokens: [Token]) {
        guard isName(name) else { return complain("'&\(name)' is not an argument set name") }
        var entry = ArgumentSet(name: name, arguments: [], location: location)
        for token in tokens {
            guard case .word(let word) = token else { return complain("an argument set is a list of names") }
            let sides = word.split(separator: ":").map(String.init)
            guard let argument = sides.first, isName(argument), sides.count <= 2,
                let type = ArgumentType(rawValue: sides.count == 2 ? sides[1] : "Int32")
            else { return complain("'\(word)' is not an argument 'name' or 'name:Type'") }
            if entry.arguments.contains(where: { $0.name == argument }) {
                return complain("duplicate argument '\(argument)'")
            }
            entry.arguments.append(Argument(name: argument, type: type))
        }
        table.argumentSets.append(entry)
    }

    /// `&Set`, `%field`, `argument=%field`, `argument=number`; false when the word is something else.
    private func assignment(_ word: String, set: inout String?, _ assignments: inout [Assignment]) -> Bool {
        if word.hasPrefix("&") {
            set = String(word.dropFirst())
        } else if word.hasPrefix("%") {
            let name = String(word.dropFirst())
            assignments.append(Assignment(argument: name, value: .field(name)))
        } else {
            let sides = word.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2, isName(sides[0]) else { return false }
            if sides[1].hasPrefix("%") {
                assignments.append(Assignment(argument: sides[0], value: .field(String(sides[1].dropFirst()))))
            } else if let number = integer(sides[1]) {
                assignments.append(Assignment(argument: sides[0], value: .constant(number)))
            } else {
                return false
            }
        }
        return true
    }

    private mutating func format(_ name: String, _ tokens: [Token]) {
        guard isName(name) else { return complain("'@\(name)' is not a format name") }
        var entry = Format(name: name, argumentSet: nil, assignments: [], template: nil, location: location)
        for token in tokens {
            switch token {
            case .text(let text): entry.template = text
            case .word(let word):
                guard assignment(word, set: &entry.argumentSet, &entry.assignments) else {
                    return complain("'\(word)' does not belong in a format")
                }
            case .gate: return complain("a format has no gate")
            }
        }
        table.formats.append(entry)
    }

    private mutating func row(_ name: String, _ tokens: [Token]) {
        guard isName(name) else { return complain("'\(name)' is not an instruction name") }
        guard width != 0 else { return complain("'.width' must come before the first row") }
        var bits = ""
        var index = 0
        while bits.count < width, index < tokens.count, case .word(let word) = tokens[index], isBits(word) {
            bits += word
            index += 1
        }
        guard bits.count == width else { return complain("'\(name)' has \(bits.count) bits, not \(width)") }
        var entry = Row(
            name: name, width: width, fixed: 0, match: 0, variable: 0, format: nil, argumentSet: nil, assignments: [],
            gate: fileGate, function: name, template: nil, over: [], group: group, location: location)
        for bit in bits.utf8 {
            let fixed = bit == UInt8(ascii: "0") || bit == UInt8(ascii: "1")
            entry.fixed = entry.fixed << 1 | (fixed ? 1 : 0)
            entry.match = entry.match << 1 | (bit == UInt8(ascii: "1") ? 1 : 0)
            entry.variable = entry.variable << 1 | (bit == UInt8(ascii: ".") ? 1 : 0)
        }
        while index < tokens.count {
            switch tokens[index] {
            case .text(let text): entry.template = text
            case .gate(let text): entry.gate.terms += parseGate(text).terms
            case .word(let word) where word == "=>" || word == "over":
                index += 1
                guard index < tokens.count, case .word(let other) = tokens[index] else {
                    return complain("a name must follow '\(word)'")
                }
                if word == "=>" {
                    entry.function = other
                } else {
                    entry.over = other.split(separator: ",").map(String.init)
                }
            case .word(let word) where word.hasPrefix("@"): entry.format = String(word.dropFirst())
            case .word(let word):
                guard assignment(word, set: &entry.argumentSet, &entry.assignments) else {
                    return complain("'\(word)' does not belong in a row")
                }
            }
            index += 1
        }
        table.rows.append(entry)
    }
}
