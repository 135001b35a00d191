// Exits from translated code: synchronous exceptions by the numbers of the cause register, and the other reasons why the cpu loop gets
// control. The guest pc is exact at each.

import GuestKit
import IR

/// Synchronous exceptions (Privileged ISA, "Machine Cause (mcause) Register"). Those of memory accesses are the memory's to find.
public enum Cause {
    public static let misalignedFetch: UInt32 = 0
    public static let illegalInstruction: UInt32 = 2
    public static let breakpoint: UInt32 = 3
}

extension GuestExit {
    static var misalignedFetch: GuestExit { .exception(Cause.misalignedFetch) }
    static var illegalInstruction: GuestExit { .exception(Cause.illegalInstruction) }
    static var breakpoint: GuestExit { .exception(Cause.breakpoint) }
}

extension RISCVTranslator {
    /// Ends the block: hands control to the cpu loop with the guest pc at `pc`.
    mutating func exit(_ reason: GuestExit, at pc: UInt64) {
        unit.exit(reason, at: pc)
    }

    /// Whether a jump to the constant address `target` raises instruction-address-misaligned.
    func isMisaligned(_ target: UInt64) -> Bool { target & 2 != 0 && !extensions.contains(.zca) }
}
