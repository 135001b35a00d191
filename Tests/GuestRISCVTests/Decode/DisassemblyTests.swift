// The generated decoder, seen through the disassembler: each word must be the instruction, with the operands, that two
// other disassemblers say it is.

import GuestKit
import Testing

@testable import GuestRISCV

@Suite struct DisassemblyTests {
    private func check(_ expectations: String, _ extensions: RISCVExtensions) {
        for line in expectations.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 3)
            guard parts.count == 4, let pc = UInt64(parts[1], radix: 16), let word = UInt32(parts[2], radix: 16) else {
                Issue.record("bad line: \(line)")
                continue
            }
            let text = disassemble(word, pc: pc, extensions: extensions) ?? "illegal"
            #expect(text == parts[3], "\(line)")
        }
    }

    @Test func wordsReadAsOtherDisassemblersReadThem() {
        check(disassemblyExpectations, .everything64)
    }

    @Test func pushAndPopTakeThePlaceOfCompressedDoubles() {
        check(disassemblyExpectationsZcmp, .everything64.subtracting(.zcd).union(.zcmp))
    }

    /// The number of legal halfwords, which another disassembler confirmed one by one.
    @Test(arguments: [(false, 47759), (true, 46215)])
    func exactlyTheDefinedCompressedEncodingsDecode(is32: Bool, expected: Int) {
        let extensions: RISCVExtensions = is32 ? .everything64.subtracting(.rv64).union(.rv32) : .everything64
        let legal = (UInt32(0)...0xffff).count { $0 & 3 != 3 && disassemble($0, extensions: extensions) != nil }
        #expect(legal == expected)
    }

    /// Branches print absolute targets, which wrap around at 32 bits on RV32.
    @Test func targetsAreRelativeToTheProgramCounter() {
        #expect(disassemble(0xffdf_f06f, pc: 0x1000) == "j 0xffc")
        #expect(disassemble(0xffdf_f06f, pc: 0) == "j 0xfffffffffffffffc")
        #expect(disassemble(0xffdf_f06f, pc: 0, extensions: [.rv32, .i]) == "j 0xfffffffc")
    }

    @Test func wordsOfAnotherRegisterWidthAreIllegal() {
        #expect(disassemble(0x0005_3503, extensions: [.rv32, .i]) == nil)  // ld
        #expect(disassemble(0x0205_1513, extensions: [.rv32, .i]) == nil)  // slli by 32
        #expect(disassemble(0x2001, extensions: [.rv32, .i, .zca]) == "jal 0x0")
        #expect(disassemble(0x2505, extensions: [.rv64, .i, .zca]) == "addiw a0,a0,1")
    }
}

/// Numbers that look random and are the same on each run (xorshift).
struct WordSource {
    private var state: UInt64 = 0x9e37_79b9_7f4a_7c15

    mutating func next() -> UInt32 {
        state ^= state &<< 13
        state ^= state &>> 7
        state ^= state &<< 17
        return UInt32(truncatingIfNeeded: state &>> 16)
    }
}

@Suite struct InstructionTableTests {
    /// Words of row `i`, with the other bits at random.
    private func words(_ i: Int) -> [UInt32] {
        var source = WordSource()
        let used: UInt32 = InstructionTable.width(i) == 16 ? 0xffff : .max
        return (0..<64).map { _ in
            (source.next() & ~InstructionTable.mask(i) & used) | InstructionTable.match(i)
        }
    }

    @Test func everyRowDecodesWithItsExtensionsAlone() {
        #expect(InstructionTable.count > 300)
        for i in 0..<InstructionTable.count {
            let needed = InstructionTable.extension(i)
            #expect(InstructionTable.isAllowed(i, by: needed))
            let decoded = words(i).contains { disassemble($0, extensions: needed) != nil }
            #expect(decoded, "\(InstructionTable.name(i))")
        }
    }

    @Test func nothingDecodesWithoutExtensions() {
        for i in 0..<InstructionTable.count {
            #expect(!InstructionTable.isAllowed(i, by: []), "\(InstructionTable.name(i))")
            for word in words(i) { #expect(disassemble(word, extensions: []) == nil) }
        }
    }

    /// The decoder that takes words from code bytes says the same as the one that is given them.
    @Test func bytesDecodeAsTheirWordsDo() {
        let rows = InstructionTable.encodings
        for row in 0..<rows.count {
            for word in words(row).prefix(8) {
                let bytes = rows.bytes(rows.instruction(row, word: UInt64(word)))
                #expect(bytes.count * 8 == rows.width(row))
                let text = bytes.withUnsafeBytes { buffer -> String? in
                    var disassembler = RISCVDisassembler(extensions: .everything64, pc: 0)
                    var code = InstructionBytes(buffer)
                    defer { #expect(code.taken == bytes.count && !code.isShort) }
                    return decode(&code, into: &disassembler) ? disassembler.text : nil
                }
                #expect(text == disassemble(word))
            }
        }
    }

    /// What decodes is in the table, and what the table allows decodes unless a reserved encoding lies inside it.
    @Test func decoderAndTableAgreeOnRandomWords() {
        var source = WordSource()
        for _ in 0..<20_000 {
            let word = source.next()
            let bits: UInt32 = word & 3 == 3 ? word : word & 0xffff
            let width = word & 3 == 3 ? 32 : 16
            let extensions = RISCVExtensions.everything64
            let listed = (0..<InstructionTable.count).contains {
                InstructionTable.width($0) == width && bits & InstructionTable.mask($0) == InstructionTable.match($0)
                    && InstructionTable.isAllowed($0, by: extensions)
            }
            let decoded = disassemble(bits, extensions: extensions) != nil
            #expect(listed || !decoded)
            if width == 32 { #expect(listed == decoded) }
        }
    }
}

@Suite struct ExtensionTests {
    @Test func isaStringsAreReadCompletedAndPrinted() throws {
        let set = try #require(RISCVExtensions(isaString: "rv64gc_zba_zcb"))
        #expect(set.isSuperset(of: [.rv64, .i, .m, .a, .f, .d, .c, .zba, .zcb, .zca, .zicsr, .zifencei]))
        #expect(!set.contains(.zbb))
        #expect(RISCVExtensions(isaString: set.isaString) == set)
        #expect(set.isaString.hasPrefix("rv64imafdc_zicsr_zifencei"))
        for wrong in ["", "rv128i", "rv64q", "rv64i_zwhat", "x86", "rv64i_m"] {
            #expect(RISCVExtensions(isaString: wrong) == nil, "\(wrong)")
        }
    }

    @Test func implicationsAreTransitive() {
        #expect(RISCVExtensions.d.completed.isSuperset(of: [.f, .zicsr]))
        #expect(RISCVExtensions.zfh.completed.isSuperset(of: [.zfhmin, .f, .zicsr]))
    }

    @Test func namesFindTheirBits() {
        for bit in 0..<RISCVExtensions.count {
            #expect(RISCVExtensions.named(RISCVExtensions.name(bit))?.rawValue == 1 << UInt64(bit))
            #expect(!RISCVExtensions.summary(bit).isEmpty)
        }
        #expect(RISCVExtensions.named("zzz") == nil)
    }
}
