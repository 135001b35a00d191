// The CPU state as text, from the guest's register table: `-d cpu` and fatal reports.

import GuestKit

extension Engine {
    /// Registers, four to a line.
    public func dump(_ state: UnsafeMutableRawPointer, withFloat: Bool = false) -> String {
        var text = ""
        var column = 0
        for register in guest.registers where register.group == .general || (withFloat && register.group == .float) {
            let value: UInt64 =
                switch register.size {
                case 8: state.load(fromByteOffset: register.offset, as: UInt64.self)
                case 4: UInt64(state.load(fromByteOffset: register.offset, as: UInt32.self))
                default: UInt64(state.load(fromByteOffset: register.offset, as: UInt8.self))
                }
            let digits = String(value, radix: 16)
            let width = register.size * 2
            let name = String(repeating: " ", count: max(0, 5 - register.name.utf8.count)) + register.name
            text += name + " " + String(repeating: "0", count: width - digits.utf8.count) + digits
            column += 1
            text += column % 4 == 0 ? "\n" : " "
        }
        return text + (column % 4 == 0 ? "" : "\n")
    }
}
