// The pass `nans`: an arithmetic result need not be the guest's NaN when nothing sees which NaN it is: when all that uses
// it is arithmetic, which makes the guest's NaN of any NaN, or comparisons. Such an op is marked `anynan`; the host leaves
// its check out. A global counts as seen where it is not overwritten before an op that looks at guest state.

import IR

func markUnseenNaNs(_ region: Region, _ storage: OptimizerStorage) {
    if region.globalCount > GlobalSet.limit { return }
    storage.graph.lay(region)
    let deadness = Deadness(region, storage)
    let pass = UnseenNaNs(region: region, storage: storage, isSeen: storage.counts)
    // Uses of temps stand before their definitions on this way.
    pass.isSeen.update(repeating: 0, count: region.tempCount)
    for i in stride(from: region.blockCount - 1, through: 0, by: -1) {
        let b = Int(storage.graph.order[i])
        pass.run(b, dead: deadness.after(b))
    }
}

private struct UnseenNaNs {
    let region: Region
    let storage: OptimizerStorage
    /// By name: not 0 when something further on sees which NaN it holds.
    let isSeen: UnsafeMutablePointer<UInt32>

    func run(_ b: Int, dead: GlobalSet) {
        for g in 0..<region.globalCount { isSeen[g] = dead.contains(g) ? 0 : 1 }
        for k in stride(from: Int(region.blocks[b].end) - 1, through: Int(region.blocks[b].start), by: -1) {
            let op = region.ops[k]
            let traits = storage.table[op.opcode]
            if traits.hasResult, !op.dst.isNone {
                let isUnseen = isSeen[op.dst.i] == 0 && region.temps[op.dst.i].kind != .local
                if op.makesGuestNaN { region.ops[k].allowsAnyNaN = isUnseen }
                if op.dst.i < region.globalCount { isSeen[op.dst.i] = 0 }
            }
            if traits.looksAtState { isSeen.update(repeating: 1, count: region.globalCount) }
            if op.takesAnyNaN { continue }
            let sources = storage.table.sources(op)
            if sources > 0 { isSeen[op.a.i] = 1 }
            if sources > 1 { isSeen[op.b.i] = 1 }
            if sources > 2 { isSeen[op.c.i] = 1 }
            if sources > 3 { isSeen[op.d.i] = 1 }
        }
    }
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
