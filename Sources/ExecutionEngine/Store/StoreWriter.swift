// Writes a file of translations: what this process has made, and what is in the file already.

import CodeGen
import GuestMemory
import HostOS

/// Collects rows and lays them out. Holds the translation lock from the first to the last line.
struct StoreWriter {
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

    private let engine: Engine
    private let store: Store
    /// A row that found other bytes in its place so many times in a row is dropped.
    private static let lastAge: UInt8 = 4
    /// Fewer new translations than this part of the file are not worth writing.
    private static let leastPart = 16

    /// Nil when there is too little new.
    init?(_ engine: Engine) {
        guard let store = engine.store else { return nil }
        self.engine = engine
        self.store = store
        guard engine.cache.count >= store.firstNew + store.options.leastNew else { return nil }
        var new = 0
        for index in store.firstNew..<engine.cache.count where isNew(index) { new += 1 }
        guard new >= max(store.options.leastNew, store.counters.rows / Self.leastPart) else { return nil }
    }

    /// Made by this process, found by look-up, and from bytes that a later run may see again.
    private func isNew(_ index: Int) -> Bool {
        let row = engine.cache.rows[index]
        return row.source != 0 && row.isValid && engine.cache.find(row.pc, row.flags) == index
            && engine.memory.isFromFile(row.pc)
    }

    func write() {
        // Another process may have written meanwhile.
        let current = StoreFile(path: store.options.path, identity: store.options.identity, stubBytes: store.stubBytes)
        let isOwn = current?.inode == store.file?.inode && current?.device == store.file?.device
        var entries = newEntries()
        if let old = isOwn ? store.file : current { entries += oldEntries(old, knowsStates: isOwn) }
        cut(&entries)
        entries.sort { $0.pc >> 12 < $1.pc >> 12 }
        store.firstNew = engine.cache.count
        do throws(Errno) {
            try StoreFolder.replace(store.options) { (fd) throws(Errno) in
                store.counters.writtenBytes = try write(entries, to: fd)
            }
            store.counters.written = entries.count
        } catch {
            store.counters.error = error.message
        }
    }

    /// Leaves out what does not fit into a file, from the end: entries come in the order of their worth.
    private func cut(_ entries: inout [Entry]) {
        // Each may be alone on its page.
        let overhead = StoreRow.stride + StorePage.stride + 8
        var left = max(store.options.fileLimit, 1 << 16) - StoreHead.stride
        var count = 0
        while count < entries.count, entries[count].size + overhead <= left {
            left -= entries[count].size + overhead
            count += 1
        }
        entries.removeLast(entries.count - count)
    }

    /// In the order in which they were made.
    private func newEntries() -> [Entry] {
        var result: [Entry] = []
        for index in 0..<engine.cache.count where isNew(index) {
            guard let region = engine.host.exportedSize(engine.cache.compiled[index]) else { continue }
            let row = engine.cache.rows[index]
            guard let source = engine.cache.sources?[row.source] else { continue }
            let parts = source.ranges.count * StoredRange.stride + source.code.count
            result.append(Entry(pc: row.pc, source: .new(index), size: aligned8(parts) + region))
        }
        return result
    }

    /// Rows of `file` that stay, those first that this run has used. Where their fate in this run is not known they are taken as not
    /// touched.
    private func oldEntries(_ file: StoreFile, knowsStates: Bool) -> [Entry] {
        var used: [Entry] = []
        var others: [Entry] = []
        for p in 0..<file.pageCount {
            guard let page = file.contents(p) else { continue }
            for i in 0..<page.rowCount {
                guard let stored = page.translation(i) else { continue }
                let state = knowsStates ? file.states[Int(page.page.firstRow) + i] : .untouched
                var age = stored.row.age
                switch state {
                case .untouched: break
                case .installed: age = 0
                case .stale:
                    age += 1
                    if age >= Self.lastAge { continue }
                }
                // What has been made anew for the same bytes, perhaps better, replaces it.
                if state != .stale, let index = engine.cache.find(stored.row.pc, stored.row.flags), isNew(index) {
                    continue
                }
                let entry = Entry(pc: stored.row.pc, source: .old(stored, age: age), size: stored.body.count)
                if state == .installed { used.append(entry) } else { others.append(entry) }
            }
        }
        return used + others
    }

    // MARK: Layout

    /// Writes the file; `entries` are in the order of their pages. Returns its size.
    private func write(_ entries: [Entry], to fd: Int32) throws(Errno) -> Int {
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
        // Pages go out through a buffer, head and table when all hashes are known.
        let tableEnd = StoreHead.stride + pages.count * StorePage.stride
        let first = UnsafeMutableRawBufferPointer.allocate(byteCount: tableEnd, alignment: 16)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1 << 20, pages.reduce(0) { max($0, $1.size) }), alignment: 16)
        defer {
            first.deallocate()
            buffer.deallocate()
        }
        var offset = tableEnd
        var filled = 0
        for (i, page) in pages.enumerated() {
            if filled + page.size > buffer.count {
                try HostFile.write(fd, UnsafeRawBufferPointer(rebasing: buffer[..<filled]), at: offset - filled)
                filled = 0
            }
            let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<(filled + page.size)])
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            fill(bytes, entries[page.run])
            let row = StorePage(
                page: entries[page.run.lowerBound].pc >> 12, offset: UInt64(offset), byteCount: UInt32(page.size),
                rowCount: UInt32(page.run.count), firstRow: UInt32(page.run.lowerBound),
                hash: contentHash(UnsafeRawBufferPointer(bytes)))
            first.storeBytes(of: row, toByteOffset: StoreHead.stride + i * StorePage.stride, as: StorePage.self)
            filled += page.size
            offset += page.size
        }
        try HostFile.write(fd, UnsafeRawBufferPointer(rebasing: buffer[..<filled]), at: offset - filled)
        var head = StoreHead(identity: store.options.identity)
        head.pageCount = UInt32(pages.count)
        head.size = UInt64(offset)
        head.rowCount = UInt32(entries.count)
        head.stubBytes = UInt32(store.stubBytes)
        head.hash = StoreFile.hash(head, table: UnsafeRawBufferPointer(rebasing: first[StoreHead.stride...]))
        first.storeBytes(of: head, as: StoreHead.self)
        try HostFile.write(fd, UnsafeRawBufferPointer(first), at: 0)
        return offset
    }

    /// Rows and bodies of one page.
    private func fill(_ bytes: UnsafeMutableRawBufferPointer, _ run: ArraySlice<Entry>) {
        var offset = run.count * StoreRow.stride
        var rowAt = 0
        for entry in run {
            let body = UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<(offset + entry.size)])
            var row: StoreRow
            switch entry.source {
            case .new(let index): row = fill(body, index)
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
    private func fill(_ body: UnsafeMutableRawBufferPointer, _ index: Int) -> StoreRow {
        let translation = engine.cache.rows[index]
        guard let source = engine.cache.sources?[translation.source] else {
            fatalError("a new translation has a source")
        }
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
            isOptimized: translation.isOptimized, age: 0, canGrow: translation.canGrow)
    }
}
