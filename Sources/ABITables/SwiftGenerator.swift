// Prints packed tables as Swift: enumerations of names, and flat lists of integers, which the compiler puts into the
// program's data. Lists of structures would be built at start and take long to compile.

/// A file of generated Swift.
public struct GeneratedFile: Sendable {
    public let name: String
    public let text: String
}

/// Names of the files that `generate` makes: the build plugin declares them before they exist.
public let generatedFileNames = ["SystemCallID.swift", "ABINames.swift", "ABITables.swift"]

/// The Swift of these tables, given as (name, text).
///
/// - Throws: the first thing that is wrong with them.
public func generate(_ files: [(name: String, text: String)]) throws(TableError) -> [GeneratedFile] {
    var tables: [Table] = []
    for file in files { tables.append(try Table(file.text, file: file.name)) }
    let vocabulary = try Vocabulary(tables)
    guard let host = tables.first(where: { $0.name == "x86_64" }) else {
        throw TableError(description: "there is no table of x86_64, the host")
    }
    let generator = SwiftGenerator(vocabulary: vocabulary, tables: tables, host: host)
    let texts = [generator.systemCalls(), generator.names(), generator.data()]
    return zip(generatedFileNames, texts).map { GeneratedFile(name: $0, text: $1) }
}

struct SwiftGenerator {
    let vocabulary: Vocabulary
    let tables: [Table]
    let host: Table

    private let header = "// Generated from the tables of ABIs. Do not edit.\n\n"

    func systemCalls() -> String {
        var text = header
        text +=
            "/// A Linux system call, whatever number an ABI gives it: the one key under which a call is described. The\n"
        text += "/// kernel's name, and where one name has several meanings that of the entry point.\n"
        text += "public enum SystemCallID: UInt16, CaseIterable, BitwiseCopyable, Sendable {\n"
        for (index, name) in vocabulary.calls.enumerated() { text += "    case \(quoted(name)) = \(index)\n" }
        return text + "}\n"
    }

    func names() -> String {
        var text =
            header
            + "/// A structure of the kernel's interface. Its name is the structure's, without the \"64\" of its tag.\n"
        text += "public enum StructID: Int, CaseIterable, Sendable {\n"
        for structure in vocabulary.structures { text += "    case \(quoted(structure.name))\n" }
        text += "}\n\n/// Where a field is in the list of its structure's fields.\npublic enum FieldIndex {\n"
        for structure in vocabulary.structures {
            text += "    public enum \(quoted(structure.name)) {\n"
            for (index, field) in structure.fields.enumerated() {
                text += "        public static var \(identifier(field)): Int { \(index) }\n"
            }
            text += "    }\n"
        }
        text +=
            "}\n\n/// Sets of masks, which are translated bit by bit.\npublic enum MaskSet: Int, CaseIterable, Sendable {\n"
        for set in vocabulary.bits { text += "    case \(quoted(set))\n" }
        text += "}\n\n/// Sets of numbers, which are translated as a whole.\n"
        text += "public enum ValueSet: Int, CaseIterable, Sendable {\n"
        for (index, set) in vocabulary.values.enumerated() {
            text += "    case \(quoted(set)) = \(vocabulary.bits.count + index)\n"
        }
        return text + "}\n"
    }

    func data() -> String {
        var text = header + "extension LinuxTable {\n"
        for table in tables {
            text += "    public static let \(table.name) = LinuxTable(\n"
            text += "        name: \"\(table.name)\", word: \(table.word), isBigEndian: \(table.isBigEndian), "
            text += "firstCall: \(table.calls.first?.number ?? 0), calls: \(table.name)Calls,\n"
            text += "        errors: \(table.name)Errors, signals: \(table.name)Signals, maps: \(table.name)Maps, "
            text += "structures: \(table.name)Structures)\n"
        }
        text += "    #if arch(x86_64)\n        public static var host: LinuxTable { x86_64 }\n"
        text += "    #else\n        public static var host: LinuxTable { \(Vocabulary.reference) }\n    #endif\n}\n\n"
        text += "#if arch(x86_64)\n" + numbers(host) + "#else\n"
        if let reference = tables.first(where: { $0.name == Vocabulary.reference }) { text += numbers(reference) }
        text += "#endif\n"
        for table in tables {
            let packed = vocabulary.pack(table, host: host)
            text += list("\(table.name)Calls", packed.calls) + list("\(table.name)Errors", packed.errors)
            text += list("\(table.name)Signals", packed.signals) + list("\(table.name)Maps", packed.maps)
            text += list("\(table.name)Structures", packed.structures)
        }
        return text
    }

    /// The host kernel's number of each call, or -1.
    private func numbers(_ table: Table) -> String {
        let numbers = vocabulary.numbers(table)
        return "@usableFromInline let hostNumbers: InlineArray<\(numbers.count), Int16> = [\n"
            + lines(numbers.map { $0 ?? -1 }) + "]\n"
    }

    private func list<N: FixedWidthInteger>(_ name: String, _ numbers: [N]) -> String {
        if numbers.isEmpty { return "private let \(name): [\(N.self)] = []\n" }
        return "private let \(name): [\(N.self)] = [\n\(lines(numbers))]\n"
    }

    private func lines<N: FixedWidthInteger>(_ numbers: [N]) -> String {
        var text = ""
        for start in stride(from: 0, to: numbers.count, by: 20) {
            text += "    " + numbers[start..<min(start + 20, numbers.count)].map { "\($0)" }.joined(separator: ", ")
            text += ",\n"
        }
        return text
    }

    private static let keywords: Set<String> = ["break", "protocol", "import", "in", "is", "as", "default"]

    private func quoted(_ name: String) -> String { Self.keywords.contains(name) ? "`\(name)`" : name }

    /// A field's name as Swift's: `stx_atime.tv_sec` and `loads[0]` are members of members.
    private func identifier(_ field: String) -> String {
        let text = String(field.compactMap { $0 == "]" ? nil : $0 == "." || $0 == "[" ? "_" : $0 })
        return quoted(text)
    }
}
