// The file or device that an image's bytes are in.

import HostOS

/// How writes reach the medium, as `cache=` names it. (QEMU, qemu(1), -drive)
public struct CacheMode: Sendable, Equatable {
    /// Writes may be kept until a flush.
    public var keepsWrites = true
    /// The host's page cache is left out (O_DIRECT).
    public var isDirect = false
    /// A flush does nothing.
    public var ignoresFlushes = false

    public init(keepsWrites: Bool = true, isDirect: Bool = false, ignoresFlushes: Bool = false) {
        self.keepsWrites = keepsWrites
        self.isDirect = isDirect
        self.ignoresFlushes = ignoresFlushes
    }

    /// By the names that `cache=` takes.
    public static let named: [(name: String, mode: CacheMode)] = [
        ("writeback", CacheMode()), ("none", CacheMode(isDirect: true)),
        ("writethrough", CacheMode(keepsWrites: false)),
        ("directsync", CacheMode(keepsWrites: false, isDirect: true)), ("unsafe", CacheMode(ignoresFlushes: true)),
    ]
}

public final class BlockFile: BlockStorage, @unchecked Sendable {
    public let path: String
    public private(set) var isReadOnly: Bool
    public let cache: CacheMode
    private var descriptor: Int32
    /// With O_DIRECT: another descriptor without it, for requests that are not aligned. The kernel keeps the two coherent when a page is
    /// not written by both at once.
    private var unaligned: Int32?
    private let isLocked: Bool
    private let usesRing: Bool
    private let writes = RangeLocks()
    /// What O_DIRECT wants offsets, counts and buffers to be multiples of.
    private static let alignment: UInt64 = 4096

    public var observer: ((StorageChange) -> Void)?

    /// `isLocked`: others are refused what would disturb, and what they are at is not disturbed.
    public init(
        _ path: String, isReadOnly: Bool, cache: CacheMode = CacheMode(), isLocked: Bool = true, usesRing: Bool = false
    ) throws(BlockError) {
        self.path = path
        self.isReadOnly = isReadOnly
        self.cache = cache
        self.isLocked = isLocked
        self.usesRing = usesRing
        let mode: HostDisk.Mode = isReadOnly ? .readOnly : .writes
        do throws(Errno) {
            descriptor = try HostDisk.open(path, cache.isDirect ? mode.union(.isDirect) : mode)
        } catch {
            let hint =
                error == .inval && cache.isDirect
                ? " (its file system has no direct access: wanted another cache mode)" : ""
            throw BlockError(error, "\(path): \(error.message)\(hint)")
        }
        do throws(Errno) { unaligned = cache.isDirect ? try HostDisk.open(path, mode) : nil } catch {
            HostFile.close(descriptor)
            throw BlockError(error, "\(path): \(error.message)")
        }
        if isLocked { try ImageLock.take(descriptor, path, writes: !isReadOnly) }
    }

    /// Makes an empty file, or empties one that nobody uses.
    public static func create(_ path: String, cache: CacheMode = CacheMode()) throws(BlockError) -> BlockFile {
        do throws(Errno) { HostFile.close(try HostDisk.open(path, [.writes, .creates])) } catch {
            throw BlockError(error, "\(path): \(error.message)")
        }
        let file = try BlockFile(path, isReadOnly: false, cache: cache)
        if try file.status().isRegular { try file.truncate(to: 0) }
        return file
    }

    deinit {
        // A child that is about to execute another program has the file open still, and would keep the locks for that time.
        if isLocked { unlock() }
        HostFile.close(descriptor)
        if let unaligned { HostFile.close(unaligned) }
    }

    public func unlock() { ImageLock.release(descriptor) }

    /// Nil: its requests are for threads.
    var ringFile: RingFile? {
        guard usesRing, cache.keepsWrites, observer == nil else { return nil }
        return RingFile(
            descriptor: descriptor, alignment: cache.isDirect ? Self.alignment : 1, isDirect: cache.isDirect)
    }

    public var identity: FileIdentity? { (try? status()).map { FileIdentity($0) } }
    public var endReadsAsZero: Bool { (try? status())?.isRegular ?? false }

    /// Has a file that could only be read be written too, or no more. No request is under way.
    public func reopen(isReadOnly: Bool) throws(BlockError) {
        if isReadOnly == self.isReadOnly { return }
        let new = try BlockFile(path, isReadOnly: isReadOnly, cache: cache, isLocked: false)
        guard new.identity == identity else { throw BlockError(.noent, "\(path): another file has that name now") }
        if isLocked {
            ImageLock.release(descriptor)
            do throws(BlockError) { try ImageLock.take(new.descriptor, path, writes: !isReadOnly) } catch {
                try ImageLock.take(descriptor, path, writes: !self.isReadOnly)
                throw error
            }
        }
        // The old descriptors are closed with `new`.
        swap(&descriptor, &new.descriptor)
        swap(&unaligned, &new.unaligned)
        self.isReadOnly = isReadOnly
    }

    public func status() throws(BlockError) -> HostFile.Status {
        do throws(Errno) { return try HostFile.status(descriptor) } catch { throw failure(error, "its status") }
    }

    /// Bytes: of a file its length, of a device its capacity.
    public func size() throws(BlockError) -> UInt64 {
        do throws(Errno) { return try HostDisk.size(descriptor) } catch { throw failure(error, "its size") }
    }

    /// Bytes that it takes of its file system.
    public func allocatedSize() throws(BlockError) -> UInt64 {
        do throws(Errno) { return try HostDisk.allocatedSize(descriptor) } catch { throw failure(error, "its status") }
    }

    private static func isAligned(_ offset: UInt64, _ vectors: HostBuffers) -> Bool {
        offset % alignment == 0 && vectors.areAligned(to: Int(alignment))
    }

    /// Reads all of the buffers; behind the end of the file there are zeros.
    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        var rest = HostBuffers(buffers), at = offset
        while !rest.isEmpty {
            // A file may end, and a read stop, anywhere.
            let from = unaligned.map { Self.isAligned(at, rest) ? descriptor : $0 } ?? descriptor
            let count: Int
            do throws(Errno) { count = try HostDisk.read(from, at: at, into: rest) } catch {
                throw failure(error, "reading at \(at)")
            }
            if count == 0 { return rest.zero() }
            rest.drop(count)
            at += UInt64(count)
        }
    }

    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        observer?(.write(offset: offset, buffers))
        let vectors = HostBuffers(buffers.map { UnsafeMutableRawBufferPointer(mutating: $0) })
        if let unaligned {
            let isAligned = Self.isAligned(offset, vectors), mask = Self.alignment - 1
            let pages = offset & ~mask..<(offset + UInt64(vectors.count) + mask) & ~mask
            try writes.with(pages, alone: !isAligned) { () throws(BlockError) in
                try write(vectors, to: isAligned ? descriptor : unaligned, at: offset)
            }
        } else {
            try write(vectors, to: descriptor, at: offset)
        }
        if !cache.keepsWrites { try flush() }
    }

    private func write(_ vectors: HostBuffers, to first: Int32, at offset: UInt64) throws(BlockError) {
        var rest = vectors, at = offset
        while !rest.isEmpty {
            // A write may stop anywhere.
            let to = unaligned.map { Self.isAligned(at, rest) ? first : $0 } ?? first
            let count: Int
            do throws(Errno) { count = try HostDisk.write(to, at: at, from: rest) } catch {
                throw failure(error, "writing at \(at)")
            }
            if count == 0 { throw failure(.nospc, "writing at \(at)") }
            rest.drop(count)
            at += UInt64(count)
        }
    }

    public func flush() throws(BlockError) {
        if cache.ignoresFlushes || isReadOnly { return }
        do throws(Errno) { try HostDisk.flush(descriptor) } catch { throw failure(error, "flushing") }
        observer?(.flush)
    }

    public func truncate(to size: UInt64) throws(BlockError) {
        do throws(Errno) { try HostDisk.truncate(descriptor, to: size) } catch {
            throw failure(error, "resizing to \(size) bytes")
        }
    }

    /// Makes bytes 0 without sending them; the file does not get longer. False: the file cannot.
    public func zero(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) -> Bool {
        observer?(.zero(offset: offset, count: count))
        do throws(Errno) {
            return try HostDisk.zero(descriptor, at: offset, count: count, unmaps: mayUnmap)
        } catch { throw failure(error, "zeroing at \(offset)") }
    }

    /// The run of bytes from an offset on that is data, or a hole. Nil: the file cannot say.
    public func run(at offset: UInt64) -> (count: UInt64, isHole: Bool)? { HostDisk.run(descriptor, at: offset) }
}
