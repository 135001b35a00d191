// How guest code has run, for the regions that are made of it.

import CodeGen
import GuestKit
import GuestMemory

/// How guest code has run on one vCPU, as its baseline translations have counted it. Under the translation lock.
final class CountedProfile: ExecutionProfile {
    let engine: Engine
    /// What the vCPU sees, by the addresses of the code that the profile is of.
    let view: CodeView
    private let mode: UInt64
    /// The vCPU's state, with the counters below it.
    let state: UnsafeMutableRawPointer

    init(_ vcpu: VCPU, mode: UInt64, in view: CodeView) {
        engine = vcpu.engine
        self.view = view
        state = vcpu.state
        self.mode = mode
    }

    var executionsOfHead: UInt32 { max(engine.options.hotThreshold, 1) }

    func executions(of pc: UInt64) -> UInt32 {
        guard let index = find(pc) else { return 0 }
        let threshold = executionsOfHead
        // One instruction between two pages is not counted.
        if engine.cache[index].isOptimized || engine.tiering.mayCross(pc) { return threshold }
        // What runs in regions does not count there: often enough to be taken in, and for calls to be followed.
        return max(counted(index), engine.cache.regionBlocks.contains(pc) ? threshold / 4 : 1)
    }

    private func find(_ pc: UInt64) -> TranslationID? {
        engine.key(pc, mode, in: view).flatMap { engine.find($0, in: view) }
    }

    /// Counters count down, perhaps below zero, and are shared.
    private func counted(_ index: TranslationID) -> UInt32 {
        let offset = ExecutionCounters.offset(ofNumber: Int(engine.cache[index].counter))
        let left = max(0, state.load(fromByteOffset: offset, as: Int32.self))
        return max(1, executionsOfHead &- min(UInt32(left), executionsOfHead))
    }

    func targets(of site: UInt64, in block: UInt64) -> JumpTargets {
        if let known = engine.tiering.jumpTargets[site] { return known }
        guard let index = find(block), !engine.cache[index].isOptimized,
            let cached = engine.host.inlineCache(engine.cache.code(of: index)), cached.site == site
        else { return JumpTargets() }
        return countedTargets(index, cached)
    }

    func failureCounter(of site: UInt64) -> Int { ExecutionCounters.number(entriesOf: site) }

    /// A baseline translation is hot: where its indirect jump went is kept for regions made later, when it counts no more.
    func learn(_ index: TranslationID) {
        guard !engine.cache[index].isOptimized,
            let cached = engine.host.inlineCache(engine.cache.code(of: index)),
            engine.tiering.jumpTargets[cached.site] == nil
        else { return }
        engine.tiering.jumpTargets[cached.site] = countedTargets(index, cached)
        forgetMisses(cached.site)
    }

    /// Regions go on elsewhere than the indirect jump at `site` does: half of what is known of it is from now on what it did lately.
    func learnAgain(_ site: UInt64) {
        var targets = JumpTargets()
        if let known = engine.tiering.jumpTargets[site] { targets.add(known, share: 0.5) }
        targets.add(missedTargets(site), share: 0.5)
        engine.tiering.jumpTargets[site] = targets
        forgetMisses(site)
    }

    /// Where the indirect jump of a baseline translation went: to the target that its in-line cache is for, if it is for one, but for the
    /// misses.
    private func countedTargets(_ index: TranslationID, _ cached: (site: UInt64, target: UInt64?)) -> JumpTargets {
        var targets = JumpTargets()
        let executions = Float(counted(index))
        let misses = min(Float(misses(cached.site)), executions)
        if let target = cached.target { targets.add(target, share: 1 - misses / executions) }
        targets.add(missedTargets(cached.site), share: misses / executions)
        return targets
    }

    /// Where an indirect jump went lately when its in-line cache missed. What was seen only once is left out: its share is about that
    /// of the targets that were not seen at all (Good and Turing's estimate).
    private func missedTargets(_ site: UInt64) -> JumpTargets {
        var targets = JumpTargets()
        let number = ExecutionCounters.number(jumpAt: site)
        let count = min(Int(misses(site)), ExecutionCounters.targetCount)
        let noted = (0..<count).map {
            state.load(
                fromByteOffset: ExecutionCounters.offset(targetOfJump: number, miss: $0), as: UInt64.self)
        }
        for (i, target) in noted.enumerated() {
            let times = noted.reduce(0) { $0 + ($1 == target ? 1 : 0) }
            if times > 1, !noted[..<i].contains(target) { targets.add(target, share: Float(times) / Float(count)) }
        }
        return targets
    }

    private func misses(_ site: UInt64) -> UInt32 { state.load(fromByteOffset: missesOffset(site), as: UInt32.self) }
    private func forgetMisses(_ site: UInt64) {
        state.storeBytes(of: 0, toByteOffset: missesOffset(site), as: UInt32.self)
    }
    private func missesOffset(_ site: UInt64) -> Int {
        ExecutionCounters.offset(missesOfJump: ExecutionCounters.number(jumpAt: site))
    }
}
