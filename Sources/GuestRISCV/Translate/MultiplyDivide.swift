// Multiplication and division (Unprivileged ISA, chapter "M"). RISC-V division never traps: by zero gives -1 and the dividend
// as remainder; the one overflow, -2^(XLEN-1) / -1, gives the dividend and 0. IR division allows neither, so a divisor for
// which the quotient is defined differently becomes 1 and the result is selected afterwards.

import GuestKit
import IR

extension RISCVTranslator {
    mutating func mul(_ a: Args.R) -> Bool { binary(a, .mul) }
    mutating func mulh(_ a: Args.R) -> Bool { binary(a, .mulhs) }
    mutating func mulhu(_ a: Args.R) -> Bool { binary(a, .mulhu) }
    mutating func mulw(_ a: Args.R) -> Bool { binaryWord(a, .mul) }

    // signed(a) * b == unsigned(a) * b - (a < 0 ? b << XLEN : 0)
    mutating func mulhsu(_ a: Args.R) -> Bool {
        set(a.rd) {
            let excess = $0.and($0.sar(x(a.rs1), word(Int64(bits &- 1))), x(a.rs2))
            return $0.sub($0.mulhu(x(a.rs1), x(a.rs2)), excess, into: $1)
        }
    }

    mutating func div(_ a: Args.R) -> Bool {
        set(a.rd) {
            let (n, d) = (x(a.rs1), x(a.rs2))
            let quotient = $0.divs(n, divisorNotZeroOrMinusOne(d))
            let exact = $0.select(.eq, d, word(-1), $0.neg(n), quotient)
            return $0.select(.eq, d, word(0), word(-1), exact, into: $1)
        }
    }
    mutating func rem(_ a: Args.R) -> Bool {
        set(a.rd) {
            let (n, d) = (x(a.rs1), x(a.rs2))
            return $0.select(.eq, d, word(0), n, $0.rems(n, divisorNotZeroOrMinusOne(d)), into: $1)
        }
    }
    mutating func divu(_ a: Args.R) -> Bool {
        set(a.rd) { _, into in dividedUnsigned(x(a.rs1), x(a.rs2), into: into) }
    }
    mutating func remu(_ a: Args.R) -> Bool {
        set(a.rd) {
            let (n, d) = (x(a.rs1), x(a.rs2))
            return $0.select(.eq, d, word(0), n, $0.remu(n, divisorNotZero(d)), into: $1)
        }
    }

    // 32-bit operands extended to 64 bits: the overflowing quotient is 2^31, whose low word is -2^31.
    mutating func divw(_ a: Args.R) -> Bool {
        set(a.rd) {
            let (n, d) = ($0.sextract(x(a.rs1), 0, 32), $0.sextract(x(a.rs2), 0, 32))
            let quotient = $0.divs(n, divisorNotZero(d))
            return $0.sextract($0.select(.eq, d, word(0), word(-1), quotient), 0, 32, into: $1)
        }
    }
    mutating func divuw(_ a: Args.R) -> Bool {
        set(a.rd) {
            let (n, d) = ($0.extract(x(a.rs1), 0, 32), $0.extract(x(a.rs2), 0, 32))
            return $0.sextract(dividedUnsigned(n, d), 0, 32, into: $1)
        }
    }
    mutating func remw(_ a: Args.R) -> Bool {
        set(a.rd) {
            let (n, d) = ($0.sextract(x(a.rs1), 0, 32), $0.sextract(x(a.rs2), 0, 32))
            return $0.select(.eq, d, word(0), n, $0.rems(n, divisorNotZero(d)), into: $1)
        }
    }
    mutating func remuw(_ a: Args.R) -> Bool {
        set(a.rd) {
            let (n, d) = ($0.extract(x(a.rs1), 0, 32), $0.extract(x(a.rs2), 0, 32))
            let remainder = $0.select(.eq, d, word(0), n, $0.remu(n, divisorNotZero(d)))
            return $0.sextract(remainder, 0, 32, into: $1)
        }
    }

    // MARK: Guards

    private func divisorNotZero(_ y: Temp) -> Temp { ir.select(.eq, y, word(0), word(1), y) }
    private func divisorNotZeroOrMinusOne(_ y: Temp) -> Temp {
        ir.select(.leu, ir.add(y, word(1)), word(1), word(1), y)
    }
    private func dividedUnsigned(_ x: Temp, _ y: Temp, into: Temp? = nil) -> Temp {
        ir.select(.eq, y, word(0), word(-1), ir.divu(x, divisorNotZero(y)), into: into)
    }
}

extension IRBuilder {
    func mulhu(_ a: Temp, _ b: Temp) -> Temp { binary(.mulhu, a, b) }
    func divs(_ a: Temp, _ b: Temp) -> Temp { binary(.divs, a, b) }
    func divu(_ a: Temp, _ b: Temp) -> Temp { binary(.divu, a, b) }
    func rems(_ a: Temp, _ b: Temp) -> Temp { binary(.rems, a, b) }
    func remu(_ a: Temp, _ b: Temp) -> Temp { binary(.remu, a, b) }
    func neg(_ a: Temp) -> Temp { unary(.neg, a) }
}
