// A guest access as one of the host's, to memory that is there.

import CodeGen
import IR
import Synchronization

enum HostAccess {
    /// Makes an access at `host`, within a page. Atomic accesses are sequentially consistent and aligned; loads and stores are single-copy
    /// atomic where they are aligned.
    static func make(_ access: inout SlowAccess, _ host: UnsafeMutableRawPointer) {
        let m = access.memOp
        switch access.kind {
        case .load: access.result = m.extended(m.ordered(load(host, m.log2Size)))
        case .store: store(host, m.log2Size, m.ordered(access.value))
        case .readModifyWrite:
            var old = load(host, m.log2Size)
            while true {
                let new = m.ordered(access.atomicOp.apply(m.ordered(old), access.value, m))
                let seen = exchange(host, m.log2Size, old, new)
                if seen == old { break }
                old = seen
            }
            access.result = m.extended(m.ordered(old))
        case .compareAndSwap:
            let seen = exchange(host, m.log2Size, m.ordered(access.expected), m.ordered(access.value))
            access.result = m.extended(m.ordered(seen))
        case .compareAndSwapPair:
            guard let pair = access.pair else { return }
            let words = pair.assumingMemoryBound(to: UInt.self)
            let old = pointer(host, WordPair.self).pointee.compareExchange(
                expected: WordPair(first: words[0], second: words[1]),
                desired: WordPair(first: words[2], second: words[3]), ordering: .sequentiallyConsistent
            ).original
            words[0] = old.first
            words[1] = old.second
        }
    }

    private static func load(_ p: UnsafeMutableRawPointer, _ log2Size: UInt8) -> UInt64 {
        switch log2Size {
        case 0: UInt64(p.load(as: UInt8.self))
        case 1: UInt64(p.loadUnaligned(as: UInt16.self))
        case 2: UInt64(p.loadUnaligned(as: UInt32.self))
        default: p.loadUnaligned(as: UInt64.self)
        }
    }

    private static func store(_ p: UnsafeMutableRawPointer, _ log2Size: UInt8, _ value: UInt64) {
        switch log2Size {
        case 0: p.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 1: p.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        case 2: p.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        default: p.storeBytes(of: value, as: UInt64.self)
        }
    }

    /// A compare-and-exchange of the low bytes; the old value, zero-extended.
    private static func exchange(
        _ p: UnsafeMutableRawPointer, _ log2Size: UInt8, _ expected: UInt64, _ desired: UInt64
    ) -> UInt64 {
        switch log2Size {
        case 0:
            UInt64(
                pointer(p, UInt8.self).pointee.compareExchange(
                    expected: UInt8(truncatingIfNeeded: expected), desired: UInt8(truncatingIfNeeded: desired),
                    ordering: .sequentiallyConsistent
                ).original)
        case 1:
            UInt64(
                pointer(p, UInt16.self).pointee.compareExchange(
                    expected: UInt16(truncatingIfNeeded: expected), desired: UInt16(truncatingIfNeeded: desired),
                    ordering: .sequentiallyConsistent
                ).original)
        case 2:
            UInt64(
                pointer(p, UInt32.self).pointee.compareExchange(
                    expected: UInt32(truncatingIfNeeded: expected), desired: UInt32(truncatingIfNeeded: desired),
                    ordering: .sequentiallyConsistent
                ).original)
        default:
            pointer(p, UInt64.self).pointee.compareExchange(
                expected: expected, desired: desired, ordering: .sequentiallyConsistent
            ).original
        }
    }

    private static func pointer<T: AtomicRepresentable>(
        _ p: UnsafeMutableRawPointer, _ type: T.Type
    ) -> UnsafePointer<Atomic<T>> { UnsafePointer<Atomic<T>>(OpaquePointer(p)) }
}
