// How an ABI has numbers in memory: the bytes of a long and of a pointer, and the order of every number's bytes. Registers
// have no byte order; neither do numbers of one byte, strings, and socket addresses and ports, which have the network's.

/// Order of the bytes of a number in memory.
public enum ByteOrder: Sendable, BitwiseCopyable { case little, big }

extension ByteOrder {
    /// A number as the host has it from one as memory in this order has it, or back.
    @inlinable @inline(__always)
    public func swapping<N: FixedWidthInteger>(_ value: N) -> N {
        self == .little ? N(littleEndian: value) : N(bigEndian: value)
    }
}

/// The words of one ABI.
public struct Words: BitwiseCopyable, Sendable, Equatable {
    /// Bytes of a long and of a pointer: 4 or 8.
    public let size: Int
    public let order: ByteOrder

    @inlinable public init(size: Int, order: ByteOrder) {
        self.size = size
        self.order = order
    }

    /// They are the host's: its pointers and longs can be read where they are.
    @inlinable public var areHosts: Bool { size == MemoryLayout<Int>.size && order.swapping(UInt16(1)) == 1 }

    /// The largest word.
    @inlinable public var mask: UInt64 { size == 8 ? .max : UInt64(UInt32.max) }

    /// A word with its sign, as 64 bits.
    @inlinable public func signed(_ value: UInt64) -> Int64 {
        size == 8 ? Int64(bitPattern: value) : Int64(Int32(truncatingIfNeeded: value))
    }

    /// A word, extended with zeros.
    @inlinable public func loadWord(_ base: UnsafeRawPointer, at offset: Int = 0) -> UInt64 {
        size == 8 ? load(base, at: offset, as: UInt64.self) : UInt64(load(base, at: offset, as: UInt32.self))
    }

    /// Stores a word, cut to its size.
    @inlinable public func storeWord(_ value: UInt64, _ base: UnsafeMutableRawPointer, at offset: Int = 0) {
        if size == 8 {
            store(value, base, at: offset, as: UInt64.self)
        } else {
            store(UInt32(truncatingIfNeeded: value), base, at: offset, as: UInt32.self)
        }
    }

    @inlinable public func load<N: FixedWidthInteger & BitwiseCopyable>(
        _ base: UnsafeRawPointer, at offset: Int = 0, as type: N.Type
    ) -> N { order.swapping(base.loadUnaligned(fromByteOffset: offset, as: N.self)) }

    @inlinable public func store<N: FixedWidthInteger & BitwiseCopyable>(
        _ value: N, _ base: UnsafeMutableRawPointer, at offset: Int = 0, as type: N.Type = N.self
    ) { base.storeBytes(of: order.swapping(value), toByteOffset: offset, as: N.self) }

    /// Words, one after the other.
    public func bytes(_ values: [UInt64]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: values.count * size)
        for (index, value) in values.enumerated() { storeWord(value, &bytes, at: index * size) }
        return bytes
    }

    /// A set of 64 signals: words of the ABI, the lowest signals in the first.
    @inlinable public func loadSignals(_ base: UnsafeRawPointer, at offset: Int = 0) -> UInt64 {
        if size == 8 { return load(base, at: offset, as: UInt64.self) }
        return UInt64(load(base, at: offset, as: UInt32.self)) | UInt64(load(base, at: offset + 4, as: UInt32.self))
            << 32
    }

    @inlinable public func storeSignals(_ set: UInt64, _ base: UnsafeMutableRawPointer, at offset: Int = 0) {
        if size == 8 { return store(set, base, at: offset, as: UInt64.self) }
        store(UInt32(truncatingIfNeeded: set), base, at: offset, as: UInt32.self)
        store(UInt32(truncatingIfNeeded: set >> 32), base, at: offset + 4, as: UInt32.self)
    }
}

extension LinuxTable {
    public var words: Words { Words(size: word, order: order) }
}
