// Interrupting a thread each time it has used some processor time: what a sampling profiler lives on.
//
// The timer runs on the thread's own processor clock (timer_create(2), SIGEV_THREAD_ID), so that a waiting thread is never woken.
// The kernel looks at such clocks once a tick (4 ms on most kernels): a signal then stands for several periods, and says how many.
// The signal is one real-time signal that the guest can neither catch from the kernel nor block while a profile is taken.

import CLinux
import Glibc

/// Takes a sample on the interrupted thread, in signal context. Arguments: siginfo_t and ucontext_t, to be wrapped in a `FaultContext`,
/// and how many periods the sample stands for.
public typealias SampleHandler = @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer, UInt64) -> Void

nonisolated(unsafe) private var sampleHandler: SampleHandler? = nil

public enum SampleSignal {
    /// One below the last: programs that use real-time signals count from the first, or take the last.
    public static let number: Int32 = 63

    /// si_value of our own timers: tells their signals from those that a process sends.
    static let cookie: UInt64 = 0x4d41_5254_4c45_5450

    /// Installs `handler`. Once, before any timer.
    public static func start(_ handler: @escaping SampleHandler) {
        sampleHandler = handler
        HostSignals.reserve(number, handler: sampled)
    }
}

/// A timer on the calling thread's processor time.
public struct SampleTimer {
    private let id: Int32

    /// Starts it. `period` in nanoseconds.
    public init(period: Int) throws(Errno) {
        // struct sigevent: value 8 bytes, signal, notify, thread id; 64 bytes in all.
        var event: InlineArray<8, UInt64> = .init(repeating: 0)
        let threadID: UInt64 = 4  // SIGEV_THREAD_ID
        event[0] = SampleSignal.cookie
        event[1] = UInt64(SampleSignal.number) | threadID << 32
        event[2] = UInt64(HostProcess.threadID)
        var id: Int32 = 0
        let made = withUnsafeMutablePointer(to: &id) { id in
            withUnsafePointer(to: event) {
                kernel(SYS_timer_create, Int(CLOCK_THREAD_CPUTIME_ID), Int(bitPattern: $0), Int(bitPattern: id))
            }
        }
        _ = try Errno.check(made)
        self.id = id
        let time = timespec(tv_sec: period / 1_000_000_000, tv_nsec: period % 1_000_000_000)
        let setting = itimerspec(it_interval: time, it_value: time)
        _ = withUnsafePointer(to: setting) { kernel(SYS_timer_settime, Int(id), 0, Int(bitPattern: $0), 0) }
    }

    /// No sample is taken by it any more.
    public func cancel() { _ = kernel(SYS_timer_delete, Int(id)) }
}

@c private func sampled(_ signal: Int32, _ info: UnsafeMutableRawPointer?, _ context: UnsafeMutableRawPointer?) {
    guard let info, let context else { return }
    let fault = FaultContext(info: info, context: context)
    // siginfo_t of a timer: overruns at 20, the value at 24.
    let fromTimer: Int32 = -2  // SI_TIMER
    guard fault.code == fromTimer, info.load(fromByteOffset: 24, as: UInt64.self) == SampleSignal.cookie else {
        return HostSignals.recordSent(fault)
    }
    HostStubs.restartInterruptedCall(fault)
    sampleHandler?(info, context, 1 &+ UInt64(UInt32(bitPattern: info.load(fromByteOffset: 20, as: Int32.self))))
}
