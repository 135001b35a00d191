// From guest pc and flags to a translation: a hash table with chains through the rows, read without a lock.

import HostOS
import Synchronization

/// A handle on the table. Plain data: a vCPU keeps a copy.
struct TranslationLookup: @unchecked Sendable {
    /// Buckets are in groups, one for several guest pages: what is near in the guest's code is near in the table.
    private static let groupBits: UInt64 = 10
    private static let bucketBits: UInt64 = 17
    private static let pageBits: UInt64 = 12

    let rows: UnsafeMutablePointer<Translation>
    /// Newest translation + 1, 0 = none. Written under the translation lock.
    private let buckets: UnsafeMutablePointer<UInt32>

    init(_ rows: UnsafeMutablePointer<Translation>) throws(Errno) {
        self.rows = rows
        let count = 1 << Int(Self.bucketBits)
        buckets = try HostMemory.reserve(4 * count).bindMemory(to: UInt32.self, capacity: count)
    }

    @inline(__always)
    func bucket(_ pc: UInt64, _ flags: UInt64) -> UnsafeMutablePointer<UInt32> {
        let mixed = ((pc &>> Self.pageBits) ^ (flags &<< 32)) &* 0x9E37_79B9_7F4A_7C15
        let group = mixed &>> (64 &- Self.bucketBits &+ Self.groupBits)
        // Blocks that follow each other are rarely less than four bytes apart.
        let inGroup = (pc &>> 2) & ((1 &<< Self.groupBits) &- 1)
        return buckets + Int(truncatingIfNeeded: (group &<< Self.groupBits) | inGroup)
    }

    /// The valid translation of `pc` for `flags`.
    @inline(__always)
    func find(_ pc: UInt64, _ flags: UInt64) -> Int? {
        var at = atomic(bucket(pc, flags)).pointee.load(ordering: .acquiring)
        while at != 0 {
            let row = rows + Int(at &- 1)
            if row.pointee.pc == pc, row.pointee.flags == flags, row.pointee.isValid { return Int(at &- 1) }
            at = row.pointee.nextInBucket
        }
        return nil
    }

    func removeAll() { buckets.update(repeating: 0, count: 1 << Int(Self.bucketBits)) }
}
