// The mapping table against the simplest model there is: one entry per page.

import GuestMemory
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

@Suite struct MappingTableTests {
    @Test func randomChangesAgreeWithOneEntryPerPage() {
        var generator = SystemRandomNumberGenerator()
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
            #expect(model.matches(table))
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

    @Test func noGapIsFoundInAFullRange() {
        var table = MappingTable()
        table.insert(Mapping(start: 0x10000, end: 0x20000, rights: .read))
        #expect(table.gap(length: 0x1000, below: 0x20000, above: 0x10000) == nil)
        #expect(table.gap(length: 0x1000, below: 0x21000, above: 0x10000) == 0x20000)
    }
}
