// Waiting for file descriptors, and the descriptors that the kernel makes of other events: poll(2), eventfd(2), timerfd(2), signalfd(2).

import CLinux
import Glibc

/// What a descriptor is asked for, and what poll(2) finds: its bits.
public struct PollEvents: OptionSet, Hashable, Sendable {
    public let rawValue: Int16
    public init(rawValue: Int16) { self.rawValue = rawValue }
    public static let readable = PollEvents(rawValue: 0x01)
    public static let urgent = PollEvents(rawValue: 0x02)
    public static let writable = PollEvents(rawValue: 0x04)
    /// Found whether it was asked for or not.
    public static let error = PollEvents(rawValue: 0x08)
    public static let hangUp = PollEvents(rawValue: 0x10)
    public static let invalid = PollEvents(rawValue: 0x20)
}

/// One descriptor that is waited for: the kernel's struct pollfd.
public struct PollEntry: BitwiseCopyable, Sendable {
    public var descriptor: Int32
    private var wantedBits: Int16
    private var foundBits: Int16 = 0

    public init(_ descriptor: Int32, _ wanted: PollEvents) {
        self.descriptor = descriptor
        wantedBits = wanted.rawValue
    }

    public var found: PollEvents { PollEvents(rawValue: foundBits) }
}

public enum HostPoll {
    /// Waits until something is found, a signal has been handled, or the time is over; nil: there is no such time. Entries say what was
    /// found. False: nothing.
    public static func wait(_ entries: inout [PollEntry], nanoseconds: UInt64?) -> Bool {
        let limit = nanoseconds.map { timespec(tv_sec: Int($0 / 1_000_000_000), tv_nsec: Int($0 % 1_000_000_000)) }
        let found = entries.withUnsafeMutableBytes { list in
            let start = Int(bitPattern: list.baseAddress), count = list.count / MemoryLayout<PollEntry>.stride
            guard let limit else { return kernel(SYS_ppoll, start, count) }
            return withUnsafePointer(to: limit) { kernel(SYS_ppoll, start, count, Int(bitPattern: $0)) }
        }
        return found > 0
    }

    /// Lets the calling thread wake as soon as its time is over: the kernel may put that off by 50 microseconds otherwise.
    public static func wakePunctually() {
        let setTimerSlack = 29  // PR_SET_TIMERSLACK
        _ = kernel(SYS_prctl, setTimerSlack, 1)
    }
}

/// A flag that any thread sets, and that poll(2) finds: eventfd(2).
public struct WakeFile: ~Copyable, Sendable {
    public let descriptor: Int32

    public init() throws(Errno) {
        descriptor = Int32(truncatingIfNeeded: try Errno.check(kernel(SYS_eventfd2, 0, Int(O_CLOEXEC | O_NONBLOCK))))
    }
    deinit { HostFile.close(descriptor) }

    public func set() {
        let one: UInt64 = 1
        _ = withUnsafePointer(to: one) { kernel(SYS_write, Int(descriptor), Int(bitPattern: $0), 8) }
    }

    public func clear() {
        var count: UInt64 = 0
        _ = withUnsafeMutablePointer(to: &count) { kernel(SYS_read, Int(descriptor), Int(bitPattern: $0), 8) }
    }
}

/// An alarm on the wall clock, which poll(2) finds also when somebody has set that clock: timerfd(2).
public struct WallAlarm: ~Copyable, Sendable {
    public let descriptor: Int32

    public init() throws(Errno) {
        let flags = Int(O_CLOEXEC | O_NONBLOCK)
        descriptor = Int32(
            truncatingIfNeeded: try Errno.check(kernel(SYS_timerfd_create, Int(CLOCK_REALTIME), flags)))
    }
    deinit { HostFile.close(descriptor) }

    /// `time`: nanoseconds since 1970; nil: no alarm.
    public func set(_ time: UInt64?) {
        let isAbsolute = 1, cancelsOnSet = 2
        var setting = itimerspec()
        // 0 would be no alarm.
        if let time = time.map({ max(1, $0) }) {
            setting.it_value = timespec(tv_sec: Int(time / 1_000_000_000), tv_nsec: Int(time % 1_000_000_000))
        }
        _ = withUnsafePointer(to: setting) {
            kernel(SYS_timerfd_settime, Int(descriptor), isAbsolute | cancelsOnSet, Int(bitPattern: $0), 0)
        }
    }

    public func clear() {
        var count: UInt64 = 0
        _ = withUnsafeMutablePointer(to: &count) { kernel(SYS_read, Int(descriptor), Int(bitPattern: $0), 8) }
    }
}

/// Signals as something to read rather than to be interrupted by: signalfd(2). They are blocked in the calling thread, and in those that it
/// starts later; a thread that does not block them takes them as before.
public struct SignalFile: ~Copyable, Sendable {
    public let descriptor: Int32

    public init(_ signals: [Int32]) throws(Errno) {
        let set = signals.reduce(0) { $0 | HostSignals.bit($1) }
        HostSignals.setHostMask(HostSignals.mask | set)
        let made = withUnsafePointer(to: set) {
            kernel(SYS_signalfd4, -1, Int(bitPattern: $0), 8, Int(O_CLOEXEC | O_NONBLOCK))
        }
        descriptor = Int32(truncatingIfNeeded: try Errno.check(made))
    }
    deinit { HostFile.close(descriptor) }

    /// Has the calling thread take these signals as any other thread would.
    public static func unblock(_ signals: [Int32]) {
        HostSignals.setHostMask(signals.reduce(HostSignals.mask) { $0 & ~HostSignals.bit($1) })
    }

    /// The next signal that has come: its number and who sent it (0: the kernel).
    public func next() -> (signal: Int32, sender: UInt32)? {
        // struct signalfd_siginfo has 128 bytes: the number at 0, the sender at 12.
        var info: InlineArray<32, UInt32> = .init(repeating: 0)
        let count = withUnsafeMutablePointer(to: &info) {
            kernel(SYS_read, Int(descriptor), Int(bitPattern: $0), 128)
        }
        return count == 128 ? (Int32(bitPattern: info[0]), info[3]) : nil
    }
}
