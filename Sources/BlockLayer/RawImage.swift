// A disk whose bytes are those of a file, or of a device.

import HostOS

public final class RawImage: BlockImage, @unchecked Sendable {
    /// "raw", or "file" where it is what other images lie on.
    public let format: String
    let file: any BlockStorage
    public private(set) var size: UInt64

    public init(_ file: any BlockStorage, format: String = "raw") throws(BlockError) {
        self.file = file
        self.format = format
        size = try file.size()
    }

    public var isReadOnly: Bool { file.isReadOnly }

    private func check(_ offset: UInt64, _ count: UInt64, writes: Bool) throws(BlockError) {
        if writes, isReadOnly { throw file.failure(.rofs, "writing") }
        if offset > size || count > size - offset { throw file.failure(.inval, "\(count) bytes at \(offset)") }
    }

    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        try check(offset, UInt64(buffers.reduce(0) { $0 + $1.count }), writes: false)
        try file.read(at: offset, into: buffers)
    }

    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        try check(offset, UInt64(buffers.reduce(0) { $0 + $1.count }), writes: true)
        try file.write(at: offset, from: buffers)
    }

    public func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try check(offset, count, writes: true)
        try file.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
    }

    public func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        try check(offset, count, writes: true)
        if count > 0 { _ = try file.zero(at: offset, count: count, mayUnmap: true) }
    }

    public func flush() throws(BlockError) { try file.flush() }

    public func resize(to size: UInt64) throws(BlockError) {
        try check(0, 0, writes: true)
        try file.truncate(to: size)
        self.size = size
    }

    public func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        try check(offset, count, writes: false)
        guard let run = file.run(at: offset) else {
            return BlockExtent(count: count, isZero: false, isAllocated: true, fileOffset: offset)
        }
        return BlockExtent(
            count: min(run.count, count), isZero: run.isHole, isAllocated: true, fileOffset: offset)
    }

    public func reopen(isReadOnly: Bool) throws(BlockError) { try file.reopen(isReadOnly: isReadOnly) }

    public func lift(_ isLifted: Bool) { file.lift(isLifted) }
    public func abort() { file.abort() }

    public func close() throws(BlockError) {
        defer { file.unlock() }
        try flush()
    }
}
