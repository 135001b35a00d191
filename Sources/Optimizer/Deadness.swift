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
        let successors = region.successors(of: b)
        if successors.isEmpty { return GlobalSet() }
        var common = GlobalSet.all
        for next in successors { common = common.common(dead[next]) }
        return common
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
        for k in region.ops(of: b) {
            let op = region.ops[k]
            let row = storage.table[op.opcode]
            op.forEachSource(storage.table.sources(op)) { if $0.i < region.globalCount { kept.insert($0.i) } }
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
