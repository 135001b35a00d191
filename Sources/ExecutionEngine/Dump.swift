// The CPU state as text, from the guest's register table: `-d cpu` and fatal reports.

import GuestKit

extension VCPU {
    /// Registers, four to a line.
    public func dump(withFloat: Bool = false) -> String {
        var text = ""
        var column = 0
        for register in engine.guest.registers
        where register.group == .general || (withFloat && register.group == .float) {
            let digits = String(register.read(state, self), radix: 16)
            let width = register.size * 2
            let name = String(repeating: " ", count: max(0, 5 - register.name.utf8.count)) + register.name
            text += name + " " + String(repeating: "0", count: width - digits.utf8.count) + digits
            column += 1
            text += column % 4 == 0 ? "\n" : " "
        }
        return text + (column % 4 == 0 ? "" : "\n")
    }
}
