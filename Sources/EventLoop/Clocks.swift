// The clocks of a machine, in nanoseconds. All that a machine knows of time it gets from here.

import HostOS
import Synchronization

public enum ClockKind: Int, CaseIterable, Sendable {
    /// Never stands still, never goes back; where it begins means nothing.
    case realtime
    /// The machine's: from 0, and only while the machine runs. Instructions drive it where they are counted.
    case virtual
    /// The host's wall clock: since 1970. Somebody may set it.
    case host
    /// As `virtual`, but the host's time drives it always.
    case virtualRealtime
}

public final class Clocks: Sendable {
    private static let stopped: UInt64 = 1 << 63
    private static let mask = stopped - 1
    /// The virtual clock as one word. Bit 63: it stands still, and the rest is its time. Else the rest is what it is behind `realtime`.
    private let word = Atomic<UInt64>(stopped)
    /// Says how far counted instructions have brought the virtual clock.
    private let counted: (@Sendable () -> UInt64)?
    private let observers = Mutex<[@Sendable () -> Void]>([])

    /// The virtual clock stands still at 0. `counted`: drives it in place of the host's time.
    public init(counted: (@Sendable () -> UInt64)? = nil) { self.counted = counted }

    public var isCounted: Bool { counted != nil }

    public func now(_ clock: ClockKind) -> UInt64 {
        switch clock {
        case .realtime: HostClock.monotonic()
        case .virtual: counted?() ?? virtualRealtime
        case .host: HostClock.realtime()
        case .virtualRealtime: virtualRealtime
        }
    }

    private var virtualRealtime: UInt64 {
        let word = word.load(ordering: .acquiring)
        return word & Self.stopped != 0 ? word & Self.mask : HostClock.monotonic() &- word & Self.mask
    }

    /// The machine runs, and its clock.
    public var isRunning: Bool { word.load(ordering: .acquiring) & Self.stopped == 0 }

    /// Called by one thread at a time, as `stop` and `set`.
    public func start() {
        if isRunning { return }
        word.store(HostClock.monotonic() &- virtualRealtime & Self.mask, ordering: .releasing)
        for observer in observers.withLock({ $0 }) { observer() }
    }

    public func stop() {
        if isRunning { word.store(virtualRealtime | Self.stopped, ordering: .releasing) }
    }

    /// For a machine that goes on where another was saved. The clock stands still.
    public func set(_ time: UInt64) { word.store(time & Self.mask | Self.stopped, ordering: .releasing) }

    /// Calls `body` each time the virtual clock has been started.
    func observe(_ body: @escaping @Sendable () -> Void) { observers.withLock { $0.append(body) } }
}
