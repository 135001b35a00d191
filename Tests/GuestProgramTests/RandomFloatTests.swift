// Every floating-point instruction in every rounding mode, over tables of edge cases and random operands: results and
// flags equal SoftFloat's in every tier, and the reference emulator agrees with SoftFloat where it knows the
// instruction.
//
// MARTLET_FUZZ_OPERANDS is their number per instruction and rounding mode.

import GuestRISCV
import TestSupport
import Testing

@Suite(.serialized, .seeded(1)) struct RandomFloatTests {
    /// The tests' own: the first of them makes what they share.
    static let seed = Seed.current
    static let count = environmentValue("MARTLET_FUZZ_OPERANDS").flatMap { Int($0) } ?? 4096

    static let program: FloatProgram = {
        let formats: [RandomFloatFormat?] = [nil, .binary16, .binary32, .binary64]
        return FloatProgram(
            operands: formats.map { FloatOperands($0, count: count, seed: seed) },
            table: { instruction in
                switch instruction.format?.width {
                case 16: 1
                case 32: 2
                case 64: 3
                default: 0
                }
            })
    }()

    static let tiers = [
        RandomMode.interpreter,
        RandomMode(name: "baseline", options: ["-accel", "tcg,tier=baseline"]),
        RandomMode(name: "optimizing", options: ["-accel", "tcg,tier=optimizing"]),
        RandomMode(name: "auto", options: []),
    ]

    @Test func everyInstructionOfTheTablesHasAnOracle() {
        let known = Set(FloatInstruction.all.map(\.name))
        for row in 0..<InstructionTable.count
        where InstructionTable.isAllowed(row, by: RandomProfile.all.extensions) && RowClasses.kind(row) == .float {
            let name = InstructionTable.name(row)
            if name.hasPrefix("fli_") { continue }  // constants: no operands
            #expect(known.contains(name), "no oracle for \(name)")
        }
    }

    /// The expectation of all variants, made once.
    static let expectations: [(variant: FloatVariant, hash: UInt64)] =
        FloatVariant.all(RandomProfile.all.extensions, seed: seed).map { ($0, program.expectedHash($0)) }

    @Test func resultsAndFlagsEqualSoftFloatInEveryTier() throws {
        _ = try Workspace.requireMartlet()
        let folder = try RandomFolder()
        let all = Self.expectations
        #expect(all.count * Self.count >= 1_000_000 || Self.count < 4096)
        for mode in Self.tiers { try check(all, mode, folder) }
    }

    @Test(.enabled(if: RandomMode.hasReference)) func theReferenceEmulatorAgreesWithSoftFloat() throws {
        let folder = try RandomFolder()
        let common = RandomProfile.common.extensions
        let known = Self.expectations.filter {
            FloatInstruction.all[$0.variant.instruction].row.map { InstructionTable.isAllowed($0, by: common) } ?? false
        }
        try check(known, .reference(), folder)
    }

    private func check(
        _ expectations: [(variant: FloatVariant, hash: UInt64)], _ mode: RandomMode, _ folder: RandomFolder
    ) throws {
        try writeFile(folder.program, Self.program.image(expectations.map(\.variant), isRaw: false))
        let run = try mode.run(folder.program, seconds: 120)
        guard run.ending == "[exit 0]", run.output.count == expectations.count * 8 else {
            Issue.record("\(mode.name): \(run.ending), \(run.output.count) bytes; \(run.errorText.suffix(300))")
            return
        }
        var reported = 0
        for (index, expectation) in expectations.enumerated()
        where run.output.word64(index * 8) != expectation.hash {
            reported += 1
            if reported <= 12 {
                Issue.record("\(mode.name): \(try explain(expectation.variant, mode, folder))")
            }
        }
        #expect(reported == 0, "\(mode.name): \(reported) of \(expectations.count) variants are wrong")
    }

    /// Runs one variant alone, with its results written out, and says where it first goes wrong.
    private func explain(_ variant: FloatVariant, _ mode: RandomMode, _ folder: RandomFolder) throws -> String {
        try writeFile(folder.program, Self.program.image([variant], isRaw: true))
        let run = try mode.run(folder.program, seconds: 60)
        let list = Self.program.operands[Self.program.table(FloatInstruction.all[variant.instruction])]
        var text: [String] = []
        var wrong = 0
        Self.program.expected(variant) { index, result, flags in
            let (gotResult, gotFlags) = (run.output.word64(index * 16), run.output.word64(index * 16 + 8))
            guard gotResult != result || gotFlags != UInt64(flags) else { return }
            wrong += 1
            if text.count < 2 {
                let operands = list.words[(index * 3)..<(index * 3 + 3)].map(hex).joined(separator: ", ")
                text.append(
                    "of (\(operands)) is \(hex(gotResult)) flags \(gotFlags), should be \(hex(result)) flags \(flags)"
                )
            }
        }
        if text.isEmpty { return "\(variant): wrong in the long program only" }
        return "\(variant): \(wrong) of \(list.count) wrong: " + text.joined(separator: "; ")
    }
}
