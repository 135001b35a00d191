// What a guest's instructions take in from outside, beside memory and system calls. Nothing else may make two runs of the same code
// differ: whoever makes a guest hands these to it, a machine its own clock, a replay what was recorded.

import IR

/// Functions that a guest has among its helpers. Like all helpers they get the CPU state, and so know which vCPU asks.
public struct GuestInputs: Sendable {
    /// () -> nanoseconds of a clock that never goes back and is the same on all vCPUs.
    public var clock: HelperFunction

    public init(clock: @escaping HelperFunction) { self.clock = clock }

    /// The clock stands still.
    public static let none = GuestInputs(clock: { _, _, _, _, _ in 0 })
}
