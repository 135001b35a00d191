// Which blocks a loop consists of, and how often they run beside its header: what the registers at a loop's header are chosen
// by. A loop's blocks lie between its header and its last branch back, but blocks that are not of the loop may lie there too.

import IR

extension Allocator {
    /// Notes where the loops end: by header, the place in the layout of the last hot block that branches back to it, or of the
    /// last block when only cold ones do.
    mutating func findLoopEnds() {
        for b in 0..<region.blockCount { loopEnd[b] = layoutIndex[b] }
        for pass in [true, false] {
            for l in 0..<region.blockCount {
                let block = Int(layout[l])
                if region.blocks[block].isCold != pass { continue }
                forEachTarget(of: block) { target in
                    if Int(layoutIndex[target]) > l { return }
                    // Hot blocks come second and have the last word.
                    if pass == false || loopEnd[target] == layoutIndex[target] { loopEnd[target] = UInt32(l) }
                }
            }
        }
    }

    /// Marks in `isInLoop` the blocks of the loop at `header`.
    mutating func findLoop(_ header: Int) {
        isInLoop.update(repeating: false, count: region.blockCount)
        isInLoop[header] = true
        let first = Int(layoutIndex[header])
        let last = Int(loopEnd[header])
        var hasChanged = true
        while hasChanged {
            hasChanged = false
            var l = last
            while l > first {
                let block = Int(layout[l])
                l -= 1
                if isInLoop[block] { continue }
                // Every way to the header, or to a block of the loop, from behind the header is part of the loop.
                forEachTarget(of: block) { if isInLoop[$0] { isInLoop[block] = true } }
                if isInLoop[block] { hasChanged = true }
            }
        }
    }

    /// How much a use in a block counts for the loop at `header`: in proportion to how often the block runs where that is known,
    /// else by how many inner loops it is in.
    func weight(of block: Int, inLoopAt header: Int) -> UInt32 {
        let turns = UInt64(region.blocks[header].weight)
        if turns > 0 { return UInt32(min(max(UInt64(region.blocks[block].weight) &* 8 / turns, 1), 512)) }
        var depth = 0
        let at = layoutIndex[block]
        var l = Int(layoutIndex[header]) + 1
        while l <= Int(at) {
            let inner = Int(layout[l])
            if region.blocks[inner].isLoopHeader, loopEnd[inner] >= at { depth += 1 }
            l += 1
        }
        return depth == 0 ? 1 : depth == 1 ? 8 : 64
    }

    @inline(__always) private func forEachTarget(of block: Int, _ body: (Int) -> Void) {
        let b = region.blocks[block]
        guard b.end > b.start else { return }
        for next in region.successors(of: block) { body(next) }
    }
}
