// The guest's mappings, sorted and disjoint; adjacent ones with the same attributes are one. Pure bookkeeping, no
// lock, no host calls.
//
// A treap: a search tree by address that is also a heap by pseudo-random priorities, so that its depth stays logarithmic whatever the
// order of changes (Seidel and Aragon, "Randomized search trees", 1996). Each node knows the widest gap below it, so that free ranges
// are found without looking at all mappings.

/// Sorted, disjoint, merged mappings.
public struct MappingTable: Sendable {
    private typealias Index = Int32
    private static let none: Index = -1

    private struct Node: Sendable {
        var mapping: Mapping
        var left = MappingTable.none
        var right = MappingTable.none
        var priority: UInt32
        // Of the subtree: its first address, the end of its last mapping, and the widest gap between two of its mappings.
        var first: UInt64
        var last: UInt64
        var gap: UInt64
    }

    private var nodes: ContiguousArray<Node> = []
    private var free: ContiguousArray<Index> = []
    private var root = MappingTable.none
    private var seed: UInt32 = 0x9e37_79b9

    public init() { nodes.reserveCapacity(64) }

    public var count: Int { nodes.count - free.count }

    /// All mappings in ascending order.
    public var entries: [Mapping] {
        var result: [Mapping] = []
        result.reserveCapacity(count)
        forEach(from: 0, to: .max) { result.append($0) }
        return result
    }

    // MARK: Queries

    /// The first mapping that ends after `address`.
    public func first(endingAfter address: UInt64) -> Mapping? {
        var at = root
        var found: Mapping?
        while at != Self.none {
            let node = nodes[Int(at)]
            if node.mapping.end > address {
                found = node.mapping
                at = node.left
            } else {
                at = node.right
            }
        }
        return found
    }

    public func mapping(at address: UInt64) -> Mapping? {
        guard let found = first(endingAfter: address), found.start <= address else { return nil }
        return found
    }

    public func isFree(_ start: UInt64, _ end: UInt64) -> Bool {
        guard let next = first(endingAfter: start) else { return true }
        return next.start >= end
    }

    /// The mapped parts of [start, end), in ascending order.
    public func pieces(_ start: UInt64, _ end: UInt64) -> [Mapping] {
        var result: [Mapping] = []
        forEach(from: start, to: end) { mapping in
            var piece = mapping
            piece.start = max(piece.start, start)
            piece.end = min(piece.end, end)
            result.append(piece)
        }
        return result
    }

    /// One past the last address reachable from `start` through mappings that have `rights`; `start` itself when there
    /// is none.
    public func extent(from start: UInt64, upTo end: UInt64, with rights: PageRights = []) -> UInt64 {
        var at = start
        while at < end, let next = first(endingAfter: at), next.start <= at, next.rights.isSuperset(of: rights) {
            at = next.end
        }
        return min(at, end)
    }

    public func covers(_ start: UInt64, _ end: UInt64, with rights: PageRights = []) -> Bool {
        extent(from: start, upTo: end, with: rights) >= end
    }

    /// Does some page of [start, end) have all of `rights`?
    public func contains(_ rights: PageRights, in start: UInt64, _ end: UInt64) -> Bool {
        var at = start
        while at < end, let next = first(endingAfter: at), next.start < end {
            if next.rights.isSuperset(of: rights) { return true }
            at = next.end
        }
        return false
    }

    /// The highest free [result, result + length) below `top` and not below `bottom`.
    public func gap(length: UInt64, below top: UInt64, above bottom: UInt64) -> UInt64? {
        var ceiling = top
        return highestGap(root, length, bottom, &ceiling) ?? fitting(length, from: bottom, to: ceiling)
    }

    /// Looks from `ceiling` downwards through a subtree, and leaves `ceiling` at its first address when there is no such gap.
    private func highestGap(_ at: Index, _ length: UInt64, _ bottom: UInt64, _ ceiling: inout UInt64) -> UInt64? {
        guard at != Self.none else { return nil }
        let node = nodes[Int(at)]
        if node.first >= ceiling { return nil }
        if node.last <= ceiling, node.gap < length, ceiling - node.last < length {
            ceiling = node.first
            return nil
        }
        if let found = highestGap(node.right, length, bottom, &ceiling) { return found }
        if node.mapping.start < ceiling {
            if let found = fitting(length, from: max(node.mapping.end, bottom), to: ceiling) { return found }
            ceiling = node.mapping.start
        }
        if ceiling <= bottom { return nil }
        return highestGap(node.left, length, bottom, &ceiling)
    }

    private func fitting(_ length: UInt64, from floor: UInt64, to ceiling: UInt64) -> UInt64? {
        ceiling >= floor && ceiling - floor >= length ? ceiling - length : nil
    }

    private func forEach(from start: UInt64, to end: UInt64, _ body: (Mapping) -> Void) {
        func visit(_ at: Index) {
            guard at != Self.none else { return }
            let node = nodes[Int(at)]
            if node.last <= start || node.first >= end { return }
            visit(node.left)
            if node.mapping.end > start, node.mapping.start < end { body(node.mapping) }
            visit(node.right)
        }
        visit(root)
    }

    // MARK: Changes

    /// Removes [start, end), cutting mappings that cross its edges.
    public mutating func remove(_ start: UInt64, _ end: UInt64) {
        if isFree(start, end) { return }
        let edges = (mapping(at: start), mapping(at: end))
        let (before, rest) = split(root, start)
        let (inside, after) = split(rest, end)
        release(inside)
        root = merge(before, after)
        if let head = edges.0, head.start < start { setEnd(of: head.start, to: start) }
        if var tail = edges.1, tail.start < end {
            tail.start = end
            add(tail)
        }
    }

    /// Puts `mapping` in place of whatever is there.
    public mutating func insert(_ mapping: Mapping) {
        remove(mapping.start, mapping.end)
        var merged = mapping
        if mapping.start > 0, let previous = self.mapping(at: mapping.start - 1),
            previous.hasSameAttributes(as: mapping)
        {
            take(previous)
            merged.start = previous.start
        }
        if let next = self.mapping(at: mapping.end), next.hasSameAttributes(as: mapping) {
            take(next)
            merged.end = next.end
        }
        add(merged)
    }

    /// Gives the mapped pages of [start, end) new rights.
    public mutating func setRights(_ start: UInt64, _ end: UInt64, _ rights: PageRights) {
        for var piece in pieces(start, end) where piece.rights != rights {
            piece.rights = rights
            insert(piece)
        }
    }

    // MARK: The tree

    private mutating func add(_ mapping: Mapping) {
        seed ^= seed &<< 13
        seed ^= seed &>> 17
        seed ^= seed &<< 5
        let node = Node(mapping: mapping, priority: seed, first: mapping.start, last: mapping.end, gap: 0)
        let index: Index
        if let reused = free.popLast() {
            index = reused
            nodes[Int(index)] = node
        } else {
            index = Index(nodes.count)
            nodes.append(node)
        }
        let (before, after) = split(root, mapping.start)
        root = merge(merge(before, index), after)
    }

    /// Takes out one mapping.
    private mutating func take(_ mapping: Mapping) {
        let (before, rest) = split(root, mapping.start)
        let (one, after) = split(rest, mapping.end)
        release(one)
        root = merge(before, after)
    }

    private mutating func release(_ at: Index) {
        guard at != Self.none else { return }
        release(nodes[Int(at)].left)
        release(nodes[Int(at)].right)
        free.append(at)
    }

    /// Changes the end of the mapping that starts at `start`.
    private mutating func setEnd(of start: UInt64, to end: UInt64) {
        func descend(_ at: Index) {
            let own = nodes[Int(at)].mapping.start
            if own == start {
                nodes[Int(at)].mapping.end = end
            } else {
                descend(own < start ? nodes[Int(at)].right : nodes[Int(at)].left)
            }
            update(at)
        }
        descend(root)
    }

    /// Parts a subtree: mappings that start below `key`, and the others.
    private mutating func split(_ at: Index, _ key: UInt64) -> (Index, Index) {
        guard at != Self.none else { return (Self.none, Self.none) }
        if nodes[Int(at)].mapping.start < key {
            let (low, high) = split(nodes[Int(at)].right, key)
            nodes[Int(at)].right = low
            update(at)
            return (at, high)
        }
        let (low, high) = split(nodes[Int(at)].left, key)
        nodes[Int(at)].left = high
        update(at)
        return (low, at)
    }

    /// Joins two subtrees, all of `a` before all of `b`.
    private mutating func merge(_ a: Index, _ b: Index) -> Index {
        if a == Self.none { return b }
        if b == Self.none { return a }
        if nodes[Int(a)].priority > nodes[Int(b)].priority {
            nodes[Int(a)].right = merge(nodes[Int(a)].right, b)
            update(a)
            return a
        }
        nodes[Int(b)].left = merge(a, nodes[Int(b)].left)
        update(b)
        return b
    }

    /// Sums up the subtrees of a node anew.
    private mutating func update(_ at: Index) {
        var node = nodes[Int(at)]
        node.first = node.mapping.start
        node.last = node.mapping.end
        node.gap = 0
        if node.left != Self.none {
            let left = nodes[Int(node.left)]
            node.first = left.first
            node.gap = max(left.gap, node.mapping.start - left.last)
        }
        if node.right != Self.none {
            let right = nodes[Int(node.right)]
            node.last = right.last
            node.gap = max(node.gap, right.gap, right.first - node.mapping.end)
        }
        nodes[Int(at)] = node
    }
}
