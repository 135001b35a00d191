// Special registers, software interrupts, breakpoints.

import GuestKit
import IR

extension MoxieTranslator {
    private static let word = MemOp(log2Size: 2)

    mutating func nop() -> Bool { true }
    mutating func gsr(_ a: Args.AS) -> Bool {
        ir.ld(StateOffset.special + 4 * Int(a.number), Self.word, .i32, into: x(a.a))
        return true
    }
    mutating func ssr(_ a: Args.AS) -> Bool {
        ir.st(x(a.a), StateOffset.special + 4 * Int(a.number), Self.word)
        return true
    }

    /// The embedder finds the number where a handler of the core's would.
    mutating func swi(_ a: Args.S) -> Bool {
        ir.st(
            ir.const(Int64(Exception.softwareInterrupt), .i32), StateOffset.special + 4 * SpecialRegister.exception,
            Self.word)
        ir.st(word(a.number), StateOffset.special + 4 * SpecialRegister.interrupt, Self.word)
        exit(.systemCall, at: next(6))
        return true
    }
    mutating func brk() -> Bool {
        exit(.breakpoint, at: unit.pc)
        return true
    }
}
