// The engine that a test process needs but never runs.

import CodeGenInterpreter
import ExecutionEngine
import HostOS
import LinuxABI
import LinuxMemory

@testable import LinuxUser

func makeTestProcess(
    _ options: UserModeOptions, _ memory: UserAddressSpace, _ abi: LinuxGuestABI = .riscv64
) throws -> GuestProcess {
    let guest = RegistersOnlyGuest(abi)
    let engine = try Engine(
        guest: guest, host: InterpreterHost(), memory: memory, options: EngineOptions(diagnostics: options.diagnostics))
    guard let registers = GuestRegisters(guest: guest, abi: abi) else { throw Errno.inval }
    return GuestProcess(
        options: options, memory: memory, engine: engine, architecture: guest, guest: abi, registers: registers,
        executablePath: "/bin/guest", image: LoadedProgram(),
        resolver: ProgramResolver(prefix: options.prefix, abi: { _ in nil }, runs: "nothing"), willExit: {})
}

func makeTestThread(_ process: GuestProcess) throws -> GuestThread {
    GuestThread(process: process, vcpu: try process.engine.makeVCPU(in: process.memory))
}
