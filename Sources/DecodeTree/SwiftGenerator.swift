// Prints a checked table as Swift. The compiler's time is the constraint: generated code is made of calls to small
// typed helpers, plain integer literals and one-line leaf functions, never of long expressions with conversions.

struct SwiftGenerator {
    let table: ResolvedTable
    /// Begins the names of generated files; empty for the tables of a target that has one set.
    let prefix: String
    let sets: [String: ArgumentSet]

    init(_ table: ResolvedTable, prefix: String) {
        self.table = table
        self.prefix = prefix
        sets = Dictionary(uniqueKeysWithValues: table.argumentSets.map { ($0.name, $0) })
    }

    var names: Names { table.names }
    let header = "// Generated from the decode tables. Do not edit.\n\n"
    /// Decoders are functions of their table's type, not of the module: there are several.
    var isQualified: Bool { !prefix.isEmpty || table.tables.count > 1 }
    /// The types of all arguments, in a fixed order.
    var argumentTypes: [ArgumentType] {
        let used = Set(table.argumentSets.flatMap { $0.arguments.map(\.type) })
        return ArgumentType.allCases.filter(used.contains)
    }
    /// 64-bit words of an extension set.
    var extensionWords: Int { max(1, (table.extensions.count + 63) / 64) }
    var hasNegations: Bool { table.patterns.contains { !$0.gate.noneOf.isEmpty } }

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
        let isOne = extensionWords == 1
        let (parameter, bits) = isOne ? ("", "extensions.rawValue") : (", in word: Int", "extensions.word(word)")
        var tests = [("allOf", "& bits == bits"), ("anyOf", "& bits != 0")]
        if hasNegations { tests.append(("noneOf", "& bits == 0")) }
        for (label, test) in tests {
            text += "    @inline(__always) func has(\(label) bits: UInt64\(parameter)) -> Bool { \(bits) \(test) }\n"
        }
        text += "}\n"
        return text
    }

    private func signature(_ function: Function) -> String {
        let argument = hasArguments(function) ? "_ a: \(names.arguments).\(function.set!.name)" : ""
        return "\(quoted(function.name))(\(argument)) -> Bool"
    }

    private func hasArguments(_ function: Function) -> Bool { !(function.set?.arguments.isEmpty ?? true) }

    // MARK: Disassembler

    func disassembly() -> String {
        var numbers = ""
        for type in argumentTypes where type == .UInt32 || type == .UInt64 {
            let value = type == .UInt32 ? "Int64(value)" : "Int64(bitPattern: value)"
            numbers += "@inline(__always) private func number(_ value: \(type)) -> Int64 { \(value) }\n"
        }
        var text = header
        text += """
            @inline(__always) private func number(_ value: Int32) -> Int64 { Int64(value) }
            @inline(__always) private func number(_ value: Int64) -> Int64 { value }
            @inline(__always) private func number(_ value: UInt8) -> Int64 { Int64(value) }
            @inline(__always) private func number(_ value: Bool) -> Int64 { value ? 1 : 0 }
            \(numbers)@inline(__always) private func same(_ one: Int64, _ other: Int64) -> Bool { one == other }

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

    // MARK: Text

    func array(_ name: String, _ type: String, _ values: [String]) -> String {
        var text = "private let \(name): [\(type)] = [\n"
        for start in stride(from: 0, to: values.count, by: 8) {
            text += "    " + values[start..<min(start + 8, values.count)].joined(separator: ", ") + ",\n"
        }
        return text + "]\n"
    }

    func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

    func literal(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    func quoted(_ name: String) -> String { swiftKeywords.contains(name) ? "`\(name)`" : name }
}

private let swiftKeywords: Set<String> = [
    "as", "break", "case", "catch", "class", "continue", "default", "defer", "deinit", "do", "else", "enum",
    "extension",
    "fallthrough", "false", "for", "func", "guard", "if", "import", "in", "init", "inout", "internal", "is", "let",
    "nil",
    "operator", "private", "protocol", "public", "repeat", "return", "self", "static", "struct", "subscript", "super",
    "switch", "throw", "throws", "true", "try", "typealias", "var", "where", "while",
]
