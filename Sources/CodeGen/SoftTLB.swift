// Guest addresses through look-up tables in memory (a software TLB): what a machine's memory accesses go through, where a process's
// addresses are the host's own.
//
//     entry = table[(address >> 12) & (entries - 1)]           one table per MMU index: `VCPUHeader.views`
//     (address ^ entry.tag) <= 4096 - size  ->  the bytes are at the host address `address + entry.addend`
//
// One comparison finds another page, an access over the page's end, and pages that no entry is for. Then generated code asks the vCPU's
// owner (`VCPUHeader.slowAccess`), who fills the entry, makes the access itself, or has generated code left.

import IR

/// How generated code reaches guest memory.
public enum GuestAddressing: Sendable {
    /// A guest address is the host address; what may not be touched, the host's own MMU refuses.
    case identity
    /// Through the tables of `VCPUHeader.views`.
    case tables
}

/// One entry of a table. All-zero memory is an empty table, but for its entry 0 (`TLBEntry.empty`).
public struct TLBEntry: BitwiseCopyable, Sendable {
    /// Page address that may be read, and written, without asking; for any other a page address that has no place in this entry.
    public var readTag: UInt64
    public var writeTag: UInt64
    /// Host address minus guest address.
    public var addend: UInt64
    /// For whoever fills the entries.
    public var info: UInt64

    @inlinable public init(readTag: UInt64, writeTag: UInt64, addend: UInt64, info: UInt64) {
        self.readTag = readTag
        self.writeTag = writeTag
        self.addend = addend
        self.info = info
    }

    public static let pageBits: UInt64 = 12
    public static let pageSize: UInt64 = 1 << pageBits
    /// log2 of an entry's bytes.
    public static let sizeBits: UInt64 = 5

    /// A tag that no page with a place in entry `index` has.
    @inlinable @inline(__always) public static func noTag(_ index: Int) -> UInt64 { index == 0 ? pageSize : 0 }
    @inlinable @inline(__always) public static func empty(_ index: Int) -> TLBEntry {
        TLBEntry(readTag: noTag(index), writeTag: noTag(index), addend: 0, info: 0)
    }
}

/// The table of an MMU index.
public struct TLBView: BitwiseCopyable {
    public var table: UInt64
    /// (entries - 1) << `TLBEntry.sizeBits`; at least two entries.
    public var mask: UInt64

    @inlinable public init(table: UInt64, mask: UInt64) {
        self.table = table
        self.mask = mask
    }

    /// The entry for an address.
    @inlinable @inline(__always)
    public func entry(_ address: UInt64) -> UnsafeMutablePointer<TLBEntry> {
        let offset = address &>> (TLBEntry.pageBits &- TLBEntry.sizeBits) & mask
        return UnsafeMutablePointer(bitPattern: UInt(truncatingIfNeeded: table &+ offset)).unsafelyUnwrapped
    }
}

/// An access that generated code could not make through its entry.
public struct SlowAccess {
    public enum Kind: UInt8, Sendable { case load, store, readModifyWrite, compareAndSwap, compareAndSwapPair }
    public var kind: Kind
    public var memOp: MemOp
    public var atomicOp: AtomicOp
    public var address: UInt64
    /// The value to store, the operand of the read-modify-write, the new value of the compare-and-swap. (That of a pair has its operands
    /// and its result at `pair`.)
    public var value: UInt64
    public var expected: UInt64
    public var pair: UnsafeMutableRawPointer?
    /// The value loaded, or the old value: extended as `memOp` says.
    public var result: UInt64 = 0

    public init(
        _ kind: Kind, _ memOp: MemOp, address: UInt64, value: UInt64 = 0, expected: UInt64 = 0,
        atomicOp: AtomicOp = .swap, pair: UnsafeMutableRawPointer? = nil
    ) {
        self.kind = kind
        self.memOp = memOp
        self.address = address
        self.value = value
        self.expected = expected
        self.atomicOp = atomicOp
        self.pair = pair
    }

    public var isWrite: Bool { kind != .load }
}

public enum SlowOutcome: UInt32, Sendable {
    /// The entry is filled: the access can be made through it now.
    case retry
    /// The access has been made.
    case done
    /// Generated code is to be left with `ExitReason.fault`, the pc at the instruction: `exitValue` is the address that is to be
    /// resolved, `faultIsWrite` says how it was accessed.
    case leave
}

/// (CPU state, access) -> outcome
public typealias SlowAccessFunction = (UnsafeMutableRawPointer, inout SlowAccess) -> SlowOutcome

extension MemOp {
    /// A value's low `size` bytes between memory and the host's byte order; the bytes above are zero.
    @inlinable @inline(__always)
    public func ordered(_ value: UInt64) -> UInt64 {
        let unused = UInt64(truncatingIfNeeded: 64 &- 8 &* size)
        let low = (value &<< unused) &>> unused
        #if _endian(little)
            return isBigEndian ? low.byteSwapped &>> unused : low
        #else
            return isBigEndian ? low : low.byteSwapped &>> unused
        #endif
    }

    /// A value's low `size` bytes, extended as the descriptor says.
    @inlinable @inline(__always)
    public func extended(_ value: UInt64) -> UInt64 {
        let unused = Int64(truncatingIfNeeded: 64 &- 8 &* size)
        if isSigned { return UInt64(bitPattern: (Int64(bitPattern: value) &<< unused) &>> unused) }
        return (value &<< UInt64(bitPattern: unused)) &>> UInt64(bitPattern: unused)
    }
}

extension AtomicOp {
    /// What is stored over `old`. Comparisons are on values of the access's size, whatever its descriptor's extension.
    public func apply(_ old: UInt64, _ operand: UInt64, _ m: MemOp) -> UInt64 {
        let unused = UInt64(truncatingIfNeeded: 64 &- 8 &* m.size)
        // At the top of the word, both signednesses compare as they should.
        let x = old &<< unused
        let y = operand &<< unused
        let isLess = Int64(bitPattern: x) < Int64(bitPattern: y)
        return switch self {
        case .swap: operand
        case .add: old &+ operand
        case .and: old & operand
        case .or: old | operand
        case .xor: old ^ operand
        case .smin: isLess ? old : operand
        case .smax: isLess ? operand : old
        case .umin: x < y ? old : operand
        case .umax: x < y ? operand : old
        }
    }
}
