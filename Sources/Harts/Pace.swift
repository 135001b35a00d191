// Where instructions drive the machine's clock and it is to keep up with the host's: how far they are apart, and what is done about it.

/// The harts' thread's.
struct Pace {
    /// Nanoseconds of the machine's clock until the two are compared again.
    static let step: UInt64 = 2_000_000
    /// So far ahead of the host's, the machine's clock is let be.
    private static let grace: Int64 = 3_000_000
    /// Nanoseconds of execution, by either clock, between two choices of the shift, and how far apart clocks may be without one for that
    /// reason.
    private static let period: UInt64 = 20_000_000, tolerance: Int64 = 10_000_000

    /// What the machine's clock has gained while nothing was executed, less what the host's has.
    private var gained: Int64 = 0
    /// Since the last choice: instructions executed, and the host's time that they took.
    private var instructions: UInt64 = 0
    private var executing: UInt64 = 0

    /// Harts waited: the machine's clock went on by so much, and the host's by so much.
    mutating func waited(machine: UInt64, host: UInt64) { gained += Int64(machine) - Int64(host) }

    mutating func executed(_ count: Int, host: UInt64) {
        instructions += UInt64(count)
        executing += host
    }

    /// By how much the machine's clock is ahead of the host's.
    private func lead(_ machine: UInt64, _ host: UInt64) -> Int64 { Int64(machine) - Int64(host) - gained }

    /// Nanoseconds to wait so that the host's clock comes near again; 0: none.
    func wait(machine: UInt64, host: UInt64) -> UInt64 {
        let lead = lead(machine, host)
        return lead > Self.grace ? UInt64(lead) : 0
    }

    /// Nanoseconds that the machine's clock is behind the host's.
    func lag(machine: UInt64, host: UInt64) -> UInt64 { UInt64(max(0, -lead(machine, host))) }

    /// The shift that fits the host's speed, one more while the machine's clock is behind, one less while it is ahead; nil: it is too early
    /// to say. `present`: the shift so far. One that is too large is noticed by the machine's clock.
    mutating func shift(_ present: UInt64, machine: UInt64, host: UInt64) -> Int? {
        guard executing >= Self.period || instructions &<< present >= Self.period, instructions > 0 else { return nil }
        let nanoseconds = max(1, executing / instructions), lead = lead(machine, host)
        (instructions, executing) = (0, 0)
        let fitting = UInt64.bitWidth - 1 - nanoseconds.leadingZeroBitCount
        return fitting + (lead > Self.tolerance ? -1 : lead < -Self.tolerance ? 1 : 0)
    }
}
