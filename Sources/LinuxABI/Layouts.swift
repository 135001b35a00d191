// Structures whose layout differs between a guest and the host, as tables of offsets, and their conversion. All
// conversions read and write unaligned memory and cannot fail: callers hand in buffers of at least the layout's size.

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

/// struct stat (stat(2); asm/stat.h).
public struct StatLayout: Sendable {
    public var size: Int
    public var device, inode, mode, links, user, group, specialDevice, length, blockSize, blocks: Field
    /// Seconds, then nanoseconds eight bytes later.
    public var accessTime, modificationTime, changeTime: UInt16

    /// include/uapi/asm-generic/stat.h: 128 bytes on 64-bit.
    public static let asmGeneric = StatLayout(
        size: 128, device: Field(0, 8), inode: Field(8, 8), mode: Field(16, 4), links: Field(20, 4), user: Field(24, 4),
        group: Field(28, 4), specialDevice: Field(32, 8), length: Field(48, 8), blockSize: Field(56, 4),
        blocks: Field(64, 8), accessTime: 72, modificationTime: 88, changeTime: 104)

    /// arch/x86/include/uapi/asm/stat.h: 144 bytes.
    public static let x64 = StatLayout(
        size: 144, device: Field(0, 8), inode: Field(8, 8), mode: Field(24, 4), links: Field(16, 8), user: Field(28, 4),
        group: Field(32, 4), specialDevice: Field(40, 8), length: Field(48, 8), blockSize: Field(56, 8),
        blocks: Field(64, 8), accessTime: 72, modificationTime: 88, changeTime: 104)

    #if arch(x86_64)
        public static let host = x64
    #else
        public static let host = asmGeneric
    #endif

    /// Writes to `target`, laid out as `self`, what `source`, laid out as `other`, says. Padding becomes zero.
    public func convert(from other: StatLayout, _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        target.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        device.store(other.device.load(source), target)
        inode.store(other.inode.load(source), target)
        mode.store(other.mode.load(source), target)
        links.store(other.links.load(source), target)
        user.store(other.user.load(source), target)
        group.store(other.group.load(source), target)
        specialDevice.store(other.specialDevice.load(source), target)
        length.store(other.length.load(source), target)
        blockSize.store(other.blockSize.load(source), target)
        blocks.store(other.blocks.load(source), target)
        copyTime(from: other.accessTime, source, to: accessTime, target)
        copyTime(from: other.modificationTime, source, to: modificationTime, target)
        copyTime(from: other.changeTime, source, to: changeTime, target)
    }

    private func copyTime(
        from: UInt16, _ source: UnsafeRawPointer, to: UInt16, _ target: UnsafeMutableRawPointer
    ) {
        Field(to, 8).store(Field(from, 8).load(source), target)
        Field(to &+ 8, 8).store(Field(from &+ 8, 8).load(source), target)
    }
}

/// struct epoll_event (epoll_ctl(2)): x86-64 packs it, everybody else aligns it.
public struct EpollEventLayout: Sendable, Equatable {
    public var size: Int
    public var data: Int

    public static let natural = EpollEventLayout(size: 16, data: 8)
    public static let packed = EpollEventLayout(size: 12, data: 4)

    #if arch(x86_64)
        public static let host = packed
    #else
        public static let host = natural
    #endif

    @inlinable public func load(_ source: UnsafeRawPointer) -> (events: UInt32, data: UInt64) {
        (source.loadUnaligned(as: UInt32.self), source.loadUnaligned(fromByteOffset: data, as: UInt64.self))
    }

    @inlinable public func store(_ event: (events: UInt32, data: UInt64), _ target: UnsafeMutableRawPointer) {
        if size > 12 { target.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self) }
        target.storeBytes(of: event.events, as: UInt32.self)
        target.storeBytes(of: event.data, toByteOffset: data, as: UInt64.self)
    }
}

/// struct semid64_ds (semctl(2)): a 48-byte ipc_perm, then these.
public struct SemaphoreSetLayout: Sendable {
    public var size: Int
    public var operationTime, changeTime, count: Field

    public static let asmGeneric = SemaphoreSetLayout(
        size: 88, operationTime: Field(48, 8), changeTime: Field(56, 8), count: Field(64, 8))
    public static let x64 = SemaphoreSetLayout(
        size: 104, operationTime: Field(48, 8), changeTime: Field(64, 8), count: Field(80, 8))

    #if arch(x86_64)
        public static let host = x64
    #else
        public static let host = asmGeneric
    #endif

    public func convert(from other: SemaphoreSetLayout, _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer)
    {
        target.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        target.copyMemory(from: source, byteCount: 48)
        operationTime.store(other.operationTime.load(source), target)
        changeTime.store(other.changeTime.load(source), target)
        count.store(other.count.load(source), target)
    }
}

/// struct loop_info (loop.h): device numbers are longs on x86-64 and ints elsewhere.
public struct LoopInformationLayout: Sendable {
    public var size: Int
    var device, inode, rootDevice: Field
    /// Of lo_offset: 112 bytes that are the same everywhere; then of lo_init: 20 bytes.
    var offset, initial: Int

    public static let asmGeneric = LoopInformationLayout(
        size: 160, device: Field(4, 4), inode: Field(8, 8), rootDevice: Field(16, 4), offset: 20, initial: 136)
    public static let x64 = LoopInformationLayout(
        size: 168, device: Field(8, 8), inode: Field(16, 8), rootDevice: Field(24, 8), offset: 32, initial: 144)

    #if arch(x86_64)
        public static let host = x64
    #else
        public static let host = asmGeneric
    #endif

    public func convert(
        from other: LoopInformationLayout, _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer
    ) {
        target.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        target.copyMemory(from: source, byteCount: 4)
        device.store(other.device.load(source), target)
        inode.store(other.inode.load(source), target)
        rootDevice.store(other.rootDevice.load(source), target)
        (target + offset).copyMemory(from: source + other.offset, byteCount: 112)
        (target + initial).copyMemory(from: source + other.initial, byteCount: 20)
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
