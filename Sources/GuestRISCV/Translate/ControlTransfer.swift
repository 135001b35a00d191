// Jumps and conditional branches (Unprivileged ISA, chapter 2, "Control Transfer Instructions").

import GuestKit
import IR

/// x1 and x5 hold return addresses by convention (table "Return-address stack prediction hints").
@inline(__always) private func isLink(_ i: Int32) -> Bool { i == 1 || i == 5 }

extension RISCVTranslator {
    mutating func jal(_ a: Args.J) -> Bool {
        let target = unit.wrapped(unit.pc &+ UInt64(bitPattern: a.imm))
        if isMisaligned(target) {
            exit(.misalignedFetch, at: unit.pc)
            return true
        }
        move(a.rd, codeAddress(next))
        if isLink(a.rd) {
            unit.call(to: target, returnTo: next)
        } else {
            unit.jump(to: target)
        }
        return true
    }

    mutating func jalr(_ a: Args.I) -> Bool {
        let sum = a.imm == 0 ? x(a.rs1) : ir.add(x(a.rs1), word(a.imm))
        let target = wide(ir.and(sum, word(-2)))
        if !extensions.contains(.zca) { exitIfMisaligned(target) }
        move(a.rd, codeAddress(next))
        let isRepeatable = a.rd == 0 || a.rd != a.rs1
        if isLink(a.rd) {
            unit.jumpIndirect(to: target, .call, returnTo: next, isRepeatable: isRepeatable)
        } else {
            unit.jumpIndirect(to: target, isLink(a.rs1) ? .return : .indirect, isRepeatable: isRepeatable)
        }
        return true
    }

    mutating func beq(_ a: Args.B) -> Bool { branch(a, if: .eq) }
    mutating func bne(_ a: Args.B) -> Bool { branch(a, if: .ne) }
    mutating func blt(_ a: Args.B) -> Bool { branch(a, if: .lt) }
    mutating func bge(_ a: Args.B) -> Bool { branch(a, if: .ge) }
    mutating func bltu(_ a: Args.B) -> Bool { branch(a, if: .ltu) }
    mutating func bgeu(_ a: Args.B) -> Bool { branch(a, if: .geu) }

    private mutating func branch(_ a: Args.B, if condition: Condition) -> Bool {
        let target = unit.wrapped(unit.pc &+ UInt64(bitPattern: a.imm))
        if isMisaligned(target) {
            unit.exit(.misalignedFetch, if: condition, x(a.rs1), x(a.rs2))
            unit.jump(to: next)
        } else {
            unit.branch(condition, x(a.rs1), x(a.rs2), taken: target, next: next)
        }
        return true
    }

    private mutating func exitIfMisaligned(_ target: Temp) {
        unit.exit(.misalignedFetch, if: .tstne, target, ir.const(2))
    }
}
