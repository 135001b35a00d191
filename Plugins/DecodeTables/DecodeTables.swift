// Build-tool plugin: compiles a target's `Decode/*.decode` tables into Swift before the target itself is compiled.

import Foundation
import PackagePlugin

@main
struct DecodeTables: BuildToolPlugin {
    /// What `decodetree` writes; the same list as `generatedFileNames` of DecodeTree.
    private static let outputs = [
        "InstructionSet.swift", "ExtensionSet.swift", "Decoder.swift", "Disassembly.swift",
        "InstructionTable.swift",
    ]

    func createBuildCommands(context: PluginContext, target: Target) async throws -> [Command] {
        guard let target = target as? SourceModuleTarget else { return [] }
        let tables = target.sourceFiles(withSuffix: "decode").map(\.url).sorted { $0.path < $1.path }
        if tables.isEmpty { return [] }
        let folder = context.pluginWorkDirectoryURL
        return [
            .buildCommand(
                displayName: "Compiling decode tables of \(target.name)",
                executable: try context.tool(named: "decodetree").url,
                arguments: ["-o", folder.path] + tables.map(\.path),
                inputFiles: tables,
                outputFiles: Self.outputs.map { folder.appending(path: $0) })
        ]
    }
}
