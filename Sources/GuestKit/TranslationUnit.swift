// What a front end works on while it translates one guest basic block: the IR builder, the guest's code bytes, and the ways to
// end the block. Which targets become blocks of the same region and which leave it is said by the region's plan, which
// the engine makes: neither here nor by a front end.

import IR

/// The unit of work of `GuestArchitecture.translateBlock`.
public struct TranslationUnit: ~Copyable {
    public var ir: IRBuilder
    /// Guest flags the translation is made for (`GuestArchitecture.mode`).
    public let flags: UInt64
    public let plan: RegionPlan
    /// Guest address of the next instruction to translate.
    public var pc: UInt64
    /// Guest code bytes: host pointer to `codeStart`, `codeLength` bytes readable.
    public var code: UnsafeRawPointer
    public var codeStart: UInt64
    public var codeLength: Int
    /// The translation being made counts its executions.
    public var countsExecutions = false
    /// Where instructions are counted: the offset from the CPU state of the number of those of a block that were executed before the
    /// present one (`VCPUHeader.started`).
    public var startedOffset: Int?
    /// The code is relative: its addresses here are not those at which it is seen.
    public var isRelative = false
    /// May the code at an address be taken into the region? Nil: all of it.
    public var admits: ((UInt64) -> Bool)?
    /// Is an instruction to be the last of its block, whatever comes behind it?
    public var endsBlock: ((UInt64) -> Bool)?
    /// Of the block being translated: where the op is that counts its instructions, and how many came before.
    private var countAt = 0
    private var countedBefore = 0
    /// Offset of the program counter's home in the CPU state.
    public let pcOffset: Int
    /// The guest's loads and stores have the most significant byte first.
    public let dataIsBig: Bool
    @usableFromInline let addressMask: UInt64
    /// Guest instructions translated so far, over all blocks.
    public var instructionCount = 0
    /// Addresses of instructions that the code stops before.
    private let stops: Set<UInt64>
    /// How the code has run, where it has run before.
    private let profile: (any ExecutionProfile)?
    private let storage: PlanStorage
    private var plannedCount = 1
    private var contextCount = 1
    private var translatedCount = 0
    /// The block being translated.
    private var current = 0
    /// A call to code that has run was not followed, because calls are not followed that deep.
    public private(set) var hasLeftOutCalls = false
    /// Blocks that run more rarely than this stay outside; those of calls more rarely than `leastCalls` (`RegionPlan`).
    private let leastWeight: UInt32
    private let leastCalls: UInt32

    private var planned: UnsafeMutablePointer<PlannedBlock> { storage.blocks }

    public init(
        region: Region, pc: UInt64, flags: UInt64, plan: RegionPlan, code: UnsafeRawBufferPointer, guest: GuestLayout,
        storage: PlanStorage, profile: (any ExecutionProfile)? = nil, stops: Set<UInt64> = []
    ) {
        pcOffset = guest.pcOffset
        dataIsBig = guest.dataIsBig
        addressMask = guest.wordSize.addressMask
        self.profile = profile
        self.storage = storage
        self.stops = stops
        ir = IRBuilder(region: region)
        self.flags = flags
        self.plan = plan
        self.pc = pc
        self.code = code.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!
        codeStart = pc
        codeLength = code.count
        let weight = profile?.executionsOfHead ?? 0
        leastWeight = profile == nil ? 0 : max(1, weight / plan.rarestBlock)
        leastCalls = profile == nil ? 0 : max(1, weight / plan.rarestCall)
        let entry = ir.newBlock(guestPC: pc, weight: weight)
        storage.blocks[0] = PlannedBlock(
            pc: pc, context: 0, block: entry, weight: weight, isTranslated: false, end: pc)
        storage.contexts[0] = CallContext(returnTo: 0, callee: pc, outer: 0, depth: 0, share: 1)
    }

    // MARK: For front ends

    /// A guest address modulo two to the power of its width.
    @inlinable public func wrapped(_ address: UInt64) -> UInt64 { address & addressMask }

    /// The address at which the vCPU sees what is at `address` here, as a value: whatever the guest may get to know of addresses of code, such
    /// as where a call returns to.
    public mutating func seenAddress(of address: UInt64) -> Temp {
        let value = ir.const(Int64(bitPattern: address))
        return isRelative ? ir.add(ir.delta(), value) : value
    }

    /// Number of code bytes readable at `pc` (0 when instruction fetch is impossible).
    @inlinable public var available: Int {
        let offset = pc &- codeStart
        return offset < UInt64(codeLength) ? codeLength &- Int(offset) : 0
    }

    /// Call before each instruction's ops: marks it and counts it.
    @inlinable public mutating func beginInstruction() {
        ir.region.beginInstruction(pc, word: startedOffset == nil ? 0 : UInt16(truncatingIfNeeded: instructionsOfBlock))
        instructionCount &+= 1
    }

    /// Instructions of the block that have been translated so far, or begun.
    public var instructionsOfBlock: Int { instructionCount &- countedBefore }

    /// The instruction behind a branch is to be translated, in the branch's delay slot: it runs before the branch takes effect, and
    /// where it stops, the guest's pc is the branch's, with a word that says so. The caller has checked `available` for it.
    @inlinable public mutating func beginDelaySlot(of branch: UInt64, word: UInt16) {
        ir.region.beginInstruction(branch, word: word)
        instructionCount &+= 1
    }

    /// True when the block should end before the next instruction (`endBlock`). Mutating, so that no caller copies the unit.
    public var isFull: Bool {
        mutating get {
            instructionCount >= plan.maxInstructions || ir.region.s.pointee.overflowed
                || ir.region.opCount &+ 512 > ir.region.s.pointee.opCapacity
                || (plannedCount > 1 ? startsPlannedBlock(pc) : false) || isAtStop
                || endsBlock?(ir.region.instructionPC) == true
        }
    }

    /// Ends the block: control goes to guest `target`.
    public mutating func jump(to target: UInt64) {
        if let block = blockInRegion(target, context) { ir.br(enter(block)) } else { go(to: target) }
    }

    /// Ends the block: to `taken` when cond(a, b), else to `next`.
    public mutating func branch(_ cond: Condition, _ a: Temp, _ b: Temp, taken: UInt64, next: UInt64) {
        let takenEdge = edge(to: taken)
        let nextEdge = edge(to: next)
        ir.brcond(cond, a, b, takenEdge.block, nextEdge.block)
        if takenEdge.leaves { leave(takenEdge.block, to: taken) }
        if nextEdge.leaves { leave(nextEdge.block, to: next) }
    }

    /// Ends the block with a direct call to `target` that will return to `returnTo`.
    public mutating func call(to target: UInt64, returnTo: UInt64) {
        if plan.isForOneStep { return go(to: target) }
        if let callee = calleeInRegion(target, returnTo) {
            if plan.pushesFollowedCalls { ir.pushReturn(returnTo) }
            return ir.br(enter(callee))
        }
        ir.pushReturn(returnTo)
        // What a call leads to in the outermost context returns to where the return stack says.
        if let block = find(target, 0) { ir.br(enter(block)) } else { go(to: target) }
    }

    /// Leaves the region for a guest address.
    private mutating func go(to target: UInt64) { ir.gotoTB(target) }

    /// Ends the block: control goes to the guest address in `target`. `isRepeatable`: what the instruction has written so far does
    /// not keep it from running again from its start.
    public mutating func jumpIndirect(
        to target: Temp, _ hint: JumpHint, returnTo: UInt64? = nil, isRepeatable: Bool = false
    ) {
        if plan.isForOneStep {
            ir.st(target, pcOffset, .u64)
            return ir.exitTB(Int(bitPattern: UInt(GuestExit.stepped.word)))
        }
        if hint == .return {
            if let block = blockReturnedTo {
                go(to: block, if: address(seenAt: target), is: planned[block].pc, elseWeight: 0, .pop(target))
            }
            return ir.lookupAndGoto(target, hint)
        }
        let rest = goToUsualTargets(target, returnTo)
        // A region that is wrong more often than it was to be expected is made anew.
        if rest <= plan.rareRest, isRepeatable, let profile {
            if startedOffset != nil { ir.region.markInstruction() }
            ir.countExecution(pc, counter: profile.failureCounter(of: pc))
        }
        if let returnTo { ir.pushReturn(returnTo) }
        ir.gotoCached(target, notedAs: countsExecutions || profile != nil ? pc : nil)
    }

    /// Ends the block: there is no whole instruction at `pc`. Whoever comes there asks memory again, since there may be one by then.
    public mutating func missCode() { go(to: pc) }

    /// Ends the block: hands control to the embedder with the guest pc at `pc`.
    public mutating func exit(_ reason: GuestExit, at pc: UInt64) {
        ir.st(seenAddress(of: pc), pcOffset, .u64)
        exit(reason, behind: pc == self.pc ? instructionsOfBlock &- 1 : instructionsOfBlock)
    }

    /// The same behind the present instruction, which has stored the pc.
    public mutating func exit(_ reason: GuestExit) { exit(reason, behind: instructionsOfBlock) }

    /// `executed`: instructions of the block.
    private mutating func exit(_ reason: GuestExit, behind executed: Int) {
        if let startedOffset { ir.st(ir.const(Int64(executed)), startedOffset, .u32) }
        ir.exitTB(Int(bitPattern: UInt(reason.word)))
    }

    /// Leaves with the pc at this instruction when cond(a, b); goes on in a new block otherwise.
    public mutating func exit(_ reason: GuestExit, if condition: Condition, _ a: Temp, _ b: Temp) {
        let leave = ir.newBlock(isCold: true)
        let stay = ir.newBlock()
        ir.brcond(condition, a, b, leave, stay)
        ir.begin(leave)
        exit(reason, at: pc)
        ir.begin(stay)
    }

    // MARK: For the engine

    /// Moves to the planned block that runs most often of those that are not translated; false when none is left. Once the
    /// region is as large as it may be, those that are left become exits.
    public mutating func beginNextBlock() -> Bool {
        if translatedCount >= plan.maxBlocks || (translatedCount > 0 && instructionCount >= plan.maxInstructions) {
            leaveTheRest()
            return false
        }
        var next = -1
        for i in 0..<plannedCount where !planned[i].isTranslated {
            if next < 0 || planned[i].weight > planned[next].weight { next = i }
        }
        guard next >= 0 else { return false }
        current = next
        planned[next].isTranslated = true
        translatedCount &+= 1
        pc = planned[next].pc
        ir.begin(planned[next].block)
        beginCounting()
        // A loop must see the exit flag once per turn. Which blocks head loops is not known before all are translated: the
        // checks of the others are removed by the optimizer. The engine checks at the region's entry.
        if next != 0 { ir.checkExit(pc) }
        return true
    }

    /// Is the next instruction one to stop before?
    public var isAtStop: Bool { !stops.isEmpty && stops.contains(pc) }

    /// Goes on with the region's first guest block behind what is to happen once per entry: a loop does not come back to that.
    public mutating func beginBehindEntry() {
        let block = ir.newBlock(guestPC: planned[0].pc, weight: planned[0].weight)
        ir.br(block)
        planned[0].block = block
        ir.begin(block)
        beginCounting()
        ir.checkExit(planned[0].pc)
    }

    /// Comes first in a block. (What comes before a loop counts nothing, and says so.)
    private mutating func beginCounting() {
        guard startedOffset != nil else { return }
        countedBefore = instructionCount
        countAt = ir.countInstructions(pc)
    }

    /// Records where the current block ended.
    public mutating func endBlock() {
        planned[current].end = pc
        if startedOffset != nil { ir.region.setInstructions(instructionsOfBlock, at: countAt) }
    }

    /// Points the unit at other code bytes (blocks of one region may lie apart).
    public mutating func setCode(_ bytes: UnsafeRawBufferPointer, at start: UInt64) {
        code = bytes.baseAddress ?? code
        codeStart = start
        codeLength = bytes.count
    }

    // MARK: Planning

    private var context: Int { planned[current].context }

    private mutating func edge(to target: UInt64) -> (block: BlockID, leaves: Bool) {
        if let index = blockInRegion(target, context) { return (enter(index), false) }
        return (ir.newBlock(guestPC: target), true)
    }

    /// Fills an edge's own block: control leaves the region.
    private mutating func leave(_ block: BlockID, to target: UInt64) {
        ir.begin(block)
        go(to: target)
    }

    private mutating func leaveTheRest() {
        for i in 0..<plannedCount where !planned[i].isTranslated {
            planned[i].isTranslated = true
            ir.region.blocks[planned[i].block.i].weight = 0
            leave(planned[i].block, to: planned[i].pc)
        }
    }

    /// The block of a planned block, to branch to. What is translated already may be the start of a loop.
    private mutating func enter(_ index: Int) -> BlockID {
        let block = planned[index].block
        if planned[index].isTranslated { ir.region.blocks[block.i].isLoopHeader = true }
        return block
    }

    private func startsPlannedBlock(_ pc: UInt64) -> Bool {
        pc != planned[current].pc && find(pc, context) != nil
    }

    /// The block for `target` in this context, planned now if it is worth it.
    private mutating func blockInRegion(_ target: UInt64, _ context: Int) -> Int? {
        // A translation that waits to become hot is one block and its exits, also when it jumps to itself: it is made quickly.
        if plan.isForOneStep || plan.maxBlocks == 1 && countsExecutions { return nil }
        if let found = find(target, context) { return found }
        guard isRoomLeft, target >= plan.lowest, target < plan.highest else { return nil }
        var weight: UInt32 = 0
        if let profile {
            weight = scaled(profile.executions(of: target), storage.contexts[context].share)
            if weight < leastWeight { return nil }
        }
        if let admits, !admits(target) { return nil }
        return add(target, context, weight)
    }

    private var isRoomLeft: Bool {
        plan.maxBlocks > 1 && plannedCount < PlanStorage.blockLimit && translatedCount < plan.maxBlocks
            && instructionCount < plan.maxInstructions
    }

    private func scaled(_ count: UInt32, _ share: Float) -> UInt32 { UInt32(Float(count) * share) }

    private mutating func add(_ pc: UInt64, _ context: Int, _ weight: UInt32) -> Int {
        let block = ir.newBlock(guestPC: pc, weight: weight)
        planned[plannedCount] = PlannedBlock(
            pc: pc, context: context, block: block, weight: weight, isTranslated: false, end: pc)
        plannedCount &+= 1
        return plannedCount &- 1
    }

    private func find(_ pc: UInt64, _ context: Int) -> Int? {
        for i in 0..<plannedCount where planned[i].pc == pc && planned[i].context == context { return i }
        return nil
    }

    // MARK: Calls and returns
    //
    // A call that the region follows pushes nothing on the return stack, and its returns compare with the one address that they
    // are expected to go to. Code that leaves the region in the middle of such a call returns through the jump cache: an entry
    // that is missing from the return stack is a miss there, which takes nothing off the stack. For a profile they push all the same.

    /// The block of a function that the region follows a call to.
    private mutating func calleeInRegion(_ target: UInt64, _ returnTo: UInt64, share: Float = 1) -> Int? {
        guard let inner = contextOfCall(to: target, returnTo, share) else { return nil }
        return blockInRegion(target, inner)
    }

    /// The context of a call that is made in a share of the current block's executions.
    private mutating func contextOfCall(to target: UInt64, _ returnTo: UInt64, _ shareOfBlock: Float) -> Int? {
        let outer = context
        for i in 1..<max(contextCount, 1) {
            let known = storage.contexts[i]
            if known.outer == outer, known.returnTo == returnTo, known.callee == target { return i }
        }
        let depth = storage.contexts[outer].depth &+ 1
        guard contextCount < PlanStorage.contextLimit, isRoomLeft else { return nil }
        var share: Float = 1
        if let profile {
            let calls = scaled(planned[current].weight, shareOfBlock)
            let runs = profile.executions(of: target)
            if runs == 0 || calls < leastCalls { return nil }
            share = min(1, Float(calls) / Float(runs))
        }
        if depth > plan.maxCallDepth {
            hasLeftOutCalls = true
            return nil
        }
        storage.contexts[contextCount] = CallContext(
            returnTo: returnTo, callee: target, outer: outer, depth: depth, share: share)
        contextCount &+= 1
        return contextCount &- 1
    }

    /// The block that a return of this context comes back to, if the region goes on there.
    private var blockReturnedTo: Int? {
        mutating get {
            let inner = storage.contexts[context]
            return inner.depth > 0 ? blockInRegion(inner.returnTo, inner.outer) : nil
        }
    }

    // MARK: Indirect jumps
    //
    // A region goes on at the targets that an indirect jump usually has, behind one comparison each, the most frequent first.

    /// Compares the target of an indirect jump with its usual ones; behind that the code of the others begins. Returns the share of
    /// the executions that comes there.
    private mutating func goToUsualTargets(_ target: Temp, _ returnTo: UInt64?) -> Float {
        guard let profile else { return 1 }
        let targets = profile.targets(of: pc, in: planned[current].pc)
        if targets.share(ofThoseWith: plan.leastShare) < plan.leastCovered { return 1 }
        let target = address(seenAt: target)
        var rest: Float = 1
        for i in 0..<targets.count where targets[i].share >= plan.leastShare {
            let (expected, share) = targets[i]
            let block =
                returnTo.map { calleeInRegion(expected, $0, share: share) } ?? blockInRegion(expected, context)
            guard let block else { continue }
            rest -= share
            let weight = rest <= plan.rareRest ? 0 : scaled(planned[current].weight, rest)
            go(to: block, if: target, is: expected, elseWeight: weight, returnTo.map { .push($0) })
        }
        return rest
    }

    /// The reverse of `seenAddress`.
    private mutating func address(seenAt target: Temp) -> Temp {
        isRelative ? ir.sub(target, ir.delta()) : target
    }

    /// What a followed call or return does with the return stack, where it does.
    private enum FollowedChange {
        case push(UInt64)
        case pop(Temp)
    }

    /// To a planned block when `target` is its address here, else on in a new block, cold when its weight is 0.
    private mutating func go(
        to block: Int, if target: Temp, is expected: UInt64, elseWeight: UInt32, _ change: FollowedChange?
    ) {
        let other = ir.newBlock(isCold: elseWeight == 0, weight: elseWeight)
        let expected = ir.const(Int64(bitPattern: expected))
        if let change, plan.pushesFollowedCalls {
            let same = ir.newBlock(weight: planned[block].weight)
            ir.brcond(.eq, target, expected, same, other)
            ir.begin(same)
            switch change {
            case .push(let address): ir.pushReturn(address)
            case .pop(let address): ir.popReturn(address)
            }
            ir.br(enter(block))
        } else {
            ir.brcond(.eq, target, expected, enter(block), other)
        }
        ir.begin(other)
    }
}
