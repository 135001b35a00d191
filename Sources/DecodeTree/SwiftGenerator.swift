// Prints a checked table as Swift. The compiler's time is the constraint: generated code is made of calls to small
// typed helpers, plain integer literals and one-line leaf functions, never of long expressions with conversions.

struct SwiftGenerator {
    let table: ResolvedTable
    private let functions: [String: Function]
    private let sets: [String: ArgumentSet]

    init(_ table: ResolvedTable) {
        self.table = table
        functions = Dictionary(uniqueKeysWithValues: table.functions.map { ($0.name, $0) })
        sets = Dictionary(uniqueKeysWithValues: table.argumentSets.map { ($0.name, $0) })
    }

    private var names: Names { table.names }
    private let header = "// Generated from the decode tables. Do not edit.\n\n"

    // MARK: Protocol and arguments

    func instructionSet() -> String {
        var text = header
        text += "/// Operands of the instructions, one structure per argument set of the tables.\n"
        text += "enum \(names.arguments) {\n"
        for set in table.argumentSets where !set.arguments.isEmpty {
            text += "    struct \(set.name) {\n"
            for argument in set.arguments {
                text += "        var \(quoted(argument.name)): \(argument.type.rawValue)\n"
            }
            text += "    }\n"
        }
        text += "}\n\n"
        text +=
            "/// What every instruction does. A function returns false when its operands make it illegal.\n"
        text += "protocol \(names.instructionSet): ~Copyable {\n"
        text += "    /// The extensions that decode; encodings of all others are illegal.\n"
        text += "    var extensions: \(names.extensions) { get }\n\n"
        for function in table.functions {
            text += "    /// `\(function.mnemonic)`\n"
            text += "    mutating func \(signature(function))\n"
        }
        text += "}\n\n"
        text += "extension \(names.instructionSet) where Self: ~Copyable {\n"
        text += "    @inline(__always) func has(allOf bits: UInt64) -> Bool { extensions.rawValue & bits == bits }\n"
        text += "    @inline(__always) func has(anyOf bits: UInt64) -> Bool { extensions.rawValue & bits != 0 }\n"
        text += "}\n"
        return text
    }

    private func signature(_ function: Function) -> String {
        let argument = hasArguments(function) ? "_ a: \(names.arguments).\(function.set!.name)" : ""
        return "\(quoted(function.name))(\(argument)) -> Bool"
    }

    private func hasArguments(_ function: Function) -> Bool { !(function.set?.arguments.isEmpty ?? true) }

    // MARK: Extensions

    func extensionSet() -> String {
        let name = names.extensions
        var text = header
        text += "/// Instruction set extensions, one bit each, in the order of the tables.\n"
        text += "public struct \(name): OptionSet, Hashable, Sendable {\n"
        text += "    public let rawValue: UInt64\n"
        text += "    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }\n\n"
        for (bit, entry) in table.extensions.enumerated() {
            text += "    /// \(entry.summary)\n"
            text +=
                "    public static var \(quoted(entry.name)): \(name) { \(name)(rawValue: \(hex(1 << UInt64(bit)))) }\n"
        }
        text += "\n    /// How many extensions are known.\n"
        text += "    public static let count = \(table.extensions.count)\n\n"
        text += "    /// The name of extension number `bit` (less than `count`).\n"
        text += "    public static func name(_ bit: Int) -> String { extensionNames[bit].description }\n\n"
        text += "    /// What extension number `bit` is.\n"
        text += "    public static func summary(_ bit: Int) -> String { extensionSummaries[bit].description }\n\n"
        text += "    /// The extensions that extension number `bit` directly brings with it.\n"
        text += "    public static func implied(by bit: Int) -> \(name) { \(name)(rawValue: extensionImplied[bit]) }\n"
        text += "}\n\n"
        let bits = Dictionary(
            table.extensions.enumerated().map { ($1.name, UInt64(1) << UInt64($0)) },
            uniquingKeysWith: { first, _ in first })
        text += array("extensionNames", "StaticString", table.extensions.map { literal($0.name) })
        text += array("extensionSummaries", "StaticString", table.extensions.map { literal($0.summary) })
        text += array(
            "extensionImplied", "UInt64",
            table.extensions.map { entry in hex(entry.implies.reduce(UInt64(0)) { $0 | (bits[$1] ?? 0) }) })
        return text
    }

    // MARK: Decoder

    func decoder() -> String {
        var text = header
        text += """
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
        var usedFields: Set<String> = []
        var extractions: [Extraction: String] = [:]
        var extractionNames: [(Extraction, String)] = []
        for pattern in table.patterns {
            guard let extraction = pattern.extraction, pattern.function != nil else { continue }
            for case .field(let name) in extraction.values { usedFields.insert(name) }
            if extractions[extraction] == nil {
                let name = "arguments\(extractions.count)"
                extractions[extraction] = name
                extractionNames.append((extraction, name))
            }
        }
        for name in usedFields.sorted() {
            guard let field = table.fields[name] else { continue }
            text += "@inline(__always) private func field_\(name)(_ w: UInt32) -> Int32 { \(expression(field)) }\n"
        }
        text += "\n"
        for (extraction, name) in extractionNames {
            guard let set = sets[extraction.set] else { continue }
            let values = zip(set.arguments, extraction.values).map { argument, value in
                "\(argument.name): \(self.value(value, argument.type))"
            }
            let type = "\(names.arguments).\(set.name)"
            text += "@inline(__always) private func \(name)(_ w: UInt32) -> \(type) {\n"
            text += "    \(type)(\(values.joined(separator: ", ")))\n}\n"
        }
        for width in [32, 16] {
            let patterns = table.patterns.filter { $0.width == width }
            if patterns.isEmpty { continue }
            text +=
                "\n/// Decodes a \(width)-bit instruction and calls its function; false when there is none, its\n"
            text += "/// extension is off or the function finds its operands illegal.\n"
            text += "func decode\(width)<Target: \(names.instructionSet) & ~Copyable>(\n"
            text += "    _ word: UInt\(width), into target: inout Target\n) -> Bool {\n"
            text += width == 32 ? "    let w = word\n" : "    let w = UInt32(truncatingIfNeeded: word)\n"
            emit(DecisionTree.build(patterns), extractions, "    ", &text)
            text += "}\n"
        }
        return text
    }

    private func expression(_ field: Field) -> String {
        var text = ""
        for piece in field.pieces {
            if text.isEmpty {
                text = "\(piece.signed ? "signed" : "unsigned")(w, \(piece.position), \(piece.length))"
            } else {
                text = "append(\(text), w, \(piece.position), \(piece.length))"
            }
        }
        if field.shift != 0 { text = "shifted(\(text), \(field.shift))" }
        if field.offset != 0 { text = "offset(\(text), \(field.offset))" }
        if let function = field.function { text = "\(function)(\(text))" }
        return text
    }

    private func value(_ value: ArgumentValue, _ type: ArgumentType) -> String {
        switch value {
        case .field(let name): return "to\(type.rawValue)(field_\(name)(w))"
        case .constant(let number): return type == .Bool ? (number != 0 ? "true" : "false") : String(number)
        }
    }

    /// Every path through the emitted statements returns.
    private func emit(_ tree: DecisionTree, _ extractions: [Extraction: String], _ indent: String, _ text: inout String)
    {
        switch tree {
        case .illegal:
            text += "\(indent)return false\n"
        case .leaf(let pattern, let otherwise):
            let gate = gateText(pattern)
            if gate.isEmpty {
                text += "\(indent)return \(call(pattern, extractions))\n"
            } else {
                text += "\(indent)if \(gate) { return \(call(pattern, extractions)) }\n"
                emit(otherwise, extractions, indent, &text)
            }
        case .test(let mask, let match, let pattern, let otherwise):
            let conditions = ["bits(w, \(hex(mask)), are: \(hex(match)))", gateText(pattern)].filter { !$0.isEmpty }
            text += "\(indent)if \(conditions.joined(separator: ", ")) { return \(call(pattern, extractions)) }\n"
            emit(otherwise, extractions, indent, &text)
        case .branch(let position, let length, let cases):
            if cases.count == 1, let only = cases.first {
                let mask = lowBits(length) << UInt32(position)
                let match = only.value << UInt32(position)
                text += "\(indent)if !bits(w, \(hex(mask)), are: \(hex(match))) { return false }\n"
                emit(only.tree, extractions, indent, &text)
                return
            }
            text += "\(indent)switch field(w, \(position), \(length)) {\n"
            for (value, tree) in cases {
                text += "\(indent)case \(hex(value)):\n"
                emit(tree, extractions, indent + "    ", &text)
            }
            text += "\(indent)default: return false\n\(indent)}\n"
        }
    }

    private func gateText(_ pattern: Pattern) -> String {
        var conditions: [String] = []
        if pattern.allOf != 0 { conditions.append("target.has(allOf: \(hex(pattern.allOf)))") }
        if pattern.anyOf != 0 { conditions.append("target.has(anyOf: \(hex(pattern.anyOf)))") }
        return conditions.joined(separator: ", ")
    }

    private func call(_ pattern: Pattern, _ extractions: [Extraction: String]) -> String {
        guard let function = pattern.function else { return "false" }
        let arguments = pattern.extraction.flatMap { extractions[$0] }.map { "\($0)(w)" } ?? ""
        return "target.\(quoted(function))(\(arguments))"
    }

    // MARK: Disassembler

    func disassembly() -> String {
        var text = header
        text += """
            @inline(__always) private func number(_ value: Int32) -> Int64 { Int64(value) }
            @inline(__always) private func number(_ value: Int64) -> Int64 { value }
            @inline(__always) private func number(_ value: UInt8) -> Int64 { Int64(value) }
            @inline(__always) private func number(_ value: Bool) -> Int64 { value ? 1 : 0 }
            @inline(__always) private func same(_ one: Int64, _ other: Int64) -> Bool { one == other }

            /// Prints each instruction; the texts' `{kind}` are operands, in the order of the arguments of `show`.
            extension \(names.disassembler): \(names.instructionSet) {

            """
        for function in table.functions {
            text += "    mutating func \(signature(function)) {\n"
            for alias in function.aliases {
                let conditions = alias.conditions.map { condition in
                    switch condition {
                    case .constant(let argument, let value): "same(\(operand(argument)), \(value))"
                    case .equal(let one, let other): "same(\(operand(one)), \(operand(other)))"
                    }
                }
                let show = showCall(alias.template, function)
                text += "        if \(conditions.joined(separator: ", ")) { return \(show) }\n"
            }
            text += "        return \(showCall(function.template, function))\n    }\n"
        }
        text += "}\n"
        return text
    }

    private func operand(_ argument: String) -> String { "number(a.\(quoted(argument)))" }

    private func showCall(_ template: String, _ function: Function) -> String {
        var shown = ""
        var operands = ""
        for part in templateParts(template) {
            switch part {
            case .literal(let text): shown += text
            case .mnemonic: shown += function.mnemonic
            case .argument(let name, let kind):
                shown += "{\(kind)}"
                operands += ", \(operand(name))"
            }
        }
        return "show(\(literal(shown))\(operands))"
    }

    // MARK: Table for fuzzers

    func instructionTable() -> String {
        let patterns = table.patterns.filter { $0.function != nil }
        var text = header
        text += """
            /// All encodings as rows of integers: a word with `word & mask(i) == match(i)` is instruction `i`, unless
            /// a more specific row takes it (one with a smaller number, or a reserved encoding).
            public enum \(names.table) {
                /// How many encodings there are.
                public static let count = \(patterns.count)

                /// The bits that the encoding determines.
                public static func mask(_ i: Int) -> UInt32 { instructionMasks[i] }

                /// The values of those bits.
                public static func match(_ i: Int) -> UInt32 { instructionMatches[i] }

                /// 16 or 32 bits.
                public static func width(_ i: Int) -> Int { i < \(patterns.count { $0.width == 32 }) ? 32 : 16 }

                /// The row's name.
                public static func name(_ i: Int) -> String { instructionNames[i].description }

                /// Extensions with which the encoding is legal: all that it needs and, of alternatives, the first.
                public static func `extension`(_ i: Int) -> \(names.extensions) {
                    let any = instructionAnyOf[i]
                    return \(names.extensions)(rawValue: instructionAllOf[i] | (any & (0 &- any)))
                }

                /// Whether the encoding decodes with these extensions.
                public static func isAllowed(_ i: Int, by extensions: \(names.extensions)) -> Bool {
                    let has = extensions.rawValue
                    return has & instructionAllOf[i] == instructionAllOf[i]
                        && (instructionAnyOf[i] == 0 || has & instructionAnyOf[i] != 0)
                }
            }


            """
        let sorted = patterns.filter { $0.width == 32 } + patterns.filter { $0.width == 16 }
        text += array("instructionMasks", "UInt32", sorted.map { hex($0.mask) })
        text += array("instructionMatches", "UInt32", sorted.map { hex($0.match) })
        text += array("instructionAllOf", "UInt64", sorted.map { hex($0.allOf) })
        text += array("instructionAnyOf", "UInt64", sorted.map { hex($0.anyOf) })
        text += array("instructionNames", "StaticString", sorted.map { literal($0.name) })
        return text
    }

    // MARK: Text

    private func array(_ name: String, _ type: String, _ values: [String]) -> String {
        var text = "private let \(name): [\(type)] = [\n"
        for start in stride(from: 0, to: values.count, by: 8) {
            text += "    " + values[start..<min(start + 8, values.count)].joined(separator: ", ") + ",\n"
        }
        return text + "]\n"
    }

    private func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

    private func literal(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    private func quoted(_ name: String) -> String { swiftKeywords.contains(name) ? "`\(name)`" : name }
}

private let swiftKeywords: Set<String> = [
    "as", "break", "case", "catch", "class", "continue", "default", "defer", "deinit", "do", "else", "enum",
    "extension",
    "fallthrough", "false", "for", "func", "guard", "if", "import", "in", "init", "inout", "internal", "is", "let",
    "nil",
    "operator", "private", "protocol", "public", "repeat", "return", "self", "static", "struct", "subscript", "super",
    "switch", "throw", "throws", "true", "try", "typealias", "var", "where", "while",
]
