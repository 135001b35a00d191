// From place, guest pc and mode to a translation: a hash table with chains through the rows, read without a lock.

import GuestMemory
import HostOS
import Synchronization

/// A handle on the table. Plain data: a vCPU keeps a copy.
struct TranslationLookup: @unchecked Sendable {
    /// Buckets are in groups, one for several guest pages: what is near in the guest's code is near in the table.
    private static let groupBits: UInt64 = 10
    private static let firstBits: UInt64 = 13
    private static let lastBits: UInt64 = 20
    /// Code this near is in one group.
    private static let nearBits: UInt64 = 12

    let rows: UnsafeMutablePointer<Translation>
    /// Newest translation + 1, 0 = none; room for the largest table. Written under the translation lock.
    private let buckets: UnsafeMutablePointer<UInt32>
    /// log2 of the number of buckets. A reader that sees another number than the buckets are for finds nothing, and asks
    /// again under the lock.
    private let bits: UnsafeMutablePointer<UInt32>

    /// `TranslationCache.otherPages`.
    private let otherPages: UnsafeMutablePointer<SeenPage>

    init(
        _ rows: UnsafeMutablePointer<Translation>, _ otherPages: UnsafeMutablePointer<SeenPage>
    ) throws(Errno) {
        self.rows = rows
        self.otherPages = otherPages
        let capacity = 1 << Int(Self.lastBits)
        buckets = try HostMemory.reserve(4 * capacity).bindMemory(to: UInt32.self, capacity: capacity)
        bits = .allocate(capacity: 1)
        bits.initialize(to: UInt32(Self.firstBits))
    }

    @inline(__always)
    func bucket(_ key: CodeKey) -> UnsafeMutablePointer<UInt32> {
        let count = UInt64(atomic(bits).pointee.load(ordering: .relaxed))
        let apart = (key.pc &>> Self.nearBits) ^ (key.mode &<< 32) ^ (key.place.rawValue &<< 20)
        let mixed = apart &* 0x9E37_79B9_7F4A_7C15
        let group = mixed &>> (64 &- count &+ Self.groupBits)
        // Blocks that follow each other are rarely less than four bytes apart.
        let inGroup = (key.pc &>> 2) & ((1 &<< Self.groupBits) &- 1)
        return buckets + Int(truncatingIfNeeded: (group &<< Self.groupBits) | inGroup)
    }

    @inline(__always) subscript(_ id: TranslationID) -> Translation { rows[id.row] }

    /// The valid translation of a key.
    @inline(__always)
    func find(_ key: CodeKey) -> TranslationID? {
        var at = atomic(bucket(key)).pointee.load(ordering: .acquiring)
        while at != 0 {
            let row = rows + Int(at &- 1)
            if row.pointee.key == key, row.pointee.isValid { return TranslationID(at &- 1) }
            at = row.pointee.nextInBucket
        }
        return nil
    }

    /// The best valid translation of a key whose pages are all seen in `view` where they lay when it was made; without a view, wherever
    /// that is.
    func find(_ key: CodeKey, in view: CodeView?) -> TranslationID? {
        var at = atomic(bucket(key)).pointee.load(ordering: .acquiring)
        var found: TranslationID?
        var best = -1
        while at != 0 {
            let row = rows + Int(at &- 1)
            if row.pointee.key == key, row.pointee.isValid, row.pointee.rank > best,
                view.map({ isSeen(row, in: $0) }) ?? true
            {
                found = TranslationID(at &- 1)
                best = row.pointee.rank
            }
            at = row.pointee.nextInBucket
        }
        return found
    }

    /// Are the pages of a translation, but for that of its pc, seen where they lay?
    func isSeen(_ id: TranslationID, in view: CodeView) -> Bool { isSeen(rows + id.row, in: view) }

    private func isSeen(_ row: UnsafeMutablePointer<Translation>, in view: CodeView) -> Bool {
        let first = otherPages + Int(row.pointee.firstPage)
        for i in 0..<Int(row.pointee.pageCount) where view.wholePlace(of: first[i].page) != first[i].place {
            return false
        }
        return true
    }

    /// Enters a translation that is in no chain at the head of its chain.
    func insert(_ id: TranslationID) {
        let bucket = bucket(rows[id.row].key)
        rows[id.row].nextInBucket = bucket.pointee
        atomic(bucket).pointee.store(UInt32(id.row + 1), ordering: .releasing)
    }

    /// Makes room for the `count` translations there are. Chains are built anew from the oldest translation on: readers, which go on
    /// from what they have reached, come to ever older ones then, and to an end.
    func grow(count: Int) {
        let old = bits.pointee
        guard count > 1 << (Int(old) - 1), UInt64(old) < Self.lastBits else { return }
        atomic(bits).pointee.store(UInt32(min(UInt64(old) + 2, Self.lastBits)), ordering: .relaxed)
        buckets.update(repeating: 0, count: 1 << Int(old))
        for i in 0..<count where rows[i].isValid { insert(TranslationID(i)) }
    }

    func removeAll() {
        buckets.update(repeating: 0, count: 1 << Int(bits.pointee))
        atomic(bits).pointee.store(UInt32(Self.firstBits), ordering: .relaxed)
    }
}
