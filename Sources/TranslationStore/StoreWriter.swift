// Writes files of translations: what this process has made, and what is in the files already. Each new translation goes to the file of
// the code that it was made from; to the program's own when it was made from several, or when they are too few for a library's file to
// be written anew.

import GuestMemory
import HostOS

/// A translation of this process that may be written. There are very many of them.
public struct NewRow {
    let pc: UInt64, mode: UInt64
    /// The client's number.
    let id: UInt32
    /// The number of the file of code that all its bytes come from; 0: of several.
    let file: UInt32
    /// Bytes of its body.
    let size: UInt32

    public init(id: Int, file: Int, pc: UInt64, _ body: NewBody) {
        self.id = UInt32(id)
        self.file = UInt32(file)
        self.pc = pc
        mode = body.mode
        size = UInt32(body.size)
    }
}

/// What is written of one.
public struct NewBody {
    let mode: UInt64
    let isOptimized: Bool, canGrow: Bool
    let counter: UInt16
    public let ranges: UnsafeBufferPointer<GuestRange>
    /// The bytes of all ranges, one after the other.
    let code: UnsafeRawBufferPointer
    /// Bytes of what the host exports.
    let regionSize: Int

    public init(
        mode: UInt64, isOptimized: Bool, canGrow: Bool, counter: UInt16, ranges: UnsafeBufferPointer<GuestRange>,
        code: UnsafeRawBufferPointer, regionSize: Int
    ) {
        self.mode = mode
        self.isOptimized = isOptimized
        self.canGrow = canGrow
        self.counter = counter
        self.ranges = ranges
        self.code = code
        self.regionSize = regionSize
    }

    /// Where the region starts.
    fileprivate var regionAt: Int { aligned8(ranges.count * StoredRange.stride + code.count) }
    fileprivate var size: Int { regionAt + regionSize }
}

/// Who has made new translations. All by the number of a translation.
public protocol NewTranslations {
    /// Nil: it cannot be written.
    func body(_ id: Int) -> NewBody?
    /// The address at which a byte of its ranges is seen.
    func address(_ id: Int, of location: GuestLocation) -> UInt64
    /// Writes what the host exports.
    func export(_ id: Int, to bytes: UnsafeMutableRawBufferPointer)
}

extension NewRow {
    /// What a file has one translation of.
    fileprivate var key: (UInt64, UInt64) { (pc, mode) }
}

extension Store {
    /// Fewer new translations than this part of the file are not worth writing.
    private static let leastPart = 32
    /// So many count in addition for a program's own file: what it costs a process to translate anything at all.
    private static let firstCost = 32

    /// Can there be enough that is new, when `count` translations are there?
    public func isWorthSaving(count: Int) -> Bool { count + newUses >= firstNew + options.leastNew }

    /// Writes new translations to their files, when they are enough. `count` translations are there. Of several for one pc and mode, which
    /// lie in different places, the one made last.
    public func save(_ all: consuming [NewRow], count: Int, from translations: some NewTranslations) {
        guard all.count + newUses >= options.leastNew else { return }
        var new = all
        new.sort { $0.key == $1.key ? $0.id > $1.id : $0.key < $1.key }
        var kept = 0
        for i in new.indices where kept == 0 || new[kept - 1].key != new[i].key {
            new[kept] = new[i]
            kept += 1
        }
        new.removeLast(new.count - kept)
        let supplier = Supplier(made: new, translations: translations)
        guard new.count + newUses >= options.leastNew, !options.kept.isLost else { return }
        do throws(Errno) {
            if counters.written == 0 { try StoreFolder.prepare(options) }
            var written = 0, added: [UInt64] = []
            var done: Set<UInt32> = []
            for number in Set(new.map(\.file)).sorted() where number != 0 {
                let unit = unit(Int(number)), target = StoreTarget(self, unit)
                guard unit !== program, isEnough(new.count { $0.file == number }, target.rowCount) else { continue }
                written += try target.write(supplier, uses: []) { $0.file == number }
                added += new.lazy.filter { $0.file == number }.map(\.pc)
                done.insert(number)
            }
            let target = StoreTarget(self, program)
            let old = target.rowCount + target.usesCount / 8
            if isEnough(new.count + newUses, old - Self.firstCost * Self.leastPart) {
                for unit in libraries { unit.file?.addInstalled(to: &added) }
                written += try target.write(supplier, uses: added) { !done.contains($0.file) }
            }
            firstNew = count
            newUses = 0
            counters.writtenBytes += written
            StoreFolder.bound(options, written: written)
        } catch {
            counters.error = error.message
        }
    }

    private func isEnough(_ new: Int, _ old: Int) -> Bool { new >= max(options.leastNew, old / Self.leastPart) }
}

/// What this process has made: of these rows, in ascending order, and what they are.
private struct Supplier {
    let made: [NewRow]
    let translations: any NewTranslations

    func isMadeAnew(_ stored: StoredTranslation) -> Bool {
        let key = (stored.row.pc, stored.row.mode), at = firstIndex(made.count) { made[$0].key >= key }
        return at < made.count && made[at].key == key
    }
}

/// One file that is written anew: collects rows and lays them out.
private struct StoreTarget {
    /// A row of the new file.
    private struct Entry {
        var pc: UInt64
        var source: Source
        /// Bytes of its body.
        var bytes: UInt32
        var size: Int { Int(bytes) }
    }
    private enum Source {
        /// A translation of this process, by its number.
        case new(UInt32)
        /// A row of a page of the file that is there now, with its age now, and whether this run has used it.
        case old(page: UInt32, row: UInt32, age: UInt8, isUsed: Bool)

        /// The less, the rather it is left out: what is new goes first, then what this run has used.
        var worth: Int {
            switch self {
            case .new(let id): 2 + Int(id)
            case .old(_, _, _, let isUsed): isUsed ? 1 : 0
            }
        }
    }

    private let store: Store
    private let unit: StoreUnit
    /// The file that is there now, and whether this process knows what became of its rows.
    private let current: StoreFile?
    private let isOwn: Bool
    /// A row that found other bytes in its place so many times in a row, or was of no use, is dropped.
    private static let lastAge: UInt8 = 4

    init(_ store: Store, _ unit: StoreUnit) {
        self.store = store
        self.unit = unit
        // Another process may have written meanwhile.
        let found = StoreFile(store.options, identity: unit.identity, stubBytes: store.stubBytes)
        isOwn = found?.inode == unit.file?.inode && found?.device == unit.file?.device
        current = isOwn ? unit.file : found
    }

    var rowCount: Int { current.map { Int($0.head.rowCount) } ?? 0 }
    var usesCount: Int { current.map { Int($0.head.offsetCount) } ?? 0 }

    /// Writes the file with those translations of this process that are wanted in it, and these addresses besides the ones that it names
    /// already. Returns its size.
    func write(_ supplier: Supplier, uses: [UInt64], where isWanted: (NewRow) -> Bool) throws(Errno) -> Int {
        var entries: [Entry] = []
        entries.reserveCapacity(supplier.made.count(where: isWanted) + rowCount)
        for row in supplier.made where isWanted(row) {
            entries.append(Entry(pc: row.pc, source: .new(row.id), bytes: row.size))
        }
        if let current { addOld(from: current, to: &entries, supplier) }
        let addresses = merged(uses)
        cut(&entries, addresses.count)
        entries.sort { $0.pc < $1.pc }
        var size = 0
        try StoreFolder.replace(store.options.path(unit.identity), in: store.options) { (fd) throws(Errno) in
            size = try write(supplier, entries, addresses, to: fd)
        }
        store.counters.written += entries.count
        return size
    }

    /// Addresses in ascending order, each once.
    private func merged(_ uses: [UInt64]) -> [UInt64] {
        var all = uses
        if let current {
            for i in 0..<current.usesCount {
                let page = current.uses(i)
                for k in 0..<Int(page.count) {
                    guard let address = current.address(page, k) else { break }
                    all.append(address)
                }
            }
        }
        all.sort()
        var result: [UInt64] = []
        result.reserveCapacity(all.count)
        for address in all where result.last != address { result.append(address) }
        return result
    }

    /// Leaves out what does not fit into a file, what has the least worth first.
    private func cut(_ entries: inout [Entry], _ usesCount: Int) {
        // Each may be alone on its page.
        let overhead = StoreRow.stride + StorePage.stride + 8
        var left =
            max(store.options.fileLimit, 1 << 16) - StoreHead.stride - usesCount * (StoreUses.stride + 2)
        if entries.reduce(0, { $0 + $1.size + overhead }) <= left { return }
        entries.sort { $0.source.worth > $1.source.worth }
        var count = 0
        while count < entries.count, entries[count].size + overhead <= left {
            left -= entries[count].size + overhead
            count += 1
        }
        entries.removeLast(entries.count - count)
    }

    /// Adds the rows of `file` that stay. Where their fate in this run is not known they are taken as not touched.
    private func addOld(from file: StoreFile, to entries: inout [Entry], _ supplier: Supplier) {
        for p in 0..<file.pageCount {
            guard let page = file.contents(p) else { continue }
            for i in 0..<page.rowCount {
                guard let stored = page.translation(i) else { continue }
                let state = isOwn ? file.states[Int(page.page.firstRow) + i] : .untouched
                var age = stored.row.age
                switch state {
                case .installed: age = 0
                case .untouched where !store.options.forgetsUnused || !isOwn: break
                case .untouched, .stale:
                    age += 1
                    if age >= Self.lastAge { continue }
                }
                // What has been made anew for the same bytes, perhaps better, replaces it.
                if state != .stale, supplier.isMadeAnew(stored) { continue }
                let source = Source.old(page: UInt32(p), row: UInt32(i), age: age, isUsed: state == .installed)
                entries.append(Entry(pc: stored.row.pc, source: source, bytes: UInt32(stored.body.count)))
            }
        }
    }

    // MARK: Layout

    /// Writes the file; `entries` and `addresses` are in ascending order. Returns its size.
    private func write(
        _ supplier: Supplier, _ entries: [Entry], _ addresses: [UInt64], to fd: Int32
    ) throws(Errno) -> Int {
        var pages: [(run: Range<Int>, size: Int)] = []
        var start = 0
        while start < entries.count {
            var end = start
            var size = 0
            while end < entries.count, entries[end].pc >> StorePage.bits == entries[start].pc >> StorePage.bits {
                size += StoreRow.stride + aligned8(entries[end].size)
                end += 1
            }
            pages.append((start..<end, size))
            start = end
        }
        let uses = usesByPage(addresses)
        var head = StoreHead(identity: unit.identity)
        head.pageCount = UInt32(pages.count)
        head.rowCount = UInt32(entries.count)
        head.usesCount = UInt32(uses.count)
        head.offsetCount = UInt32(addresses.count)
        head.stubBytes = UInt32(store.stubBytes)
        // Pages go out through a buffer, head and tables when all hashes are known.
        let first = UnsafeMutableRawBufferPointer.allocate(byteCount: head.tableEnd, alignment: 16)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1 << 20, pages.reduce(0) { max($0, $1.size) }), alignment: 16)
        defer {
            first.deallocate()
            buffer.deallocate()
        }
        first.initializeMemory(as: UInt8.self, repeating: 0)
        var offset = head.tableEnd
        var filled = 0
        for (i, page) in pages.enumerated() {
            if filled + page.size > buffer.count {
                try HostFile.write(fd, UnsafeRawBufferPointer(rebasing: buffer[..<filled]), at: offset - filled)
                filled = 0
            }
            let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<(filled + page.size)])
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            fill(supplier, bytes, entries[page.run])
            let rows = UnsafeRawBufferPointer(rebasing: bytes[..<(page.run.count * StoreRow.stride)])
            let row = StorePage(
                page: entries[page.run.lowerBound].pc >> StorePage.bits, offset: UInt64(offset),
                byteCount: UInt32(page.size),
                rowCount: UInt32(page.run.count), firstRow: UInt32(page.run.lowerBound), hash: contentHash(rows))
            first.storeBytes(of: row, toByteOffset: StoreHead.stride + i * StorePage.stride, as: StorePage.self)
            filled += page.size
            offset += page.size
        }
        try HostFile.write(fd, UnsafeRawBufferPointer(rebasing: buffer[..<filled]), at: offset - filled)
        for (i, page) in uses.enumerated() {
            first.storeBytes(of: page, toByteOffset: head.usesAt + i * StoreUses.stride, as: StoreUses.self)
        }
        for (i, address) in addresses.enumerated() {
            first.storeBytes(
                of: UInt16(address & (1 << StorePage.bits - 1)), toByteOffset: head.offsetsAt + i * 2, as: UInt16.self)
        }
        head.size = UInt64(offset)
        head.hash = StoreFile.hash(head, table: UnsafeRawBufferPointer(rebasing: first[StoreHead.stride...]))
        first.storeBytes(of: head, as: StoreHead.self)
        try HostFile.write(fd, UnsafeRawBufferPointer(first), at: 0)
        return offset
    }

    private func usesByPage(_ addresses: [UInt64]) -> [StoreUses] {
        var result: [StoreUses] = []
        for (i, address) in addresses.enumerated() {
            let page = address >> StorePage.bits
            if result.last?.page != page { result.append(StoreUses(page: page, first: UInt32(i), count: 0)) }
            result[result.count - 1].count += 1
        }
        return result
    }

    /// Rows and bodies of one page.
    private func fill(_ supplier: Supplier, _ bytes: UnsafeMutableRawBufferPointer, _ run: ArraySlice<Entry>) {
        var offset = run.count * StoreRow.stride
        var rowAt = 0
        for entry in run {
            let body = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + entry.size)])
            var row: StoreRow
            switch entry.source {
            case .new(let id): row = fill(supplier, body, entry.pc, Int(id))
            case .old(let page, let index, let age, _): row = fill(body, entry.pc, Int(page), Int(index), age)
            }
            row.offset = UInt32(offset)
            row.byteCount = UInt32(entry.size)
            bytes.storeBytes(of: row, toByteOffset: rowAt, as: StoreRow.self)
            rowAt += StoreRow.stride
            offset += aligned8(entry.size)
        }
    }

    /// The body of a row of the file that is there now. One that has changed since it was looked at becomes one that nobody can use.
    private func fill(
        _ body: UnsafeMutableRawBufferPointer, _ pc: UInt64, _ page: Int, _ index: Int, _ age: UInt8
    ) -> StoreRow {
        guard let current, let stored = current.contents(page)?.translation(index), stored.body.count == body.count
        else { return .unusable(pc) }
        body.copyMemory(from: stored.body)
        var row = stored.row
        row.age = age
        return row
    }

    /// The body of a translation of this process.
    private func fill(
        _ supplier: Supplier, _ body: UnsafeMutableRawBufferPointer, _ pc: UInt64, _ id: Int
    ) -> StoreRow {
        let translations = supplier.translations
        guard let new = translations.body(id) else { return .unusable(pc) }
        for (i, range) in new.ranges.enumerated() {
            body.storeBytes(
                of: StoredRange(start: translations.address(id, of: range.start), count: range.end &- range.start),
                toByteOffset: i * StoredRange.stride, as: StoredRange.self)
        }
        let codeAt = new.ranges.count * StoredRange.stride
        UnsafeMutableRawBufferPointer(rebasing: body[codeAt...]).copyMemory(from: new.code)
        translations.export(id, to: UnsafeMutableRawBufferPointer(rebasing: body[new.regionAt...]))
        return StoreRow(
            pc: pc, mode: new.mode, offset: 0, byteCount: 0, rangeCount: UInt16(new.ranges.count),
            counter: new.counter, isOptimized: new.isOptimized, age: 0, canGrow: new.canGrow,
            hash: contentHash(UnsafeRawBufferPointer(body)))
    }
}
