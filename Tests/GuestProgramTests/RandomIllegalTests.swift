// Words that are no instructions raise SIGILL, each exactly once, in every mode: a program full of them runs under a
// handler that skips them, and its registers come out unchanged.

import GuestRISCV
import TestSupport
import Testing

@Suite(.serialized) struct RandomIllegalTests {
    /// Random words of both lengths that match no row, each with words in between that do.
    static func program(seed: UInt64, count: Int, _ profile: RandomProfile) -> RandomProgram {
        var random = RandomSource(seed: seed)
        let extensions = profile.extensions
        var items: [Item] = []
        while items.count < count {
            let word = UInt32(truncatingIfNeeded: random.next())
            let isLong = word & 3 == 3
            if disassemble(word, extensions: extensions) != nil { continue }
            items.append(Item([isLong ? .word(word) : .half(UInt16(truncatingIfNeeded: word))]))
            if random.chance(30) { items.append(Item([.half(Encode.shortNop)])) }
        }
        return RandomProgram(
            seed: seed, extensions: extensions,
            frame: ProgramFrame(wordSize: profile.wordSize, counter: 31, random: random), collector: 30,
            segments: [Segment(iterations: 2, items: items)], functions: [])
    }

    @Test(.seeded(1), arguments: [RandomProfile.all, .all32])
    func everyWordThatIsNoInstructionRaisesOneSignal(_ profile: RandomProfile) throws {
        _ = try Workspace.requireMartlet()
        let program = Self.program(seed: Seed.current, count: 3000, profile)
        let illegal = program.segments[0].items.filter {
            if case .half(Encode.shortNop) = $0.pieces[0] { false } else { true }
        }
        let folder = try RandomFolder()
        try writeFile(folder.program, program.build().file)
        var hash: UInt64?
        for mode in [RandomMode.interpreter] + RandomMode.others {
            let run = try mode.run(folder.program, seconds: 60)
            #expect(run.ending == "[exit 0]", "\(mode.name): \(run.errorText.suffix(300))")
            #expect(
                run.output.word64(ResultOffset.faults) == UInt64(illegal.count * 2),
                "\(mode.name), seed \(program.seed): as many signals as illegal instructions")
            #expect(hash == nil || hash == run.output.word64(ResultOffset.hash), "\(mode.name), seed \(program.seed)")
            hash = run.output.word64(ResultOffset.hash)
        }
    }

    /// Without a handler the first such word ends the program, with the signal.
    @Test(arguments: [0x0000_0000, 0xffff_ffff, 0x0000_001f, 0x0000_405b, 0xc000_5073] as [UInt32])
    func anIllegalInstructionEndsTheProgram(_ word: UInt32) throws {
        var text: [UInt8] = []
        text.append(word: word)
        for word in ElfImage.exit(0) { text.append(word: word) }
        let folder = try RandomFolder()
        try writeFile(folder.program, elf([Section(address: ProgramMap.text, flags: 5, bytes: text)]))
        for mode in [RandomMode.interpreter] + RandomMode.others {
            let run = try mode.run(folder.program, seconds: 60)
            #expect(run.ending == "[signal 4]", "\(mode.name): \(hex(UInt64(word)))")
        }
    }
}
