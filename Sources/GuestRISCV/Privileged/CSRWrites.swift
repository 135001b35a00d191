// What registers do that are more than bits in the state (Privileged ISA, chapters "Machine-Level ISA", "Supervisor-Level ISA", "Smstateen",
// "Sstc").

import IR

extension Hart {
    // MARK: Interrupts

    func write(enabled value: UInt64) {
        let new = value & configuration.pointee.interrupts
        let changed = p.mie ^ new
        p.mie = new
        if changed & Interrupt.sti != 0 { deadlineChanged() }
    }

    /// Bits of mip that M mode writes. STIP belongs to stimecmp where that is in use.
    var writablePending: UInt64 {
        guard configuration.pointee.hasSupervisor else { return 0 }
        return hasOwnTimer ? Interrupt.ssi | Interrupt.sei : Interrupt.supervisor
    }

    func write(pending value: UInt64, mask: UInt64) {
        p.softwareInterrupts = p.softwareInterrupts & ~mask | value & mask
        if mask & ~value & Interrupt.ssi != 0 { clearLine(Interrupt.ssi) }
    }

    /// stimecmp, from another mode than M.
    var mayUseTimer: Bool { p.privilege == 3 || hasOwnTimer && p.mcounteren & 2 != 0 }

    // MARK: Address translation and environment

    func write(satp value: UInt64) {
        guard let new = configuration.pointee.satp(value), new != p.satp else { return }
        p.satp = new
        viewsChanged()
    }

    /// The fields that menvcfg and senvcfg share.
    func environment(_ value: UInt64, old: UInt64) -> UInt64 {
        let extensions = configuration.pointee.extensions
        var mask = Environment.fiom
        if extensions.contains(.zicbom) { mask |= Environment.cbie | Environment.cbcfe }
        if extensions.contains(.zicboz) { mask |= Environment.cbze }
        var new = value & mask
        // A reserved kind of invalidation is not stored.
        if new & Environment.cbie == 2 << 4 { new = new & ~Environment.cbie | old & Environment.cbie }
        return new
    }

    func write(environment value: UInt64) {
        let old = p.menvcfg
        let new = environment(value, old: old) | value & configuration.pointee.writableEnvironment
        p.menvcfg = new
        let changed = old ^ new
        if changed & (Environment.adue | Environment.pbmte) != 0 { flush() }
        if changed & Environment.stce != 0 {
            p.softwareInterrupts &= ~Interrupt.sti
            deadlineChanged()
        }
    }

    /// Whether mstateen lets the hart's mode see some state.
    func isEnabled(state n: Int, bit: UInt64) -> Bool {
        p.privilege == 3 || !configuration.pointee.extensions.contains(.smstateen) || p.mstateen[n] >> bit & 1 != 0
    }

    // MARK: Counters

    /// Cycles that pass in a tick of the timer where nobody counts instructions: a hart of 1 GHz where that has 10 MHz. A program sees one
    /// instruction retire per cycle in any case.
    static let cyclesPerTick: UInt64 = 100
    private var instructions: HelperFunction? { configuration.pointee.inputs.instructions }
    private var cycles: UInt64 { instructions?(state, 0, 0, 0, 0) ?? time &* Self.cyclesPerTick }

    private func isInhibited(_ n: Int) -> Bool { p.mcountinhibit >> UInt64(n) & 1 != 0 }

    /// mcycle (0) or minstret (2).
    func counter(_ n: Int) -> UInt64 {
        isInhibited(n) ? p.counters[n] : p.counters[n] &+ cycles
    }
    /// What is written is what the next instruction reads: the one that writes does not count.
    func write(counter n: Int, _ value: UInt64) {
        p.counters[n] = isInhibited(n) ? value : value &- cycles &- (instructions == nil ? 0 : 1)
    }
    func inhibit(_ value: UInt64) {
        let cycles = counter(0)
        let instructions = counter(2)
        p.mcountinhibit = value
        write(counter: 0, cycles)
        write(counter: 2, instructions)
    }

    func mayRead(counter n: UInt64) -> Bool {
        if p.privilege == 3 { return true }
        let isBlocked = p.privilege == 0 && configuration.pointee.hasSupervisor && p.scounteren >> n & 1 == 0
        return p.mcounteren >> n & 1 != 0 && !isBlocked
    }
}

extension SystemConfiguration {
    /// Fields of menvcfg that senvcfg lacks.
    var writableEnvironment: UInt64 {
        var mask: UInt64 = 0
        if extensions.contains(.svadu) { mask |= Environment.adue }
        if extensions.contains(.svpbmt) { mask |= Environment.pbmte }
        if extensions.contains(.sstc) { mask |= Environment.stce }
        return mask
    }
    /// menvcfg at reset: page-based memory types are on, and, where the hart can do nothing else about accessed and dirty bits, their
    /// update.
    var initialEnvironment: UInt64 {
        var value: UInt64 = 0
        if extensions.contains(.svpbmt) { value |= Environment.pbmte }
        if extensions.contains(.svadu) && !extensions.contains(.svade) { value |= Environment.adue }
        return value
    }
}
