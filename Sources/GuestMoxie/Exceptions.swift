// Exits from translated code. The guest pc is exact at each.

import GuestKit
import IR

/// Numbers of exceptions, in the special register `exception`.
enum Exception {
    static let softwareInterrupt: Int64 = 3
}

extension MoxieTranslator {
    /// Ends the block: hands control to the embedder with the guest pc at `pc`.
    mutating func exit(_ reason: GuestExit, at pc: UInt64) {
        unit.exit(reason, at: pc)
    }
}
