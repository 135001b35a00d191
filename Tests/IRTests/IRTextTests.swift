// The text form: every op in every qualified shape prints and parses back, and bad text is a typed error with its line.

import TestSupport
import Testing

@testable import IR

/// The globals and helpers of these tests.
let testGlobals = [
    GlobalDescriptor(name: "a0", type: .i64, offset: 0), GlobalDescriptor(name: "a1", type: .i64, offset: 8),
    GlobalDescriptor(name: "w0", type: .i32, offset: 16), GlobalDescriptor(name: "w1", type: .i32, offset: 20),
    GlobalDescriptor(name: "s0", type: .f32, offset: 24), GlobalDescriptor(name: "f0", type: .f64, offset: 32),
]
let testHelpers = [
    HelperDescriptor("nothing", { _, _, _, _, _ in 0 }, arguments: 0, result: false),
    HelperDescriptor("sum", { _, a, b, _, _ in a &+ b }, arguments: 2),
    HelperDescriptor("all_four", { _, a, b, c, d in a ^ b ^ c ^ d }, arguments: 4),
]

func parsed(_ text: String) throws -> Region { try Region.parse(text, globals: testGlobals, helpers: testHelpers) }

func printed(_ region: Region) -> String { region.print(globals: testGlobals, helpers: testHelpers) }

/// A region of one sample op, ended if the op does not end it.
func sampleText(_ line: String, endsBlock: Bool) -> String {
    "region 0x1000 flags 5 insns 1 bytes 4\nblock0 loop weight 9 @0x1000:\n  \(line)\n"
        + (endsBlock ? "" : "  br block1\n") + "block1 cold:\n  exit_tb 16\n"
}

/// Canonical text of every opcode, by hand: the format as users know it.
private func samples(_ opcode: Opcode) -> [String] {
    let name = "\(opcode.row.name)"
    return switch opcode {
    case .mov: ["a0 = mov.i64 a1", "%7 = mov.f64 f0", "$8 = mov.i32 -5", "a0 = mov.i64 0x123456789abc"]
    case .bitcast: ["f0 = bitcast.f64 a0", "%9 = bitcast.f32 0x3f800000", "w0 = bitcast.i32 s0", "f0 = bitcast.f64 0"]
    case .and, .or, .xor, .andc, .orc, .eqv, .shl, .shr, .sar, .rotl, .rotr, .add, .sub, .mul, .mulhu, .mulhs, .divu,
        .divs, .remu, .rems, .clmul:
        ["a0 = \(name).i64 a0, a1", "%9 = \(name).i32 w0, 31", "a0 = \(name).i64 -0x8000000000000000, -1"]
    case .not, .clz, .ctz, .popcnt, .bswap, .neg: ["a0 = \(name).i64 a1", "w0 = \(name).i32 w1"]
    case .extract, .sextract: ["a0 = \(name).i64 a1, 8, 56", "w0 = \(name).i32 w1, 0, 1"]
    case .deposit: ["a0 = deposit.i64 a1, 0, 63, 1"]
    case .setcond: ["a0 = setcond.ltu.i64 a0, a1", "%9:i32 = setcond.tstne.i32 w0, 1"]
    case .select:
        ["f0 = select.ge.i32 w0, 0, f0, f0", "%9 = select.eq.i64 a0, a1, 1, 2", "%9:i32 = select.eq.i64 a0, a1, 1, 2"]
    case .trunc: ["w0 = trunc a0", "%10 = trunc 0x100000000"]
    case .zext, .sext: ["a0 = \(name) w0", "%10 = \(name) -1"]
    case .br: ["br block1"]
    case .brcond: ["brcond.gtu.i64 a0, 4095, block1, block0"]
    case .call: ["call nothing()", "a0 = call sum(a1, 3)", "%11 = call all_four(1, 2, 3, 4)"]
    case .ld: ["a0 = ld.i64.s8 [-16]", "s0 = ld.f32.u32 [64]"]
    case .st: ["st.i64.u16.be [0x1000], a0", "st.f64.u64 [8], f0"]
    case .gld:
        [
            "a0 = gld.i64.u32 [a1 + 8]", "w0 = gld.i32.s16.be.al.mmu3 [a0 - 0x1000]", "f0 = gld.f64.u64 [a0]",
            "w0 = gld.i32.u8 [w1 - 8]",
        ]
    case .gst: ["gst.i64.u8 [a1], a0", "gst.f32.u32.al [0x2000 + 4], s0", "gst.i32.u16 [0x1000:i32 + 2], w0"]
    case .grmw: ["a0 = grmw.umax.i64.u32.al [a1], 1", "w0 = grmw.swap.i32.s32 [a0], w1"]
    case .gcas: ["a0 = gcas.i64.u64.al [a1], 0, a0", "w0 = gcas.i32.s32.al [w1], w0, 1"]
    case .gcas128: ["gcas128.u128.al [a1], [512]"]
    case .fence: ["fence", "fence.ll.ss", "fence.ll.ls.sl.ss"]
    case .fadd, .fsub, .fmul, .fdiv, .fmin, .fmax, .fminimum, .fmaximum:
        ["f0 = \(name).f64 f0, f0", "s0 = \(name).f32.rtz s0, s0"]
    case .fsqrt, .fneg, .fabs: ["f0 = \(name).f64 f0", "s0 = \(name).f32.rmm s0"]
    case .fma: ["f0 = fma.f64 f0, f0, f0", "s0 = fma.f32.negproduct.negaddend.rup s0, s0, s0"]
    case .fcopysign: ["f0 = fcopysign.negated.f64 f0, f0"]
    case .fsetcond: ["a0 = fsetcond.sle.f32 s0, s0"]
    case .fround: ["f0 = fround.f64.rdn f0", "f0 = fround.f64.inexact f0"]
    case .fcvt: ["f0 = fcvt.from32.to64 s0", "s0 = fcvt.from64.to16.rtz f0", "%9 = fcvt.from16.to32 s0"]
    case .ftoi: ["a0 = ftoi.f64.u.rtz f0", "%9:i32 = ftoi.f32 s0"]
    case .itof: ["f0 = itof.f64.u.rne a0", "s0 = itof.f32 w0", "f0 = itof.f64 7", "f0 = itof.f64 7:i32"]
    case .boxf: ["f0 = boxf.b32 s0"]
    case .unboxf: ["s0 = unboxf.b16 f0"]
    case .delta: ["a0 = delta"]
    case .fpGetFlags: ["a0 = fp_get_flags"]
    case .fpSetFlags, .fpSetRounding: ["\(name) 3"]
    case .insnStart, .checkExit: ["\(name) 0xffffffffffffffff"]
    case .countExecution: ["count_execution 65535, 0x1000"]
    case .countInstructions: ["count_insns 65535, 0x1000"]
    case .pushReturn: ["push_return 3, 0x1004"]
    case .popReturn: ["pop_return a0"]
    case .gotoTB: ["goto_tb 255, 0x1004"]
    case .exitTB: ["exit_tb 0xffffffff", "exit_tb 0x200000014"]
    case .lookupAndGoto: ["lookup_and_goto a0", "lookup_and_goto.return a0"]
    case .gotoCached: ["goto_cached 0, 12, a0", "goto_cached 255, -1, a0"]
    }
}

@Test(arguments: Opcode.allCases) func canonicalTextOfEveryOpParsesVerifiesAndPrintsTheSame(_ opcode: Opcode) throws {
    let lines = samples(opcode)
    #expect(!lines.isEmpty)
    for line in lines {
        let text = sampleText(line, endsBlock: opcode.row.effects.contains(.terminator))
        let region = try parsed(text)
        defer { region.deallocate() }
        #expect(region.ops[0].opcode == opcode)
        #expect(printed(region) == text)
        #expect(region.verify(globals: testGlobals, helpers: testHelpers) == [])
    }
}

/// Ops of `opcode` in every possible type and with every word of every qualifier, on globals of the right types.
private func everyShape(of opcode: Opcode) -> [(op: Op, resultType: ValueType?)] {
    let form = opcode.form
    var shapes = [Op(opcode, .i64, aux: form.qualifiers.reduce(0) { $0 | $1.unwritten })]
    for qualifier in form.qualifiers where qualifier.isRequired {
        shapes = shapes.flatMap { op in
            qualifier.words.map { _, bits in
                var op = op
                op.aux = op.aux & ~qualifier.mask | bits
                return op
            }
        }
    }
    for qualifier in form.qualifiers where !qualifier.isRequired {
        shapes += qualifier.words.map { _, bits in
            var op = shapes[shapes.count / 2]
            op.aux = op.aux & ~qualifier.mask | bits
            return op
        }
    }
    return shapes.flatMap { op in
        ValueType.allCases.compactMap { type -> (Op, ValueType?)? in
            var op = op
            op.type = type
            return !type.isVector && form.types.allows(op)
                ? (op, opcode.row.hasResult ? form.result.unwritten(op) : nil) : nil
        }
    }
}

@Test(arguments: Opcode.allCases) func everyQualifierOfEveryOpSurvivesText(_ opcode: Opcode) throws {
    for (shape, resultType) in everyShape(of: opcode) {
        let region = Region.allocate(globals: testGlobals)
        defer { region.deallocate() }
        region.reset(pc: 0x1000)
        var ir = IRBuilder(region: region)
        let entry = ir.newBlock()
        ir.begin(entry)
        var op = shape
        if let resultType, opcode != .call { op.dst = region.newTemp(.local, resultType) }
        for operand in opcode.form.operands {
            switch operand {
            case .value(let field, let rule):
                op[field] = region.newTemp(.temp, rule.unwritten(op, result: resultType ?? op.type))
            case .block(let field): op[field] = Temp(0)
            case .address, .plainAddress: op.a = Temp(0)
            case .field: op.imm = 3 | 5 << 8
            case .stateOffset, .guestPC, .number: op.imm = 0x7fff_1234_5678
            case .slot: region.s.pointee.slotCount = 1
            case .helperCall: break
            }
            if case .address = operand { op.imm = -9 }
        }
        region.append(op)
        region.blocks[0].end = 1
        let text = printed(region)
        let again = try parsed(text)
        defer { again.deallocate() }
        #expect(region.hasSameContents(as: again), "\(text)")
        #expect(printed(again) == text)
    }
}

@Test func sameContentsSeesEveryDifference() throws {
    let text = "region 0x1000 flags 0\nblock0:\n  %9 = add.i64 a0, 16\n  a0 = mov.i64 %9\n  exit_tb 16\n"
    let region = try parsed(text)
    defer { region.deallocate() }
    for (old, new) in [
        ("0x1000", "0x1004"), ("flags 0", "flags 1"), ("add", "sub"), ("a0, 16", "a0, 17"), ("a0, 16", "a1, 16"),
        ("%9", "$9"), ("a0 = ", "a1 = "), ("exit_tb 16", "exit_tb 17"), ("block0:", "block0 cold:"),
        ("block0:", "block0 @0x4:"), ("%9", "%10"), ("  a0 = mov.i64 %9\n", ""), ("flags 0", "flags 0 slots 1"),
    ] {
        let other = try parsed(text.split(separator: old, omittingEmptySubsequences: false).joined(separator: new))
        defer { other.deallocate() }
        #expect(!region.hasSameContents(as: other), "\(old) -> \(new)")
    }
}

@Test func blocksKeepTheirNumbersWhateverTheirOrder() throws {
    let text = """
        region 0x1000 flags 0
        block0:
          br block2
        block2 cold @0x1010:
          br block1
        block1:
          exit_tb 16

        """
    let region = try parsed(text)
    defer { region.deallocate() }
    #expect(printed(region) == text)
    #expect(region.blocks[2].guestPC == 0x1010 && region.blocks[2].start == 1 && region.blocks[1].start == 2)
}

@Test func commentsBlankLinesAndCarriageReturnsDoNotCount() throws {
    let region = try parsed("# about\r\n\r\nregion 0x10 flags 0 # here\r\nblock0:\r\n  exit_tb 16 # there\r\n")
    defer { region.deallocate() }
    #expect(region.opCount == 1 && region.s.pointee.guestPC == 0x10)
}

@Test func constantsShareATempByValueAndType() throws {
    let region = try parsed(
        "region 0 flags 0\nblock0:\n  a0 = add.i64 5, 5\n  w0 = add.i32 5, -1\n"
            + "  w0 = add.i32 0xffffffff, 5\n  exit_tb 16\n"
    )
    defer { region.deallocate() }
    #expect(region.ops[0].a == region.ops[0].b)
    #expect(region.ops[1].a == region.ops[2].b && region.ops[1].a != region.ops[0].a)
    #expect(region.ops[1].b == region.ops[2].a && region.constValue(region.ops[1].b) == -1)
}

@Test func aBadRegionPrintsWithoutTrapping() {
    let region = Region.allocate(globals: testGlobals)
    defer { region.deallocate() }
    region.append(Op(.add, .i64, dst: Temp(9999), a: .none, b: Temp(77)))
    region.append(Op(.call, .i64, aux: 7, dst: Temp(0), imm: -1))
    region.append(Op(.fadd, .f64, aux: 0xffff, dst: Temp(0)))
    region.blocks[0] = Block(start: 0, end: 99, guestPC: 0)
    region.s.pointee.blockCount = 1
    #expect(
        printed(region) == """
            region 0x0 flags 0
            block0:
              ?9999 = add.i64 ?, ?77
              a0 = call ?helper-1(?, ?, ?, ?)
              a0 = fadd.f64.anynan ?, ?

            """)
    #expect(!region.verify(globals: testGlobals, helpers: testHelpers).isEmpty)
}

@Test(arguments: [
    ("", 1, "no `region` line"),
    ("block0:\n exit_tb 1", 2, "no `region` line"),
    ("region 0 flags 0", 1, "no block"),
    ("region 0 flags 0\nregion 0 flags 0", 2, "second `region` line"),
    ("region 0 colour 0", 1, "unknown word `colour`"),
    ("region x", 1, "expected a number"),
    ("region 0 insns -1", 1, "bad count"),
    ("region 0 flags 0\n  exit_tb 1", 2, "an op outside a block"),
    ("region 0 flags 0\nblock0:\nblock0:", 3, "second block0"),
    ("region 0 flags 0\nblock0 warm:", 2, "unknown word `warm`"),
    ("region 0 flags 0\nblock3:\n  exit_tb 1", 2, "block3 of 1 blocks"),
    ("region 0 flags 0\nblok:", 2, "expected a block"),
    ("region 0 flags 0\nblock0:\n  exit_tb \"1\"", 3, "unexpected character"),
    ("region 0 flags 0\nblock0:\n  frobnicate a0", 3, "unknown op `frobnicate`"),
    ("region 0 flags 0\nblock0:\n  a0 =", 3, "no op"),
    ("region 0 flags 0\nblock0:\n  a0 a1 = mov.i64 a1", 3, "bad result"),
    ("region 0 flags 0\nblock0:\n  a0:i64 = mov.i64 a1", 3, "a global has its own type"),
    ("region 0 flags 0\nblock0:\n  5 = mov.i64 a1", 3, "`5` is not a temp, a local or a global"),
    ("region 0 flags 0\nblock0:\n  %2 = mov.i64 a1", 3, "`%2`: this index belongs to a global"),
    ("region 0 flags 0\nblock0:\n  %99999999 = mov.i64 a1", 3, "`%99999999` is not a temp, a local or a global"),
    ("region 0 flags 0\nblock0:\n  mov.i64 a1", 3, "`mov` has a result"),
    ("region 0 flags 0\nblock0:\n  a0 = br block0", 3, "`br` has no result"),
    ("region 0 flags 0\nblock0:\n  a0 = mov a1", 3, "`mov` needs a type"),
    ("region 0 flags 0\nblock0:\n  a0 = setcond.i64 a0, a1", 3, "`setcond` needs a condition"),
    ("region 0 flags 0\nblock0:\n  a0 = setcond.eq.ne.i64 a0, a1", 3, "`setcond` takes no `.ne` here"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64.i32 a0, a1", 3, "`add` takes no `.i32` here"),
    ("region 0 flags 0\nblock0:\n  a0 = gld.i64.u8.mmu1.mmu2 [a0]", 3, "`gld` takes no `.mmu2` here"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0", 3, "expected `,`"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0,", 3, "an operand is missing"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0, a1, a1", 3, "`,` is too much"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0, b7", 3, "unknown value `b7`"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0, %9", 3, "`%9` is never assigned"),
    ("region 0 flags 0\nblock0:\n  %9 = add.i64 a0, a0\n  %9 = trunc a0", 4, "`%9` is both i64 and i32"),
    ("region 0 flags 0\nblock0:\n  %9 = add.i64 a0, a0\n  $9 = neg.i64 a0", 4, "index 9 is both a temp and a local"),
    ("region 0 flags 0\nblock0:\n  %9 = add.i64 a0, a0\n  a0 = neg.i64 $9", 4, "index 9 is both a temp and a local"),
    ("region 0 flags 0\nblock0:\n  w0 = add.i32 w0, 0x100000000", 3, "4294967296 does not fit i32"),
    ("region 0 flags 0\nblock0:\n  f0 = fneg.f64 1", 3, "a constant is an integer, not f64"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0, 0x10000000000000000", 3, "expected a number"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0, -0x8000000000000001", 3, "`0x8000000000000001` is too large"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0, 1:i7", 3, "unknown type"),
    ("region 0 flags 0\nblock0:\n  a0 = add.i64 a0, %9:i7", 3, "unknown type `i7`"),
    ("region 0 flags 0\nblock0:\n  br block1", 3, "no block1"),
    ("region 0 flags 0\nblock0:\n  br a0", 3, "expected a block"),
    ("region 0 flags 0\nblock0:\n  a0 = gld.i64.u8 a0", 3, "expected `[`"),
    ("region 0 flags 0\nblock0:\n  a0 = gld.i64.u8 [a0 + ]", 3, "expected a number"),
    ("region 0 flags 0\nblock0:\n  a0 = extract.i64 a0, 0, 256", 3, "256 is out of range"),
    ("region 0 flags 0\nblock0:\n  goto_tb 65536, 0", 3, "65536 is out of range"),
    ("region 0 flags 0\nblock0:\n  a0 = call missing()", 3, "unknown helper"),
    ("region 0 flags 0\nblock0:\n  call sum(1, 2)", 3, "helper `sum` has a result"),
    ("region 0 flags 0\nblock0:\n  a0 = call nothing()", 3, "helper `nothing` has no result"),
    ("region 0 flags 0\nblock0:\n  a0 = call sum(1, 2, 3, 4, 5)", 3, "a helper has at most four arguments"),
    ("region 0 flags 0\nblock0:\n  a0 = call sum(1, 2", 3, "expected `)`"),
]) func badTextIsAnErrorWithItsLine(_ text: String, _ line: Int, _ message: String) {
    #expect(throws: IRParseError(line: line, message: message)) {
        try Region.parse(text, globals: testGlobals, helpers: testHelpers).deallocate()
    }
}

@Test(.seeded(1)) func randomlyDamagedTextNeverTrapsAndWhatParsesRoundTrips() throws {
    let lines = Opcode.allCases.flatMap { opcode in
        opcode.row.effects.contains(.terminator)
            ? [] : samples(opcode).filter { !$0.contains("%") && !$0.contains("$") }
    }
    let whole =
        "region 0x1000 flags 0\nblock0:\n" + lines.map { "  \($0)\n" }.joined() + "  br block1\nblock1:\n  exit_tb 16\n"
    let good = Array(whole.utf8)
    let alphabet = Array("0179afixu%$@.,:=[]()+-# \nregionblock_é".utf8)
    var source = SeededRandom(seed: Seed.current)
    func random(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &source) }
    var parsedCount = 0
    for _ in 0..<Rounds.count(1500) {
        var bytes = good
        // Half of the damage is within one op, so that a fair part still parses.
        for _ in 0...random(2) {
            let at = random(bytes.count)
            switch random(3) {
            case 0: bytes.remove(at: at)
            case 1: bytes[at] = alphabet[random(alphabet.count)]
            default: bytes.insert(alphabet[random(alphabet.count)], at: at)
            }
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let region = try? parsed(text) else { continue }
        defer { region.deallocate() }
        parsedCount += 1
        _ = region.verify(globals: testGlobals, helpers: testHelpers)
        let again = try parsed(printed(region))
        defer { again.deallocate() }
        #expect(region.hasSameContents(as: again))
    }
    #expect(parsedCount > 20)
}
