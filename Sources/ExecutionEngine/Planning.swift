// Which guest blocks go into one translation.

import CodeGen
import GuestKit

extension Engine {
    /// The plan of a first translation at `pc`.
    func plan(for pc: UInt64) -> RegionPlan {
        if options.maxInstructions == 1 { return RegionPlan(maxBlocks: 1, maxInstructions: 1) }
        if optimizesAtOnce(pc) { return optimizingPlan(for: pc) }
        return RegionPlan(maxBlocks: 1, maxInstructions: options.maxInstructions)
    }

    /// Large regions. Those made of hot code stay within a function at first: following calls copies what is called, which only
    /// code that goes on running repays. Without a profile, which keeps them among code that has run, they stay near the head.
    func optimizingPlan(for pc: UInt64, isLarger: Bool = false) -> RegionPlan {
        if countsExecutions {
            return RegionPlan(
                maxBlocks: 64, maxInstructions: 500, maxCallDepth: isLarger ? 4 : 0, countsEntries: !isLarger)
        }
        let reach: UInt64 = 16 << 10
        return RegionPlan(
            maxBlocks: 64, maxInstructions: 500, maxCallDepth: 4, lowest: pc > reach ? pc - reach : 0,
            highest: pc &+ reach)
    }

    /// The plan of the region that takes the place of translation `old`, which is hot.
    func plan(toReplace old: Int) -> RegionPlan {
        optimizingPlan(for: cache.rows[old].pc, isLarger: cache.rows[old].isOptimized)
    }

    /// Is the first translation at `pc` an optimized region?
    func optimizesAtOnce(_ pc: UInt64) -> Bool {
        options.tier == .optimizing && options.maxInstructions > 1 && options.optimizeOnly.contains(pc)
    }

    /// Do baseline translations count their executions, to be made again when hot?
    var countsExecutions: Bool { options.tier == .automatic && options.maxInstructions > 1 && options.chaining }
}

/// How guest code has run on one vCPU, as its baseline translations have counted it. Under the translation lock.
final class Profile: ExecutionProfile {
    let engine: Engine
    let flags: UInt64
    /// The vCPU's state, with the counters below it.
    let state: UnsafeMutableRawPointer

    init(engine: Engine, flags: UInt64, state: UnsafeMutableRawPointer) {
        self.engine = engine
        self.flags = flags
        self.state = state
    }

    var executionsOfHead: UInt32 { max(engine.options.hotThreshold, 1) }

    func executions(of pc: UInt64) -> UInt32 {
        guard let index = engine.cache.find(pc, flags) else { return 0 }
        let threshold = executionsOfHead
        if engine.cache.rows[index].isOptimized { return threshold }
        // What runs in regions does not count there: often enough to be taken in, and for calls to be followed.
        return max(counted(index), engine.cache.regionBlocks.contains(pc) ? threshold / 16 : 1)
    }

    /// Counters count down, perhaps below zero, and are shared.
    private func counted(_ index: Int) -> UInt32 {
        let offset = ExecutionCounters.offset(ofNumber: Int(engine.cache.rows[index].counter))
        let left = max(0, state.load(fromByteOffset: offset, as: Int32.self))
        return max(1, executionsOfHead &- min(UInt32(left), executionsOfHead))
    }

    func likelyTarget(of site: UInt64, in block: UInt64) -> UInt64? {
        guard let index = engine.cache.find(block, flags) else { return nil }
        let origin = origin(index)
        return origin == 0 ? nil : engine.host.cachedTarget(engine.cache.compiled[Int(origin) - 1], site: site)
    }

    func failureCounter(of site: UInt64) -> Int { ExecutionCounters.number(entriesOf: site) }

    /// The baseline translation + 1 whose in-line caches know where the indirect jump at the end of a block usually goes; 0: none.
    func origin(_ index: Int) -> UInt32 {
        if engine.cache.rows[index].isOptimized { return engine.cache.rows[index].origin }
        return isPredictable(index, executions: counted(index)) ? UInt32(index) + 1 : 0
    }

    /// Does the indirect jump of a baseline translation mostly go to the target that it has cached?
    private func isPredictable(_ index: Int, executions: UInt32) -> Bool {
        let counter = Int(engine.cache.rows[index].counter)
        let misses = state.load(fromByteOffset: ExecutionCounters.offset(missesOf: counter), as: UInt32.self)
        return UInt64(misses) * 8 <= UInt64(executions)
    }
}
