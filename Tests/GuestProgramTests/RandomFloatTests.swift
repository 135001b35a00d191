// Every floating-point instruction in every rounding mode, over tables of edge cases and random operands: results and
// flags equal SoftFloat's in every tier, and the reference emulator agrees with SoftFloat where it knows the
// instruction.
//
// MARTLET_FUZZ_OPERANDS is their number per instruction and rounding mode.

import GuestKit
import GuestRISCV
import TestSupport
import Testing

@Suite(.serialized, .seeded(1)) struct RandomFloatTests {
    /// The tests' own: the first of them makes what they share.
    static let seed = Seed.current
    static let count = environmentValue("MARTLET_FUZZ_OPERANDS").flatMap { Int($0) } ?? 4096

    /// What programs of one width must print, made once.
    struct Expectations: Sendable {
        var program: FloatProgram
        var all: [(variant: FloatVariant, hash: UInt64)]

        init(_ profile: RandomProfile) {
            let program = RandomFloatTests.program(profile.wordSize)
            self.program = program
            all = FloatVariant.all(profile.extensions, seed: seed).map { ($0, program.expectedHash($0)) }
        }

        static let wide = Expectations(.all), narrow = Expectations(.all32)
        static func of(_ profile: RandomProfile) -> Expectations { profile.wordSize == .bits32 ? narrow : wide }
    }

    private static func program(_ wordSize: WordSize) -> FloatProgram {
        let formats: [RandomFloatFormat?] = [nil, .binary16, .binary32, .binary64]
        return FloatProgram(
            wordSize: wordSize, operands: formats.map { FloatOperands($0, count: count, seed: seed) },
            table: { instruction in
                switch instruction.format?.width {
                case 16: 1
                case 32: 2
                case 64: 3
                default: 0
                }
            })
    }

    static let tiers = [
        RandomMode.interpreter,
        RandomMode(name: "baseline", options: ["-accel", "tcg,tier=baseline"]),
        RandomMode(name: "optimizing", options: ["-accel", "tcg,tier=optimizing"]),
        RandomMode(name: "auto", options: []),
    ]

    @Test(arguments: [RandomProfile.all, .all32])
    func everyInstructionOfTheTablesHasAnOracle(_ profile: RandomProfile) {
        let known = Set(FloatInstruction.all.map(\.name))
        for row in 0..<InstructionTable.count
        where InstructionTable.isAllowed(row, by: profile.extensions) && RowClasses.kind(row) == .float {
            let name = InstructionTable.name(row)
            if name.hasPrefix("fli_") { continue }  // constants: no operands
            #expect(known.contains(name), "no oracle for \(name)")
        }
    }

    @Test(arguments: [RandomProfile.all, .all32])
    func resultsAndFlagsEqualSoftFloatInEveryTier(_ profile: RandomProfile) throws {
        _ = try Workspace.requireMartlet()
        let folder = try RandomFolder()
        let expectations = Expectations.of(profile)
        #expect(expectations.all.count * Self.count >= 1_000_000 || Self.count < 4096)
        for mode in Self.tiers { try check(expectations, mode, folder) }
    }

    @Test(.enabled(if: RandomMode.hasReference), arguments: [RandomProfile.common, .common32])
    func theReferenceEmulatorAgreesWithSoftFloat(_ profile: RandomProfile) throws {
        let folder = try RandomFolder()
        var known = Expectations.of(profile)
        known.all.removeAll {
            !(FloatInstruction.all[$0.variant.instruction].row.map {
                InstructionTable.isAllowed($0, by: profile.extensions)
            } ?? false)
        }
        #expect(!known.all.isEmpty)
        try check(known, .reference(profile.wordSize), folder)
    }

    private func check(_ given: Expectations, _ mode: RandomMode, _ folder: RandomFolder) throws {
        let expectations = given.all
        try writeFile(folder.program, given.program.image(expectations.map(\.variant), isRaw: false))
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
                Issue.record("\(mode.name): \(try explain(expectation.variant, given.program, mode, folder))")
            }
        }
        #expect(reported == 0, "\(mode.name): \(reported) of \(expectations.count) variants are wrong")
    }

    /// Runs one variant alone, with its results written out, and says where it first goes wrong.
    private func explain(
        _ variant: FloatVariant, _ program: FloatProgram, _ mode: RandomMode, _ folder: RandomFolder
    ) throws -> String {
        try writeFile(folder.program, program.image([variant], isRaw: true))
        let run = try mode.run(folder.program, seconds: 60)
        let list = program.operands[program.table(FloatInstruction.all[variant.instruction])]
        var text: [String] = []
        var wrong = 0
        program.expected(variant) { index, result, flags in
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
