// An engine with one vCPU of the made-up machine, on a process's address space with pages of 8 KiB.

import EngineModes
import ExecutionEngine
import LinuxMemory
import Testing
import ToyGuest

/// All tests that run code, one after another: programs lie at fixed addresses of the one process.
@Suite(.serialized, .timeLimit(.minutes(2))) enum ToyRuns {}

final class ToyMachine: GuestMachine {
    static let code: UInt32 = 0x7000_0000, data: UInt32 = 0x7010_0000

    init(_ mode: EngineMode) throws {
        try super.init(ToyGuest(), mode, limit: 0x8000_0000, pageSize: ToyGuest.pageSize)
        for start in [Self.code, Self.data] { try map(start, 2 * Int(ToyGuest.pageSize)) }
    }

    var isInSlot: Bool { load("inslot") == 1 }

    /// Bytes in guest memory, as another mapping would write them: the engine is told by a fault only.
    func load(_ program: [[UInt8]], at address: UInt32 = ToyMachine.code) throws {
        try memory.writeBytes(UInt64(address), program.flatMap { $0 })
    }

    /// Runs from `address` until the program asks for something.
    func run(from address: UInt32 = ToyMachine.code) -> VCPUExit {
        pc = address
        return run()
    }
    func call(_ address: UInt32 = ToyMachine.code, sourceLocation: SourceLocation = #_sourceLocation) {
        guard case .systemCall = run(from: address) else {
            Issue.record("no system call", sourceLocation: sourceLocation)
            return
        }
    }
}
