// The made-up machine as a user-mode emulator, for tests: user mode as `martlet` has it, with a guest and an ABI that are in no
// product.
//
//     toyuser MODE [-limits LIMITS] [-execfd FD] [-comm NAME] [-0 NAME] -- PROGRAM ARGUMENTS...
//
// MODE is the name of an `EngineMode`. A guest that executes another program starts this one again in the same way.

import EngineModes
import ExecutionEngine
import GuestMemory
import LinuxMemory
import HostOS
import LinuxABI
import LinuxUser
import ToyABI
import ToyGuest

@main
struct ToyUser {
    // A global function does the work: closures made in an isolated `main` would be bound to the main thread.
    static func main() { toyUserMain() }
}

private func toyUserMain() -> Never {
    guard let line = CommandLine(HostProcess.arguments.map { String(decoding: $0, as: UTF8.self) }) else {
        writeStandardError("toyuser: wrong arguments\n")
        HostProcess.exitGroup(1)
    }
    let guest = ToyGuest()
    let made = UserModeGuest(abi: .toy, architecture: guest, hardwareCapabilities: 0x1234) { memory, _ in
        let engine = try Engine(
            guest: guest, host: line.mode.makeHost(), memory: memory,
            options: line.mode.options(diagnostics: line.options.diagnostics))
        memory.codeHolder = engine
        return engine
    }
    HostProcess.exitGroup(runUserProgram(line.options, runs: "toy") { made.abi.runs($0) ? made : nil })
}

private struct CommandLine {
    var mode: EngineMode
    var options: UserModeOptions

    init?(_ arguments: [String]) {
        guard arguments.count > 1, let mode = EngineMode.all.first(where: { $0.name == arguments[1] }),
            let end = arguments.firstIndex(of: "--"), end + 1 < arguments.count
        else { return nil }
        self.mode = mode
        options = UserModeOptions(program: arguments[end + 1])
        options.arguments = arguments[(end + 2)...].map { Array($0.utf8) }
        options.environment = HostProcess.environment
        options.relaunchArguments = [Array(mode.name.utf8)]
        for at in stride(from: 2, to: end - 1, by: 2) {
            let value = arguments[at + 1]
            switch arguments[at] {
            case "-0": options.argumentZero = Array(value.utf8)
            case "-comm": options.commandName = value
            case "-execfd": options.programDescriptor = Int32(value) ?? -1
            case "-limits": options.memoryLimits = MemoryLimitValues(value)
            default: return nil
            }
        }
    }
}
