// How the interpreter reaches guest memory. A guest access may fault on the host, and no Swift function can be left
// from a signal handler: so accesses are made by four C functions that the embedder gives, which report a fault as
// failure.

import Synchronization

/// Guest memory accesses of 1, 2, 4 or 8 bytes in the host's byte order. Each is single-copy atomic when the address is
/// a multiple of the size. They return 0, or the signal number of the host fault, and have changed nothing then.
public struct GuestAccess: Sendable {
    /// (address, log2 of the size, result): the value, zero-extended.
    public typealias Load = @convention(c) (UInt64, UInt64, UnsafeMutablePointer<UInt64>) -> Int32
    /// (address, log2 of the size, value): the low bytes are stored.
    public typealias Store = @convention(c) (UInt64, UInt64, UInt64) -> Int32
    /// (address, log2 of the size, expected, desired, seen): a sequentially consistent compare-and-exchange of the low
    /// bytes. `seen` gets the old value, zero-extended; the exchange happened if it equals `expected`.
    public typealias CompareExchange =
        @convention(c) (UInt64, UInt64, UInt64, UInt64, UnsafeMutablePointer<UInt64>) -> Int32

    /// (address, operands): a sequentially consistent compare-and-exchange of 16 aligned bytes. `operands` are four words:
    /// the expected pair, low word first, then the desired pair. The old pair is written over the expected one.
    public typealias CompareExchangePair = @convention(c) (UInt64, UnsafeMutableRawPointer) -> Int32

    public let load: Load
    public let store: Store
    public let compareExchange: CompareExchange
    public let compareExchangePair: CompareExchangePair

    public init(
        load: @escaping Load, store: @escaping Store, compareExchange: @escaping CompareExchange,
        compareExchangePair: @escaping CompareExchangePair
    ) {
        self.load = load
        self.store = store
        self.compareExchange = compareExchange
        self.compareExchangePair = compareExchangePair
    }

    /// Plain accesses: a host fault ends the process (only address 0 is caught). For tests and for guests whose memory
    /// is known to be there.
    public static let direct = GuestAccess(
        load: { address, log2Size, result in
            guard let p = pointer(address) else { return segmentationViolation }
            switch log2Size {
            case 0: result.pointee = UInt64(p.load(as: UInt8.self))
            case 1: result.pointee = UInt64(p.loadUnaligned(as: UInt16.self))
            case 2: result.pointee = UInt64(p.loadUnaligned(as: UInt32.self))
            default: result.pointee = p.loadUnaligned(as: UInt64.self)
            }
            return 0
        },
        store: { address, log2Size, value in
            guard let p = pointer(address) else { return segmentationViolation }
            switch log2Size {
            case 0: p.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
            case 1: p.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
            case 2: p.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
            default: p.storeBytes(of: value, as: UInt64.self)
            }
            return 0
        },
        compareExchange: { address, log2Size, expected, desired, seen in
            guard let p = pointer(address) else { return segmentationViolation }
            switch log2Size {
            case 0: seen.pointee = exchange(p, expected, desired, as: UInt8.self)
            case 1: seen.pointee = exchange(p, expected, desired, as: UInt16.self)
            case 2: seen.pointee = exchange(p, expected, desired, as: UInt32.self)
            default: seen.pointee = exchange(p, expected, desired, as: UInt64.self)
            }
            return 0
        },
        compareExchangePair: { address, operands in
            guard let p = pointer(address) else { return segmentationViolation }
            let words = operands.assumingMemoryBound(to: UInt.self)
            let old = atomic(p, as: WordPair.self).pointee.compareExchange(
                expected: WordPair(first: words[0], second: words[1]),
                desired: WordPair(first: words[2], second: words[3]), ordering: .sequentiallyConsistent
            ).original
            words[0] = old.first
            words[1] = old.second
            return 0
        })
}

/// SIGSEGV, the same number on every Linux.
private let segmentationViolation: Int32 = 11

private func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(truncatingIfNeeded: address))
}

/// The memory at `p` as an atomic word. An `Atomic` is its value and nothing more, so any memory of the right size is
/// one.
@inline(__always)
func atomic<T: AtomicRepresentable>(_ p: UnsafeRawPointer, as: T.Type) -> UnsafePointer<Atomic<T>> {
    UnsafePointer<Atomic<T>>(OpaquePointer(p))
}

/// One size of `compareExchange` after another: `Atomic` has no operation that is generic over its value.
private func exchange(_ p: UnsafeRawPointer, _ expected: UInt64, _ desired: UInt64, as type: UInt8.Type) -> UInt64 {
    let (e, d) = (UInt8(truncatingIfNeeded: expected), UInt8(truncatingIfNeeded: desired))
    let result = atomic(p, as: type).pointee.compareExchange(expected: e, desired: d, ordering: .sequentiallyConsistent)
    return UInt64(result.original)
}

private func exchange(_ p: UnsafeRawPointer, _ expected: UInt64, _ desired: UInt64, as type: UInt16.Type) -> UInt64 {
    let (e, d) = (UInt16(truncatingIfNeeded: expected), UInt16(truncatingIfNeeded: desired))
    let result = atomic(p, as: type).pointee.compareExchange(expected: e, desired: d, ordering: .sequentiallyConsistent)
    return UInt64(result.original)
}

private func exchange(_ p: UnsafeRawPointer, _ expected: UInt64, _ desired: UInt64, as type: UInt32.Type) -> UInt64 {
    let (e, d) = (UInt32(truncatingIfNeeded: expected), UInt32(truncatingIfNeeded: desired))
    let result = atomic(p, as: type).pointee.compareExchange(expected: e, desired: d, ordering: .sequentiallyConsistent)
    return UInt64(result.original)
}

private func exchange(_ p: UnsafeRawPointer, _ e: UInt64, _ d: UInt64, as type: UInt64.Type) -> UInt64 {
    atomic(p, as: type).pointee.compareExchange(expected: e, desired: d, ordering: .sequentiallyConsistent).original
}
