// The pass `nans`: an arithmetic result need not be the guest's NaN when nothing sees which NaN it is: when all that uses
// it is arithmetic, which makes the guest's NaN of any NaN, or comparisons. Such an op is marked `anynan`; the host leaves
// its check out. A global counts as seen where it is not overwritten before an op that looks at guest state.

import IR

func markUnseenNaNs(_ region: Region, _ storage: OptimizerStorage) {
    if region.globalCount > GlobalSet.limit { return }
    storage.graph.lay(region)
    let deadness = Deadness(region, storage)
    let count = region.globalCount
    /// By name: not 0 when something further on sees which NaN it holds.
    let isSeen = storage.counts
    isSeen.update(repeating: 0, count: region.tempCount)
    storage.walkBackward(
        region,
        block: { b in
            let dead = deadness.after(b)
            for g in 0..<count { isSeen[g] = dead.contains(g) ? 0 : 1 }
        },
        op: { k in
            let op = region.ops[k]
            let row = storage.table[op.opcode]
            if row.hasResult, !op.dst.isNone {
                let isUnseen = isSeen[op.dst.i] == 0 && region.temps[op.dst.i].kind != .local
                if op.makesGuestNaN { region.ops[k].allowsAnyNaN = isUnseen }
                if op.dst.i < count { isSeen[op.dst.i] = 0 }
            }
            if row.looksAtState { isSeen.update(repeating: 1, count: count) }
            if !op.takesAnyNaN { storage.markSources(op, isSeen) }
        })
}

extension Op {
    /// Arithmetic whose NaN result becomes the guest's by a check.
    fileprivate var makesGuestNaN: Bool {
        switch opcode {
        case .fadd, .fsub, .fmul, .fdiv, .fsqrt, .fma: true
        default: false
        }
    }

    /// Gives the same result, and raises the same flags, for every quiet NaN.
    fileprivate var takesAnyNaN: Bool {
        switch opcode {
        case .fadd, .fsub, .fmul, .fdiv, .fsqrt, .fma, .fsetcond: true
        default: false
        }
    }
}
