// Rows in memory that is reserved as a whole and committed as it fills: nothing is copied when a table grows, and rows stay where
// they are, so that other threads may read them.

import HostOS

/// A table of plain data that only grows, until it is emptied.
struct ReservedTable<Row: BitwiseCopyable>: @unchecked Sendable {
    let rows: UnsafeMutablePointer<Row>
    let capacity: Int
    private(set) var count = 0
    private var pages: LargePages

    init(capacity: Int) throws(Errno) {
        let size = capacity * MemoryLayout<Row>.stride
        rows = try HostMemory.reserve(size).bindMemory(to: Row.self, capacity: capacity)
        pages = LargePages(UnsafeMutableRawPointer(rows), size: size)
        self.capacity = capacity
    }

    @inline(__always) subscript(_ index: Int) -> Row { rows[index] }

    /// Adds a row. The caller has seen to it that there is room.
    @inline(__always) mutating func append(_ row: Row) {
        precondition(count < capacity, "a full table")
        rows[count] = row
        count &+= 1
        pages.grow(to: count &* MemoryLayout<Row>.stride)
    }

    /// Takes the last row back.
    mutating func removeLast() -> Row {
        count -= 1
        return rows[count]
    }

    mutating func removeAll() { count = 0 }
}
