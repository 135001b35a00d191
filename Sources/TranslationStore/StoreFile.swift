// A file of translations of earlier runs, mapped: it may be cut short or written to at any time. Everything read from it is checked: it
// may be truncated, damaged, or made by somebody who knows the format. What is installed is copied first and checked then.
// Files that others than the user could have written are not used at all, since code in them would run as it is.

import GuestMemory
import HostOS

/// What became of a stored row in this run.
enum StoredRowState: UInt8 {
    /// Its page was not wanted, or it was not compared yet.
    case untouched
    case installed
    /// Guest memory held other bytes.
    case stale
}

/// What is known of a stored page.
enum StoredPageState: UInt8 {
    case unseen
    case damaged
    case good
    /// Good, and asked for since the last flush.
    case visited
}

private struct PageAtPlace: Hashable {
    var page: Int
    var place: GuestPlace
}

final class StoreFile {
    private let view: FileView
    let head: StoreHead
    /// Which file it is: device, inode.
    let device: UInt64, inode: UInt64
    private let modified: Int64
    private let pages: UnsafeRawPointer
    /// By page of the table.
    private let pageStates: UnsafeMutablePointer<StoredPageState>
    /// Pages asked for since the last flush that are seen elsewhere than where they lie.
    private var placesVisited: Set<PageAtPlace> = []
    /// By row; for one thread at a time, as everything here.
    let states: UnsafeMutablePointer<StoredRowState>

    /// Opens and checks a file; nil when there is none, or none that may be used.
    init?(_ options: StoreOptions, identity: StoreIdentity, stubBytes: Int) {
        guard
            let fd = try? HostFile.openForReading(
                options.path(identity), in: options.start, flags: HostFile.noFollow)
        else { return nil }
        defer { HostFile.close(fd) }
        guard let status = try? HostFile.status(fd), status.isRegular, status.isPrivateToUser,
            status.size >= StoreHead.stride, status.size < 1 << 32,
            let view = try? FileView(fd, size: Int(status.size)), let start = view.bytes.baseAddress
        else { return nil }
        self.view = view
        device = status.device
        inode = status.inode
        modified = status.modified
        head = start.load(as: StoreHead.self)
        pages = start + StoreHead.stride
        let isGood = Self.check(view.bytes, head, identity, stubBytes)
        pageStates = .allocate(capacity: isGood ? Int(head.pageCount) : 0)
        states = .allocate(capacity: isGood ? Int(head.rowCount) : 0)
        if !isGood { return nil }
        states.initialize(repeating: .untouched, count: Int(head.rowCount))
        pageStates.initialize(repeating: .unseen, count: Int(head.pageCount))
    }

    deinit {
        pageStates.deallocate()
        states.deallocate()
    }

    var bytes: UnsafeRawBufferPointer { view.bytes }

    private static func check(
        _ bytes: UnsafeRawBufferPointer, _ head: StoreHead, _ identity: StoreIdentity, _ stubBytes: Int
    ) -> Bool {
        let tableEnd = head.tableEnd
        guard head.magic == StoreHead.magic, head.version == StoreHead.currentVersion, head.identity == identity,
            head.size == UInt64(bytes.count), head.stubBytes == UInt32(stubBytes), tableEnd <= bytes.count,
            Int(head.rowCount) <= bytes.count / StoreRow.stride
        else { return false }
        return head.hash == Self.hash(head, table: UnsafeRawBufferPointer(rebasing: bytes[StoreHead.stride..<tableEnd]))
    }

    /// The hash of a head and the tables.
    static func hash(_ head: StoreHead, table: UnsafeRawBufferPointer) -> UInt64 {
        var plain = head
        plain.hash = 0
        return withUnsafeBytes(of: plain) { contentHash(table, seed: contentHash($0)) }
    }

    /// Notes once a day that the file is used: the files used longest ago are removed first.
    func refresh(_ options: StoreOptions, _ identity: StoreIdentity) {
        let day: Int64 = 86_400_000_000_000
        if modified < Int64(truncatingIfNeeded: HostClock.realtime()) - day {
            HostFile.touch(options.path(identity), in: options.start)
        }
    }

    /// What was installed is gone.
    func flush() {
        for i in 0..<pageCount where pageStates[i] == .visited { pageStates[i] = .good }
        placesVisited.removeAll()
        for i in 0..<Int(head.rowCount) where states[i] == .installed { states[i] = .untouched }
    }

    var pageCount: Int { Int(head.pageCount) }
    func page(_ index: Int) -> StorePage {
        pages.loadUnaligned(fromByteOffset: index * StorePage.stride, as: StorePage.self)
    }

    /// The number in the table of a guest page.
    func index(of wanted: UInt64) -> Int? {
        let low = firstIndex(pageCount) { page($0).page >= wanted }
        return low < pageCount && page(low).page == wanted ? low : nil
    }

    /// True once for each page and place, until a flush.
    func visit(_ index: Int, _ place: GuestPlace) -> Bool {
        if place != .same { return placesVisited.insert(PageAtPlace(page: index, place: place)).inserted }
        defer { pageStates[index] = .visited }
        return pageStates[index] != .visited
    }

    /// The rows of one page of the table; nil when they are damaged.
    func contents(_ index: Int) -> StoredPage? {
        let page = page(index)
        let (end, overflow) = page.offset.addingReportingOverflow(UInt64(page.byteCount))
        let rowBytes = Int(page.rowCount) * StoreRow.stride
        guard pageStates[index] != .damaged, !overflow, end <= UInt64(bytes.count), rowBytes <= Int(page.byteCount),
            Int(page.firstRow) + Int(page.rowCount) <= Int(head.rowCount)
        else { return nil }
        view.willRead(at: Int(page.offset))
        let own = UnsafeRawBufferPointer(rebasing: bytes[Int(page.offset)..<Int(end)])
        if pageStates[index] == .unseen {
            let isGood = contentHash(UnsafeRawBufferPointer(rebasing: own[..<rowBytes])) == page.hash
            pageStates[index] = isGood ? .good : .damaged
            if !isGood { return nil }
        }
        return StoredPage(page: page, bytes: own)
    }

    /// Adds the addresses of rows that were installed.
    func addInstalled(to addresses: inout [UInt64]) {
        for p in 0..<pageCount where pageStates[p] == .visited {
            guard let page = contents(p) else { continue }
            for i in 0..<page.rowCount where states[Int(page.page.firstRow) + i] == .installed {
                addresses.append(page.row(i).pc)
            }
        }
    }

    // MARK: Uses of other files

    var usesCount: Int { Int(head.usesCount) }
    func uses(_ index: Int) -> StoreUses {
        (pages - StoreHead.stride).loadUnaligned(
            fromByteOffset: head.usesAt + index * StoreUses.stride, as: StoreUses.self)
    }

    /// The guest address that an offset of uses names; nil in a file made by somebody who knows the format.
    func address(_ uses: StoreUses, _ index: Int) -> UInt64? {
        let at = Int(uses.first) + index
        guard at < Int(head.offsetCount) else { return nil }
        let offset = (pages - StoreHead.stride).loadUnaligned(fromByteOffset: head.offsetsAt + at * 2, as: UInt16.self)
        return uses.page &<< StorePage.bits | UInt64(offset) & (1 &<< StorePage.bits &- 1)
    }

    /// What the program runs on a guest page of another file.
    func uses(of page: UInt64) -> StoreUses? {
        let low = firstIndex(usesCount) { uses($0).page >= page }
        return low < usesCount && uses(low).page == page ? uses(low) : nil
    }
}

/// The first index below `count` where `isTrue`, which stays true from there on; `count` when there is none.
func firstIndex(_ count: Int, where isTrue: (Int) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
        let middle = (low &+ high) / 2
        if isTrue(middle) { high = middle } else { low = middle &+ 1 }
    }
    return low
}

/// The stored translations of one guest page.
struct StoredPage {
    let page: StorePage
    let bytes: UnsafeRawBufferPointer

    var rowCount: Int { Int(page.rowCount) }

    func row(_ index: Int) -> StoreRow {
        bytes.loadUnaligned(fromByteOffset: index * StoreRow.stride, as: StoreRow.self)
    }

    /// The rows that start at `pc`, one for each mode.
    func rows(at pc: UInt64) -> Range<Int> { rows(at: pc, from: firstIndex(rowCount) { row($0).pc >= pc }) }

    /// The same, where none is before `first` and that is not before `pc`.
    func rows(at pc: UInt64, from first: Int) -> Range<Int> {
        var end = first
        while end < rowCount, row(end).pc == pc { end += 1 }
        return first..<end
    }

    /// A row whose body lies inside of the page's bytes, is as long as its parts say, and undamaged. `copy`: where to read it from then.
    func translation(_ index: Int, copiedTo copy: StoredCopy? = nil) -> StoredTranslation? {
        let row = row(index)
        let start = Int(row.offset), end = start + Int(row.byteCount)
        guard start >= rowCount * StoreRow.stride, end <= bytes.count, row.pc >> StorePage.bits == page.page,
            row.rangeCount > 0
        else { return nil }
        let mapped = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
        let body = copy?.hold(mapped) ?? mapped
        return contentHash(body) == row.hash ? StoredTranslation(row: row, body: body, copy: copy) : nil
    }
}

/// Memory for one stored translation at a time.
final class StoredCopy {
    private var room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
    private let ranges: UnsafeMutablePointer<GuestRange>
    private let mostRanges: Int

    /// `mostRanges`: a translation is made from no more places.
    init(mostRanges: Int) {
        self.mostRanges = mostRanges
        ranges = .allocate(capacity: mostRanges)
    }

    deinit {
        room.deallocate()
        ranges.deallocate()
    }

    /// The guest bytes that a translation was made from; nil when they are in more places than any of ours has.
    func ranges(
        of stored: StoredTranslation, _ location: (UInt64, UInt64) -> GuestLocation
    ) -> UnsafeBufferPointer<GuestRange>? {
        let count = Int(stored.row.rangeCount)
        guard count <= mostRanges else { return nil }
        for i in 0..<count {
            let range = stored.range(i)
            let start = location(range.start, range.count)
            ranges[i] = GuestRange(start: start, end: start &+ range.count)
        }
        return UnsafeBufferPointer(start: ranges, count: count)
    }

    func hold(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        if bytes.count > room.count {
            room.deallocate()
            room = .allocate(byteCount: bytes.count, alignment: 16)
        }
        room.copyMemory(from: bytes)
        return UnsafeRawBufferPointer(rebasing: room[..<bytes.count])
    }
}

/// One stored translation. Its bytes are good until the next one is offered.
public struct StoredTranslation {
    let row: StoreRow
    let body: UnsafeRawBufferPointer
    /// The store owns it, and outlives what it offers.
    private let copy: Unmanaged<StoredCopy>?
    private let codeAt: Int
    private let regionAt: Int

    init?(row: StoreRow, body: UnsafeRawBufferPointer, copy: StoredCopy?) {
        self.copy = copy.map { .passUnretained($0) }
        self.row = row
        self.body = body
        codeAt = Int(row.rangeCount) * StoredRange.stride
        guard codeAt <= body.count else { return nil }
        var end = codeAt
        for i in 0..<Int(row.rangeCount) {
            let count = body.loadUnaligned(fromByteOffset: i * StoredRange.stride + 8, as: UInt64.self)
            guard count <= 1 << 20 else { return nil }
            end += Int(count)
        }
        regionAt = aligned8(end)
        guard regionAt <= body.count else { return nil }
    }

    func range(_ index: Int) -> StoredRange {
        body.loadUnaligned(fromByteOffset: index * StoredRange.stride, as: StoredRange.self)
    }

    public var pc: UInt64 { row.pc }
    public var mode: UInt64 { row.mode }
    public var isOptimized: Bool { row.isOptimized }
    public var canGrow: Bool { row.canGrow }
    /// The execution counter that its code uses.
    public var counter: Int { Int(row.counter) }

    /// The guest bytes that it was made from; nil when they are in more ranges than any of ours has. `location`: where so many bytes lie
    /// that are seen at an address.
    public func ranges(_ location: (UInt64, UInt64) -> GuestLocation) -> UnsafeBufferPointer<GuestRange>? {
        copy?._withUnsafeGuaranteedRef { $0.ranges(of: self, location) }
    }

    /// The guest bytes of all ranges, one after the other.
    public var code: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: body[codeAt...]) }

    /// What the host exported.
    public var region: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: body[regionAt...]) }
}
