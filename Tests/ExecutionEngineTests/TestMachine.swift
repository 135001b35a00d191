// An engine with one vCPU and some memory, on every host and tier.

import CodeGen
import Diagnostics
import EngineModes
import GuestKit
import GuestMemory
import GuestRISCV
import Glibc
import HostOS
import Synchronization
import Testing

@testable import ExecutionEngine

/// All tests of this target, one after another: they share the process's signals and its two processors.
@Suite(.serialized, .timeLimit(.minutes(2))) enum EngineTests {}

/// A host and a tier.
struct Configuration: CustomTestStringConvertible, Sendable {
    var isX64: Bool
    var tier: Tier
    var isLow = false

    var testDescription: String { (isX64 ? "x86-64 " : "interpreter ") + tier.rawValue + (isLow ? " low" : "") }

    static let x64 = [
        Configuration(isX64: true, tier: .baseline, isLow: true), Configuration(isX64: true, tier: .automatic),
        Configuration(isX64: true, tier: .optimizing),
    ]
    static let interpreted = [
        Configuration(isX64: false, tier: .interpreter), Configuration(isX64: false, tier: .automatic, isLow: true),
        Configuration(isX64: false, tier: .optimizing),
    ]
    static let all = x64 + interpreted
    /// One translation per guest block, whatever runs.
    static let baseline = [x64[0], interpreted[0]]

    func makeHost() -> any HostBackEnd { EngineMode.makeHost(runsMachineCode: isX64) }
}

let startSignals: Void = HostSignals.start()

/// An engine, its memory and a vCPU. A machine that exists for more than 110 seconds ends the process: something hangs.
final class Machine {
    let memory: TestMemory
    let engine: Engine
    let vcpu: VCPU
    /// How often `run` was interrupted.
    private(set) var interruptions = 0
    private let deadline = Deadline()

    init(
        _ configuration: Configuration, guest: any GuestArchitecture = RISCVGuest(cpu: .everything),
        memory given: TestMemory? = nil, space: (any AddressSpace)? = nil,
        _ change: (inout EngineOptions) -> Void = { _ in }
    ) throws {
        startSignals
        memory = try given ?? TestMemory(isLow: configuration.isLow)
        var options = EngineOptions(diagnostics: .silent)
        options.tier = configuration.tier
        options.codeCacheSize = 4 << 20
        options.hotThreshold = 20
        change(&options)
        engine = try Engine(guest: guest, host: configuration.makeHost(), memory: memory, options: options)
        vcpu = try engine.makeVCPU(in: space ?? memory)
    }

    subscript(x i: Int) -> UInt64 {
        get { vcpu[x: i] }
        set { vcpu[x: i] = newValue }
    }
    subscript(f i: Int) -> UInt64 {
        get { vcpu.state.load(fromByteOffset: vcpu.offset("f\(i)"), as: UInt64.self) }
        set { vcpu.state.storeBytes(of: newValue, toByteOffset: vcpu.offset("f\(i)"), as: UInt64.self) }
    }
    /// The program counter, as an offset from the base.
    var pc: Int {
        get { Int(vcpu.programCounter) - Int(memory.base) }
        set { vcpu.programCounter = memory.base + UInt64(newValue) }
    }

    /// Runs until something other than an interruption.
    func run() -> VCPUExit {
        while true {
            let exit = vcpu.run()
            guard case .interrupted = exit else { return exit }
            interruptions += 1
        }
    }

    /// Runs from `offset` to an `ecall`.
    func call(_ offset: Int, sourceLocation: SourceLocation = #_sourceLocation) {
        pc = offset
        #expect(run().text == "systemCall", sourceLocation: sourceLocation)
    }
}

extension RISCVCPU {
    static let everything = RISCVCPU(named: "test", extensions: .everything64)
}

extension VCPU {
    func offset(_ register: String) -> Int {
        guard let offset = engine.guest.registers.first(where: { $0.name == register })?.offset else {
            fatalError("no \(register)")
        }
        return offset
    }
    subscript(x i: Int) -> UInt64 {
        get { state.load(fromByteOffset: 8 * i, as: UInt64.self) }
        set { state.storeBytes(of: newValue, toByteOffset: 8 * i, as: UInt64.self) }
    }
    /// x0...x31.
    var registers: [UInt64] { (0..<32).map { self[x: $0] } }
    var returnMisses: UInt64 { jumpCounters.returnMisses }
}

func fault(_ access: MemoryAccess, _ kind: MemoryFaultKind, _ address: UInt64) -> String {
    "\(access) \(kind) \(String(address, radix: 16))"
}

// MARK: Threads and time

final class Flag: Sendable {
    private let value = Atomic<Bool>(false)
    var isSet: Bool { value.load(ordering: .acquiring) }
    func set() { value.store(true, ordering: .releasing) }

    /// False when that takes longer than `seconds`.
    func wait(seconds: Int = 20) -> Bool {
        let end = HostClock.monotonic() + UInt64(seconds) * 1_000_000_000
        while !isSet {
            if HostClock.monotonic() > end { return false }
            usleep(200)
        }
        return true
    }
}

/// A thread; its end is a flag.
func onThread(_ body: @escaping () -> Void) throws -> Flag {
    let done = Flag()
    try HostThread.start {
        body()
        done.set()
    }
    return done
}

private final class Deadline {
    private let isOver: Flag
    init() {
        let isOver = Flag()
        self.isOver = isOver
        try? HostThread.start { if !isOver.wait(seconds: 110) { fatalError("a test machine hangs") } }
    }
    deinit { isOver.set() }
}
