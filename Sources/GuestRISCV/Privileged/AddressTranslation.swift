// Virtual addresses to physical ones (Privileged ISA, "Supervisor Address Translation and Protection (satp) Register", "Sv32" to "Sv57",
// chapters "Svnapot", "Svpbmt", "Svadu").

import GuestKit
import GuestMemory
import IR
import Synchronization

/// Numbers of the kinds of accesses that translated code makes (`MemOp`).
public enum MMUIndex {
    public static let user = 0
    public static let supervisor = 1
    /// Of M mode: its loads and stores, which MPRV may make those of another mode.
    public static let machine = 2
    /// Of M mode: its fetches.
    public static let machineFetch = 3
    public static let count = 4
}

/// What satp says, in terms of one kind of page table.
struct PageTable {
    /// Levels; 0: addresses are physical.
    var levels: Int
    /// Physical address of the root.
    var root: UInt64

    /// Modes of satp on RV64.
    enum Mode { static let sv39: UInt64 = 8, sv48: UInt64 = 9, sv57: UInt64 = 10 }
    /// Bits of physical page numbers that satp keeps on RV64: physical addresses have 52 bits.
    static let rootMask: UInt64 = (1 << 40) - 1
}

/// Bits of page-table entries.
private enum Entry {
    static let valid: UInt64 = 1 << 0
    static let read: UInt64 = 1 << 1
    static let write: UInt64 = 1 << 2
    static let execute: UInt64 = 1 << 3
    static let user: UInt64 = 1 << 4
    static let global: UInt64 = 1 << 5
    static let accessed: UInt64 = 1 << 6
    static let dirty: UInt64 = 1 << 7
    /// Of RV64.
    static let reserved: UInt64 = 0x7f << 54
    static let memoryType: UInt64 = 3 << 61
    static let contiguous: UInt64 = 1 << 63
}

extension SystemConfiguration {
    /// satp as written, if its mode is one that the hart has: otherwise a write has no effect.
    func satp(_ value: UInt64) -> UInt64? {
        if isNarrow { return value >> 31 & 1 == 0 || extensions.contains(.sv32) ? value & 0xffff_ffff : nil }
        let isKnown =
            switch value >> 60 {
            case 0: true
            case PageTable.Mode.sv39: extensions.contains(.sv39)
            case PageTable.Mode.sv48: extensions.contains(.sv48)
            case PageTable.Mode.sv57: extensions.contains(.sv57)
            default: false
            }
        return isKnown ? value & (0xffff_f << 44 | PageTable.rootMask) : nil
    }

    func pageTable(_ satp: UInt64) -> PageTable {
        if isNarrow { return PageTable(levels: satp >> 31 == 0 ? 0 : 2, root: (satp & 0x3f_ffff) << 12) }
        let mode = satp >> 60
        return PageTable(
            levels: mode == 0 ? 0 : Int(mode &- PageTable.Mode.sv39 &+ 3), root: (satp & PageTable.rootMask) << 12)
    }
}

extension Hart {
    /// The mode that accesses under an index count as made in.
    @inline(__always) func privilege(of index: Int, _ access: MemoryAccess) -> UInt64 {
        switch index {
        case MMUIndex.user: return 0
        case MMUIndex.supervisor: return 1
        case MMUIndex.machine where p.mstatus & MStatus.mprv != 0 && access != .execute:
            return p.mstatus >> MStatus.mppShift & 3
        default: return 3
        }
    }

    /// All that a walk depends on, but for page tables and PMP: two values are equal only where all of it is.
    ///
    ///     0-39 root's page   40-55 ASID   56-57 kind of page table   58 SUM   59 MXR   60-61 mode   (RV64)
    func view(_ index: Int) -> UInt64 {
        let privilege = privilege(of: index, .read)
        let key = privilege << 60
        if privilege == 3 { return key }
        let satp = p.satp
        let mode = configuration.pointee.isNarrow ? satp >> 31 : satp >> 60
        // Without translation a mode sees the same whatever the rest says.
        if mode == 0 { return key }
        var view = key | (mode & 3 &+ 1) << 56
        view |=
            configuration.pointee.isNarrow
            ? satp & 0x7fff_ffff : satp & PageTable.rootMask | (satp >> 44 & 0xffff) << 40
        if privilege == 1 && p.mstatus & MStatus.sum != 0 { view |= 1 << 58 }
        if p.mstatus & MStatus.mxr != 0 { view |= 1 << 59 }
        return view
    }

    static let addressSpaceOfView: UInt64 = (1 << 56) - 1
    /// SUM and MXR, which are for loads and stores.
    static let dataOfView: UInt64 = 3 << 58

    /// Is a view one of page tables with that ASID? (On RV32 satp has it in bits 22 to 30.)
    static func isView(_ view: UInt64, of space: UInt64, isNarrow: Bool) -> Bool {
        guard view >> 56 & 3 != 0 else { return false }
        return (isNarrow ? view >> 22 & 0x1ff : view >> 40 & 0xffff) == space
    }

    func walk(_ address: UInt64, _ access: MemoryAccess, index: Int, _ memory: PhysicalMap) -> Walk {
        let privilege = privilege(of: index, access)
        let configuration = configuration
        let table = privilege == 3 ? PageTable(levels: 0, root: 0) : configuration.pointee.pageTable(p.satp)
        if table.levels == 0 {
            return protected(
                address, leafBits: 12, rights: Right.all, isGlobal: true, access, isMachine: privilege == 3)
        }
        if configuration.pointee.isNarrow {
            return walk(Narrow.self, address, access, isUser: privilege == 0, table, memory)
        }
        return walk(Wide.self, address, access, isUser: privilege == 0, table, memory)
    }

    /// The result, with what PMP leaves of it.
    @inline(__always)
    private func protected(
        _ physical: UInt64, leafBits: UInt64, rights: UInt8, isGlobal: Bool, _ access: MemoryAccess, isMachine: Bool
    ) -> Walk {
        let span = protection(physical, isMachine: isMachine)
        guard span.rights & access.right != 0 else { return .fault(accessFault(access)) }
        return .page(
            PageMapping(
                physical: physical, leafBits: UInt8(truncatingIfNeeded: leafBits),
                rights: PageMapping.Rights(rawValue: rights & span.rights),
                isUniform: span.contains(pageOf: physical), reach: span.high &- physical, isGlobal: isGlobal))
    }

    @inline(__always)
    private func walk<Format: EntryFormat>(
        _ format: Format.Type, _ address: UInt64, _ access: MemoryAccess, isUser: Bool, _ table: PageTable,
        _ memory: PhysicalMap
    ) -> Walk {
        var pageFault: Walk { .fault(self.pageFault(access)) }
        var accessFault: Walk { .fault(self.accessFault(access)) }
        guard Format.isCanonical(address, levels: table.levels) else { return pageFault }
        let features = features

        again: while true {
            var base = table.root
            var level = table.levels &- 1
            var isGlobal = false
            while true {
                let shift = UInt64(12 &+ level &* Format.indexBits)
                let place = base &+ (address &>> shift & Format.indexMask) &* Format.size
                let span = protection(place, isMachine: false)
                guard span.rights & Right.read != 0, span.high &- place >= Format.size,
                    let host = memory.host(place, count: Format.size)
                else { return accessFault }
                let entry = Format.load(host.base)
                if entry & Entry.valid == 0 || entry & (Entry.read | Entry.write) == Entry.write { return pageFault }
                if Format.isReserved(entry, features) { return pageFault }
                if entry & Entry.global != 0 { isGlobal = true }
                var page = Format.page(entry)
                if entry & (Entry.read | Entry.execute) == 0 {
                    let leafOnly = Entry.user | Entry.accessed | Entry.dirty | Format.leafOnly
                    if entry & leafOnly != 0 || level == 0 { return pageFault }
                    base = page << 12
                    level &-= 1
                    continue
                }

                // A leaf.
                var rights = rights(entry, isUser: isUser)
                if rights & access.right == 0 { return pageFault }
                var bits = shift
                if entry & Format.contiguous != 0 {
                    // Svnapot: 16 pages of the lowest level, told by the low bits of the page's number.
                    if level != 0 || page & 0xf != 8 { return pageFault }
                    page &= ~0xf
                    bits = 16
                } else if page & ((1 &<< (shift &- 12)) &- 1) != 0 {
                    return pageFault
                }
                let needed = access == .write ? Entry.accessed | Entry.dirty : Entry.accessed
                var new = entry
                if entry & needed != needed {
                    guard features & Features.setsBits != 0 else { return pageFault }
                    guard span.rights & Right.write != 0, !host.isReadOnly else { return accessFault }
                    new = entry | needed
                    // Whoever changed the entry in between is obeyed.
                    if !Format.exchange(host.base, entry, new) { continue again }
                    _ = configuration.pointee.inputs.tablesWritten(state, place, Format.size, 0, 0)
                }
                if new & Entry.dirty == 0 { rights &= ~Right.write }
                let offset = address & ((1 &<< bits) &- 1)
                return protected(
                    page &<< 12 & ~((1 &<< bits) &- 1) | offset, leafBits: bits, rights: rights, isGlobal: isGlobal,
                    access, isMachine: false)
            }
        }
    }

    /// What a leaf allows.
    @inline(__always) private func rights(_ entry: UInt64, isUser: Bool) -> UInt8 {
        var rights = UInt8(truncatingIfNeeded: entry >> 1 & 7)
        if p.mstatus & MStatus.mxr != 0 && rights & 4 != 0 { rights |= 1 }
        let isOfUser = entry & Entry.user != 0
        if isUser {
            if !isOfUser { rights = 0 }
        } else if isOfUser {
            // Never to execute, whatever SUM says.
            rights = p.mstatus & MStatus.sum != 0 ? rights & 3 : 0
        }
        return rights
    }

    /// What of the extensions is in use, as `EntryFormat.isReserved` asks for it.
    private var features: UInt64 {
        var features: UInt64 = 0
        let extensions = configuration.pointee.extensions
        if extensions.contains(.svnapot) { features |= Features.contiguous }
        if p.menvcfg & Environment.pbmte != 0 { features |= Features.memoryTypes }
        if !extensions.contains(.svadu) ? !extensions.contains(.svade) : p.menvcfg & Environment.adue != 0 {
            features |= Features.setsBits
        }
        return features
    }

    @inline(__always) private func pageFault(_ access: MemoryAccess) -> UInt32 {
        switch access {
        case .read: Cause.loadPageFault
        case .write: Cause.storePageFault
        case .execute: Cause.fetchPageFault
        }
    }
    @inline(__always) private func accessFault(_ access: MemoryAccess) -> UInt32 {
        switch access {
        case .read: Cause.loadAccessFault
        case .write: Cause.storeAccessFault
        case .execute: Cause.fetchAccessFault
        }
    }
}

private enum Features {
    static let contiguous: UInt64 = 1
    static let memoryTypes: UInt64 = 2
    static let setsBits: UInt64 = 4
}

/// Page-table entries of a width.
private protocol EntryFormat {
    static var size: UInt64 { get }
    static var indexBits: Int { get }
    static var indexMask: UInt64 { get }
    /// Bits that only leaves may have, and of these the one that Svnapot has.
    static var leafOnly: UInt64 { get }
    static var contiguous: UInt64 { get }
    static func isCanonical(_ address: UInt64, levels: Int) -> Bool
    static func isReserved(_ entry: UInt64, _ features: UInt64) -> Bool
    /// The number of the page that it points to.
    static func page(_ entry: UInt64) -> UInt64
    static func load(_ host: UnsafeMutableRawPointer) -> UInt64
    static func exchange(_ host: UnsafeMutableRawPointer, _ old: UInt64, _ new: UInt64) -> Bool
}

/// Sv39, Sv48, Sv57.
private enum Wide: EntryFormat {
    static let size: UInt64 = 8
    static let indexBits = 9
    static let indexMask: UInt64 = 0x1ff
    static let leafOnly = Entry.contiguous | Entry.memoryType
    static let contiguous = Entry.contiguous

    @inline(__always) static func isCanonical(_ address: UInt64, levels: Int) -> Bool {
        let unused = Int64(64 - 12 &- 9 &* levels)
        return (Int64(bitPattern: address) &<< unused) &>> unused == Int64(bitPattern: address)
    }
    @inline(__always) static func isReserved(_ entry: UInt64, _ features: UInt64) -> Bool {
        if entry & (Entry.reserved | Entry.memoryType | Entry.contiguous) == 0 { return false }
        if entry & Entry.reserved != 0 { return true }
        if entry & Entry.contiguous != 0 && features & Features.contiguous == 0 { return true }
        let type = entry & Entry.memoryType
        return type != 0 && (features & Features.memoryTypes == 0 || type == Entry.memoryType)
    }
    @inline(__always) static func page(_ entry: UInt64) -> UInt64 { entry >> 10 & ((1 << 44) - 1) }
    @inline(__always) private static func atom(_ host: UnsafeMutableRawPointer) -> UnsafePointer<Atomic<UInt64>> {
        UnsafePointer(OpaquePointer(host))
    }
    @inline(__always) static func load(_ host: UnsafeMutableRawPointer) -> UInt64 {
        atom(host).pointee.load(ordering: .acquiring)
    }
    @inline(__always) static func exchange(_ host: UnsafeMutableRawPointer, _ old: UInt64, _ new: UInt64) -> Bool {
        atom(host).pointee.compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent).exchanged
    }
}

/// Sv32.
private enum Narrow: EntryFormat {
    static let size: UInt64 = 4
    static let indexBits = 10
    static let indexMask: UInt64 = 0x3ff
    static let leafOnly: UInt64 = 0
    static let contiguous: UInt64 = 0

    @inline(__always) static func isCanonical(_ address: UInt64, levels: Int) -> Bool { true }
    @inline(__always) static func isReserved(_ entry: UInt64, _ features: UInt64) -> Bool { false }
    @inline(__always) static func page(_ entry: UInt64) -> UInt64 { entry >> 10 }
    @inline(__always) private static func atom(_ host: UnsafeMutableRawPointer) -> UnsafePointer<Atomic<UInt32>> {
        UnsafePointer(OpaquePointer(host))
    }
    @inline(__always) static func load(_ host: UnsafeMutableRawPointer) -> UInt64 {
        UInt64(atom(host).pointee.load(ordering: .acquiring))
    }
    @inline(__always) static func exchange(_ host: UnsafeMutableRawPointer, _ old: UInt64, _ new: UInt64) -> Bool {
        atom(host).pointee.compareExchange(
            expected: UInt32(truncatingIfNeeded: old), desired: UInt32(truncatingIfNeeded: new),
            ordering: .sequentiallyConsistent
        ).exchanged
    }
}
