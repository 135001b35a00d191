// Which guest blocks go into one translation.

import GuestKit

extension Engine {
    /// The plan of a translation at `pc`.
    func plan(for pc: UInt64) -> RegionPlan {
        if options.maxInstructions == 1 { return RegionPlan(maxBlocks: 1, maxInstructions: 1) }
        if optimizesAtOnce { return optimizingPlan(for: pc) }
        return RegionPlan(maxBlocks: 1, maxInstructions: options.maxInstructions)
    }

    /// Large regions: whatever direct jumps reach, near the head.
    func optimizingPlan(for pc: UInt64) -> RegionPlan {
        let reach: UInt64 = 4096
        return RegionPlan(
            maxBlocks: 48, maxInstructions: 400, lowest: pc > reach ? pc - reach : 0, highest: pc &+ reach)
    }

    var optimizesAtOnce: Bool { options.tier == .optimizing && options.maxInstructions > 1 }
}
