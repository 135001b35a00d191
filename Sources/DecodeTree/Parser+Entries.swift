// Fields, argument sets, formats and rows.

extension Parser {
    mutating func field(_ name: String, _ tokens: [Token]) {
        guard isName(name) else { return complain("'%\(name)' is not a field name") }
        var entry = Field(name: name, pieces: [], table: current, location: location)
        for token in tokens {
            guard case .word(let word) = token else { return complain("a field has neither text nor gate") }
            if word.hasPrefix("<<"), let shift = Int(word.dropFirst(2)), 0..<64 ~= shift {
                entry.shift = shift
            } else if word.hasPrefix("+i") || word.hasPrefix("+u") {
                guard let bits = Int(word.dropFirst(2)), [8, 16, 32, 64].contains(bits) else {
                    return complain("'\(word)' is not a field behind the word: +i or +u and 8, 16, 32 or 64 bits")
                }
                if entry.trailing != nil { return complain("a field has one '+i' or '+u' only") }
                entry.trailing = Trailing(bits: bits, signed: word.hasPrefix("+i"))
            } else if word.hasPrefix("+"), let offset = Int(word.dropFirst()) {
                entry.offset = offset
            } else if word.hasPrefix("!") {
                entry.function = String(word.dropFirst())
                if !isName(word.dropFirst()) { return complain("'\(word)' is not a function '!name'") }
            } else {
                let isSigned = word.contains(":s")
                guard let bits = range(word.replacing(":s", with: ":"), within: 64) else {
                    return complain("'\(word)' is not a piece 'position:length' of a word")
                }
                if isSigned && !entry.pieces.isEmpty {
                    return complain("only the first piece of a field can be signed")
                }
                entry.pieces.append(Piece(position: bits.position, length: bits.length, signed: isSigned))
            }
        }
        if entry.pieces.isEmpty && entry.trailing == nil { return complain("field '\(name)' has no pieces") }
        if !entry.pieces.isEmpty && entry.trailing != nil {
            return complain("field '\(name)' is in the word and behind it")
        }
        if entry.pieces.reduce(entry.shift, { $0 + $1.length }) > 64 {
            return complain("field '\(name)' has more than 64 bits")
        }
        table.fields.append(entry)
    }

    mutating func argumentSet(_ name: String, _ tokens: [Token]) {
        guard isName(name) else { return complain("'&\(name)' is not an argument set name") }
        var entry = ArgumentSet(name: name, arguments: [], roles: [], location: location)
        var index = 0
        while index < tokens.count {
            guard case .word(let word) = tokens[index] else { return complain("an argument set is a list of names") }
            index += 1
            if word == "roles" {
                guard let found = roles(tokens, &index) else { return }
                entry.roles += found
                continue
            }
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

    /// `argument:kind.access` … behind `roles`, as far as the words are no other part of a row; nil after a complaint.
    private mutating func roles(_ tokens: [Token], _ index: inout Int) -> [Role]? {
        var found: [Role] = []
        while index < tokens.count, case .word(let word) = tokens[index], let first = word.first,
            !"@&%=".contains(first), !word.contains("="), !["over", "class", "roles"].contains(word)
        {
            index += 1
            let sides = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            let parts = sides.count == 2 ? sides[1].split(separator: ".", omittingEmptySubsequences: false) : ["imm"]
            var access: Role.Access = []
            var isGood = isName(sides[0]) && sides.count <= 2 && isName(String(parts[0])) && parts.count <= 2
            for letter in parts.count == 2 ? parts[1] : "" {
                switch letter {
                case "r": access.insert(.read)
                case "w": access.insert(.write)
                case "a": access.formUnion([.read, .address])
                default: isGood = false
                }
            }
            guard isGood, parts.count == 1 || !access.isEmpty else {
                complain("'\(word)' is not a role 'argument', 'argument:kind' or 'argument:kind.access' of r, w and a")
                return nil
            }
            if found.contains(where: { $0.argument == sides[0] }) {
                complain("argument '\(sides[0])' has two roles")
                return nil
            }
            found.append(Role(argument: sides[0], kind: String(parts[0]), access: access))
        }
        if found.isEmpty {
            complain("a role must follow 'roles'")
            return nil
        }
        return found
    }

    /// `load|fp` behind `class`; nil after a complaint.
    private mutating func classes(_ tokens: [Token], _ index: inout Int) -> [String]? {
        guard index < tokens.count, case .word(let word) = tokens[index] else {
            complain("a class must follow 'class'")
            return nil
        }
        index += 1
        let names = word.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
        for name in names where !classNames.contains(name) {
            complain("unknown class '\(name)': there are \(classNames.joined(separator: ", "))")
            return nil
        }
        return names
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

    mutating func format(_ name: String, _ tokens: [Token]) {
        guard isName(name) else { return complain("'@\(name)' is not a format name") }
        var entry = Format(
            name: name, argumentSet: nil, assignments: [], classes: nil, roles: [], template: nil, table: current,
            location: location)
        var index = 0
        while index < tokens.count {
            let token = tokens[index]
            index += 1
            switch token {
            case .text(let text): entry.template = text
            case .word("class"):
                guard let found = classes(tokens, &index) else { return }
                entry.classes = found
            case .word("roles"):
                guard let found = roles(tokens, &index) else { return }
                entry.roles += found
            case .word(let word):
                guard assignment(word, set: &entry.argumentSet, &entry.assignments) else {
                    return complain("'\(word)' does not belong in a format")
                }
            case .gate: return complain("a format has no gate")
            }
        }
        table.formats.append(entry)
    }

    mutating func row(_ name: String, _ tokens: [Token]) {
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
            classes: nil, roles: [], gate: fileGate, function: name, template: nil, over: [], group: group,
            table: current, location: location)
        for bit in bits.utf8 {
            let fixed = bit == UInt8(ascii: "0") || bit == UInt8(ascii: "1")
            entry.fixed = entry.fixed << 1 | (fixed ? 1 : 0)
            entry.match = entry.match << 1 | (bit == UInt8(ascii: "1") ? 1 : 0)
            entry.variable = entry.variable << 1 | (bit == UInt8(ascii: ".") ? 1 : 0)
        }
        while index < tokens.count {
            let token = tokens[index]
            index += 1
            switch token {
            case .text(let text): entry.template = text
            case .gate(let text):
                guard let gate = parseGate(text) else { return }
                entry.gate.terms += gate.terms
            case .word("class"):
                guard let found = classes(tokens, &index) else { return }
                entry.classes = found
            case .word("roles"):
                guard let found = roles(tokens, &index) else { return }
                entry.roles += found
            case .word(let word) where word == "=>" || word == "over":
                guard index < tokens.count, case .word(let other) = tokens[index],
                    case let names = other.split(separator: ","), names.allSatisfy(isName),
                    word == "over" || names.count == 1
                else { return complain("a name must follow '\(word)'") }
                index += 1
                if word == "=>" {
                    entry.function = other
                } else {
                    entry.over = names.map(String.init)
                }
            case .word(let word) where word.hasPrefix("@"): entry.format = String(word.dropFirst())
            case .word(let word):
                guard assignment(word, set: &entry.argumentSet, &entry.assignments) else {
                    return complain("'\(word)' does not belong in a row")
                }
            }
        }
        table.rows.append(entry)
    }
}
