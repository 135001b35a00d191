// A machine's clock that instructions drive: each takes 2^shift nanoseconds. Nothing else moves it but that, where all harts wait, it goes on
// to what they wait for.

import ExecutionEngine
import HostOS
import Synchronization

public final class InstructionClock: @unchecked Sendable {
    private static let mostShift = 10
    /// The harts' thread's, as what follows.
    private(set) var shift: UInt64
    /// Its time before the turn of the vCPU that runs.
    private var base: UInt64 = 0
    private var running: VCPU?
    private var thread: UInt = 0
    /// For other threads: the time between two turns.
    private let published = Atomic<UInt64>(0)

    /// - Parameter shift: at most 10.
    public init(shift: Int) { self.shift = UInt64(shift) }

    /// Nanoseconds. For the thread that runs the harts exact to the instruction that asks, for others no later than that.
    public var now: UInt64 {
        guard let running, thread == HostThread.current else { return published.load(ordering: .acquiring) }
        return base &+ running.executed &<< shift
    }

    /// The same as a function.
    public var reading: @Sendable () -> UInt64 { { self.now } }

    /// Lets a vCPU execute at most `limit` instructions, and none that would begin at `deadline` or later, but one in any case. Says how
    /// many it was.
    func run(_ vcpu: VCPU, limit: Int, until deadline: UInt64) -> (exit: VCPUExit, executed: Int) {
        thread = HostThread.current
        vcpu.allow(Int(max(1, min(UInt64(limit), instructions(until: deadline)))))
        running = vcpu
        let exit = vcpu.run()
        running = nil
        let executed = vcpu.executed
        advance(by: executed &<< shift)
        return (exit, Int(executed))
    }

    private func instructions(until deadline: UInt64) -> UInt64 {
        let left = deadline > base ? deadline - base : 0
        return (left >> shift) + (left & ((1 << shift) - 1) == 0 ? 0 : 1)
    }

    /// Instructions take another time from now on.
    func set(shift: Int) { self.shift = UInt64(min(max(0, shift), Self.mostShift)) }

    /// All harts wait, and time passes.
    func advance(by nanoseconds: UInt64) {
        base &+= nanoseconds
        published.store(base, ordering: .releasing)
    }
}

/// Instructions drive the machine's clock, and what is to be done with it.
public struct CountedTime: @unchecked Sendable {
    let clock: InstructionClock
    /// While all harts wait, as much of the host's time passes as of theirs.
    let sleeps: Bool
    /// The shift changes so that the clock keeps up with the host's.
    let followsHost: Bool
    /// Nothing is executed while the clock is ahead of the host's.
    let isAligned: Bool
    var isPaced: Bool { followsHost || isAligned }
    /// When the next of the devices' timers is due; nil: none is.
    let deadline: () -> UInt64?
    /// Runs those that are due.
    let runTimers: () -> Void
    /// The machine is about to be stopped: nothing is executed before that has been done.
    let isHeld: () -> Bool
    /// A clock of the host's that stands still while the machine is stopped.
    let hostTime: () -> UInt64

    public init(
        clock: InstructionClock, sleeps: Bool, followsHost: Bool, isAligned: Bool, deadline: @escaping () -> UInt64?,
        runTimers: @escaping () -> Void,
        isHeld: @escaping () -> Bool, hostTime: @escaping () -> UInt64
    ) {
        self.clock = clock
        self.sleeps = sleeps
        self.followsHost = followsHost
        self.isAligned = isAligned
        self.deadline = deadline
        self.runTimers = runTimers
        self.isHeld = isHeld
        self.hostTime = hostTime
    }
}
