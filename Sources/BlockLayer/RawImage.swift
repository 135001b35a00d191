// A disk whose bytes are those of a file or of a device, or a part of them.

import HostOS

public final class RawImage: BlockImage, @unchecked Sendable {
    /// "raw", or "file" where it is what other images lie on.
    public let format: String
    let file: any BlockStorage
    public private(set) var size: UInt64
    /// Where it begins in the file.
    private let start: UInt64
    private let hasFixedSize: Bool

    /// `length`: bytes from `start` on; nil: up to the file's end.
    public init(
        _ file: any BlockStorage, format: String = "raw", start: UInt64 = 0, length: UInt64? = nil
    ) throws(BlockError) {
        self.file = file
        self.format = format
        self.start = start
        hasFixedSize = length != nil
        let all = try file.size()
        guard start <= all, length ?? 0 <= all - start else {
            throw file.failure(
                .inval, "it has \(all) bytes; wanted offset=\(start)\(length.map { " and size=\($0)" } ?? "") within it"
            )
        }
        size = length ?? all - start
    }

    public var isReadOnly: Bool { file.isReadOnly }

    /// For requests without this image; nil: there are none.
    var ringFile: RingFile? {
        var ring = (file as? BlockFile)?.ringFile
        ring?.start = start
        return ring
    }

    private func check(_ offset: UInt64, _ count: UInt64, writes: Bool) throws(BlockError) {
        if writes, isReadOnly { throw file.failure(.rofs, "writing") }
        if offset > size || count > size - offset { throw file.failure(.inval, "\(count) bytes at \(offset)") }
    }

    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        try check(offset, UInt64(buffers.reduce(0) { $0 + $1.count }), writes: false)
        try file.read(at: start + offset, into: buffers)
    }

    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        try check(offset, UInt64(buffers.reduce(0) { $0 + $1.count }), writes: true)
        try file.write(at: start + offset, from: buffers)
    }

    public func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try check(offset, count, writes: true)
        try file.writeZeroes(at: start + offset, count: count, mayUnmap: mayUnmap)
    }

    public func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        try check(offset, count, writes: true)
        if count > 0 { _ = try file.zero(at: start + offset, count: count, mayUnmap: true) }
    }

    public func flush() throws(BlockError) { try file.flush() }

    public func resize(to size: UInt64) throws(BlockError) {
        try check(0, 0, writes: true)
        if hasFixedSize, size != self.size { throw file.failure(.opnotsupp, "size= has fixed its size") }
        try file.truncate(to: start + size)
        self.size = size
    }

    public func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        try check(offset, count, writes: false)
        guard let run = file.run(at: start + offset) else {
            return BlockExtent(count: count, isZero: false, isAllocated: true, fileOffset: start + offset)
        }
        return BlockExtent(
            count: min(run.count, count), isZero: run.isHole, isAllocated: true, fileOffset: start + offset)
    }

    public func reopen(isReadOnly: Bool) throws(BlockError) { try file.reopen(isReadOnly: isReadOnly) }

    public func lift(_ isLifted: Bool) { file.lift(isLifted) }
    public func abort() { file.abort() }

    public func close() throws(BlockError) {
        defer { file.unlock() }
        try flush()
    }
}
