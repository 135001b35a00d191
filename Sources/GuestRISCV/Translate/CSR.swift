// Control and status registers that user mode has (Unprivileged ISA, chapters "Zicsr", "Zicntr", "F"). All others are illegal there; those
// of a machine are in Privileged.swift.

import GuestKit
import IR

/// Numbers of the registers (Privileged ISA, "CSR Listing").
private enum CSRNumber {
    static let fflags: Int32 = 0x001
    static let frm: Int32 = 0x002
    static let fcsr: Int32 = 0x003
    static let cycle: Int32 = 0xc00
    static let time: Int32 = 0xc01
    static let instret: Int32 = 0xc02
    static let performanceCounters: ClosedRange<Int32> = 0xc03...0xc1f
    /// Distance of the upper half of a counter on RV32.
    static let high: Int32 = 0x80
}

extension RISCVTranslator {
    // Without a destination csrrw does not read; without bits to set or clear, csrrs and csrrc do not write.
    mutating func csrrw(_ a: Args.CSR) -> Bool { access(a.csr, a.rd, .write, x(a.rs1)) }
    mutating func csrrs(_ a: Args.CSR) -> Bool { access(a.csr, a.rd, a.rs1 == 0 ? .none : .setBits, x(a.rs1)) }
    mutating func csrrc(_ a: Args.CSR) -> Bool { access(a.csr, a.rd, a.rs1 == 0 ? .none : .clearBits, x(a.rs1)) }
    mutating func csrrwi(_ a: Args.CSRI) -> Bool { access(a.csr, a.rd, .write, word(Int64(a.zimm))) }
    mutating func csrrsi(_ a: Args.CSRI) -> Bool {
        access(a.csr, a.rd, a.zimm == 0 ? .none : .setBits, word(Int64(a.zimm)))
    }
    mutating func csrrci(_ a: Args.CSRI) -> Bool {
        access(a.csr, a.rd, a.zimm == 0 ? .none : .clearBits, word(Int64(a.zimm)))
    }

    private mutating func access(_ csr: Int32, _ rd: Int32, _ change: CSRChange, _ operand: Temp) -> Bool {
        switch csr {
        case CSRNumber.fflags, CSRNumber.frm, CSRNumber.fcsr:
            guard extensions.contains(.f), system == nil || useFloat() else { return false }
            if system != nil, change != .none { makeFloatDirty() }
            accessFloatControl(csr, rd, change, operand)
            return true
        default:
            if let system { return access(csr, rd, change, operand, system) }
            guard change == .none else { return false }
            return readCounter(csr, rd)
        }
    }

    // MARK: Floating-point control

    private mutating func accessFloatControl(_ csr: Int32, _ rd: Int32, _ change: CSRChange, _ operand: Temp) {
        let hasFlags = csr != CSRNumber.frm
        let hasRounding = csr != CSRNumber.fflags
        let isRead = rd != 0 || change == .setBits || change == .clearBits
        if xlen == .i64 && change == .none && rd != 0 && !(hasFlags && hasRounding) {
            let into = Global.x(rd)
            _ = hasFlags ? ir.fpGetFlags(into: into) : ir.ld(StateOffset.frm, .u32, into: into)
            return
        }
        var old = Temp.none
        if isRead {
            let flags = hasFlags ? ir.fpGetFlags() : .none
            let rounding = hasRounding ? ir.ld(StateOffset.frm, .u32) : .none
            old = !hasRounding ? flags : !hasFlags ? rounding : ir.or(flags, ir.shl(rounding, ir.const(5)))
        }
        var new = Temp.none
        switch change {
        case .none: break
        case .write: new = wide(operand)
        case .setBits: new = ir.or(old, wide(operand))
        case .clearBits: new = ir.binary(.andc, old, wide(operand))
        }
        // The operand may be rd itself: everything computed from it comes before rd is written.
        if hasFlags && change != .none { ir.fpSetFlags(new) }
        if hasRounding && change != .none {
            let isConstant = ir.region.isConst(new)
            let rounding =
                isConstant
                ? ir.const(ir.region.constValue(new) &>> (hasFlags ? 5 : 0) & 7) : ir.extract(new, hasFlags ? 5 : 0, 3)
            if rd != 0 { move(rd, narrow(old)) }
            setRounding(rounding)
        } else if rd != 0 {
            move(rd, narrow(old))
        }
    }

    /// Writes frm. The rest of the block is translated for the present rounding class: leaves when the class changes, so
    /// that the engine looks at `mode` again.
    private mutating func setRounding(_ mode: Temp) {
        ir.st(mode, StateOffset.frm, .u32)
        ir.fpSetRounding(mode)
        if ir.region.isConst(mode) {
            let new = RoundingClass(frm: UInt32(truncatingIfNeeded: ir.region.constValue(mode)))
            if new != roundingClass { exit(.stateChanged, at: next) }
            return
        }
        let stay = ir.newBlock()
        let leave = ir.newBlock(isCold: true)
        switch roundingClass {
        case .host: ir.brcond(.ltu, mode, ir.const(4), stay, leave)
        case .maxMagnitude: ir.brcond(.eq, mode, ir.const(4), stay, leave)
        case .invalid: ir.brcond(.gtu, mode, ir.const(4), stay, leave)
        }
        ir.begin(leave)
        exit(.stateChanged, at: next)
        ir.begin(stay)
    }

    // MARK: Counters

    private func readCounter(_ csr: Int32, _ rd: Int32) -> Bool {
        var number = csr
        var isHigh = false
        if xlen == .i32 && number >= CSRNumber.cycle + CSRNumber.high {
            number -= CSRNumber.high
            isHigh = true
        }
        switch number {
        case CSRNumber.cycle, CSRNumber.time, CSRNumber.instret:
            guard extensions.contains(.zicntr) else { return false }
            return set(rd) { ir, into in
                isHigh ? narrow(ir.shr(call(.clock), ir.const(32)), into: into) : call(.clock, into: into)
            }
        case CSRNumber.performanceCounters where extensions.contains(.zihpm):
            move(rd, word(0))  // no event is selected
            return true
        default:
            return false
        }
    }
}
