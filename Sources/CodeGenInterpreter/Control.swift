// Control: branches, helper calls, chaining, look-up, and the ways out.

import CodeGen
import IR
import Synchronization

extension Machine {
    @inline(__always)
    func holds(_ i: Instruction) -> Bool { i.op.condition.holds(get(i.op.a), get(i.op.b)) }

    @inline(__always)
    mutating func jump(_ target: Temp) { next = region.pointee.instructions + target.i }

    /// Moves to the start of a region; false when the frame is too small for it.
    @inline(__always)
    mutating func start(_ code: UnsafePointer<RegionCode>) -> Bool {
        region = code
        if code.pointee.frameSlots > frameCapacity { return false }
        constants = code.pointee.constants
        next = code.pointee.instructions
        return true
    }

    func storePC(_ value: UInt64) { state.storeBytes(of: value, toByteOffset: pcOffset, as: UInt64.self) }

    mutating func leave(_ value: ExitValue) -> Outcome {
        exit = value
        return .leave
    }

    /// The current guest instruction cannot complete.
    @inline(never)
    mutating func raise(_ reason: UInt32, address: UInt64, isWrite: Bool, signal: Int32 = 0) -> Outcome {
        storePC(pc)
        header.pointee.faultIsWrite = isWrite ? 1 : 0
        header.pointee.faultSignal = UInt32(truncatingIfNeeded: signal)
        header.pointee.exitReason = UInt64(reason)
        header.pointee.exitValue = address
        header.pointee.exitPC = pc
        header.pointee.exitWord = UInt32(word)
        return leave(ExitValue(reason: reason, payload: isWrite ? 1 : 0))
    }

    /// A helper that may leave finds the current instruction's pc in its home and may change it.
    mutating func call(_ i: Instruction) -> Outcome {
        let helper = helpers[Int(truncatingIfNeeded: i.op.imm)]
        if helper.mayExit { storePC(pc) }
        let count = i.op.callArguments
        let result = helper.function(
            state, count > 0 ? get(i.op.a) : 0, count > 1 ? get(i.op.b) : 0, count > 2 ? get(i.op.c) : 0,
            count > 3 ? get(i.op.d) : 0)
        if helper.mayExit && header.pointee.exitReason != 0 {
            return leave(ExitValue(raw: header.pointee.exitReason))
        }
        if !i.op.dst.isNone { put(i, result) }
        return .goOn
    }

    /// Other threads and signal handlers set the flag at any time.
    mutating func checkExit(_ i: Instruction) -> Outcome {
        let request = UnsafeRawPointer(header) + Self.exitRequestOffset
        if atomic(request, as: UInt32.self).pointee.load(ordering: .relaxed) == 0 { return .goOn }
        return leaveAt(i, ExitReason.sideExit)
    }

    /// Counts down; the counter belongs to the vCPU's thread.
    mutating func countExecution(_ i: Instruction) -> Outcome {
        let isOwn = i.op.slot == ExecutionCounters.own
        let number = isOwn ? ExecutionCounters.number(region.pointee.translation) : i.op.slot
        let offset = ExecutionCounters.offset(ofNumber: number)
        let count = state.load(fromByteOffset: offset, as: UInt32.self) &- 1
        state.storeBytes(of: count, toByteOffset: offset, as: UInt32.self)
        return count == 0 ? leaveAt(i, ExitReason.hot) : .goOn
    }

    mutating func countInstructions(_ i: Instruction) -> Outcome {
        header.pointee.charged = UInt32(i.op.aux)
        header.pointee.started = 0
        header.pointee.budget &-= Int32(i.op.aux)
        return header.pointee.budget < 0 ? leaveAt(i, ExitReason.sideExit) : .goOn
    }

    /// A side exit at guest `imm`.
    private mutating func leaveAt(_ i: Instruction, _ reason: UInt32) -> Outcome {
        let target = UInt64(bitPattern: i.op.imm)
        storePC(target)
        header.pointee.exitPC = target
        header.pointee.exitWord = 0
        header.pointee.sideExitAddress = 0  // nothing to recover
        return leave(ExitValue(reason: reason))
    }

    private static let exitRequestOffset = MemoryLayout<VCPUHeader>.offset(of: \.exitRequest)!

    mutating func goto(_ i: Instruction) -> Outcome {
        let target = atomic(region.pointee.slots + i.op.slot, as: UInt64.self).pointee.load(ordering: .acquiring)
        if target & 1 != 0 {
            let code = Self.code(target & ~1)
            return isKnown(code.pointee.translation)
                ? start(code) ? .goOn : .grow : lookup(UInt64(bitPattern: i.op.imm))
        }
        if target != 0 { return start(Self.code(target)) ? .goOn : .grow }
        storePC(UInt64(bitPattern: i.op.imm))
        return leave(.chain(translation: region.pointee.translation, slot: i.op.slot))
    }

    private func isKnown(_ translation: Int) -> Bool {
        guard let known = header.pointee.knownTranslations else { return true }
        return known[translation] != 0
    }

    mutating func lookup(_ i: Instruction) -> Outcome { lookup(get(i.op.a)) }

    private mutating func lookup(_ target: UInt64) -> Outcome {
        storePC(target)
        let key = KeyedPC.word(target, mode: region.pointee.mode)
        let cache = header.pointee.jumpCache
        var entry = cache + JumpCache.index(key)
        if entry.pointee.pc != key { entry = cache + JumpCache.secondIndex(key) }
        if entry.pointee.pc == key { return start(Self.code(entry.pointee.code)) ? .goOn : .grow }
        header.pointee.jumps.lookupMisses &+= 1
        return leave(ExitValue(reason: ExitReason.lookup))
    }
}
