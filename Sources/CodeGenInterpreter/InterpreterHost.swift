// The interpreter as a host: it runs IR as it is, without registers or machine code. Slow and simple, it is the oracle
// of the other hosts and what a machine without a code generator runs on.
//
// A compiled region is a copy of the region's ops, its constants and its chaining slots in the code buffer's memory: so
// it is bounded, reset and forgotten like machine code, and no memory is owned here.
//
//     +------------+ <- entry (in the executable view, like any host's)
//     | RegionCode |
//     | slots      |  a word each: entry of the target, 0 = not linked; with the lowest bit set where the target is to be known first
//     | constants  |  a word each
//     | ops        |
//     +------------+
//
// Globals live in the CPU state at all times; nothing is ever dirty, so there are no recovery records.

import CodeGen
import IR
import SoftFloat
import Synchronization

/// Head of a compiled region. Addresses are in the executable view.
struct RegionCode {
    var slots: UnsafePointer<UInt64>
    var constants: UnsafePointer<UInt64>
    var instructions: UnsafePointer<Instruction>
    /// Values that are neither globals nor constants.
    var frameSlots: Int
    /// The engine's index, for chain exits.
    var translation: Int
    /// The mode of the CPU that it was made for.
    var mode: UInt64
}

/// Runs IR directly. `configure` once, then as `HostBackEnd` says.
public final class InterpreterHost: HostBackEnd, @unchecked Sendable {
    public let name = "interpreter"
    public let makesMovingCode = false
    public let description: HostDescription? = nil
    /// Nothing runs in the code buffer, so the fault handler never has to leave from there.
    public let faultExitAddress: UInt64 = 0
    public let registerCounts = RegisterCounts(general: 0, float: 0)
    public let lookUpCounts: LookUpCounts? = nil
    public func prepare(_ state: UnsafeMutableRawPointer) {}
    public func callReturnAddress(_ state: UnsafeMutableRawPointer) -> UInt64 { 0 }
    /// No register, for the same reason.
    public let stateRegister = -1
    public let stateBias = 0

    /// Written by `configure` only.
    let access: GuestAccess
    private(set) var pcOffset = 0
    private(set) var floatRules = FloatRules.canonical
    private(set) var usesTables = false
    private(set) var helpers: UnsafeMutablePointer<HelperDescriptor>
    private var code: CodeBuffer?

    public init(access: GuestAccess = .direct) {
        self.access = access
        helpers = .allocate(capacity: 0)
    }

    deinit { helpers.deallocate() }

    public func configure(_ configuration: HostConfiguration, code: CodeBuffer) {
        pcOffset = configuration.pcOffset
        floatRules = configuration.floatRules
        usesTables = configuration.usesTables
        self.code = code
        helpers.deallocate()
        helpers = .allocate(capacity: configuration.helpers.count)
        for (i, helper) in configuration.helpers.enumerated() {
            (helpers + i).initialize(to: helper)
        }
    }

    public func compile(_ region: Region, _ allocation: Allocation, translation: Int) -> CompiledRegion? {
        compile(region, translation: translation)
    }

    /// The same without an allocation, which the interpreter does not look at.
    public func compile(_ region: Region, translation: Int) -> CompiledRegion? {
        guard let code else { return nil }
        // Where each temp is: a global, the n-th constant or the n-th slot of the frame.
        var frameSlots = 0
        var constants: [UInt64] = []
        var operands: [Operand] = []
        operands.reserveCapacity(region.tempCount)
        for i in 0..<region.tempCount {
            let info = region.temps[i]
            switch info.kind {
            case .global: operands.append(Operand(global: Int(info.value), info.type))
            case .const:
                operands.append(Operand(.constant, constants.count))
                constants.append(UInt64(bitPattern: info.value))
            case .temp, .local:
                operands.append(Operand(.frame, frameSlots))
                frameSlots += 1
            }
        }

        let slotsAt = MemoryLayout<RegionCode>.stride
        let constantsAt = slotsAt + 8 * region.slotCount
        let instructionsAt = constantsAt + 8 * constants.count
        let size = instructionsAt + MemoryLayout<Instruction>.stride * region.opCount
        let start = (code.used + 15) & ~15
        guard start + size <= code.size else { return nil }
        code.used = start + size

        let writable = code.writable + start
        let executable = code.executable + start
        let slots = (writable + slotsAt).bindMemory(to: UInt64.self, capacity: region.slotCount)
        slots.initialize(repeating: 0, count: region.slotCount)
        (writable + constantsAt).bindMemory(to: UInt64.self, capacity: constants.count)
            .initialize(from: constants, count: constants.count)
        let instructions = (writable + instructionsAt).bindMemory(to: Instruction.self, capacity: region.opCount)
        for i in 0..<region.opCount {
            (instructions + i).initialize(to: Instruction(region.ops[i], region, operands))
        }
        let head = RegionCode(
            slots: (executable + slotsAt).assumingMemoryBound(to: UInt64.self),
            constants: (executable + constantsAt).assumingMemoryBound(to: UInt64.self),
            instructions: (executable + instructionsAt).assumingMemoryBound(to: Instruction.self),
            frameSlots: frameSlots, translation: translation, mode: region.s.pointee.guestFlags)
        writable.bindMemory(to: RegionCode.self, capacity: 1).initialize(to: head)
        return CompiledRegion(
            entry: UInt64(UInt(bitPattern: executable)), codeSize: 0, firstSlot: 0, slotCount: region.slotCount,
            records: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    public func enter(_ state: UnsafeMutableRawPointer, _ entry: UInt64) -> ExitValue {
        var machine = Machine(host: self, state: state)
        machine.region = Machine.code(entry)
        // Chaining may lead to a region that needs more room than the one entered: then again with that much.
        while true {
            let slots = machine.region.pointee.frameSlots
            let isDone =
                slots <= 128
                ? withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 128) { machine.run($0) }
                : withUnsafeTemporaryAllocation(of: UInt64.self, capacity: slots) { machine.run($0) }
            if isDone { return machine.exit }
        }
    }

    /// Indirect jumps go through the jump cache alone: no slot of one is ever reported.
    public func link(_ compiled: CompiledRegion, slot: Int, to target: UInt64, pc: UInt64) -> Bool {
        setSlot(compiled, slot, target)
        return true
    }

    public func guardedEntry(
        _ compiled: CompiledRegion, translation: Int, pc: UInt64, mode: UInt64, sets: Bool
    ) -> UInt64? { compiled.entry | 1 }

    /// It runs no relative code, whose links may lead elsewhere.
    public func leaveToLookUp(_ compiled: CompiledRegion, slot: Int, mode: UInt64) {}
    public func isMovingReturn(_ compiled: CompiledRegion, slot: Int) -> Bool { false }

    public func target(_ compiled: CompiledRegion, slot: Int) -> UInt64? { nil }

    /// Regions hold addresses of this process.
    public func exportedSize(_ compiled: CompiledRegion) -> Int? { nil }
    public func export(_ compiled: CompiledRegion, to bytes: UnsafeMutableRawBufferPointer) {}
    public func install(
        _ exported: UnsafeRawBufferPointer, translation: Int, counterShift: Int, isForExport: Bool
    ) -> CompiledRegion? { nil }

    public func inlineCache(_ compiled: CompiledRegion) -> (site: UInt64, target: UInt64?)? { nil }

    public func unlink(_ compiled: CompiledRegion, slot: Int) { setSlot(compiled, slot, 0) }

    private func setSlot(_ compiled: CompiledRegion, _ slot: Int, _ target: UInt64) {
        guard let code, slot >= 0, slot < compiled.slotCount else { return }
        let address = UnsafeRawPointer(Machine.code(compiled.entry).pointee.slots + slot) - code.executableDelta
        atomic(address, as: UInt64.self).pointee.store(target, ordering: .releasing)
    }

    public func makeCompiler() -> (any RegionCompiler)? { nil }

    public func discard(_ compiled: CompiledRegion) {
        guard let code else { return }
        code.used = Int(compiled.entry &- UInt64(UInt(bitPattern: code.executable)))
    }

    /// All memory is the code buffer's, which the engine has reset.
    public func flush() {}

    public func floatFlags(_ state: UnsafeMutableRawPointer) -> UInt32 { VCPUHeader.of(state).pointee.fpFlags }

    public func setFloatFlags(_ state: UnsafeMutableRawPointer, _ flags: UInt32) {
        VCPUHeader.of(state).pointee.fpFlags = flags & 31
    }

    public func setRounding(_ state: UnsafeMutableRawPointer, _ mode: UInt32) {
        VCPUHeader.of(state).pointee.fpRounding = mode <= 4 ? mode : 0
    }
}
