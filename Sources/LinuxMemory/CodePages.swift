// One bit per guest page: the page holds translated code and its host mapping is therefore write-protected.
// Storage is reserved for the whole address space and committed where bits are set.

import HostOS

struct CodePages {
    /// log2 of a page's bytes.
    private let bits: UInt64
    private let words: UnsafeMutablePointer<UInt64>
    /// Pages that ever held code lie in [low, high): keeps scans of large ranges short.
    private var low: UInt64 = .max, high: UInt64 = 0

    init(limit: UInt64, pageSize: UInt64) throws(Errno) {
        bits = UInt64(pageSize.trailingZeroBitCount)
        let bytes = Int(limit >> bits) / 8 + 8
        words = try HostMemory.reserve(bytes).bindMemory(to: UInt64.self, capacity: bytes / 8)
    }

    func contains(_ address: UInt64) -> Bool {
        let page = address &>> bits
        return words[Int(truncatingIfNeeded: page &>> 6)] & (1 &<< (page & 63)) != 0
    }

    mutating func insert(_ address: UInt64) {
        let page = address &>> bits
        words[Int(truncatingIfNeeded: page &>> 6)] |= 1 &<< (page & 63)
        low = min(low, page &<< bits)
        high = max(high, (page &+ 1) &<< bits)
    }

    mutating func remove(_ address: UInt64) {
        let page = address &>> bits
        words[Int(truncatingIfNeeded: page &>> 6)] &= ~(1 &<< (page & 63))
    }

    /// The first page with code in [start, end).
    func first(in start: UInt64, _ end: UInt64) -> UInt64? {
        var at = max((start &>> bits) &<< bits, low)
        let stop = min(end, high)
        while at < stop {
            let page = at &>> bits
            let rest = words[Int(truncatingIfNeeded: page &>> 6)] &>> (page & 63)
            if rest != 0 {
                let found = (page &+ UInt64(rest.trailingZeroBitCount)) &<< bits
                return found < stop ? found : nil
            }
            at = ((page | 63) &+ 1) &<< bits
        }
        return nil
    }
}
