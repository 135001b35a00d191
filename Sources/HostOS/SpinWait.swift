// Waiting for what another thread is about to do, by looking again and again.

import CLinux
import Glibc

/// Goes between two looks at what another thread is about to do: nearly always it does that at once, and else the wait is a short sleep.
///
/// It never calls sched_yield(2). With Linux 6.18 a thread that has called it some hundred times while it had its processor to itself may get
/// no processor for minutes, once another thread wants the same one: it has given up the time in advance.
public struct SpinWait {
    private var looks: UInt32 = 0
    /// A sleep comes after so many looks that followed each other: about 5 µs.
    private static let looksPerSleep: UInt32 = 64

    public init() {}

    @inline(never) public mutating func wait() {
        looks &+= 1
        if looks % Self.looksPerSleep != 0 { return clx_pause() }
        // The kernel adds the thread's timer slack, 50 µs unless set otherwise. (prctl(2), PR_SET_TIMERSLACK)
        var time = timespec(tv_sec: 0, tv_nsec: 1000)
        _ = withUnsafePointer(to: &time) { kernel(SYS_nanosleep, Int(bitPattern: $0)) }
    }
}
