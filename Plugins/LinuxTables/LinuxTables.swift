// Build-tool plugin: packs a target's `Tables/*.abi` into Swift before the target itself is compiled.

import Foundation
import PackagePlugin

@main
struct LinuxTables: BuildToolPlugin {
    /// What `abitables` writes; the same list as `generatedFileNames` of ABITables.
    private static let outputs = ["SystemCallID.swift", "ABINames.swift", "ABITables.swift"]

    func createBuildCommands(context: PluginContext, target: Target) async throws -> [Command] {
        guard let target = target as? SourceModuleTarget else { return [] }
        let tables = target.sourceFiles(withSuffix: "abi").map(\.url).sorted { $0.path < $1.path }
        if tables.isEmpty { return [] }
        let folder = context.pluginWorkDirectoryURL
        return [
            .buildCommand(
                displayName: "Packing tables of \(target.name)",
                executable: try context.tool(named: "abitables").url,
                arguments: ["-o", folder.path] + tables.map(\.path),
                inputFiles: tables,
                outputFiles: Self.outputs.map { folder.appending(path: $0) })
        ]
    }
}
