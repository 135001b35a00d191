// FCVTMOD.W.D by SoftFloat (Unprivileged ISA, "Zfa", Modular Convert-to-Integer Instruction).

import IR
import SoftFloat

let helperConvertModular: HelperFunction = { state, a, _, _, _ in
    var status = Status()
    let result = Binary64.toInt32Modular(a, &status)
    state.storeBytes(of: UInt32(status.flags.rawValue), toByteOffset: StateOffset.softFlags, as: UInt32.self)
    return UInt64(truncatingIfNeeded: result)
}
