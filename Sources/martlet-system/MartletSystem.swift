// The program of system mode: reads the command line, puts a machine together, runs. Nothing else lives in this target.
//
//   martlet-system riscv64 [OPTIONS]          as `martlet system riscv64`
//   martlet-system img COMMAND [OPTIONS]      as `martlet img`; so does a link named qemu-img
//   martlet-system nbd [OPTIONS] FILE         as `martlet nbd`; so does a link named qemu-nbd
//   martlet-system-riscv64, qemu-system-riscv64    links to this binary: the name selects the target

import EngineSetup
import HostOS
import ImageTool

@main
struct MartletSystem {
    // A global function does the work: closures made in an isolated `main` would be bound to the main thread.
    static func main() { systemMain() }
}

func systemMain() -> Never {
    do throws(CommandError) {
        HostProcess.exitGroup(try run(HostProcess.arguments.map { String(decoding: $0, as: UTF8.self) }))
    } catch {
        HostTerminal.restore()
        writeStandardError("\(error.message)\n")
        HostProcess.exitGroup(error.status)
    }
}

var systemVersion: String { versionText("targets", allTargets.map(\.name)) }

private func run(_ arguments: [String]) throws(CommandError) -> Int32 {
    let name = arguments.first?.split(separator: "/").last.map(String.init) ?? "martlet-system"
    if let target = allTargets.first(where: { name == "martlet-system-\($0.name)" || name == "qemu-system-\($0.name)" })
    {
        return try SystemCommand(target).run(Array(arguments.dropFirst()))
    }
    if name == "qemu-nbd" { return try runNBDServer(Array(arguments.dropFirst())) }
    if name == "qemu-img" { return runImageTool(Array(arguments.dropFirst())) }
    let names = allTargets.map(\.name).joined(separator: ", ")
    guard let word = arguments.dropFirst().first else {
        throw CommandError("usage: martlet system TARGET [OPTIONS]; targets: \(names)")
    }
    switch word {
    case "help", "-h", "-help", "--help":
        writeStandardOutput(
            "usage: martlet system TARGET [OPTIONS]; targets: \(names); 'TARGET -h' lists the options\n")
        return 0
    case "version", "-version", "--version":
        writeStandardOutput(systemVersion)
        return 0
    case "nbd": return try runNBDServer(Array(arguments.dropFirst(2)))
    case "img": return runImageTool(Array(arguments.dropFirst(2)))
    case "options":
        // For what makes completions and manual pages.
        writeStandardOutput(systemOptions.map { $0.tableLine() }.joined())
        return 0
    default:
        guard let target = allTargets.first(where: { $0.name == word }) else {
            throw CommandError("system: there is no target '\(word)'; there are \(names)")
        }
        return try SystemCommand(target).run(Array(arguments.dropFirst(2)))
    }
}
