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

public final class BlockFile: @unchecked Sendable {
    public let path: String
    public let isReadOnly: Bool
    public let cache: CacheMode
    private let file: DiskFile

    public init(_ path: String, isReadOnly: Bool, cache: CacheMode = CacheMode()) throws(BlockError) {
        self.path = path
        self.isReadOnly = isReadOnly
        self.cache = cache
        do throws(Errno) { file = try DiskFile(path, isReadOnly: isReadOnly, isDirect: cache.isDirect) } catch {
            let isDirectRefused = error == .inval && cache.isDirect
            throw BlockError(
                error,
                "\(path): \(isDirectRefused ? "its file system has no direct access: wanted another cache mode" : error.message)"
            )
        }
    }

    deinit { file.close() }

    func failure(_ errno: Errno, _ what: String) -> BlockError {
        BlockError(errno, "\(path): \(what): \(errno.message)")
    }

    private func named<R>(_ what: @autoclosure () -> String, _ body: () throws(Errno) -> R) throws(BlockError) -> R {
        do throws(Errno) { return try body() } catch { throw failure(error, what()) }
    }

    /// Bytes: of a file its length, of a device its capacity.
    public func size() throws(BlockError) -> UInt64 {
        try named("its size") { () throws(Errno) in try file.size() }
    }

    /// Reads all of the buffers; behind the end of the file there are zeros.
    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        try named("reading at \(offset)") { () throws(Errno) in try file.read(at: offset, into: buffers) }
    }

    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        try named("writing at \(offset)") { () throws(Errno) in try file.write(at: offset, from: buffers) }
        if !cache.keepsWrites { try flush() }
    }

    public func flush() throws(BlockError) {
        if cache.ignoresFlushes || isReadOnly { return }
        try named("flushing") { () throws(Errno) in try file.synchronize() }
    }

    public func truncate(to size: UInt64) throws(BlockError) {
        try named("resizing to \(size) bytes") { () throws(Errno) in try file.truncate(to: size) }
    }

    /// Makes bytes 0 without sending them. `isHole`: they take no place after that. False: the file cannot.
    func zero(at offset: UInt64, count: UInt64, isHole: Bool) throws(BlockError) -> Bool {
        try named("zeroing at \(offset)") { () throws(Errno) in
            try file.zero(at: offset, count: count, isHole: isHole)
        }
    }

    /// The run of bytes from an offset on that is data, or a hole. Nil: the file cannot say.
    func run(at offset: UInt64) -> (count: UInt64, isHole: Bool)? { file.run(at: offset) }
}
