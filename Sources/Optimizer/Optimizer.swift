// The optimizer: the passes over a region, in order.

import IR

/// How much work a region is worth.
public enum OptimizationLevel: Sendable {
    /// Once over the ops, forward and backward: for every translation.
    case baseline
    /// Everything: for hot regions of many blocks.
    case full
}

/// The passes, by the names that turn them off.
public enum Pass: String, CaseIterable, Sendable {
    /// Removes unreachable blocks, threads jumps, joins blocks to their only predecessors (Blocks.swift).
    case blocks
    /// Loads words that the guest puts together from bytes (Idioms/Widening.swift).
    case widen
    /// Makes comparisons silent whose flags the guest takes back (Flags.swift).
    case flags
    /// Makes one op of two on the same global (Fusion.swift).
    case fuse
    /// Makes rotations of two shifts of one value (Idioms/Rotations.swift).
    case rotate
    /// Finds what holds of globals at every block's entry, around loops too (Flow.swift).
    case flow
    /// Constants, copies, known bits, common subexpressions and algebra, forward (Propagation.swift).
    case propagate
    /// Makes loads of what guest memory is known to hold copies; part of `propagate` (Memory.swift).
    case memory
    /// Keeps loop-carried NaN-boxed values unboxed beside their boxes (Unboxing.swift).
    case unboxing
    /// Moves pure ops out of loops (Invariants.swift).
    case invariants
    /// Counts zeros instead of looking for the highest byte of a value in a loop (Idioms/Scanning.swift).
    case scan
    /// Gives small loops a second copy without a check (Unrolling.swift).
    case unroll
    /// Moves ops that one way from a branch needs to that way (Sinking.swift).
    case sink
    /// Removes ops that nobody needs, backward (DeadCode.swift).
    case dead
    /// Finds results of which nobody sees which NaN they are (NaNs.swift).
    case nans
}

struct PassSet: OptionSet {
    let rawValue: UInt16
    init(rawValue: UInt16) { self.rawValue = rawValue }
    init(_ pass: Pass) { rawValue = 1 << UInt16(Pass.allCases.firstIndex(of: pass) ?? 0) }
    init(names: Set<String>) {
        self = []
        for pass in Pass.allCases where names.contains(pass.rawValue) { insert(PassSet(pass)) }
    }
}

/// A pass left a region that is not well formed.
public struct PassFailure: Sendable, Equatable {
    public var pass: Pass
    public var problems: [String]
}

public enum Optimizer {
    /// Improves `region` in place. The result does the same to guest state and memory, also as seen from every op that
    /// can leave the region. A temp may not fit any more: then the region is marked overflowed, as when it was built.
    ///
    /// Where `storage` verifies, the passes end with the first that left a region that is not well formed: it is returned,
    /// and the region is to be looked at and not to be used.
    public static func run(_ region: Region, _ storage: OptimizerStorage, level: OptimizationLevel) -> PassFailure? {
        if region.isOverflowed || region.blockCount == 0 || !storage.fits(region) { return nil }
        storage.failure = nil
        runPasses(region, storage, level)
        storage.forgetEntryFacts()
        return storage.failure
    }

    private static func runPasses(_ region: Region, _ s: OptimizerStorage, _ level: OptimizationLevel) {
        if level == .full { run(.widen, region, s) { widenLoads(region, s) } }
        let hasBranches = region.blockCount > 1
        if level == .full {
            run(.flags, region, s) { silenceComparisons(region, s) }
            run(.fuse, region, s) { fuse(region, s) }
            run(.rotate, region, s) { rotate(region, s) }
        }
        if level == .full && hasBranches {
            run(.blocks, region, s) { straighten(region, s) }
            run(.flow, region, s) { flowFacts(region, s) }
        }
        let forwardsMemory = level == .full && s.sharesGuestLoads && !s.disabled.contains(PassSet(.memory))
        run(.propagate, region, s) { propagate(region, s, level, forwardsMemory: forwardsMemory) }
        if hasBranches { run(.blocks, region, s) { straighten(region, s) } }
        if level == .full && region.blocks[0].isLoopHeader || region.blockCount > 1 && level == .full {
            var hasMoved = false
            run(.scan, region, s) {
                if replaceScans(region, s) {
                    hasMoved = true
                    straighten(region, s)
                }
            }
            run(.unboxing, region, s) { hasMoved = carryUnboxed(region, s) || hasMoved }
            run(.invariants, region, s) { hasMoved = moveInvariants(region, s) || hasMoved }
            if hasMoved {
                run(.flow, region, s) { flowFacts(region, s) }
                run(.propagate, region, s) { propagate(region, s, level) }
                run(.blocks, region, s) { straighten(region, s) }
            }
        }
        if level == .full && hasBranches {
            run(.unroll, region, s) { unroll(region, s) }
            run(.sink, region, s) { sinkPartlyDead(region, s) }
        }
        run(.dead, region, s) { removeDeadCode(region, s, level) }
        if level == .full { run(.nans, region, s) { markUnseenNaNs(region, s) } }
    }

    @inline(__always)
    private static func run(_ pass: Pass, _ region: Region, _ storage: OptimizerStorage, _ body: () -> Void) {
        if !storage.disabled.isEmpty && storage.disabled.contains(PassSet(pass)) { return }
        if storage.verifies || storage.afterPass != nil { return runChecked(pass, region, storage, body) }
        body()
    }

    @inline(never)
    private static func runChecked(_ pass: Pass, _ region: Region, _ storage: OptimizerStorage, _ body: () -> Void) {
        if storage.failure != nil { return }
        body()
        storage.afterPass?(pass, region)
        if !storage.verifies || region.isOverflowed { return }
        let problems = region.verify(globals: storage.globals, helpers: storage.helpers)
        if !problems.isEmpty { storage.failure = PassFailure(pass: pass, problems: problems) }
    }
}
