// The translation cache's records: one row of raw memory per translation, found by guest pc and flags without a lock, by host
// address with a binary search (also from a signal handler), and by guest page under the lock.
//
// Rows are never moved; they are reused only after a flush, when no vCPU runs generated code.

import CodeGen
import HostOS
import Synchronization

/// One translation.
struct Translation {
    var pc: UInt64
    var flags: UInt64
    /// Host entry address, and host bytes from there.
    var entry: UInt64
    var codeSize: Int
    /// Recovery records.
    var records: UnsafeRawPointer
    var recordBytes: Int
    /// Guest bytes it was made from: [lowest, highest).
    var lowest: UInt64
    var highest: UInt64
    /// Next translation + 1 in the same hash bucket. Read without the lock.
    var nextInBucket: UInt32
    /// First incoming link + 1 in `TranslationCache.links`.
    var incoming: UInt32
    /// False once invalidated. Read without the lock.
    var isValid: Bool
    var isOptimized: Bool
    /// The execution counter that its code uses.
    var counter: UInt16
    /// Behind its records: `GuestRange` each, then as many guest bytes as are kept of them.
    var rangeCount: UInt16
    var codeBytes: UInt32
    /// Row of the store that it comes from, + 1; 0 = made by this process.
    var stored: UInt32
}

/// Guest bytes [start, end) that a translation was made from.
struct GuestRange {
    var start: UInt64
    var end: UInt64
}

/// A chained jump: slot of a translation.
struct Link {
    var source: UInt32
    var slot: UInt32
    /// Next link + 1 to the same target.
    var next: UInt32
}

@inline(__always)
func atomic(_ p: UnsafeMutablePointer<UInt32>) -> UnsafePointer<Atomic<UInt32>> {
    UnsafeRawPointer(p).assumingMemoryBound(to: Atomic<UInt32>.self)
}

/// All translations of one engine. Everything is guarded by the engine's translation lock except where said.
final class TranslationCache: @unchecked Sendable {
    static let capacity = 1 << 20
    private static let bucketBits = 16

    /// Rows; `count` of them in use. Read without the lock through `find` and `containing`.
    let rows: UnsafeMutablePointer<Translation>
    private let published: UnsafeMutablePointer<UInt32>
    private let buckets: UnsafeMutablePointer<UInt32>
    /// By translation: what the host needs to link slots.
    var compiled: [CompiledRegion] = []
    private(set) var links: [Link] = []
    /// Guest page -> translations on it.
    private(set) var pages = PageIndex()
    /// Records of all translations since the last flush.
    private let recordArena: UnsafeMutableRawPointer
    private let recordCapacity: Int
    private var recordUsed = 0

    static let pageBits: UInt64 = 12

    init(recordCapacity: Int) throws(Errno) {
        rows = try HostMemory.reserve(Self.capacity * MemoryLayout<Translation>.stride)
            .bindMemory(to: Translation.self, capacity: Self.capacity)
        buckets = try HostMemory.reserve(4 << Self.bucketBits).bindMemory(
            to: UInt32.self, capacity: 1 << Self.bucketBits)
        published = .allocate(capacity: 1)
        published.initialize(to: 0)
        recordArena = try HostMemory.reserve(recordCapacity)
        self.recordCapacity = recordCapacity
    }

    var count: Int { Int(atomic(published).pointee.load(ordering: .acquiring)) }

    @inline(__always)
    private static func bucket(_ pc: UInt64, _ flags: UInt64) -> Int {
        let key = (pc &>> 1) ^ (flags &* 0x9E37_79B9)
        return Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) &>> UInt64(64 - bucketBits))
    }

    /// The valid translation of `pc` for `flags`; no lock needed.
    func find(_ pc: UInt64, _ flags: UInt64) -> Int? {
        var at = atomic(buckets + Self.bucket(pc, flags)).pointee.load(ordering: .acquiring)
        while at != 0 {
            let row = rows + Int(at &- 1)
            if row.pointee.pc == pc, row.pointee.flags == flags, row.pointee.isValid { return Int(at &- 1) }
            at = row.pointee.nextInBucket
        }
        return nil
    }

    /// The translation whose host code contains `address`, valid or not; no lock needed, async-signal-safe.
    func containing(_ address: UInt64) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            if rows[middle].entry <= address { low = middle &+ 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let row = rows + (low &- 1)
        return address &- row.pointee.entry <= UInt64(row.pointee.codeSize) ? low &- 1 : nil
    }

    /// Index that the next `add` will use; nil when the table is full.
    var nextIndex: Int? { count < Self.capacity && recordUsed < recordCapacity / 16 * 15 ? count : nil }

    /// Adds a translation. `isFindable` false: for one use, known only by host address. `code`: the bytes of the ranges, where a
    /// later run may want to compare them. `stored`: row of the store that it comes from.
    func add(
        pc: UInt64, flags: UInt64, _ region: CompiledRegion, ranges: UnsafeBufferPointer<GuestRange>,
        code: UnsafeRawBufferPointer? = nil, counter: Int, isOptimized: Bool, isFindable: Bool, stored: Int? = nil
    ) -> Int? {
        let index = count
        let records = recordArena + recordUsed
        let rangesAt = Self.aligned(region.records.count)
        let codeAt = rangesAt + ranges.count * MemoryLayout<GuestRange>.stride
        let size = Self.aligned(codeAt + (code?.count ?? 0))
        guard recordUsed + size <= recordCapacity else { return nil }
        recordUsed += size
        if let base = region.records.baseAddress { records.copyMemory(from: base, byteCount: region.records.count) }
        if let base = ranges.baseAddress {
            (records + rangesAt).copyMemory(from: base, byteCount: codeAt - rangesAt)
        }
        if let code, let base = code.baseAddress { (records + codeAt).copyMemory(from: base, byteCount: code.count) }
        var lowest = pc
        var highest = pc
        for range in ranges {
            lowest = min(lowest, range.start)
            highest = max(highest, range.end)
        }
        rows[index] = Translation(
            pc: pc, flags: flags, entry: region.entry, codeSize: region.codeSize, records: UnsafeRawPointer(records),
            recordBytes: region.records.count, lowest: lowest, highest: highest, nextInBucket: 0, incoming: 0,
            isValid: true, isOptimized: isOptimized, counter: UInt16(truncatingIfNeeded: counter),
            rangeCount: UInt16(truncatingIfNeeded: ranges.count),
            codeBytes: UInt32(truncatingIfNeeded: code?.count ?? 0),
            stored: stored.map { UInt32(truncatingIfNeeded: $0 + 1) } ?? 0)
        var kept = region
        kept.records = UnsafeRawBufferPointer(start: records, count: region.records.count)
        compiled.append(kept)
        atomic(published).pointee.store(UInt32(index + 1), ordering: .releasing)
        if isFindable {
            let bucket = buckets + Self.bucket(pc, flags)
            rows[index].nextInBucket = bucket.pointee
            atomic(bucket).pointee.store(UInt32(index + 1), ordering: .releasing)
            for range in ranges where range.end > range.start {
                var page = range.start >> Self.pageBits
                while page <= (range.end &- 1) >> Self.pageBits {
                    pages.add(index, page: page)
                    page += 1
                }
            }
        }
        return index
    }

    /// Takes back the newest translation, one that nothing finds or links to. Nil when it is not the newest.
    func removeLast(_ index: Int) -> CompiledRegion? {
        guard index + 1 == count else { return nil }
        atomic(published).pointee.store(UInt32(index), ordering: .releasing)
        recordUsed = rows[index].records - UnsafeRawPointer(recordArena)
        return compiled.removeLast()
    }

    /// What lies in the record arena starts at multiples of 8.
    private static func aligned(_ size: Int) -> Int { (size + 7) & ~7 }

    /// The guest bytes that a translation was made from: where they lie, and themselves where they were kept.
    func ranges(of index: Int) -> UnsafeBufferPointer<GuestRange> {
        let row = rows[index]
        let start = (row.records + Self.aligned(row.recordBytes)).assumingMemoryBound(to: GuestRange.self)
        return UnsafeBufferPointer(start: start, count: Int(row.rangeCount))
    }
    func code(of index: Int) -> UnsafeRawBufferPointer {
        let ranges = ranges(of: index)
        return UnsafeRawBufferPointer(
            start: ranges.baseAddress.map { $0 + ranges.count }, count: Int(rows[index].codeBytes))
    }

    /// Notes that `slot` of `source` now jumps to `target`.
    func addLink(source: Int, slot: Int, target: Int) {
        links.append(Link(source: UInt32(source), slot: UInt32(slot), next: rows[target].incoming))
        rows[target].incoming = UInt32(links.count)
    }

    /// Takes `index` out of look-up. The caller unlinks `incoming`.
    func remove(_ index: Int) {
        rows[index].isValid = false
        var at = buckets + Self.bucket(rows[index].pc, rows[index].flags)
        while at.pointee != 0 {
            if at.pointee == UInt32(index + 1) {
                atomic(at).pointee.store(rows[index].nextInBucket, ordering: .releasing)
                return
            }
            let row = rows + Int(at.pointee - 1)
            at = UnsafeMutableRawPointer(row).advanced(by: MemoryLayout<Translation>.offset(of: \.nextInBucket)!)
                .assumingMemoryBound(to: UInt32.self)
        }
    }

    /// Translations that overlap [start, start + length).
    func overlapping(_ start: UInt64, _ length: UInt64) -> [Int] {
        guard length > 0 else { return [] }
        let end = start &+ (length &- 1)
        let first = start >> Self.pageBits
        let last = end >> Self.pageBits
        var found: [Int] = []
        for page in touchedPages(first, last) {
            pages.forEach(page: page) { t in
                let row = rows + t
                if row.pointee.isValid, row.pointee.lowest <= end, row.pointee.highest > start, found.last != t {
                    found.append(t)
                }
            }
        }
        return found
    }

    /// Forgets which translations are on pages of [start, start + length) once they are all dead.
    func forgetPages(_ start: UInt64, _ length: UInt64) {
        guard length > 0 else { return }
        let first = start >> Self.pageBits
        let last = (start &+ (length &- 1)) >> Self.pageBits
        for page in touchedPages(first, last) {
            var isAlive = false
            pages.forEach(page: page) { if rows[$0].isValid { isAlive = true } }
            if !isAlive { pages.clear(page: page) }
        }
    }

    /// Pages of first...last that may hold translations; a huge range is cut down to the pages that do.
    private func touchedPages(_ first: UInt64, _ last: UInt64) -> [UInt64] {
        last - first < UInt64(pages.pageCount) + 16
            ? Array(first...last) : pages.pages.filter { $0 >= first && $0 <= last }
    }

    /// Forgets everything. No vCPU may be in generated code.
    func flush() {
        atomic(published).pointee.store(0, ordering: .releasing)
        buckets.update(repeating: 0, count: 1 << Self.bucketBits)
        compiled.removeAll(keepingCapacity: true)
        links.removeAll(keepingCapacity: true)
        pages.removeAll()
        recordUsed = 0
    }
}
