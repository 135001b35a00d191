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
        let newSize = entries.reduce(0) { $0 + $1.size + StoreRow.stride }
        if let old = isOwn ? store.file : current {
            var kept = oldEntries(old, knowsStates: isOwn, onlyUsed: false)
            if newSize + kept.reduce(0, { $0 + $1.size + StoreRow.stride }) > store.options.fileLimit {
                kept = oldEntries(old, knowsStates: isOwn, onlyUsed: true)
            }
            entries += kept
        }
        entries.sort { $0.pc >> 12 < $1.pc >> 12 }
        let image = layOut(entries)
        store.firstNew = engine.cache.count
        guard let image else { return }
        defer { image.deallocate() }
        do throws(Errno) {
            try StoreFolder.write(UnsafeRawBufferPointer(image), store.options)
            store.counters.written = entries.count
            store.counters.writtenBytes = image.count
        } catch {
            store.counters.error = error.message
        }
    }

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

    /// Rows of `file` that stay. Where their fate in this run is not known they are taken as not touched.
    private func oldEntries(_ file: StoreFile, knowsStates: Bool, onlyUsed: Bool) -> [Entry] {
        var result: [Entry] = []
        for p in 0..<file.pageCount {
            guard let page = file.contents(p) else { continue }
            for i in 0..<page.rowCount {
                guard let stored = page.translation(i) else { continue }
                let state = knowsStates ? file.states[Int(page.page.firstRow) + i] : .untouched
                if onlyUsed && state != .installed { continue }
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
                result.append(Entry(pc: stored.row.pc, source: .old(stored, age: age), size: stored.body.count))
            }
        }
        return result
    }

    // MARK: Layout

    /// The file's bytes; `entries` are in the order of their pages. Nil when they do not fit the limit.
    private func layOut(_ entries: [Entry]) -> UnsafeMutableRawBufferPointer? {
        var pageCount = 0
        var size = 0
        forEachPage(entries) { run in
            pageCount += 1
            size += aligned8(pageSize(run))
        }
        let start = StoreHead.stride + pageCount * StorePage.stride
        guard start + size <= max(store.options.fileLimit, 1 << 16), entries.count < Int(UInt32.max) else { return nil }
        let image = UnsafeMutableRawBufferPointer.allocate(byteCount: start + size, alignment: 16)
        image.initializeMemory(as: UInt8.self, repeating: 0)

        var at = start
        var table = StoreHead.stride
        var firstRow = 0
        forEachPage(entries) { run in
            let bytes = UnsafeMutableRawBufferPointer(rebasing: image[at..<(at + aligned8(pageSize(run)))])
            fill(bytes, run)
            let page = StorePage(
                page: (run.first?.pc ?? 0) >> 12, offset: UInt64(at), byteCount: UInt32(bytes.count),
                rowCount: UInt32(run.count), firstRow: UInt32(firstRow),
                hash: contentHash(UnsafeRawBufferPointer(bytes)))
            image.storeBytes(of: page, toByteOffset: table, as: StorePage.self)
            at += bytes.count
            table += StorePage.stride
            firstRow += run.count
        }
        var head = StoreHead(identity: store.options.identity)
        head.pageCount = UInt32(pageCount)
        head.size = UInt64(image.count)
        head.rowCount = UInt32(entries.count)
        head.stubBytes = UInt32(store.stubBytes)
        head.hash = StoreFile.hash(
            head, table: UnsafeRawBufferPointer(rebasing: image[StoreHead.stride..<start]))
        image.storeBytes(of: head, as: StoreHead.self)
        return image
    }

    private func forEachPage(_ entries: [Entry], _ body: (ArraySlice<Entry>) -> Void) {
        var start = 0
        while start < entries.count {
            var end = start + 1
            while end < entries.count, entries[end].pc >> 12 == entries[start].pc >> 12 { end += 1 }
            body(entries[start..<end])
            start = end
        }
    }

    private func pageSize(_ run: ArraySlice<Entry>) -> Int {
        run.reduce(0) { $0 + StoreRow.stride + aligned8($1.size) }
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
            isOptimized: translation.isOptimized, age: 0)
    }
}
