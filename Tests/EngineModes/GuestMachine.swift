// An engine with one vCPU of any guest, on a process's address space, and nothing of an operating system.

import Diagnostics
import ExecutionEngine
import GuestKit
import GuestMemory
import HostOS
import LinuxMemory

private let startSignals: Void = HostSignals.start()

open class GuestMachine {
    public let memory: UserAddressSpace
    public let engine: Engine
    public let vcpu: VCPU
    private let registers: [String: RegisterDescriptor]

    public init(
        _ guest: any GuestArchitecture, _ mode: EngineMode, limit: UInt64, pageSize: UInt64 = HostProcess.pageSize
    ) throws {
        startSignals
        memory = try UserAddressSpace(limit: limit, pageSize: pageSize)
        engine = try Engine(
            guest: guest, host: mode.makeHost(), memory: memory, options: mode.options(diagnostics: .silent))
        memory.codeHolder = engine
        vcpu = try engine.makeVCPU(in: memory)
        registers = Dictionary(guest.registers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    deinit {
        for mapping in memory.mappings { try? memory.unmap(mapping.start, length: mapping.end - mapping.start) }
        engine.endOwnThreads()
        memory.codeHolder = nil  // they hold each other
    }

    // MARK: State

    private func find(_ name: String) -> RegisterDescriptor {
        guard let found = registers[name] else { fatalError("no \(name)") }
        return found
    }
    /// A register of any size, extended with zeros.
    public func load(_ register: String) -> UInt64 { find(register).read(vcpu.state, vcpu) }
    public func store(_ value: UInt64, _ register: String) { find(register).write(vcpu.state, vcpu, value) }
    /// A register of 32 bits.
    public subscript(register: String) -> UInt32 {
        get { UInt32(truncatingIfNeeded: load(register)) }
        set { store(UInt64(newValue), register) }
    }
    public var pc: UInt32 {
        get { UInt32(truncatingIfNeeded: vcpu.programCounter) }
        set { vcpu.programCounter = UInt64(newValue) }
    }

    // MARK: Memory

    /// New pages that hold all of the range.
    public func map(_ address: UInt32, _ size: Int, rights: PageRights = [.read, .write, .execute]) throws {
        let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve | HostMemory.fixedNoReplace
        let mask = memory.pageSize - 1
        let start = UInt64(address) & ~mask, end = (UInt64(address) + UInt64(size) + mask) & ~mask
        _ = try memory.map(start, length: end - start, rights: rights, flags: flags)
    }
    public func write(_ bytes: [UInt8], at address: UInt32) throws { try memory.writeBytes(UInt64(address), bytes) }

    // MARK: Running

    /// Runs until something other than an interruption.
    public func run() -> VCPUExit {
        while true {
            let exit = vcpu.run()
            guard case .interrupted = exit else { return exit }
        }
    }
}

extension VCPUExit {
    /// For comparisons in tests.
    public var text: String {
        switch self {
        case .systemCall: "systemCall"
        case .exception(let number): "exception \(number)"
        case .memoryFault(let address, let access, let kind): "\(access) \(kind) \(String(address, radix: 16))"
        case .interrupted: "interrupted"
        case .wait: "wait"
        case .outOfCodeMemory: "outOfCodeMemory"
        case .debug(.breakpoint): "breakpoint"
        case .debug(.watchpoint(let stop, let address, let isWrite)):
            "\(isWrite ? "write" : "read") \(String(address, radix: 16)) at \(String(stop.address, radix: 16))"
        case .debug(.step): "step"
        }
    }
}
