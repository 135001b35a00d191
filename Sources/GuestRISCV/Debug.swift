// The state of a hart for debuggers, dumps and the embedder's glue: a table of registers, and text.

import GuestKit
import IR

/// Registers by name, x0...x31 by number. fflags is not among them: the engine holds the accrued flags.
func registerDescriptors(xlen: ValueType) -> [RegisterDescriptor] {
    let size = xlen.size
    let x = (0...31).map {
        RegisterDescriptor(name: "x\($0)", offset: StateOffset.x + 8 * $0, size: size, group: .general)
    }
    let pc = RegisterDescriptor(name: "pc", offset: StateOffset.pc, size: size, group: .general)
    let f = (0...31).map {
        RegisterDescriptor(name: "f\($0)", offset: StateOffset.f + 8 * $0, size: 8, group: .float)
    }
    let frm = RegisterDescriptor(name: "frm", offset: StateOffset.frm, size: 4, group: .system)
    return x + [pc] + f + [frm]
}

extension RISCVGuest {
    /// The CPU state as text, four registers a line.
    ///
    /// - Parameter flags: the accrued floating-point flags, which the engine holds.
    public func dump(_ state: UnsafeRawPointer, flags: UInt8, floats: Bool = false) -> String {
        let digits = xlen.size * 2
        var text = field("pc", state.load(fromByteOffset: StateOffset.pc, as: UInt64.self), digits) + "\n"
        text += row(state + StateOffset.x, digits, label: { "x\($0)/\(integerRegisterName($0))" })
        guard floats && cpu.extensions.contains(.f) else { return text }
        let frm = state.load(fromByteOffset: StateOffset.frm, as: UInt32.self)
        text += field("fcsr", UInt64(frm) << 5 | UInt64(flags & 31), 8) + "\n"
        text += row(state + StateOffset.f, 16, label: { "f\($0)/\(floatingRegisterName($0))" })
        return text
    }

    private func row(_ registers: UnsafeRawPointer, _ digits: Int, label: (Int64) -> String) -> String {
        var text = ""
        for i in 0..<32 {
            let value = registers.load(fromByteOffset: 8 * i, as: UInt64.self)
            text += field(label(Int64(i)), value, digits) + (i % 4 == 3 ? "\n" : " ")
        }
        return text
    }

    private func field(_ label: String, _ value: UInt64, _ digits: Int) -> String {
        let shown = String(digits < 16 ? value & 0xffff_ffff : value, radix: 16)
        return String(repeating: " ", count: Swift.max(1, 9 - label.utf8.count)) + label + " "
            + String(repeating: "0", count: Swift.max(0, digits - shown.utf8.count)) + shown
    }
}
