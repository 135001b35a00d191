// What a front end works on while it translates one guest basic block: the IR builder, the guest's code bytes, and the ways to
// end the block. Which targets become blocks of the same region and which leave it is decided here, by the region's plan,
// never by a front end.

import IR

/// How large a region may grow.
public struct RegionPlan: Sendable {
    /// Guest blocks (1: a baseline translation; a jump to its own start stays inside, behind the exit check at its head).
    public var maxBlocks: Int
    /// Guest instructions in all.
    public var maxInstructions: Int
    /// No plan has more blocks.
    public static let blockLimit = 256
    /// Guest addresses a block may start in.
    public var lowest: UInt64
    public var highest: UInt64

    public init(maxBlocks: Int = 1, maxInstructions: Int = 64, lowest: UInt64 = 0, highest: UInt64 = .max) {
        self.maxBlocks = maxBlocks
        self.maxInstructions = maxInstructions
        self.lowest = lowest
        self.highest = highest
    }
}

/// A guest block of the region being built.
public struct PlannedBlock: Sendable {
    public var pc: UInt64
    public var block: BlockID
    public var isTranslated: Bool
    /// One past the last guest byte, once translated.
    public var end: UInt64
}

/// The unit of work of `GuestArchitecture.translateBlock`.
public struct TranslationUnit: ~Copyable {
    public var ir: IRBuilder
    /// Guest flags the translation is made for (`GuestArchitecture.translationFlags`).
    public let flags: UInt64
    public let plan: RegionPlan
    /// Guest address of the next instruction to translate.
    public var pc: UInt64
    /// Guest code bytes: host pointer to `codeStart`, `codeLength` bytes readable.
    public var code: UnsafeRawPointer
    public var codeStart: UInt64
    public var codeLength: Int
    /// The execution counter of the translation being made, where it has one: its in-line caches count their misses under that number.
    public var counter: Int?
    /// Offset of the program counter's home in the CPU state.
    public let pcOffset: Int
    /// Guest instructions translated so far, over all blocks.
    public var instructionCount = 0
    /// Which guest addresses are worth a block of this region (asked once per jump to a new one).
    private let accepts: ((UInt64) -> Bool)?
    /// Blocks of the region: room for `RegionPlan.blockLimit`, owned by the caller.
    private let planned: UnsafeMutablePointer<PlannedBlock>
    private var plannedCount = 0
    private var current = 0

    public init(
        region: Region, pc: UInt64, flags: UInt64, plan: RegionPlan, code: UnsafeRawBufferPointer, pcOffset: Int,
        planned: UnsafeMutablePointer<PlannedBlock>, accepts: ((UInt64) -> Bool)? = nil
    ) {
        self.pcOffset = pcOffset
        self.accepts = accepts
        ir = IRBuilder(region: region)
        self.flags = flags
        self.plan = plan
        self.pc = pc
        self.code = code.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        codeStart = pc
        codeLength = code.count
        self.planned = planned
        let entry = ir.newBlock(guestPC: pc)
        planned[0] = PlannedBlock(pc: pc, block: entry, isTranslated: false, end: pc)
        plannedCount = 1
    }

    // MARK: For front ends

    /// Number of code bytes readable at `pc` (0 when instruction fetch is impossible).
    @inlinable public var available: Int {
        let offset = pc &- codeStart
        return offset < UInt64(codeLength) ? codeLength &- Int(offset) : 0
    }
    /// Little-endian fetches at `pc + offset`; the caller has checked `available`.
    @inlinable public func fetch16(_ offset: Int = 0) -> UInt16 {
        (code + (Int(pc &- codeStart) &+ offset)).loadUnaligned(as: UInt16.self)
    }
    @inlinable public func fetch32(_ offset: Int = 0) -> UInt32 {
        (code + (Int(pc &- codeStart) &+ offset)).loadUnaligned(as: UInt32.self)
    }

    /// Call before each instruction's ops: marks it and counts it.
    @inlinable public mutating func beginInstruction() {
        ir.region.beginInstruction(pc)
        instructionCount &+= 1
    }

    /// True when the block should end before the next instruction (`endBlock`).
    public var isFull: Bool {
        instructionCount >= plan.maxInstructions || ir.region.s.pointee.overflowed
            || ir.region.opCount &+ 512 > ir.region.s.pointee.opCapacity
            || (plannedCount > 1 ? startsPlannedBlock(pc) : false)
    }

    /// Ends the block: control goes to guest `target`.
    public mutating func jump(to target: UInt64) {
        if let block = blockInRegion(target) {
            if isBackward(block), block != 0 { ir.checkExit(target) }
            ir.br(planned[block].block)
        } else {
            ir.gotoTB(target)
        }
    }

    /// Ends the block: to `taken` when cond(a, b), else to `next`.
    public mutating func branch(_ cond: Condition, _ a: Temp, _ b: Temp, taken: UInt64, next: UInt64) {
        let takenEdge = edge(to: taken)
        let nextEdge = edge(to: next)
        ir.brcond(cond, a, b, takenEdge.block, nextEdge.block)
        finish(takenEdge)
        finish(nextEdge)
    }

    /// Ends the block with a direct call to `target` that will return to `returnTo`.
    public mutating func call(to target: UInt64, returnTo: UInt64) {
        ir.pushReturn(returnTo)
        jump(to: target)
    }

    /// Ends the block: control goes to the guest address in `target`.
    public mutating func jumpIndirect(to target: Temp, _ hint: JumpHint, returnTo: UInt64? = nil) {
        if let returnTo { ir.pushReturn(returnTo) }
        if hint == .return {
            ir.lookupAndGoto(target, hint)
        } else {
            ir.gotoCached(target, counter: counter)
        }
    }

    /// Ends the block: hands control to the embedder with the guest pc at `pc`.
    public mutating func exit(_ reason: GuestExit, at pc: UInt64) {
        ir.st(ir.const(Int64(bitPattern: pc)), pcOffset, .u64)
        ir.exitTB(reason.rawValue)
    }

    // MARK: For the engine

    /// Moves to the next block that is planned and not translated; false when none is left.
    public mutating func beginNextBlock() -> Bool {
        // Blocks are translated in the order in which they were planned.
        var next = current
        while next < plannedCount, planned[next].isTranslated { next &+= 1 }
        guard next < plannedCount else { return false }
        current = next
        planned[next].isTranslated = true
        pc = planned[next].pc
        ir.begin(planned[next].block)
        return true
    }

    /// Records where the current block ended.
    public mutating func endBlock() { planned[current].end = pc }

    /// Points the unit at other code bytes (blocks of one region may lie apart).
    public mutating func setCode(_ bytes: UnsafeRawBufferPointer, at start: UInt64) {
        code = bytes.baseAddress ?? code
        codeStart = start
        codeLength = bytes.count
    }

    // MARK: Planning
    //
    // A loop must see the exit flag once per iteration: the region's entry block checks it at its head, every other loop header
    // on its back edges.

    private struct Edge {
        var block: BlockID
        /// The edge needs a block of its own, to be filled by `finish`.
        var target: UInt64
        var planned: Int
        var isOwn: Bool
    }

    private mutating func edge(to target: UInt64) -> Edge {
        if let index = blockInRegion(target) {
            if isBackward(index), index != 0 {
                return Edge(block: ir.newBlock(guestPC: target), target: target, planned: index, isOwn: true)
            }
            return Edge(block: planned[index].block, target: target, planned: index, isOwn: false)
        }
        return Edge(block: ir.newBlock(guestPC: target), target: target, planned: -1, isOwn: true)
    }

    private mutating func finish(_ edge: Edge) {
        guard edge.isOwn else { return }
        ir.begin(edge.block)
        if edge.planned >= 0 {
            ir.checkExit(edge.target)
            ir.br(planned[edge.planned].block)
        } else {
            ir.gotoTB(edge.target)
        }
    }

    private func startsPlannedBlock(_ pc: UInt64) -> Bool {
        pc != planned[current].pc && find(pc) != nil
    }

    private func isBackward(_ index: Int) -> Bool {
        if planned[index].isTranslated {
            ir.region.blocks[planned[index].block.i].isLoopHeader = true
            return true
        }
        return false
    }

    private mutating func blockInRegion(_ target: UInt64) -> Int? {
        if let found = find(target) { return found }
        guard plannedCount < plan.maxBlocks, plannedCount < RegionPlan.blockLimit,
            instructionCount < plan.maxInstructions,
            target >= plan.lowest, target < plan.highest, accepts?(target) ?? true
        else { return nil }
        let block = ir.newBlock(guestPC: target)
        planned[plannedCount] = PlannedBlock(pc: target, block: block, isTranslated: false, end: target)
        plannedCount &+= 1
        return plannedCount &- 1
    }

    private func find(_ pc: UInt64) -> Int? {
        for i in 0..<plannedCount where planned[i].pc == pc { return i }
        return nil
    }
}
