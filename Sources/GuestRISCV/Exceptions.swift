// Exits from translated code: the synchronous exceptions that user mode knows (Privileged ISA, "Machine Cause Register") and
// the other reasons why the embedder gets control. The guest pc is exact at each.

import GuestKit
import IR

extension RISCVTranslator {
    /// Ends the block: hands control to the embedder with the guest pc at `pc`.
    mutating func exit(_ reason: GuestExit, at pc: UInt64) {
        unit.exit(reason, at: pc)
    }

    /// Whether a jump to the constant address `target` raises instruction-address-misaligned.
    func isMisaligned(_ target: UInt64) -> Bool { target & 2 != 0 && !extensions.contains(.zca) }
}
