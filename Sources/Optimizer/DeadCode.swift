// The pass `dead`: one walk over the ops, backward, that leaves out what nobody can see.
//
// - An op without effects whose temp has no use.
// - A write to a global that is overwritten before any op that looks at state: one that may fault or leave, a helper that
//   reads globals. At level full also when it is overwritten in other blocks (Deadness.swift).
// - An instruction mark that no such op follows before the next one.
// - A check for exit requests with another one in the same block.

import IR

func removeDeadCode(_ region: Region, _ storage: OptimizerStorage, _ level: OptimizationLevel) {
    storage.graph.lay(region)
    let deadness = level == .full && region.blockCount > 1 ? Deadness(region, storage) : nil
    var pass = DeadCode(region, storage, deadness)
    pass.run()
}

private struct DeadCode: ~Copyable {
    let region: Region
    let ops: UnsafeMutablePointer<Op>
    let table: OpcodeTable
    let helperEffects: UnsafeMutablePointer<HelperEffects>
    let graph: Graph
    let globalCount: Int
    /// By temp: uses that are left.
    let uses: UnsafeMutablePointer<UInt32>
    /// By global: equals `window` when the global is overwritten later and nobody looks before.
    let overwritten: UnsafeMutablePointer<UInt32>
    var window: UInt32 = 1
    /// What other blocks overwrite.
    let deadness: Deadness?

    init(_ region: Region, _ storage: OptimizerStorage, _ deadness: Deadness?) {
        self.deadness = deadness
        self.region = region
        ops = region.ops
        table = storage.table
        helperEffects = storage.helperEffects
        graph = storage.graph
        globalCount = region.globalCount
        uses = storage.counts
        overwritten = storage.stamps
        uses.update(repeating: 0, count: region.tempCount)
        overwritten.update(repeating: 0, count: globalCount)
    }

    mutating func run() {
        for k in 0..<region.blockCount { countUses(Int(region.blocks[k].start), Int(region.blocks[k].end)) }
        // What stays is moved to the end of the storage, then all of it back to the start.
        var free = region.opCount
        var k = region.blockCount &- 1
        while k >= 0 {
            let b = Int(graph.order[k])
            let end = free
            free = sweep(b, free)
            region.blocks[b].start = UInt32(truncatingIfNeeded: free)
            region.blocks[b].end = UInt32(truncatingIfNeeded: end)
            k &-= 1
        }
        if free == 0 { return }
        ops.update(from: ops + free, count: region.opCount &- free)
        region.setOpCount(region.opCount &- free)
        for k in 0..<region.blockCount {
            region.blocks[k].start &-= UInt32(truncatingIfNeeded: free)
            region.blocks[k].end &-= UInt32(truncatingIfNeeded: free)
        }
    }

    private func countUses(_ start: Int, _ end: Int) {
        var i = start
        while i < end {
            let op = ops + i
            op.pointee.forEachSource(table.sources(op.pointee)) { uses[$0.i] &+= 1 }
            i &+= 1
        }
    }

    /// Moves what stays of a block so that it ends at `free`; returns where it starts.
    private mutating func sweep(_ block: Int, _ free: Int) -> Int {
        let start = Int(region.blocks[block].start)
        let end = Int(region.blocks[block].end)
        window &+= 1
        if let deadness {
            let dead = deadness.after(block)
            for g in 0..<globalCount where dead.contains(g) { overwritten[g] = window }
        }
        var free = free
        // The instruction may go on in the next block.
        var needsMark = !table[ops[end &- 1].opcode].isExit
        var hasCheck = false
        var i = end &- 1
        while i >= start {
            let op = ops + i
            let opcode = op.pointee.opcode
            let row = table[opcode]
            let sources = opcode == .call ? op.pointee.callArguments : row.sources
            switch opcode {
            case .insnStart:
                if !needsMark { break }
                needsMark = false
                free &-= 1
                ops[free] = op.pointee
            case .checkExit where hasCheck: break
            default:
                if isDead(op, opcode, row) {
                    release(op, sources)
                    break
                }
                if row.hasResult, op.pointee.dst.i < globalCount { overwritten[op.pointee.dst.i] = window }
                if row.looksAtState {
                    window &+= 1
                    // A check, a count of instructions and an exit have their own pc.
                    if opcode == .checkExit {
                        hasCheck = true
                    } else if !row.isExit && opcode != .countInstructions {
                        needsMark = true
                    }
                }
                op.pointee.forEachSource(sources) { if $0.i < globalCount { overwritten[$0.i] = 0 } }
                free &-= 1
                ops[free] = op.pointee
            }
            i &-= 1
        }
        return free
    }

    @inline(__always)
    private func isDead(_ op: UnsafeMutablePointer<Op>, _ opcode: Opcode, _ row: OpcodeTable.Word) -> Bool {
        guard row.hasResult, !op.pointee.dst.isNone else { return false }
        if opcode == .mov, op.pointee.a == op.pointee.dst { return true }
        if row.hasEffects {
            guard opcode == .call, helperEffects[Int(op.pointee.imm)].has(.isPure) else { return false }
        }
        let t = op.pointee.dst.i
        return t < globalCount ? overwritten[t] == window : uses[t] == 0
    }

    private func release(_ op: UnsafeMutablePointer<Op>, _ sources: Int) {
        op.pointee.forEachSource(sources) { uses[$0.i] &-= 1 }
    }
}
