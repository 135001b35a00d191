// Which guest blocks go into one translation.

import GuestKit

extension Engine {
    /// The plan of a first translation at `pc`.
    func plan(for pc: UInt64) -> RegionPlan {
        if options.maxInstructions == 1 { return RegionPlan(maxBlocks: 1, maxInstructions: 1) }
        if optimizesAtOnce { return optimizingPlan(for: pc) }
        return RegionPlan(maxBlocks: 1, maxInstructions: options.maxInstructions)
    }

    /// Large regions: what direct jumps reach, near the head.
    func optimizingPlan(for pc: UInt64) -> RegionPlan {
        let reach: UInt64 = 16 << 10
        return RegionPlan(
            maxBlocks: 64, maxInstructions: 500, lowest: pc > reach ? pc - reach : 0, highest: pc &+ reach)
    }

    var optimizesAtOnce: Bool { options.tier == .optimizing && options.maxInstructions > 1 }

    /// Do baseline translations count their executions, to be made again when hot?
    var countsExecutions: Bool { options.tier == .automatic && options.maxInstructions > 1 && options.chaining }
}
