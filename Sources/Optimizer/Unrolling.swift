// The pass `unroll`: a small loop of one block gets a second copy of it, without the check for exit requests: two turns check
// once and jump back once.
//
//     block1 loop:                      block1 loop:
//       check_exit                        check_exit
//       ...                               ...
//       brcond c, block1, block2   ->     brcond c, block3, block2
//                                       block3:
//                                         ...
//                                         brcond c, block1, block2

import IR

func unroll(_ region: Region, _ storage: OptimizerStorage) {
    storage.graph.lay(region)
    Unrolling(region: region, storage: storage, graph: storage.graph, owner: storage.counts, copies: storage.current)
        .run()
}

private struct Unrolling {
    let region: Region
    let storage: OptimizerStorage
    let graph: Graph
    /// By temp: the block that defines it + 1; `shared` when another one uses it.
    let owner: UnsafeMutablePointer<UInt32>
    /// By temp: its copy.
    let copies: UnsafeMutablePointer<UInt32>
    private static let shared = UInt32.max
    /// Ops of a loop, marks not counted.
    private static let limit = 16

    func run() {
        let blockCount = region.blockCount
        var growth = 0
        findOwners()
        for b in 0..<blockCount {
            graph.map[b] = isSmallLoop(b) ? 1 : 0
            if graph.map[b] != 0 { growth += Int(region.blocks[b].end - region.blocks[b].start) }
        }
        if growth == 0 || region.opCount + growth > region.opCapacity { return }
        var count = 0
        for i in 0..<blockCount {
            let b = Int(graph.order[i])
            let start = Int(region.blocks[b].start)
            let length = Int(region.blocks[b].end) - start
            (storage.spare + count).update(from: region.ops + start, count: length)
            region.blocks[b].start = UInt32(truncatingIfNeeded: count)
            count += length
            region.blocks[b].end = UInt32(truncatingIfNeeded: count)
            if graph.map[b] != 0, region.blockCount < region.blockCapacity { copy(b, &count) }
        }
        storage.replaceOps(region, count)
    }

    private func findOwners() {
        owner.update(repeating: 0, count: region.tempCount)
        for i in 0..<region.blockCount {
            let b = Int(graph.order[i])
            let here = UInt32(truncatingIfNeeded: b + 1)
            for k in region.ops(of: b) {
                let op = region.ops[k]
                op.forEachSource(storage.table.sources(op)) { if owner[$0.i] != here { owner[$0.i] = Self.shared } }
                if storage.table[op.opcode].hasResult, !op.dst.isNone, owner[op.dst.i] == 0 { owner[op.dst.i] = here }
            }
        }
    }

    private func isSmallLoop(_ b: Int) -> Bool {
        let last = region.lastOp(b)
        guard last.opcode == .brcond, (last.c.i == b) != (last.d.i == b) else { return false }
        var count = 0
        for k in region.ops(of: b) {
            let op = region.ops[k]
            switch op.opcode {
            case .insnStart: continue
            case .call, .pushReturn, .popReturn, .countExecution: return false
            default: count += 1
            }
            // A temp of the loop that is used behind it would have two definitions.
            if storage.table[op.opcode].hasResult, region.temps[op.dst.i].kind == .temp, owner[op.dst.i] == Self.shared
            {
                return false
            }
        }
        return count <= Self.limit
    }

    /// Appends the second copy of block `b`, which `spare` ends with.
    private func copy(_ b: Int, _ count: inout Int) {
        let new = region.blockCount
        let start = count
        for k in Int(region.blocks[b].start)..<start {
            var op = storage.spare[k]
            if op.opcode == .checkExit { continue }
            op.mapSources(storage.table.sources(op)) { copied($0, b) }
            if storage.table[op.opcode].hasResult, region.temps[op.dst.i].kind == .temp {
                let t = region.newTemp(.temp, region.type(op.dst))
                if region.isOverflowed { return }
                copies[op.dst.i] = t.index
                op.dst = t
            }
            storage.spare[count] = op
            count += 1
        }
        let last = storage.spare + (start - 1)
        if last.pointee.c.i == b { last.pointee.c = Temp(new) } else { last.pointee.d = Temp(new) }
        var block = region.blocks[b]
        block.isLoopHeader = false
        block.start = UInt32(truncatingIfNeeded: start)
        block.end = UInt32(truncatingIfNeeded: count)
        region.addBlock(block)
    }

    private func copied(_ t: Temp, _ b: Int) -> Temp {
        t.i >= region.globalCount && region.temps[t.i].kind == .temp && owner[t.i] == UInt32(truncatingIfNeeded: b + 1)
            ? Temp(copies[t.i]) : t
    }
}
