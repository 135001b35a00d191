// Addresses that page tables map by leaves larger than a page: a flush of one of them is a flush of all that its leaf maps.

import CodeGen

/// Where they lie, as one range.
struct LargeLeaves {
    private var low = UInt64.max
    private var high: UInt64 = 0

    /// Notes the leaf that maps an address, of so many bytes (log2), if it is a large one.
    mutating func note(_ address: UInt64, leafBits: UInt64) {
        guard leafBits > TLBEntry.pageBits else { return }
        let size: UInt64 = 1 &<< leafBits
        low = min(low, address & ~(size &- 1))
        high = max(high, address | (size &- 1))
    }

    /// May such a leaf map the address?
    func mayHold(_ address: UInt64) -> Bool { address >= low && address <= high }
}
