// Physical memory protection (Privileged ISA, "Physical Memory Protection"): 16 entries, of any granularity from four bytes on.

import GuestKit
import GuestMemory
import IR

public struct PMPState {
    static let count = 16

    /// As the registers have them.
    var configuration: InlineArray<16, UInt8> = .init(repeating: 0)
    var address: InlineArray<16, UInt64> = .init(repeating: 0)
    /// The bytes [low, high) of each entry; none of one that is off.
    private var low: InlineArray<16, UInt64> = .init(repeating: 0)
    private var high: InlineArray<16, UInt64> = .init(repeating: 0)
    /// No entry from this on is in use.
    private var used = 0
    /// The span that was found last, for S and U, and for M.
    private var last: InlineArray<2, PMPSpan> = .init(repeating: .nothing)

    static let locked: UInt8 = 0x80
    private enum Matching { static let tor: UInt8 = 1, na4: UInt8 = 2 }

    /// Addresses around `address` that have the same rights, for M or for the other modes.
    @inline(__always) mutating func find(_ address: UInt64, isMachine: Bool) -> PMPSpan {
        let known = isMachine ? last[1] : last[0]
        return known.contains(address) ? known : search(address, isMachine: isMachine)
    }

    private mutating func search(_ address: UInt64, isMachine: Bool) -> PMPSpan {
        // Entries of higher priority that do not match bound what the one that does stands for.
        var span = PMPSpan(low: 0, high: .max, rights: isMachine ? Right.all : 0)
        var i = 0
        while i < used {
            if low[i] < high[i] {
                if address < low[i] {
                    span.high = min(span.high, low[i])
                } else if address >= high[i] {
                    span.low = max(span.low, high[i])
                } else {
                    span.low = max(span.low, low[i])
                    span.high = min(span.high, high[i])
                    let isEnforced = !isMachine || configuration[i] & Self.locked != 0
                    span.rights = isEnforced ? configuration[i] & Right.all : Right.all
                    break
                }
            }
            i &+= 1
        }
        last[isMachine ? 1 : 0] = span
        return span
    }

    func isLocked(_ i: Int) -> Bool { configuration[i] & Self.locked != 0 }
    private func matching(_ i: Int) -> UInt8 { configuration[i] >> 3 & 3 }

    /// Writing without reading is reserved: such an entry allows neither.
    mutating func set(configuration value: UInt8, of i: Int) {
        if isLocked(i) { return }
        var new = value & 0x9f
        if new & 3 == 2 { new &= ~2 }
        configuration[i] = new
    }
    /// The entry above, where it is a range that begins here, locks the address, too.
    mutating func set(address value: UInt64, of i: Int) {
        if isLocked(i) { return }
        if i + 1 < Self.count, isLocked(i + 1), matching(i + 1) == Matching.tor { return }
        address[i] = value
    }

    /// Works out what the registers mean.
    mutating func update() {
        used = 0
        for i in 0..<Self.count {
            let a = address[i]
            switch matching(i) {
            case 0: (low[i], high[i]) = (0, 0)
            case Matching.tor: (low[i], high[i]) = (i == 0 ? 0 : address[i - 1] << 2, a << 2)
            case Matching.na4: (low[i], high[i]) = (a << 2, a << 2 + 4)
            default:  // NAPOT: ones below the lowest zero say how many bytes.
                let ones = a ^ (a &+ 1)
                low[i] = (a & ~ones) << 2
                high[i] = low[i] &+ (ones &+ 1) << 2
            }
            if low[i] < high[i] { used = i + 1 }
        }
        last = .init(repeating: .nothing)
    }
}

/// Addresses [low, high) with the same rights.
struct PMPSpan {
    var low: UInt64
    var high: UInt64
    /// Bits of `Right`.
    var rights: UInt8

    @inline(__always) func contains(_ address: UInt64) -> Bool { address >= low && address < high }
    @inline(__always) func contains(pageOf address: UInt64) -> Bool {
        low <= address & ~0xfff && high &- 1 >= address | 0xfff
    }
    @inline(__always) static var all: PMPSpan { PMPSpan(low: 0, high: .max, rights: Right.all) }
    @inline(__always) static var nothing: PMPSpan { PMPSpan(low: 0, high: 0, rights: 0) }
}

/// The bits of `PageMapping.Rights`, which are also those of PMP entries.
enum Right {
    static let read: UInt8 = 1
    static let write: UInt8 = 2
    static let execute: UInt8 = 4
    static let all: UInt8 = 7
}

extension MemoryAccess {
    @inline(__always) var right: UInt8 { 1 &<< rawValue }
}

extension Hart {
    /// What a mode may do around a physical address.
    @inline(__always) func protection(_ address: UInt64, isMachine: Bool) -> PMPSpan {
        configuration.pointee.extensions.contains(.pmp) ? p.pmp.find(address, isMachine: isMachine) : .all
    }

    func pmpChanged() {
        p.pmp.update()
        flush()
    }

    /// pmpcfg`i`: four bytes, or eight on RV64, where the odd ones are not.
    func readPMPConfiguration(_ i: Int) -> UInt64 {
        let count = configuration.pointee.isNarrow ? 4 : 8
        var value: UInt64 = 0
        for k in 0..<count { value |= UInt64(p.pmp.configuration[i * 4 + k]) << UInt64(8 * k) }
        return value
    }
    func writePMPConfiguration(_ i: Int, _ value: UInt64) {
        let count = configuration.pointee.isNarrow ? 4 : 8
        for k in 0..<count {
            p.pmp.set(configuration: UInt8(truncatingIfNeeded: value >> UInt64(8 * k)), of: i * 4 + k)
        }
        pmpChanged()
    }
    /// Bits 2 to 55 of an address; to 33 on RV32.
    func writePMPAddress(_ i: Int, _ value: UInt64) {
        p.pmp.set(address: value & (configuration.pointee.isNarrow ? 0xffff_ffff : (1 << 54) - 1), of: i)
        pmpChanged()
    }
}
