// Floating-point operations that hosts do not have, done by SoftFloat: those that round to nearest with ties to max magnitude,
// FCVTMOD and FCLASS. One helper serves all: its first argument selects operation, format and rounding.

import IR
import SoftFloat

/// An operation of the helper. Conversions name what is not in the selector's format.
enum SoftOperation: UInt8, CaseIterable, Sendable {
    case add, subtract, multiply, divide, squareRoot
    /// a × b + c, a × b - c, -(a × b) + c, -(a × b) - c
    case fusedAdd, fusedSubtract, fusedNegateSubtract, fusedNegateAdd
    /// To an integral value, silently or raising inexact.
    case round, roundExact
    case toInt32, toUInt32, toInt64, toUInt64, toInt32Modular
    case fromInt32, fromUInt32, fromInt64, fromUInt64
    case toBinary16, toBinary32

    /// The operation of fadd, fsub, fmul, fdiv.
    init(_ opcode: Opcode) {
        switch opcode {
        case .fsub: self = .subtract
        case .fmul: self = .multiply
        case .fdiv: self = .divide
        default: self = .add
        }
    }

    static func fused(negateProduct: Bool, negateAddend: Bool) -> SoftOperation {
        negateProduct
            ? (negateAddend ? .fusedNegateAdd : .fusedNegateSubtract) : (negateAddend ? .fusedSubtract : .fusedAdd)
    }
}

/// The helper's first argument: operation in bits 0-7, format in 8-15, rounding in 16-23.
struct SoftSelector {
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }
    init(operation: SoftOperation, format: FloatFormat, rounding: Rounding) {
        rawValue = UInt32(operation.rawValue) | UInt32(format.rawValue) << 8 | UInt32(rounding.rawValue) << 16
    }

    var operation: SoftOperation { SoftOperation(rawValue: UInt8(rawValue & 0xff)) ?? .add }
    var format: FloatFormat { FloatFormat(rawValue: UInt8(rawValue >> 8 & 0xff)) ?? .binary64 }
    var rounding: RoundingMode { RoundingMode(rawValue: UInt8(rawValue >> 16 & 0xff)) ?? .nearestEven }
}

let helperSoftFloat: HelperFunction = { state, selector, a, b, c in
    let selector = SoftSelector(rawValue: UInt32(truncatingIfNeeded: selector))
    var status = Status(rounding: selector.rounding)
    let result =
        switch selector.format {
        case .binary16: compute(Binary16.self, selector.operation, a, b, c, &status)
        case .binary32: compute(Binary32.self, selector.operation, a, b, c, &status)
        case .binary64: compute(Binary64.self, selector.operation, a, b, c, &status)
        }
    state.storeBytes(of: UInt32(status.flags.rawValue), toByteOffset: StateOffset.softFlags, as: UInt32.self)
    return result
}

let helperClassifySingle: HelperFunction = { _, a, _, _, _ in
    Binary32.classify(UInt32(truncatingIfNeeded: a)).mask
}

let helperClassifyDouble: HelperFunction = { _, a, _, _, _ in Binary64.classify(a).mask }

/// Bit patterns travel zero-extended; 32-bit integer results sign-extended, unsigned ones too, as registers hold them.
private func compute<F: BinaryFormat>(
    _ format: F.Type, _ operation: SoftOperation, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ status: inout Status
) -> UInt64 {
    let (x, y, z) = (F.Bits(truncatingIfNeeded: a), F.Bits(truncatingIfNeeded: b), F.Bits(truncatingIfNeeded: c))
    func fused(_ negateProduct: Bool, _ negateAddend: Bool, _ status: inout Status) -> UInt64 {
        UInt64(F.fusedMultiplyAdd(x, y, z, negateProduct: negateProduct, negateAddend: negateAddend, &status))
    }
    switch operation {
    case .add: return UInt64(F.add(x, y, &status))
    case .subtract: return UInt64(F.subtract(x, y, &status))
    case .multiply: return UInt64(F.multiply(x, y, &status))
    case .divide: return UInt64(F.divide(x, y, &status))
    case .squareRoot: return UInt64(F.squareRoot(x, &status))
    case .fusedAdd: return fused(false, false, &status)
    case .fusedSubtract: return fused(false, true, &status)
    case .fusedNegateSubtract: return fused(true, false, &status)
    case .fusedNegateAdd: return fused(true, true, &status)
    case .round: return UInt64(F.roundToIntegral(x, raisesInexact: false, &status))
    case .roundExact: return UInt64(F.roundToIntegral(x, raisesInexact: true, &status))
    case .toInt32: return UInt64(truncatingIfNeeded: F.toInt32(x, &status))
    case .toUInt32: return UInt64(truncatingIfNeeded: Int32(bitPattern: F.toUInt32(x, &status)))
    case .toInt64: return UInt64(bitPattern: F.toInt64(x, &status))
    case .toUInt64: return F.toUInt64(x, &status)
    case .toInt32Modular: return UInt64(truncatingIfNeeded: F.toInt32Modular(x, &status))
    case .fromInt32: return UInt64(F.from(Int32(truncatingIfNeeded: a), &status))
    case .fromUInt32: return UInt64(F.from(UInt32(truncatingIfNeeded: a), &status))
    case .fromInt64: return UInt64(F.from(Int64(bitPattern: a), &status))
    case .fromUInt64: return UInt64(F.from(a, &status))
    case .toBinary16: return UInt64(F.toBinary16(x, &status))
    case .toBinary32: return UInt64(F.toBinary32(x, &status))
    }
}
