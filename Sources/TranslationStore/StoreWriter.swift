// Writes files of translations: what this process has made, and what is in the files already. Each new translation goes to the file of
// the code that it was made from; to the program's own when it was made from several, or when they are too few for a library's file to
// be written anew.

import GuestMemory
import HostOS

/// A translation of this process.
public struct NewTranslation {
    /// The client's number.
    let id: Int
    let pc: UInt64, mode: UInt64
    /// The address at which a byte of its ranges is seen.
    let address: (GuestLocation) -> UInt64
    /// The number of the file of code that all its bytes come from; 0: of several.
    let file: Int
    let isOptimized: Bool, canGrow: Bool
    let counter: UInt16
    let ranges: UnsafeBufferPointer<GuestRange>
    /// The bytes of all ranges, one after the other.
    let code: UnsafeRawBufferPointer
    /// Bytes of what the host exports.
    let regionSize: Int

    public init(
        id: Int, pc: UInt64, mode: UInt64, address: @escaping (GuestLocation) -> UInt64, file: Int,
        isOptimized: Bool, canGrow: Bool, counter: UInt16,
        ranges: UnsafeBufferPointer<GuestRange>, code: UnsafeRawBufferPointer, regionSize: Int
    ) {
        self.id = id
        self.pc = pc
        self.mode = mode
        self.address = address
        self.file = file
        self.isOptimized = isOptimized
        self.canGrow = canGrow
        self.counter = counter
        self.ranges = ranges
        self.code = code
        self.regionSize = regionSize
    }
}

/// Writes what the host exports of the translation of that number.
public typealias TranslationExport = (_ id: Int, UnsafeMutableRawBufferPointer) -> Void

/// What a file has one translation of.
private struct RowKey: Hashable {
    var pc: UInt64, mode: UInt64
}

extension Store {
    /// Fewer new translations than this part of the file are not worth writing.
    private static let leastPart = 32

    /// Can there be enough that is new, when `count` translations are there?
    public func isWorthSaving(count: Int) -> Bool { count + newUses >= firstNew + options.leastNew }

    /// Writes new translations to their files, when they are enough. `count` translations are there. Of several for one pc and mode, which
    /// lie in different places, the one made last.
    public func save(_ all: [NewTranslation], count: Int, export: @escaping TranslationExport) {
        var made: Set<RowKey> = []
        let new = all.reversed().filter { made.insert(RowKey(pc: $0.pc, mode: $0.mode)).inserted }
        let supplier = Supplier(made: made, export: export)
        guard new.count + newUses >= options.leastNew, !options.kept.isLost else { return }
        do throws(Errno) {
            if counters.written == 0 { try StoreFolder.prepare(options) }
            var written = 0, added: [UInt64] = []
            var rest = new.filter { $0.file == 0 }
            for number in Set(new.map(\.file)).sorted() where number != 0 {
                let ofFile = new.filter { $0.file == number }
                let unit = unit(number), target = StoreTarget(self, unit)
                if unit !== program, isEnough(ofFile.count, target.rowCount) {
                    written += try target.write(supplier, ofFile, uses: [])
                    added += ofFile.map(\.pc)
                } else {
                    rest += ofFile
                }
            }
            let target = StoreTarget(self, program)
            if isEnough(rest.count + added.count + newUses, target.rowCount + target.usesCount / 8) {
                for unit in libraries { unit.file?.addInstalled(to: &added) }
                written += try target.write(supplier, rest, uses: added)
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

/// What this process has made: of these rows, and how to write one.
private struct Supplier {
    var made: Set<RowKey>
    var export: TranslationExport

    func isMadeAnew(_ stored: StoredTranslation) -> Bool { made.contains(RowKey(pc: stored.pc, mode: stored.mode)) }
}

/// One file that is written anew: collects rows and lays them out.
private struct StoreTarget {
    /// A row of the new file.
    private struct Entry {
        var pc: UInt64
        var source: Source
        /// Bytes of its body.
        var size: Int
    }
    private enum Source {
        /// A translation of this process.
        case new(NewTranslation)
        /// A row of a file, with its age now.
        case old(StoredTranslation, age: UInt8)
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

    /// Writes the file with these translations of this process, and these addresses besides the ones that it names already. Returns
    /// its size.
    func write(_ supplier: Supplier, _ new: [NewTranslation], uses: [UInt64]) throws(Errno) -> Int {
        var entries = new.map { Entry(pc: $0.pc, source: .new($0), size: $0.bodySize) }
        if let current { entries += oldEntries(supplier, current) }
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

    /// Leaves out what does not fit into a file, from the end: entries come in the order of their worth.
    private func cut(_ entries: inout [Entry], _ usesCount: Int) {
        // Each may be alone on its page.
        let overhead = StoreRow.stride + StorePage.stride + 8
        var left =
            max(store.options.fileLimit, 1 << 16) - StoreHead.stride - usesCount * (StoreUses.stride + 2)
        var count = 0
        while count < entries.count, entries[count].size + overhead <= left {
            left -= entries[count].size + overhead
            count += 1
        }
        entries.removeLast(entries.count - count)
    }

    /// Rows of `file` that stay, those first that this run has used. Where their fate in this run is not known they are taken as not
    /// touched.
    private func oldEntries(_ supplier: Supplier, _ file: StoreFile) -> [Entry] {
        var used: [Entry] = []
        var others: [Entry] = []
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
                let entry = Entry(pc: stored.row.pc, source: .old(stored, age: age), size: stored.body.count)
                if state == .installed { used.append(entry) } else { others.append(entry) }
            }
        }
        return used + others
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
            case .new(let translation): row = fill(supplier, body, translation)
            case .old(let stored, let age):
                body.copyMemory(from: stored.body)
                row = stored.row
                row.age = age
            }
            row.offset = UInt32(offset)
            row.byteCount = UInt32(entry.size)
            bytes.storeBytes(of: row, toByteOffset: rowAt, as: StoreRow.self)
            rowAt += StoreRow.stride
            offset += aligned8(entry.size)
        }
    }

    /// The body of a translation of this process.
    private func fill(
        _ supplier: Supplier, _ body: UnsafeMutableRawBufferPointer, _ new: NewTranslation
    ) -> StoreRow {
        for (i, range) in new.ranges.enumerated() {
            body.storeBytes(
                of: StoredRange(start: new.address(range.start), count: range.end &- range.start),
                toByteOffset: i * StoredRange.stride, as: StoredRange.self)
        }
        let codeAt = new.ranges.count * StoredRange.stride
        UnsafeMutableRawBufferPointer(rebasing: body[codeAt...]).copyMemory(from: new.code)
        supplier.export(new.id, UnsafeMutableRawBufferPointer(rebasing: body[new.regionAt...]))
        return StoreRow(
            pc: new.pc, mode: new.mode, offset: 0, byteCount: 0, rangeCount: UInt16(new.ranges.count),
            counter: new.counter, isOptimized: new.isOptimized, age: 0, canGrow: new.canGrow,
            hash: contentHash(UnsafeRawBufferPointer(body)))
    }
}

extension NewTranslation {
    /// Where the region starts in its body, and bytes of all of it.
    fileprivate var regionAt: Int { aligned8(ranges.count * StoredRange.stride + code.count) }
    fileprivate var bodySize: Int { regionAt + regionSize }
}
