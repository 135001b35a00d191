// The rows as arrays of integers, for those who make instructions or look for them.

extension SwiftGenerator {
    func instructionTable() -> String {
        var text = header + "import GuestKit\n\n"
        for index in table.tables.indices { text += rows(index) }
        return text
    }

    private func rows(_ index: Int) -> String {
        let entry = table.tables[index]
        let patterns = table.patterns.filter { $0.table == index && $0.function != nil }
        let widths = Set(patterns.map(\.width)).sorted().reversed().map { $0 }
        let sorted = widths.flatMap { width in patterns.filter { $0.width == width } }
        let word = (widths.first ?? 0) > 32 ? "UInt64" : "UInt32"
        let arrays = isQualified ? entry.name : "instruction"
        var text = """
            /// All encodings as rows of integers: a word with `word & mask(i) == match(i)` is instruction `i`, unless
            /// a more specific row takes it (one with a smaller number, or a reserved encoding).
            public enum \(entry.name) {
                /// How many encodings there are.
                public static let count = \(sorted.count)

                /// The bits that the encoding determines.
                public static func mask(_ i: Int) -> \(word) { \(arrays)Masks[i] }

                /// The values of those bits.
                public static func match(_ i: Int) -> \(word) { \(arrays)Matches[i] }

                /// Bits of the word.
                public static func width(_ i: Int) -> Int { \(widthText(sorted, widths)) }

                /// The row's name.
                public static func name(_ i: Int) -> String { \(arrays)Names[i].description }

                /// What the instruction does.
                public static func classes(_ i: Int) -> InstructionClasses {
                    InstructionClasses(rawValue: \(arrays)Classes[i])
                }

            \(gateFunctions(arrays))
                /// How the words lie in memory.
                public static var layout: CodeLayout {
                    \(layoutText(entry.layout))
                }

                /// The rows with their operands.
                public static let encodings = InstructionEncodings(
                    layout: layout,
                    names: \(arrays)Names, widths: (0..<count).map { UInt8(width($0)) }, masks: \(arrays)Masks,
                    matches: \(arrays)Matches, classes: \(arrays)Classes, operandEnds: \(arrays)OperandEnds,
                    operands: \(arrays)Operands, records: \(arrays)OperandRecords, strings: \(arrays)OperandStrings)

            """
        if let rule = entry.layout.rule { text += lengthFunction(rule, entry.layout) }
        text += "}\n\n"
        text += array("\(arrays)Masks", word, sorted.map { hex($0.mask) })
        text += array("\(arrays)Matches", word, sorted.map { hex($0.match) })
        text += array("\(arrays)AllOf", "UInt64", words(sorted.map(\.gate.allOf)))
        text += array("\(arrays)AnyOf", "UInt64", words(sorted.map(\.gate.anyOf)))
        if hasNegations { text += array("\(arrays)NoneOf", "UInt64", words(sorted.map(\.gate.noneOf))) }
        text += array("\(arrays)Names", "StaticString", sorted.map { literal($0.name) })
        text += array("\(arrays)Classes", "UInt32", sorted.map { hex($0.classes) })
        return text + operands(sorted, arrays) + "\n"
    }

    private func widthText(_ sorted: [Pattern], _ widths: [Int]) -> String {
        var text = ""
        var count = 0
        for width in widths.dropLast() {
            count += sorted.count { $0.width == width }
            text += "i < \(count) ? \(width) : "
        }
        return text + "\(widths.last ?? 0)"
    }

    private func gateFunctions(_ arrays: String) -> String {
        let comments = (
            "/// Extensions with which the encoding is legal: all that it needs and, of alternatives, the first.",
            "/// Whether the encoding decodes with these extensions."
        )
        let set = names.extensions
        let number = extensionWords
        if number == 1 {
            let noneOf = hasNegations ? "\n            && has & \(arrays)NoneOf[i] == 0" : ""
            return """
                    \(comments.0)
                    public static func `extension`(_ i: Int) -> \(set) {
                        let any = \(arrays)AnyOf[i]
                        return \(set)(rawValue: \(arrays)AllOf[i] | (any & (0 &- any)))
                    }

                    \(comments.1)
                    public static func isAllowed(_ i: Int, by extensions: \(set)) -> Bool {
                        let has = extensions.rawValue
                        return has & \(arrays)AllOf[i] == \(arrays)AllOf[i]
                            && (\(arrays)AnyOf[i] == 0 || has & \(arrays)AnyOf[i] != 0)\(noneOf)
                    }

                """
        }
        let words = (0..<number).map { "words[i * \(number) + \($0)]" }.joined(separator: ", ")
        let noneOf = hasNegations ? "\n            && extensions.isDisjoint(with: set(\(arrays)NoneOf, i))" : ""
        return """
                \(comments.0)
                public static func `extension`(_ i: Int) -> \(set) {
                    let (all, any) = (set(\(arrays)AllOf, i), set(\(arrays)AnyOf, i))
                    for bit in 0..<\(set).count where any.contains(bit: bit) { return all.union(\(set)(bit: bit)) }
                    return all
                }

                \(comments.1)
                public static func isAllowed(_ i: Int, by extensions: \(set)) -> Bool {
                    let any = set(\(arrays)AnyOf, i)
                    return extensions.contains(set(\(arrays)AllOf, i))
                        && (any.isEmpty || !extensions.isDisjoint(with: any))\(noneOf)
                }

                private static func set(_ words: [UInt64], _ i: Int) -> \(set) { \(set)(\(words)) }

            """
    }

    private func lengthFunction(_ rule: LengthRule, _ layout: ResolvedLayout) -> String {
        let low = layout.lowBit(rule.position, rule.length, in: layout.unit)
        var text = "\n    /// Bytes of the word that begins with this unit.\n"
        text += "    public static func length(_ first: UInt64) -> Int {\n"
        text += "        switch first >> \(low) & \(hex(lowBits(rule.length))) {\n"
        for bytes in Set(rule.bytes.values).sorted() {
            let values = rule.bytes.filter { $0.value == bytes }.keys.sorted().map { hex($0) }
            text += "        case \(values.joined(separator: ", ")): return \(bytes)\n"
        }
        return text + "        default: return \(layout.unit / 8)\n        }\n    }\n"
    }

    // MARK: Operands

    /// Lists of numbers of records, which are shared: rows of one format have the same operands.
    private func operands(_ sorted: [Pattern], _ arrays: String) -> String {
        var strings: [String] = []
        var records: [[Int]: Int] = [:]
        var flat: [Int] = []
        var numbers: [Int] = []
        var ends: [Int] = []
        func string(_ text: String) -> Int {
            if let known = strings.firstIndex(of: text) { return known }
            strings.append(text)
            return strings.count - 1
        }
        for pattern in sorted {
            let set = pattern.extraction.flatMap { sets[$0.set] }
            for (number, argument) in (set?.arguments ?? []).enumerated() {
                guard let extraction = pattern.extraction else { continue }
                let role = pattern.roles[number]
                let head = [
                    string(argument.name), role.map { string($0.kind) } ?? -1, role?.access.rawValue ?? 0,
                ]
                let record = head + source(extraction.values[number], extraction)
                if records[record] == nil {
                    records[record] = records.count
                    flat += record
                }
                numbers.append(records[record] ?? 0)
            }
            ends.append(numbers.count)
        }
        return array("\(arrays)OperandEnds", "Int", ends.map(String.init))
            + array("\(arrays)Operands", "Int", numbers.map(String.init))
            + array("\(arrays)OperandRecords", "Int", flat.map(String.init))
            + array("\(arrays)OperandStrings", "StaticString", strings.map(literal))
    }

    /// The source, constant or index, sign, shift, offset, whether it is opaque, and the pieces.
    private func source(_ value: Extraction.Value, _ extraction: Extraction) -> [Int] {
        switch value {
        case .constant(let number): return [0, number, 0, 0, 0, 0, 0]
        case .field(let use):
            let tail = [use.shift, use.offset, use.function == nil ? 0 : 1]
            if let trailing = use.trailing {
                let index = extraction.trailing.firstIndex(of: use) ?? 0
                return [2, index, trailing.signed ? 1 : 0] + tail + [1, 0, trailing.bits]
            }
            return [1, 0, use.pieces.first?.signed == true ? 1 : 0] + tail + [use.pieces.count]
                + use.pieces.flatMap { [$0.position, $0.length] }
        }
    }
}
