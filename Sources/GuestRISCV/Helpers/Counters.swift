// The counters that user mode reads: cycle, time and instret (Unprivileged ISA, chapter "Zicntr"). All three count nanoseconds of
// the host's monotonic clock: constant rate, never backwards, the same on all harts. Cycles and instructions are not
// counted: a program sees a hart of 1 GHz that retires one instruction per cycle.

import Glibc
import IR

let helperClock: HelperFunction = { _, _, _, _, _ in
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(bitPattern: Int64(now.tv_sec)) &* 1_000_000_000 &+ UInt64(bitPattern: Int64(now.tv_nsec))
}
