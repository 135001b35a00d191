// Writes files of translations: what this process has made, and what is in the files already. Each new translation goes to the file of
// the code that it was made from; to the program's own when it was made from several, or when they are too few for a library's file to
// be written anew.

import CodeGen
import GuestMemory
import HostOS

/// Decides what goes where. Holds the translation lock from the first to the last line.
struct StoreWriter {
    private let engine: Engine
    private let store: Store
    /// New translations by number of the file of code that they were made from; 0: of several.
    private var new: [[Int]] = []
    /// Fewer new translations than this part of the file are not worth writing.
    private static let leastPart = 32

    /// Nil when there is too little new.
    init?(_ engine: Engine) {
        guard let store = engine.store else { return nil }
        self.engine = engine
        self.store = store
        var count = store.newUses
        guard engine.cache.count + count >= store.firstNew + store.options.leastNew else { return nil }
        for index in store.firstNew..<engine.cache.count {
            guard engine.isNewForStore(index), let number = file(of: index) else { continue }
            while new.count <= number { new.append([]) }
            new[number].append(index)
            count += 1
        }
        guard count >= store.options.leastNew else { return nil }
    }

    /// The number of the file that all bytes of a translation come from, 0 when there are several, nil when its first byte comes from
    /// none.
    private func file(of index: Int) -> Int? {
        let row = engine.cache.rows[index]
        let number = engine.memory.codeFile(at: row.pc)
        if number == 0 || row.source == 0 { return nil }
        let source = engine.cache.sources[row.source]
        for range in source.ranges
        where engine.memory.codeFile(at: range.start) != number || engine.memory.codeFile(at: range.end &- 1) != number
        {
            return 0
        }
        return number
    }

    func write() {
        do throws(Errno) {
            var written = 0
            let isPrepared = store.counters.written > 0
            if !isPrepared { try StoreFolder.prepare(store.options) }
            var rest = new.first ?? []
            var added: [UInt64] = []
            for number in 1..<max(new.count, 1) where !new[number].isEmpty {
                let unit = store.unit(number, engine.memory.codeFileName)
                let target = StoreTarget(store, unit)
                if unit !== store.program, isEnough(new[number].count, target.rowCount) {
                    written += try target.write(engine, new[number], uses: [])
                    added += new[number].map { engine.cache.rows[$0].pc }
                } else {
                    rest += new[number]
                }
            }
            let target = StoreTarget(store, store.program)
            if isEnough(rest.count + added.count + store.newUses, target.rowCount + target.usesCount / 8) {
                for unit in store.libraries { unit.file?.addInstalled(to: &added) }
                written += try target.write(engine, rest, uses: added)
            }
            store.firstNew = engine.cache.count
            store.newUses = 0
            store.counters.writtenBytes += written
            StoreFolder.bound(store.options, written: written)
        } catch {
            store.counters.error = error.message
        }
    }

    private func isEnough(_ new: Int, _ old: Int) -> Bool { new >= max(store.options.leastNew, old / Self.leastPart) }
}

extension Engine {
    /// Made by this process, and found by look-up.
    func isNewForStore(_ index: Int) -> Bool {
        let row = cache.rows[index]
        return row.source != 0 && row.isValid && cache.find(row.pc, row.flags) == index
    }
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
        case new(Int)
        /// A row of a file, with its age now.
        case old(StoredTranslation, age: UInt8)
    }

    private let store: Store
    private let unit: StoreUnit
    /// The file that is there now, and whether this process knows what became of its rows.
    private let current: StoreFile?
    private let isOwn: Bool
    /// A row that found other bytes in its place so many times in a row is dropped.
    private static let lastAge: UInt8 = 4

    init(_ store: Store, _ unit: StoreUnit) {
        self.store = store
        self.unit = unit
        // Another process may have written meanwhile.
        let found = StoreFile(path: unit.path, identity: unit.identity, stubBytes: store.stubBytes)
        isOwn = found?.inode == unit.file?.inode && found?.device == unit.file?.device
        current = isOwn ? unit.file : found
    }

    var rowCount: Int { current.map { Int($0.head.rowCount) } ?? 0 }
    var usesCount: Int { current.map { Int($0.head.offsetCount) } ?? 0 }

    /// Writes the file with these translations of this process, and these addresses besides the ones that it names already. Returns
    /// its size.
    func write(_ engine: Engine, _ new: [Int], uses: [UInt64]) throws(Errno) -> Int {
        var entries = newEntries(engine, new)
        if let current { entries += oldEntries(engine, current) }
        let addresses = merged(uses)
        cut(&entries, addresses.count)
        entries.sort { $0.pc < $1.pc }
        var size = 0
        try StoreFolder.replace(unit.path) { (fd) throws(Errno) in
            size = try write(engine, entries, addresses, to: fd)
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

    /// In the order in which they were made.
    private func newEntries(_ engine: Engine, _ new: [Int]) -> [Entry] {
        var result: [Entry] = []
        for index in new {
            guard let region = engine.host.exportedSize(engine.cache.compiled[index]) else { continue }
            let row = engine.cache.rows[index]
            let source = engine.cache.sources[row.source]
            let parts = source.ranges.count * StoredRange.stride + source.code.count
            result.append(Entry(pc: row.pc, source: .new(index), size: aligned8(parts) + region))
        }
        return result
    }

    /// Rows of `file` that stay, those first that this run has used. Where their fate in this run is not known they are taken as not
    /// touched.
    private func oldEntries(_ engine: Engine, _ file: StoreFile) -> [Entry] {
        var used: [Entry] = []
        var others: [Entry] = []
        for p in 0..<file.pageCount {
            guard let page = file.contents(p) else { continue }
            for i in 0..<page.rowCount {
                guard let stored = page.translation(i) else { continue }
                let state = isOwn ? file.states[Int(page.page.firstRow) + i] : .untouched
                var age = stored.row.age
                switch state {
                case .untouched: break
                case .installed: age = 0
                case .stale:
                    age += 1
                    if age >= Self.lastAge { continue }
                }
                // What has been made anew for the same bytes, perhaps better, replaces it.
                if state != .stale, let index = engine.cache.find(stored.row.pc, stored.row.flags),
                    engine.isNewForStore(index)
                {
                    continue
                }
                let entry = Entry(pc: stored.row.pc, source: .old(stored, age: age), size: stored.body.count)
                if state == .installed { used.append(entry) } else { others.append(entry) }
            }
        }
        return used + others
    }

    // MARK: Layout

    /// Writes the file; `entries` and `addresses` are in ascending order. Returns its size.
    private func write(
        _ engine: Engine, _ entries: [Entry], _ addresses: [UInt64], to fd: Int32
    ) throws(Errno) -> Int {
        var pages: [(run: Range<Int>, size: Int)] = []
        var start = 0
        while start < entries.count {
            var end = start
            var size = 0
            while end < entries.count, entries[end].pc >> 12 == entries[start].pc >> 12 {
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
            fill(engine, bytes, entries[page.run])
            let rows = UnsafeRawBufferPointer(rebasing: bytes[..<(page.run.count * StoreRow.stride)])
            let row = StorePage(
                page: entries[page.run.lowerBound].pc >> 12, offset: UInt64(offset), byteCount: UInt32(page.size),
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
            first.storeBytes(of: UInt16(address >> 1 & 0x7ff), toByteOffset: head.offsetsAt + i * 2, as: UInt16.self)
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
            let page = address >> TranslationCache.pageBits
            if result.last?.page != page { result.append(StoreUses(page: page, first: UInt32(i), count: 0)) }
            result[result.count - 1].count += 1
        }
        return result
    }

    /// Rows and bodies of one page.
    private func fill(_ engine: Engine, _ bytes: UnsafeMutableRawBufferPointer, _ run: ArraySlice<Entry>) {
        var offset = run.count * StoreRow.stride
        var rowAt = 0
        for entry in run {
            let body = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + entry.size)])
            var row: StoreRow
            switch entry.source {
            case .new(let index): row = fill(engine, body, index)
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
    private func fill(_ engine: Engine, _ body: UnsafeMutableRawBufferPointer, _ index: Int) -> StoreRow {
        let translation = engine.cache.rows[index]
        let source = engine.cache.sources[translation.source]
        for (i, range) in source.ranges.enumerated() {
            body.storeBytes(
                of: StoredRange(start: range.start, count: range.end - range.start),
                toByteOffset: i * StoredRange.stride, as: StoredRange.self)
        }
        let codeAt = source.ranges.count * StoredRange.stride
        UnsafeMutableRawBufferPointer(rebasing: body[codeAt...]).copyMemory(from: source.code)
        engine.host.export(
            engine.cache.compiled[index],
            to: UnsafeMutableRawBufferPointer(rebasing: body[aligned8(codeAt + source.code.count)...]))
        return StoreRow(
            pc: translation.pc, flags: translation.flags, offset: 0, byteCount: 0,
            rangeCount: UInt16(source.ranges.count), counter: translation.counter,
            isOptimized: translation.isOptimized, age: 0, canGrow: translation.canGrow,
            hash: contentHash(UnsafeRawBufferPointer(body)))
    }
}
