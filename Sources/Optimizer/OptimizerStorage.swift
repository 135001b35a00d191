// The optimizer's memory: allocated once for regions up to a size, used again for each of them. Also what it has to
// know of the guest: globals (for the verifier) and helpers.

import IR

/// One optimizer's storage and settings. One thread at a time.
public final class OptimizerStorage: @unchecked Sendable {
    /// Largest region it takes.
    let opCapacity: Int
    let tempCapacity: Int
    let blockCapacity: Int
    let globalCount: Int

    let globals: [GlobalDescriptor]
    let helpers: [HelperDescriptor]
    let disabled: PassSet
    /// Check the region after every pass. May change from run to run.
    public var verifies: Bool
    /// For tests: called after each pass, before the check.
    public var afterPass: ((Pass, Region) -> Void)?
    /// Of the run that is under way.
    var failure: PassFailure?
    let sharesGuestLoads: Bool
    let memoryModel: MemoryModel

    let table = OpcodeTable.shared
    /// By helper.
    let helperEffects: UnsafeMutablePointer<HelperEffects>

    // By temp.
    let current: UnsafeMutablePointer<UInt32>
    let home: UnsafeMutablePointer<UInt32>
    let counts: UnsafeMutablePointer<UInt32>
    let stamps: UnsafeMutablePointer<UInt32>
    let facts: UnsafeMutablePointer<Facts>

    // Values (Values.swift).
    let values: UnsafeMutablePointer<Value>
    let hash: UnsafeMutablePointer<UInt32>
    let locals: UnsafeMutablePointer<UInt32>

    // Guest memory (Memory.swift): what is known now, and by block at its end; by name the newest load.
    let memory: UnsafeMutablePointer<KnownMemory>
    let snapshotMemory: UnsafeMutablePointer<KnownMemory>
    let youngest: UnsafeMutablePointer<UInt32>
    /// [block][global]
    let snapshotYoungest: UnsafeMutablePointer<UInt32>

    // By block.
    let graph: Graph
    let snapshots: UnsafeMutablePointer<Snapshot>
    /// [block][global]
    let snapshotGlobals: UnsafeMutablePointer<UInt32>
    let entryFacts: UnsafeMutablePointer<Facts>
    let hasEntryFacts: UnsafeMutablePointer<Bool>
    /// Deadness.swift
    let deadGlobals: UnsafeMutablePointer<GlobalSet>
    let writtenGlobals: UnsafeMutablePointer<GlobalSet>
    let keptGlobals: UnsafeMutablePointer<GlobalSet>
    /// `entryFacts` are of the region as it is.
    var hasFlow = false

    /// Ops while the op array is built anew.
    let spare: UnsafeMutablePointer<Op>
    let moved: UnsafeMutablePointer<Op>
    /// By op.
    let marks: UnsafeMutablePointer<UInt8>

    /// - Parameters:
    ///   - region: regions of its capacities and globals will be optimized.
    ///   - disabled: names of passes that are not to run (`Pass`).
    ///   - sharesGuestLoads: guest loads have no effects, so that of two loads from one address with nothing between
    ///     them that could change memory, one is enough. False where guest memory may be devices.
    ///   - memoryModel: which order of accesses the guest may rely on. The strictest one unless said otherwise.
    public init(
        region: Region, globals: [GlobalDescriptor], helpers: [HelperDescriptor], disabled: Set<String> = [],
        sharesGuestLoads: Bool = false, memoryModel: MemoryModel = .tso, verifies: Bool = false
    ) {
        opCapacity = region.opCapacity
        tempCapacity = region.tempCapacity
        blockCapacity = region.blockCapacity
        globalCount = region.globalCount
        self.globals = globals
        self.helpers = helpers
        self.disabled = PassSet(names: disabled)
        self.verifies = verifies
        self.sharesGuestLoads = sharesGuestLoads
        self.memoryModel = memoryModel
        helperEffects = .allocate(capacity: max(helpers.count, 1))
        for (i, helper) in helpers.enumerated() { (helperEffects + i).initialize(to: helper.effects) }
        current = .allocate(capacity: tempCapacity)
        home = .allocate(capacity: tempCapacity)
        counts = .allocate(capacity: tempCapacity)
        stamps = .allocate(capacity: tempCapacity)
        facts = .allocate(capacity: tempCapacity)
        // A value per result, per operand read for the first time in a block, and per constant.
        values = .allocate(capacity: 5 * opCapacity + tempCapacity + 8)
        hash = .allocate(capacity: ValueHash.count)
        hash.initialize(repeating: 0, count: ValueHash.count)
        locals = .allocate(capacity: tempCapacity)
        memory = .allocate(capacity: KnownMemory.limit)
        snapshotMemory = .allocate(capacity: blockCapacity * KnownMemory.limit)
        youngest = .allocate(capacity: tempCapacity)
        snapshotYoungest = .allocate(capacity: blockCapacity * max(globalCount, 1))
        graph = Graph(blockCapacity: blockCapacity)
        snapshots = .allocate(capacity: blockCapacity)
        snapshotGlobals = .allocate(capacity: blockCapacity * max(globalCount, 1))
        entryFacts = .allocate(capacity: blockCapacity * max(globalCount, 1))
        hasEntryFacts = .allocate(capacity: blockCapacity)
        deadGlobals = .allocate(capacity: blockCapacity)
        writtenGlobals = .allocate(capacity: blockCapacity)
        keptGlobals = .allocate(capacity: blockCapacity)
        spare = .allocate(capacity: opCapacity)
        moved = .allocate(capacity: opCapacity)
        marks = .allocate(capacity: opCapacity)
    }

    deinit {
        helperEffects.deallocate()
        current.deallocate()
        home.deallocate()
        counts.deallocate()
        stamps.deallocate()
        facts.deallocate()
        values.deallocate()
        hash.deallocate()
        locals.deallocate()
        memory.deallocate()
        snapshotMemory.deallocate()
        youngest.deallocate()
        snapshotYoungest.deallocate()
        graph.deallocate()
        snapshots.deallocate()
        snapshotGlobals.deallocate()
        entryFacts.deallocate()
        hasEntryFacts.deallocate()
        deadGlobals.deallocate()
        writtenGlobals.deallocate()
        keptGlobals.deallocate()
        spare.deallocate()
        moved.deallocate()
        marks.deallocate()
    }

    func fits(_ region: Region) -> Bool {
        region.opCapacity <= opCapacity && region.tempCapacity <= tempCapacity
            && region.blockCapacity <= blockCapacity && region.globalCount == globalCount
    }
}
