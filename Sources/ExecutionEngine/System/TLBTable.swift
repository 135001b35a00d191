// One look-up table of guest addresses, with what is needed to forget entries of it.

import CodeGen
import HostOS

final class TLBTable {
    /// Entries.
    static let count = 2048
    /// The view that its entries are of, and under which MMU index; nil: none.
    var key: TLBKey?
    /// When it was taken into use last.
    var stamp: UInt64 = 0
    let entries: UnsafeMutablePointer<TLBEntry>
    /// The first entries filled since it was empty: emptying it costs no more than that.
    private let filled: UnsafeMutablePointer<UInt16>
    private var filledCount = 0
    private static let filledLimit = 256
    /// Addresses mapped by leaves larger than a page: [low, high].
    private var largeLow = UInt64.max
    private var largeHigh: UInt64 = 0

    init() throws(Errno) {
        entries = try HostMemory.reserve(Self.count * MemoryLayout<TLBEntry>.stride).bindMemory(
            to: TLBEntry.self, capacity: Self.count)
        entries[0] = .empty(0)
        filled = .allocate(capacity: Self.filledLimit)
    }

    deinit {
        try? HostMemory.unmap(UInt(bitPattern: entries), Self.count * MemoryLayout<TLBEntry>.stride)
        filled.deallocate()
    }

    var view: TLBView {
        TLBView(table: UInt64(UInt(bitPattern: entries)), mask: UInt64(Self.count - 1) << TLBEntry.sizeBits)
    }

    /// How many entries have been filled since it was empty, up to a limit.
    var use: Int { filledCount }

    /// Notes that the entry for an address is filled, from a leaf of the page tables of so many bytes (log2).
    func note(_ address: UInt64, leafBits: UInt64) {
        if filledCount < Self.filledLimit {
            filled[filledCount] = UInt16(truncatingIfNeeded: address &>> TLBEntry.pageBits & UInt64(Self.count - 1))
        }
        filledCount &+= 1
        if leafBits > TLBEntry.pageBits {
            let size: UInt64 = 1 &<< leafBits
            largeLow = min(largeLow, address & ~(size &- 1))
            largeHigh = max(largeHigh, address | (size &- 1))
        }
    }

    func empty() {
        if filledCount <= Self.filledLimit {
            for i in 0..<filledCount { entries[Int(filled[i])] = .empty(Int(filled[i])) }
        } else {
            UnsafeMutableRawPointer(entries).initializeMemory(
                as: UInt8.self, repeating: 0, count: Self.count * MemoryLayout<TLBEntry>.stride)
            entries[0] = .empty(0)
        }
        filledCount = 0
        largeLow = .max
        largeHigh = 0
    }

    /// Forgets what is known of an address.
    func forget(_ address: UInt64) {
        if filledCount == 0 { return }
        if address >= largeLow, address <= largeHigh { return empty() }
        let index = Int(truncatingIfNeeded: address &>> TLBEntry.pageBits & UInt64(Self.count - 1))
        entries[index] = .empty(index)
    }
}

struct TLBKey: Equatable {
    var view: UInt64
    var index: Int
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
