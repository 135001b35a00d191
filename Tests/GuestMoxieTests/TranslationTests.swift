// Properties of translation that hold for every row of the table, the disassembler, and the ops of some instructions.

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

    @Test(.seeded(1)) func everyRowWithRandomOperandsTranslatesToValidIR() {
        var random = SeededRandom(seed: Seed.current)
        for row in 0..<rows.count {
            for _ in 0..<Rounds.count(16) {
                let code = rows.bytes(rows.random(row, using: &random))
                let translated = Translated(code, guest: guest, plan: one)
                #expect(translated.problems.isEmpty && !translated.overflowed, "\(rows.name(row)) \(code)")
                #expect(
                    !translated.exits(with: .exception(Exception.illegalInstruction))
                        && translated.end == testPC + UInt64(code.count))
            }
        }
    }

    /// What a row's translation writes and accesses is what the table says of it.
    @Test(.seeded(2)) func rolesAndClassesAreThoseOfTheTranslation() {
        var random = SeededRandom(seed: Seed.current)
        for row in 0..<rows.count {
            let classes = rows.classes(row), name = rows.name(row)
            var writes = false
            for _ in 0..<16 {
                let made = rows.random(row, using: &random)
                let translated = Translated(rows.bytes(made), guest: guest, plan: one)
                let written = Set(translated.ops.map(\.dst.index).filter { $0 < 16 })
                var expected = Set(
                    rows.operands(row).filter { $0.kind == "r" || $0.kind == "x" }.filter { $0.access.contains(.write) }
                        .compactMap { rows.value($0, of: made).map { UInt32($0) } })
                // The frame and stack pointers are no operands of calls and returns.
                if !classes.isDisjoint(with: [.call, .return]) { expected = [0, 1] }
                #expect(written.isSubset(of: expected), "\(name): \(translated.text)")
                if written == expected { writes = true }
                let isFrame = !classes.isDisjoint(with: [.call, .return])
                if !isFrame {
                    #expect(translated.contains(.gld) == classes.contains(.load), "\(name)")
                    #expect(translated.contains(.gst) == classes.contains(.store), "\(name)")
                }
                #expect(
                    translated.contains(.brcond)
                        == (classes.contains(.branch) || name.hasSuffix("div") || name.hasSuffix("mod")), "\(name)")
            }
            #expect(writes, "\(name) does not write what its roles say")
        }
    }

    @Test(.seeded(3)) func whatIsEncodedIsDecoded() {
        var random = SeededRandom(seed: Seed.current)
        for row in 0..<rows.count {
            for _ in 0..<Rounds.count(50) {
                var made = rows.random(row, using: &random)
                for operand in rows.operands(row) {
                    let donor = rows.random(row, using: &random)
                    guard let value = rows.value(operand, of: donor) else { continue }
                    #expect(rows.set(operand, to: value, in: &made) && rows.value(operand, of: made) == value)
                }
                let code = rows.bytes(made)
                let rest = (0..<6).map { _ in UInt8.random(in: 0...255, using: &random) }
                let shown = text(code + rest)
                #expect(shown.length == code.count, "\(rows.name(row))")
                #expect(shown.text.prefix { $0 != " " } == rows.name(row).replacing("_", with: "."))
                for count in 0..<code.count { #expect(text(Array(code.prefix(count))).length == count) }
            }
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

    @Test(.seeded(4)) func randomBytesNeverReachBeyondTheirEnd() {
        var random = SeededRandom(seed: Seed.current)
        for _ in 0..<Rounds.count(2000) {
            let code = (0..<random.below(40)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let translated = Translated(code, guest: guest)
            #expect(translated.problems == [] && translated.end <= testPC + UInt64(max(code.count, 2)))
        }
        #expect(Translated([], guest: guest).instructions == 0)
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
