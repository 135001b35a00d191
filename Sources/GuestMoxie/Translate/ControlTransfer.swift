// Jumps, calls and conditional branches.

import GuestKit
import IR

extension MoxieTranslator {
    mutating func jmpa(_ a: Args.T) -> Bool {
        unit.jump(to: UInt64(a.target))
        return true
    }
    mutating func jmp(_ a: Args.A) -> Bool {
        unit.jumpIndirect(to: ir.zext(x(a.a)), .indirect, isRepeatable: true)
        return true
    }
    mutating func jsra(_ a: Args.T) -> Bool {
        pushFrame(returnTo: next(6))
        unit.call(to: UInt64(a.target), returnTo: next(6))
        return true
    }
    /// The target is the register's value before the call changes it.
    mutating func jsr(_ a: Args.A) -> Bool {
        let target = ir.zext(x(a.a))
        pushFrame(returnTo: next(2))
        unit.jumpIndirect(to: target, .call, returnTo: next(2))
        return true
    }
    mutating func ret() -> Bool {
        unit.jumpIndirect(to: popFrame(), .return)
        return true
    }

    mutating func beq(_ a: Args.BR) -> Bool { branch(a, if: .eq) }
    mutating func bne(_ a: Args.BR) -> Bool { branch(a, if: .ne) }
    mutating func blt(_ a: Args.BR) -> Bool { branch(a, if: .lt) }
    mutating func bgt(_ a: Args.BR) -> Bool { branch(a, if: .gt) }
    mutating func bltu(_ a: Args.BR) -> Bool { branch(a, if: .ltu) }
    mutating func bgtu(_ a: Args.BR) -> Bool { branch(a, if: .gtu) }
    mutating func bge(_ a: Args.BR) -> Bool { branch(a, if: .ge) }
    mutating func ble(_ a: Args.BR) -> Bool { branch(a, if: .le) }
    mutating func bgeu(_ a: Args.BR) -> Bool { branch(a, if: .geu) }
    mutating func bleu(_ a: Args.BR) -> Bool { branch(a, if: .leu) }

    private mutating func branch(_ a: Args.BR, if condition: Condition) -> Bool {
        let taken = unit.wrapped(next(2) &+ UInt64(bitPattern: a.distance))
        unit.branch(condition, Global.compared.0, Global.compared.1, taken: taken, next: next(2))
        return true
    }
}
