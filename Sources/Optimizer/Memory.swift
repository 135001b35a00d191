// The pass `memory`, a part of `propagate`: what guest memory is known to hold, from the loads and stores so far. A load of
// that becomes a copy, or a field, of the value.
//
//     gst.i64.u64 [sp + 8], a0        gst.i64.u64 [sp + 8], a0
//     a1 = gld.i64.s32 [sp + 8]   ->  a1 = sextract.i64 a0, 0, 32
//
// Only where guest memory is plain memory (`sharesGuestLoads`). Other processors may change it and watch it. What is allowed
// depends on the guest's memory model.
//
// `.weak`: RVWMO (Unprivileged ISA, "RVWMO Memory Consistency Model", preserved program order) lets a hart forward its own
// stores and lets a load give what an older load gave, as if both happened at once, with three exceptions:
//
// - Fences, acquires and atomics between the two (rules 4 to 7): what is known is forgotten there.
// - Loads of the same bytes between the two, which may have seen a newer value (rule 2). They may go through other registers:
//   an access through another base forgets what is known, whatever it does. So all that is known has one base.
// - Loads between the two that the address of the later one depends on, even if the result does not (rule 9): `youngest` is
//   the newest load in each name's history.
//
// `.tso`: loads stay in order. A load that is left out happens right behind the access that it copies, so no load may be made
// between the two: what is known is used only until the next load. That holds for stores too. With a load of B between a store
// to A and a load of A, another processor may overwrite A and then write B: if the load of B sees that, the load of A must see the
// other value. Stores between the two do no harm: a processor sees its own store before the others do.
//
//     gst [a0], a1                     P0: A = 1; r1 = B; r2 = A          P1: A = 2; B = 1
//     a2 = gld [a0 + 8]                r1 = 1, r2 = 1 and A = 2 at the end: never happens, but would if r2 were a copy
//     a3 = gld [a0]        stays
//
// What is known does not outlive a way back: a loop that waits for a change sees it.

import IR

/// Bytes of guest memory that are the low bytes of a value.
struct KnownMemory {
    /// From the base (`Propagation.memoryBase`).
    var displacement: UInt64
    var size: UInt32
    var value: UInt32
    var type: ValueType
    /// How many loads had been made when they were read or written.
    var time: UInt32

    /// At most so many are remembered.
    static let limit = 16
}

/// A place in guest memory: bytes from an address on.
private struct Place {
    /// Number of the base; 0 when the displacement is the whole address.
    var base: UInt32
    var displacement: UInt64
    var size: UInt64
    /// The bits that displacements from this base have.
    var mask: UInt64
}

extension Propagation {
    /// The place that the load or store `op` accesses.
    private func place(_ op: Op) -> Place {
        var base = a
        var displacement = UInt64(bitPattern: op.imm)
        let type = temps[op.a.i].type
        let mask: UInt64 = type == .i32 ? 0xffff_ffff : .max
        while isOp(base, .add, type), isConstant(values[Int(base)].b) {
            displacement = displacement &+ word(values[Int(base)].b)
            base = values[Int(base)].a
        }
        if isConstant(base) {
            displacement = displacement &+ word(base)
            base = 0
        }
        return Place(
            base: base, displacement: displacement & mask, size: UInt64(truncatingIfNeeded: op.memOp.size),
            mask: base == 0 ? .max : mask)
    }

    /// Makes a load a copy of what memory is known to hold. False when that is not known, or has no name here.
    /// - Parameter newest: the newest load that the address depends on; becomes that of the result.
    mutating func forward(_ op: inout Op, _ newest: inout UInt32) -> Bool {
        if knownCount == 0 || !op.isPlainAccess { return false }
        let place = place(op)
        if place.base != memoryBase { return false }
        for i in 0..<knownCount {
            let known = memory[i]
            let offset = (place.displacement &- known.displacement) & place.mask
            guard offset < UInt64(known.size), offset &+ place.size <= UInt64(known.size), newest <= known.time else {
                continue
            }
            if ordersLoads, known.time != loads { continue }
            newest = known.time
            return become(&op, known, offset)
        }
        return false
    }

    /// The load becomes a copy of what is `offset` bytes into a known value.
    private func become(_ op: inout Op, _ known: KnownMemory, _ offset: UInt64) -> Bool {
        let size = op.memOp.size
        if op.type == .i64, known.type == .i64, size < 8 {
            let field: Opcode = op.memOp.isSigned ? .sextract : .extract
            return become(&op, field, known.value, field: Int(8 &* offset), 8 &* size)
        }
        if op.type == known.type, size == op.type.size { return become(&op, number: known.value) }
        let n = name(known.value)
        if n.isNone || size != 8 { return false }
        op = Op(.bitcast, op.type, dst: op.dst, a: n)
        return true
    }

    /// A load has given the value numbered `value`.
    mutating func noteLoad(_ op: Op, _ value: UInt32) {
        loads &+= 1
        note(op, value)
    }
    mutating func noteStore(_ op: Op) { note(op, b) }

    /// Nothing is known that the access may have changed or seen changed, and the accessed place holds `value`.
    private mutating func note(_ op: Op, _ value: UInt32) {
        let place = place(op)
        if place.base != memoryBase { knownCount = 0 }
        memoryBase = place.base
        var kept = 0
        for i in 0..<knownCount {
            let known = memory[i]
            let overlaps =
                (place.displacement &- known.displacement) & place.mask < UInt64(known.size)
                || (known.displacement &- place.displacement) & place.mask < place.size
            if overlaps { continue }
            memory[kept] = known
            kept &+= 1
        }
        knownCount = kept
        if !op.isPlainAccess { return }
        if kept == KnownMemory.limit {
            kept &-= 1
            memory.update(from: memory + 1, count: kept)
        }
        memory[kept] = KnownMemory(
            displacement: place.displacement, size: UInt32(truncatingIfNeeded: place.size), value: value, type: op.type,
            time: loads)
        knownCount = kept &+ 1
    }

    mutating func forgetMemory() { knownCount = 0 }

    // MARK: Blocks

    /// At the start of a walk.
    mutating func beginMemory() {
        knownCount = 0
        youngest.update(repeating: 0, count: globalCount)
    }

    func saveMemory(_ b: Int) {
        storage.snapshots[b].memoryBase = memoryBase
        storage.snapshots[b].knownCount = knownCount
        (storage.snapshotMemory + b &* KnownMemory.limit).update(from: memory, count: knownCount)
        (storage.snapshotYoungest + b &* globalCount).update(from: youngest, count: globalCount)
    }

    mutating func restoreMemory(_ b: Int) {
        memoryBase = storage.snapshots[b].memoryBase
        knownCount = storage.snapshots[b].knownCount
        memory.update(from: storage.snapshotMemory + b &* KnownMemory.limit, count: knownCount)
        youngest.update(from: storage.snapshotYoungest + b &* globalCount, count: globalCount)
    }

    /// The newest load that the op's operands depend on.
    @inline(__always) func newestLoad(_ op: Op, _ sources: Int) -> UInt32 {
        var newest: UInt32 = 0
        op.forEachSource(sources) { newest = max(newest, youngest[$0.i]) }
        return newest
    }
}

extension Op {
    /// A load or store of a value as it is, at any address.
    fileprivate var isPlainAccess: Bool { memOp.rawValue &>> 4 == 0 }
}
