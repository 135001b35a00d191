// May-be-operations (Unprivileged ISA, chapters "Zimop" and "Zcmop"): no extension gives them a meaning here, so the wide ones
// write 0 and the compressed ones do nothing.

import GuestKit
import IR

extension RISCVTranslator {
    mutating func mop_r_n(_ a: Args.MOPR) -> Bool {
        move(a.rd, word(0))
        return true
    }
    mutating func mop_rr_n(_ a: Args.MOPRR) -> Bool {
        move(a.rd, word(0))
        return true
    }
    mutating func c_mop_n(_ a: Args.CMOP) -> Bool { true }
}
