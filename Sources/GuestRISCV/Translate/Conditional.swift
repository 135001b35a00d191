// Integer conditional operations (Unprivileged ISA, chapter "Zicond").

import GuestKit
import IR

extension RISCVTranslator {
    mutating func czero_eqz(_ a: Args.R) -> Bool {
        set(a.rd) { $0.select(.eq, x(a.rs2), word(0), word(0), x(a.rs1), into: $1) }
    }
    mutating func czero_nez(_ a: Args.R) -> Bool {
        set(a.rd) { $0.select(.ne, x(a.rs2), word(0), word(0), x(a.rs1), into: $1) }
    }
}
