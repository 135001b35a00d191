// System calls on files and devices that hold disks: reads and writes at an offset, holes, locks of single bytes.

import CLinux
import Glibc

public enum HostDisk {
    public struct Mode: OptionSet, Sendable {
        public let rawValue: Int32
        public init(rawValue: Int32) { self.rawValue = rawValue }
        public static let readOnly = Mode([])
        public static let writes = Mode(rawValue: O_RDWR)
        /// It is made when it is not there.
        public static let creates = Mode(rawValue: O_CREAT)
        /// O_DIRECT: past the page cache. Offsets, counts and buffers must be aligned.
        public static let isDirect = Mode(rawValue: 0o40000)
    }

    public static func open(_ path: String, _ mode: Mode) throws(Errno) -> Int32 {
        let flags = Int(mode.rawValue | O_CLOEXEC)
        return Int32(
            truncatingIfNeeded: try Errno.check(withPath(path) { kernel(SYS_openat, Int(AT_FDCWD), $0, flags, 0o644) }))
    }

    /// Bytes: of a file its length, of a device its capacity.
    public static func size(_ fd: Int32) throws(Errno) -> UInt64 {
        UInt64(try Errno.check(kernel(SYS_lseek, Int(fd), 0, Int(SEEK_END))))
    }

    /// Bytes that a file takes of its file system.
    public static func allocatedSize(_ fd: Int32) throws(Errno) -> UInt64 {
        var raw = stat()
        _ = try Errno.check(withUnsafeMutablePointer(to: &raw) { kernel(SYS_fstat, Int(fd), Int(bitPattern: $0)) })
        return UInt64(raw.st_blocks) * 512
    }

    /// Bytes read; 0 at the end of the file.
    public static func read(_ fd: Int32, at offset: UInt64, into buffers: HostBuffers) throws(Errno) -> Int {
        try transfer { buffers.withVectors { kernel(SYS_preadv, Int(fd), $0, $1, Int(clamping: offset)) } }
    }

    public static func write(_ fd: Int32, at offset: UInt64, from buffers: HostBuffers) throws(Errno) -> Int {
        try transfer {
            HostLimits.withoutSizeSignal {
                buffers.withVectors { kernel(SYS_pwritev, Int(fd), $0, $1, Int(clamping: offset)) }
            }
        }
    }

    private static func transfer(_ call: () -> Int) throws(Errno) -> Int {
        while true {
            let count = call()
            if count != Errno.intr.negated { return try Errno.check(count) }
        }
    }

    /// What is written is on the medium when it returns, and what is needed to find it.
    public static func flush(_ fd: Int32) throws(Errno) { _ = try Errno.check(kernel(SYS_fdatasync, Int(fd))) }

    public static func truncate(_ fd: Int32, to size: UInt64) throws(Errno) {
        _ = try Errno.check(HostLimits.withoutSizeSignal { kernel(SYS_ftruncate, Int(fd), Int(clamping: size)) })
    }

    private static let keepSize = 1, punchHole = 2, zeroRange = 16  // FALLOC_FL_*

    /// Makes bytes 0 without sending them; the file does not get longer. `unmaps`: they take no place any more. False: the file cannot.
    public static func zero(_ fd: Int32, at offset: UInt64, count: UInt64, unmaps: Bool) throws(Errno) -> Bool {
        let mode = keepSize | (unmaps ? punchHole : zeroRange)
        let result = kernel(SYS_fallocate, Int(fd), mode, Int(clamping: offset), Int(clamping: count))
        if !Errno.isFailure(result) { return true }
        let errno = Errno(Int32(-result))
        if errno == .opnotsupp || errno == .nosys || errno == .nodev || errno == .inval { return false }
        throw errno
    }

    private static let seekData = 3, seekHole = 4

    /// The run of bytes from an offset on that is data, or a hole. Nil: the file cannot say.
    public static func run(_ fd: Int32, at offset: UInt64) -> (count: UInt64, isHole: Bool)? {
        let data = kernel(SYS_lseek, Int(fd), Int(clamping: offset), seekData)
        if data == Errno.nxio.negated { return (.max, true) }
        if Errno.isFailure(data) { return nil }
        if UInt64(data) > offset { return (UInt64(data) - offset, true) }
        let hole = kernel(SYS_lseek, Int(fd), Int(clamping: offset), seekHole)
        if Errno.isFailure(hole) || UInt64(hole) <= offset { return nil }
        return (UInt64(hole) - offset, false)
    }

    // MARK: Locks of single bytes, which an open file description has (F_OFD_SETLK)

    /// Locks a byte for reading. False: this file has no such locks.
    public static func lock(_ fd: Int32, byte: Int) throws(Errno) -> Bool {
        let result = control(37, fd, byte, F_RDLCK).result
        if result == Errno.inval.negated || result == Errno.nosys.negated { return false }
        _ = try Errno.check(result)
        return true
    }

    /// Locks a byte for oneself. False: another description has it.
    public static func lockAlone(_ fd: Int32, byte: Int) throws(Errno) -> Bool {
        let result = control(37, fd, byte, F_WRLCK).result
        if result == Errno.again.negated || result == Errno.acces.negated { return false }
        _ = try Errno.check(result)
        return true
    }

    public static func unlock(_ fd: Int32, byte: Int) { _ = control(37, fd, byte, F_UNLCK) }

    /// Has another description a lock on the byte?
    public static func isLockedByOthers(_ fd: Int32, byte: Int) -> Bool {
        let answer = control(36, fd, byte, F_WRLCK)
        return answer.result == 0 && answer.type != Int16(F_UNLCK)
    }

    private static func control(_ command: Int, _ fd: Int32, _ byte: Int, _ type: Int32) -> (result: Int, type: Int16) {
        var request = flock()
        request.l_type = Int16(type)
        request.l_whence = Int16(SEEK_SET)
        request.l_start = byte
        request.l_len = 1
        let result = withUnsafeMutablePointer(to: &request) {
            kernel(SYS_fcntl, Int(fd), command, Int(bitPattern: $0))
        }
        return (result, request.l_type)
    }
}

/// Buffers as readv(2) takes them, without what has been done.
public struct HostBuffers {
    private var vectors: [iovec]
    private var first = 0
    private static let mostAtOnce = 1024  // UIO_MAXIOV

    public init(_ buffers: [UnsafeMutableRawBufferPointer]) {
        vectors = buffers.filter { $0.count > 0 }.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
    }

    public var isEmpty: Bool { first == vectors.count }
    public var count: Int { vectors[first...].reduce(0) { $0 + $1.iov_len } }

    public func areAligned(to alignment: Int) -> Bool {
        vectors[first...].allSatisfy { (Int(bitPattern: $0.iov_base) | $0.iov_len) % alignment == 0 }
    }

    func withVectors(_ body: (_ address: Int, _ count: Int) -> Int) -> Int {
        vectors.withUnsafeBufferPointer {
            body(Int(bitPattern: $0.baseAddress! + first), min($0.count - first, Self.mostAtOnce))
        }
    }

    public mutating func drop(_ count: Int) {
        var rest = count
        while rest > 0 {
            let part = min(rest, vectors[first].iov_len)
            vectors[first].iov_base += part
            vectors[first].iov_len -= part
            rest -= part
            if vectors[first].iov_len == 0 { first += 1 }
        }
    }

    public mutating func zero() {
        for vector in vectors[first...] {
            vector.iov_base.initializeMemory(as: UInt8.self, repeating: 0, count: vector.iov_len)
        }
        first = vectors.count
    }
}
