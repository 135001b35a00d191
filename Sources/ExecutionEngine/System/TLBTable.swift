// One look-up table of guest addresses, with what is needed to forget entries of it.

import CodeGen
import HostOS

/// A handle: copies name the same table. Freed with `deallocate`.
struct TLBTable: Equatable {
    /// Entries.
    static let count = 2048
    private static let filledLimit = 256

    private struct Storage {
        var key = TLBKey.none
        /// When it was taken into use last.
        var stamp: UInt64 = 0
        var entries: UnsafeMutablePointer<TLBEntry>
        /// The first entries filled since it was empty: emptying it costs no more than that.
        var filled: UnsafeMutablePointer<UInt16>
        var filledCount = 0
        var largeLeaves = LargeLeaves()
    }
    private let s: UnsafeMutablePointer<Storage>

    init() throws(Errno) {
        let entries = try HostMemory.reserve(Self.count * MemoryLayout<TLBEntry>.stride).bindMemory(
            to: TLBEntry.self, capacity: Self.count)
        entries[0] = .empty(0)
        s = .allocate(capacity: 1)
        s.initialize(to: Storage(entries: entries, filled: .allocate(capacity: Self.filledLimit)))
    }

    func deallocate() {
        try? HostMemory.unmap(UInt(bitPattern: s.pointee.entries), Self.count * MemoryLayout<TLBEntry>.stride)
        s.pointee.filled.deallocate()
        s.deallocate()
    }

    /// The view that its entries are of, and under which MMU index.
    var key: TLBKey {
        get { s.pointee.key }
        nonmutating set { s.pointee.key = newValue }
    }
    var stamp: UInt64 {
        get { s.pointee.stamp }
        nonmutating set { s.pointee.stamp = newValue }
    }

    var view: TLBView {
        TLBView(table: UInt64(UInt(bitPattern: s.pointee.entries)), mask: UInt64(Self.count - 1) << TLBEntry.sizeBits)
    }

    /// Notes that the entry for an address is filled, from a leaf of the page tables of so many bytes (log2).
    func note(_ address: UInt64, leafBits: UInt64) {
        if s.pointee.filledCount < Self.filledLimit {
            s.pointee.filled[s.pointee.filledCount] = UInt16(
                truncatingIfNeeded: address &>> TLBEntry.pageBits & UInt64(Self.count - 1))
        }
        s.pointee.filledCount &+= 1
        s.pointee.largeLeaves.note(address, leafBits: leafBits)
    }

    func empty() {
        let entries = s.pointee.entries
        if s.pointee.filledCount <= Self.filledLimit {
            for i in 0..<s.pointee.filledCount {
                let index = Int(s.pointee.filled[i])
                entries[index] = .empty(index)
            }
        } else {
            UnsafeMutableRawPointer(entries).initializeMemory(
                as: UInt8.self, repeating: 0, count: Self.count * MemoryLayout<TLBEntry>.stride)
            entries[0] = .empty(0)
        }
        s.pointee.filledCount = 0
        s.pointee.largeLeaves = LargeLeaves()
    }

    /// Forgets what is known of an address.
    func forget(_ address: UInt64) {
        if s.pointee.filledCount == 0 { return }
        if s.pointee.largeLeaves.mayHold(address) { return empty() }
        let index = Int(truncatingIfNeeded: address &>> TLBEntry.pageBits & UInt64(Self.count - 1))
        s.pointee.entries[index] = .empty(index)
    }
}

struct TLBKey: Equatable {
    var view: UInt64
    var index: Int
    static let none = TLBKey(view: 0, index: -1)
}

/// Which entry may write to a page of physical memory, at most one per page: so taking the right away needs no search.
struct PageWriters: ~Copyable {
    private struct Writer {
        var page: UInt64
        var entry: UnsafeMutablePointer<TLBEntry>?
    }
    private static var count: Int { 8192 }
    private let writers: UnsafeMutablePointer<Writer>

    init() {
        writers = .allocate(capacity: Self.count)
        writers.initialize(repeating: Writer(page: 1, entry: nil), count: Self.count)
    }

    deinit { writers.deallocate() }

    /// Before an entry may write to the page at a physical address: the one that might until now may not any more.
    func give(_ page: UInt64, to entry: UnsafeMutablePointer<TLBEntry>) {
        let writer = at(page)
        if writer.pointee.entry != entry { take(writer) }
        writer.pointee = Writer(page: page, entry: entry)
    }

    /// No entry may write to the page.
    func take(_ page: UInt64) {
        let writer = at(page)
        if writer.pointee.page == page { take(writer) }
    }

    private func take(_ writer: UnsafeMutablePointer<Writer>) {
        guard let entry = writer.pointee.entry else { return }
        entry.pointee.refuseWrites(to: writer.pointee.page)
        writer.pointee.entry = nil
        writer.pointee.page = 1
    }

    private func at(_ page: UInt64) -> UnsafeMutablePointer<Writer> {
        writers + Int(truncatingIfNeeded: page &>> TLBEntry.pageBits & UInt64(Self.count - 1))
    }
}

extension TLBEntry {
    /// In `info`, beside the physical address of the page: the entry's page may be written.
    private static var mayWrite: UInt64 { 1 }

    init(_ page: UInt64, physical: UInt64, host: UInt64, index: Int, reads: Bool, writes: Bool) {
        self.init(
            readTag: reads ? page : Self.noTag(index), writeTag: writes ? page : Self.noTag(index),
            addend: host &- page, info: physical | (writes ? Self.mayWrite : 0))
    }

    /// Takes the right to write to a physical page, if the entry has it. The tag then differs from the page's in a bit that is one of the
    /// index's.
    mutating func refuseWrites(to physical: UInt64) {
        guard info == physical | Self.mayWrite else { return }
        info = physical
        writeTag ^= Self.pageSize
    }
}
