// Which blocks a region takes in: calls and returns, indirect jumps, what ran often.

import GuestKit
import IR
import TestSupport
import Testing

/// Counts by offset from `testPC`; offsets that are not named ran 1000 times.
private final class TestProfile: ExecutionProfile {
    private let counts: [UInt64: UInt32]
    private let targets: [UInt64: [(UInt64, Float)]]
    init(counts: [UInt64: UInt32] = [:], targets: [UInt64: [(UInt64, Float)]] = [:]) {
        self.counts = counts
        self.targets = targets
    }
    var executionsOfHead: UInt32 { 1000 }
    func executions(of pc: UInt64) -> UInt32 { counts[pc &- testPC] ?? 1000 }
    func targets(of site: UInt64, in block: UInt64) -> JumpTargets {
        var result = JumpTargets()
        for (offset, share) in targets[site &- testPC] ?? [] { result.add(testPC &+ offset, share: share) }
        return result
    }
    func failureCounter(of site: UInt64) -> Int { 77 }
}

@Suite struct RegionPlanTests {
    // Encodings (Unprivileged ISA, "RV32/64G Instruction Set Listings").
    private func addi(_ rd: UInt32, _ imm: UInt32) -> UInt32 { imm << 20 | rd << 15 | rd << 7 | 0x13 }
    private func jal(_ rd: UInt32, _ offset: Int32) -> UInt32 {
        let u = UInt32(bitPattern: offset)
        return (u >> 20 & 1) << 31 | (u >> 1 & 0x3ff) << 21 | (u >> 11 & 1) << 20 | (u >> 12 & 0xff) << 12 | rd << 7
            | 0x6f
    }
    private func bne(_ a: UInt32, _ offset: Int32) -> UInt32 {
        let u = UInt32(bitPattern: offset)
        return (u >> 12 & 1) << 31 | (u >> 5 & 63) << 25 | a << 15 | 1 << 12 | (u >> 1 & 15) << 8 | (u >> 11 & 1) << 7
            | 0x63
    }
    private func jalr(_ rd: UInt32, _ rs1: UInt32) -> UInt32 { rs1 << 15 | rd << 7 | 0x67 }
    private let ret: UInt32 = 0x8067
    private let ecall: UInt32 = 0x73

    private func translated(_ words: [UInt32], _ plan: RegionPlan, _ profile: TestProfile? = TestProfile())
        -> Translated
    {
        let result = Translated(bytes(words), plan: plan, profile: profile)
        #expect(result.problems.isEmpty && !result.overflowed)
        return result
    }
    private func plan(depth: Int, blocks: Int = 32, instructions: Int = 200) -> RegionPlan {
        var plan = RegionPlan(maxBlocks: blocks, maxInstructions: instructions, maxCallDepth: depth)
        plan.rarestBlock = 64
        plan.rarestCall = 16
        plan.leastShare = 1 / 24
        plan.rareRest = 1 / 8
        return plan
    }
    private func count(_ text: String, in translated: Translated) -> Int {
        translated.text.components(separatedBy: text).count - 1
    }

    /// jal f; jal f; ecall; f: addi; ret
    private var twoCalls: [UInt32] { [jal(1, 12), jal(1, 8), ecall, addi(10, 1), ret] }

    @Test func returnOfAFollowedCallGoesBackToItsCaller() {
        let t = translated(twoCalls, plan(depth: 1))
        #expect(!t.contains(.pushReturn) && !t.hasLeftOutCalls)
        // The function is there once for each call, and each return knows where it goes.
        #expect(count("@0x1000c:", in: t) == 2)
        #expect(
            count("brcond.eq.i64", in: t) == 2 && count(", 0x10004, ", in: t) == 1 && count(", 0x10008, ", in: t) == 1)
        #expect(count("lookup_and_goto.return", in: t) == 2 && !t.contains(.gotoTB))
    }

    @Test func followedCallsOfAProfileAreOnTheReturnStack() {
        // jal f; jalr t3 (usually f); ecall; f: addi; ret
        let code = [jal(1, 12), jalr(1, 28), ecall, addi(10, 1), ret]
        let profile = TestProfile(targets: [4: [(12, 0.9)]])
        var plan = plan(depth: 1)
        let plain = translated(code, plan, profile)
        plan.pushesFollowedCalls = true
        let pushing = translated(code, plan, profile)
        // The code behind the indirect call's usual target pushes also without it.
        #expect(count("push_return", in: plain) == 1 && !plain.contains(.popReturn))
        #expect(count("push_return", in: pushing) == 3 && count("pop_return", in: pushing) == 2)
        #expect(count("@0x1000c:", in: pushing) == 2)
    }

    @Test func callsThatAreNotFollowedPushTheirReturn() {
        let t = translated(twoCalls, plan(depth: 0))
        #expect(t.contains(.pushReturn) && t.contains(.gotoTB) && t.hasLeftOutCalls)
        #expect(t.instructions == 1 && !t.contains(.lookupAndGoto))
    }

    @Test func recursionIsFollowedToTheDepthAndThenGoesToTheHead() {
        // f: bnez a0 -> ret; jal f; ret
        let t = translated([bne(10, 8), jal(1, -4), ret], plan(depth: 3))
        #expect(count("@0x10000", in: t) == 4)
        #expect(count("push_return", in: t) == 1 && t.text.contains("block0 loop"))
    }

    @Test func rareBlocksAndCallsStayOutside() {
        // bnez -> 8; addi; 8: jal f; ecall; f: ret
        let code = [bne(10, 8), addi(10, 1), jal(1, 8), ecall, ret]
        let all = translated(code, plan(depth: 1))
        #expect(count("goto_tb", in: all) == 0)
        let few = translated(code, plan(depth: 1), TestProfile(counts: [4: 3]))
        #expect(few.text.contains("goto_tb 0, 0x10004"))
        let rarelyCalled = translated(code, plan(depth: 1), TestProfile(counts: [8: 30]))
        #expect(rarelyCalled.contains(.pushReturn) && !rarelyCalled.hasLeftOutCalls)
    }

    @Test func countsOfACalleeAreScaledByTheCallersShare() {
        // jal f; ecall; f: addi; bnez -> ret; ret
        let code = [jal(1, 8), ecall, addi(11, 1), bne(10, 4), ret]
        let t = translated(code, plan(depth: 1), TestProfile(counts: [8: 4000, 16: 4000]))
        #expect(count("weight 1000 @0x10008", in: t) == 1 && count("weight 1000 @0x10010", in: t) == 1)
    }

    @Test func jumpWhoseTargetsAreMostlyUnknownIsNotFollowed() {
        // jr t3; ecall; 8: ecall
        let code = [jalr(0, 28), ecall, addi(10, 1), ecall]
        let profile = TestProfile(targets: [0: [(8, 0.5), (4, 0.3), (12, 0.02)]])
        var plan = plan(depth: 1)
        plan.leastCovered = 0.7
        #expect(translated(code, plan, profile).text.contains("@0x10008:"))
        for (share, covered) in [(1.0 / 24, 0.81), (0.4, 0.6)] as [(Float, Float)] {
            plan.leastShare = share
            plan.leastCovered = covered
            let left = translated(code, plan, profile)
            #expect(left.instructions == 1 && left.contains(.gotoCached) && !left.contains(.countExecution))
        }
    }

    @Test func usualTargetOfAnIndirectJumpIsPartOfTheRegion() {
        // jr t3; ecall; 8: ecall
        let code = [jalr(0, 28), ecall, addi(10, 1), ecall]
        let none = translated(code, plan(depth: 1))
        #expect(none.instructions == 1 && none.contains(.gotoCached) && !none.contains(.countExecution))
        let one = translated(code, plan(depth: 1), TestProfile(targets: [0: [(8, 1)]]))
        #expect(one.instructions == 3 && one.text.contains(", 0x10008, block"))
        #expect(one.text.contains("count_execution 77, 0x10000"))
        // A call goes on in a context of its own.
        let call = translated([jalr(1, 28), ecall, ret], plan(depth: 1), TestProfile(targets: [0: [(8, 1)]]))
        #expect(call.instructions == 3 && count("push_return", in: call) == 1)
        // `jalr ra, ra` cannot run again from its start.
        let same = translated([jalr(1, 1), ecall, ret], plan(depth: 1), TestProfile(targets: [0: [(8, 1)]]))
        #expect(same.instructions == 3 && !same.contains(.countExecution))
    }

    @Test func targetsOfAnIndirectJumpAreComparedInTheOrderOfTheirShares() {
        // jr t3; 4: ecall; 8: ecall; 12: ecall
        let code = [jalr(0, 28), ecall, ecall, ecall]
        let shares: [(UInt64, Float)] = [(4, 0.2), (12, 0.02), (8, 0.5)]
        let t = translated(code, plan(depth: 1), TestProfile(targets: [0: shares]))
        // The rarest is not worth a comparison. What is left over is neither rare nor counted.
        #expect(t.instructions == 3 && count("brcond.eq.i64", in: t) == 2 && !t.contains(.countExecution))
        let first = t.text.range(of: ", 0x10008, block")
        let second = t.text.range(of: ", 0x10004, block")
        #expect(first != nil && second != nil && first!.lowerBound < second!.lowerBound)
        #expect(t.text.contains("weight 300") && t.text.contains(", 0x10000, "))
        let sure = translated(code, plan(depth: 1), TestProfile(targets: [0: [(4, 0.4), (8, 0.6)]]))
        #expect(sure.contains(.countExecution) && sure.text.contains("cold"))
    }

    @Test func calleesOfOneIndirectCallAreFollowedByTheirShares() {
        // jalr t3; ecall; 8: ret; 12: ret
        let code = [jalr(1, 28), ecall, ret, ret]
        let both = translated(code, plan(depth: 1), TestProfile(targets: [0: [(8, 0.6), (12, 0.4)]]))
        #expect(both.instructions == 4 && count("brcond.eq.i64", in: both) == 4 && count("push_return", in: both) == 1)
        // A call in 1/20 of the executions is below the share that calls must have.
        let one = translated(code, plan(depth: 1), TestProfile(targets: [0: [(8, 0.9), (12, 0.05)]]))
        #expect(one.instructions == 3 && count("brcond.eq.i64", in: one) == 2)
    }

    @Test func jumpTargetsAreSortedAndMerged() {
        var targets = JumpTargets()
        for i in 0..<UInt64(JumpTargets.capacity) { targets.add(0x100 + i, share: 0.01) }
        targets.add(0x200, share: 0.001)
        #expect(targets.count == JumpTargets.capacity && targets[0].pc == 0x100)
        targets.add(0x200, share: 0.02)
        targets.add(0x101, share: 0.5)
        #expect(targets.count == JumpTargets.capacity && targets[0].pc == 0x101 && targets[1].pc == 0x200)
        var half = JumpTargets()
        half.add(targets, share: 0.5)
        #expect(half.count == targets.count && half[0].pc == 0x101 && abs(half[0].share - 0.255) < 0.001)
    }

    @Test func fullRegionTurnsItsRarestPlannedBlocksIntoExits() {
        // bnez -> 12; addi; ecall; 12: addi; ecall
        let code = [bne(10, 12), addi(10, 1), ecall, addi(10, 2), ecall]
        let t = translated(code, plan(depth: 0, blocks: 2), TestProfile(counts: [4: 100, 12: 900]))
        #expect(t.text.contains("goto_tb 0, 0x10004") && count("goto_tb", in: t) == 1)
        let small = translated(code, plan(depth: 0, instructions: 1))
        #expect(small.instructions == 1 && count("goto_tb", in: small) == 2)
    }
}
