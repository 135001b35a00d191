// What the compiler makes of the tables in Decode/, compiled by the build plugin as a guest's are, and run: bytes in,
// text out.

import GuestKit
import TestSupport
import Testing

/// A field's function, as a target has them.
func twice(_ value: Int64) -> Int64 { value &* 2 }

/// What the generated disassemblers ask for. The operands' values come in the order of the text.
protocol Sink {
    var text: String { get set }
}

extension Sink {
    mutating func show(_ template: StaticString, _ operands: Int64...) -> Bool {
        var rest = template.description[...]
        var index = 0
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            text += rest[..<open] + String(operands[index])
            index += 1
            rest = rest[rest.index(after: close)...]
        }
        text += rest
        return true
    }
}

struct ByteDisassembler: Sink {
    var extensions: ByteExtensions
    var text = ""
}
struct FormDisassembler: Sink {
    var extensions: FormExtensions
    var text = ""
}
struct ManyDisassembler: Sink {
    var extensions: ManyExtensions
    var text = ""
}
struct TopDisassembler: Sink {
    var extensions: TopExtensions
    var text = ""
}
struct PairDisassembler: Sink {
    var extensions: PairExtensions
    var text = ""
}

/// One of the tables, whatever its types.
struct Subject: Sendable, CustomTestStringConvertible {
    /// What came of some bytes.
    struct Outcome: Equatable {
        var text: String?
        var taken: Int
        var isShort: Bool
    }

    var testDescription: String
    var encodings: InstructionEncodings
    var decode: @Sendable (inout InstructionBytes) -> String?
    var isAllowed: @Sendable (Int) -> Bool

    func outcome(_ bytes: [UInt8]) -> Outcome {
        bytes.withUnsafeBytes { buffer in
            var code = InstructionBytes(buffer)
            let text = decode(&code)
            return Outcome(text: text, taken: code.taken, isShort: code.isShort)
        }
    }

    func text(_ bytes: [UInt8]) -> String? { outcome(bytes).text }

    static func byte(_ extensions: ByteExtensions) -> Subject {
        Subject(
            testDescription: "ByteTable", encodings: ByteTable.encodings,
            decode: { code in
                var sink = ByteDisassembler(extensions: extensions)
                return ByteTable.decode(&code, into: &sink) ? sink.text : nil
            }, isAllowed: { ByteTable.isAllowed($0, by: extensions) })
    }
    static let form = Subject(
        testDescription: "FormTable", encodings: FormTable.encodings,
        decode: { code in
            var sink = FormDisassembler(extensions: .base)
            return FormTable.decode(&code, into: &sink) ? sink.text : nil
        }, isAllowed: { _ in true })
    static func many(_ extensions: ManyExtensions) -> Subject {
        Subject(
            testDescription: "ManyTable", encodings: ManyTable.encodings,
            decode: { code in
                var sink = ManyDisassembler(extensions: extensions)
                return ManyTable.decode(&code, into: &sink) ? sink.text : nil
            }, isAllowed: { ManyTable.isAllowed($0, by: extensions) })
    }
    static let top = Subject(
        testDescription: "TopTable", encodings: TopTable.encodings,
        decode: { code in
            var sink = TopDisassembler(extensions: .base)
            return TopTable.decode(&code, into: &sink) ? sink.text : nil
        }, isAllowed: { _ in true })
    static let wide = Subject(
        testDescription: "PairWide", encodings: PairWide.encodings,
        decode: { code in
            var sink = PairDisassembler(extensions: .base)
            return PairWide.decode(&code, into: &sink) ? sink.text : nil
        }, isAllowed: { _ in true })
    static let narrow = Subject(
        testDescription: "PairNarrow", encodings: PairNarrow.encodings,
        decode: { code in
            var sink = PairDisassembler(extensions: .base)
            return PairNarrow.decode(&code, into: &sink) ? sink.text : nil
        }, isAllowed: { _ in true })

    /// With sets of extensions in which no row takes all words of another.
    static let all: [Subject] = [
        .byte(.base), .byte([.base, .far]), .form, .many(.all.subtracting(.e64)), .many(.all.subtracting(.e65)),
        .many(.e1), .top, .wide, .narrow,
    ]
}

@Suite struct GeneratedDecoderTests {
    @Test func bytesAreJoinedHighFirstAndValuesFollowTheWord() {
        let table = Subject.byte(.base)
        #expect(table.text([0x00]) == "nop")
        #expect(table.text([0x01]) == nil)
        #expect(table.text([0x0d]) == "inc 5")
        #expect(table.text([0x12, 0xfe]) == "ldb 2,-2")
        #expect(table.text([0x1a, 0x80, 0x01]) == "ldh 2,-32767")
        #expect(table.text([0x23, 0x12, 0x34, 0x56, 0x78]) == "ldw 3,305419896")
        #expect(table.text([0x2c, 0x80, 0, 0, 0, 0, 0, 0, 0]) == "ldq 4,\(Int64.min)")
        // Two values behind the word, in the order in which the row names them: disp, then imm * 4 + 4.
        #expect(table.text([0x37, 0xff, 0xff, 0xfe]) == "ldp 7,-4,255")
        #expect(table.text([0x3f, 0xff]) == "ldb 7,510")
        #expect(table.text([0x40, 0x11]) == "add 1,2")
        #expect(table.text([0x41, 0xff]) == "split 1,255,7")
        #expect(Subject.byte([.base, .far]).text([0x41, 0xff]) == nil)
        #expect(table.text([0xbf, 0xff, 0xff]) == "jmp -2")
        #expect(table.text([0xff, 0xff, 0xff, 0xff, 0xff]) == nil)
        #expect(Subject.byte([.base, .far]).text([0xff, 0xff, 0xff, 0xff, 0xfe]) == "jmp -2")
        #expect(Subject.byte([.base, .far]).text([0xdf, 0xff, 0xff, 0xff, 0xff]) == "jmp 137438953471")
    }

    @Test func bigEndianHalfwordsHaveBigEndianImmediates() {
        let table = Subject.form
        #expect(table.text([0x01, 0x30, 0x12, 0x34, 0x56, 0x78]) == "ldi.l 3,305419896")
        #expect(table.text([0x01, 0xf0, 0xff, 0xff, 0xff, 0xff]) == "ldi.l 15,-1")
        #expect(table.text([0x03, 0x00, 0xff, 0xff, 0xff, 0xfe]) == "jsra 4294967294")
        #expect(table.text([0x0c, 0x45, 0xff, 0xfc]) == "ldo.l 4,5,-4")
        #expect(table.text([0x83, 0x2a]) == "inc 3,42")
        #expect(table.text([0xc3, 0xff]) == "beq -2")
        #expect(table.text([0xc8, 0x00]) == nil)
        #expect(table.outcome([0x01, 0x30, 0x12, 0x34, 0x56, 0x78, 0xff]).taken == 6)
    }

    @Test func bitsCountedFromTheTopAreTheSameInWordsOfAllWidths() {
        let table = Subject.top
        #expect(table.text([0x1a, 0x12]) == "ar 1,2")
        #expect(table.text([0x58, 0x12, 0x3f, 0xff]) == "ly 1,2,3,4095")
        #expect(table.text([0xe3, 0x12, 0x3f, 0xff, 0x80, 0x58]) == "ly 1,2,3,-520193")
        #expect(table.text([0xc0, 0xf1, 0x80, 0x00, 0x00, 0x00]) == "lgfi 15,-2147483648")
    }

    @Test func tablesOfOneTargetShareFunctionsAndHaveUnitsOfTheirOwn() {
        #expect(Subject.wide.text([0x03, 0x10, 0x02, 0xe0]) == "add 1,2,3")
        #expect(Subject.narrow.text([0xd1, 0x18]) == "add 1,2,3")
        #expect(Subject.narrow.text([0x11, 0x44]) == "add 1,1,2")
        // The first halfword is the high one, and each is little-endian.
        #expect(Subject.narrow.text([0x02, 0xeb, 0x03, 0x01]) == "add 1,2,3")
        #expect(Subject.narrow.text([0x02, 0xeb, 0x13, 0x01]) == nil)
        #expect(Subject.narrow.text([0xff, 0xf7, 0xff, 0xbf]) == "b -2")
        #expect(Subject.wide.text([0xff, 0xff, 0xff, 0xea]) == "b -4")
    }

    /// A set of extensions in each of the three words, and none of others.
    @Test func gatesLookAtAllWordsOfTheSet() {
        func text(_ row: UInt8, _ bits: [Int]) -> String? {
            Subject.many(bits.reduce(into: []) { $0.formUnion(ManyExtensions(bit: $1)) }).text([42, row])
        }
        #expect(text(0, []) == nil)
        #expect(text(0, [1]) == "old 42")
        #expect(text(0, [1, 100]) == "new 42")
        #expect(text(0, [100]) == "new 42")
        for bit in 0..<ManyExtensions.count { #expect((text(1, [bit]) != nil) == [3, 70, 128].contains(bit)) }
        #expect(text(2, [0, 64, 129]) == "all 42")
        for missing in [0, 64, 129] { #expect(text(2, [0, 64, 129].filter { $0 != missing }) == nil) }
        for bit in 0..<ManyExtensions.count { #expect((text(3, [bit]) == nil) == [2, 66, 127].contains(bit)) }
        #expect(text(4, []) == "always 42")
        #expect(text(5, [5]) == nil)
        #expect(text(5, [5, 6]) == "mixed 42")
        #expect(text(5, [5, 129]) == "mixed 42")
        #expect(text(5, [5, 6, 64]) == nil)
        #expect(text(6, [64, 65]) == "first 42")
        #expect(text(6, [65]) == "second 42")
        #expect(text(6, []) == "third 42")
    }

    @Test func setsOfSeveralWordsAreSets() {
        let one: ManyExtensions = [.e1, .e64, .e129]
        var other = one
        #expect(one.contains(.e64) && !one.contains(.e65) && one.contains(bit: 129) && !one.contains(bit: 128))
        #expect(other.insert(.e65).inserted && !other.insert(.e65).inserted)
        #expect(other.isStrictSuperset(of: one) && other.subtracting(one) == .e65)
        #expect(other.remove(.e65) == .e65 && other.remove(.e65) == nil && other == one)
        #expect(other.update(with: .e1) == .e1 && one.symmetricDifference([.e1, .e2]) == [.e2, .e64, .e129])
        #expect(ManyExtensions.all.isSuperset(of: one) && ManyExtensions().isEmpty && !one.isEmpty)
        #expect((0..<ManyExtensions.count).allSatisfy { ManyExtensions.all.contains(bit: $0) })
        #expect(ManyExtensions.all.word(2) == 3 && ManyExtensions.count == 130)
        #expect(ManyExtensions.implied(by: 129) == [.e1, .e100])
        #expect(ManyExtensions.name(129) == "e129")
    }

    @Test func rowsTellWithWhatTheyAreLegal() throws {
        for row in 0..<ManyTable.count {
            #expect(ManyTable.isAllowed(row, by: ManyTable.extension(row)), "\(ManyTable.name(row))")
        }
        let mixed = try #require((0..<ManyTable.count).first { ManyTable.name($0) == "mixed" })
        #expect(ManyTable.extension(mixed) == [.e5, .e6])
        #expect(!ManyTable.isAllowed(mixed, by: .all))
        #expect(!ByteTable.isAllowed((0..<ByteTable.count).first { ByteTable.name($0) == "split" } ?? 0, by: .all))
    }
}

@Suite struct EncodingTests {
    /// Rows that print another function's text.
    private static let others = [
        "ldt": "ldb", "jmp_far": "jmp", "l": "ly", "add_two": "add", "b_w": "b", "add_w": "add",
    ]

    /// Each row with random operands: what is encoded is what is decoded, of the right length, and the operands that the
    /// table tells are those that are printed.
    @Test(.seeded(1), arguments: Subject.all) func whatIsEncodedIsDecoded(_ subject: Subject) {
        var random = SeededRandom(seed: Seed.current)
        let rows = subject.encodings
        for row in 0..<rows.count where subject.isAllowed(row) {
            var checked = 0
            for _ in 0..<Rounds.count(200) {
                var made = rows.random(row, using: &random)
                for operand in rows.operands(row) {
                    // Any value that another instruction of the row has can be set.
                    let donor = rows.random(row, using: &random)
                    if let value = rows.value(operand, of: donor) {
                        #expect(rows.set(operand, to: value, in: &made), "\(rows.name(row)) \(operand.name) \(value)")
                    }
                }
                guard rows.isItself(made, where: subject.isAllowed) else { continue }
                // A field that two operands read has the later one's value.
                let values = rows.operands(row).map { rows.value($0, of: made) }
                checked += 1
                let bytes = rows.bytes(made)
                let rest = (0..<8).map { _ in UInt8.random(in: 0...255, using: &random) }
                let outcome = subject.outcome(bytes + rest)
                #expect(outcome.taken == bytes.count && !outcome.isShort)
                let name = (Self.others[rows.name(row)] ?? rows.name(row)).replacing("_", with: ".")
                if !values.contains(nil) {
                    let operands = values.map { String($0 ?? 0) }.joined(separator: ",")
                    #expect(outcome.text == (operands.isEmpty ? name : "\(name) \(operands)"))
                }
                for count in 0..<bytes.count {
                    let short = subject.outcome(Array(bytes.prefix(count)))
                    #expect(short.text == nil && short.isShort, "\(name): \(count) bytes of \(bytes.count)")
                }
            }
            #expect(checked > 0, "\(rows.name(row))")
        }
    }

    @Test(.seeded(2), arguments: Subject.all) func noBytesReachBeyondTheirEnd(_ subject: Subject) {
        var random = SeededRandom(seed: Seed.current)
        for _ in 0..<Rounds.count(20_000) {
            let bytes = (0..<random.below(10)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let outcome = subject.outcome(bytes)
            #expect(outcome.taken <= bytes.count)
            if outcome.text != nil { #expect(!outcome.isShort && outcome.taken > 0) }
        }
    }

    private func row(_ rows: InstructionEncodings, _ name: String) throws -> Int {
        try #require((0..<rows.count).first { rows.name($0) == name })
    }

    @Test func rowsHaveClassesAndRoles() throws {
        let rows = FormTable.encodings
        #expect(rows.classes(try row(rows, "ldo_l")) == .load)
        #expect(rows.classes(try row(rows, "sto_l")) == .store)
        #expect(rows.classes(try row(rows, "swi")) == .trap)
        #expect(rows.classes(try row(rows, "nop")).isEmpty)
        #expect(!rows.classes(try row(rows, "beq")).isDisjoint(with: .control))
        let load = rows.operands(try row(rows, "ldo_l"))
        #expect(load.map(\.name) == ["a", "b", "offset"] && load.map(\.kind) == ["x", "x", "imm"])
        #expect(load.map(\.access) == [.write, [.read, .address], []])
        #expect(load[2].source == .trailing(index: 0))
        // The format's role instead of the argument set's.
        #expect(rows.operands(try row(rows, "sto_l"))[0].access == .read)
        let pair = ByteTable.encodings.operands(try row(ByteTable.encodings, "ldp"))
        #expect(pair.map(\.source) == [.word, .trailing(index: 1), .trailing(index: 0)])
        #expect(pair[1].shift == 2 && pair[1].offset == 4 && pair[1].isSigned)
    }

    @Test func valuesThatTheEncodingHasNotAreRefused() throws {
        let rows = ByteTable.encodings
        let jump = try row(rows, "jmp")
        let target = rows.operands(jump)[0]
        var made = rows.instruction(jump, word: rows.match(jump))
        for value: Int64 in [1, -1, 1 << 22, -(1 << 22) - 2, .max, .min] {
            #expect(!rows.set(target, to: value, in: &made) && made.word == rows.match(jump), "\(value)")
        }
        for value: Int64 in [0, 2, -2, (1 << 22) - 2, -(1 << 22)] {
            #expect(rows.set(target, to: value, in: &made) && rows.value(target, of: made) == value, "\(value)")
        }
        let split = try row(rows, "split")
        made = rows.instruction(split, word: rows.match(split))
        #expect(rows.set(rows.operands(split)[2], to: 7, in: &made))
        #expect(!rows.set(rows.operands(split)[2], to: 8, in: &made))
        let opaque = try row(rows, "ldt")
        made = rows.instruction(opaque, word: rows.match(opaque))
        #expect(rows.value(rows.operands(opaque)[1], of: made) == nil)
        #expect(!rows.set(rows.operands(opaque)[1], to: 0, in: &made))
    }

    @Test(arguments: [
        (1, CodeLayout.Order.little, true, [0x11, 0x22, 0x33, 0x44] as [UInt8]),
        (1, .big, false, [0x44, 0x33, 0x22, 0x11]),
        (2, .little, false, [0x44, 0x33, 0x22, 0x11]),
        (2, .little, true, [0x22, 0x11, 0x44, 0x33]),
        (2, .big, false, [0x33, 0x44, 0x11, 0x22]),
        (2, .big, true, [0x11, 0x22, 0x33, 0x44]),
        (2, .data, true, [0x11, 0x22, 0x33, 0x44]),
        (4, .little, true, [0x44, 0x33, 0x22, 0x11]),
        (4, .data, false, [0x11, 0x22, 0x33, 0x44]),
    ])
    func wordsLieInMemoryAsTheLayoutSays(unit: Int, order: CodeLayout.Order, joinsHigh: Bool, bytes: [UInt8]) {
        let layout = CodeLayout(unit: unit, order: order, joinsHigh: joinsHigh)
        #expect(layout.bytes(0x1122_3344, count: 4, dataIsBig: true) == bytes)
        bytes.withUnsafeBytes { buffer in
            var code = InstructionBytes(buffer, dataIsBig: true)
            #expect(code.reaches(4) && code.peek(4, layout) == 0x1122_3344)
            #expect(code.take(4, layout) == 0x1122_3344 && code.taken == 4)
            #expect(!code.reaches(1) && code.isShort)
        }
    }
}
