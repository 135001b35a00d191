// Instructions of machines (Privileged ISA, chapters "Machine-Level ISA", "Supervisor-Level ISA", "Svinval"), and what others do besides when
// there are privileged modes: control and status registers by their table, floating point that may be off.

import GuestKit
import IR

/// What the translator knows of the machine's hart.
struct SystemTranslation {
    let mode: SystemMode
    let csrs: CSRTable

    var mmuIndex: UInt8 {
        switch mode.privilege {
        case .user: UInt8(MMUIndex.user)
        case .supervisor: UInt8(MMUIndex.supervisor)
        case .machine: UInt8(MMUIndex.machine)
        }
    }
}

extension RISCVTranslator {
    private var privilege: Privilege? { system?.mode.privilege }

    // MARK: Illegal instructions

    /// Ends the block: the instruction is illegal. In a machine its word goes to xtval.
    mutating func illegal() {
        if system != nil { ir.st(ir.const(Int64(instruction)), PrivilegedOffset.illegalWord, .u64) }
        exit(.illegalInstruction, at: unit.pc)
    }

    /// The same when cond(a, b); goes on in a new block otherwise.
    private mutating func illegal(if condition: Condition, _ a: Temp, _ b: Temp) {
        let leave = ir.newBlock(isCold: true)
        let stay = ir.newBlock()
        ir.brcond(condition, a, b, leave, stay)
        ir.begin(leave)
        illegal()
        ir.begin(stay)
    }

    // MARK: Floating point (Privileged ISA, "Extension Context Status in mstatus Register")

    /// False: the instruction uses floating-point registers, and they are off.
    mutating func mayUseFloat() -> Bool {
        switch floatUse {
        case .none: true
        case .reads, .writes: useFloat()
        }
    }

    /// Behind an instruction: one that faults has changed no register.
    mutating func noteFloatWrites() { if floatUse == .writes, ir.isBlockOpen { makeFloatDirty() } }

    private enum FloatUse { case none, reads, writes }

    /// By major opcode: stores read registers; of the others no difference is made between what writes and what does not.
    private var floatUse: FloatUse {
        switch instruction & 3 {
        case 3:
            switch instruction & 0x7f {
            case 0x07, 0x43, 0x47, 0x4b, 0x4f, 0x53: return .writes
            case 0x27: return .reads
            default: return .none
            }
        case 1: return .none
        default:
            switch instruction >> 13 & 7 {
            case 1: return extensions.contains(.zcd) ? .writes : .none
            case 5: return extensions.contains(.zcd) ? .reads : .none
            case 3: return extensions.contains(.zcf) ? .writes : .none
            case 7: return extensions.contains(.zcf) ? .reads : .none
            default: return .none
            }
        }
    }

    /// Once per block: looks whether FS is Off where the mode does not say.
    mutating func useFloat() -> Bool {
        guard let mode = system?.mode, extensions.contains(.f), !mode.isFloatOff else { return false }
        if mode.privilege != .user && !isFloatOn {
            illegal(if: .tsteq, ir.ld(PrivilegedOffset.mstatus, .u64), ir.const(Int64(MStatus.fs)))
            isFloatOn = true
        }
        return true
    }

    /// Once per block.
    mutating func makeFloatDirty() {
        if isFloatDirty { return }
        ir.st(ir.const(Int64(MStatus.fs)), PrivilegedOffset.floatDirty, .u64)
        isFloatDirty = true
    }

    // MARK: Control and status registers

    private enum Number { static let time: Int32 = 0xc01, sstatus: Int32 = 0x100, mstatus: Int32 = 0x300 }

    mutating func access(
        _ csr: Int32, _ rd: Int32, _ change: CSRChange, _ operand: Temp, _ system: SystemTranslation
    ) -> Bool {
        guard let row = system.csrs.row(Int(csr)),
            UInt64(system.mode.privilege.rawValue) >= row.pointee.lowestPrivilege,
            change == .none || !row.pointee.isReadOnly
        else { return false }
        if row.pointee.isPlain {
            accessPlain(row, rd, change, operand)
        } else if let bits = enableBits(csr, change, operand) {
            accessEnables(bits, rd, change, shows: csr == Number.sstatus ? MStatus.supervisor : .max)
            return true
        } else if csr == Number.time && xlen == .i64 {
            readTime(rd, system.mode.privilege)
        } else {
            accessByHelper(row, rd, change, operand)
        }
        if csr == Number.sstatus || csr == Number.mstatus {
            isFloatOn = false
            isFloatDirty = false
        }
        return true
    }

    /// A register that is a word of the state. Bits that cannot be written are 0.
    private mutating func accessPlain(
        _ row: UnsafePointer<CSR>, _ rd: Int32, _ change: CSRChange, _ operand: Temp
    ) {
        let home = row.pointee.home
        let old = rd != 0 || change == .setBits || change == .clearBits ? ir.ld(home, wordAccess, xlen) : .none
        if change != .none {
            var new =
                switch change {
                case .setBits: ir.or(old, operand)
                case .clearBits: ir.binary(.andc, old, operand)
                default: operand
                }
            let mask = Int64(bitPattern: row.pointee.mask)
            let isWhole = xlen == .i64 ? mask == -1 : mask & 0xffff_ffff == 0xffff_ffff
            if !isWhole { new = ir.and(new, word(xlen == .i64 ? mask : Int64(Int32(truncatingIfNeeded: mask)))) }
            ir.st(new, home, wordAccess)
        }
        if rd != 0 { move(rd, old) }
    }

    /// Bits of xstatus that an instruction sets or clears, where these are interrupt enables: those of software that switches interrupts.
    private func enableBits(_ csr: Int32, _ change: CSRChange, _ operand: Temp) -> UInt64? {
        guard change == .setBits || change == .clearBits, ir.region.isConst(operand) else { return nil }
        let bits = UInt64(bitPattern: ir.region.constValue(operand))
        switch csr {
        case Number.sstatus: return bits == MStatus.sie ? bits : nil
        case Number.mstatus:
            return bits & ~(MStatus.mie | (extensions.contains(.s) ? MStatus.sie : 0)) == 0 ? bits : nil
        default: return nil
        }
    }

    private mutating func accessEnables(_ bits: UInt64, _ rd: Int32, _ change: CSRChange, shows mask: UInt64) {
        let status = ir.ld(PrivilegedOffset.mstatus, .u64)
        let new =
            change == .setBits
            ? ir.or(status, ir.const(Int64(bits))) : ir.and(status, ir.const(~Int64(bits)))
        ir.st(new, PrivilegedOffset.mstatus, .u64)
        if rd != 0 {
            let whole = ir.or(status, ir.ld(PrivilegedOffset.floatDirty, .u64))
            // FS with one added carries into the bit above where it is Dirty.
            let carry = ir.add(ir.and(whole, ir.const(Int64(MStatus.fs))), ir.const(Int64(MStatus.fsInitial)))
            let dirty = ir.and(carry, ir.const(Int64(MStatus.fsInitial << 2)))
            let shown = mask == .max ? whole : ir.and(whole, ir.const(Int64(mask)))
            move(rd, narrow(ir.or(shown, ir.shl(dirty, ir.const(Int64(self.bits - 16))))))
        }
        if change == .setBits { leaveForInterrupts() }
    }

    /// Leaves behind the instruction if an interrupt is pending and enabled by itself.
    private mutating func leaveForInterrupts() {
        let pending = ir.or(
            ir.or(ir.ld(PrivilegedOffset.lines, .u64), ir.ld(PrivilegedOffset.softwareInterrupts, .u64)),
            ir.ld(PrivilegedOffset.timerDue, .u64))
        let leave = ir.newBlock(isCold: true)
        let stay = ir.newBlock()
        ir.brcond(.tstne, pending, ir.ld(PrivilegedOffset.mie, .u64), leave, stay)
        ir.begin(leave)
        exit(.stateChanged, at: next)
        ir.begin(stay)
    }

    /// Programs read the time often.
    private mutating func readTime(_ rd: Int32, _ privilege: Privilege) {
        let bit = ir.const(2)
        if privilege != .machine { illegal(if: .tsteq, ir.ld(PrivilegedOffset.mcounteren, .u64), bit) }
        if privilege == .user && extensions.contains(.s) {
            illegal(if: .tsteq, ir.ld(PrivilegedOffset.scounteren, .u64), bit)
        }
        let time = call(.time)
        if rd != 0 { move(rd, time) }
    }

    private mutating func accessByHelper(
        _ row: UnsafePointer<CSR>, _ rd: Int32, _ change: CSRChange, _ operand: Temp
    ) {
        let changes = change != .none
        let old = call(
            .accessCSR, ir.const(Int64(row.pointee.number)), ir.const(Int64(change.rawValue)),
            changes ? wide(operand) : ir.const(0))
        if row.pointee.isLegal != nil {
            illegal(if: .eq, ir.ld(PrivilegedOffset.outcome, .u64), ir.const(Int64(Outcome.illegal)))
        }
        if changes && (row.pointee.effect == .interrupts || row.pointee.effect == .interruptEnables) {
            let leave = ir.newBlock(isCold: true)
            let stay = ir.newBlock()
            ir.brcond(
                .eq, ir.ld(PrivilegedOffset.outcome, .u64), ir.const(Int64(Outcome.leave)), leave, stay)
            ir.begin(leave)
            if rd != 0 { move(rd, narrow(old)) }
            exit(.stateChanged, at: next)
            ir.begin(stay)
        }
        if rd != 0 { move(rd, narrow(old)) }
        if changes && row.pointee.effect == .fetches { exit(.stateChanged, at: next) }
    }

    private func call(_ helper: SystemHelper, _ a: Temp = .none, _ b: Temp = .none, _ c: Temp = .none) -> Temp {
        ir.call(helper.id, helper.descriptor(.none), a, b, c)
    }

    // MARK: Trap returns, waiting

    mutating func mret() -> Bool {
        guard privilege == .machine else { return false }
        _ = call(.mret)
        leaveForStoredPC()
        return true
    }

    mutating func sret() -> Bool {
        guard let privilege, privilege != .user, extensions.contains(.s) else { return false }
        if privilege == .supervisor { illegal(ifStatus: MStatus.tsr) }
        _ = call(.sret)
        leaveForStoredPC()
        return true
    }

    /// Ends the block: the helper has stored where to go on.
    private mutating func leaveForStoredPC() { unit.exit(.stateChanged) }

    private mutating func illegal(ifStatus bit: UInt64) {
        illegal(if: .tstne, ir.ld(PrivilegedOffset.mstatus, .u64), ir.const(Int64(bit)))
    }

    /// Illegal in U mode where there is S mode; there is no time limit below which TW lets it wait.
    mutating func wfi() -> Bool {
        guard let privilege else { return false }
        if privilege == .user && extensions.contains(.s) { return false }
        if privilege != .machine { illegal(ifStatus: MStatus.tw) }
        exit(.wait, at: next)
        return true
    }

    // MARK: Fences of address translation

    mutating func sfence_vma(_ a: Args.R) -> Bool { fence(a) }
    mutating func sinval_vma(_ a: Args.R) -> Bool { fence(a) }
    // Invalidations take effect one by one: there is nothing to order.
    mutating func sfence_w_inval() -> Bool { isSupervisor }
    mutating func sfence_inval_ir() -> Bool { isSupervisor }

    private var isSupervisor: Bool { extensions.contains(.s) && (privilege == .supervisor || privilege == .machine) }

    /// Leaves, since the code behind it may not be what it was.
    private mutating func fence(_ a: Args.R) -> Bool {
        guard isSupervisor else { return false }
        if privilege == .supervisor { illegal(ifStatus: MStatus.tvm) }
        let kind = (a.rs1 != 0 ? SystemFlush.address : 0) | (a.rs2 != 0 ? SystemFlush.space : 0)
        let space = ir.and(wide(x(a.rs2)), ir.const(xlen == .i64 ? 0xffff : 0x1ff))
        _ = call(.fence, ir.const(Int64(kind)), wide(x(a.rs1)), space)
        exit(.stateChanged, at: next)
        return true
    }

    // MARK: Cache blocks

    /// Whether menvcfg and senvcfg let the mode use an operation on cache blocks. False: never.
    mutating func isEnabled(_ bits: UInt64) -> Bool {
        guard let privilege, privilege != .machine else { return true }
        illegal(if: .tsteq, ir.ld(PrivilegedOffset.menvcfg, .u64), ir.const(Int64(bits)))
        if privilege == .user && extensions.contains(.s) {
            illegal(if: .tsteq, ir.ld(PrivilegedOffset.senvcfg, .u64), ir.const(Int64(bits)))
        }
        return true
    }
}
