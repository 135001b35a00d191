// Address translation and memory protection once more, as the manual words them: step by step, without a thought of speed.

import GuestMemory

@testable import GuestRISCV

/// Physical memory protection (Privileged ISA, "Physical Memory Protection").
struct ProtectionModel {
    var configuration: [UInt8]
    var address: [UInt64]

    private func range(_ i: Int) -> (low: UInt64, high: UInt64)? {
        switch configuration[i] >> 3 & 3 {
        case 1: return (i == 0 ? 0 : address[i - 1] * 4, address[i] * 4)
        case 2: return (address[i] * 4, address[i] * 4 + 4)
        case 3:
            var bits: UInt64 = 0
            while address[i] >> bits & 1 != 0 { bits += 1 }
            let size: UInt64 = 8 << bits
            let low = (address[i] & ~((1 << bits) - 1)) * 4
            return (low, low + size)
        default: return nil
        }
    }

    /// May an access be made? The first entry that matches any of its bytes has to match all of them.
    func allows(_ byte: UInt64, _ access: MemoryAccess, count: UInt64 = 1, isMachine: Bool) -> Bool {
        let bytes = (0..<count).map { byte &+ $0 }
        for i in 0..<configuration.count {
            guard let (low, high) = range(i) else { continue }
            let matched = bytes.filter { $0 >= low && $0 < high }.count
            if matched == 0 { continue }
            if matched < bytes.count { return false }
            if isMachine && configuration[i] & 0x80 == 0 { return true }
            return configuration[i] >> access.rawValue & 1 != 0
        }
        return isMachine
    }
}

/// Virtual address translation process (Privileged ISA, chapter "Supervisor-Level ISA").
struct TranslationModel {
    /// Entries by their address, in memory at `range`; what is missing is 0.
    var entries: [UInt64: UInt64] = [:]
    let range: Range<UInt64>
    var isNarrow = false
    var levels = 3
    var root: UInt64 = 0
    var isUser = false
    var sum = false
    var mxr = false
    var hasMemoryTypes = false
    var hasContiguous = true
    var setsBits = false
    var protection: ProtectionModel?

    enum Result: Equatable {
        case fault(UInt32)
        case page(physical: UInt64, leafBits: Int, isGlobal: Bool)
    }

    var entrySize: UInt64 { isNarrow ? 4 : 8 }
    private var indexBits: Int { isNarrow ? 10 : 9 }

    private func read(_ address: UInt64) -> UInt64? {
        range.contains(address) && range.contains(address + entrySize - 1) ? entries[address] ?? 0 : nil
    }

    private func allows(_ address: UInt64, _ access: MemoryAccess, count: UInt64 = 1) -> Bool {
        protection?.allows(address, access, count: count, isMachine: false) ?? true
    }

    mutating func translate(_ va: UInt64, _ access: MemoryAccess) -> Result {
        let pageFault = Result.fault(access == .execute ? 12 : access == .read ? 13 : 15)
        let accessFault = Result.fault(access == .execute ? 1 : access == .read ? 5 : 7)
        if !isNarrow {
            let top = 12 + 9 * levels - 1
            let high = va >> UInt64(top)
            if high != 0 && high != UInt64.max >> UInt64(top) { return pageFault }
        }
        // 1.
        var a = root
        var i = levels - 1
        var isGlobal = false
        while true {
            // 2.
            let index = va >> UInt64(12 + i * indexBits) & (isNarrow ? 0x3ff : 0x1ff)
            let place = a + index * entrySize
            guard allows(place, .read, count: entrySize), let pte = read(place) else { return accessFault }
            func bit(_ n: UInt64) -> Bool { pte >> n & 1 != 0 }
            // 3.
            if !bit(0) || !bit(1) && bit(2) { return pageFault }
            let type = isNarrow ? 0 : pte >> 61 & 3
            let isContiguous = !isNarrow && bit(63)
            if !isNarrow && pte >> 54 & 0x7f != 0 { return pageFault }
            if type == 3 || type != 0 && !hasMemoryTypes { return pageFault }
            if isContiguous && !hasContiguous { return pageFault }
            if bit(5) { isGlobal = true }
            let ppn = isNarrow ? pte >> 10 : (pte & ~(0x3ff << 54)) >> 10
            // 4.
            if !bit(1) && !bit(3) {
                if bit(4) || bit(6) || bit(7) || type != 0 || isContiguous { return pageFault }
                i -= 1
                if i < 0 { return pageFault }
                a = ppn * 4096
                continue
            }
            // 5. to 7.
            if isUser != bit(4) {
                if isUser || access == .execute || !sum { return pageFault }
            }
            switch access {
            case .read: if !bit(1) && !(mxr && bit(3)) { return pageFault }
            case .write: if !bit(2) { return pageFault }
            case .execute: if !bit(3) { return pageFault }
            }
            // 8.
            var page = ppn
            var bits = 12 + i * indexBits
            if isContiguous {
                if i > 0 || ppn & 15 != 8 { return pageFault }
                bits = 16
                page = ppn & ~15
            } else if page % (1 << UInt64(bits - 12)) != 0 {
                return pageFault
            }
            // 9.
            if !bit(6) || access == .write && !bit(7) {
                if !setsBits { return pageFault }
                if !allows(place, .write, count: entrySize) { return accessFault }
                entries[place] = pte | 0x40 | (access == .write ? 0x80 : 0)
            }
            // 10.
            let mask: UInt64 = (1 << UInt64(bits)) - 1
            let physical = page * 4096 & ~mask | va & mask
            if !allows(physical, access) { return accessFault }
            return .page(physical: physical, leafBits: bits, isGlobal: isGlobal)
        }
    }
}
