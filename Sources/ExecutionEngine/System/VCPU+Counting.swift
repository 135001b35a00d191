// Counted instructions: a vCPU executes exactly as many as it is allowed to, and says at any moment how many it has.
//
// Each guest block takes its instructions from the budget before its first (`count_insns`), and says before what may look or leave how many
// of them are done. What is left of the budget at any moment:
//
//     budget + charged - started        and what is withheld: the block that runs is to be the last
//
// A block that would need more than there is left is not begun: the rest is executed one by one. An instruction that traps takes as long as
// one that does not, but does not count as completed.

import CodeGen

/// What a vCPU has been allowed and has done. Of its thread.
struct InstructionCount {
    /// The budget when it was allowed.
    var allowed: Int32 = 0
    /// Instructions, those that trapped among them, before that.
    var before: UInt64 = 0
    /// Instructions that trapped.
    var trapped: UInt64 = 0
    /// What is left of the budget, once the block that runs has ended.
    var withheld: Int32 = 0
    /// `run` is to return before the next instruction.
    var mustReturn = false
    /// The guest has asked for others to be let run.
    var givesWay = false
}

extension VCPU {
    // MARK: For a machine

    /// Lets it execute `count` instructions, at most 2^30: `run` returns `.interrupted` when they are executed, and sooner when the guest has
    /// touched a device or a timer of the vCPU's own. Only outside `run`.
    public func allow(_ count: Int) {
        precondition(count > 0 && count <= 1 << 30)
        let done = executed
        self.count.before &+= done
        self.count.allowed = Int32(count)
        self.count.withheld = 0
        header.pointee.budget = Int32(count)
        header.pointee.charged = 0
        header.pointee.started = 0
    }

    /// Instructions executed since then, before the one that runs; those that trapped among them.
    public var executed: UInt64 { UInt64(count.allowed &- left) }

    /// Instructions completed since the vCPU was made.
    public var instructions: UInt64 { count.before &+ executed &- count.trapped }

    /// Has the guest asked for others to be let run (RISC-V's pause) since this was asked last?
    public func takesGivingWay() -> Bool {
        defer { count.givesWay = false }
        return count.givesWay
    }

    private var left: Int32 {
        header.pointee.budget &+ count.withheld &+ Int32(truncatingIfNeeded: header.pointee.charged)
            &- Int32(truncatingIfNeeded: header.pointee.started)
    }

    // MARK: For the loop

    /// Generated code has been left: what its last block has taken and not executed is given back.
    func settleCount(_ exit: ExitValue) {
        switch exit.reason {
        // The block has come to its end.
        case ExitReason.chain, ExitReason.lookup: header.pointee.budget &+= count.withheld
        default: header.pointee.budget = left
        }
        count.withheld = 0
        header.pointee.charged = 0
        header.pointee.started = 0
    }

    /// The instruction at the pc traps. It was begun, so that there was budget for it.
    func countTrap() {
        guard countsInstructions else { return }
        header.pointee.budget &-= 1
        count.trapped &+= 1
    }

    /// True: the embedder is to look before the next instruction.
    func mustReturnForCount() -> Bool {
        guard countsInstructions, count.mustReturn || header.pointee.budget <= 0 else { return false }
        count.mustReturn = false
        return true
    }

    /// Generated code has left between two instructions, and nobody has asked it to: a block needs more than there is.
    var isShortOfBudget: Bool {
        countsInstructions && !count.mustReturn && header.pointee.exitRequest == 0 && header.pointee.budget > 0
    }

    // MARK: For accesses and helpers

    /// Is the instruction that runs the last one of its block, so that what it brings about can be looked at before the next one?
    var isAtBlockEnd: Bool { header.pointee.charged &- header.pointee.started <= 1 }

    /// The present instruction is the last one before `run` returns.
    func returnBehindInstruction() {
        count.mustReturn = true
        count.withheld &+= header.pointee.budget
        header.pointee.budget = 0
    }
}
