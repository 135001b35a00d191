// The VEX-encoded floating-point and vector instructions as rows. A row's type is its operand encoding as the SDM calls
// it (volume 2, 3.1.1.4): R is ModRM.reg, V is VEX.vvvv, M is ModRM.rm, I an immediate byte; so a row cannot be used
// with the wrong operands. Every packed row is the xmm form; `.ymm` makes it the 256-bit one.
//
// Scalar and packed floating-point instructions that differ by prefix only are one row with the type as its argument.

/// A row of vector instructions.
protocol VectorRow: BitwiseCopyable, Sendable {
    var row: Encoding { get }
    init(row: Encoding)
}

extension VectorRow {
    @inline(__always)
    init(_ prefix: Encoding.Prefix, _ map: Encoding.Map, _ opcode: UInt32, digit: UInt32 = 0, w: UInt32 = 0) {
        self.init(row: Encoding(prefix, map, opcode, digit: digit, w: w))
    }

    /// A row whose prefix is the type's.
    @inline(__always)
    init(_ type: FPType, _ map: Encoding.Map, _ opcode: UInt32) {
        self.init(row: Encoding(bits: opcode | map.rawValue &<< 8 | UInt32(type.rawValue) &<< 10))
    }

    /// A row whose prefix only tells double (66) from single (none).
    @inline(__always)
    init(byWidthOf type: FPType, _ map: Encoding.Map, _ opcode: UInt32) {
        self.init(row: Encoding(bits: opcode | map.rawValue &<< 8 | UInt32(type.rawValue & 1) &<< 10))
    }
}

/// `op d, s1, s2/m`
public struct RVM: VectorRow {
    let row: Encoding

    // Floating point, any type
    public static func vadd(_ t: FPType) -> RVM { .init(t, .m0F, 0x58) }
    public static func vmul(_ t: FPType) -> RVM { .init(t, .m0F, 0x59) }
    public static func vsub(_ t: FPType) -> RVM { .init(t, .m0F, 0x5C) }
    public static func vmin(_ t: FPType) -> RVM { .init(t, .m0F, 0x5D) }
    public static func vdiv(_ t: FPType) -> RVM { .init(t, .m0F, 0x5E) }
    public static func vmax(_ t: FPType) -> RVM { .init(t, .m0F, 0x5F) }

    /// `vsqrtss`, `vsqrtsd`: the upper part of d is from s1. (Packed: `RM.vsqrt`.)
    public static func vsqrt(_ t: FPType) -> RVM {
        assert(t.isScalar, "packed square roots are RM rows")
        return .init(t, .m0F, 0x51)
    }
    public static var vcvtss2sd: RVM { .init(.ss, .m0F, 0x5A) }
    public static var vcvtsd2ss: RVM { .init(.sd, .m0F, 0x5A) }

    // Bitwise and shuffles, by width (ps, pd)
    public static func vand(_ t: FPType) -> RVM { .init(byWidthOf: t, .m0F, 0x54) }
    public static func vandn(_ t: FPType) -> RVM { .init(byWidthOf: t, .m0F, 0x55) }
    public static func vor(_ t: FPType) -> RVM { .init(byWidthOf: t, .m0F, 0x56) }
    public static func vxor(_ t: FPType) -> RVM { .init(byWidthOf: t, .m0F, 0x57) }
    public static func vunpckl(_ t: FPType) -> RVM { .init(byWidthOf: t, .m0F, 0x14) }
    public static func vunpckh(_ t: FPType) -> RVM { .init(byWidthOf: t, .m0F, 0x15) }

    /// Which operands FMA multiplies and which it adds (SDM: VFMADD132SD and its kin): d, s1, s2 are 1, 2, 3.
    public enum FMAOrder: UInt32, CaseIterable, BitwiseCopyable, Sendable { case o132 = 0x90, o213 = 0xA0, o231 = 0xB0 }
    private static func fma(_ order: FMAOrder, _ t: FPType, _ opcode: UInt32) -> RVM {
        let scalar: UInt32 = t.isScalar ? 1 : 0
        return .init(.p66, .m0F38, order.rawValue | opcode | scalar, w: t.isDouble ? 1 : 0)
    }
    /// x * y + z
    public static func vfmadd(_ order: FMAOrder, _ t: FPType) -> RVM { fma(order, t, 0x8) }
    /// x * y - z
    public static func vfmsub(_ order: FMAOrder, _ t: FPType) -> RVM { fma(order, t, 0xA) }
    /// -(x * y) + z
    public static func vfnmadd(_ order: FMAOrder, _ t: FPType) -> RVM { fma(order, t, 0xC) }
    /// -(x * y) - z
    public static func vfnmsub(_ order: FMAOrder, _ t: FPType) -> RVM { fma(order, t, 0xE) }

    // Integer vectors                     prefix map    opcode
    public static var vpunpcklbw: RVM { .init(.p66, .m0F, 0x60) }
    public static var vpunpcklwd: RVM { .init(.p66, .m0F, 0x61) }
    public static var vpunpckldq: RVM { .init(.p66, .m0F, 0x62) }
    public static var vpunpcklqdq: RVM { .init(.p66, .m0F, 0x6C) }
    public static var vpunpckhbw: RVM { .init(.p66, .m0F, 0x68) }
    public static var vpunpckhwd: RVM { .init(.p66, .m0F, 0x69) }
    public static var vpunpckhdq: RVM { .init(.p66, .m0F, 0x6A) }
    public static var vpunpckhqdq: RVM { .init(.p66, .m0F, 0x6D) }
    public static var vpcmpgtb: RVM { .init(.p66, .m0F, 0x64) }
    public static var vpcmpgtw: RVM { .init(.p66, .m0F, 0x65) }
    public static var vpcmpgtd: RVM { .init(.p66, .m0F, 0x66) }
    public static var vpcmpgtq: RVM { .init(.p66, .m0F38, 0x37) }
    public static var vpcmpeqb: RVM { .init(.p66, .m0F, 0x74) }
    public static var vpcmpeqw: RVM { .init(.p66, .m0F, 0x75) }
    public static var vpcmpeqd: RVM { .init(.p66, .m0F, 0x76) }
    public static var vpcmpeqq: RVM { .init(.p66, .m0F38, 0x29) }
    public static var vpaddb: RVM { .init(.p66, .m0F, 0xFC) }
    public static var vpaddw: RVM { .init(.p66, .m0F, 0xFD) }
    public static var vpaddd: RVM { .init(.p66, .m0F, 0xFE) }
    public static var vpaddq: RVM { .init(.p66, .m0F, 0xD4) }
    public static var vpsubb: RVM { .init(.p66, .m0F, 0xF8) }
    public static var vpsubw: RVM { .init(.p66, .m0F, 0xF9) }
    public static var vpsubd: RVM { .init(.p66, .m0F, 0xFA) }
    public static var vpsubq: RVM { .init(.p66, .m0F, 0xFB) }
    public static var vpmullw: RVM { .init(.p66, .m0F, 0xD5) }
    public static var vpmulld: RVM { .init(.p66, .m0F38, 0x40) }
    public static var vpmuludq: RVM { .init(.p66, .m0F, 0xF4) }
    public static var vpand: RVM { .init(.p66, .m0F, 0xDB) }
    public static var vpandn: RVM { .init(.p66, .m0F, 0xDF) }
    public static var vpor: RVM { .init(.p66, .m0F, 0xEB) }
    public static var vpxor: RVM { .init(.p66, .m0F, 0xEF) }
    public static var vpshufb: RVM { .init(.p66, .m0F38, 0x00) }
    public static var vpsrlvd: RVM { .init(.p66, .m0F38, 0x45) }
    public static var vpsrlvq: RVM { .init(.p66, .m0F38, 0x45, w: 1) }
    public static var vpsravd: RVM { .init(.p66, .m0F38, 0x46) }
    public static var vpsllvd: RVM { .init(.p66, .m0F38, 0x47) }
    public static var vpsllvq: RVM { .init(.p66, .m0F38, 0x47, w: 1) }

    /// The merging register forms: the low element from s2, the rest from s1. (Memory: `VectorMove`.)
    public static var vmovss: RVM { .init(.ss, .m0F, 0x10) }
    public static var vmovsd: RVM { .init(.sd, .m0F, 0x10) }
    public static var vmovhlps: RVM { .init(.none, .m0F, 0x12) }
    public static var vmovlhps: RVM { .init(.none, .m0F, 0x16) }

    public var ymm: RVM { RVM(row: row.with(Encoding.l)) }
}

/// `op d, s/m`
public struct RM: VectorRow {
    let row: Encoding

    /// Quiet comparison into ZF, PF, CF (SDM: VUCOMISS, VUCOMISD): invalid only for signalling NaNs.
    public static func vucomi(_ t: FPType) -> RM { .init(byWidthOf: t, .m0F, 0x2E) }
    /// Signalling comparison into ZF, PF, CF (SDM: VCOMISS, VCOMISD): invalid for any NaN.
    public static func vcomi(_ t: FPType) -> RM { .init(byWidthOf: t, .m0F, 0x2F) }
    /// `vsqrtps`, `vsqrtpd`
    public static func vsqrt(_ t: FPType) -> RM { .init(byWidthOf: t, .m0F, 0x51) }

    //                                     prefix map    opcode
    public static var vcvtps2pd: RM { .init(.none, .m0F, 0x5A) }
    public static var vcvtpd2ps: RM { .init(.p66, .m0F, 0x5A) }
    public static var vcvtdq2ps: RM { .init(.none, .m0F, 0x5B) }
    public static var vcvtps2dq: RM { .init(.p66, .m0F, 0x5B) }
    public static var vcvttps2dq: RM { .init(.pF3, .m0F, 0x5B) }
    public static var vcvtph2ps: RM { .init(.p66, .m0F38, 0x13) }
    public static var vptest: RM { .init(.p66, .m0F38, 0x17) }
    public static var vpabsb: RM { .init(.p66, .m0F38, 0x1C) }
    public static var vpabsw: RM { .init(.p66, .m0F38, 0x1D) }
    public static var vpabsd: RM { .init(.p66, .m0F38, 0x1E) }
    public static var vpbroadcastb: RM { .init(.p66, .m0F38, 0x78) }
    public static var vpbroadcastw: RM { .init(.p66, .m0F38, 0x79) }
    public static var vpbroadcastd: RM { .init(.p66, .m0F38, 0x58) }
    public static var vpbroadcastq: RM { .init(.p66, .m0F38, 0x59) }
    public static var vmovshdup: RM { .init(.pF3, .m0F, 0x16) }
    public static var vmovddup: RM { .init(.pF2, .m0F, 0x12) }

    public var ymm: RM { RM(row: row.with(Encoding.l)) }
}

/// `op d, s1, s2/m, imm8`
public struct RVMI: VectorRow {
    let row: Encoding

    /// d = ones where the predicate holds (SDM: CMPSD): 0 eq, 1 lt, 2 le, 3 unord, 4 neq, 5 nlt, 6 nle, 7 ord, ...
    public static func vcmp(_ t: FPType) -> RVMI { .init(t, .m0F, 0xC2) }
    /// `vroundss`, `vroundsd`: imm 0 nearest even, 1 down, 2 up, 3 to zero, 4 as MXCSR; + 8 without inexact
    public static func vround(_ t: FPType) -> RVMI {
        assert(t.isScalar, "packed roundings are RMI rows")
        return .init(.p66, .m0F3A, 0x08 | UInt32(t.rawValue))
    }
    public static func vshuf(_ t: FPType) -> RVMI { .init(byWidthOf: t, .m0F, 0xC6) }

    //                                        prefix map      opcode
    public static var vpclmulqdq: RVMI { .init(.p66, .m0F3A, 0x44) }
    public static var vpalignr: RVMI { .init(.p66, .m0F3A, 0x0F) }
    public static var vblendps: RVMI { .init(.p66, .m0F3A, 0x0C) }
    public static var vblendpd: RVMI { .init(.p66, .m0F3A, 0x0D) }
    public static var vpblendw: RVMI { .init(.p66, .m0F3A, 0x0E) }
    public static var vinsertps: RVMI { .init(.p66, .m0F3A, 0x21) }

    public var ymm: RVMI { RVMI(row: row.with(Encoding.l)) }
}

/// `op d, s/m, imm8`
public struct RMI: VectorRow {
    let row: Encoding

    /// `vroundps`, `vroundpd`
    public static func vround(_ t: FPType) -> RMI {
        assert(!t.isScalar, "scalar roundings are RVMI rows")
        return .init(.p66, .m0F3A, 0x08 | UInt32(t.rawValue))
    }

    //                                    prefix map    opcode
    public static var vpshufd: RMI { .init(.p66, .m0F, 0x70) }
    public static var vpshufhw: RMI { .init(.pF3, .m0F, 0x70) }
    public static var vpshuflw: RMI { .init(.pF2, .m0F, 0x70) }

    public var ymm: RMI { RMI(row: row.with(Encoding.l)) }
}

/// `op d/m, s, imm8`
public struct MRI: VectorRow {
    let row: Encoding

    //                                      prefix map      opcode
    /// imm as for `RVMI.vround`
    public static var vcvtps2ph: MRI { .init(.p66, .m0F3A, 0x1D) }

    public var ymm: MRI { MRI(row: row.with(Encoding.l)) }
}

/// `op d, s1, s2/m, s3`: s3 is the selector
public struct RVMR: VectorRow {
    let row: Encoding

    //                                       prefix map      opcode
    public static var vblendvps: RVMR { .init(.p66, .m0F3A, 0x4A) }
    public static var vblendvpd: RVMR { .init(.p66, .m0F3A, 0x4B) }
    public static var vpblendvb: RVMR { .init(.p66, .m0F3A, 0x4C) }

    public var ymm: RVMR { RVMR(row: row.with(Encoding.l)) }
}

/// `op d, s, imm8`: d in VEX.vvvv
public struct VMI: VectorRow {
    let row: Encoding

    //                                   prefix map    opcode  digit
    public static var vpsrlw: VMI { .init(.p66, .m0F, 0x71, digit: 2) }
    public static var vpsraw: VMI { .init(.p66, .m0F, 0x71, digit: 4) }
    public static var vpsllw: VMI { .init(.p66, .m0F, 0x71, digit: 6) }
    public static var vpsrld: VMI { .init(.p66, .m0F, 0x72, digit: 2) }
    public static var vpsrad: VMI { .init(.p66, .m0F, 0x72, digit: 4) }
    public static var vpslld: VMI { .init(.p66, .m0F, 0x72, digit: 6) }
    public static var vpsrlq: VMI { .init(.p66, .m0F, 0x73, digit: 2) }
    public static var vpsrldq: VMI { .init(.p66, .m0F, 0x73, digit: 3) }
    public static var vpsllq: VMI { .init(.p66, .m0F, 0x73, digit: 6) }
    public static var vpslldq: VMI { .init(.p66, .m0F, 0x73, digit: 7) }

    public var ymm: VMI { VMI(row: row.with(Encoding.l)) }
}

/// Moves between vector registers and memory: a load opcode and a store opcode.
public struct VectorMove: BitwiseCopyable, Sendable {
    let row: Encoding
    /// Whether register to register is a plain copy (vmovss and vmovsd merge: `RVM`).
    let copies: Bool
    private init(_ prefix: Encoding.Prefix, load: UInt32, store: UInt32, copies: Bool = true) {
        self.init(row: Encoding(prefix, .m0F, load, store: store), copies: copies)
    }
    private init(row: Encoding, copies: Bool) {
        self.row = row
        self.copies = copies
    }

    //                                          prefix load        store
    public static var vmovss: VectorMove { .init(.pF3, load: 0x10, store: 0x11, copies: false) }
    public static var vmovsd: VectorMove { .init(.pF2, load: 0x10, store: 0x11, copies: false) }
    public static var vmovups: VectorMove { .init(.none, load: 0x10, store: 0x11) }
    public static var vmovupd: VectorMove { .init(.p66, load: 0x10, store: 0x11) }
    public static var vmovaps: VectorMove { .init(.none, load: 0x28, store: 0x29) }
    public static var vmovapd: VectorMove { .init(.p66, load: 0x28, store: 0x29) }
    public static var vmovdqa: VectorMove { .init(.p66, load: 0x6F, store: 0x7F) }
    public static var vmovdqu: VectorMove { .init(.pF3, load: 0x6F, store: 0x7F) }

    public var ymm: VectorMove { VectorMove(row: row.with(Encoding.l), copies: copies) }
}

/// Scalar conversions to an integer register: `op r, x/m`
public struct FPToInt: VectorRow {
    let row: Encoding

    /// Rounded as MXCSR says: `vcvtss2si`, `vcvtsd2si`
    public static func vcvt2si(_ t: FPType) -> FPToInt { .init(t, .m0F, 0x2D) }
    /// Rounded to zero: `vcvttss2si`, `vcvttsd2si`
    public static func vcvtt2si(_ t: FPType) -> FPToInt { .init(t, .m0F, 0x2C) }
}
