// Exits from translated code: synchronous exceptions by the numbers of the cause register, and the other reasons why the cpu loop gets
// control. The guest pc is exact at each.

import GuestKit
import IR

/// Synchronous exceptions (Privileged ISA, "Machine Cause (mcause) Register"). Those of stores are of atomics, too. In user mode
/// those of memory accesses are the memory's to find.
public enum Cause {
    public static let misalignedFetch: UInt32 = 0
    public static let fetchAccessFault: UInt32 = 1
    public static let illegalInstruction: UInt32 = 2
    public static let breakpoint: UInt32 = 3
    public static let misalignedLoad: UInt32 = 4
    public static let loadAccessFault: UInt32 = 5
    public static let misalignedStore: UInt32 = 6
    public static let storeAccessFault: UInt32 = 7
    /// The environment call of U mode; that of mode n has this plus n.
    public static let environmentCall: UInt32 = 8
    public static let fetchPageFault: UInt32 = 12
    public static let loadPageFault: UInt32 = 13
    public static let storePageFault: UInt32 = 15
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
