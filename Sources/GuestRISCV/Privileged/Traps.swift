// Exceptions and returns from their handlers (Privileged ISA, "Privilege and Global Interrupt-Enable Stack in mstatus register",
// "Machine Trap Delegation (medeleg and mideleg) Registers", "Trap-Return Instructions").

import GuestKit
import IR

extension Hart {
    /// Enters the handler of an exception. `value`: for xtval; nil: what belongs to the instruction at the pc.
    func raise(_ exception: UInt32, value given: UInt64?) {
        var code = UInt64(exception)
        var value = given ?? 0
        switch exception {
        case Cause.illegalInstruction:
            value = p.illegalWord
            p.illegalWord = 0
        case Cause.breakpoint: value = given ?? user.pc
        // What loads but counts as a store.
        case Cause.misalignedLoad, Cause.loadAccessFault, Cause.loadPageFault:
            if p.loadsAsStore != 0 { code &+= 2 }
        default: break
        }
        p.loadsAsStore = 0
        let isDelegated = p.privilege < 3 && code < 64 && p.medeleg >> code & 1 != 0
        trap(code, value: value, to: isDelegated ? .supervisor : .machine, offset: 0)
    }

    /// Enters the handler of the most urgent interrupt; false: there is none.
    func takeInterrupt() -> Bool {
        guard let (number, handler) = deliverable else { return false }
        let vector = handler == .machine ? p.mtvec : p.stvec
        trap(
            configuration.pointee.topBit | number, value: 0, to: handler, offset: vector & 1 != 0 ? number &* 4 : 0)
        return true
    }

    /// `offset`: from the base that xtvec has.
    private func trap(_ cause: UInt64, value: UInt64, to handler: Privilege, offset: UInt64) {
        let configuration = configuration
        let value = value & configuration.pointee.wordMask
        let status = p.mstatus
        let base: UInt64
        if handler == .machine {
            p.mcause = cause
            p.mepc = user.pc
            p.mtval = value
            var new = status & ~(MStatus.mie | MStatus.mpie | MStatus.mpp)
            if status & MStatus.mie != 0 { new |= MStatus.mpie }
            p.mstatus = new | p.privilege << MStatus.mppShift
            base = p.mtvec
        } else {
            p.scause = cause
            p.sepc = user.pc
            p.stval = value
            var new = status & ~(MStatus.sie | MStatus.spie | MStatus.spp)
            if status & MStatus.sie != 0 { new |= MStatus.spie }
            if p.privilege != 0 { new |= MStatus.spp }
            p.mstatus = new
            base = p.stvec
        }
        user.pc = ((base & ~3) &+ offset) & configuration.pointee.wordMask
        giveUpReservation()
        // MPP decides for whom loads are made where MPRV is set.
        if p.privilege == UInt64(handler.rawValue) && status & MStatus.mprv != 0 { viewsChanged() }
        enter(handler)
    }

    /// Other code comes next, which shall not complete what was begun here.
    private func giveUpReservation() {
        user.reservationAddress = Reservation.none
    }

    /// MRET.
    func returnFromMachine() {
        let configuration = configuration
        let status = p.mstatus
        let previous = status >> MStatus.mppShift & 3
        var new = status & ~(MStatus.mie | MStatus.mpp) | MStatus.mpie
        if status & MStatus.mpie != 0 { new |= MStatus.mie }
        if !configuration.pointee.hasUser { new |= MStatus.mpp }
        leave(new, to: previous, at: p.mepc)
    }

    /// SRET.
    func returnFromSupervisor() {
        let status = p.mstatus
        let previous = status & MStatus.spp != 0 ? UInt64(1) : 0
        var new = status & ~(MStatus.sie | MStatus.spp) | MStatus.spie
        if status & MStatus.spie != 0 { new |= MStatus.sie }
        leave(new, to: previous, at: p.sepc)
    }

    private func leave(_ status: UInt64, to previous: UInt64, at address: UInt64) {
        let old = p.mstatus
        p.mstatus = previous == 3 ? status : status & ~MStatus.mprv
        user.pc = address & configuration.pointee.epcMask
        giveUpReservation()
        let isSame = p.privilege == previous
        p.privilege = previous
        if !isSame || old & MStatus.mprv != 0 { viewsChanged() }
    }
}
