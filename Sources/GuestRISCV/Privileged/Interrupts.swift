// Interrupts: which are pending and enabled, where they are handled, and in which order (Privileged ISA, "Machine Interrupt (mip and mie)
// Registers", "Supervisor Interrupt (sip and sie) Registers", "Supervisor Timer (stimecmp) Register").

import IR
import Synchronization

/// Bits of mip and mie, by the numbers of the causes.
enum Interrupt {
    static let ssi: UInt64 = 1 << 1
    static let msi: UInt64 = 1 << 3
    static let sti: UInt64 = 1 << 5
    static let mti: UInt64 = 1 << 7
    static let sei: UInt64 = 1 << 9
    static let mei: UInt64 = 1 << 11

    static let supervisor = ssi | sti | sei
    static let machine = msi | mti | mei

    /// The most urgent of some: MEI, MSI, MTI, SEI, SSI, STI.
    @inline(__always) static func mostUrgent(_ pending: UInt64) -> UInt64 {
        if pending & mei != 0 { return 11 }
        if pending & msi != 0 { return 3 }
        if pending & mti != 0 { return 7 }
        if pending & sei != 0 { return 9 }
        if pending & ssi != 0 { return 1 }
        return 5
    }
}

/// menvcfg's fields (Privileged ISA, "Machine Environment Configuration (menvcfg) Register"); senvcfg has the low ones.
enum Environment {
    static let fiom: UInt64 = 1
    /// What CBO.INVAL does; 0: it is illegal.
    static let cbie: UInt64 = 3 << 4
    /// CBO.CLEAN and CBO.FLUSH are legal.
    static let cbcfe: UInt64 = 1 << 6
    /// CBO.ZERO is legal.
    static let cbze: UInt64 = 1 << 7
    /// Accessed and dirty bits are set by the hart (Svadu).
    static let adue: UInt64 = 1 << 61
    /// Svpbmt is in use.
    static let pbmte: UInt64 = 1 << 62
    /// stimecmp is in use (Sstc).
    static let stce: UInt64 = 1 << 63
}

extension Hart {
    var hasOwnTimer: Bool { p.menvcfg & Environment.stce != 0 }

    private var atomicLines: UnsafePointer<Atomic<UInt64>> {
        UnsafePointer(
            OpaquePointer(state + Self.start + MemoryLayout<PrivilegedState>.offset(of: \.lines).unsafelyUnwrapped))
    }
    /// Lines from outside; changes made before whoever made them asked the vCPU to leave are seen.
    var lines: UInt64 { atomicLines.pointee.load(ordering: .acquiring) }

    /// Clears what arrived as a line and lasts until software clears it: SSIP.
    func clearLine(_ bit: UInt64) { _ = atomicLines.pointee.bitwiseAnd(~bit, ordering: .relaxed) }

    /// mip as it reads.
    var pending: UInt64 {
        lookAtTimer()
        return knownPending
    }
    /// The same without a look at the clock. Whoever waits for the deadline has the vCPU take interrupts when it has come: in between
    /// what was seen last is good enough.
    var knownPending: UInt64 { (lines | p.softwareInterrupts | p.timerDue) & configuration.pointee.interrupts }

    func lookAtTimer() {
        // A time that is never reached costs no look at the clock.
        let isDue = hasOwnTimer && p.stimecmp != .max && time >= p.stimecmp
        p.timerDue = isDue ? Interrupt.sti : 0
    }

    /// The interrupt that the hart would take now.
    var deliverable: (number: UInt64, handler: Privilege)? { deliverable(of: p.mie == 0 ? 0 : pending) }

    /// The same of some that are pending: its number and the mode that handles it.
    func deliverable(of pending: UInt64) -> (number: UInt64, handler: Privilege)? {
        let ready = pending & p.mie
        if ready == 0 { return nil }
        let status = p.mstatus
        let privilege = p.privilege
        let isMachineEnabled = privilege < 3 || status & MStatus.mie != 0
        let isSupervisorEnabled = privilege < 1 || privilege == 1 && status & MStatus.sie != 0
        let own = ready & ~p.mideleg
        if own != 0 && isMachineEnabled { return (Interrupt.mostUrgent(own), .machine) }
        let delegated = ready & p.mideleg
        if delegated != 0 && isSupervisorEnabled { return (Interrupt.mostUrgent(delegated), .supervisor) }
        return nil
    }

    /// Whether a hart that waits goes on: interrupts count when they are enabled one by one, whatever their modes have.
    var isAwake: Bool { p.mie != 0 && pending & p.mie != 0 }

    /// When stimecmp interrupts, if it can.
    var deadline: UInt64 { hasOwnTimer && p.mie & Interrupt.sti != 0 ? p.stimecmp : .max }
}

extension SystemConfiguration {
    /// Interrupts that there are.
    var interrupts: UInt64 { Interrupt.machine | (hasSupervisor ? Interrupt.supervisor : 0) }
}
