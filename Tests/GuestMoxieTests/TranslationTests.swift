// Which encodings there are, what is cut off, and the ops of some instructions. What holds for every row of any guest's table is in
// ConformanceTests.

import GuestKit
import IR
import TestSupport
import Testing

@testable import GuestMoxie

private let rows = InstructionTable.encodings
private let one = RegionPlan(maxBlocks: 1, maxInstructions: 1)

@Suite struct TranslationTests {
    private let guest = MoxieGuest()

    private func text(_ code: [UInt8], at pc: UInt64 = testPC) -> (text: String, length: Int) {
        code.withUnsafeBytes { guest.disassemble($0, at: pc) }
    }

    @Test(.seeded(3)) func instructionsThatAreCutOffHaveTheLengthOfWhatIsThere() {
        var random = SeededRandom(seed: Seed.current)
        for row in 0..<rows.count {
            let code = rows.bytes(rows.random(row, using: &random))
            for count in 0..<code.count { #expect(text(Array(code.prefix(count))).length == count) }
        }
    }

    /// All first halfwords: those of rows are instructions, all others are `bad` and illegal. The high byte says which.
    @Test func exactlyTheRowsAreLegal() {
        #expect((0..<rows.count).allSatisfy { rows.mask($0) & 0xff == 0 })
        for high in 0...UInt8.max {
            let isRow = (0..<rows.count).contains { UInt64(high) << 8 & rows.mask($0) == rows.match($0) }
            for low in 0...UInt8.max {
                #expect((text([high, low, 0, 0, 0, 0]).text != "bad") == isRow, "\(high) \(low)")
            }
            let translated = Translated([high, 0, 0, 0, 0, 0], guest: guest, plan: one)
            #expect(translated.exits(with: .exception(Exception.illegalInstruction)) == !isRow)
        }
    }

    @Test func anInstructionThatIsCutOffIsAskedForAgain() {
        #expect(Translated([0x01, 0x20, 0, 0, 0], guest: guest).text.contains("goto_tb 0, 0x10000"))
    }

    private func ops(_ code: [UInt8]...) -> [String] {
        let text = Translated(
            code.flatMap { $0 }, guest: guest, plan: RegionPlan(maxBlocks: 1, maxInstructions: code.count)
        ).text
        return text.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.contains("insn_start") }.map {
            String($0.dropFirst(2))
        }
    }

    @Test func someInstructionsAreTheseOps() {
        #expect(ops(Moxie.code("add", 2, 3))[0] == "r0 = add.i32 r0, r1")
        #expect(ops(Moxie.code("ldi_b", 2, 0xffff_ffff))[0] == "r0 = mov.i32 -1")
        #expect(ops(Moxie.code("dec", 15, 255))[0] == "r13 = add.i32 r13, -255")
        #expect(ops(Moxie.code("ldo_s", 2, 1, -2))[0] == "r0 = gld.i32.u16.be [sp - 2]")
        #expect(
            Array(ops(Moxie.code("cmp", 2, 3), Moxie.code("bgtu", -4)).prefix(3)) == [
                "cmp0 = mov.i32 r0", "cmp1 = mov.i32 r1", "brcond.gtu.i32 cmp0, cmp1, block0, block1",
            ])
        #expect(ops(Moxie.code("lda_l", 2, 0xffff_fff0))[0] == "r0 = gld.i32.u32.be [-16:i32]")
    }
}
