// The pass `invariants`: an op without effects in a loop, on operands that the loop does not change, runs once before
// the loop. Only ops whose result is a temp: a write to a global stays where it can be seen. What is moved may run
// where it did not before: divisions are not moved.

import IR

/// True when anything was moved.
func moveInvariants(_ region: Region, _ storage: OptimizerStorage) -> Bool {
    /// What is moved stays in a register through the whole loop.
    let limit = 8
    var loops = LoopEditor(region, storage)
    var hasMoved = false
    while loops.enter() {
        let body = LoopBody(region, storage, loops)
        for i in 0..<region.blockCount {
            let b = Int(storage.graph.order[i])
            if !loops.isInside(b) { continue }
            for k in region.ops(of: b) where loops.before.count < limit {
                let op = region.ops[k]
                if !body.isInvariant(op) { continue }
                loops.before.append(op)
                loops.mark(k, LoopEditor.remove)
                body.changed[op.dst.i] = 0
            }
        }
        if !loops.before.isEmpty { hasMoved = loops.leave(shadows: storage.counts) || hasMoved }
    }
    return hasMoved
}

/// What a loop changes.
private struct LoopBody {
    let region: Region
    let storage: OptimizerStorage
    /// By temp: 1 when an op of the loop assigns it.
    let changed: UnsafeMutablePointer<UInt32>
    var changesGlobals = false
    var changesState = false

    init(_ region: Region, _ storage: OptimizerStorage, _ loop: borrowing LoopEditor) {
        self.region = region
        self.storage = storage
        changed = storage.stamps
        changed.update(repeating: 0, count: region.tempCount)
        for b in 0..<region.blockCount where loop.isInside(b) {
            for k in region.ops(of: b) {
                let op = region.ops[k]
                let row = storage.table[op.opcode]
                if row.has(.writesState) { changesState = true }
                if row.has(.helper), storage.helperEffects[Int(op.imm)].has(.writesGlobals) { changesGlobals = true }
                if row.hasResult, !op.dst.isNone { changed[op.dst.i] = 1 }
            }
        }
    }

    func isInvariant(_ op: Op) -> Bool {
        guard storage.table[op.opcode].hasResult, region.temps[op.dst.i].kind == .temp,
            !storage.table[op.opcode].hasEffects
        else { return false }
        switch op.opcode {
        case .mov, .divu, .divs, .remu, .rems, .fpGetFlags: return false
        case .ld: if changesState { return false }
        default: break
        }
        var isInvariant = true
        op.forEachSource(storage.table.sources(op)) { if !isUnchanged($0) { isInvariant = false } }
        return isInvariant
    }

    private func isUnchanged(_ t: Temp) -> Bool {
        if t.i < region.globalCount, changesGlobals { return false }
        return changed[t.i] == 0
    }
}
