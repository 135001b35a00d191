// What the vCPU of a machine does itself where that of a process asks its embedder: exceptions, interrupts, and what the guest's
// privileged instructions do to the MMU.

import CodeGen
import GuestKit
import GuestMemory
import IR
import Synchronization

extension VCPU {
    /// A guest access is not possible; the pc is at the instruction. Nil: the guest's handler is entered.
    func memoryFault(_ address: UInt64, _ access: MemoryAccess, _ kind: MemoryFaultKind) -> VCPUExit? {
        guard let mmu else { return .memoryFault(address: address, access: access, kind: kind) }
        enterHandler(kind == .misaligned ? mmu.guest.exception(kind, access) : mmu.exception, value: address, mmu)
        return nil
    }

    private func logTrap(_ what: @autoclosure () -> String, from pc: UInt64) {
        let diagnostics = engine.options.diagnostics
        if !diagnostics.isEnabled(.interrupts) { return }
        let count = countsInstructions ? " behind instruction \(instructions)" : ""
        let handler = String(programCounter, radix: 16)
        diagnostics.write("\(what()) at 0x\(String(pc, radix: 16))\(count), to 0x\(handler)\n")
    }

    /// The instruction at the pc has raised an exception.
    func raise(_ number: UInt32) -> VCPUExit? {
        guard let mmu else { return .exception(number) }
        enterHandler(number, value: nil, mmu)
        return nil
    }

    /// Enters the guest's handler of an exception; the pc is at the instruction.
    func enterHandler(_ number: UInt32, value: UInt64?, _ mmu: MMU) {
        let pc = programCounter
        countTrap()
        mmu.guest.raise(state, number, value: value)
        mmu.viewsChanged()
        stops.hasTrapped = true
        logTrap("exception \(number)", from: pc)
    }

    /// Looks at what the guest has changed of its state: interrupts that are enabled now, and what it sees.
    func settle(_ mmu: MMU) {
        let pc = programCounter
        let isTaken = mmu.guest.takeInterrupt(state)
        mmu.viewsChanged()
        if isTaken { logTrap("interrupt", from: pc) }
    }

    // MARK: For a machine

    /// Its first state. Only outside `run`, as what follows.
    public func reset() {
        guard let mmu else { return }
        engine.host.prepare(state)
        floatFlags = 0
        floatRounding = 0
        mmu.guest.reset(state)
        takeGuestStops()
        pendingLink = nil
        mmu.flush(0, 0)
        mmu.viewsChanged()
    }

    /// The word of interrupt lines, which any thread may change atomically (`SystemGuest.interruptLinesOffset`).
    public var interruptLines: UnsafeMutablePointer<UInt64> {
        guard let mmu else { fatalError("interrupt lines of a process's vCPU") }
        return (state + mmu.guest.interruptLinesOffset).assumingMemoryBound(to: UInt64.self)
    }

    /// Enters the handler of an interrupt, if one is pending and enabled. Only outside `run`.
    public func takeInterrupt() { if let mmu { settle(mmu) } }

    /// When a timer of its own is due, in ticks of the machine's timer (`SystemGuest.deadline`).
    public var deadline: UInt64 { mmu.map { $0.guest.deadline(state) } ?? .max }

    /// Would it go on if it waited?
    public var isAwake: Bool { mmu.map { $0.guest.isAwake(state) } ?? true }

    /// The vCPU whose CPU state is at `state`; only of a machine.
    @inline(__always)
    public static func of(_ state: UnsafeMutableRawPointer) -> VCPU? {
        VCPUHeader.of(state).pointee.owner.map { Unmanaged<VCPU>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// What a vCPU of a machine takes from around it. Called by the vCPU's thread.
public protocol VCPUSurroundings: AnyObject {
    /// Ticks of the machine's timer.
    var time: UInt64 { get }
    /// The guest has set a timer of the vCPU's own (`SystemGuest.deadline`).
    func deadlineChanged(of vcpu: VCPU)
}

/// `SystemInputs` for guests of an engine.
public enum EngineInputs {
    public static let system = SystemInputs(
        time: time, viewsChanged: viewsChanged, flush: flush, deadlineChanged: deadlineChanged,
        stopsChanged: stopsChanged, tablesWritten: tablesWritten)
    /// For engines that count instructions.
    public static let counted = SystemInputs(
        time: time, viewsChanged: viewsChanged, flush: flush, deadlineChanged: deadlineChanged,
        stopsChanged: stopsChanged, tablesWritten: tablesWritten, instructions: instructions)

    public static let time: HelperFunction = { state, _, _, _, _ in VCPU.of(state)?.surroundings?.time ?? 0 }
    public static let deadlineChanged: HelperFunction = { state, _, _, _, _ in
        guard let vcpu = VCPU.of(state) else { return 0 }
        vcpu.surroundings?.deadlineChanged(of: vcpu)
        if !vcpu.countsInstructions { return 0 }
        vcpu.returnBehindInstruction()
        return 1
    }
    public static let instructions: HelperFunction = { state, _, _, _, _ in VCPU.of(state)?.instructions ?? 0 }
    public static let viewsChanged: HelperFunction = { state, _, _, _, _ in
        VCPU.of(state)?.mmu?.viewsChanged()
        return 0
    }
    public static let stopsChanged: HelperFunction = { state, _, _, _, _ in
        VCPU.of(state)?.request(EngineRequest.stops)
        return 0
    }
    public static let tablesWritten: HelperFunction = { state, address, size, _, _ in
        guard let vcpu = VCPU.of(state), let map = vcpu.mmu?.map, let span = map.span(address) else { return 0 }
        let chunks = MachineMemory.chunks(address & (PhysicalMap.pageSize &- 1), count: size)
        guard span.chunks(address).pointee & chunks != 0, let range = map.find(address),
            case .memory(let block) = range.content
        else { return 0 }
        vcpu.engine.memoryWritten(block, offset: range.offset(of: address), count: size)
        return 0
    }
    public static let flush: HelperFunction = { state, kind, address, space, _ in
        VCPU.of(state)?.mmu?.flush(kind, address, space: space)
        return 0
    }
}

extension Engine {
    /// A device, or a walk of page tables, has written to memory. Code that was made from it is dropped before any vCPU's next instruction
    /// fence, and soon. Any thread, vCPUs that run generated code too.
    public func memoryWritten(_ block: RAMBlock, offset: UInt64, count: UInt64) {
        guard count > 0 else { return }
        let first = Int(offset >> TLBEntry.pageBits), last = Int((offset &+ count &- 1) >> TLBEntry.pageBits)
        guard (first...last).contains(where: { block.codeChunks[$0] != 0 }) else { return }
        written.withLock { $0.append((ObjectIdentifier(block), offset, count)) }
        hasWritten.store(true, ordering: .sequentiallyConsistent)
        for vcpu in vcpus { vcpu._withUnsafeGuaranteedRef { $0.request(EngineRequest.written) } }
    }

    /// A device does not show its memory any more (`MemoryCover`). Any thread. The vCPU whose access has brought it about knows already; the
    /// others see it soon.
    public func coverChanged() {
        for vcpu in vcpus { vcpu._withUnsafeGuaranteedRef { $0.request(EngineRequest.covers) } }
    }

    /// Drops code made from what they have written. Outside generated code.
    func dropWritten() {
        if hasWritten.load(ordering: .sequentiallyConsistent) { lock.withLock { dropWrittenLocked() } }
    }

    private func dropWrittenLocked() {
        hasWritten.store(false, ordering: .sequentiallyConsistent)
        let ranges = written.withLock { list in
            defer { list = [] }
            return list
        }
        guard let machine = machineMemory else { return }
        for (block, offset, count) in ranges {
            for range in machine.map.ranges {
                guard case .memory(let known) = range.content, ObjectIdentifier(known) == block else { continue }
                let start = GuestLocation(range.start &+ offset &- range.blockOffset)
                let changed = machine.allowWrites(start: start, length: count)
                invalidateLocked(
                    start: changed.lowerBound, length: changed.upperBound &- changed.lowerBound)
                break
            }
        }
    }

    /// A page holds code from now on: whoever stores to it has to ask. The translation lock is held; the calling vCPU is outside generated
    /// code.
    func refuseWrites(to page: UInt64) {
        for vcpu in vcpus {
            vcpu._withUnsafeGuaranteedRef {
                $0.leaveGeneratedCode()
                $0.mmu?.writers.take(page)
            }
        }
    }
}
