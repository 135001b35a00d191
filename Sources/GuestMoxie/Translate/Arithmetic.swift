// Moves, arithmetic, logic, shifts, comparison.

import GuestKit
import IR

extension MoxieTranslator {
    @inline(__always) private func binary(_ a: Args.AB, _ opcode: Opcode) -> Bool {
        ir.binary(opcode, x(a.a), x(a.b), into: x(a.a))
        return true
    }
    @inline(__always) private func unary(_ a: Args.AB, _ opcode: Opcode) -> Bool {
        ir.unary(opcode, x(a.b), into: x(a.a))
        return true
    }

    // MARK: Moves

    private func move(_ a: Args.AI) -> Bool {
        ir.mov(x(a.a), word(a.imm))
        return true
    }

    /// All three move the whole word.
    mutating func ldi_l(_ a: Args.AI) -> Bool { move(a) }
    mutating func ldi_b(_ a: Args.AI) -> Bool { move(a) }
    mutating func ldi_s(_ a: Args.AI) -> Bool { move(a) }
    mutating func mov(_ a: Args.AB) -> Bool {
        if a.a != a.b { ir.mov(x(a.a), x(a.b)) }
        return true
    }
    mutating func sex_b(_ a: Args.AB) -> Bool {
        ir.sextract(x(a.b), 0, 8, into: x(a.a))
        return true
    }
    mutating func sex_s(_ a: Args.AB) -> Bool {
        ir.sextract(x(a.b), 0, 16, into: x(a.a))
        return true
    }
    mutating func zex_b(_ a: Args.AB) -> Bool {
        ir.extract(x(a.b), 0, 8, into: x(a.a))
        return true
    }
    mutating func zex_s(_ a: Args.AB) -> Bool {
        ir.extract(x(a.b), 0, 16, into: x(a.a))
        return true
    }

    // MARK: Arithmetic and logic

    mutating func add(_ a: Args.AB) -> Bool { binary(a, .add) }
    mutating func sub(_ a: Args.AB) -> Bool { binary(a, .sub) }
    mutating func mul(_ a: Args.AB) -> Bool { binary(a, .mul) }
    /// The upper halves of products.
    mutating func mul_x(_ a: Args.AB) -> Bool { binary(a, .mulhs) }
    mutating func umul_x(_ a: Args.AB) -> Bool { binary(a, .mulhu) }
    mutating func and(_ a: Args.AB) -> Bool { binary(a, .and) }
    mutating func or(_ a: Args.AB) -> Bool { binary(a, .or) }
    mutating func xor(_ a: Args.AB) -> Bool { binary(a, .xor) }
    mutating func neg(_ a: Args.AB) -> Bool { unary(a, .neg) }
    mutating func not(_ a: Args.AB) -> Bool { unary(a, .not) }
    /// The amount counts modulo 32.
    mutating func ashl(_ a: Args.AB) -> Bool { binary(a, .shl) }
    mutating func lshr(_ a: Args.AB) -> Bool { binary(a, .shr) }
    mutating func ashr(_ a: Args.AB) -> Bool { binary(a, .sar) }
    mutating func inc(_ a: Args.AV) -> Bool {
        ir.add(x(a.a), word(a.value), into: x(a.a))
        return true
    }
    mutating func dec(_ a: Args.AV) -> Bool {
        ir.add(x(a.a), word(0 &- a.value), into: x(a.a))
        return true
    }

    // MARK: Division

    /// A divisor of zero raises the exception. The quotient of -2^31 and -1, which nobody says, is -2^31, the remainder 0.
    private mutating func signedDivision(_ a: Args.AB, _ opcode: Opcode, byMinusOne: Temp) -> Bool {
        unit.exit(.divisionByZero, if: .eq, x(a.b), word(0))
        let isMinusOne = (x(a.b), word(.max))
        let divisor = ir.select(.eq, isMinusOne.0, isMinusOne.1, word(1), x(a.b))
        let result = ir.binary(opcode, x(a.a), divisor)
        ir.select(.eq, isMinusOne.0, isMinusOne.1, byMinusOne, result, into: x(a.a))
        return true
    }
    mutating func div(_ a: Args.AB) -> Bool { signedDivision(a, .divs, byMinusOne: ir.unary(.neg, x(a.a))) }
    mutating func mod(_ a: Args.AB) -> Bool { signedDivision(a, .rems, byMinusOne: word(0)) }
    mutating func udiv(_ a: Args.AB) -> Bool {
        unit.exit(.divisionByZero, if: .eq, x(a.b), word(0))
        return binary(a, .divu)
    }
    mutating func umod(_ a: Args.AB) -> Bool {
        unit.exit(.divisionByZero, if: .eq, x(a.b), word(0))
        return binary(a, .remu)
    }

    // MARK: Comparison

    mutating func cmp(_ a: Args.AB) -> Bool {
        ir.mov(Global.compared.0, x(a.a))
        ir.mov(Global.compared.1, x(a.b))
        return true
    }
}
