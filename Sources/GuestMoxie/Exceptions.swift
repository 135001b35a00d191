// Exits from translated code. The guest pc is exact at each.

import GuestKit
import IR

/// Numbers of exceptions, as the special register `exception` holds them (Moxie's architecture, "special registers"; that of `brk` is
/// of the boot loader of the Moxie cores).
public enum Exception {
    public static let divisionByZero: UInt32 = 0
    public static let illegalInstruction: UInt32 = 1
    public static let softwareInterrupt: UInt32 = 3
    public static let breakpoint: UInt32 = 5
}

extension GuestExit {
    static var divisionByZero: GuestExit { .exception(Exception.divisionByZero) }
    static var illegalInstruction: GuestExit { .exception(Exception.illegalInstruction) }
    static var breakpoint: GuestExit { .exception(Exception.breakpoint) }
}

extension MoxieTranslator {
    /// Ends the block: hands control to the cpu loop with the guest pc at `pc`.
    mutating func exit(_ reason: GuestExit, at pc: UInt64) {
        unit.exit(reason, at: pc)
    }
}
