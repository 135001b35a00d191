// What a region may contain: what the engine wants of it, what is known of how its code has run, and the blocks and calls planned so far.

import IR

/// How large a region may grow, and what of the code that has run it takes in: all that the engine decides of a region's shape. Without a
/// profile everything within the limits is taken in.
public struct RegionPlan: Sendable {
    /// Guest blocks (1: a baseline translation; a jump to its own start stays inside, behind the exit check at its head, unless
    /// executions are counted).
    public var maxBlocks: Int
    /// Guest instructions in all.
    public var maxInstructions: Int
    /// How many calls deep the region follows its code.
    public var maxCallDepth: Int
    /// The calls that it follows are on the return stack, as all others are: whoever looks at any time sees who has called.
    public var pushesFollowedCalls = false
    /// The region counts its entries, to be made again with calls followed further.
    public var countsEntries: Bool
    /// Guest addresses a block may start in.
    public var lowest: UInt64
    public var highest: UInt64
    /// For one execution of one instruction: wherever it leads, control comes back to the engine, and nothing is left that leads here.
    public var isForOneStep = false
    /// A block that runs less than 1/n as often as the head stays outside; a call to one as well.
    public var rarestBlock: UInt32 = .max
    public var rarestCall: UInt32 = .max
    /// A target with a smaller share of an indirect jump's executions is not worth a comparison.
    public var leastShare: Float = 0
    /// An indirect jump whose worthwhile targets have less of its executions in all is not followed.
    public var leastCovered: Float = 0
    /// What is left over of an indirect jump's executions, if no more than this, is rare: the code for it is cold, and counted.
    public var rareRest: Float = 0

    public init(
        maxBlocks: Int = 1, maxInstructions: Int = 64, maxCallDepth: Int = 0, countsEntries: Bool = false,
        lowest: UInt64 = 0, highest: UInt64 = .max
    ) {
        self.maxBlocks = maxBlocks
        self.maxInstructions = maxInstructions
        self.maxCallDepth = maxCallDepth
        self.countsEntries = countsEntries
        self.lowest = lowest
        self.highest = highest
    }
}

/// What is known of how guest code has run. Asked once per jump to a block that is new to the region.
public protocol ExecutionProfile: AnyObject {
    /// How often a block has run when a region is made of it.
    var executionsOfHead: UInt32 { get }
    /// About how often the block at `pc` has run: 0 when it is not known to have run at all.
    func executions(of pc: UInt64) -> UInt32
    /// Where the indirect jump at `site`, in the block that starts at `block`, has gone.
    func targets(of site: UInt64, in block: UInt64) -> JumpTargets
    /// Number of the counter of the times that a region was wrong about that (`count_execution`).
    func failureCounter(of site: UInt64) -> Int
}

/// A guest block of a region, in one of the calls that lead to it: the same code called from two places is planned twice.
public struct PlannedBlock: Sendable {
    public var pc: UInt64
    /// Index of its `CallContext`.
    public var context: Int
    public var block: BlockID
    /// How often it is expected to run, on the scale of the region's entry block.
    public var weight: UInt32
    public var isTranslated: Bool
    /// One past the last guest byte, once translated.
    public var end: UInt64
}

/// A call that the region follows: what the returns of the blocks inside it come back to.
public struct CallContext: Sendable {
    public var returnTo: UInt64
    /// The function that was called.
    public var callee: UInt64
    /// The context of the caller, and how many calls deep this one is.
    public var outer: Int
    public var depth: Int
    /// How often the callee runs from here, to how often it runs at all.
    public var share: Float
}

/// Room for the blocks and calls of one region, owned by who translates and used again for the next.
public struct PlanStorage: @unchecked Sendable {
    public static let blockLimit = 256
    public static let contextLimit = 128
    public let blocks: UnsafeMutablePointer<PlannedBlock>
    let contexts: UnsafeMutablePointer<CallContext>

    public static func allocate() -> PlanStorage {
        PlanStorage(blocks: .allocate(capacity: blockLimit), contexts: .allocate(capacity: contextLimit))
    }
    public func deallocate() {
        blocks.deallocate()
        contexts.deallocate()
    }
}
