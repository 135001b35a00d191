// The registers, by the parts of the manual's listing (Privileged ISA, "CSR Listing").

import IR

/// Collects the rows of a model.
struct CSRRows {
    let extensions: RISCVExtensions
    private(set) var rows: [CSR] = []

    private var isNarrow: Bool { extensions.contains(.rv32) }
    private var wordMask: UInt64 { isNarrow ? 0xffff_ffff : .max }

    init(_ extensions: RISCVExtensions) {
        self.extensions = extensions
        counters()
        supervisor()
        machine()
        machineCounters()
        memoryProtection()
        triggers()
    }

    // MARK: Kinds of rows

    private mutating func add(
        _ number: UInt16, _ name: StaticString, _ part: CSR.Part = .word, needs: RISCVExtensions = [],
        effect: CSR.Effect = .none, isLegal: (@Sendable (Hart) -> Bool)? = nil,
        modified: (@Sendable (Hart, UInt64) -> UInt64)? = nil, write: (@Sendable (Hart, UInt64) -> Void)? = nil,
        read: @escaping @Sendable (Hart) -> UInt64
    ) {
        guard extensions.isSuperset(of: needs), part != .high || isNarrow else { return }
        rows.append(
            CSR(
                number: number, name: name, part: part, read: read, write: write, modified: modified, isLegal: isLegal,
                effect: effect))
    }

    /// A register that is what is kept of it.
    private mutating func add(
        _ number: UInt16, _ name: StaticString, _ home: KeyPath<PrivilegedState, UInt64>, _ part: CSR.Part = .word,
        mask: UInt64 = .max, needs: RISCVExtensions = [], effect: CSR.Effect = .none,
        isLegal: (@Sendable (Hart) -> Bool)? = nil, write: (@Sendable (Hart, UInt64) -> Void)? = nil
    ) {
        guard extensions.isSuperset(of: needs), part != .high || isNarrow else { return }
        rows.append(
            CSR(
                number: number, name: name, part: part, home: PrivilegedState.offset(home),
                mask: part == .word ? mask & wordMask : mask, write: write, isLegal: isLegal, effect: effect))
    }

    /// One that always reads the same.
    private mutating func constant(
        _ number: UInt16, _ name: StaticString, _ value: UInt64 = 0, _ needs: RISCVExtensions = []
    ) {
        add(number, name, needs: needs) { _ in value }
    }

    /// A register of 64 bits and, on RV32, that with its upper half.
    private mutating func pair(
        _ number: UInt16, _ name: StaticString, _ high: UInt16, _ highName: StaticString, needs: RISCVExtensions = [],
        effect: CSR.Effect = .none, isLegal: (@Sendable (Hart) -> Bool)? = nil,
        write: (@Sendable (Hart, UInt64) -> Void)? = nil, read: @escaping @Sendable (Hart) -> UInt64
    ) {
        for (number, name, part) in [(number, name, CSR.Part.low), (high, highName, .high)] {
            add(number, name, part, needs: needs, effect: effect, isLegal: isLegal, write: write, read: read)
        }
    }

    // MARK: Unprivileged counters

    private mutating func counters() {
        pair(0xc00, "cycle", 0xc80, "cycleh", needs: .zicntr, isLegal: { $0.mayRead(counter: 0) }) { $0.counter(0) }
        pair(0xc01, "time", 0xc81, "timeh", needs: .zicntr, isLegal: { $0.mayRead(counter: 1) }) { $0.time }
        pair(0xc02, "instret", 0xc82, "instreth", needs: .zicntr, isLegal: { $0.mayRead(counter: 2) }) { $0.counter(2) }
        for n in eventCounters {
            pair(
                0xc00 + n, "hpmcounter", 0xc80 + n, "hpmcounterh", isLegal: { $0.mayRead(counter: UInt64(n)) }
            ) { $0.p.eventCounters[Int(n) - 3] }
        }
    }

    // MARK: Supervisor

    private mutating func supervisor() {
        let s = RISCVExtensions.s
        add(
            0x100, "sstatus", needs: s, effect: .interruptEnables,
            write: { $0.write(status: $1, mask: MStatus.supervisor) }
        ) { $0.read(status: MStatus.supervisor) }
        add(
            0x104, "sie", needs: s, effect: .interrupts,
            write: { $0.write(enabled: $0.p.mie & ~$0.p.mideleg | $1 & $0.p.mideleg) }
        ) { $0.p.mie & $0.p.mideleg }
        add(0x105, "stvec", \.stvec, needs: s, write: { $0.p.stvec = trapVector($1, old: $0.p.stvec) })
        add(0x106, "scounteren", \.scounteren, mask: counterMask, needs: s)
        add(
            0x10a, "senvcfg", \.senvcfg, needs: s, isLegal: { $0.isEnabled(state: 0, bit: 62) },
            write: { $0.p.senvcfg = $0.environment($1, old: $0.p.senvcfg) & 0xffff_ffff })
        for n in 0..<4 {
            add(
                0x10c + UInt16(n), "sstateen", needs: [s, .smstateen],
                isLegal: { $0.isEnabled(state: n, bit: 63) }
            ) { _ in 0 }
        }
        add(0x140, "sscratch", \.sscratch, needs: s)
        add(0x141, "sepc", \.sepc, mask: epcMask, needs: s)
        add(0x142, "scause", \.scause, needs: s)
        add(0x143, "stval", \.stval, needs: s)
        add(
            0x144, "sip", needs: s, effect: .interrupts,
            write: { $0.write(pending: $1, mask: Interrupt.ssi & $0.p.mideleg) }
        ) { $0.pending & $0.p.mideleg }
        for (number, name, part) in [(0x14d, "stimecmp", CSR.Part.low), (0x15d, "stimecmph", .high)]
            as [(UInt16, StaticString, CSR.Part)]
        {
            add(
                number, name, \.stimecmp, part, needs: [s, .sstc], effect: .interrupts,
                isLegal: { $0.mayUseTimer },
                write: { hart, value in
                    hart.p.stimecmp = value
                    hart.deadlineChanged()
                })
        }
        add(
            0x180, "satp", \.satp, needs: s, effect: .fetches,
            isLegal: { $0.p.privilege == 3 || $0.p.mstatus & MStatus.tvm == 0 }, write: { $0.write(satp: $1) })
    }

    private var epcMask: UInt64 { extensions.contains(.zca) ? ~1 : ~3 }
    /// The counters of events that there are: 16 of the 29 that there may be, as QEMU's harts have them.
    private var eventCounters: Range<UInt16> { 3..<3 + UInt16(extensions.contains(.zihpm) ? EventCounters.count : 0) }
    /// A bit for each counter.
    private var counterMask: UInt64 { 1 << UInt64(eventCounters.upperBound) - 1 }

    // MARK: Machine

    private mutating func machine() {
        constant(0xf11, "mvendorid")
        constant(0xf12, "marchid")
        constant(0xf13, "mimpid")
        add(0xf14, "mhartid", \.mhartid, mask: 0)
        constant(0xf15, "mconfigptr")

        pair(
            0x300, "mstatus", 0x310, "mstatush", effect: .interruptEnables, write: { $0.write(status: $1, mask: .max) }
        ) { $0.read(status: .max) }
        constant(0x301, "misa", misa)
        for (number, name, part) in [(0x302, "medeleg", CSR.Part.low), (0x312, "medelegh", .high)]
            as [(UInt16, StaticString, CSR.Part)]
        {
            add(number, name, \.medeleg, part, mask: delegableExceptions, needs: .s)
        }
        add(
            0x303, "mideleg", \.mideleg, needs: .s, effect: .interrupts,
            write: { $0.p.mideleg = $1 & Interrupt.supervisor })
        add(0x304, "mie", \.mie, effect: .interrupts, write: { $0.write(enabled: $1) })
        add(0x305, "mtvec", \.mtvec, write: { $0.p.mtvec = trapVector($1, old: $0.p.mtvec) })
        add(0x306, "mcounteren", \.mcounteren, mask: counterMask, needs: .u)
        pair(
            0x30a, "menvcfg", 0x31a, "menvcfgh", needs: .u, effect: .fetches,
            write: { $0.write(environment: $1) }
        ) { $0.p.menvcfg }
        for n in 0..<4 {
            let mask: UInt64 = n == 0 ? 3 << 62 : 1 << 63
            pair(
                0x30c + UInt16(n), "mstateen", 0x31c + UInt16(n), "mstateenh", needs: .smstateen,
                write: { $0.p.mstateen[n] = $1 & mask }
            ) { $0.p.mstateen[n] }
        }
        add(0x340, "mscratch", \.mscratch)
        add(0x341, "mepc", \.mepc, mask: epcMask)
        add(0x342, "mcause", \.mcause)
        add(0x343, "mtval", \.mtval)
        add(
            0x344, "mip", effect: .interrupts,
            // The line of an interrupt controller is no part of what is read and written back.
            modified: { $1 & ~Interrupt.sei | $0.p.softwareInterrupts & Interrupt.sei },
            write: { $0.write(pending: $1, mask: $0.writablePending) }
        ) { $0.pending }
    }

    private var misa: UInt64 {
        var value: UInt64 = isNarrow ? 1 << 30 : 2 << 62
        let letters: [(RISCVExtensions, UInt64)] = [
            (.a, 0), (.c, 2), (.d, 3), (.f, 5), (.i, 8), (.m, 12), (.s, 18), (.u, 20),
        ]
        for (one, bit) in letters where extensions.contains(one) { value |= 1 << bit }
        return value
    }

    /// All that can arise below M mode: no environment call of M mode. Like QEMU's harts it keeps the bits of a few more (10: calls from VS
    /// mode, 18: software checks, 20 to 23: guest pages), which never arise.
    private var delegableExceptions: UInt64 { 0xb3ff | 1 << 10 | 1 << 18 | 0xf << 20 }

    // MARK: Machine counters

    private mutating func machineCounters() {
        pair(0xb00, "mcycle", 0xb80, "mcycleh", write: { $0.write(counter: 0, $1) }) { $0.counter(0) }
        pair(0xb02, "minstret", 0xb82, "minstreth", write: { $0.write(counter: 2, $1) }) { $0.counter(2) }
        let writable = counterMask & ~2
        add(0x320, "mcountinhibit", \.mcountinhibit, write: { $0.inhibit($1 & writable) })
        for n in eventCounters {
            let i = Int(n) - 3
            pair(0xb00 + n, "mhpmcounter", 0xb80 + n, "mhpmcounterh", write: { $0.p.eventCounters[i] = $1 }) {
                $0.p.eventCounters[i]
            }
        }
        // The one event that there is happens never.
        for n in UInt16(3)...31 { constant(0x320 + n, "mhpmevent") }
    }

    // MARK: Memory protection

    private mutating func memoryProtection() {
        for i in 0..<PMPState.count / 4 where isNarrow || i & 1 == 0 {
            add(
                0x3a0 + UInt16(i), "pmpcfg", needs: .pmp, effect: .fetches,
                write: { $0.writePMPConfiguration(i, $1) }
            ) { $0.readPMPConfiguration(i) }
        }
        for i in 0..<PMPState.count {
            add(
                0x3b0 + UInt16(i), "pmpaddr", needs: .pmp, effect: .fetches,
                write: { $0.writePMPAddress(i, $1) }
            ) { $0.p.pmp.address[i] }
        }
    }

    // MARK: Triggers

    /// tdata1 to tdata3 are those of the trigger that tselect names (Debug Specification, chapter "Sdtrig").
    private mutating func triggers() {
        add(0x7a0, "tselect", write: { $0.write(tselect: $1) }) { $0.p.triggers.selected }
        add(0x7a1, "tdata1", effect: .fetches, write: { $0.write(tdata1: $1) }) {
            $0.p.triggers.data1[$0.p.triggers.current]
        }
        add(0x7a2, "tdata2", effect: .fetches, write: { $0.write(tdata2: $1) }) {
            $0.p.triggers.data2[$0.p.triggers.current]
        }
        add(0x7a3, "tdata3", write: { $0.write(tdata3: $1) }) { $0.p.triggers.data3[$0.p.triggers.current] }
        constant(0x7a4, "tinfo", Trigger.info)
        // What triggers may compare with a value of theirs.
        add(0x7a8, "mcontext", \.mcontext, mask: isNarrow ? 0x3f : 0x1fff)
    }
}

/// xtvec as written: a reserved mode leaves the mode as it is.
private func trapVector(_ value: UInt64, old: UInt64) -> UInt64 { value & 2 == 0 ? value : value & ~3 | old & 3 }
