// What the floating-point chapters share (Unprivileged ISA, chapters "F", "D", "Zfh and Zfhmin", "Zfa").
//
// A register holds 64 bits: a double, or a narrower value NaN-boxed. Operations on singles work on f32 temps. Because a chain
// of them would box and unbox at every step, `singles[i]` names an f32 temp that equals the unboxed value of f`i`; every
// write of f`i` replaces or clears it. The box is still written, so the register is exact at every instruction; the
// optimizer drops those that nobody sees.
//
// Rounding: what class of mode a dynamic one means is known at translation (`roundingClass`). Ties to max magnitude, which hosts
// lack as a current mode, is named in the ops.

import GuestKit
import IR

extension RISCVTranslator {
    // MARK: Registers

    /// The value of f`i` in `format`; the default NaN when it is not boxed as one.
    mutating func float(_ i: Int32, _ format: FloatFormat) -> Temp {
        switch format {
        case .binary64: return Global.f(i)
        case .binary16: return ir.unboxf(Global.f(i), .binary16)
        case .binary32:
            let known = singles[Int(i)]
            if !known.isNone { return known }
            let value = ir.unboxf(Global.f(i), .binary32)
            singles[Int(i)] = value
            boxedSingles &= ~(1 &<< UInt32(bitPattern: i))
            return value
        }
    }

    /// Stores the low 32 bits of f`i` as they are, boxed or not.
    mutating func storeSingle(_ i: Int32, _ base: Temp, _ displacement: Int64) {
        let known = singles[Int(i)]
        let isExact = !known.isNone && boxedSingles & (1 &<< UInt32(bitPattern: i)) != 0
        ir.gst(isExact ? known : ir.bitcast(Global.f(i), to: .i64), base, displacement, guest(.u32))
    }

    /// Gives f`rd` the value in `format` that `make` computes: into its second argument when that is not nil.
    @inline(__always)
    mutating func setFloat(_ rd: Int32, _ format: FloatFormat, _ make: (_ ir: IRBuilder, _ into: Temp?) -> Temp) -> Bool
    {
        switch format {
        case .binary64:
            _ = make(ir, Global.f(rd))
            singles[Int(rd)] = .none
        case .binary32:
            let value = make(ir, nil)
            ir.boxf(value, .binary32, into: Global.f(rd))
            singles[Int(rd)] = value
            boxedSingles |= 1 &<< UInt32(bitPattern: rd)
        case .binary16:
            ir.boxf(make(ir, nil), .binary16, into: Global.f(rd))
            singles[Int(rd)] = .none
        }
        return true
    }

    /// Copies a double to f`rd` from 64 bits in an integer.
    mutating func setFloatBits(_ rd: Int32, _ bits: Temp) {
        ir.bitcast(bits, to: .f64, into: Global.f(rd))
        singles[Int(rd)] = .none
    }

    // MARK: Rounding

    /// What an instruction's `rm` field means; nil when that is illegal.
    func rounding(_ rm: UInt8) -> Rounding? {
        switch rm {
        case 0...4: return Rounding(rawValue: rm)
        case 7:
            switch roundingClass {
            case .host: return .dynamic
            case .maxMagnitude: return .nearestMaxMagnitude
            case .invalid: return nil
            }
        default: return nil
        }
    }

    // MARK: Arithmetic

    mutating func arithmetic(_ a: Args.RM, _ opcode: Opcode, _ format: FloatFormat) -> Bool {
        guard let rounding = rounding(a.rm) else { return false }
        let x = float(a.rs1, format)
        let y = float(a.rs2, format)
        return setFloat(a.rd, format) { $0.fbinary(opcode, x, y, rounding, into: $1) }
    }

    mutating func squareRoot(_ a: Args.R2M, _ format: FloatFormat) -> Bool {
        guard let rounding = rounding(a.rm) else { return false }
        let x = float(a.rs1, format)
        return setFloat(a.rd, format) { $0.funary(.fsqrt, x, rounding, into: $1) }
    }

    /// ±(rs1 × rs2) ± rs3
    mutating func fused(_ a: Args.R3, _ format: FloatFormat, negateProduct: Bool, negateAddend: Bool) -> Bool {
        guard let rounding = rounding(a.rm) else { return false }
        let x = float(a.rs1, format)
        let y = float(a.rs2, format)
        let z = float(a.rs3, format)
        return setFloat(a.rd, format) {
            $0.fma(x, y, z, negateProduct: negateProduct, negateAddend: negateAddend, rounding, into: $1)
        }
    }

    /// Minimum and maximum: no rounding.
    mutating func extremum(_ a: Args.R, _ opcode: Opcode, _ format: FloatFormat) -> Bool {
        let x = float(a.rs1, format)
        let y = float(a.rs2, format)
        return setFloat(a.rd, format) { $0.fbinary(opcode, x, y, into: $1) }
    }

    mutating func injectSign(_ a: Args.R, _ kind: SignOp, _ format: FloatFormat) -> Bool {
        let x = float(a.rs1, format)
        if a.rs1 == a.rs2 {
            return setFloat(a.rd, format) {
                switch kind {
                case .copy: copied($0, x, into: $1)
                case .copyNegated: $0.funary(.fneg, x, into: $1)
                case .xor: $0.funary(.fabs, x, into: $1)
                }
            }
        }
        let y = float(a.rs2, format)
        return setFloat(a.rd, format) { $0.fcopysign(kind, x, y, into: $1) }
    }

    /// Raises flags also when the result goes to x0.
    mutating func compare(_ a: Args.R, _ condition: FloatCondition, _ format: FloatFormat) -> Bool {
        let x = float(a.rs1, format)
        let y = float(a.rs2, format)
        if xlen == .i64 {
            ir.fsetcond(condition, x, y, into: destination(a.rd))
        } else {
            move(a.rd, narrow(ir.fsetcond(condition, x, y)))
        }
        return true
    }

    /// FCLASS: one bit of ten, without a branch. Of the bit pattern moved to the top, `magnitude` is all but the sign.
    mutating func classify(_ a: Args.R2, _ format: FloatFormat) -> Bool {
        let value = float(a.rs1, format)
        return set(a.rd) { ir, into in
            let isDouble = format == .binary64
            let pattern = isDouble ? bits(of: value, format) : ir.shl(bits(of: value, format), ir.const(32))
            let magnitude = ir.shl(pattern, ir.const(1))
            let infinity = ir.const(Int64(bitPattern: isDouble ? 0xffe0_0000_0000_0000 : 0xff00_0000_0000_0000))
            let normal = ir.const(isDouble ? 0x0020_0000_0000_0000 : 0x0100_0000_0000_0000)
            // Zero 4, subnormal 5, normal 6, infinity 7; negative ones 3, 2, 1, 0.
            let size = ir.add(
                ir.setcond(.ne, magnitude, ir.const(0)),
                ir.add(ir.setcond(.geu, magnitude, normal), ir.setcond(.geu, magnitude, infinity)))
            let number = ir.xor(ir.add(size, ir.const(4)), ir.and(ir.sar(pattern, ir.const(63)), ir.const(7)))
            let nan = ir.add(ir.extract(pattern, isDouble ? 51 : 54, 1), ir.const(8))
            return narrow(ir.shl(ir.const(1), ir.select(.gtu, magnitude, infinity, nan, number)), into: into)
        }
    }

    // MARK: Conversions

    /// To an integer of type `type`; a 32-bit result is sign-extended, also an unsigned one. Raises flags also for x0.
    mutating func toInteger(_ a: Args.R2M, _ format: FloatFormat, _ type: ValueType, unsigned: Bool) -> Bool {
        guard let rounding = rounding(a.rm) else { return false }
        let x = float(a.rs1, format)
        if type == .i64 {
            ir.ftoi(x, to: .i64, unsigned: unsigned, rounding, into: destination(a.rd))
        } else {
            let result = ir.ftoi(x, to: .i32, unsigned: unsigned, rounding)
            if a.rd != 0 { _ = signExtended(result, into: Global.x(a.rd)) }
        }
        return true
    }

    /// From an integer of type `type`.
    mutating func fromInteger(_ a: Args.R2M, _ format: FloatFormat, _ type: ValueType, unsigned: Bool) -> Bool {
        guard let rounding = rounding(a.rm) else { return false }
        let isExact = type == .i32 && format == .binary64
        let x = type == .i64 ? x(a.rs1) : low32(x(a.rs1))
        return setFloat(a.rd, format) {
            $0.itof(
                x, to: format == .binary64 ? .f64 : .f32, unsigned: unsigned, isExact ? .dynamic : rounding, into: $1)
        }
    }

    /// Between formats. Widening is exact, whatever the rounding mode.
    mutating func convert(_ a: Args.R2M, from: FloatFormat, to: FloatFormat) -> Bool {
        guard let rounding = rounding(a.rm) else { return false }
        let isExact = from.rawValue < to.rawValue
        let x = float(a.rs1, from)
        return setFloat(a.rd, to) { $0.fcvt(x, from: from, to: to, isExact ? .dynamic : rounding, into: $1) }
    }

    /// To an integral value of the same format.
    mutating func roundToIntegral(_ a: Args.R2M, _ format: FloatFormat, raisesInexact: Bool) -> Bool {
        guard let rounding = rounding(a.rm) else { return false }
        let x = float(a.rs1, format)
        return setFloat(a.rd, format) { $0.fround(x, rounding, raisesInexact: raisesInexact, into: $1) }
    }

    // MARK: Bits

    /// The bit pattern of `value` as an i64, zero-extended.
    func bits(of value: Temp, _ format: FloatFormat) -> Temp {
        switch format {
        case .binary64: ir.bitcast(value, to: .i64)
        case .binary32: ir.zext(ir.bitcast(value, to: .i32))
        case .binary16: ir.extract(ir.zext(ir.bitcast(value, to: .i32)), 0, 16)
        }
    }
}

private func copied(_ ir: IRBuilder, _ value: Temp, into: Temp?) -> Temp {
    guard let into else { return value }
    if into != value { ir.mov(into, value) }
    return into
}

/// f32 temps by register. Room for them is made when one is first known: most blocks have none.
struct KnownSingles: ~Copyable {
    private var temps: UnsafeMutablePointer<Temp>?
    private var known: UInt32 = 0

    subscript(_ i: Int) -> Temp {
        get {
            guard known &>> UInt32(i) & 1 != 0, let temps else { return .none }
            return temps[i]
        }
        set {
            let bit: UInt32 = 1 &<< UInt32(i)
            known &= ~bit
            if newValue.isNone { return }
            known |= bit
            let room = temps ?? .allocate(capacity: 32)
            room[i] = newValue
            temps = room
        }
    }

    deinit { temps?.deallocate() }
}
