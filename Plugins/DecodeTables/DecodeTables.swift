// Build-tool plugin: compiles a target's `Decode/*.decode` and `Decode/NAME/*.decode` tables into Swift before the target
// itself is compiled.

import Foundation
import PackagePlugin

@main
struct DecodeTables: BuildToolPlugin {
    /// What `decodetree` writes; the same list as `generatedFileNames` of DecodeTree.
    private static let outputs = [
        "InstructionSet.swift", "ExtensionSet.swift", "Decoder.swift", "Disassembly.swift",
        "InstructionTable.swift",
    ]

    /// One command per folder: the tables in `Decode` itself, and those in each folder below it, whose files get the
    /// folder's name as a prefix.
    func createBuildCommands(context: PluginContext, target: Target) async throws -> [Command] {
        guard let target = target as? SourceModuleTarget else { return [] }
        let tables = target.sourceFiles(withSuffix: "decode").map(\.url).sorted { $0.path < $1.path }
        let folder = context.pluginWorkDirectoryURL
        let tool = try context.tool(named: "decodetree").url
        let groups = Dictionary(grouping: tables) { $0.deletingLastPathComponent().lastPathComponent }
        return groups.sorted { $0.key < $1.key }.map { name, files in
            let prefix = name == "Decode" ? "" : name
            return .buildCommand(
                displayName: "Compiling decode tables of \(target.name) \(prefix)",
                executable: tool,
                arguments: ["-o", folder.path] + (prefix.isEmpty ? [] : ["-p", prefix]) + files.map(\.path),
                inputFiles: files,
                outputFiles: Self.outputs.map { folder.appending(path: prefix + $0) })
        }
    }
}
