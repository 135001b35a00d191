// Files and devices that hold the bytes of disks: reading and writing at any place, from and to several buffers at once.

import CLinux
import Glibc

/// An open file. The owner closes it.
public struct DiskFile: Sendable {
    public let descriptor: Int32

    /// `isDirect`: past the page cache (O_DIRECT).
    public init(_ path: String, isReadOnly: Bool, isDirect: Bool) throws(Errno) {
        let flags = (isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | (isDirect ? 0o40000 : 0)
        descriptor = Int32(try Errno.check(withPath(path) { kernel(SYS_openat, Int(AT_FDCWD), $0, Int(flags)) }))
    }

    public func close() { HostFile.close(descriptor) }

    /// Bytes: of a file its length, of a device its capacity.
    public func size() throws(Errno) -> UInt64 {
        UInt64(try Errno.check(kernel(SYS_lseek, Int(descriptor), 0, Int(SEEK_END))))
    }

    /// Reads all of the buffers; behind the end of the file there are zeros.
    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(Errno) {
        var rest = IOVectors(buffers), at = offset
        while !rest.isEmpty {
            let count = rest.withVectors { kernel(SYS_preadv, Int(descriptor), $0, $1, Int(clamping: at)) }
            if count == Errno.intr.negated { continue }
            if try Errno.check(count) == 0 { return rest.zero() }
            rest.drop(count)
            at += UInt64(count)
        }
    }

    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(Errno) {
        var rest = IOVectors(buffers.map { UnsafeMutableRawBufferPointer(mutating: $0) }), at = offset
        while !rest.isEmpty {
            let count = rest.withVectors { kernel(SYS_pwritev, Int(descriptor), $0, $1, Int(clamping: at)) }
            if count == Errno.intr.negated { continue }
            if try Errno.check(count) == 0 { throw .nospc }
            rest.drop(count)
            at += UInt64(count)
        }
    }

    /// What was written is on the medium.
    public func synchronize() throws(Errno) { _ = try Errno.check(kernel(SYS_fdatasync, Int(descriptor))) }

    public func truncate(to size: UInt64) throws(Errno) {
        _ = try Errno.check(kernel(SYS_ftruncate, Int(descriptor), Int(clamping: size)))
    }

    private enum Allocate { static let keepSize = 1, punchHole = 2, zeroRange = 16 }

    /// Makes bytes 0 without sending them. `isHole`: they take no place after that. False: the file cannot.
    public func zero(at offset: UInt64, count: UInt64, isHole: Bool) throws(Errno) -> Bool {
        let mode = (isHole ? Allocate.punchHole : Allocate.zeroRange) | Allocate.keepSize
        let result = kernel(SYS_fallocate, Int(descriptor), mode, Int(clamping: offset), Int(clamping: count))
        if [Errno.opnotsupp, .nosys, .nodev, .inval].contains(where: { $0.negated == result }) { return false }
        _ = try Errno.check(result)
        return true
    }

    /// Values of lseek(2) that the C library's header keeps from Swift.
    private enum Seek { static let data = 3, hole = 4 }

    /// The run of bytes from an offset on that is data, or a hole. Nil: the file cannot say.
    public func run(at offset: UInt64) -> (count: UInt64, isHole: Bool)? {
        let data = kernel(SYS_lseek, Int(descriptor), Int(clamping: offset), Seek.data)
        if data == Errno.nxio.negated { return (.max, true) }
        if Errno.isFailure(data) { return nil }
        if UInt64(data) > offset { return (UInt64(data) - offset, true) }
        let hole = kernel(SYS_lseek, Int(descriptor), Int(clamping: offset), Seek.hole)
        if Errno.isFailure(hole) || UInt64(hole) <= offset { return nil }
        return (UInt64(hole) - offset, false)
    }
}

/// Buffers as readv(2) takes them, without what has been done.
private struct IOVectors {
    private var vectors: [iovec]
    private var first = 0
    private static let mostAtOnce = 1024

    init(_ buffers: [UnsafeMutableRawBufferPointer]) {
        vectors = buffers.filter { $0.count > 0 }.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
    }

    var isEmpty: Bool { first == vectors.count }

    func withVectors(_ body: (_ address: Int, _ count: Int) -> Int) -> Int {
        vectors.withUnsafeBufferPointer {
            body(Int(bitPattern: $0.baseAddress! + first), min($0.count - first, Self.mostAtOnce))
        }
    }

    mutating func drop(_ count: Int) {
        var rest = count
        while rest > 0 {
            let part = min(rest, vectors[first].iov_len)
            vectors[first].iov_base += part
            vectors[first].iov_len -= part
            rest -= part
            if vectors[first].iov_len == 0 { first += 1 }
        }
    }

    mutating func zero() {
        for vector in vectors[first...] {
            vector.iov_base.initializeMemory(as: UInt8.self, repeating: 0, count: vector.iov_len)
        }
        first = vectors.count
    }
}
