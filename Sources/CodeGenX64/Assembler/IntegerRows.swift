// The integer instructions that come in families, one row each.

/// The eight two-operand arithmetic instructions, numbered as opcodes and ModRM number them.
public enum ALU: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case add, or, adc, sbb, and, sub, xor, cmp
}

/// Shifts and rotates, numbered as ModRM numbers them.
public enum Shift: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case rol = 0, ror = 1, rcl = 2, rcr = 3, shl = 4, shr = 5, sar = 7
}

/// Bit tests, numbered as ModRM numbers them.
public enum BitTest: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case bt = 4, bts, btr, btc
}

/// `op r/m`, byte to qword.
public struct Unary: BitwiseCopyable, Sendable {
    let row: Encoding
    private init(_ opcode: UInt32, _ digit: UInt32) { row = Encoding(.none, .one, opcode, digit: digit) }

    //                                opcode digit
    public static var inc: Unary { .init(0xFE, 0) }
    public static var dec: Unary { .init(0xFE, 1) }
    public static var not: Unary { .init(0xF6, 2) }
    public static var neg: Unary { .init(0xF6, 3) }
    /// rdx:rax = rax * operand, unsigned (ax for bytes).
    public static var mul: Unary { .init(0xF6, 4) }
    /// rdx:rax = rax * operand, signed (ax for bytes).
    public static var imul: Unary { .init(0xF6, 5) }
    /// rax, rdx = quotient, remainder of rdx:rax, unsigned.
    public static var div: Unary { .init(0xF6, 6) }
    /// rax, rdx = quotient, remainder of rdx:rax, signed.
    public static var idiv: Unary { .init(0xF6, 7) }
}

/// `op r, r/m`, word to qword.
public struct Binary: BitwiseCopyable, Sendable {
    let row: Encoding
    private init(_ prefix: Encoding.Prefix, _ map: Encoding.Map, _ opcode: UInt32) {
        row = Encoding(prefix, map, opcode)
    }

    //                                  prefix map    opcode
    public static var imul: Binary { .init(.none, .m0F, 0xAF) }
    public static var bsf: Binary { .init(.none, .m0F, 0xBC) }
    public static var bsr: Binary { .init(.none, .m0F, 0xBD) }
    public static var popcnt: Binary { .init(.pF3, .m0F, 0xB8) }
    public static var tzcnt: Binary { .init(.pF3, .m0F, 0xBC) }
    public static var lzcnt: Binary { .init(.pF3, .m0F, 0xBD) }

    /// CMOVcc
    public static func cmov(_ condition: ConditionCode) -> Binary {
        .init(.none, .m0F, 0x40 | UInt32(condition.rawValue))
    }
}

/// VEX-encoded integer instructions `op r, r, r/m`, dword and qword.
public struct BMI3: BitwiseCopyable, Sendable {
    let row: Encoding
    private init(_ prefix: Encoding.Prefix, _ opcode: UInt32) { row = Encoding(prefix, .m0F38, opcode) }

    //                                prefix opcode
    /// d = ~s1 & s2
    public static var andn: BMI3 { .init(.none, 0xF2) }
    /// d = the bits of s1 deposited where the mask s2 has ones
    public static var pdep: BMI3 { .init(.pF2, 0xF5) }
    /// d = the bits of s1 where the mask s2 has ones, gathered at the low end
    public static var pext: BMI3 { .init(.pF3, 0xF5) }
    /// d:s1 = rdx * s2, unsigned (d gets the high half, s1 is written too)
    public static var mulx: BMI3 { .init(.pF2, 0xF6) }
}

/// VEX-encoded integer instructions `op r, r/m, r`, dword and qword: the last operand is the count or control.
public struct BMIShift: BitwiseCopyable, Sendable {
    let row: Encoding
    private init(_ prefix: Encoding.Prefix, _ opcode: UInt32) { row = Encoding(prefix, .m0F38, opcode) }

    //                                     prefix opcode
    public static var shlx: BMIShift { .init(.p66, 0xF7) }
    public static var shrx: BMIShift { .init(.pF2, 0xF7) }
    public static var sarx: BMIShift { .init(.pF3, 0xF7) }
    public static var bextr: BMIShift { .init(.none, 0xF7) }
    public static var bzhi: BMIShift { .init(.none, 0xF5) }
}

/// VEX-encoded integer instructions `op r, r/m`, dword and qword.
public struct BMI2: BitwiseCopyable, Sendable {
    let row: Encoding
    private init(_ digit: UInt32) { row = Encoding(.none, .m0F38, 0xF3, digit: digit) }

    //                                  digit
    /// d = s with its lowest one cleared
    public static var blsr: BMI2 { .init(1) }
    /// d = ones up to and including the lowest one of s
    public static var blsmsk: BMI2 { .init(2) }
    /// d = the lowest one of s
    public static var blsi: BMI2 { .init(3) }
}
