// Which globals nobody looks at any more: on every path from a block's start they are written before they are read and
// before any op that looks at guest state. Blocks that exit look at everything, and so does the check in every loop.

import IR

/// A set of globals.
struct GlobalSet: Equatable {
    var low: UInt64 = 0
    var high: UInt64 = 0
    static let limit = 128
    static let all = GlobalSet(low: .max, high: .max)

    @inline(__always) func contains(_ g: Int) -> Bool { (g < 64 ? low : high) &>> UInt64(g & 63) & 1 != 0 }
    @inline(__always) mutating func insert(_ g: Int) {
        if g < 64 { low |= 1 &<< UInt64(g) } else { high |= 1 &<< UInt64(g & 63) }
    }
    @inline(__always) mutating func remove(_ g: Int) {
        if g < 64 { low &= ~(1 &<< UInt64(g)) } else { high &= ~(1 &<< UInt64(g & 63)) }
    }
    @inline(__always) func union(_ o: GlobalSet) -> GlobalSet { GlobalSet(low: low | o.low, high: high | o.high) }
    @inline(__always) func common(_ o: GlobalSet) -> GlobalSet { GlobalSet(low: low & o.low, high: high & o.high) }
    @inline(__always) func without(_ o: GlobalSet) -> GlobalSet { GlobalSet(low: low & ~o.low, high: high & ~o.high) }
}

/// The globals that are dead at each block's start.
struct Deadness {
    let region: Region
    let storage: OptimizerStorage
    /// By block.
    let dead: UnsafeMutablePointer<GlobalSet>

    init(_ region: Region, _ storage: OptimizerStorage) {
        self.region = region
        self.storage = storage
        dead = storage.deadGlobals
        if region.globalCount > GlobalSet.limit {
            dead.update(repeating: GlobalSet(), count: region.blockCount)
        } else {
            find()
        }
    }

    /// The globals that are dead behind the last op of `b`.
    func after(_ b: Int) -> GlobalSet {
        let last = region.lastOp(b)
        switch last.opcode {
        case .br: return dead[last.c.i]
        case .brcond: return dead[last.c.i].common(dead[last.d.i])
        default: return GlobalSet()
        }
    }

    /// From the belief that everything is dead, until nothing contradicts.
    private func find() {
        for b in 0..<region.blockCount {
            dead[b] = .all
            survey(b)
        }
        let order = storage.graph.order
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            for i in stride(from: region.blockCount - 1, through: 0, by: -1) {
                let b = Int(order[i])
                let now = storage.writtenGlobals[b].union(after(b).without(storage.keptGlobals[b]))
                if now != dead[b] {
                    dead[b] = now
                    hasChanged = true
                }
            }
        }
    }

    /// What `b` writes before anybody looks, and what it reads or lets others look at before that.
    private func survey(_ b: Int) {
        var written = GlobalSet()
        var kept = GlobalSet()
        for k in Int(region.blocks[b].start)..<Int(region.blocks[b].end) {
            let op = region.ops[k]
            let row = storage.table[op.opcode]
            let sources = storage.table.sources(op)
            if sources > 0, op.a.i < region.globalCount { kept.insert(op.a.i) }
            if sources > 1, op.b.i < region.globalCount { kept.insert(op.b.i) }
            if sources > 2, op.c.i < region.globalCount { kept.insert(op.c.i) }
            if sources > 3, op.d.i < region.globalCount { kept.insert(op.d.i) }
            if row.looksAtState {
                kept = .all
                break
            }
            if row.hasResult, op.dst.i < region.globalCount, !kept.contains(op.dst.i) { written.insert(op.dst.i) }
        }
        storage.writtenGlobals[b] = written
        storage.keptGlobals[b] = kept.without(written)
    }
}
