// Which guest blocks go into one translation.

import CodeGen
import GuestKit

extension Engine {
    /// The plan of a first translation at `pc`.
    func plan(for pc: UInt64) -> RegionPlan {
        if options.maxInstructions == 1 { return RegionPlan(maxBlocks: 1, maxInstructions: 1) }
        if optimizesAtOnce { return optimizingPlan(for: pc) }
        return RegionPlan(maxBlocks: 1, maxInstructions: options.maxInstructions)
    }

    /// Large regions. Without a profile, which keeps them among code that has run, they stay near the head.
    func optimizingPlan(for pc: UInt64) -> RegionPlan {
        if countsExecutions { return RegionPlan(maxBlocks: 64, maxInstructions: 500, maxCallDepth: 4) }
        let reach: UInt64 = 16 << 10
        return RegionPlan(
            maxBlocks: 64, maxInstructions: 500, maxCallDepth: 4, lowest: pc > reach ? pc - reach : 0,
            highest: pc &+ reach)
    }

    var optimizesAtOnce: Bool { options.tier == .optimizing && options.maxInstructions > 1 }

    /// Do baseline translations count their executions, to be made again when hot?
    var countsExecutions: Bool { options.tier == .automatic && options.maxInstructions > 1 && options.chaining }
}

/// How guest code has run on one vCPU, as its baseline translations have counted it. Under the translation lock.
struct Profile: ExecutionProfile {
    let engine: Engine
    let flags: UInt64
    /// The vCPU's state, with the counters below it.
    let state: UnsafeMutableRawPointer

    var executionsOfHead: UInt32 { max(engine.options.hotThreshold, 1) }

    func executions(of pc: UInt64) -> UInt32 {
        guard let index = engine.cache.find(pc, flags) else { return 0 }
        let threshold = executionsOfHead
        if engine.cache.rows[index].isOptimized { return threshold }
        // Counters count down, and are shared.
        let counter = Int(engine.cache.rows[index].counter)
        let left = (state + ExecutionCounters.offset(counter)).load(as: UInt32.self)
        return max(1, threshold &- min(left, threshold))
    }

    func likelyTarget(of site: UInt64, in block: UInt64) -> UInt64? { nil }
}
