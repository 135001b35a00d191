// The decode-table compiler: tables of encodings in, Swift out. From one list of rows come the arguments and the
// protocol that a translator implements, the decoders, the disassembler and the tables that fuzzers draw from, so that
// they cannot disagree. Documentation/DecodeTables.md has the grammar.

/// A file of generated Swift.
public struct GeneratedFile: Sendable {
    public let name: String
    public let text: String
}

/// Names of the files that `compile` generates, in order, without the prefix: the build plugin declares them before they
/// exist.
public let generatedFileNames = [
    "InstructionSet.swift", "ExtensionSet.swift", "Decoder.swift", "Disassembly.swift", "InstructionTable.swift",
]

/// Compiles table files, given as (name, text), which share one name space.
///
/// - Parameter prefix: begins the names of the generated files. With a prefix, or with several tables, decoders are
///   static functions of their table's type; otherwise they are functions of the module.
/// - Throws: everything that is wrong with them.
public func compile(
    _ files: [(name: String, text: String)], prefix: String = ""
) throws(TableErrors) -> [GeneratedFile] {
    let generator = SwiftGenerator(try resolve(files), prefix: prefix)
    let texts = [
        generator.instructionSet(), generator.extensionSet(), generator.decoder(), generator.disassembly(),
        generator.instructionTable(),
    ]
    return zip(generatedFileNames, texts).map { GeneratedFile(name: prefix + $0, text: $1) }
}

func resolve(_ files: [(name: String, text: String)]) throws(TableErrors) -> ResolvedTable {
    var parser = Parser()
    for file in files { parser.parse(file.text, file: file.name) }
    guard parser.errors.isEmpty else { throw TableErrors(errors: parser.errors) }
    return try Resolver.resolve(parser.table)
}
