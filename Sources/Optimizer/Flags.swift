// The pass `flags`: compilers make a comparison that raises nothing from one that does, by reading the accrued flags
// before it and writing them back after it. Here the comparisons between become silent ones, and the write goes.
//
//     x = fp_get_flags                 x = fp_get_flags
//     c = fsetcond.slt.f64 a, b   ->   c = fsetcond.silentlt.f64 a, b
//     fp_set_flags x

import IR

func silenceComparisons(_ region: Region, _ storage: OptimizerStorage) {
    for b in 0..<region.blockCount { Silencing(region: region, storage: storage).run(b) }
}

private struct Silencing {
    let region: Region
    let storage: OptimizerStorage
    /// Comparisons between a read and a write.
    private static let limit = 2

    func run(_ b: Int) {
        /// What holds the flags, while only the comparisons at `first` and `second` have changed them since.
        var flags = Temp.none
        var first = -1
        var second = -1
        var k = Int(region.blocks[b].start)
        while k < Int(region.blocks[b].end) {
            let op = region.ops[k]
            switch op.opcode {
            case .insnStart: break
            case .fpGetFlags:
                (flags, first, second) = (op.dst, -1, -1)
            case .fpSetFlags where op.a == flags && !flags.isNone:
                silence(first)
                silence(second)
                (first, second) = (-1, -1)
                remove(k, b)
                continue
            case .fsetcond:
                if op.floatCondition.isSilent { break }
                if first < 0 { first = k } else if second < 0 { second = k } else { flags = .none }
            default:
                let row = storage.table[op.opcode]
                if row.setsFlags || row.hasEffects || row.looksAtState { flags = .none }
            }
            if op.opcode != .fpGetFlags, storage.table[op.opcode].hasResult, op.dst == flags { flags = .none }
            k += 1
        }
    }

    private func silence(_ k: Int) {
        if k >= 0 { region.ops[k].aux = UInt16(region.ops[k].floatCondition.silent.rawValue) }
    }

    private func remove(_ k: Int, _ b: Int) {
        let end = Int(region.blocks[b].end)
        (region.ops + k).update(from: region.ops + k + 1, count: end - k - 1)
        region.blocks[b].end -= 1
    }
}
