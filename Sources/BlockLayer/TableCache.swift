// Tables of one cluster each, in memory: L2 tables and refcount blocks of a qcow2 image.

/// Owned by who holds the image's lock. Tables have places in the file as their names, and numbers in the file's byte order.
final class TableCache {
    let tableSize: Int
    private let limit: Int
    private var tables: [Table] = []
    private var slots: [UInt64: Int] = [:]
    /// Where the search for a table to give up goes on.
    private var hand = 0
    private(set) var dirtyCount = 0

    private struct Table {
        var offset: UInt64?
        let memory: UnsafeMutableRawPointer
        var isDirty = false
        var wasUsed = true
    }

    /// `bytes`: about as much memory as it takes at most.
    init(tableSize: Int, bytes: Int) {
        self.tableSize = tableSize
        limit = max(4, bytes / tableSize)
    }

    deinit { for table in tables { table.memory.deallocate() } }

    /// Valid until the next `make`.
    func find(_ offset: UInt64) -> UnsafeMutableRawPointer? {
        guard let slot = slots[offset] else { return nil }
        tables[slot].wasUsed = true
        return tables[slot].memory
    }

    /// A place for a table that is not there, with any contents. Nil: all that are there have changed, and must be written first.
    func make(_ offset: UInt64) -> UnsafeMutableRawPointer? {
        guard let slot = freeSlot() else { return nil }
        if let old = tables[slot].offset { slots[old] = nil }
        tables[slot].offset = offset
        tables[slot].wasUsed = true
        slots[offset] = slot
        return tables[slot].memory
    }

    private func freeSlot() -> Int? {
        if tables.count < limit {
            tables.append(Table(memory: .allocate(byteCount: tableSize, alignment: 4096)))
            return tables.count - 1
        }
        // The second time around each table that has not changed is taken.
        for _ in 0..<2 * tables.count {
            let slot = hand
            hand = (hand + 1) % tables.count
            if tables[slot].offset == nil { return slot }
            if tables[slot].isDirty { continue }
            if !tables[slot].wasUsed { return slot }
            tables[slot].wasUsed = false
        }
        return nil
    }

    func markDirty(_ offset: UInt64) {
        guard let slot = slots[offset], !tables[slot].isDirty else { return }
        tables[slot].isDirty = true
        dirtyCount += 1
    }

    /// What is in the file counts, or what comes later.
    func forget(_ offset: UInt64) {
        guard let slot = slots.removeValue(forKey: offset) else { return }
        if tables[slot].isDirty { dirtyCount -= 1 }
        tables[slot].isDirty = false
        tables[slot].offset = nil
    }

    func forgetAll() { for offset in Array(slots.keys) { forget(offset) } }

    /// Tables that have changed, in the order of the file; they count as unchanged once written.
    func writeDirty(_ write: (UInt64, UnsafeRawBufferPointer) throws(BlockError) -> Void) throws(BlockError) {
        if dirtyCount == 0 { return }
        let order = tables.indices.filter { tables[$0].isDirty }.sorted { tables[$0].offset! < tables[$1].offset! }
        for slot in order {
            try write(tables[slot].offset!, UnsafeRawBufferPointer(start: tables[slot].memory, count: tableSize))
            tables[slot].isDirty = false
            dirtyCount -= 1
        }
    }
}
