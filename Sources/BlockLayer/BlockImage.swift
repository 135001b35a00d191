// What a disk is to those who read and write it, whatever its format and wherever its bytes are.

import HostOS

/// Bytes of a disk that can be read and written.
///
/// Calls come from any thread, several at a time, and wait until they are done. Whoever must not wait, such as a machine's devices, asks a
/// `BlockBackend`, which has threads for that. Offsets and counts are in bytes, of any alignment: where what lies below wants more, the
/// image reads, changes and writes. A request lies in [0, size); one that does not fails with EINVAL, and changes nothing.
/// Requests that overlap and are under way at the same time may be done in any order, and none changes bytes outside of its own.
public protocol BlockImage: AnyObject, Sendable {
    /// As it is in `info`: "raw", "qcow2".
    var format: String { get }
    /// Bytes. It changes by `resize` alone.
    var size: UInt64 { get }
    var isReadOnly: Bool { get }

    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError)
    /// What it returns from is written, but may be lost when the host loses power before a `flush`.
    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError)
    /// The bytes read as 0 from now on. `mayUnmap`: they need no place in the file.
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError)
    /// The bytes are not needed any more, and read as anything that was there or as 0.
    func discard(at offset: UInt64, count: UInt64) throws(BlockError)
    /// What was written before is on the medium when it returns.
    func flush() throws(BlockError)
    func resize(to size: UInt64) throws(BlockError)
    /// What a run of bytes from `offset` on is: at least 1 byte and at most `count`.
    func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent
    /// What shows from an image below becomes this one's own.
    func copyUp(at offset: UInt64, count: UInt64) throws(BlockError)
    /// Lets an image that can only be read be written, or takes that back. No request is under way.
    func reopen(isReadOnly: Bool) throws(BlockError)
    /// Requests that wait for limits begin at once, those that come too; or wait again.
    func lift(_ isLifted: Bool)
    /// Requests that wait for somebody else fail. Any thread.
    func abort()
    /// Writes what is kept back, and gives up locks. No call comes after it.
    func close() throws(BlockError)
}

extension BlockImage {
    public func copyUp(at offset: UInt64, count: UInt64) throws(BlockError) {}
    public func lift(_ isLifted: Bool) {}
    public func abort() {}

    public func reopen(isReadOnly: Bool) throws(BlockError) {
        if isReadOnly != self.isReadOnly {
            throw BlockError(.opnotsupp, "\(format): what can be done with it cannot be changed while it is open")
        }
    }
}

/// Bytes of an image that are alike.
public struct BlockExtent: Sendable, Equatable {
    public var count: UInt64
    /// They read as 0.
    public var isZero: Bool
    /// The image itself holds them, and not one below.
    public var isAllocated: Bool
    /// Where they are in the file of the image that holds them; nil: nowhere, or not as they are read.
    public var fileOffset: UInt64?
    /// How many backing files lie between the image and the one that holds them.
    public var depth: Int

    public init(count: UInt64, isZero: Bool, isAllocated: Bool, fileOffset: UInt64? = nil, depth: Int = 0) {
        self.count = count
        self.isZero = isZero
        self.isAllocated = isAllocated
        self.fileOffset = fileOffset
        self.depth = depth
    }
}

/// A request that failed, or an image that cannot be opened.
public struct BlockError: Error, Equatable, CustomStringConvertible {
    public let errno: Errno
    /// One line that names the file, for people.
    public let description: String

    public init(_ errno: Errno, _ description: String) {
        self.errno = errno
        self.description = description
    }
}
