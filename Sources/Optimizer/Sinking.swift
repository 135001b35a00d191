// The pass `sink`: an op before a branch whose result only one of the two ways needs moves to the start of that way, if
// nothing else leads there. Mostly these are guest registers that are written again on the way that stays in a loop, and
// that only an exit needs.
//
//     x = add a, 1                     brcond.eq c, 0, block1, block2
//     brcond.eq c, 0, block1, block2   block1: (writes x before anybody looks)
//     block1: ...                 ->   block2:
//     block2: goto_tb                    x = add a, 1
//                                        goto_tb

import IR

func sinkPartlyDead(_ region: Region, _ storage: OptimizerStorage) {
    if region.globalCount > GlobalSet.limit { return }
    storage.graph.lay(region)
    storage.graph.connect(region)
    var pass = Sinking(region, storage)
    pass.run()
}

private struct Sinking: ~Copyable {
    let region: Region
    let storage: OptimizerStorage
    let graph: Graph
    let deadness: Deadness
    /// Ops that have left their blocks, and by block where those that now begin it are and how many.
    let moved: UnsafeMutablePointer<Op>
    var movedCount = 0
    let first: UnsafeMutablePointer<UInt32>
    let count: UnsafeMutablePointer<UInt32>
    /// By temp: uses that have not moved, and where the others went: block + 1.
    let uses: UnsafeMutablePointer<UInt32>
    let goal: UnsafeMutablePointer<UInt32>
    private static let nowhere = UInt32.max

    // Of the block at hand, while it is walked backward: what stays behind reads and writes these.
    private var read = GlobalSet()
    private var written = GlobalSet()
    private var changesFlags = false

    init(_ region: Region, _ storage: OptimizerStorage) {
        self.region = region
        self.storage = storage
        graph = storage.graph
        deadness = Deadness(region, storage)
        moved = storage.moved
        first = graph.list
        count = graph.map
        uses = storage.counts
        goal = storage.current
        count.update(repeating: 0, count: region.blockCount)
        uses.update(repeating: 0, count: region.tempCount)
        goal.update(repeating: 0, count: region.tempCount)
    }

    mutating func run() {
        for b in 0..<region.blockCount {
            for k in region.ops(of: b) {
                region.ops[k].forEachSource(storage.table.sources(region.ops[k])) { uses[$0.i] &+= 1 }
            }
        }
        var end = 0
        for i in 0..<region.blockCount {
            let b = Int(graph.order[i])
            let start = end
            (storage.spare + end).update(from: moved + Int(first[b]), count: Int(count[b]))
            end += Int(count[b])
            let own = Int(region.blocks[b].end - region.blocks[b].start)
            (storage.spare + end).update(from: region.ops + Int(region.blocks[b].start), count: own)
            end += own
            end = sink(b, start, end)
            region.blocks[b].start = UInt32(truncatingIfNeeded: start)
            region.blocks[b].end = UInt32(truncatingIfNeeded: end)
        }
        storage.replaceOps(region, end)
    }

    /// Moves ops of block `b`, which is in `spare`; returns its new end.
    private mutating func sink(_ b: Int, _ start: Int, _ end: Int) -> Int {
        let last = storage.spare[end - 1]
        guard last.opcode == .brcond, last.c != last.d else { return end }
        let c = last.c.i
        let d = last.d.i
        let canMove = (c: graph.predecessors[c] == 1 && c != b, d: graph.predecessors[d] == 1 && d != b)
        if !canMove.c && !canMove.d || movedCount + 2 * (end - start) > region.opCapacity { return end }
        (read, written, changesFlags) = (GlobalSet(), GlobalSet(), false)
        keep(last)
        var movesAny = false
        var k = end - 2
        while k >= start {
            let op = storage.spare[k]
            if storage.table[op.opcode].looksAtState { break }
            storage.marks[k] = 0
            if isMovable(op) {
                if canMove.c, isNeeded(op, c, not: d) {
                    move(op, to: c)
                    storage.marks[k] = 1
                } else if canMove.d, isNeeded(op, d, not: c) {
                    move(op, to: d)
                    storage.marks[k] = 2
                }
            }
            if storage.marks[k] == 0 { keep(op) } else { movesAny = true }
            k -= 1
        }
        return movesAny ? split(c, d, k + 1, end) : end
    }

    /// Distributes the ops from `from` on: what stays, and what goes to `c` and `d`.
    private mutating func split(_ c: Int, _ d: Int, _ from: Int, _ end: Int) -> Int {
        for mark in 1...2 as ClosedRange<UInt8> {
            let b = mark == 1 ? c : d
            first[b] = UInt32(truncatingIfNeeded: movedCount)
            for k in from..<end - 1 where storage.marks[k] == mark {
                moved[movedCount] = storage.spare[k]
                movedCount += 1
            }
            count[b] = UInt32(truncatingIfNeeded: movedCount) - first[b]
        }
        var kept = from
        for k in from..<end where k == end - 1 || storage.marks[k] == 0 {
            storage.spare[kept] = storage.spare[k]
            kept += 1
        }
        return kept
    }

    /// An op stays behind.
    private mutating func keep(_ op: Op) {
        if op.opcode == .insnStart { return }
        let row = storage.table[op.opcode]
        var reads = read
        op.forEachSource(storage.table.sources(op)) { if $0.i < region.globalCount { reads.insert($0.i) } }
        read = reads
        if row.hasResult, !op.dst.isNone, op.dst.i < region.globalCount { written.insert(op.dst.i) }
        if row.setsFlags && !(op.opcode == .fsetcond && op.floatCondition.isSilent)
            || row.hasEffects && !row.setsFlags
        {
            changesFlags = true
        }
    }

    /// May the op run later than what is left behind it?
    private func isMovable(_ op: Op) -> Bool {
        let row = storage.table[op.opcode]
        guard row.hasResult, !row.hasEffects, op.opcode != .ld, op.opcode != .call else { return false }
        if op.opcode == .fpGetFlags, changesFlags { return false }
        if region.temps[op.dst.i].kind == .local { return false }
        if op.dst.i < region.globalCount, read.contains(op.dst.i) || written.contains(op.dst.i) { return false }
        var isFree = true
        op.forEachSource(storage.table.sources(op)) {
            if $0.i < region.globalCount ? written.contains($0.i) : region.temps[$0.i].kind == .local { isFree = false }
        }
        return isFree
    }

    /// Is the result needed on the way to `b` and not on the other?
    private func isNeeded(_ op: Op, _ b: Int, not other: Int) -> Bool {
        let t = op.dst.i
        if t >= region.globalCount { return uses[t] == 0 && goal[t] == UInt32(truncatingIfNeeded: b + 1) }
        return deadness.dead[other].contains(t) && !deadness.dead[b].contains(t)
    }

    private mutating func move(_ op: Op, to b: Int) {
        if op.dst.i < region.globalCount { deadness.dead[b].insert(op.dst.i) }
        op.forEachSource(storage.table.sources(op)) {
            if $0.i < region.globalCount {
                deadness.dead[b].remove($0.i)
            } else {
                uses[$0.i] &-= 1
                let here = UInt32(truncatingIfNeeded: b + 1)
                goal[$0.i] = goal[$0.i] == 0 || goal[$0.i] == here ? here : Self.nowhere
            }
        }
    }
}
