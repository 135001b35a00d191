// The control-flow graph as the passes see it: the order of the blocks' ops, and predecessors. Raw arrays, filled anew
// by each pass that needs them.

import IR

struct Graph {
    /// Blocks in the order of their ops, and where each block is in it.
    let order: UnsafeMutablePointer<UInt32>
    let position: UnsafeMutablePointer<UInt32>
    /// How many edges come in (the region's entry counts), and where one of them comes from.
    let predecessors: UnsafeMutablePointer<UInt32>
    let predecessor: UnsafeMutablePointer<UInt32>
    /// For walks: any use.
    let stamp: UnsafeMutablePointer<UInt32>
    let list: UnsafeMutablePointer<UInt32>
    let map: UnsafeMutablePointer<UInt32>
    /// An edge from the block itself or from a later one leads here (`findHeads`).
    let isHead: UnsafeMutablePointer<Bool>

    init(blockCapacity: Int) {
        order = .allocate(capacity: blockCapacity)
        position = .allocate(capacity: blockCapacity)
        predecessors = .allocate(capacity: blockCapacity)
        predecessor = .allocate(capacity: blockCapacity)
        stamp = .allocate(capacity: blockCapacity)
        list = .allocate(capacity: blockCapacity)
        map = .allocate(capacity: blockCapacity)
        isHead = .allocate(capacity: blockCapacity)
    }

    func deallocate() {
        order.deallocate()
        position.deallocate()
        predecessors.deallocate()
        predecessor.deallocate()
        stamp.deallocate()
        list.deallocate()
        map.deallocate()
        isHead.deallocate()
    }

    /// Orders the blocks.
    func lay(_ region: Region) {
        let n = region.blockCount
        for b in 0..<n {
            // Nearly sorted already: insertion.
            var at = b
            let start = region.blocks[b].start
            while at > 0, region.blocks[Int(order[at &- 1])].start > start {
                order[at] = order[at &- 1]
                at &-= 1
            }
            order[at] = UInt32(truncatingIfNeeded: b)
        }
        for i in 0..<n { position[Int(order[i])] = UInt32(truncatingIfNeeded: i) }
    }

    /// Counts the edges between blocks.
    func connect(_ region: Region) {
        let n = region.blockCount
        for b in 0..<n {
            predecessors[b] = b == 0 ? 1 : 0
            predecessor[b] = .max
        }
        for b in 0..<n {
            for to in region.successors(of: b) {
                predecessors[to] &+= 1
                predecessor[to] = UInt32(truncatingIfNeeded: b)
            }
        }
    }

    /// Marks the blocks that may head loops: those that edges lead back to. After `lay`.
    func findHeads(_ region: Region) {
        let n = region.blockCount
        isHead.update(repeating: false, count: n)
        for b in 0..<n {
            for next in region.successors(of: b) where position[next] <= position[b] { isHead[next] = true }
        }
    }

    /// The one block that leads to `block`, if there is one and its ops come before.
    @inline(__always) func parent(_ block: Int) -> Int? {
        guard predecessors[block] == 1, predecessor[block] != .max else { return nil }
        let p = Int(predecessor[block])
        return position[p] < position[block] ? p : nil
    }
}

extension OptimizerStorage {
    /// Walks from the last op to the first, in the order that the blocks lie in: uses of temps come before their definitions.
    @inline(__always)
    func walkBackward(_ region: Region, block: (Int) -> Void = { _ in }, op: (Int) -> Void) {
        graph.lay(region)
        for i in stride(from: region.blockCount - 1, through: 0, by: -1) {
            let b = Int(graph.order[i])
            block(b)
            // Not `reversed()`: the closures would be called, not inlined.
            let ops = region.ops(of: b)
            var k = ops.upperBound
            while k > ops.lowerBound {
                k &-= 1
                op(k)
            }
        }
    }

    /// Sets the marks of what `op` reads to 1.
    @inline(__always) func markSources(_ op: Op, _ marks: UnsafeMutablePointer<UInt32>) {
        op.forEachSource(table.sources(op)) { marks[$0.i] = 1 }
    }

    /// Does no op of the range, which is part of a block, assign `t`?
    func isUnchanged(_ region: Region, _ t: Temp, _ range: Range<Int>) -> Bool {
        for k in range where table[region.ops[k].opcode].hasResult && region.ops[k].dst == t { return false }
        return true
    }

    /// Gives the region the `count` ops in `spare`.
    func replaceOps(_ region: Region, _ count: Int) {
        region.ops.update(from: spare, count: count)
        region.setOpCount(count)
    }
}
