// The state of a hart for debuggers, dumps and the embedder's glue: a table of registers.

import GuestKit
import IR

/// Registers by name, x0...x31 by number.
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
    return x + [pc] + f + [fcsr, frm]
}

/// The accrued flags, which the host has while code runs, below the rounding mode (Unprivileged ISA, "Floating-Point Control and Status
/// Register").
private let fcsr = RegisterDescriptor(
    name: "fcsr",
    source: .computed(
        ComputedRegister(
            read: { state, float in
                let frm = state.load(fromByteOffset: StateOffset.frm, as: UInt32.self)
                return UInt64(frm & 7) << 5 | UInt64(float.floatFlags & 31)
            },
            write: { state, float, value in
                let frm = UInt32(truncatingIfNeeded: value >> 5 & 7)
                state.storeBytes(of: frm, toByteOffset: StateOffset.frm, as: UInt32.self)
                float.floatFlags = UInt32(truncatingIfNeeded: value & 31)
                // A reserved mode makes instructions that use it illegal; the host then keeps any valid one.
                float.floatRounding = frm <= 4 ? frm : 0
            })),
    size: 4, group: .float)
