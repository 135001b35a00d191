// Where an image's bytes are: a file of the host's, or another image.

import HostOS

public protocol BlockStorage: AnyObject, Sendable {
    /// Its name, for messages; names of backing files are relative to it.
    var path: String { get }
    var isReadOnly: Bool { get }
    /// A write is on the medium when it returns, or needs a flush for that.
    var cache: CacheMode { get }
    /// What changes it, before it is done, and flushes when they are done. Tests look at what a crash would leave.
    var observer: ((StorageChange) -> Void)? { get set }
    /// Nil: it is no file.
    var identity: FileIdentity? { get }
    /// It ends where nothing was written, or else has a size of its own, and any bytes.
    var endReadsAsZero: Bool { get }

    func size() throws(BlockError) -> UInt64
    /// Reads all of the buffers; behind the end there are zeros.
    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError)
    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError)
    func flush() throws(BlockError)
    func truncate(to size: UInt64) throws(BlockError)
    /// Makes bytes 0 without sending them; it does not get longer. False: it cannot.
    func zero(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) -> Bool
    /// The run of bytes from an offset on that is data, or a hole. Nil: it cannot say.
    func run(at offset: UInt64) -> (count: UInt64, isHole: Bool)?
    func reopen(isReadOnly: Bool) throws(BlockError)
    /// As of an image.
    func lift(_ isLifted: Bool)
    func abort()
    /// Gives up the locks. Nothing is read or written after it.
    func unlock()
}

public enum StorageChange {
    case write(offset: UInt64, [UnsafeRawBufferPointer])
    case zero(offset: UInt64, count: UInt64)
    case flush
}

/// What tells files apart, by whatever name they are opened.
public struct FileIdentity: Equatable, Sendable {
    let device: UInt64, inode: UInt64
    init(_ status: HostFile.Status) { (device, inode) = (status.device, status.inode) }
}

extension BlockStorage {
    public func lift(_ isLifted: Bool) {}
    public func abort() {}

    func failure(_ errno: Errno, _ what: String) -> BlockError {
        BlockError(errno, "\(path): \(what): \(errno.message)")
    }

    /// Makes bytes 0 by the best way the file has.
    public func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        if count == 0 { return }
        var isDone = false
        if mayUnmap { isDone = try zero(at: offset, count: count, mayUnmap: true) }
        if !isDone { isDone = try zero(at: offset, count: count, mayUnmap: false) }
        if !isDone { try writeZeroBytes(at: offset, count: count) } else if !cache.keepsWrites { try flush() }
    }

    private func writeZeroBytes(at offset: UInt64, count: UInt64) throws(BlockError) {
        let zeros = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(count, 1 << 20)), alignment: 4096)
        defer { zeros.deallocate() }
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        var done: UInt64 = 0
        while done < count {
            let part = UnsafeRawBufferPointer(rebasing: zeros.prefix(Int(min(count - done, UInt64(zeros.count)))))
            try write(at: offset + done, from: [part])
            done += UInt64(part.count)
        }
    }

    /// Reads into memory of the caller's.
    func read(at offset: UInt64, _ bytes: UnsafeMutableRawBufferPointer) throws(BlockError) {
        try read(at: offset, into: [bytes])
    }

    func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(BlockError) {
        try write(at: offset, from: [bytes])
    }

    public func read(at offset: UInt64, count: Int) throws(BlockError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBufferPointer { (bytes) throws(BlockError) in
            try read(at: offset, UnsafeMutableRawBufferPointer(bytes))
        }
        return bytes
    }

    public func write(at offset: UInt64, bytes: [UInt8]) throws(BlockError) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(BlockError) in
            try write(at: offset, UnsafeRawBufferPointer(bytes))
        }
    }
}

/// An image that holds another one's bytes.
final class ImageStorage: BlockStorage, @unchecked Sendable {
    let path: String
    let cache: CacheMode
    let endReadsAsZero = false
    let identity: FileIdentity? = nil
    var observer: ((StorageChange) -> Void)?
    private let image: any BlockImage

    init(_ image: any BlockImage, _ path: String, _ cache: CacheMode) {
        self.image = image
        self.path = path
        self.cache = cache
    }

    var isReadOnly: Bool { image.isReadOnly }
    func size() throws(BlockError) -> UInt64 { image.size }

    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        var rest = BufferCursor(buffers)
        let there = offset < image.size ? min(UInt64(rest.count), image.size - offset) : 0
        if there > 0 { try image.read(at: offset, into: rest.take(Int(there))) }
        rest.take(rest.count).zero()
    }

    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        observer?(.write(offset: offset, buffers))
        let end = offset + buffers.reduce(0) { $0 + UInt64($1.count) }
        if end > image.size { try image.resize(to: end) }
        try image.write(at: offset, from: buffers)
    }

    func flush() throws(BlockError) {
        if isReadOnly { return }
        try image.flush()
        observer?(.flush)
    }

    func truncate(to size: UInt64) throws(BlockError) { if size != image.size { try image.resize(to: size) } }

    func zero(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) -> Bool {
        observer?(.zero(offset: offset, count: count))
        guard offset < image.size else { return true }
        try image.writeZeroes(at: offset, count: min(count, image.size - offset), mayUnmap: mayUnmap)
        return true
    }

    func run(at offset: UInt64) -> (count: UInt64, isHole: Bool)? {
        guard offset < image.size else { return (.max, true) }
        return (try? image.status(at: offset, count: image.size - offset)).map { ($0.count, $0.isZero) }
    }

    func reopen(isReadOnly: Bool) throws(BlockError) { try image.reopen(isReadOnly: isReadOnly) }
    func lift(_ isLifted: Bool) { image.lift(isLifted) }
    func abort() { image.abort() }
    /// Whoever has made the image closes it.
    func unlock() {}
}
