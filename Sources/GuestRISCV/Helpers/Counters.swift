// The counters that user mode reads: cycle, time and instret (Unprivileged ISA, chapter "Zicntr"). All three count nanoseconds of
// the host's monotonic clock: constant rate, never backwards, the same on all harts. Cycles and instructions are not
// counted: a program sees a hart of 1 GHz that retires one instruction per cycle.

import CLinux
import IR

let helperClock: HelperFunction = { _, _, _, _, _ in clx_monotonic_nanoseconds() }
