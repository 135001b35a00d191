// The interpreter's integer ops against plain bit-by-bit or wide arithmetic, in both widths, on edge operands.

import IR
import Testing

private let edges: [UInt64] = [
    0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000,
    0x0123_4567_89ab_cdef, 0x7fff_ffff_ffff_ffff, 0x8000_0000_0000_0000, 0x8000_0000_0000_0001, 0xffff_ffff_0000_0000,
    0xffff_ffff_8000_0000, 0xffff_ffff_ffff_fffe, .max,
]

/// The bits of a value of `width` bits, lowest first.
private func bits(_ value: UInt64, _ width: Int) -> [Bool] { (0..<width).map { value >> $0 & 1 == 1 } }

private func value(_ bits: [Bool]) -> UInt64 {
    bits.enumerated().reduce(0) { $1.element ? $0 | 1 << UInt64($1.offset) : $0 }
}

private func signed(_ value: UInt64, _ width: Int) -> Int128 {
    let v = Int128(value & mask(width))
    return value >> (width - 1) & 1 == 1 ? v - (Int128(1) << width) : v
}

private func unsigned(_ value: UInt64, _ width: Int) -> UInt128 { UInt128(value & mask(width)) }

private func mask(_ width: Int) -> UInt64 { width == 64 ? .max : 1 << UInt64(width) - 1 }

private func low(_ value: Int128) -> UInt64 { UInt64(truncatingIfNeeded: value) }

/// What a two-operand op gives, or nil where it has no contract. Only the low `width` bits count.
private func expected(_ opcode: Opcode, _ a: UInt64, _ b: UInt64, _ width: Int) -> UInt64? {
    let x = bits(a, width), y = bits(b, width)
    let count = Int(b % UInt64(width))
    let divides = unsigned(b, width) != 0
    let overflows = signed(a, width) == -(Int128(1) << (width - 1)) && signed(b, width) == -1
    switch opcode {
    case .and: return value(zip(x, y).map { $0 && $1 })
    case .or: return value(zip(x, y).map { $0 || $1 })
    case .xor: return value(zip(x, y).map { $0 != $1 })
    case .andc: return value(zip(x, y).map { $0 && !$1 })
    case .orc: return value(zip(x, y).map { $0 || !$1 })
    case .eqv: return value(zip(x, y).map { $0 == $1 })
    case .shl: return value((0..<width).map { $0 >= count ? x[$0 - count] : false })
    case .shr: return value((0..<width).map { $0 + count < width ? x[$0 + count] : false })
    case .sar: return value((0..<width).map { x[min($0 + count, width - 1)] })
    case .rotl: return value((0..<width).map { x[($0 + width - count) % width] })
    case .rotr: return value((0..<width).map { x[($0 + count) % width] })
    case .add: return low(signed(a, width) + signed(b, width))
    case .sub: return low(signed(a, width) - signed(b, width))
    case .mul: return UInt64(truncatingIfNeeded: unsigned(a, width) * unsigned(b, width))
    case .mulhu: return UInt64(truncatingIfNeeded: (unsigned(a, width) * unsigned(b, width)) >> width)
    case .mulhs: return low((signed(a, width) * signed(b, width)) >> width)
    case .divu: return divides ? UInt64(truncatingIfNeeded: unsigned(a, width) / unsigned(b, width)) : nil
    case .remu: return divides ? UInt64(truncatingIfNeeded: unsigned(a, width) % unsigned(b, width)) : nil
    case .divs: return divides && !overflows ? low(signed(a, width) / signed(b, width)) : nil
    case .rems: return divides && !overflows ? low(signed(a, width) % signed(b, width)) : nil
    case .clmul:
        return value((0..<width).map { n in (0...n).reduce(false) { $0 != (x[$1] && y[n - $1]) } })
    default: return nil
    }
}

@Test(arguments: [
    Opcode.and, .or, .xor, .andc, .orc, .eqv, .shl, .shr, .sar, .rotl, .rotr, .add, .sub, .mul, .mulhu, .mulhs, .divu,
    .divs, .remu, .rems, .clmul,
]) func twoOperandOpsAreRight(_ opcode: Opcode) throws {
    let bench = Bench()
    let wide = try bench.compile("block0:\n  a2 = \(opcode.row.name).i64 a0, a1\n  exit_tb 16\n")
    // Through a temp and a 64-bit extension, which show what is above the 32 bits.
    let narrow = try bench.compile(
        "block0:\n  %30 = \(opcode.row.name).i32 w0, w1\n  w2 = mov.i32 %30\n  a2 = sext %30\n"
            + "  a3 = zext %30\n  exit_tb 16\n"
    )
    var checked = 0
    for a in edges {
        for b in edges {
            bench["a0"] = a
            bench["a1"] = b
            #expect(bench.enter(wide).reason == 16)
            if let want = expected(opcode, a, b, 64) {
                #expect(bench["a2"] == want, "\(opcode) \(a) \(b)")
                checked += 1
            }
            bench["w0"] = a
            bench["w1"] = b
            #expect(bench.enter(narrow).reason == 16)
            if let want = expected(opcode, a, b, 32) {
                let result = UInt32(truncatingIfNeeded: want)
                #expect(bench["w2"] == UInt64(result), "\(opcode) i32 \(a) \(b)")
                #expect(bench["a2"] == UInt64(bitPattern: Int64(Int32(bitPattern: result))))
                #expect(bench["a3"] == UInt64(result))
            }
        }
    }
    #expect(checked > 500)
}

private func expected(_ opcode: Opcode, _ a: UInt64, _ width: Int) -> UInt64? {
    let x = bits(a, width)
    switch opcode {
    case .not: return value(x.map { !$0 })
    case .neg: return low(-signed(a, width))
    case .clz: return UInt64(Array(x.reversed()).firstIndex(of: true) ?? width)
    case .ctz: return UInt64(x.firstIndex(of: true) ?? width)
    case .popcnt: return UInt64(x.count { $0 })
    case .bswap: return value((0..<width).map { x[width - 8 - $0 / 8 * 8 + $0 % 8] })
    default: return nil
    }
}

@Test(arguments: [Opcode.not, .neg, .clz, .ctz, .popcnt, .bswap]) func oneOperandOpsAreRight(_ opcode: Opcode) throws {
    let bench = Bench()
    let compiled = try bench.compile(
        "block0:\n  a1 = \(opcode.row.name).i64 a0\n  w1 = \(opcode.row.name).i32 w0\n  exit_tb 16\n")
    for a in edges {
        bench["a0"] = a
        bench["w0"] = a
        #expect(bench.enter(compiled).reason == 16)
        #expect(bench["a1"] == expected(opcode, a, 64))
        #expect(bench["w1"] == expected(opcode, a, 32).map { $0 & 0xffff_ffff })
    }
}

@Test(arguments: [(0, 64), (0, 1), (63, 1), (8, 56), (12, 20), (31, 33), (0, 32)])
func fieldsAreExtractedAndDeposited(_ position: Int, _ length: Int) throws {
    let bench = Bench()
    try bench.run(
        "  a0 = mov.i64 0xf123456789abcdef\n  a1 = mov.i64 0x0fedcba987654321\n"
            + "  a2 = extract.i64 a0, \(position), \(length)\n  a3 = sextract.i64 a0, \(position), \(length)\n"
            + "  a1 = deposit.i64 a0, a1, \(position), \(length)")
    let x = bits(0xf123_4567_89ab_cdef, 64), y = bits(0x0fed_cba9_8765_4321, 64)
    let field = Array(x[position..<position + length])
    #expect(bench["a2"] == value(field))
    #expect(bench["a3"] == value(field + Array(repeating: field[length - 1], count: 64 - length)))
    #expect(bench["a1"] == value((0..<64).map { $0 >= position && $0 < position + length ? y[$0 - position] : x[$0] }))
}

@Test func fieldsOf32BitsComeFrom32Bits() throws {
    let bench = Bench()
    bench["w0"] = 0x8000_00f0
    try bench.run(
        "  w1 = extract.i32 w0, 4, 28\n  w2 = sextract.i32 w0, 4, 4\n  %40 = extract.i32 w0, 0, 32\n  a0 = sext %40\n"
            + "  %41 = deposit.i32 w0, -1, 31, 1\n  a1 = sext %41\n  %42 = sextract.i32 w0, 31, 1\n  a2 = sext %42")
    #expect(bench["w1"] == 0x0800_000f && bench["w2"] == 0xffff_ffff)
    #expect(bench["a0"] == 0xffff_ffff_8000_00f0 && bench["a1"] == 0xffff_ffff_8000_00f0 && bench["a2"] == .max)
}

@Test(arguments: Condition.allCases) func conditionsHoldInBothWidths(_ condition: Condition) throws {
    func holds(_ a: UInt64, _ b: UInt64, _ width: Int) -> Bool {
        let (s, t) = (signed(a, width), signed(b, width))
        let (u, v) = (unsigned(a, width), unsigned(b, width))
        return switch condition {
        case .eq: u == v
        case .ne: u != v
        case .lt: s < t
        case .ge: s >= t
        case .le: s <= t
        case .gt: s > t
        case .ltu: u < v
        case .geu: u >= v
        case .leu: u <= v
        case .gtu: u > v
        case .tsteq: u & v == 0
        case .tstne: u & v != 0
        }
    }
    let bench = Bench()
    let wide = try bench.compile(
        """
        block0:
          a2 = setcond.\(condition).i64 a0, a1
          a3 = select.\(condition).i64 a0, a1, 10, 20
          f0 = select.\(condition).i64 a0, a1, f1, f2
          brcond.\(condition).i64 a0, a1, block1, block2
        block1:
          exit_tb 1
        block2:
          exit_tb 0

        """)
    let narrow = try bench.compile(
        """
        block0:
          %30:i32 = setcond.\(condition).i32 w0, w1
          a2 = zext %30
          s0 = select.\(condition).i32 w0, w1, s1, s2
          brcond.\(condition).i32 w0, w1, block1, block2
        block1:
          exit_tb 1
        block2:
          exit_tb 0

        """)
    (bench["f1"], bench["f2"], bench["s1"], bench["s2"]) = (100, 200, 300, 400)
    for a in edges {
        for b in edges {
            (bench["a0"], bench["a1"], bench["w0"], bench["w1"]) = (a, b, a, b)
            let want64 = holds(a, b, 64)
            #expect(bench.enter(wide).raw == (want64 ? 1 : 0))
            #expect(bench["a2"] == (want64 ? 1 : 0) && bench["a3"] == (want64 ? 10 : 20))
            #expect(bench["f0"] == (want64 ? 100 : 200))
            let want32 = holds(a, b, 32)
            #expect(bench.enter(narrow).raw == (want32 ? 1 : 0))
            #expect(bench["a2"] == (want32 ? 1 : 0) && bench["s0"] == (want32 ? 300 : 400))
        }
    }
}

@Test func widthChangesExtendAndTruncate() throws {
    let bench = Bench()
    bench["a0"] = 0x1234_5678_9abc_def0
    try bench.run("  w0 = trunc a0\n  a1 = sext w0\n  a2 = zext w0\n  %40 = trunc a0\n  a3 = sext %40")
    #expect(bench["w0"] == 0x9abc_def0 && bench["a1"] == 0xffff_ffff_9abc_def0 && bench["a2"] == 0x9abc_def0)
    #expect(bench["a3"] == 0xffff_ffff_9abc_def0)
}

@Test func divisionWithoutAContractDoesNotTrap() throws {
    let bench = Bench()
    try bench.run(
        ["divu", "divs", "remu", "rems"].enumerated().map { i, name in
            "  %\(40 + 4 * i) = \(name).i64 5, 0\n  %\(41 + 4 * i) = \(name).i32 5, 0\n"
                + "  %\(42 + 4 * i) = \(name).i64 -0x8000000000000000, -1\n"
                + "  %\(43 + 4 * i) = \(name).i32 0x80000000, -1"
        }.joined(separator: "\n"))
}
