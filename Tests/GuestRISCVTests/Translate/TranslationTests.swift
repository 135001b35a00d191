// Long blocks, the ends of blocks, and rounding. What holds for every row of any guest's tables is in ConformanceTests.

import GuestKit
import GuestRISCV
import IR
import TestSupport
import Testing

@Suite struct TranslationTests {
    static let rounded: [UInt32] = [0, 1, 2, 3, 4, 7]

    /// Words of row `i`: free bits random, 16 of them.
    private func words(_ i: Int, _ random: inout SeededRandom) -> [UInt32] {
        let width = InstructionTable.width(i)
        return (0..<16).map { _ in
            let free = UInt32.random(in: 0 ... .max, using: &random) & ~InstructionTable.mask(i)
            return (InstructionTable.match(i) | free) & (width == 32 ? .max : 0xffff)
        }
    }

    @Test(.seeded(2)) func randomLongBlocksEndWhereTheyAreFullAndStayValid() {
        var random = SeededRandom(seed: Seed.current)
        let guest = RISCVGuest(cpu: .standard)
        let rows = (0..<InstructionTable.count).filter {
            InstructionTable.isAllowed($0, by: guest.cpu.extensions) && InstructionTable.width($0) == 32
        }
        for _ in 0..<Rounds.count(200) {
            let code = (0..<64).flatMap { _ in words(rows.randomElement(using: &random)!, &random).prefix(1) }
            for plan in [RegionPlan(), RegionPlan(maxBlocks: 8, maxInstructions: 200)] {
                let translated = Translated(bytes(code), guest: guest, plan: plan)
                #expect(translated.problems == [])
                #expect(translated.instructions > 0)
            }
        }
    }

    // MARK: Ends of blocks

    private let nop: UInt32 = 0x0000_0013

    @Test func instructionCutOffAtTheEndOfCodeIsAskedForAgainWhenReached() {
        let cut = Array(bytes([nop]).prefix(2))
        let first = Translated(cut)
        #expect(first.instructions == 0 && first.text.contains("goto_tb 0, 0x10000"))
        #expect(first.end == testPC)
        let second = Translated(bytes([nop]) + cut)
        #expect(second.end == testPC + 4)
        #expect(second.text.contains("goto_tb 0, 0x10004"))
        #expect(Translated([]).instructions == 0)
        #expect(Translated([0x01]).instructions == 0)
    }

    @Test func illegalInstructionLeavesWithItsOwnAddress() {
        let translated = Translated(bytes([nop, 0x0000_0000]))
        #expect(translated.exits(with: .exception(Cause.illegalInstruction)))
        #expect(translated.end == testPC + 6)
        #expect(translated.text.contains("65540") || translated.text.contains("0x10004"))
    }

    @Test func blockOfOneInstructionNeverJumpsToItself() {
        let translated = Translated(bytes([nop, nop]), plan: RegionPlan(maxBlocks: 1, maxInstructions: 0))
        #expect(translated.instructions == 1)
        #expect(translated.text.contains("goto_tb 0, 0x10004"))
    }

    @Test func loopStaysInItsRegionWithAnExitTest() {
        // nop; addi a0,a0,-1; bnez a0,.-4
        let translated = Translated(
            bytes([nop, 0xfff5_0513, 0xfe05_1ee3]), plan: RegionPlan(maxBlocks: 2, maxInstructions: 64))
        #expect(translated.text.contains("loop @0x10004"))
        #expect(translated.contains(.checkExit))
        #expect(!translated.text.contains("goto_tb 0, 0x10004"))
    }

    @Test func jumpTargetsMustBeAlignedWithoutCompressedInstructions() throws {
        let guest = RISCVGuest(cpu: try RISCVCPU("rv64,c=off"))
        #expect(guest.instructionAlignment == 4)
        for word in [0x0060_006f, 0x00b5_0363, 0x0000_8067] as [UInt32] {  // j .+6; beq a0,a1,.+6; ret
            let translated = Translated(bytes([word]), guest: guest)
            #expect(translated.exits(with: .exception(Cause.misalignedFetch)))
            #expect(translated.problems.isEmpty)
            #expect(!Translated(bytes([word])).exits(with: .exception(Cause.misalignedFetch)))
        }
    }

    // MARK: Rounding

    @Test func dynamicRoundingFollowsTheClassOfTheBlock() {
        let add: UInt32 = 0x02b5_7553  // fadd.d fa0,fa0,fa1
        #expect(Translated(bytes([add]), flags: 0).contains(.fadd))
        #expect(Translated(bytes([add]), flags: 0).ops.allSatisfy { $0.opcode != .fadd || $0.rounding == .dynamic })
        #expect(Translated(bytes([add]), flags: 1).contains(.fadd))
        #expect(
            Translated(bytes([add]), flags: 1).ops.allSatisfy {
                $0.opcode != .fadd || $0.rounding == .nearestMaxMagnitude
            })
        #expect(Translated(bytes([add]), flags: 2).exits(with: .exception(Cause.illegalInstruction)))
    }

    @Test func reservedRoundingModesAreIllegal() {
        for mode in UInt32(0)..<8 {
            let translated = Translated(bytes([0x02b5_0553 | mode << 12]))
            #expect(translated.exits(with: .exception(Cause.illegalInstruction)) == (mode == 5 || mode == 6))
        }
    }

    @Test(arguments: 0..<UInt32(32)) func loadedConstantsHaveTheValuesOfTheirNames(_ index: UInt32) throws {
        for (word, bits) in [(UInt32(0xf010_0053), 32), (0xf210_0053, 64)] {
            let word = word | index << 15
            let name = try #require(disassemble(word)?.split(separator: ",").last.map(String.init))
            let lines = Translated(bytes([word])).text.split(separator: "\n")
            let line = try #require(lines.first { $0.contains("bitcast") })
            let text = try #require(line.split(separator: " ").last).replacing("0x", with: "")
            let pattern = UInt64(bitPattern: try #require(Int64(text, radix: line.contains("0x") ? 16 : 10)))
            let single = Float(bitPattern: UInt32(truncatingIfNeeded: pattern))
            let value = bits == 32 ? Double(single) : Double(bitPattern: pattern)
            switch name {
            case "min": #expect(value == (bits == 32 ? Double(Float.leastNormalMagnitude) : .leastNormalMagnitude))
            case "nan": #expect(value.isNaN && !value.isSignalingNaN && value.sign == .plus)
            default: #expect(value == Double(name))
            }
        }
    }

    @Test func modeAreTheRoundingClass() {
        let guest = RISCVGuest(cpu: .standard)
        let state = UnsafeMutableRawPointer.allocate(byteCount: guest.stateSize, alignment: 64)
        defer { state.deallocate() }
        guest.reset(state)
        let classes: [UInt64] = [0, 0, 0, 0, 1, 2, 2, 2]
        for (frm, expected) in classes.enumerated() {
            state.assumingMemoryBound(to: RISCVState.self).pointee.frm = UInt32(frm)
            #expect(guest.mode(state) == expected)
        }
    }
}
