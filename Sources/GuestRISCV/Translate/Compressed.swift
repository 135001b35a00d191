// Compressed instructions without a 32-bit twin (Unprivileged ISA, chapter "Zc*": Zcmp). All others are decoded to their twins.
//
// The order of accesses, with the stack pointer changed last, lets an instruction that faulted halfway run again from its
// start, as the manual wants.

import GuestKit
import IR

extension RISCVTranslator {
    mutating func cm_push(_ a: Args.PUSH) -> Bool {
        guard let list = RegisterList(a.rlist) else { return false }
        let size = Int64(bits / 8)
        for (i, register) in list.registers.enumerated() {
            let (base, displacement) = address(2, -size * Int64(list.count - i))
            ir.gst(x(register), base, displacement, guest(wordAccess))
        }
        ir.add(x(2), word(-adjustment(list, a.spimm)), into: Global.x(2))
        return true
    }

    mutating func cm_pop(_ a: Args.PUSH) -> Bool {
        guard let list = RegisterList(a.rlist) else { return false }
        pop(list, a.spimm)
        return true
    }
    mutating func cm_popret(_ a: Args.PUSH) -> Bool {
        guard let list = RegisterList(a.rlist) else { return false }
        pop(list, a.spimm)
        returnToLink()
        return true
    }
    mutating func cm_popretz(_ a: Args.PUSH) -> Bool {
        guard let list = RegisterList(a.rlist) else { return false }
        pop(list, a.spimm)
        move(10, word(0))
        returnToLink()
        return true
    }

    mutating func cm_mvsa01(_ a: Args.SS) -> Bool {
        if a.r1s == a.r2s { return false }
        move(a.r1s, x(10))
        move(a.r2s, x(11))
        return true
    }
    mutating func cm_mva01s(_ a: Args.SS) -> Bool {
        move(10, x(a.r1s))
        move(11, x(a.r2s))
        return true
    }

    private mutating func pop(_ list: RegisterList, _ spimm: Int32) {
        let size = Int64(bits / 8)
        let top = adjustment(list, spimm)
        for (i, register) in list.registers.enumerated() {
            let (base, displacement) = address(2, top - size * Int64(list.count - i))
            ir.gld(base, displacement, guest(wordAccess), xlen, into: Global.x(register))
        }
        ir.add(x(2), word(top), into: Global.x(2))
    }

    private mutating func returnToLink() {
        unit.jumpIndirect(to: wide(ir.and(x(1), word(-2))), .return)
    }

    /// Bytes of the frame: the registers rounded up to 16 bytes, and 16 for each unit of `spimm`.
    private func adjustment(_ list: RegisterList, _ spimm: Int32) -> Int64 {
        (Int64(list.count * bits / 8) + 15) & ~15 + Int64(spimm) * 16
    }
}

/// The registers that a list field names: ra, then s0, s1, ...
private struct RegisterList {
    let count: Int

    /// nil for reserved values.
    init?(_ rlist: Int32) {
        guard rlist >= 4 else { return nil }
        count = rlist == 15 ? 13 : Int(rlist) - 3
    }

    var registers: [Int32] {
        let all: [Int32] = [1, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27]
        return Array(all[..<count])
    }
}
