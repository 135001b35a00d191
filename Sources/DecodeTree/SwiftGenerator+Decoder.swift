// The decoders: one function per table and width of its words, and one per table that takes the word from code bytes.

extension SwiftGenerator {
    /// How a field, or a row's arguments, are made in words of one type. Only what lies behind the word depends on the
    /// table.
    private struct Key<Made: Hashable>: Hashable {
        var made: Made
        var isLong: Bool
        var table: Int
    }

    /// What the tables need, with the names of the functions that make it.
    private struct Functions {
        var fields: [Key<FieldUse>: String] = [:]
        var arguments: [Key<Extraction>: String] = [:]
        var order: [(key: Key<Extraction>, name: String)] = []
    }

    private func key(_ use: FieldUse, _ isLong: Bool, _ index: Int) -> Key<FieldUse> {
        use.trailing == nil
            ? Key(made: use, isLong: isLong, table: 0) : Key(made: use, isLong: false, table: index)
    }

    private func key(_ extraction: Extraction, _ pattern: Pattern) -> Key<Extraction> {
        Key(
            made: extraction, isLong: pattern.width > 32, table: extraction.trailing.isEmpty ? 0 : pattern.table)
    }

    private func collect() -> Functions {
        var found = Functions()
        var taken: Set<String> = []
        for pattern in table.patterns {
            guard let extraction = pattern.extraction, pattern.function != nil else { continue }
            for case .field(let use) in extraction.values {
                let key = key(use, pattern.width > 32, pattern.table)
                if found.fields[key] != nil { continue }
                // Fields of one name differ in different tables, or in words of different widths.
                var name = use.name
                var number = 2
                while !taken.insert(name).inserted {
                    name = "\(use.name)_\(number)"
                    number += 1
                }
                found.fields[key] = name
            }
            let key = key(extraction, pattern)
            if found.arguments[key] == nil {
                let name = "arguments\(found.arguments.count)"
                found.arguments[key] = name
                found.order.append((key, name))
            }
        }
        return found
    }

    func decoder() -> String {
        let functions = collect()
        var text = header + "import GuestKit\n\n" + helpers()
        if functions.fields.keys.contains(where: { $0.isLong || $0.made.isWide }) { text += longHelpers() }
        text += "\n"
        for (index, entry) in table.tables.enumerated() {
            text += "@inline(__always) private var layout\(index): CodeLayout { \(layoutText(entry.layout)) }\n"
        }
        text += "\n"
        for (key, name) in functions.fields.sorted(by: { $0.value < $1.value }) {
            let parameter =
                key.made.trailing == nil ? "_ w: UInt\(key.isLong ? 64 : 32)" : "_ c: inout InstructionBytes"
            text += "@inline(__always) private func field_\(name)(\(parameter)) -> \(valueType(key)) "
            text += "{ \(expression(key)) }\n"
        }
        text += "\n"
        for (key, name) in functions.order { text += argumentFunction(key, name, functions) }
        for index in table.tables.indices { text += decoders(index, functions) }
        return text
    }

    private func helpers() -> String {
        var text = """
            /// `length` bits of the word from `position`.
            @inline(__always) private func field(_ word: UInt32, _ position: UInt32, _ length: UInt32) -> UInt32 {
                (word &<< (32 &- position &- length)) &>> (32 &- length)
            }
            @inline(__always) private func unsigned(_ word: UInt32, _ position: UInt32, _ length: UInt32) -> Int32 {
                Int32(bitPattern: field(word, position, length))
            }
            @inline(__always) private func signed(_ word: UInt32, _ position: UInt32, _ length: Int32) -> Int32 {
                let top: UInt32 = word &<< (32 &- position &- UInt32(bitPattern: length))
                return Int32(bitPattern: top) &>> (32 &- length)
            }
            @inline(__always)
            private func append(_ high: Int32, _ word: UInt32, _ position: UInt32, _ length: UInt32) -> Int32 {
                (high &<< Int32(bitPattern: length)) | unsigned(word, position, length)
            }
            @inline(__always) private func shifted(_ value: Int32, _ by: Int32) -> Int32 { value &<< by }
            @inline(__always) private func offset(_ value: Int32, _ by: Int32) -> Int32 { value &+ by }
            @inline(__always) private func toInt32(_ value: Int32) -> Int32 { value }
            @inline(__always) private func toInt64(_ value: Int32) -> Int64 { Int64(value) }
            @inline(__always) private func toUInt8(_ value: Int32) -> UInt8 { UInt8(truncatingIfNeeded: value) }
            @inline(__always) private func toBool(_ value: Int32) -> Bool { value != 0 }
            @inline(__always) private func bits(_ word: UInt32, _ mask: UInt32, are match: UInt32) -> Bool {
                word & mask == match
            }


            """
        for type in argumentTypes where type == .UInt32 || type == .UInt64 {
            text += "@inline(__always) private func to\(type)(_ value: Int32) -> \(type) "
            text += "{ \(type)(truncatingIfNeeded: value) }\n"
        }
        return text
    }

    /// The same for words and values of 64 bits.
    private func longHelpers() -> String {
        var text = """
            @inline(__always) private func field(_ word: UInt64, _ position: UInt64, _ length: UInt64) -> UInt64 {
                (word &<< (64 &- position &- length)) &>> (64 &- length)
            }
            @inline(__always) private func unsigned(_ word: UInt64, _ position: UInt64, _ length: UInt64) -> Int64 {
                Int64(bitPattern: field(word, position, length))
            }
            @inline(__always) private func signed(_ word: UInt64, _ position: UInt64, _ length: Int64) -> Int64 {
                let top: UInt64 = word &<< (64 &- position &- UInt64(bitPattern: length))
                return Int64(bitPattern: top) &>> (64 &- length)
            }
            @inline(__always)
            private func append(_ high: Int64, _ word: UInt64, _ position: UInt64, _ length: UInt64) -> Int64 {
                (high &<< Int64(bitPattern: length)) | unsigned(word, position, length)
            }
            @inline(__always) private func shifted(_ value: Int64, _ by: Int64) -> Int64 { value &<< by }
            @inline(__always) private func offset(_ value: Int64, _ by: Int64) -> Int64 { value &+ by }
            @inline(__always) private func toBool(_ value: Int64) -> Bool { value != 0 }
            @inline(__always) private func bits(_ word: UInt64, _ mask: UInt64, are match: UInt64) -> Bool {
                word & mask == match
            }

            """
        for type in argumentTypes where type != .Bool {
            text += "@inline(__always) private func to\(type)(_ value: Int64) -> \(type) "
            text += "{ \(type)(truncatingIfNeeded: value) }\n"
        }
        return text
    }

    func layoutText(_ layout: ResolvedLayout) -> String {
        "CodeLayout(unit: \(layout.unit / 8), order: .\(layout.order), joinsHigh: \(layout.joinsHigh))"
    }

    // MARK: Arguments

    private func isLong(_ key: Key<FieldUse>) -> Bool { key.isLong || key.made.isWide }

    private func valueType(_ key: Key<FieldUse>) -> String { isLong(key) ? "Int64" : "Int32" }

    private func expression(_ key: Key<FieldUse>) -> String {
        let field = key.made
        let word = isLong(key) && !key.isLong ? "UInt64(w)" : "w"
        var text = ""
        if let trailing = field.trailing {
            text = "c.take\(trailing.signed ? "Signed" : "Unsigned")(\(trailing.bits / 8), layout\(key.table))"
        }
        for piece in field.pieces {
            if text.isEmpty {
                text = "\(piece.signed ? "signed" : "unsigned")(\(word), \(piece.position), \(piece.length))"
            } else {
                text = "append(\(text), \(word), \(piece.position), \(piece.length))"
            }
        }
        if field.shift != 0 { text = "shifted(\(text), \(field.shift))" }
        if field.offset != 0 { text = "offset(\(text), \(field.offset))" }
        if let function = field.function { text = "\(function)(\(text))" }
        return text
    }

    private func argumentFunction(_ key: Key<Extraction>, _ name: String, _ functions: Functions) -> String {
        guard let set = sets[key.made.set] else { return "" }
        func fieldName(_ use: FieldUse) -> String {
            functions.fields[self.key(use, key.isLong, key.table)] ?? use.name
        }
        let values = zip(set.arguments, key.made.values).map { argument, value in
            switch value {
            case .constant(let number):
                let text = argument.type == .Bool ? (number != 0 ? "true" : "false") : String(number)
                return "\(argument.name): \(text)"
            case .field(let use):
                let value = use.trailing == nil ? "field_\(fieldName(use))(w)" : "t_\(fieldName(use))"
                return "\(argument.name): to\(argument.type.rawValue)(\(value))"
            }
        }
        let type = "\(names.arguments).\(set.name)"
        let word = "_ w: UInt\(key.isLong ? 64 : 32)"
        let code = key.made.trailing.isEmpty ? "" : ", _ c: inout InstructionBytes"
        var text = "@inline(__always) private func \(name)(\(word)\(code)) -> \(type) {\n"
        for use in key.made.trailing { text += "    let t_\(fieldName(use)) = field_\(fieldName(use))(&c)\n" }
        text += "    \(key.made.trailing.isEmpty ? "" : "return ")\(type)(\(values.joined(separator: ", ")))\n}\n"
        return text
    }

    // MARK: Decisions

    private func decoders(_ index: Int, _ functions: Functions) -> String {
        let patterns = table.patterns.filter { $0.table == index }
        let widths = Set(patterns.map(\.width)).sorted().reversed()
        let indent = isQualified ? "    " : ""
        let keyword = isQualified ? "static func" : "func"
        let target = "Target: \(names.instructionSet) & ~Copyable"
        var text = isQualified ? "\nextension \(table.tables[index].name) {" : ""
        for width in widths {
            let rows = patterns.filter { $0.width == width }
            let type = width <= 8 ? 8 : width <= 16 ? 16 : width <= 32 ? 32 : 64
            let code = hasTrailing(index, width) ? ", behind code: inout InstructionBytes" : ""
            text +=
                "\n\(indent)/// Decodes \(width == 8 ? "an" : "a") \(width)-bit instruction and calls its function; false when there is none, its\n"
            text += "\(indent)/// extension is off or the function finds its operands illegal.\n"
            text += "\(indent)\(keyword) decode\(width)<\(target)>(\n"
            text += "\(indent)    _ word: UInt\(type)\(code), into target: inout Target\n\(indent)) -> Bool {\n"
            let isWhole = type >= 32
            text += "\(indent)    let w = \(isWhole ? "word" : "UInt32(truncatingIfNeeded: word)")\n"
            emit(DecisionTree.build(rows), functions, indent + "    ", &text)
            text += "\(indent)}\n"
        }
        text += fetchingDecoder(index, Array(widths), "\(indent)\(keyword) decode<\(target)>", indent)
        return text + (isQualified ? "}\n" : "")
    }

    private func hasTrailing(_ index: Int, _ width: Int) -> Bool {
        table.patterns.contains {
            $0.table == index && $0.width == width && $0.function != nil && $0.extraction?.trailing.isEmpty == false
        }
    }

    private func fetchingDecoder(_ index: Int, _ widths: [Int], _ signature: String, _ indent: String) -> String {
        let entry = table.tables[index]
        var lines = [
            "/// Takes the next instruction from `code`, decodes it and calls its function; false when `code` ends too early",
            "/// (`code.isShort`), and when there is no such instruction.",
        ]
        let unit = entry.layout.unit / 8
        func decode(_ width: Int) -> [String] {
            let type = width <= 8 ? 8 : width <= 16 ? 16 : width <= 32 ? 32 : 64
            let code = hasTrailing(index, width) ? ", behind: &code" : ""
            return [
                "guard code.reaches(\(width / 8)) else { return false }",
                "let word = UInt\(type)(truncatingIfNeeded: code.take(\(width / 8), layout\(index)))",
                "return decode\(width)(word\(code), into: &target)",
            ]
        }
        var text = "\n" + lines.map { "\(indent)\($0)\n" }.joined()
        text +=
            "\(signature)(\n\(indent)    _ code: inout InstructionBytes, into target: inout Target\n\(indent)) -> Bool {\n"
        if entry.layout.rule == nil, let width = widths.first {
            lines = decode(width)
        } else {
            lines = ["guard code.reaches(\(unit)) else { return false }"]
            lines.append("switch \(entry.name).length(code.peek(\(unit), layout\(index))) {")
            for width in widths {
                lines.append("case \(width / 8):")
                lines += decode(width).map { "    \($0)" }
            }
            lines += ["default: return false", "}"]
        }
        text += lines.map { "\(indent)    \($0)\n" }.joined()
        return text + "\(indent)}\n"
    }

    /// Every path through the emitted statements returns.
    private func emit(_ tree: DecisionTree, _ functions: Functions, _ indent: String, _ text: inout String) {
        switch tree {
        case .illegal:
            text += "\(indent)return false\n"
        case .leaf(let pattern, let otherwise):
            let gate = gateText(pattern)
            if gate.isEmpty {
                text += "\(indent)return \(call(pattern, functions))\n"
            } else {
                text += "\(indent)if \(gate) { return \(call(pattern, functions)) }\n"
                emit(otherwise, functions, indent, &text)
            }
        case .test(let mask, let match, let pattern, let otherwise):
            let conditions = ["bits(w, \(hex(mask)), are: \(hex(match)))", gateText(pattern)].filter { !$0.isEmpty }
            text += "\(indent)if \(conditions.joined(separator: ", ")) { return \(call(pattern, functions)) }\n"
            emit(otherwise, functions, indent, &text)
        case .branch(let position, let length, let cases):
            if cases.count == 1, let only = cases.first {
                let mask = lowBits(length) << UInt64(position)
                let match = only.value << UInt64(position)
                text += "\(indent)if !bits(w, \(hex(mask)), are: \(hex(match))) { return false }\n"
                emit(only.tree, functions, indent, &text)
                return
            }
            text += "\(indent)switch field(w, \(position), \(length)) {\n"
            for (value, tree) in cases {
                text += "\(indent)case \(hex(value)):\n"
                emit(tree, functions, indent + "    ", &text)
            }
            text += "\(indent)default: return false\n\(indent)}\n"
        }
    }

    private func gateText(_ pattern: Pattern) -> String {
        let gate = pattern.gate
        func tests(_ label: String, _ set: ExtensionBits) -> [String] {
            (0..<extensionWords).filter { set[$0] != 0 }.map { word in
                "target.has(\(label): \(hex(set[word]))\(extensionWords == 1 ? "" : ", in: \(word)"))"
            }
        }
        var conditions = tests("allOf", gate.allOf)
        let any = tests("anyOf", gate.anyOf)
        if !any.isEmpty { conditions.append(any.count == 1 ? any[0] : "(\(any.joined(separator: " || ")))") }
        conditions += tests("noneOf", gate.noneOf)
        return conditions.joined(separator: ", ")
    }

    private func call(_ pattern: Pattern, _ functions: Functions) -> String {
        guard let function = pattern.function else { return "false" }
        guard let extraction = pattern.extraction, let name = functions.arguments[key(extraction, pattern)] else {
            return "target.\(quoted(function))()"
        }
        if extraction.trailing.isEmpty { return "target.\(quoted(function))(\(name)(w))" }
        return "code.reaches(\(extraction.trailingBytes)) && target.\(quoted(function))(\(name)(w, &code))"
    }
}
