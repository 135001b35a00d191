// What happens at a time.

import HostOS

/// Calls its action when a clock reaches its deadline, once for each time it is armed. Any thread arms it.
public final class Timer: @unchecked Sendable {
    public let clock: ClockKind
    private unowned let loop: EventLoop
    /// Held while the action runs. Who arms or disarms the timer with it held knows that no older deadline comes through.
    fileprivate let lock: Lock?
    fileprivate let action: () -> Void
    /// `.max`: not armed. Guarded by the loop's timer lock.
    fileprivate var deadline = UInt64.max

    fileprivate init(_ loop: EventLoop, _ clock: ClockKind, _ lock: Lock?, _ action: @escaping () -> Void) {
        self.loop = loop
        self.clock = clock
        self.lock = lock
        self.action = action
    }

    /// Replaces the deadline: a time of the clock. One that no clock reaches, after 2^63 ns, never comes.
    public func arm(at deadline: UInt64) {
        loop.timers.arm(self, at: deadline > UInt64(Int64.max) ? .max : deadline, loop)
    }

    public func disarm() { loop.timers.arm(self, at: .max, loop) }

    public var isArmed: Bool { loop.timers.lock.withLock { deadline != .max } }
}

/// The armed timers of a loop, by clock.
final class Timers: @unchecked Sendable {
    /// A leaf: nothing else is locked while it is held.
    let lock = Lock()
    /// Soonest first.
    private var armed: [[Timer]] = ClockKind.allCases.map { _ in [] }

    fileprivate func arm(_ timer: Timer, at deadline: UInt64, _ loop: EventLoop) {
        lock.lock()
        let clock = timer.clock.rawValue
        if timer.deadline != .max { armed[clock].removeAll { $0 === timer } }
        timer.deadline = deadline
        var isSoonest = false
        if deadline != .max {
            let place = armed[clock].firstIndex { $0.deadline > deadline } ?? armed[clock].count
            armed[clock].insert(timer, at: place)
            isSoonest = place == 0
        }
        lock.unlock()
        // A later deadline needs nothing: the loop wakes too early, looks, and sleeps again.
        if isSoonest { loop.wake() }
    }

    func soonest(_ clock: ClockKind) -> UInt64? { lock.withLock { armed[clock.rawValue].first?.deadline } }

    /// Runs what is due at `now`, each timer once: one that arms itself anew for a time that is past waits for the next turn.
    func run(_ clock: ClockKind, now: UInt64) {
        let due = lock.withLock { Array(armed[clock.rawValue].prefix { $0.deadline <= now }) }
        for timer in due {
            timer.lock?.lock()
            defer { timer.lock?.unlock() }
            // It may have been armed anew before we had its lock.
            let isDue = lock.withLock {
                guard timer.deadline <= now else { return false }
                armed[clock.rawValue].removeAll { $0 === timer }
                timer.deadline = .max
                return true
            }
            if isDue { timer.action() }
        }
    }
}

extension EventLoop {
    /// A timer that is not armed. `lock` is held while `action` runs, on the loop's thread.
    public func timer(_ clock: ClockKind, under lock: Lock? = nil, _ action: @escaping () -> Void) -> Timer {
        Timer(self, clock, lock, action)
    }

    /// When the next timer of a clock is due; nil: none is armed.
    public func deadline(_ clock: ClockKind) -> UInt64? { timers.soonest(clock) }

    /// Runs the timers of a clock that are due. The loop does it for all of them each turn; who counts instructions does it for the virtual
    /// clock at the very instruction.
    public func runTimers(_ clock: ClockKind) { timers.run(clock, now: clocks.now(clock)) }

    /// Nanoseconds until the loop has to look at its timers; nil: for no reason of theirs. The wall clock has its own alarm.
    var timeToDeadline: UInt64? {
        var least: UInt64?
        for clock in [ClockKind.realtime, .virtual, .virtualRealtime] {
            if clock == .virtual && clocks.isCounted || clock != .realtime && !clocks.isRunning { continue }
            guard let deadline = deadline(clock) else { continue }
            let now = clocks.now(clock)
            least = min(least ?? .max, deadline > now ? deadline - now : 0)
        }
        return least
    }
}
