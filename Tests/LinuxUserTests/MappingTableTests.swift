// The mapping table against the simplest model there is: one entry per page.

import LinuxMemory
import Testing

private struct PageModel {
    var pages: [Int: (rights: PageRights, isShared: Bool)] = [:]

    func matches(_ table: MappingTable) -> Bool {
        var seen: [Int: (rights: PageRights, isShared: Bool)] = [:]
        var last: Mapping?
        for entry in table.entries {
            if entry.start >= entry.end { return false }
            if let last {
                if entry.start < last.end { return false }
                // Adjacent and equal entries must have been merged.
                if entry.start == last.end, entry.rights == last.rights, entry.isShared == last.isShared {
                    return false
                }
            }
            for page in Int(entry.start >> 12)..<Int(entry.end >> 12) { seen[page] = (entry.rights, entry.isShared) }
            last = entry
        }
        return seen.count == pages.count
            && seen.allSatisfy { page, value in pages[page].map { $0 == value } ?? false }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state &>> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed &>> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed &>> 31)
    }
}

@Suite struct MappingTableTests {
    @Test func randomChangesAgreeWithOneEntryPerPage() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix(state: seed)
        var table = MappingTable()
        var model = PageModel()
        for _ in 0..<3000 {
            let first = Int.random(in: 16..<80, using: &generator)
            let count = Int.random(in: 1..<12, using: &generator)
            let start = UInt64(first) << 12, end = UInt64(first + count) << 12
            let rights = PageRights(rawValue: UInt8.random(in: 0..<8, using: &generator))
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                let isShared = Bool.random(using: &generator)
                table.insert(Mapping(start: start, end: end, rights: rights, isShared: isShared))
                for page in first..<first + count { model.pages[page] = (rights, isShared) }
            case 1:
                table.remove(start, end)
                for page in first..<first + count { model.pages[page] = nil }
            default:
                table.setRights(start, end, rights)
                for page in first..<first + count { model.pages[page]?.rights = rights }
            }
            #expect(model.matches(table), "seed \(seed)")
            let isFree = (first..<first + count).allSatisfy { model.pages[$0] == nil }
            #expect(table.isFree(start, end) == isFree)
            let isCovered = (first..<first + count).allSatisfy { model.pages[$0] != nil }
            #expect(table.covers(start, end) == isCovered)
            if let gap = table.gap(length: end - start, below: 100 << 12, above: 16 << 12) {
                #expect(table.isFree(gap, gap + (end - start)))
                #expect(gap >= 16 << 12 && gap + (end - start) <= 100 << 12)
                // No higher place is free.
                for higher in stride(from: gap + 4096, through: (100 << 12) - (end - start), by: 4096) {
                    #expect(!table.isFree(higher, higher + (end - start)))
                }
            }
        }
    }

    /// A long run of mappings that cannot be merged, and gaps of all sizes between them, are found at once: the time of each look-up
    /// does not grow with their number.
    @Test func tablesOfAHundredThousandMappingsStayQuick() {
        var table = MappingTable()
        let count: UInt64 = 100_000, base: UInt64 = 1 << 32
        for i in 0..<count {
            let start = base + i * 0x4000
            table.insert(Mapping(start: start, end: start + 0x3000 - (i % 3) * 0x1000, rights: .read))
        }
        #expect(table.count == Int(count))
        let top = base + count * 0x4000
        #expect(table.gap(length: 0x4000, below: top, above: 0x10000) == base - 0x4000)
        for i in 0..<count {
            let length = (i % 3 + 1) * 0x1000
            guard let gap = table.gap(length: length, below: top, above: 0x10000) else { break }
            table.insert(Mapping(start: gap, end: gap + length, rights: .write))
        }
        for i in stride(from: 0, to: count, by: 2) { table.remove(base + i * 0x4000, base + i * 0x4000 + 0x1000) }
        #expect(table.mapping(at: base) == nil && table.mapping(at: base + 0x4000) != nil)
        table.remove(0, .max)
        #expect(table.count == 0 && table.entries.isEmpty)
    }

    @Test func noGapIsFoundInAFullRange() {
        var table = MappingTable()
        table.insert(Mapping(start: 0x10000, end: 0x20000, rights: .read))
        #expect(table.gap(length: 0x1000, below: 0x20000, above: 0x10000) == nil)
        #expect(table.gap(length: 0x1000, below: 0x21000, above: 0x10000) == 0x20000)
    }
}
