// Sizes of structures that are the same on guest and host.

/// Sizes in bytes of structures that are the same on guest and host.
public enum StructSize {
    public static let timespec = 16, timeval = 16, timezone = 8, itimerspec = 32, itimerval = 32, statfs = 120,
        statx = 256
    public static let flock = 32, ownerEx = 8, sysinfo = 112, utsname = 390, rusage = 144, rlimit = 16, timex = 208
    public static let sigset = 8, siginfo = 128, sigevent = 64, signalfdInfo = 128, iovec = 16, msghdr = 56,
        mmsghdr = 64
    public static let pollfd = 8, openHow = 24, mqAttributes = 64, tms = 32, schedParam = 4, sockaddrStorage = 128
    public static let messageQueueSet = 120, sharedMemorySet = 112, robustListHead = 24
}
