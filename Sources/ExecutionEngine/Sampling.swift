// What a vCPU's thread is doing at this moment, for samplers that interrupt it. The thread keeps one word up to date with plain
// stores; the host address that a signal interrupted says the rest. Everything below `observe` is async-signal-safe: it reads rows
// and records that stay as they are while the vCPU counts as running generated code.

import CodeGen
import HostOS

/// What a thread spends its time with.
public enum Activity: UInt8, CaseIterable, Sendable {
    /// The cpu loop, invalidation, and whatever has no name of its own.
    case engine
    /// Somewhere below the host's prologue; `observe` tells which of the four kinds at the end.
    case generatedCode
    /// Making a first translation, or an optimized one.
    case translating, optimizing
    /// A system call of the guest's; the detail is its number.
    case systemCall
    /// Entering and leaving the guest's signal handlers.
    case signal
    case baselineCode, optimizedCode
    /// A function of the guest's or of SoftFloat that generated code has called.
    case helper
    case interpreter
}

/// One look at a vCPU.
public struct Observation: Sendable {
    public var activity: Activity
    /// More about the activity: see there.
    public var detail: UInt32
    /// Guest pc: of the instruction in generated code as far as the records tell, else where the guest left generated code.
    public var pc: UInt64
    /// The guest register that `observe` was asked to follow.
    public var register: UInt64
}

extension VCPU {
    /// Says what the calling thread does from now on.
    public func setActivity(_ activity: Activity, detail: UInt32 = 0) {
        header.pointee.activity = UInt32(activity.rawValue) | detail &<< 8
    }

    /// What the vCPU's thread was doing when a signal interrupted it at `fault`. `global`, at `offset` of
    /// the CPU state, is the guest register to read.
    public func observe(_ fault: FaultContext, global: Int, at offset: Int) -> Observation {
        let word = header.pointee.activity
        var seen = Observation(
            activity: Activity(rawValue: UInt8(truncatingIfNeeded: word)) ?? .engine, detail: word &>> 8,
            pc: programCounter, register: state.load(fromByteOffset: offset, as: UInt64.self))
        guard seen.activity == .generatedCode else { return seen }
        if !runsMachineCode {
            seen.activity = .interpreter
            return seen
        }
        seen.activity = .engine
        var address = UInt64(fault.programCounter)
        let start = UInt64(UInt(bitPattern: engine.code.executable))
        let isInside = address &- start < UInt64(engine.code.size)
        if !isInside { address = engine.host.callReturnAddress(state) }
        // The prologue, the epilogue and the Swift code around them belong to no translation.
        guard let index = engine.cache.containing(address) else { return seen }
        let row = engine.cache[index]
        let place = RecoveryReader.nearest(
            engine.cache.code(of: index).records, pc: row.key.pc,
            offset: Int(truncatingIfNeeded: address &- row.entry) - (isInside ? 0 : 1), global: global)
        seen.pc = place.pc &+ delta(of: row)
        if !isInside {
            seen.activity = .helper
        } else {
            seen.activity = row.isOptimized ? .optimizedCode : .baselineCode
            if let register = place.source.register {
                if register < engine.host.registerCounts.general { seen.register = fault[register: register] }
            } else if let value = place.source.constant {
                seen.register = UInt64(bitPattern: value)
            } else if place.global != global {
                seen.register = home(place.global)
            }
        }
        return seen
    }

    /// Copies the return addresses on the shadow return stack, newest first; returns their number. What is older than the ring is
    /// missing, and entries that no return has taken off (longjmp) or that were overwritten in between are wrong.
    public func returnAddresses(into buffer: UnsafeMutablePointer<UInt64>, capacity: Int) -> Int {
        var count = 0
        var entry = Int(truncatingIfNeeded: header.pointee.returnStackTop) / 16
        // Calls were most likely made in the mode of now.
        let salt = KeyedPC.salt(mode)
        while count < min(capacity, ReturnStack.count) {
            let pc = header.pointee.returnStack[entry & (ReturnStack.count &- 1)].pc
            if pc == JumpCache.noPC { break }
            buffer[count] = pc &- salt
            count &+= 1
            entry &-= 1
        }
        return count
    }
}
