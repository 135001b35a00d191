// Mistakes planted between the stages of a translation end the process before the code runs: in the first tier, in the optimizing
// one, and in what the compiler's thread makes.

import CodeGen
import Glibc
import HostOS
import IR
import Optimizer
import Testing

@testable import ExecutionEngine

/// A mistake, and the tier that makes the translations which get it.
private enum Planted: Int, CaseIterable, Codable {
    case frontEnd, frontEndInBackground
    case passAtBaseline, passOptimizing, passInBackground
    case swappedMove, lostStore, lostDirtyRegister, wrongOperand, allocationInBackground

    var isInBackground: Bool { [.frontEndInBackground, .passInBackground, .allocationInBackground].contains(self) }
    var tier: Tier { isInBackground ? .automatic : self == .passOptimizing ? .optimizing : .baseline }

    var stage: TranslationStage {
        switch self {
        case .frontEnd, .frontEndInBackground: .frontEnd
        case .passAtBaseline, .passOptimizing, .passInBackground: .pass(.dead)
        case .swappedMove, .lostStore, .lostDirtyRegister, .wrongOperand, .allocationInBackground: .allocator
        }
    }

    func plant(_ stage: TranslationStage, _ region: Region, _ allocation: Allocation) {
        guard stage == self.stage else { return }
        switch self {
        case .frontEnd, .frontEndInBackground:
            region.s.pointee.ops[0].dst = Temp(0)
        case .passAtBaseline, .passOptimizing, .passInBackground:
            // The last op is a terminator.
            region.s.pointee.blocks[0].end -= 1
        case .swappedMove:
            change(allocation) { step in
                guard step.kind == .load || step.kind == .move else { return false }
                step.dst = step.dst == 1 ? 2 : 1
                return true
            }
        case .lostStore: lose(.store, allocation)
        case .lostDirtyRegister: lose(.dirty, allocation)
        case .wrongOperand, .allocationInBackground:
            change(allocation) { step in
                guard step.kind == .op, step.a < 64 else { return false }
                step.a = step.a == 1 ? 2 : 1
                return true
            }
        }
    }

    private func lose(_ kind: StepKind, _ allocation: Allocation) {
        change(allocation) { step in
            guard step.kind == kind else { return false }
            step = Step(.clean, index: step.index)
            return true
        }
    }

    private func change(_ allocation: Allocation, _ body: (inout Step) -> Bool) {
        for k in 0..<allocation.stepCount where body(&allocation.steps[k]) { return }
    }
}

/// Sums numbers in memory: loads, stores, a branch, arithmetic.
private func load(_ m: Machine) {
    m.memory.write(
        [
            RV.addi(5, 0, 50), RV.ld(6, 20), RV.add(6, 6, 5), RV.sd(6, 20), RV.mul(7, 6, 5), RV.xor(8, 7, 6),
            RV.addi(5, 5, -1), RV.bne(5, 0, -24), RV.ecall,
        ], at: 0)
    m[x: 20] = m.memory.data
}

/// In a process of its own: makes translations with the mistake in each.
private func run(_ planted: Planted, _ verification: Verification) throws {
    let m = try Machine(Configuration(isX64: true, tier: planted.tier)) {
        $0.verification = verification
        $0.compilesInBackground = planted.isInBackground
        $0.processors = planted.isInBackground ? 2 : 1
        // Only the compiler's thread makes mistakes then.
        let own = HostProcess.threadID
        $0.plant = { stage, region, allocation in
            if planted.isInBackground, HostProcess.threadID == own { return }
            planted.plant(stage, region, allocation)
        }
    }
    load(m)
    let end = HostClock.monotonic() + 20_000_000_000
    repeat { m.call(0) } while planted.isInBackground && HostClock.monotonic() < end
}

extension EngineTests {
    @Suite struct VerificationTests {
        @Test(arguments: Planted.allCases)
        fileprivate func aWrongTranslationEndsTheProcess(_ planted: Planted) async throws {
            let result = await #expect(processExitsWith: .failure, observing: [\.exitStatus, \.standardErrorContent]) {
                [planted = planted as Planted] in
                try run(planted, .all)
            }
            let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            #expect(result?.exitStatus == .exitCode(VerificationFailure.exitStatus), "\(text)")
            // The place, who did it, and the region.
            #expect(text.contains("martlet: wrong translation of 0x"), "\(text)")
            #expect(text.contains(": \(planted.stage): "), "\(text)")
            #expect(text.contains("block0"), "\(text)")
        }

        @Test func whatIsVerifiedIsCountedByItsOrigin() throws {
            for (tier, verification) in [(Tier.baseline, Verification.all), (.optimizing, .all), (.baseline, .none)] {
                let m = try Machine(Configuration(isX64: true, tier: tier)) { $0.verification = verification }
                load(m)
                m.call(0)
                let c = m.engine.counters
                let made = tier == .baseline ? c.baseline : c.optimizing
                #expect(made.count > 0 && made.count == c.translations)
                #expect(made.verified == (verification == .all ? made.count : 0))
            }
        }

        @Test func aSampleTakesTheFirstAndEachNth() {
            func sample(_ verification: Verification) -> String {
                var sampler = VerificationSampler(verification)
                return (0..<10).map { _ in sampler.next() ? "x" : "." }.joined()
            }
            #expect(sample(.none) == "..........")
            #expect(sample(.all) == "xxxxxxxxxx")
            #expect(sample(.oneIn(4)) == "x...x...x.")
        }

        @Test func settingsAreParsed() {
            #expect(Verification(parsing: "all") == .all)
            #expect(Verification(parsing: "none") == Verification.none)
            #expect(Verification(parsing: "64") == .oneIn(64))
            for text in ["", "0", "-1", "some", "99999999999"] { #expect(Verification(parsing: text) == nil) }
        }
    }
}
