// Threads, locks and the one pointer per thread that signal handlers may read.

import CLinux
import Glibc
import Synchronization

/// A mutual-exclusion lock usable from any number of threads. Copies name the same lock; memory is never freed,
/// because locks live as long as the objects of a whole process or machine. Held across fork(), it is held by the
/// forking thread in the child too.
public struct Lock: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    public init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    @inline(__always) public func lock() { pthread_mutex_lock(mutex) }
    @inline(__always) public func unlock() { pthread_mutex_unlock(mutex) }
    @inline(__always) public func tryLock() -> Bool { pthread_mutex_trylock(mutex) == 0 }

    @inline(__always)
    public func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// Creation of host threads.
public enum HostThread {
    public typealias Body = () -> Void

    private final class Start {
        let name: String?
        let body: Body
        init(_ name: String?, _ body: @escaping Body) { (self.name, self.body) = (name, body) }
    }

    /// Threads get the names that they are started with, for other processes to see. Set while there is one thread.
    nonisolated(unsafe) public static var areNamed = false

    /// Starts a detached thread. `stackSize` is for host frames only: guest code runs on the guest's stack. With `blocksSignals`
    /// it starts with all signals blocked, our own too.
    public static func start(
        _ name: String? = nil, stackSize: Int = 1 << 20, blocksSignals: Bool = false, _ body: @escaping Body
    ) throws(Errno) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stackSize)
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Start(areNamed ? name : nil, body))
        // With a process's first other thread the C library takes the signal for setuid(2) as its own, and unblocks it: both are
        // the guest's C library's. (A forked child has a first other thread again.)
        let kept = clx_is_single_threaded() != 0 ? KeptDisposition(of: HostSignals.setID) : nil
        let mask = blocksSignals ? HostSignals.blockAll() : HostSignals.mask
        let status = pthread_create(&thread, &attributes, threadMain, argument.toOpaque())
        kept?.putBack()
        HostSignals.setHostMask(mask)
        if status != 0 {
            argument.release()
            throw Errno(status)
        }
    }

    fileprivate static func run(_ argument: UnsafeMutableRawPointer) {
        let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        if let name = start.name { setName(name) }
        start.body()
    }

    /// The name that threads have which run nothing but Martlet's own work, for other processes to know them by.
    public static let ownName = "martlet"

    /// Names the calling thread.
    public static func setName(_ name: String) {
        let setName = 15  // PR_SET_NAME
        _ = withPath(name) { kernel(SYS_prctl, setName, $0) }
    }

    /// Waits until thread `id` of this process, which is about to end, does not count as one of its threads any more. (The kernel
    /// clears the word that pthread_join waits for a little earlier.)
    public static func waitUntilGone(_ id: Int32) {
        var spin = SpinWait()
        while kernel(SYS_tgkill, Int(HostProcess.processID), Int(id), 0) == 0 { spin.wait() }
    }

    public static func sleep(nanoseconds: UInt64) {
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        // A signal leaves the rest.
        withUnsafeMutablePointer(to: &time) { while nanosleep($0, $0) != 0 {} }
    }

    /// Tells the threads of a process apart.
    public static var current: UInt { UInt(pthread_self()) }
    /// Waits until a signal handler has run.
    public static func waitForSignal() { _ = kernel(SYS_ppoll) }
}

@c private func threadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { HostThread.run(argument) }
    return nil
}

/// Pointers that belong to the calling thread; nil until set. Safe to read in a signal handler.
/// The accessors stay out of line: their storage exists once, in this file's object.
public enum ThreadSlot {
    /// The thread's `SignalMailbox`.
    public static var mailbox: UnsafeMutablePointer<SignalMailbox>? {
        get { get(0)?.assumingMemoryBound(to: SignalMailbox.self) }
        set { set(0, newValue) }
    }

    /// What takes the thread's samples for a profile.
    public static var sampler: UnsafeMutableRawPointer? {
        get { get(1) }
        set { set(1, newValue) }
    }

    @inline(never) static func get(_ index: Int) -> UnsafeMutableRawPointer? { clx_thread_slot()[index] }
    @inline(never) static func set(_ index: Int, _ pointer: UnsafeMutableRawPointer?) {
        clx_thread_slot()[index] = pointer
    }
}

/// Monotonic and wall clocks in nanoseconds.
public enum HostClock {
    public static let realtimeClock = CLOCK_REALTIME

    /// clock_gettime(2) by way of the vDSO.
    @inline(__always)
    public static func read(_ clock: Int32) throws(Errno) -> (seconds: Int64, nanoseconds: Int64) {
        var time = timespec()
        if clock_gettime(clock, &time) != 0 { throw Errno(errno) }
        return (Int64(time.tv_sec), Int64(time.tv_nsec))
    }

    public static func nanoseconds(_ clock: Int32 = CLOCK_MONOTONIC) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.tv_nsec))
    }
    /// Used by all threads of the process so far.
    public static func processorTime() -> UInt64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }
    public static func monotonic() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }
    public static func realtime() -> UInt64 { nanoseconds(CLOCK_REALTIME) }
    /// Seconds since 1970 as the date and time here: 2026-01-31 12:00:00.
    public static func localText(_ seconds: UInt64) -> String {
        var time = time_t(clamping: seconds), fields = tm()
        localtime_r(&time, &fields)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(fields.tm_year + 1900)-\(two(fields.tm_mon + 1))-\(two(fields.tm_mday)) "
            + "\(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))"
    }
    /// What the wall clock shows here, in seconds, as if it were universal time since 1970.
    public static func localSeconds() -> UInt64 {
        var now = time(nil), fields = tm()
        localtime_r(&now, &fields)
        return UInt64(max(0, now + fields.tm_gmtoff))
    }
}

/// The host FPU's control and status word (MXCSR on x86-64).
public enum HostFPU {
    @inlinable public static var status: UInt32 {
        get { clx_get_fp_status() }
        set { clx_set_fp_status(newValue) }
    }
}

/// futex(2) on a host address.
public enum Futex {
    public static let waitOperation = 0, wakeOperation = 1, privateFlag = 128

    public static func wake(_ address: UInt64, count: Int = 1, isPrivate: Bool = false) {
        let operation = wakeOperation | (isPrivate ? privateFlag : 0)
        _ = kernel(SYS_futex, Int(truncatingIfNeeded: address), operation, count)
    }

    public static func wait(_ address: UnsafeMutablePointer<UInt32>, while value: UInt32) {
        _ = kernel(SYS_futex, Int(bitPattern: address), waitOperation | privateFlag, Int(value))
    }

    /// The same, for at most so many nanoseconds.
    public static func wait(_ address: UnsafeMutablePointer<UInt32>, while value: UInt32, nanoseconds: UInt64) {
        var time = timespec(
            tv_sec: Int(min(nanoseconds / 1_000_000_000, 1 << 32)), tv_nsec: Int(nanoseconds % 1_000_000_000))
        withUnsafePointer(to: &time) {
            _ = kernel(
                SYS_futex, Int(bitPattern: address), waitOperation | privateFlag, Int(value), Int(bitPattern: $0))
        }
    }
}

/// One word handed from one thread to another.
@inline(__always)
public func publishWord(_ word: UnsafeMutablePointer<UInt32>, _ value: UInt32) {
    UnsafePointer<Atomic<UInt32>>(OpaquePointer(word)).pointee.store(value, ordering: .releasing)
}

@inline(__always)
public func publishedWord(_ word: UnsafeMutablePointer<UInt32>) -> UInt32 {
    UnsafePointer<Atomic<UInt32>>(OpaquePointer(word)).pointee.load(ordering: .acquiring)
}
