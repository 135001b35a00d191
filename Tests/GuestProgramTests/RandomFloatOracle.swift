// What every floating-point instruction computes, by SoftFloat: registers in, register and flags out (Unprivileged ISA,
// chapters "F", "D", "Zfa", "Zfh and Zfhmin").

import GuestRISCV
import SoftFloat

/// A floating-point instruction as a function of registers.
struct FloatInstruction: Sendable {
    enum Register: Sendable { case integer, float }

    /// The row's name in the decode tables.
    var name: String
    var source: Register = .float
    var result: Register = .float
    /// What its operands are, to choose interesting ones; nil for integers.
    var format: RandomFloatFormat?
    var operands: Int
    /// Integer results have 64 bits: narrow registers get the lower ones.
    var evaluate: @Sendable (_ a: UInt64, _ b: UInt64, _ c: UInt64, _ status: inout Status) -> UInt64

    var row: Int? { (0..<InstructionTable.count).first { InstructionTable.name($0) == name } }

    /// Whether the word has a rounding mode.
    var hasRounding: Bool {
        row.map { InstructionTable.encodings.operands($0).contains { $0.kind == "rounding" } } ?? false
    }

    static let all: [FloatInstruction] =
        common(Binary32.self, "s", .binary32) + common(Binary64.self, "d", .binary64) + conversions + moves
}

// MARK: Registers

/// The value in a register of a format: not boxed is the default NaN.
private func unbox<F: BinaryFormat>(_ register: UInt64, _: F.Type) -> F.Bits {
    let box = F.Bits.bitWidth == 64 ? 0 : ~UInt64(0) << UInt64(F.Bits.bitWidth)
    return register & box == box ? F.Bits(truncatingIfNeeded: register) : F.canonicalNaN
}

private func box<B: FixedWidthInteger & UnsignedInteger>(_ bits: B) -> UInt64 {
    B.bitWidth == 64 ? UInt64(bits) : ~UInt64(0) << UInt64(B.bitWidth) | UInt64(bits)
}

private func signExtended(_ value: Int32) -> UInt64 { UInt64(truncatingIfNeeded: value) }
private func signExtended(_ value: UInt32) -> UInt64 { UInt64(truncatingIfNeeded: Int32(bitPattern: value)) }

// MARK: Both formats

private func common<F: BinaryFormat & SendableMetatype>(
    _: F.Type, _ suffix: String, _ format: RandomFloatFormat
) -> [FloatInstruction] {
    func binary(_ name: String, _ f: @escaping @Sendable (F.Bits, F.Bits, inout Status) -> F.Bits) -> FloatInstruction {
        FloatInstruction(name: "\(name)_\(suffix)", format: format, operands: 2) { a, b, _, s in
            box(f(unbox(a, F.self), unbox(b, F.self), &s))
        }
    }
    func unary(_ name: String, _ f: @escaping @Sendable (F.Bits, inout Status) -> F.Bits) -> FloatInstruction {
        FloatInstruction(name: "\(name)_\(suffix)", format: format, operands: 1) { a, _, _, s in
            box(f(unbox(a, F.self), &s))
        }
    }
    func fused(_ name: String, _ negateProduct: Bool, _ negateAddend: Bool) -> FloatInstruction {
        FloatInstruction(name: "\(name)_\(suffix)", format: format, operands: 3) { a, b, c, s in
            box(
                F.fusedMultiplyAdd(
                    unbox(a, F.self), unbox(b, F.self), unbox(c, F.self), negateProduct: negateProduct,
                    negateAddend: negateAddend, &s))
        }
    }
    func compare(_ name: String, _ f: @escaping @Sendable (F.Bits, F.Bits, inout Status) -> Bool) -> FloatInstruction {
        FloatInstruction(name: "\(name)_\(suffix)", result: .integer, format: format, operands: 2) { a, b, _, s in
            f(unbox(a, F.self), unbox(b, F.self), &s) ? 1 : 0
        }
    }
    func toInteger(_ name: String, _ f: @escaping @Sendable (F.Bits, inout Status) -> UInt64) -> FloatInstruction {
        FloatInstruction(name: "\(name)_\(suffix)", result: .integer, format: format, operands: 1) { a, _, _, s in
            f(unbox(a, F.self), &s)
        }
    }
    func fromInteger(_ name: String, _ f: @escaping @Sendable (UInt64, inout Status) -> F.Bits) -> FloatInstruction {
        FloatInstruction(name: "fcvt_\(suffix)_\(name)", source: .integer, operands: 1) { a, _, _, s in box(f(a, &s)) }
    }
    let sign = F.signMask
    return [
        binary("fadd") { F.add($0, $1, &$2) }, binary("fsub") { F.subtract($0, $1, &$2) },
        binary("fmul") { F.multiply($0, $1, &$2) }, binary("fdiv") { F.divide($0, $1, &$2) },
        unary("fsqrt") { F.squareRoot($0, &$1) },
        fused("fmadd", false, false), fused("fmsub", false, true),
        fused("fnmsub", true, false), fused("fnmadd", true, true),
        binary("fmin") { F.minimumNumber($0, $1, &$2) }, binary("fmax") { F.maximumNumber($0, $1, &$2) },
        binary("fminm") { F.minimum($0, $1, &$2) }, binary("fmaxm") { F.maximum($0, $1, &$2) },
        binary("fsgnj") { a, b, _ in a & ~sign | b & sign }, binary("fsgnjn") { a, b, _ in a & ~sign | ~b & sign },
        binary("fsgnjx") { a, b, _ in a ^ b & sign },
        compare("feq") { F.isEqual($0, $1, signaling: false, &$2) },
        compare("flt") { F.isLess($0, $1, signaling: true, &$2) },
        compare("fle") { F.isLessOrEqual($0, $1, signaling: true, &$2) },
        compare("fltq") { F.isLess($0, $1, signaling: false, &$2) },
        compare("fleq") { F.isLessOrEqual($0, $1, signaling: false, &$2) },
        toInteger("fclass") { a, _ in F.classify(a).mask },
        unary("fround") { F.roundToIntegral($0, raisesInexact: false, &$1) },
        unary("froundnx") { F.roundToIntegral($0, raisesInexact: true, &$1) },
        toInteger("fcvt_w") { signExtended(F.toInt32($0, &$1)) },
        toInteger("fcvt_wu") { signExtended(F.toUInt32($0, &$1)) },
        toInteger("fcvt_l") { UInt64(bitPattern: F.toInt64($0, &$1)) }, toInteger("fcvt_lu") { F.toUInt64($0, &$1) },
        fromInteger("w") { F.from(Int32(truncatingIfNeeded: $0), &$1) },
        fromInteger("wu") { F.from(UInt32(truncatingIfNeeded: $0), &$1) },
        fromInteger("l") { F.from(Int64(bitPattern: $0), &$1) }, fromInteger("lu") { F.from($0, &$1) },
    ]
}

// MARK: The rest

private let conversions: [FloatInstruction] = {
    func convert<From: BinaryFormat & SendableMetatype, To: FixedWidthInteger & UnsignedInteger & SendableMetatype>(
        _ name: String, _: From.Type, _ format: RandomFloatFormat,
        _ f: @escaping @Sendable (From.Bits, inout Status) -> To
    ) -> FloatInstruction {
        FloatInstruction(name: name, format: format, operands: 1) { a, _, _, s in box(f(unbox(a, From.self), &s)) }
    }
    return [
        convert("fcvt_s_d", Binary64.self, .binary64) { Binary64.toBinary32($0, &$1) },
        convert("fcvt_h_d", Binary64.self, .binary64) { Binary64.toBinary16($0, &$1) },
        convert("fcvt_d_s", Binary32.self, .binary32) { Binary32.toBinary64($0, &$1) },
        convert("fcvt_h_s", Binary32.self, .binary32) { Binary32.toBinary16($0, &$1) },
        convert("fcvt_s_h", Binary16.self, .binary16) { Binary16.toBinary32($0, &$1) },
        convert("fcvt_d_h", Binary16.self, .binary16) { Binary16.toBinary64($0, &$1) },
        FloatInstruction(name: "fcvtmod_w_d", result: .integer, format: .binary64, operands: 1) { a, _, _, s in
            signExtended(Binary64.toInt32Modular(a, &s))
        },
    ]
}()

/// Bits as they are: no boxing is looked at.
private let moves: [FloatInstruction] = [
    FloatInstruction(name: "fmv_x_d", result: .integer, format: .binary64, operands: 1) { a, _, _, _ in a },
    FloatInstruction(name: "fmv_x_w", result: .integer, format: .binary32, operands: 1) { a, _, _, _ in
        signExtended(UInt32(truncatingIfNeeded: a))
    },
    FloatInstruction(name: "fmv_x_h", result: .integer, format: .binary16, operands: 1) { a, _, _, _ in
        UInt64(truncatingIfNeeded: Int16(truncatingIfNeeded: a))
    },
    FloatInstruction(name: "fmv_d_x", source: .integer, operands: 1) { a, _, _, _ in a },
    FloatInstruction(name: "fmv_w_x", source: .integer, operands: 1) { a, _, _, _ in box(UInt32(truncatingIfNeeded: a))
    },
    // RV32: the upper half, and a register of both halves.
    FloatInstruction(name: "fmvh_x_d", result: .integer, format: .binary64, operands: 1) { a, _, _, _ in a >> 32 },
    FloatInstruction(name: "fmvp_d_x", source: .integer, operands: 2) { low, high, _, _ in
        UInt64(UInt32(truncatingIfNeeded: low)) | high << 32
    },
    FloatInstruction(name: "fmv_h_x", source: .integer, operands: 1) { a, _, _, _ in box(UInt16(truncatingIfNeeded: a))
    },
]
