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

/// What the privileged instructions of a guest do to what is around it (`SystemGuest`). Called by the vCPU's thread, from helpers and from
/// the guest's own functions.
public struct SystemInputs: Sendable {
    /// () -> ticks of the machine's timer.
    public var time: HelperFunction
    /// The state that `SystemGuest.view` and `fetchIndex` look at may have changed.
    public var viewsChanged: HelperFunction
    /// (kind, address, space): page tables may have changed: look-ups made before are to be forgotten. `kind`: `SystemFlush`.
    public var flush: HelperFunction
    /// A timer of the vCPU's own has a new deadline: the machine asks the guest for it. Not 0: the vCPU is to leave behind the instruction.
    public var deadlineChanged: HelperFunction
    /// `SystemGuest.stops` has other answers than before; that counts from when generated code has been left.
    public var stopsChanged: HelperFunction
    /// (physical address, bytes): a walk of page tables has written to them.
    public var tablesWritten: HelperFunction
    /// () -> instructions that the vCPU has completed before the present one; nil: nobody counts them.
    public var instructions: HelperFunction?

    public init(
        time: @escaping HelperFunction, viewsChanged: @escaping HelperFunction, flush: @escaping HelperFunction,
        deadlineChanged: @escaping HelperFunction, stopsChanged: @escaping HelperFunction,
        tablesWritten: @escaping HelperFunction = { _, _, _, _, _ in 0 }, instructions: HelperFunction? = nil
    ) {
        self.time = time
        self.viewsChanged = viewsChanged
        self.flush = flush
        self.deadlineChanged = deadlineChanged
        self.stopsChanged = stopsChanged
        self.tablesWritten = tablesWritten
        self.instructions = instructions
    }

    /// Nothing is around it.
    public static let none = SystemInputs(
        time: { _, _, _, _, _ in 0 }, viewsChanged: { _, _, _, _, _ in 0 }, flush: { _, _, _, _, _ in 0 },
        deadlineChanged: { _, _, _, _, _ in 0 }, stopsChanged: { _, _, _, _, _ in 0 })
}

/// Which look-ups `SystemInputs.flush` is about: bits.
public enum SystemFlush {
    /// Those of one address only (the second argument), rather than all.
    public static let address: UInt64 = 1
    /// Those of one address space only (the third argument, as the guest numbers them), and no global ones.
    public static let space: UInt64 = 2
}
