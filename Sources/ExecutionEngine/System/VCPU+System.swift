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
        let number = kind == .misaligned ? mmu.guest.exception(kind, access) : mmu.exception
        mmu.guest.raise(state, number, value: address)
        mmu.viewsChanged()
        return nil
    }

    /// The instruction at the pc has raised an exception.
    func raise(_ number: UInt32) -> VCPUExit? {
        guard let mmu else { return .exception(number) }
        mmu.guest.raise(state, number, value: 0)
        mmu.viewsChanged()
        return nil
    }

    /// Looks at what the guest has changed of its state: interrupts that are enabled now, and what it sees.
    func settle(_ mmu: MMU) {
        _ = mmu.guest.takeInterrupt(state)
        mmu.viewsChanged()
    }

    // MARK: For a machine

    /// Enters the handler of an interrupt, if one is pending and enabled. Only outside `run`.
    public func takeInterrupt() { if let mmu { settle(mmu) } }

    /// When a timer of its own is due, in ticks of the machine's timer (`SystemGuest.deadline`).
    public var deadline: UInt64 { mmu.map { $0.guest.deadline(state) } ?? .max }

    /// Would it go on if it waited?
    public var isAwake: Bool { mmu.map { $0.guest.isAwake(state) } ?? true }

    /// Sets or clears interrupt lines (`SystemGuest.interruptLinesOffset`), by bit. Any thread. The vCPU looks at them when it next
    /// leaves generated code: `requestExit`.
    public func setLines(_ bits: UInt64, _ isHigh: Bool) {
        guard let mmu else { return }
        let word = UnsafePointer<Atomic<UInt64>>(OpaquePointer(state + mmu.guest.interruptLinesOffset))
        if isHigh {
            word.pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent)
        } else {
            word.pointee.bitwiseAnd(~bits, ordering: .sequentiallyConsistent)
        }
    }

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
        time: time, viewsChanged: viewsChanged, flush: flush, deadlineChanged: deadlineChanged)

    public static let time: HelperFunction = { state, _, _, _, _ in VCPU.of(state)?.surroundings?.time ?? 0 }
    public static let deadlineChanged: HelperFunction = { state, _, _, _, _ in
        if let vcpu = VCPU.of(state) { vcpu.surroundings?.deadlineChanged(of: vcpu) }
        return 0
    }
    public static let viewsChanged: HelperFunction = { state, _, _, _, _ in
        VCPU.of(state)?.mmu?.viewsChanged()
        return 0
    }
    public static let flush: HelperFunction = { state, kind, address, _, _ in
        VCPU.of(state)?.mmu?.flush(kind, address)
        return 0
    }
}

extension Engine {
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
