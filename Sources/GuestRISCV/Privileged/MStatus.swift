// mstatus, and sstatus as a part of it (Privileged ISA, "Machine Status (mstatus and mstatush) Registers").

import IR

/// Bits and fields.
enum MStatus {
    static let sie: UInt64 = 1 << 1
    static let mie: UInt64 = 1 << 3
    static let spie: UInt64 = 1 << 5
    static let mpie: UInt64 = 1 << 7
    static let spp: UInt64 = 1 << 8
    static let mpp: UInt64 = 3 << 11
    static let fs: UInt64 = 3 << 13
    static let mprv: UInt64 = 1 << 17
    static let sum: UInt64 = 1 << 18
    static let mxr: UInt64 = 1 << 19
    static let tvm: UInt64 = 1 << 20
    static let tw: UInt64 = 1 << 21
    static let tsr: UInt64 = 1 << 22
    static let uxl: UInt64 = 3 << 32
    static let sxl: UInt64 = 3 << 34
    /// UXL and SXL of a hart of 64 bits: never another width.
    static let uxl64: UInt64 = 2 << 32
    static let sxl64: UInt64 = 2 << 34

    static let mppShift: UInt64 = 11
    /// Lowest bit of FS.
    static let fsInitial: UInt64 = 1 << 13

    /// What sstatus shows of them, besides SD.
    static let supervisor = sie | spie | spp | fs | sum | mxr | uxl
    /// What decides which view an MMU index has. MPP only with MPRV.
    static let views = mprv | sum | mxr
}

extension MStatus {
    /// Bits that can be written. Big-endian accesses (MBE, SBE, UBE) are not offered, nor are vector registers and other extensions' state.
    static func writable(_ extensions: RISCVExtensions) -> UInt64 {
        var mask = mie | mpie | mpp
        if extensions.contains(.u) { mask |= mprv | tw }
        if extensions.contains(.s) { mask |= sie | spie | spp | sum | mxr | tvm | tsr }
        if extensions.contains(.f) { mask |= fs }
        return mask
    }
}

extension SystemConfiguration {
    /// mstatus at reset.
    var initialStatus: UInt64 {
        var status: UInt64 = hasUser ? 0 : MStatus.mpp
        if !isNarrow {
            if hasUser { status |= MStatus.uxl64 }
            if hasSupervisor { status |= MStatus.sxl64 }
        }
        return status
    }

    func has(_ privilege: UInt64) -> Bool {
        switch privilege {
        case 0: hasUser
        case 1: hasSupervisor
        case 3: true
        default: false
        }
    }
}

extension Hart {
    /// mstatus with everything but SD.
    @inline(__always) var status: UInt64 { p.mstatus | p.floatDirty }

    /// As it reads: SD says that FS is Dirty.
    func read(status mask: UInt64) -> UInt64 {
        let status = status
        return status & mask | (status & MStatus.fs == MStatus.fs ? configuration.pointee.topBit : 0)
    }

    /// Writes the bits of mstatus that are in `mask`, and does what follows from it but for interrupts.
    func write(status value: UInt64, mask: UInt64) {
        let configuration = configuration
        let old = status
        var new = old & ~mask | value & mask & configuration.pointee.writableStatus
        new |= old & mask & ~configuration.pointee.writableStatus
        // WARL: a mode that the hart lacks is not stored.
        if !configuration.pointee.has(new >> MStatus.mppShift & 3) { new = new & ~MStatus.mpp | old & MStatus.mpp }
        if new & MStatus.spp != 0 && !configuration.pointee.hasSupervisor { new &= ~MStatus.spp }
        p.mstatus = new
        p.floatDirty = 0
        let changed = old ^ new
        if changed & MStatus.views != 0 || changed & MStatus.mpp != 0 && new & MStatus.mprv != 0 { viewsChanged() }
    }

    /// Goes to another mode.
    func enter(_ privilege: Privilege) {
        if p.privilege == UInt64(privilege.rawValue) { return }
        p.privilege = UInt64(privilege.rawValue)
        viewsChanged()
    }
}
