// The translation cache's records: one row of raw memory per translation, found by its key without a lock, by host
// address with a binary search (also from a signal handler), and by guest page under the lock.
//
// Rows are never moved; they are reused only after a flush, when no vCPU runs generated code.

import CodeGen
import GuestMemory
import HostOS
import Synchronization

/// One translation, as look-ups and invalidation see it: what the host made of it is in `TranslationCache.compiled`.
struct Translation {
    var key: CodeKey
    /// Host entry address, and host bytes from there.
    var entry: UInt64
    var codeSize: UInt32
    /// In `TranslationCache.otherPages`: the pages it was made from, but for that of its pc.
    var firstPage: UInt32 = 0
    /// Guest bytes it was made from, by location: [lowest, highest).
    var lowest: GuestLocation
    var highest: GuestLocation
    /// Next translation + 1 in the same hash bucket. Read without the lock.
    var nextInBucket: UInt32
    /// First incoming link + 1 in `TranslationCache.links`.
    var incoming: UInt32
    /// In `TranslationCache.sources`; 0 = not kept.
    var source: UInt32
    /// The number of the execution counter that its code uses.
    var counter: UInt16
    var pageCount: UInt8 = 0
    /// How many bytes before `entry` it is entered by the pc (`CompiledRegion.movingEntry`); 0: there.
    var distanceByPC: UInt8
    /// Can be found: not when it is for one use, and not once it is invalidated. Read without the lock.
    var isValid: Bool
    var isOptimized: Bool
    /// An optimized region that would be larger if calls were followed further.
    var canGrow: Bool

    /// Where it is entered by the pc.
    var entryByPC: UInt64 { entry &- UInt64(distanceByPC) }

    /// Of several for one key, the one with the highest is the best: a region, one of more pages, one that has followed its calls.
    var rank: Int { isOptimized ? 2 &+ 2 &* Int(pageCount) &+ (canGrow ? 0 : 1) : 0 }
}

/// The number of a translation: its row. It means something until the next flush (`Engine.generation`).
struct TranslationID: Hashable, BitwiseCopyable, Sendable {
    let row: Int

    @inline(__always) init(_ row: Int) { self.row = row }
    @inline(__always) init(_ row: UInt32) { self.row = Int(row) }
}

/// What else the host made of a translation, as `CompiledRegion` has it.
private struct CompiledParts {
    var firstSlot: UInt32
    var firstRelocation: UInt32
    var relocationCount: UInt32
    /// In the arena of records.
    var firstRecord: UInt32
    var recordBytes: UInt32
    var slotCount: UInt16
}

/// Where links from other pages lead, to code that has places: what the host has made for them (`HostBackEnd.guardedEntry`); 0: nothing yet.
struct GuardedEntries {
    var links: UInt64 = 0
    /// The same for returns, of relative code.
    var returns: UInt64 = 0
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
    static let largest = 1 << 20
    /// How many translations there may be.
    let capacity: Int

    /// So many translations that the code cache is full before the tables are.
    static func capacity(forCode bytes: Int) -> Int { min(max(bytes / 64, 1 << 15), largest) }

    /// Rows; `count` of them in use. Read without the lock through `find` and `containing`.
    let rows: UnsafeMutablePointer<Translation>
    private let published: UnsafeMutablePointer<UInt32>
    /// Finds rows by key.
    let lookup: TranslationLookup
    /// By translation: what the host needs to link slots, and the recovery records. Read without the lock like `rows`.
    private var compiled: ReservedTable<CompiledParts>
    /// By translation, where memory has places.
    private let guarded: UnsafeMutablePointer<GuardedEntries>?
    private(set) var links: ReservedTable<Link>
    /// Pages that translations were made from, besides those of their pcs. Read without the lock like `rows`.
    private(set) var otherPages: ReservedTable<SeenPage>
    /// Guest page -> translations on it.
    private(set) var pages: PageIndex
    /// Records of all translations since the last flush.
    private let recordArena: UnsafeMutableRawPointer
    private let recordCapacity: Int
    private var recordUsed = 0
    /// What translations were made from: for the store, and to know them again (`Dormant.swift`).
    private(set) var sources: SourceTable
    /// Translations that a change of their pages took out of use, by key: the newest of each.
    var dormant: [CodeKey: TranslationID] = [:]
    /// Translations that a change of their pages took out of use and nothing has taken into use again.
    var deadCount = 0
    private var rowPages: LargePages
    private var recordPages: LargePages
    /// Starts of the blocks of optimized regions.
    let regionBlocks = RegionBlocks()

    /// Where relative code is made; nil: none is.
    let pageAddresses: PageAddresses?
    /// log2 of the bytes of a guest page.
    let pageBits: UInt64
    /// Bytes of a page, where memory has places; 0 elsewhere.
    private let placeSize: UInt64

    init(
        recordCapacity: Int, capacity: Int = TranslationCache.largest, pageSize: UInt64, hasPlaces: Bool = false,
        isRelative: Bool = false
    ) throws(Errno) {
        placeSize = hasPlaces ? pageSize : 0
        pageBits = UInt64(pageSize.trailingZeroBitCount)
        pageAddresses = isRelative ? try PageAddresses(pageSize: pageSize) : nil
        self.capacity = capacity
        rows = try HostMemory.reserve(capacity * MemoryLayout<Translation>.stride)
            .bindMemory(to: Translation.self, capacity: capacity)
        otherPages = try ReservedTable(capacity: capacity)
        lookup = try TranslationLookup(rows, otherPages.rows)
        compiled = try ReservedTable(capacity: capacity)
        guarded =
            hasPlaces
            ? try HostMemory.reserve(capacity * MemoryLayout<GuardedEntries>.stride)
                .bindMemory(to: GuardedEntries.self, capacity: capacity) : nil
        links = try ReservedTable(capacity: capacity * 4)
        pages = try PageIndex(nodeCapacity: capacity * 4)
        published = .allocate(capacity: 1)
        published.initialize(to: 0)
        rowPages = LargePages(
            UnsafeMutableRawPointer(rows), size: capacity * MemoryLayout<Translation>.stride)
        recordArena = try HostMemory.reserve(recordCapacity)
        recordPages = LargePages(recordArena, size: recordCapacity)
        self.recordCapacity = recordCapacity
        sources = try SourceTable(capacity: recordCapacity)
    }

    var count: Int { Int(atomic(published).pointee.load(ordering: .acquiring)) }

    @inline(__always)
    subscript(_ id: TranslationID) -> Translation {
        get { rows[id.row] }
        _modify { yield &rows[id.row] }
    }

    /// What the host made of a translation.
    func code(of id: TranslationID) -> CompiledRegion { region(rows[id.row], compiled[id.row]) }

    private func region(_ row: Translation, _ parts: CompiledParts) -> CompiledRegion {
        CompiledRegion(
            entry: row.entry, movingEntry: row.distanceByPC != 0 ? row.entryByPC : 0, codeSize: Int(row.codeSize),
            firstSlot: Int(parts.firstSlot), slotCount: Int(parts.slotCount),
            firstRelocation: Int(parts.firstRelocation), relocationCount: Int(parts.relocationCount),
            records: UnsafeRawBufferPointer(
                start: recordArena + Int(parts.firstRecord), count: Int(parts.recordBytes)))
    }

    /// Where links from other pages to a translation lead, in memory that has places.
    func guardedEntries(of id: TranslationID) -> GuardedEntries { guarded?[id.row] ?? GuardedEntries() }
    func setGuardedEntries(of id: TranslationID, _ entries: GuardedEntries) { guarded?[id.row] = entries }

    /// The valid translation of a key; no lock needed. Where memory has places, one of several.
    func find(_ key: CodeKey) -> TranslationID? { lookup.find(key) }

    /// The best one for what is seen in `view`; nil: in any.
    func find(_ key: CodeKey, in view: CodeView?) -> TranslationID? { lookup.find(key, in: view) }

    /// The pages that a translation was made from.
    func pages(of id: TranslationID) -> SeenPages {
        let row = rows[id.row]
        var pages = SeenPages(row.key, size: placeSize)
        for i in 0..<Int(row.pageCount) {
            let other = otherPages[Int(row.firstPage) + i]
            pages.add(other.page, other.place)
        }
        return pages
    }

    /// The translation whose host code contains `address`, valid or not; no lock needed, async-signal-safe.
    func containing(_ address: UInt64) -> TranslationID? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            if rows[middle].entry <= address { low = middle &+ 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let row = rows + (low &- 1)
        return address &- row.pointee.entry <= UInt64(row.pointee.codeSize) ? TranslationID(low &- 1) : nil
    }

    /// The number that the next `add` will use; nil when a table is full.
    var next: TranslationID? {
        count < capacity && recordUsed < recordCapacity / 16 * 15 && links.count < links.capacity && pages.hasRoom
            && otherPages.count + SeenPages.limit <= otherPages.capacity
            ? TranslationID(count) : nil
    }

    /// Nearly all translations are dead, as those of a compiler that maps, runs and unmaps code at ever new places: a flush then costs
    /// little, and without it they would fill the whole cache first.
    var isMostlyDead: Bool { deadCount > Self.deadLimit && deadCount > count / 8 * 7 }
    private static let deadLimit = 16384

    /// Adds a translation, as number `next`; nil when there is no room for its records.
    func add(_ made: MadeRegion, _ region: CompiledRegion, counter: Int) -> TranslationID? {
        let index = count
        guard recordUsed + region.records.count <= recordCapacity else { return nil }
        let firstRecord = recordUsed
        if let base = region.records.baseAddress {
            (recordArena + firstRecord).copyMemory(from: base, byteCount: region.records.count)
            recordUsed += region.records.count
            recordPages.grow(to: recordUsed)
        }
        rowPages.grow(to: (index + 1) * MemoryLayout<Translation>.stride)
        let source = made.code.map { sources.add(made.ranges, $0) } ?? 0
        var lowest = made.key.location
        var highest = made.key.location
        for range in made.ranges {
            lowest = min(lowest, range.start)
            highest = max(highest, range.end)
        }
        let firstPage = UInt32(otherPages.count)
        if made.isFindable { for i in 1..<max(made.pages.count, 1) { otherPages.append(made.pages[i]) } }
        rows[index] = Translation(
            key: made.key, entry: region.entry, codeSize: UInt32(region.codeSize), firstPage: firstPage, lowest: lowest,
            highest: highest, nextInBucket: 0, incoming: 0, source: source,
            counter: UInt16(truncatingIfNeeded: counter),
            pageCount: UInt8(otherPages.count - Int(firstPage)),
            distanceByPC: region.movingEntry != 0 ? UInt8(region.entry &- region.movingEntry) : 0,
            isValid: made.isFindable, isOptimized: made.isOptimized, canGrow: made.canGrow)
        compiled.append(
            CompiledParts(
                firstSlot: UInt32(region.firstSlot), firstRelocation: UInt32(region.firstRelocation),
                relocationCount: UInt32(region.relocationCount), firstRecord: UInt32(firstRecord),
                recordBytes: UInt32(region.records.count), slotCount: UInt16(region.slotCount)))
        guarded?[index] = GuardedEntries()
        if made.isOptimized {
            for range in made.ranges { regionBlocks.insert(made.pages.address(of: range.start)) }
        }
        atomic(published).pointee.store(UInt32(index + 1), ordering: .releasing)
        if made.isFindable {
            lookup.insert(TranslationID(index))
            lookup.grow(count: index + 1)
            note(index, on: made.ranges)
        }
        return TranslationID(index)
    }

    private func note(_ index: Int, on ranges: UnsafeBufferPointer<GuestRange>) {
        for range in ranges where range.end > range.start {
            var page = range.start.rawValue >> pageBits
            while page <= (range.end.rawValue &- 1) >> pageBits {
                pages.add(index, page: page)
                page += 1
            }
        }
    }

    /// Puts a removed translation back into look-up.
    func restore(_ id: TranslationID, on ranges: UnsafeBufferPointer<GuestRange>) {
        rows[id.row].isValid = true
        lookup.insert(id)
        note(id.row, on: ranges)
    }

    /// Takes back the newest translation, one that nothing finds or links to. Nil when it is not the newest.
    func removeLast(_ id: TranslationID) -> CompiledRegion? {
        guard id.row + 1 == count else { return nil }
        atomic(published).pointee.store(UInt32(id.row), ordering: .releasing)
        let removed = region(rows[id.row], compiled.removeLast())
        recordUsed -= removed.records.count
        return removed
    }

    /// Can another link be noted?
    var hasRoomForLink: Bool { links.count < links.capacity }

    /// Notes that `slot` of `source` now jumps to `target`.
    func addLink(source: TranslationID, slot: Int, target: TranslationID) {
        links.append(Link(source: UInt32(source.row), slot: UInt32(slot), next: rows[target.row].incoming))
        rows[target.row].incoming = UInt32(links.count)
    }

    /// Takes a translation out of look-up. The caller unlinks `incoming`.
    func remove(_ id: TranslationID) {
        let index = id.row
        rows[index].isValid = false
        var at = lookup.bucket(rows[index].key)
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
    func overlapping(_ start: GuestLocation, _ length: UInt64) -> [TranslationID] {
        guard length > 0 else { return [] }
        let end = start &+ (length &- 1)
        let first = start.rawValue >> pageBits
        let last = end.rawValue >> pageBits
        var found: [TranslationID] = []
        for page in touchedPages(first, last) {
            pages.forEach(page: page) { t in
                let row = rows + t
                if row.pointee.isValid, row.pointee.lowest <= end, row.pointee.highest > start, found.last?.row != t {
                    found.append(TranslationID(t))
                }
            }
        }
        return found
    }

    /// Forgets which translations are on pages of [start, start + length) once they are all dead.
    func forgetPages(_ start: GuestLocation, _ length: UInt64) {
        guard length > 0 else { return }
        let first = start.rawValue >> pageBits
        let last = (start &+ (length &- 1)).rawValue >> pageBits
        for page in touchedPages(first, last) {
            var isAlive = false
            pages.forEach(page: page) { if rows[$0].isValid { isAlive = true } }
            if !isAlive {
                pages.clear(page: page)
                pageAddresses?.forget(GuestLocation(page << pageBits))
            }
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
        lookup.removeAll()
        compiled.removeAll()
        links.removeAll()
        pages.removeAll()
        otherPages.removeAll()
        recordUsed = 0
        sources.removeAll()
        deadCount = 0
        dormant.removeAll(keepingCapacity: true)
        regionBlocks.removeAll()
        pageAddresses?.removeAll()
    }

    deinit { pageAddresses?.deallocate() }
}
