// How the interpreter reaches guest memory. A guest access may fault on the host, and no Swift function can be left
// from a signal handler: so accesses are made by four C functions that the embedder gives, which report a fault as
// failure.

import CodeGen
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
            result.pointee = HostWord.load(p, UInt8(truncatingIfNeeded: log2Size))
            return 0
        },
        store: { address, log2Size, value in
            guard let p = pointer(address) else { return segmentationViolation }
            HostWord.store(p, UInt8(truncatingIfNeeded: log2Size), value)
            return 0
        },
        compareExchange: { address, log2Size, expected, desired, seen in
            guard let p = pointer(address) else { return segmentationViolation }
            seen.pointee = HostWord.exchange(p, UInt8(truncatingIfNeeded: log2Size), expected, desired)
            return 0
        },
        compareExchangePair: { address, operands in
            guard let p = pointer(address) else { return segmentationViolation }
            HostWord.exchangePair(p, operands)
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
