// The host's list of mappings, as maps and smaps have it.

/// One mapping of the host's list.
struct HostMapping {
    var start: UInt64 = 0, end: UInt64 = 0, offset: UInt64 = 0
    /// "rwxp" as one word.
    var permissions: UInt32 = 0
    /// Memory of no file.
    var isAnonymous = false
    /// Where the text has "device inode", the path, and lines of statistics.
    var object = 0..<0, name = 0..<0, details = 0..<0

    /// The kernel might have made one mapping of this and the one before it.
    func continues(_ before: HostMapping, _ text: [UInt8]) -> Bool {
        guard isAnonymous == before.isAnonymous else { return false }
        if isAnonymous { return permissions != before.permissions && text[name] == text[before.name] }
        return offset == before.offset &+ (before.end &- before.start) && text[object] == text[before.object]
            && text[name] == text[before.name]
    }

    /// The mappings of a list: "start-end rwxp offset device inode  path", each followed by any number of lines that
    /// begin with a capital letter.
    static func list(_ text: UnsafeBufferPointer<UInt8>) -> [HostMapping] {
        var result: [HostMapping] = []
        result.reserveCapacity(text.count / 80)
        var at = 0
        func end(of byte: UInt8, from start: Int, _ limit: Int) -> Int {
            var at = start
            while at < limit && text[at] != byte { at &+= 1 }
            return at
        }
        func number() -> UInt64 {
            var value: UInt64 = 0
            while at < text.count {
                let byte = text[at]
                let digit: UInt8
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte &- UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte &- UInt8(ascii: "a") &+ 10
                default: return value
                }
                value = value &<< 4 | UInt64(digit)
                at &+= 1
            }
            return value
        }
        while at < text.count {
            let lineEnd = end(of: 10, from: at, text.count)
            if text[at] >= UInt8(ascii: "A") && text[at] <= UInt8(ascii: "Z") {
                let start = at
                at = min(lineEnd &+ 1, text.count)
                if let last = result.indices.last {
                    let details = result[last].details
                    result[last].details = (details.isEmpty ? start : details.lowerBound)..<at
                }
                continue
            }
            var mapping = HostMapping()
            mapping.start = number()
            at &+= 1
            mapping.end = number()
            at &+= 1
            if at &+ 4 < lineEnd {
                for index in 0..<4 { mapping.permissions = mapping.permissions &<< 8 | UInt32(text[at &+ index]) }
            }
            at &+= 5
            mapping.offset = number()
            at = min(at &+ 1, lineEnd)
            let deviceEnd = end(of: 32, from: at, lineEnd)
            let inode = min(deviceEnd &+ 1, lineEnd)
            let objectEnd = end(of: 32, from: inode, lineEnd)
            mapping.object = at..<objectEnd
            mapping.isAnonymous = objectEnd &- inode == 1 && text[inode] == UInt8(ascii: "0")
            var name = objectEnd
            while name < lineEnd && text[name] == 32 { name &+= 1 }
            mapping.name = name..<lineEnd
            at = min(lineEnd &+ 1, text.count)
            if mapping.start < mapping.end { result.append(mapping) }
        }
        return result
    }
}
