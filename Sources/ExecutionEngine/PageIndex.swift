// Which translations touch which guest page: lists in raw memory behind an open-addressing table, because every translation
// is entered here.

import HostOS

/// Guest page number -> translations, newest first. Guarded by the translation lock.
struct PageIndex {
    private struct Head {
        /// Page number + 1; 0 = free.
        var key: UInt64 = 0
        /// Newest node + 1; 0 = none.
        var first: UInt32 = 0
    }
    private struct Node {
        var translation: UInt32
        var next: UInt32
    }

    private var heads: [Head] = Array(repeating: Head(), count: 1024)
    private var nodes: ReservedTable<Node>
    private(set) var pageCount = 0
    /// The head used last: most translations follow each other on one page.
    private var recent = 0

    init(nodeCapacity: Int) throws(Errno) { nodes = try ReservedTable(capacity: nodeCapacity) }

    /// Room for the pages of the largest region.
    var hasRoom: Bool { nodes.count + Self.largestAdd < nodes.capacity }
    private static let largestAdd = 1 << 16

    mutating func add(_ translation: Int, page: UInt64) {
        let at = slot(page)
        if heads[at].first != 0, nodes[Int(heads[at].first) - 1].translation == UInt32(translation) { return }
        nodes.append(Node(translation: UInt32(translation), next: heads[at].first))
        heads[at].first = UInt32(nodes.count)
    }

    /// Calls `body` for each translation on `page`.
    func forEach(page: UInt64, _ body: (Int) -> Void) {
        var at = hash(page)
        while heads[at].key != 0, heads[at].key != page &+ 1 { at = (at + 1) & (heads.count - 1) }
        var node = heads[at].key == 0 ? 0 : heads[at].first
        while node != 0 {
            body(Int(nodes[Int(node) - 1].translation))
            node = nodes[Int(node) - 1].next
        }
    }

    /// Pages that have, or had, translations.
    var pages: [UInt64] { heads.filter { $0.key != 0 && $0.first != 0 }.map { $0.key - 1 } }

    /// Forgets a page's translations (they are all dead).
    mutating func clear(page: UInt64) {
        let at = slot(page)
        heads[at].first = 0
    }

    mutating func removeAll() {
        for i in heads.indices { heads[i] = Head() }
        nodes.removeAll()
        pageCount = 0
        recent = 0
    }

    private func hash(_ page: UInt64) -> Int {
        Int(truncatingIfNeeded: (page &* 0x9E37_79B9_7F4A_7C15) &>> 40) & (heads.count - 1)
    }

    /// The head of `page`, made when there is none.
    private mutating func slot(_ page: UInt64) -> Int {
        if heads[recent].key == page &+ 1 { return recent }
        var at = hash(page)
        while heads[at].key != 0 {
            if heads[at].key == page &+ 1 {
                recent = at
                return at
            }
            at = (at + 1) & (heads.count - 1)
        }
        if pageCount * 2 > heads.count {
            grow()
            return slot(page)
        }
        heads[at].key = page &+ 1
        pageCount += 1
        recent = at
        return at
    }

    private mutating func grow() {
        let old = heads
        heads = Array(repeating: Head(), count: old.count * 2)
        recent = 0
        for head in old where head.key != 0 {
            var at = hash(head.key - 1)
            while heads[at].key != 0 { at = (at + 1) & (heads.count - 1) }
            heads[at] = head
        }
    }
}
