// What is translated how: the first translation of some code, what takes its place when it is hot, and what is given up again.
// Decisions only; `Supply.swift` carries them out.

import CodeGen
import GuestKit
import GuestMemory
import Optimizer

/// Guarded by the translation lock, but for what depends on options only.
final class Tiering: @unchecked Sendable {
    private let options: EngineOptions
    /// Where the indirect jumps of hot code went, by their addresses.
    var jumpTargets: [UInt64: JumpTargets] = [:]
    /// Guest instructions of all optimized regions since the last flush. A program with more than so many runs all over: following indirect
    /// jumps makes its code larger than caches hold, and no faster.
    private var optimizedInstructions = 0
    private static let flatLimit = 250_000
    /// By the address of an indirect jump: regions dropped for what it did.
    private var drops: [UInt64: Int] = [:]

    /// Bytes that lie together for certain: those of a page. 0: everything.
    let placeSize: UInt64
    private let longestInstruction: UInt64

    init(_ options: EngineOptions, placeSize: UInt64 = 0, longestInstruction: Int = 16) {
        self.options = options
        self.placeSize = placeSize
        self.longestInstruction = UInt64(longestInstruction)
    }

    /// May an instruction at `pc` go on in a page that lies elsewhere?
    @inline(__always) func mayCross(_ pc: UInt64) -> Bool {
        placeSize > 0 && pc & (placeSize &- 1) > placeSize &- longestInstruction
    }

    /// The address behind the page of one.
    @inline(__always) func nextPage(_ address: UInt64) -> UInt64 { (address | (placeSize &- 1)) &+ 1 }

    /// Numbers of translations mean something else from now on.
    func flush() {
        jumpTargets.removeAll()
        drops.removeAll()
        optimizedInstructions = 0
    }

    /// A region was made.
    func noteOptimized(instructions: Int) { optimizedInstructions += instructions }

    /// Do baseline translations count their executions, to be made again when hot?
    var countsExecutions: Bool { options.tier == .automatic && options.maxInstructions > 1 && options.chaining }

    /// Is the first translation at `pc` an optimized region?
    func optimizesAtOnce(_ pc: UInt64) -> Bool {
        options.tier == .optimizing && options.maxInstructions > 1 && options.optimizeOnly.contains(pc)
    }

    // MARK: Requests

    /// For code that has no translation.
    func first(_ key: CodeKey) -> TranslationRequest {
        if optimizesAtOnce(key.pc), !mayCross(key.pc) { return request(key, regionPlan(key.pc), isOptimized: true) }
        if mayCross(key.pc) {
            // Just the one: behind it begins another place.
            return request(key, RegionPlan(maxBlocks: 1, maxInstructions: 1))
        }
        let isAlone = options.maxInstructions == 1
        var request = request(key, RegionPlan(maxBlocks: 1, maxInstructions: options.maxInstructions))
        request.countsExecutions = countsExecutions && !isAlone
        return request
    }

    /// For one execution of one instruction.
    func once(_ key: CodeKey) -> TranslationRequest {
        var request = request(key, RegionPlan(maxBlocks: 1, maxInstructions: 1))
        request.isTemporary = true
        request.plan.isForOneStep = true
        return request
    }

    /// For what takes the place of a hot translation; nil: it stays.
    func replacement(of row: Translation) -> TranslationRequest? {
        if mayCross(row.key.pc) { return nil }
        guard options.optimizeOnly.contains(row.key.pc), !row.isOptimized || row.canGrow else { return nil }
        return request(row.key, regionPlan(row.key.pc, isLarger: row.isOptimized), isOptimized: true)
    }

    private func request(_ key: CodeKey, _ plan: RegionPlan, isOptimized: Bool = false) -> TranslationRequest {
        let pages = SeenPages(key, size: placeSize)
        var request = TranslationRequest(key: key, pages: pages, plan: plan, isOptimized: isOptimized)
        // What will be optimized when it is hot is not worth a pass before that.
        if isOptimized || !countsExecutions, options.optimizeOnly.contains(key.pc) {
            request.level = isOptimized ? .full : .baseline
        }
        return request
    }

    /// Large regions. Those made of hot code stay within a function at first: following calls copies what is called, which only
    /// code that goes on running repays. Without a profile, which keeps them among code that has run, they stay near the head.
    private func regionPlan(_ pc: UInt64, isLarger: Bool = false) -> RegionPlan {
        var plan: RegionPlan
        if countsExecutions {
            plan =
                isLarger
                ? RegionPlan(maxBlocks: 192, maxInstructions: 1500, maxCallDepth: 6)
                : RegionPlan(maxBlocks: 64, maxInstructions: 500, countsEntries: true)
        } else {
            let reach: UInt64 = 16 << 10
            plan = RegionPlan(
                maxBlocks: 64, maxInstructions: 500, maxCallDepth: 4, lowest: pc > reach ? pc - reach : 0,
                highest: pc &+ reach)
        }
        plan.pushesFollowedCalls = options.isProfiled
        plan.rarestBlock = 64
        plan.rarestCall = 16
        // A region of code that has followed its calls is large: only jumps that nearly always go one way are worth their targets there.
        plan.leastShare = optimizedInstructions > Self.flatLimit ? .infinity : isLarger ? 1 / 2 : 1 / 24
        plan.leastCovered = 19 / 20
        plan.rareRest = 1 / 8
        return plan
    }

    // MARK: Patience

    /// Executions until a translation that stays in use asks again for what takes its place.
    func patience(_ row: Translation) -> UInt32 {
        row.isOptimized ? options.expansionThreshold : max(options.hotThreshold, 1)
    }

    /// A region is dropped for what the indirect jump at `site` did. So many more times that may be wrong before the next one goes:
    /// twice as many each time.
    func patienceAfterDrop(at site: UInt64) -> UInt32 {
        let count = min(drops[site, default: 0] + 1, 12)
        drops[site] = count
        return UInt32(min(UInt64(options.expansionThreshold) << UInt64(count), 1 << 30))
    }
}
