// One bit per guest page: the page holds translated code and its host mapping is therefore write-protected.
// Storage is reserved for the whole address space and committed where bits are set.

import HostOS

struct CodePages {
    private let words: UnsafeMutablePointer<UInt64>
    /// Pages that ever held code lie in [low, high): keeps scans of large ranges short.
    private var low: UInt64 = .max, high: UInt64 = 0

    init(limit: UInt64) throws(Errno) {
        let bytes = Int(limit >> 12) / 8 + 8
        words = try HostMemory.reserve(bytes).bindMemory(to: UInt64.self, capacity: bytes / 8)
    }

    func contains(_ address: UInt64) -> Bool {
        let page = address &>> 12
        return words[Int(truncatingIfNeeded: page &>> 6)] & (1 &<< (page & 63)) != 0
    }

    mutating func insert(_ address: UInt64) {
        let page = address &>> 12
        words[Int(truncatingIfNeeded: page &>> 6)] |= 1 &<< (page & 63)
        low = min(low, address & ~4095)
        high = max(high, (address & ~4095) &+ 4096)
    }

    mutating func remove(_ address: UInt64) {
        let page = address &>> 12
        words[Int(truncatingIfNeeded: page &>> 6)] &= ~(1 &<< (page & 63))
    }

    /// The first page with code in [start, end).
    func first(in start: UInt64, _ end: UInt64) -> UInt64? {
        var at = max(start & ~4095, low)
        let stop = min(end, high)
        while at < stop {
            let page = at &>> 12
            let rest = words[Int(truncatingIfNeeded: page &>> 6)] &>> (page & 63)
            if rest != 0 {
                let found = (page &+ UInt64(rest.trailingZeroBitCount)) &<< 12
                return found < stop ? found : nil
            }
            at = ((page | 63) &+ 1) &<< 12
        }
        return nil
    }
}
