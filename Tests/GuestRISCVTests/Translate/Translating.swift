// RISC-V words in, IR out.

import GuestKit
import GuestRISCV
import TestSupport

extension Translated {
    /// Translates `code` for rounding class `flags`.
    init(
        _ code: [UInt8], flags: UInt64 = 0, plan: RegionPlan = RegionPlan(), profile: (any ExecutionProfile)? = nil
    ) {
        self.init(code, guest: RISCVGuest(cpu: .standard), flags: flags, plan: plan, profile: profile)
    }
}

/// Instructions to bytes: two for a compressed one, else four.
func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in
        (0..<(word & 3 == 3 ? 4 : 2)).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) }
    }
}
