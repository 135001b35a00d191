// The guest's memory as a core file sees it: which parts there are, which file each comes from, and how much of it is written. The
// guest's rights come from the address space's table, the rest from the host's list (proc(5), /proc/PID/smaps).

import HostOS
import LinuxMemory

/// A run of guest pages with one origin and the same rights: a segment of the core file.
struct CoreArea: Equatable {
    var start: UInt64
    var end: UInt64
    var rights: PageRights
    var isShared: Bool
    var kind: MappingKind
    /// The mapped file, as the guest names it, and the offset in it; empty for anonymous memory.
    var file: String
    var offset: UInt64
    /// Pages that differ from the file's, or that an anonymous mapping has.
    var hasOwnPages: Bool
    /// Never written: MADV_DONTDUMP, or memory of a device.
    var isExcluded: Bool
    var hasHugePages: Bool

    /// Anonymous private memory: pages without a page table entry are zero.
    var isAnonymous: Bool { file.isEmpty && !isShared }
    /// Nobody else can open the file: memory that is shared with other processes, or the file is gone.
    var isDeleted: Bool { file.hasSuffix(" (deleted)") }
}

/// Bits of /proc/PID/coredump_filter (core(5)).
struct CoreFilter: OptionSet {
    let rawValue: UInt64
    static let anonymousPrivate = CoreFilter(rawValue: 1), anonymousShared = CoreFilter(rawValue: 2)
    static let filePrivate = CoreFilter(rawValue: 4), fileShared = CoreFilter(rawValue: 8)
    static let elfHeaders = CoreFilter(rawValue: 16)
    static let hugePrivate = CoreFilter(rawValue: 32), hugeShared = CoreFilter(rawValue: 64)
    static let usual = CoreFilter(rawValue: 0x33)

    /// Bytes of an area that are written, from its start (fs/coredump.c, vma_dump_size). `isELF` looks at the area's first bytes.
    func size(of area: CoreArea, isELF: (UInt64) -> Bool) -> UInt64 {
        let whole = area.end - area.start
        if area.kind == .trampoline { return whole }
        if area.isExcluded { return 0 }
        if area.hasHugePages { return contains(area.isShared ? .hugeShared : .hugePrivate) ? whole : 0 }
        if area.isShared { return contains(area.isDeleted ? .anonymousShared : .fileShared) ? whole : 0 }
        if area.hasOwnPages, contains(.anonymousPrivate) { return whole }
        if area.file.isEmpty { return 0 }
        if contains(.filePrivate) { return whole }
        let mayHaveHeader = contains(.elfHeaders) && area.offset == 0 && area.rights.contains(.read)
        return mayHaveHeader && isELF(area.start) ? CoreFile.pageSize : 0
    }
}

extension CoreArea {
    /// The areas of `mappings`, which the host lists in `host`, the text of /proc/self/smaps; both in ascending order. Without the
    /// host's list, files have no names, and what is writable counts as written to.
    static func all(_ mappings: [Mapping], host: String, guestPath: (String) -> String) -> [CoreArea] {
        var areas: [CoreArea] = []
        if host.isEmpty {
            return mappings.map {
                CoreArea(
                    $0, $0.start, $0.end, HostArea(), offset: 0,
                    hasOwnPages: $0.kind != .file || $0.rights.contains(.write))
            }
        }
        var index = 0
        var last = 0
        for area in HostArea.all(host, below: mappings.last?.end ?? 0) {
            while index < mappings.count, mappings[index].end <= area.start { index += 1 }
            while index < mappings.count, mappings[index].start < area.end {
                let start = max(mappings[index].start, area.start), end = min(mappings[index].end, area.end)
                var piece = CoreArea(
                    mappings[index], start, end, area, offset: area.offset &+ (start - area.start),
                    hasOwnPages: area.ownKilobytes > 0)
                if piece.file.isEmpty { piece.offset = 0 } else { piece.file = guestPath(piece.file) }
                // One mapping of the guest is several of the host where translated code is write-protected.
                if last == index, let before = areas.last, before.end == start, before.precedes(piece) {
                    areas[areas.count - 1].end = end
                    if piece.hasOwnPages { areas[areas.count - 1].hasOwnPages = true }
                } else {
                    areas.append(piece)
                }
                last = index
                if mappings[index].end > area.end { break }
                index += 1
            }
        }
        return areas
    }

    private init(
        _ mapping: Mapping, _ start: UInt64, _ end: UInt64, _ host: HostArea, offset: UInt64, hasOwnPages: Bool
    ) {
        self.init(
            start: start, end: end, rights: mapping.rights, isShared: mapping.isShared, kind: mapping.kind,
            file: host.name, offset: offset, hasOwnPages: hasOwnPages, isExcluded: host.isExcluded,
            hasHugePages: host.hasHugePages)
    }

    private func precedes(_ next: CoreArea) -> Bool {
        file == next.file && isExcluded == next.isExcluded && hasHugePages == next.hasHugePages
            && (file.isEmpty || offset &+ (end - start) == next.offset)
    }
}

/// One mapping of the host.
private struct HostArea {
    var start: UInt64 = 0, end: UInt64 = 0, offset: UInt64 = 0
    /// Empty for anonymous memory.
    var name = ""
    /// Anonymous pages, in memory or swapped out.
    var ownKilobytes = 0
    var isExcluded = false
    var hasHugePages = false

    /// A mapping's first line, as /proc/PID/maps has it: range, rights, offset, device, inode, name.
    init?(line: Substring) {
        let fields = line.split(separator: " ", maxSplits: 5)
        guard fields.count >= 5 else { return nil }
        let range = fields[0].split(separator: "-")
        guard range.count == 2, let start = UInt64(range[0], radix: 16), let end = UInt64(range[1], radix: 16),
            let offset = UInt64(fields[2], radix: 16)
        else { return nil }
        self.start = start
        self.end = end
        self.offset = offset
        let name = fields.count > 5 ? fields[5].drop { $0 == " " } : ""
        if !name.hasPrefix("[") { self.name = String(name) }
    }

    init() {}

    /// The mappings that begin below `limit`.
    static func all(_ text: String, below limit: UInt64) -> [HostArea] {
        var areas: [HostArea] = []
        for line in text.split(separator: "\n") {
            // Lines about a mapping begin with a capital letter, its own with a digit in lower case.
            guard let first = line.utf8.first, first < UInt8(ascii: "A") || first > UInt8(ascii: "Z") else {
                if !areas.isEmpty { areas[areas.count - 1].note(line) }
                continue
            }
            guard let area = HostArea(line: line) else { continue }
            if area.start >= limit { break }
            areas.append(area)
        }
        return areas
    }

    private mutating func note(_ line: Substring) {
        let words = line.split(separator: " ")
        switch words[0] {
        case "Anonymous:", "Swap:": ownKilobytes += words.count > 1 ? Int(words[1]) ?? 0 : 0
        case "VmFlags:":
            isExcluded = words.contains("dd") || words.contains("io")
            hasHugePages = words.contains("ht")
        default: break
        }
    }
}
