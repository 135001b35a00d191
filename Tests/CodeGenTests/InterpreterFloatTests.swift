// The interpreter's floating point: results against the host's arithmetic or the standard's values, flags, rounding
// modes, NaNs.

import CodeGen
import IR
import SoftFloat
import Testing

private let inexact: UInt32 = 1, underflow: UInt32 = 2, overflow: UInt32 = 4, divideByZero: UInt32 = 8,
    invalid: UInt32 = 16
private let nan64: UInt64 = 0x7ff8_0000_0000_0000, nan32: UInt64 = 0x7fc0_0000, nan16: UInt64 = 0x7e00
private let signaling64: UInt64 = 0x7ff0_0000_0000_0001, signaling32: UInt64 = 0x7f80_0001
private let inf64: UInt64 = 0x7ff0_0000_0000_0000, inf32: UInt64 = 0x7f80_0000

private func b(_ x: Double) -> UInt64 { x.bitPattern }
private func b32(_ x: Float) -> UInt64 { UInt64(x.bitPattern) }

/// Runs one line with f1... and s1... set; gives the flags that it raised.
private func flags(_ bench: Bench, _ line: String, f: [UInt64] = [], s: [UInt64] = []) throws -> UInt32 {
    for (i, bits) in f.enumerated() { bench["f\(i + 1)"] = bits }
    for (i, bits) in s.enumerated() { bench["s\(i + 1)"] = bits }
    bench.header.pointee.fpFlags = 0
    try bench.run("  " + line)
    return bench.header.pointee.fpFlags
}

@Test(arguments: ["fadd", "fsub", "fmul", "fdiv"]) func arithmeticIsTheHostsInBothFormats(_ name: String) throws {
    let values: [Double] = [0, -0.0, 1, -1, 1.5, 3, 1e-3, 1e30, -1e-30, 123_456_789.123, 0x1p-126, 0x1p-140, .infinity]
    let bench = Bench()
    let compiled = try bench.compile(
        "block0:\n  f0 = \(name).f64.rne f1, f2\n  s0 = \(name).f32.rne s1, s2\n  exit_tb 16\n")
    func want<F: BinaryFloatingPoint>(_ x: F, _ y: F) -> F {
        switch name {
        case "fadd": x + y
        case "fsub": x - y
        case "fmul": x * y
        default: x / y
        }
    }
    for x in values {
        for y in values {
            (bench["f1"], bench["f2"], bench["s1"], bench["s2"]) = (b(x), b(y), b32(Float(x)), b32(Float(y)))
            #expect(bench.enter(compiled).reason == 16)
            let double = want(x, y), single = want(Float(x), Float(y))
            #expect(bench["f0"] == (double.isNaN ? nan64 : b(double)), "\(name) \(x) \(y)")
            #expect(bench["s0"] == (single.isNaN ? nan32 : b32(single)), "\(name) f32 \(x) \(y)")
        }
    }
}

@inline(never) private func sumOnHost(_ x: Double, _ y: Double) -> Double { x + y }

/// With the rules of SSE, results with NaNs are the host's own.
@Test func rulesSayWhichNaNAndWhenTiny() throws {
    let hosts = Bench(floatRules: FloatRules(nan: .propagateFirst, tininess: .afterRounding))
    let payload = Double(bitPattern: 0x7ff8_0000_0000_1234), zero = b(0)
    for (x, y) in [(payload, 1), (1, payload), (.infinity, -.infinity)] as [(Double, Double)] {
        _ = try flags(hosts, "f0 = fadd.f64 f1, f2", f: [b(x), b(y)])
        #expect(hosts["f0"] == b(sumOnHost(x, y)), "\(x) \(y)")
    }
    #expect(try flags(hosts, "f0 = fma.f64 f1, f2, f3", f: [inf64, zero, b(payload)]) == 0)
    let arm = Bench(floatRules: FloatRules(nan: .propagateSignalingFirst, tininess: .beforeRounding))
    #expect(try flags(arm, "f0 = fadd.f64 f1, f2", f: [b(payload), signaling64]) == invalid)
    #expect(arm["f0"] == signaling64 | 1 << 51)
    #expect(try flags(arm, "f0 = fma.f64 f1, f2, f3", f: [inf64, zero, b(payload)]) == invalid)
    // Rounds up to the smallest normal number: tiny before, not after.
    let below = [b(0x1p-1022 * (1 + 0x1p-52)), b(1 - 0x1p-52)]
    #expect(try flags(arm, "f0 = fmul.f64 f1, f2", f: below) == underflow | inexact)
    #expect(try flags(hosts, "f0 = fmul.f64 f1, f2", f: below) == inexact)
}

@Test func eachFlagIsRaisedByItsCause() throws {
    let bench = Bench()
    #expect(try flags(bench, "f0 = fadd.f64 f1, f2", f: [b(1), b(2)]) == 0)
    #expect(try flags(bench, "f0 = fdiv.f64 f1, f2", f: [b(1), b(3)]) == inexact)
    #expect(try flags(bench, "f0 = fdiv.f64 f1, f2", f: [b(1), b(0)]) == divideByZero)
    #expect(bench["f0"] == inf64)
    #expect(try flags(bench, "s0 = fmul.f32 s1, s2", s: [b32(Float(1e30)), b32(Float(1e30))]) == overflow | inexact)
    #expect(
        try flags(bench, "s0 = fmul.f32 s1, s2", s: [b32(Float(1e-30)), b32(Float(1.1e-15))]) == underflow | inexact)
    #expect(try flags(bench, "f0 = fsub.f64 f1, f2", f: [inf64, inf64]) == invalid)
    #expect(bench["f0"] == nan64)
    #expect(try flags(bench, "s0 = fsqrt.f32 s1", s: [b32(Float(-1))]) == invalid)
    #expect(bench["s0"] == nan32)
    #expect(try flags(bench, "f0 = fsqrt.f64 f1", f: [b(2)]) == inexact)
    #expect(bench["f0"] == b((2.0 as Double).squareRoot()))
}

@Test func flagsAccrueAndAreReadAndReplaced() throws {
    let bench = Bench()
    (bench["f1"], bench["f2"]) = (b(1), b(0))
    try bench.run(
        "  fp_set_flags 0x101\n  a0 = fp_get_flags\n  f0 = fdiv.f64 f1, f2\n  a1 = fp_get_flags\n"
            + "  fp_set_flags 0\n  a2 = fp_get_flags"
    )
    #expect(bench["a0"] == 1 && bench["a1"] == 9 && bench["a2"] == 0)
    #expect(bench.host.floatFlags(bench.state) == 0)
}

@Test func nansAreCanonicalAndSignalingOnesInvalid() throws {
    let bench = Bench()
    #expect(try flags(bench, "f0 = fadd.f64 f1, f2", f: [0xfff8_0000_0000_1234, b(1)]) == 0)
    #expect(bench["f0"] == nan64)
    #expect(try flags(bench, "f0 = fmul.f64 f1, f2", f: [b(1), signaling64]) == invalid)
    #expect(bench["f0"] == nan64)
    #expect(try flags(bench, "s0 = fma.f32 s1, s2, s3", s: [b32(Float(0)), inf32, 0x7fc0_0001]) == invalid)
    #expect(bench["s0"] == nan32)
    // Sign operations move bits only, also of NaNs.
    #expect(try flags(bench, "f0 = fneg.f64 f1", f: [signaling64]) == 0)
    #expect(bench["f0"] == signaling64 | 1 << 63)
    #expect(try flags(bench, "s0 = fabs.f32 s1", s: [signaling32 | 1 << 31]) == 0)
    #expect(bench["s0"] == signaling32)
}

/// 1/3 and -1/3 in binary64, by rounding mode.
@Test(
    arguments: [
        ("rne", 0x3fd5_5555_5555_5555, 0xbfd5_5555_5555_5555), ("rtz", 0x3fd5_5555_5555_5555, 0xbfd5_5555_5555_5555),
        ("rdn", 0x3fd5_5555_5555_5555, 0xbfd5_5555_5555_5556), ("rup", 0x3fd5_5555_5555_5556, 0xbfd5_5555_5555_5555),
        ("rmm", 0x3fd5_5555_5555_5555, 0xbfd5_5555_5555_5555),
    ] as [(String, UInt64, UInt64)]) func roundingIsStaticOrDynamic(
        _ mode: String, _ positive: UInt64, _ negative: UInt64
    ) throws
{
    let bench = Bench()
    let number = ["rne", "rtz", "rdn", "rup", "rmm"].firstIndex(of: mode)!
    (bench["f1"], bench["f2"], bench["f3"]) = (b(1), b(3), b(-3))
    try bench.run(
        "  fp_set_rounding \((number + 2) % 5)\n  f0 = fdiv.f64.\(mode) f1, f2\n  a0 = bitcast.i64 f0\n"
            + "  fp_set_rounding \(number)\n  f0 = fdiv.f64 f1, f2\n  a1 = bitcast.i64 f0\n  f0 = fdiv.f64 f1, f3")
    #expect(bench["a0"] == positive && bench["a1"] == positive && bench["f0"] == negative)
    #expect(bench.header.pointee.fpRounding == UInt32(number))
}

@Test func tiesAndBadModesRoundAsDocumented() throws {
    let bench = Bench()
    bench["f1"] = b(2.5)
    try bench.run(
        "  fp_set_rounding 4\n  a0 = ftoi.f64.dyn f1\n  a1 = ftoi.f64.rne f1\n  fp_set_rounding 5\n"
            + "  a2 = ftoi.f64.dyn f1\n"
            + "  fp_set_rounding 3\n  fp_set_rounding 0x100000003\n  a3 = ftoi.f64.dyn f1")
    #expect(bench["a0"] == 3 && bench["a1"] == 2 && bench["a2"] == 2 && bench["a3"] == 2)
}

@Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
func fusedMultiplyAddRoundsOnceWithItsSigns(_ product: Bool, _ addend: Bool) throws {
    let bench = Bench()
    let words = (product ? ".negproduct" : "") + (addend ? ".negaddend" : "")
    // 1 + 2^-52 squared loses its last bit unless it is fused.
    let x = 1 + Double.ulpOfOne, z = -1.0
    let want = (addend ? -z : z).addingProduct(product ? -x : x, x)
    _ = try flags(bench, "f0 = fma.f64\(words) f1, f2, f3", f: [b(x), b(x), b(z)])
    #expect(bench["f0"] == b(want))
    let y = 1 + Float.ulpOfOne
    let single = (addend ? 1 as Float : -1).addingProduct(product ? -y : y, y)
    _ = try flags(bench, "s0 = fma.f32\(words) s1, s2, s3", s: [b32(y), b32(y), b32(Float(-1))])
    #expect(bench["s0"] == b32(single))
}

@Test func minimaAndMaximaOrderZerosAndTreatNaNsByKind() throws {
    let bench = Bench()
    func result(_ name: String, _ x: UInt64, _ y: UInt64) throws -> (UInt64, UInt32) {
        let raised = try flags(bench, "f0 = \(name).f64 f1, f2", f: [x, y])
        return (bench["f0"], raised)
    }
    for (name, lower) in [("fmin", true), ("fminimum", true), ("fmax", false), ("fmaximum", false)] {
        #expect(try result(name, b(1), b(2)) == (lower ? b(1) : b(2), 0))
        #expect(try result(name, b(2), b(-inf())) == (lower ? b(-inf()) : b(2), 0))
        #expect(try result(name, b(0), b(-0.0)) == (lower ? b(-0.0) : b(0), 0))
        #expect(try result(name, b(-0.0), b(0)) == (lower ? b(-0.0) : b(0), 0))
        #expect(try result(name, nan64 | 5, nan64) == (nan64, 0))
    }
    for name in ["fmin", "fmax"] {
        #expect(try result(name, nan64, b(1)) == (b(1), 0))
        #expect(try result(name, b(1), nan64 | 1 << 63) == (b(1), 0))
        #expect(try result(name, signaling64, b(1)) == (b(1), invalid))
    }
    for name in ["fminimum", "fmaximum"] {
        #expect(try result(name, nan64 | 7, b(1)) == (nan64, 0))
        #expect(try result(name, b(1), signaling64) == (nan64, invalid))
    }
    #expect(try flags(bench, "s0 = fmin.f32 s1, s2", s: [b32(Float(0)), b32(Float(-0.0))]) == 0)
    #expect(bench["s0"] == 0x8000_0000)
}

private func inf() -> Double { .infinity }

@Test func signsAreCopied() throws {
    let bench = Bench()
    for (kind, wants) in [("copy", [false, true]), ("negated", [true, false]), ("xor", [true, false])] {
        // The magnitude is negative: xor flips.
        for (y, isNegative) in zip([b(2), b(-2)], wants) {
            _ = try flags(bench, "f0 = fcopysign.\(kind).f64 f1, f2", f: [b(-1.5), y])
            #expect(bench["f0"] == b(isNegative ? -1.5 : 1.5), "\(kind)")
        }
        for (y, isNegative) in zip([b32(Float(2)), b32(Float(-2))], wants) {
            _ = try flags(bench, "s0 = fcopysign.\(kind).f32 s1, s2", s: [b32(Float(-1.5)), y])
            #expect(bench["s0"] == b32(isNegative ? -1.5 : 1.5))
        }
    }
}

@Test(arguments: ["eq", "lt", "le", "seq", "slt", "sle"]) func comparisonsAreOrderedAndRaiseByKind(_ name: String)
    throws
{
    let bench = Bench()
    let values: [Double] = [-.infinity, -1, -0.0, 0, 1, .infinity]
    for x in values {
        for y in values {
            let want = name.hasSuffix("eq") ? x == y : name.hasSuffix("lt") ? x < y : x <= y
            #expect(try flags(bench, "a0 = fsetcond.\(name).f64 f1, f2", f: [b(x), b(y)]) == 0)
            #expect(bench["a0"] == (want ? 1 : 0), "\(name) \(x) \(y)")
            #expect(try flags(bench, "a0 = fsetcond.\(name).f32 s1, s2", s: [b32(Float(x)), b32(Float(y))]) == 0)
            #expect(bench["a0"] == (want ? 1 : 0))
        }
    }
    for (x, y) in [(nan64, b(1)), (b(1), nan64), (nan64, nan64)] {
        #expect(try flags(bench, "a0 = fsetcond.\(name).f64 f1, f2", f: [x, y]) == (name.hasPrefix("s") ? invalid : 0))
        #expect(bench["a0"] == 0)
    }
    #expect(try flags(bench, "a0 = fsetcond.\(name).f32 s1, s2", s: [signaling32, b32(Float(1))]) == invalid)
    #expect(bench["a0"] == 0)
}

@Test func roundingToIntegralTellsInexactOnlyIfAsked() throws {
    let bench = Bench()
    #expect(try flags(bench, "f0 = fround.f64.rup f1", f: [b(2.25)]) == 0)
    #expect(bench["f0"] == b(3))
    #expect(try flags(bench, "f0 = fround.f64.inexact.rne f1", f: [b(2.5)]) == inexact)
    #expect(bench["f0"] == b(2))
    #expect(try flags(bench, "s0 = fround.f32.inexact.rtz s1", s: [b32(Float(-0.75))]) == inexact)
    #expect(bench["s0"] == b32(Float(-0.0)))
    #expect(try flags(bench, "f0 = fround.f64.inexact.rne f1", f: [signaling64]) == invalid)
    #expect(bench["f0"] == nan64)
}

@Test func formatsConvertAmongEachOther() throws {
    let bench = Bench()
    #expect(try flags(bench, "f0 = fcvt.from32.to64 s1", s: [b32(Float(1.1))]) == 0)
    #expect(bench["f0"] == b(Double(Float(1.1))))
    #expect(try flags(bench, "s0 = fcvt.from64.to32 f1", f: [b(1.1)]) == inexact)
    #expect(bench["s0"] == b32(Float(1.1)))
    #expect(try flags(bench, "s0 = fcvt.from64.to32.rup f1", f: [b(1e300)]) == overflow | inexact)
    #expect(bench["s0"] == inf32)
    // binary16: 0x3c00 is 1, 0x7bff is 65504, 0x0001 is 2^-24. The upper half of its temp does not count.
    #expect(try flags(bench, "s0 = fcvt.from16.to32 s1", s: [0xabcd_7bff]) == 0)
    #expect(bench["s0"] == b32(Float(65504)))
    #expect(try flags(bench, "f0 = fcvt.from16.to64 s1", s: [0x0001]) == 0)
    #expect(bench["f0"] == b(0x1p-24))
    #expect(try flags(bench, "s0 = fcvt.from64.to16 f1", f: [b(1)]) == 0)
    #expect(bench["s0"] & 0xffff == 0x3c00)
    #expect(try flags(bench, "s0 = fcvt.from32.to16.rne s1", s: [b32(Float(65520))]) == overflow | inexact)
    #expect(bench["s0"] & 0xffff == 0x7c00)
    #expect(try flags(bench, "s0 = fcvt.from32.to16 s1", s: [signaling32]) == invalid)
    #expect(bench["s0"] & 0xffff == nan16)
    #expect(try flags(bench, "f0 = fcvt.from32.to64 s1", s: [0xffc1_2345]) == 0)
    #expect(bench["f0"] == nan64)
}

private struct ToInteger {
    let bits: UInt64
    let i32, u32, i64, u64: UInt64
    /// Flags of the four conversions.
    let raised: [UInt32]
}

/// RISC-V Unprivileged ISA, "Domains of float-to-integer conversions", truncating.
@Test func floatsConvertToIntegersSaturating() throws {
    let max32: UInt64 = 0x7fff_ffff, min32: UInt64 = 0xffff_ffff_8000_0000
    let cases = [
        ToInteger(bits: b(-1.5), i32: .max, u32: 0, i64: .max, u64: 0, raised: [1, 16, 1, 16]),
        ToInteger(bits: b(-0.5), i32: 0, u32: 0, i64: 0, u64: 0, raised: [1, 1, 1, 1]),
        ToInteger(
            bits: b(3e9), i32: max32, u32: UInt64(bitPattern: Int64(Int32(bitPattern: 3_000_000_000))),
            i64: 3_000_000_000, u64: 3_000_000_000, raised: [16, 0, 0, 0]),
        ToInteger(
            bits: b(-3e9), i32: min32, u32: 0, i64: UInt64(bitPattern: -3_000_000_000), u64: 0,
            raised: [
                16, 16, 0,
                16,
            ]),
        ToInteger(
            bits: b(1e19), i32: max32, u32: .max, i64: UInt64(Int64.max), u64: 10_000_000_000_000_000_000,
            raised: [16, 16, 16, 0]),
        ToInteger(bits: b(1e20), i32: max32, u32: .max, i64: UInt64(Int64.max), u64: .max, raised: [16, 16, 16, 16]),
        ToInteger(bits: b(-.infinity), i32: min32, u32: 0, i64: 1 << 63, u64: 0, raised: [16, 16, 16, 16]),
        ToInteger(
            bits: nan64 | 1 << 63, i32: max32, u32: .max, i64: UInt64(Int64.max), u64: .max, raised: [16, 16, 16, 16]),
    ]
    let bench = Bench()
    for test in cases {
        // A 32-bit result is seen sign-extended.
        let lines = [
            "%40:i32 = ftoi.f64.rtz f1\n  a0 = sext %40", "%40:i32 = ftoi.f64.u.rtz f1\n  a0 = sext %40",
            "a0 = ftoi.f64.rtz f1", "a0 = ftoi.f64.u.rtz f1",
        ]
        for (i, want) in [test.i32, test.u32, test.i64, test.u64].enumerated() {
            #expect(try flags(bench, lines[i], f: [test.bits]) == test.raised[i], "\(test.bits) \(lines[i])")
            #expect(bench["a0"] == want, "\(test.bits) \(lines[i])")
        }
    }
    #expect(try flags(bench, "a0 = ftoi.f32.rup s1", s: [b32(Float(-7.25))]) == inexact)
    #expect(bench["a0"] == UInt64(bitPattern: -7))
    #expect(try flags(bench, "w0 = ftoi.f32.u.rne s1", s: [nan32]) == invalid)
    #expect(bench["w0"] == 0xffff_ffff)
}

@Test func integersConvertToFloats() throws {
    let bench = Bench()
    bench["a0"] = UInt64(bitPattern: -3)
    bench["w0"] = 0xffff_fffd
    #expect(try flags(bench, "f0 = itof.f64 a0") == 0)
    #expect(bench["f0"] == b(-3))
    #expect(try flags(bench, "f0 = itof.f64.u a0") == inexact)
    #expect(bench["f0"] == b(Double(UInt64.max - 2)))
    #expect(try flags(bench, "f0 = itof.f64 w0") == 0)
    #expect(bench["f0"] == b(-3))
    #expect(try flags(bench, "f0 = itof.f64.u w0") == 0)
    #expect(bench["f0"] == b(4_294_967_293))
    #expect(try flags(bench, "s0 = itof.f32.u.rup w0") == inexact)
    #expect(bench["s0"] == b32(Float(4_294_967_296)))
    #expect(try flags(bench, "s0 = itof.f32.rtz a0") == 0)
    #expect(bench["s0"] == b32(Float(-3)))
}

@Test func narrowerValuesAreBoxedInOnesAndUnboxedOnlyFromThem() throws {
    let bench = Bench()
    (bench["s1"], bench["s2"]) = (0x3f80_0000, 0xabcd_3c00)
    try bench.run(
        """
          f0 = boxf.b32 s1
          f1 = boxf.b16 s2
          s0 = unboxf.b32 f0
          f2 = bitcast.f64 -0x100000000000000
          s1 = unboxf.b32 f2
          f3 = bitcast.f64 0xfffffffffffe3c00
          s2 = unboxf.b16 f3
          s3 = unboxf.b16 f1
        """)
    #expect(bench["f0"] == 0xffff_ffff_3f80_0000 && bench["f1"] == 0xffff_ffff_ffff_3c00)
    #expect(bench["s0"] == 0x3f80_0000 && bench["s1"] == nan32)
    #expect(bench["s2"] & 0xffff == nan16 && bench["s3"] & 0xffff == 0x3c00)
}
