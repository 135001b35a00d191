// An engine with one vCPU of the made-up machine, on a process's address space with pages of 8 KiB.

import CodeGen
import CodeGenInterpreter
import CodeGenX64
import ExecutionEngine
import GuestKit
import HostOS
import LinuxMemory
import Testing
import ToyGuest

/// All tests that run code, one after another: programs lie at fixed addresses of the one process.
@Suite(.serialized, .timeLimit(.minutes(2))) enum ToyRuns {}

struct ToyMode: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var runsMachineCode = true
    var change: @Sendable (inout EngineOptions) -> Void = { _ in }

    static let all = [
        ToyMode(testDescription: "interpreter", runsMachineCode: false) { $0.tier = .interpreter },
        ToyMode(testDescription: "default"),
        ToyMode(testDescription: "one instruction per block") { $0.maxInstructions = 1 },
        ToyMode(testDescription: "hot at once, verified") {
            $0.hotThreshold = 20
            $0.verification = .all
        },
        ToyMode(testDescription: "baseline") { $0.tier = .baseline },
        ToyMode(testDescription: "optimizing, verified") {
            $0.tier = .optimizing
            $0.verification = .all
        },
    ]
}

private let startSignals: Void = HostSignals.start()

final class ToyMachine {
    static let code: UInt32 = 0x7000_0000, data: UInt32 = 0x7010_0000
    let memory: UserAddressSpace
    let engine: Engine
    let vcpu: VCPU

    init(_ mode: ToyMode) throws {
        startSignals
        memory = try UserAddressSpace(limit: 0x8000_0000, pageSize: ToyGuest.pageSize)
        var options = EngineOptions(diagnostics: .silent)
        options.codeCacheSize = 4 << 20
        options.verification = .none
        mode.change(&options)
        let host: any HostBackEnd =
            mode.runsMachineCode
            ? X64Host()
            : InterpreterHost(
                access: GuestAccess(
                    load: GuestCopy.sizedLoad, store: GuestCopy.sizedStore,
                    compareExchange: GuestCopy.sizedCompareExchange, compareExchangePair: GuestCopy.pairCompareExchange)
            )
        engine = try Engine(guest: ToyGuest(), host: host, memory: memory, options: options)
        memory.codeHolder = engine
        vcpu = try engine.makeVCPU(in: memory)
        for start in [Self.code, Self.data] {
            let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.fixedNoReplace
            _ = try memory.map(
                UInt64(start), length: 2 * ToyGuest.pageSize, rights: [.read, .write, .execute], flags: flags)
        }
    }

    deinit {
        for mapping in memory.mappings { try? memory.unmap(mapping.start, length: mapping.end - mapping.start) }
        engine.endOwnThreads()
        memory.codeHolder = nil  // they hold each other
    }

    private func offset(_ name: String) -> Int { engine.guest.registers.first { $0.name == name }!.offset! }
    subscript(register: String) -> UInt32 {
        get { vcpu.state.load(fromByteOffset: offset(register), as: UInt32.self) }
        set { vcpu.state.storeBytes(of: newValue, toByteOffset: offset(register), as: UInt32.self) }
    }
    var isInSlot: Bool { vcpu.state.load(fromByteOffset: offset("inslot"), as: UInt16.self) == 1 }
    var pc: UInt32 { UInt32(vcpu.programCounter) }

    /// Bytes in guest memory, as another mapping would write them: the engine is told by a fault only.
    func load(_ program: [[UInt8]], at address: UInt32 = ToyMachine.code) throws {
        try memory.writeBytes(UInt64(address), program.flatMap { $0 })
    }

    /// Runs from `address` until the program asks for something.
    func run(_ address: UInt32 = ToyMachine.code) -> VCPUExit {
        vcpu.programCounter = UInt64(address)
        while true {
            let exit = vcpu.run()
            guard case .interrupted = exit else { return exit }
        }
    }
    func call(_ address: UInt32 = ToyMachine.code, sourceLocation: SourceLocation = #_sourceLocation) {
        guard case .systemCall = run(address) else {
            Issue.record("no system call", sourceLocation: sourceLocation)
            return
        }
    }
}

/// Instructions.
enum Toy {
    static let nop: [UInt8] = [0], sys: [UInt8] = [1], ret: [UInt8] = [0x5a, 0]
    enum Branch: UInt8 { case beq = 0x10, bne, blt, bge, bltu, bgeu, bra, call }
    static func branch(_ kind: Branch, _ distance: Int) -> [UInt8] { [kind.rawValue] + half(distance) }
    enum Pair: UInt8 { case mov = 0x40, add = 0x42, sub, and, or, xor, shl, mul, cmp, xchg = 0x56 }
    static func pair(_ kind: Pair, _ d: UInt8, _ s: UInt8) -> [UInt8] { [kind.rawValue, d << 4 | s] }
    static func ldi(_ d: UInt8, _ value: UInt32) -> [UInt8] {
        [0x41, d << 4] + (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
    }
    static func addi(_ d: UInt8, _ value: Int8) -> [UInt8] { [0x4a, d << 4, UInt8(bitPattern: value)] }
    static func rdf(_ d: UInt8) -> [UInt8] { [0x59, d << 4] }
    static func jr(_ s: UInt8) -> [UInt8] { [0x58, s] }
    enum Memory: UInt8 { case ld32 = 0x50, st32, ld8, st8, ld16, st16 }
    static func memory(_ kind: Memory, _ d: UInt8, _ s: UInt8, _ offset: Int) -> [UInt8] {
        [kind.rawValue, d << 4 | s] + half(offset)
    }
    private static func half(_ value: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
    }
}
