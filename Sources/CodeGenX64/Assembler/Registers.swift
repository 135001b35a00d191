// Registers, conditions and operand sizes of x86-64, numbered as the hardware numbers them, so that a raw value is
// what goes into an instruction's fields.

/// A general-purpose register (SDM volume 2, table 3-1). The name is the 64-bit one; `OperandSize` says how much of it
/// an instruction uses. With `.byte`, 4 to 7 are spl, bpl, sil and dil, never ah to bh.
public enum GPR: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
}

/// A vector register: xmm0 to xmm15, or ymm0 to ymm15 where the encoding's row says `ymm`.
public enum XMM: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7, xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15
}

/// A condition code as Jcc, SETcc and CMOVcc encode it (SDM volume 1, appendix B).
public enum ConditionCode: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g

    /// The condition that holds exactly when this one does not.
    @inlinable @inline(__always)
    public var inverted: ConditionCode {
        unsafeBitCast(rawValue ^ 1, to: ConditionCode.self)  // all 16 values are cases
    }
}

/// How much of a general-purpose register or of memory an integer instruction works on.
public enum OperandSize: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case byte, word, dword, qword

    /// 1, 2, 4 or 8.
    @inlinable @inline(__always)
    public var bytes: Int { 1 &<< Int(rawValue) }

    /// The length of an immediate beside an operand of this size: a qword takes a sign-extended dword.
    @inline(__always)
    var immediateBytes: Int { self == .qword ? 4 : bytes }
}

/// The factor of an address's index register.
public enum Scale: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case x1, x2, x4, x8
}

/// The type suffix of a floating-point instruction, numbered as the prefix that selects it (none, 66, F3, F2).
public enum FPType: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case ps, pd, ss, sd

    @inline(__always) var isScalar: Bool { rawValue >= 2 }
    @inline(__always) var isDouble: Bool { rawValue & 1 != 0 }
}

extension OperandSize: Comparable {
    @inlinable @inline(__always)
    public static func < (a: OperandSize, b: OperandSize) -> Bool { a.rawValue < b.rawValue }
}
