// Memory: the CPU state, and guest memory through `GuestAccess`, where guest address and host address are the same number, or through
// the vCPU's owner (`GuestAddressing.tables`).

import CodeGen
import IR
import Synchronization

extension MemOp {
    @inline(__always)
    func refuses(_ address: UInt64) -> Bool { isAligned && address & UInt64(truncatingIfNeeded: size &- 1) != 0 }
}

extension Machine {
    // MARK: CPU state

    mutating func loadState(_ i: Instruction) {
        let m = i.op.memOp
        let p = UnsafeRawPointer(state) + Int(truncatingIfNeeded: i.op.imm)
        let value: UInt64 =
            switch m.log2Size {
            case 0: UInt64(p.load(as: UInt8.self))
            case 1: UInt64(p.loadUnaligned(as: UInt16.self))
            case 2: UInt64(p.loadUnaligned(as: UInt32.self))
            default: p.loadUnaligned(as: UInt64.self)
            }
        put(i, m.extended(m.ordered(value)))
    }

    mutating func storeState(_ i: Instruction) {
        let m = i.op.memOp
        let p = state + Int(truncatingIfNeeded: i.op.imm)
        let value = m.ordered(get(i.op.a))
        switch m.log2Size {
        case 0: p.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 1: p.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        case 2: p.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        default: p.storeBytes(of: value, as: UInt64.self)
        }
    }

    // MARK: Guest memory

    /// The address of a guest access.
    private func address(_ i: Instruction) -> UInt64 {
        let sum = get(i.op.a) &+ UInt64(bitPattern: i.op.imm)
        return i.sourceType == .i32 ? sum & 0xffff_ffff : sum
    }

    mutating func load(_ i: Instruction) -> Outcome {
        let m = i.op.memOp
        let address = address(i)
        if m.refuses(address) { return raise(ExitReason.misaligned, address: address, isWrite: false) }
        if usesTables { return ask(SlowAccess(.load, m, address: address), i) }
        var value: UInt64 = 0
        let signal = access.load(address, UInt64(m.log2Size), &value)
        if signal != 0 {
            return raise(
                ExitReason.fault, address: faultAddress(address, m, isWrite: false), isWrite: false, signal: signal)
        }
        put(i, m.extended(m.ordered(value)))
        return .goOn
    }

    mutating func store(_ i: Instruction) -> Outcome {
        let m = i.op.memOp
        let address = address(i)
        if m.refuses(address) { return raise(ExitReason.misaligned, address: address, isWrite: true) }
        if usesTables { return ask(SlowAccess(.store, m, address: address, value: get(i.op.b)), i) }
        let signal = access.store(address, UInt64(m.log2Size), m.ordered(get(i.op.b)))
        if signal != 0 {
            return raise(
                ExitReason.fault, address: faultAddress(address, m, isWrite: true), isWrite: true, signal: signal)
        }
        return .goOn
    }

    /// Where an access that faulted did so: an access over a page's end may be refused by the second page alone. (Pages
    /// have 4 KiB or a multiple.)
    private func faultAddress(_ address: UInt64, _ m: MemOp, isWrite: Bool) -> UInt64 {
        let second = (address &+ UInt64(truncatingIfNeeded: m.size &- 1)) & ~0xfff
        return second > address && permits(address, isWrite: isWrite) ? second : address
    }

    /// Tries one byte, changing nothing.
    private func permits(_ address: UInt64, isWrite: Bool) -> Bool {
        var value: UInt64 = 0
        if access.load(address, 0, &value) != 0 { return false }
        return !isWrite || access.compareExchange(address, 0, value, value, &value) == 0
    }

    /// A loop of compare-and-exchange: one primitive serves every kind and size. It counts as a write wherever it
    /// faults.
    mutating func readModifyWrite(_ i: Instruction) -> Outcome {
        let m = i.op.memOp
        let address = address(i)
        if m.refuses(address) { return raise(ExitReason.misaligned, address: address, isWrite: true) }
        let operand = m.extended(get(i.op.b))
        if usesTables {
            return ask(
                SlowAccess(.readModifyWrite, m, address: address, value: operand, atomicOp: i.op.atomicOp), i)
        }
        var old: UInt64 = 0
        let signal = access.load(address, UInt64(m.log2Size), &old)
        if signal != 0 {
            return raise(ExitReason.fault, address: address, isWrite: true, signal: signal)
        }
        while true {
            let new = m.ordered(i.op.atomicOp.apply(m.ordered(old), operand, m))
            var seen: UInt64 = 0
            let signal = access.compareExchange(address, UInt64(m.log2Size), old, new, &seen)
            if signal != 0 {
                return raise(ExitReason.fault, address: address, isWrite: true, signal: signal)
            }
            if seen == old { break }
            old = seen
        }
        put(i, m.extended(m.ordered(old)))
        return .goOn
    }

    mutating func compareAndSwap(_ i: Instruction) -> Outcome {
        let m = i.op.memOp
        let address = address(i)
        if m.refuses(address) { return raise(ExitReason.misaligned, address: address, isWrite: true) }
        if usesTables {
            return ask(
                SlowAccess(.compareAndSwap, m, address: address, value: get(i.op.c), expected: get(i.op.b)), i)
        }
        var seen: UInt64 = 0
        let expected = m.ordered(get(i.op.b))
        let signal = access.compareExchange(address, UInt64(m.log2Size), expected, m.ordered(get(i.op.c)), &seen)
        if signal != 0 {
            return raise(ExitReason.fault, address: address, isWrite: true, signal: signal)
        }
        put(i, m.extended(m.ordered(seen)))
        return .goOn
    }

    /// Operands and old value are in the CPU state: see `IRBuilder.gcas128`.
    mutating func compareAndSwapPair(_ i: Instruction) -> Outcome {
        let address = get(i.op.a)
        if i.op.memOp.refuses(address) { return raise(ExitReason.misaligned, address: address, isWrite: true) }
        if usesTables {
            let pair = state + Int(truncatingIfNeeded: i.op.imm)
            return ask(SlowAccess(.compareAndSwapPair, i.op.memOp, address: address, pair: pair), i)
        }
        let signal = access.compareExchangePair(address, state + Int(truncatingIfNeeded: i.op.imm))
        if signal != 0 {
            return raise(ExitReason.fault, address: address, isWrite: true, signal: signal)
        }
        return .goOn
    }

    /// Has the vCPU's owner make an access; there are no tables to look at first.
    private mutating func ask(_ request: SlowAccess, _ i: Instruction) -> Outcome {
        var request = request
        // An entry that has been filled is the owner's to use.
        for _ in 0..<2 {
            switch header.pointee.slowAccess(state, &request) {
            case .retry: continue
            case .done:
                if !i.op.dst.isNone { put(i, request.result) }
                return .goOn
            case .leave: break
            }
            break
        }
        let isWrite = header.pointee.faultIsWrite != 0
        header.pointee.sideExitAddress = 0
        return raise(ExitReason.fault, address: header.pointee.exitValue, isWrite: isWrite)
    }

    func fence(_ i: Instruction) {
        if i.op.aux != 0 { atomicMemoryFence(ordering: .sequentiallyConsistent) }
    }
}
