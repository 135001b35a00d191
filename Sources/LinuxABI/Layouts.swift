// Places of numbers in structures that only Martlet writes, and sizes of structures that are the same on guest and host.

/// One field: where it lies and how wide it is. Wider targets are zero-extended, narrower ones truncated.
public struct Field: BitwiseCopyable, Sendable {
    public var offset: UInt16
    public var size: UInt16
    @inlinable public init(_ offset: UInt16, _ size: UInt16) {
        self.offset = offset
        self.size = size
    }

    @inlinable public func load(_ base: UnsafeRawPointer) -> UInt64 {
        let at = Int(offset)
        switch size {
        case 4: return UInt64(base.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        case 2: return UInt64(base.loadUnaligned(fromByteOffset: at, as: UInt16.self))
        default: return base.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        }
    }

    @inlinable public func store(_ value: UInt64, _ base: UnsafeMutableRawPointer) {
        let at = Int(offset)
        switch size {
        case 4: base.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: at, as: UInt32.self)
        case 2: base.storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: at, as: UInt16.self)
        default: base.storeBytes(of: value, toByteOffset: at, as: UInt64.self)
        }
    }
}

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
