// Host memory in words of a size that is known only when they are accessed, in the host's byte order. A host fault ends the process.

import Synchronization

public enum HostWord {
    /// The value of 1, 2, 4 or 8 bytes, zero-extended: `log2Size` 0 to 3. Single-copy atomic where it is aligned, as a store is.
    public static func load(_ p: UnsafeMutableRawPointer, _ log2Size: UInt8) -> UInt64 {
        switch log2Size {
        case 0: UInt64(p.load(as: UInt8.self))
        case 1: UInt64(p.loadUnaligned(as: UInt16.self))
        case 2: UInt64(p.loadUnaligned(as: UInt32.self))
        default: p.loadUnaligned(as: UInt64.self)
        }
    }

    /// Stores the low bytes.
    public static func store(_ p: UnsafeMutableRawPointer, _ log2Size: UInt8, _ value: UInt64) {
        switch log2Size {
        case 0: p.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 1: p.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        case 2: p.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        default: p.storeBytes(of: value, as: UInt64.self)
        }
    }

    /// A sequentially consistent compare-and-exchange of the low bytes; the old value, zero-extended. (`Atomic` has no operation that is
    /// generic over its value.)
    public static func exchange(
        _ p: UnsafeMutableRawPointer, _ log2Size: UInt8, _ expected: UInt64, _ desired: UInt64
    ) -> UInt64 {
        switch log2Size {
        case 0:
            let (e, d) = (UInt8(truncatingIfNeeded: expected), UInt8(truncatingIfNeeded: desired))
            return UInt64(
                pointer(p, UInt8.self).pointee.compareExchange(
                    expected: e, desired: d, ordering: .sequentiallyConsistent
                ).original)
        case 1:
            let (e, d) = (UInt16(truncatingIfNeeded: expected), UInt16(truncatingIfNeeded: desired))
            return UInt64(
                pointer(p, UInt16.self).pointee.compareExchange(
                    expected: e, desired: d, ordering: .sequentiallyConsistent
                ).original)
        case 2:
            let (e, d) = (UInt32(truncatingIfNeeded: expected), UInt32(truncatingIfNeeded: desired))
            return UInt64(
                pointer(p, UInt32.self).pointee.compareExchange(
                    expected: e, desired: d, ordering: .sequentiallyConsistent
                ).original)
        default:
            return pointer(p, UInt64.self).pointee.compareExchange(
                expected: expected, desired: desired, ordering: .sequentiallyConsistent
            ).original
        }
    }

    /// The same with 16 aligned bytes. `operands` are four words: the expected pair, low word first, then the desired pair. The old pair is
    /// written over the expected one.
    public static func exchangePair(_ p: UnsafeMutableRawPointer, _ operands: UnsafeMutableRawPointer) {
        let words = operands.assumingMemoryBound(to: UInt.self)
        let old = pointer(p, WordPair.self).pointee.compareExchange(
            expected: WordPair(first: words[0], second: words[1]),
            desired: WordPair(first: words[2], second: words[3]), ordering: .sequentiallyConsistent
        ).original
        words[0] = old.first
        words[1] = old.second
    }

    /// An `Atomic` is its value and nothing more, so any memory of the right size is one.
    private static func pointer<T: AtomicRepresentable>(
        _ p: UnsafeMutableRawPointer, _ type: T.Type
    ) -> UnsafePointer<Atomic<T>> { UnsafePointer<Atomic<T>>(OpaquePointer(p)) }
}
