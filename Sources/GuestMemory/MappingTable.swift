// The guest's mappings, sorted and disjoint; adjacent ones with the same attributes are one. Pure bookkeeping, no
// lock, no host calls.

/// Guest page rights, numbered as PROT_READ, PROT_WRITE, PROT_EXEC.
public struct PageRights: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let read = PageRights(rawValue: 1), write = PageRights(rawValue: 2), execute = PageRights(rawValue: 4)
}

/// What a mapping is for; shown by /proc/self/maps.
public enum MappingKind: UInt8, Sendable { case ordinary, file, heap, stack, trampoline }

/// One run of guest pages [start, end) with the same attributes.
public struct Mapping: Equatable, Sendable {
    public var start: UInt64
    public var end: UInt64
    public var rights: PageRights
    public var isShared: Bool
    public var kind: MappingKind
    /// The file that code comes from, by its number in the address space; 0: none.
    public var codeFile: UInt32

    public init(
        start: UInt64, end: UInt64, rights: PageRights, isShared: Bool = false, kind: MappingKind = .ordinary,
        codeFile: UInt32 = 0
    ) {
        self.start = start
        self.end = end
        self.rights = rights
        self.isShared = isShared
        self.kind = kind
        self.codeFile = codeFile
    }

    func hasSameAttributes(as other: Mapping) -> Bool {
        rights == other.rights && isShared == other.isShared && kind == other.kind && codeFile == other.codeFile
    }
}

/// Sorted, disjoint, merged mappings.
public struct MappingTable: Sendable {
    public private(set) var entries: ContiguousArray<Mapping> = []

    public init() { entries.reserveCapacity(64) }

    /// Index of the first mapping that ends after `address`.
    public func firstIndex(endingAfter address: UInt64) -> Int {
        var low = 0, high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].end > address { high = middle } else { low = middle + 1 }
        }
        return low
    }

    public func mapping(at address: UInt64) -> Mapping? {
        let index = firstIndex(endingAfter: address)
        guard index < entries.count, entries[index].start <= address else { return nil }
        return entries[index]
    }

    public func isFree(_ start: UInt64, _ end: UInt64) -> Bool {
        let index = firstIndex(endingAfter: start)
        return index == entries.count || entries[index].start >= end
    }

    /// One past the last address reachable from `start` through mappings that have `rights`; `start` itself when there
    /// is none.
    public func extent(from start: UInt64, upTo end: UInt64, with rights: PageRights = []) -> UInt64 {
        var at = start
        var index = firstIndex(endingAfter: start)
        while at < end, index < entries.count, entries[index].start <= at, entries[index].rights.isSuperset(of: rights)
        {
            at = entries[index].end
            index += 1
        }
        return min(at, end)
    }

    public func covers(_ start: UInt64, _ end: UInt64, with rights: PageRights = []) -> Bool {
        extent(from: start, upTo: end, with: rights) >= end
    }

    /// The highest free [result, result + length) below `top` and not below `bottom`.
    public func gap(length: UInt64, below top: UInt64, above bottom: UInt64) -> UInt64? {
        var ceiling = top
        var index = entries.count
        while index > 0, entries[index - 1].start >= ceiling { index -= 1 }
        while true {
            let floor = index > 0 ? max(entries[index - 1].end, bottom) : bottom
            if ceiling >= floor, ceiling - floor >= length { return ceiling - length }
            if index == 0 || entries[index - 1].start <= bottom { return nil }
            index -= 1
            ceiling = min(ceiling, entries[index].start)
        }
    }

    /// Removes [start, end), cutting mappings that cross its edges.
    public mutating func remove(_ start: UInt64, _ end: UInt64) {
        let first = firstIndex(endingAfter: start)
        guard first < entries.count, entries[first].start < end else { return }
        var last = first
        while last < entries.count, entries[last].start < end { last += 1 }
        var kept: [Mapping] = []
        if entries[first].start < start {
            var head = entries[first]
            head.end = start
            kept.append(head)
        }
        if entries[last - 1].end > end {
            var tail = entries[last - 1]
            tail.start = end
            kept.append(tail)
        }
        entries.replaceSubrange(first..<last, with: kept)
    }

    /// Puts `mapping` in place of whatever is there.
    public mutating func insert(_ mapping: Mapping) {
        remove(mapping.start, mapping.end)
        var index = firstIndex(endingAfter: mapping.start)
        if index > 0, entries[index - 1].end == mapping.start, entries[index - 1].hasSameAttributes(as: mapping) {
            index -= 1
            entries[index].end = mapping.end
        } else {
            entries.insert(mapping, at: index)
        }
        if index + 1 < entries.count, entries[index + 1].start == entries[index].end,
            entries[index + 1].hasSameAttributes(as: entries[index])
        {
            entries[index].end = entries[index + 1].end
            entries.remove(at: index + 1)
        }
    }

    /// Gives the mapped pages of [start, end) new rights.
    public mutating func setRights(_ start: UInt64, _ end: UInt64, _ rights: PageRights) {
        var at = start
        while at < end {
            let index = firstIndex(endingAfter: at)
            guard index < entries.count, entries[index].start < end else { return }
            var piece = entries[index]
            piece.start = max(piece.start, at)
            piece.end = min(piece.end, end)
            at = piece.end
            if piece.rights == rights { continue }
            piece.rights = rights
            insert(piece)
        }
    }
}
