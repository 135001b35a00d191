// The pass `unboxing`: a global that a loop both unboxes (`unboxf`, which must check the box) and writes only by
// `boxf` gets a local beside it that holds the unboxed value: set before the loop and at each write. The loop then
// reads the local; the global is still written, as its state can be seen.
//
//     before:  $s = unboxf f
//     loop:    %1 = unboxf f          ->  %1 = mov $s
//              f = boxf %2            ->  f = boxf %2 ; $s = mov %2

import IR

private let writesBox: UInt8 = 1
private let writesOther: UInt8 = 2
private let unboxes: UInt8 = 4

/// True when anything was changed.
func carryUnboxed(_ region: Region, _ storage: OptimizerStorage) -> Bool {
    let count = region.globalCount
    var loops = LoopEditor(region, storage)
    var hasChanged = false
    /// By global: what the loop does with it, and its local.
    let seen = storage.current
    let locals = storage.counts
    while loops.enter() {
        seen.update(repeating: 0, count: count)
        locals.update(repeating: 0, count: count)
        if !survey(region, storage, loops, seen) { continue }
        for g in 0..<count where seen[g] == UInt32(writesBox | unboxes) {
            let local = region.newTemp(.local, .f32)
            if region.isOverflowed { return hasChanged }
            locals[g] = local.index
            loops.before.append(Op(.unboxf, .f32, aux: 2 << 10, dst: local, a: Temp(g)))
        }
        if loops.before.isEmpty { continue }
        for b in 0..<region.blockCount where loops.isInside(b) {
            for k in region.ops(of: b) {
                let op = region.ops[k]
                if op.opcode == .boxf, op.dst.i < count, locals[op.dst.i] != 0 { loops.mark(k, LoopEditor.shadow) }
            }
        }
        let body = storage.graph.stamp
        // Reads are rewritten before the op array changes.
        let isRoomy = region.opCount + loops.before.count * 3 + region.opCount / 2 < region.opCapacity
        if !isRoomy || region.blockCount >= region.blockCapacity { continue }
        for b in 0..<region.blockCount where body[b] != 0 {
            for k in region.ops(of: b) {
                let op = region.ops[k]
                guard op.opcode == .unboxf, op.targetFormat == .binary32, op.a.i < count, locals[op.a.i] != 0 else {
                    continue
                }
                region.ops[k] = Op(.mov, .f32, dst: op.dst, a: Temp(locals[op.a.i]))
            }
        }
        precondition(loops.leave(shadows: locals), "room was checked")
        hasChanged = true
    }
    return hasChanged
}

/// Notes what the loop does with each global. False when helpers write them.
private func survey(
    _ region: Region, _ storage: OptimizerStorage, _ loop: borrowing LoopEditor, _ seen: UnsafeMutablePointer<UInt32>
) -> Bool {
    let count = region.globalCount
    for b in 0..<region.blockCount where loop.isInside(b) {
        for k in region.ops(of: b) {
            let op = region.ops[k]
            if op.opcode == .call, storage.helperEffects[Int(op.imm)].has(.writesGlobals) { return false }
            if op.opcode == .unboxf, op.targetFormat == .binary32, op.a.i < count { seen[op.a.i] |= UInt32(unboxes) }
            guard storage.table[op.opcode].hasResult, op.dst.i < count else { continue }
            let isBox = op.opcode == .boxf && op.targetFormat == .binary32
            seen[op.dst.i] |= UInt32(isBox ? writesBox : writesOther)
        }
    }
    return true
}
