// Which control and status registers there are, who may access them, and which of their bits can be written.

import GuestKit
import IR
import TestSupport
import Testing

@testable import GuestRISCV

@Suite struct CSRTests {
    // MARK: Existence and privilege

    /// The listing (Privileged ISA, "CSR Listing") as far as the model has it. "h": also the upper half on RV32; "32" and "64": only there.
    private static let listing = """
        001 002 003
        c00h c01h c02h
        100 104 105 106 10a 140 141 142 143 144 14dh 180
        f11 f12 f13 f14 f15 300 301 302 303 304 305 306 30ah 340 341 342 343 344
        310:32 312:32 15d:32 31a:32
        3a0 3a1:32 3a2 3a3:32
        3b0 3b1 3b2 3b3 3b4 3b5 3b6 3b7 3b8 3b9 3ba 3bb 3bc 3bd 3be 3bf
        320 b00h b02h 7a0 7a1 7a2 7a3 7a4 7a8
        """

    private func expected(isNarrow: Bool) -> Set<Int> {
        var numbers: Set<Int> = []
        for word in Self.listing.split(whereSeparator: \.isWhitespace) {
            guard let number = Int(word.prefix(3), radix: 16) else { continue }
            if word.hasSuffix(":32") && !isNarrow { continue }
            numbers.insert(number)
            // Counters' upper halves are 0x80 further.
            if word.hasSuffix("h"), isNarrow, number >= 0xb00 { numbers.insert(number + 0x80) }
        }
        for n in 3...18 {
            numbers.formUnion([0xb00 + n, 0xc00 + n])
            if isNarrow { numbers.formUnion([0xb80 + n, 0xc80 + n]) }
        }
        numbers.formUnion(0x323...0x33f)
        return numbers
    }

    /// CSRRS without a source reads, CSRRW without a destination writes.
    private func isIllegal(_ number: Int, writes: Bool, _ mode: Privilege, _ guest: RISCVSystemGuest) -> Bool {
        let word = UInt32(number) << 20 | (writes ? 0x0000_9073 : 0x0000_20f3)
        let flags = SystemMode(roundingClass: .host, privilege: mode, isFloatOff: false).word
        let translated = Translated(
            bytes([word]), guest: guest, flags: flags, plan: RegionPlan(maxBlocks: 1, maxInstructions: 1))
        #expect(translated.problems == [])
        // An unconditional exit is all there is: the word is stored, and the pc.
        return !translated.text.contains("goto_tb") && translated.exits(with: .exception(Cause.illegalInstruction))
            && !translated.exits(with: .stateChanged)
    }

    @Test(arguments: [WordSize.bits64, .bits32]) func everyNumberInEveryModeIsARegisterOrIllegal(_ width: WordSize) {
        let guest = RISCVSystemGuest(cpu: width == .bits32 ? .machine32 : .machine)
        let known = expected(isNarrow: width == .bits32)
        for number in 0..<4096 {
            for mode in TrapTests.modes {
                let isAllowed = known.contains(number) && number >> 8 & 3 <= Int(mode.rawValue)
                #expect(
                    isIllegal(number, writes: false, mode, guest) == !isAllowed,
                    "\(String(number, radix: 16)) in \(mode)")
                let isWritable = isAllowed && number >> 10 != 3
                #expect(
                    isIllegal(number, writes: true, mode, guest) == !isWritable,
                    "\(String(number, radix: 16)) in \(mode)")
            }
        }
    }

    @Test func registersOfMissingModesAreAbsent() throws {
        let guest = RISCVSystemGuest(cpu: try RISCVCPU("rv64i", .bits64, .machine))
        for number in [0x100, 0x104, 0x180, 0x302, 0x303, 0x14d, 0x001, 0xc00, 0xb03, 0xc03] {
            #expect(isIllegal(number, writes: false, .machine, guest), "\(String(number, radix: 16))")
        }
        #expect(!isIllegal(0x300, writes: false, .machine, guest))
        #expect(
            isIllegal(
                0x3a0, writes: false, .machine, RISCVSystemGuest(cpu: try RISCVCPU("rv64,pmp=off", .bits64, .machine))))
        #expect(
            !isIllegal(0x30c, writes: false, .machine, RISCVSystemGuest(cpu: try RISCVCPU("max", .bits64, .machine))))
    }

    // MARK: Bits

    /// Number; what reads after zeros and after ones were written.
    static let masks: [(Int, UInt64, UInt64)] = [
        (Number.mstatus, 0xa_0000_0000, 0x8000_000a_007e_79aa),
        (Number.misa, 0x8000_0000_0014_112d, 0x8000_0000_0014_112d),
        (Number.medeleg, 0, 0xf4_b7ff), (Number.mideleg, 0, 0x222), (Number.mie, 0, 0xaaa), (Number.mip, 0, 0x222),
        (Number.mtvec, 0, 0xffff_ffff_ffff_fffc), (Number.stvec, 0, 0xffff_ffff_ffff_fffc),
        (Number.mcounteren, 0, 0x7_ffff), (Number.scounteren, 0, 0x7_ffff), (Number.mcountinhibit, 0, 0x7_fffd),
        (Number.menvcfg, 0, 0xe000_0000_0000_00f1), (Number.senvcfg, 0, 0xf1),
        (Number.mscratch, 0, .max), (Number.sscratch, 0, .max), (Number.mepc, 0, ~1), (Number.sepc, 0, ~1),
        (Number.mcause, 0, .max), (Number.scause, 0, .max), (Number.mtval, 0, .max), (Number.stval, 0, .max),
        (Number.stimecmp, 0, .max), (Number.pmpaddr0, 0, 0x003f_ffff_ffff_ffff), (0xb03, 0, .max), (0x323, 0, 0),
        (0x7a0, 0, 0), (0x7a1, 15 << 60, 15 << 60), (0x7a2, 0, .max), (0x7a3, 0, 0xfffc << 48),
        (0x7a4, 0x8044, 0x8044), (0x7a8, 0, 0x1fff),
    ]

    @Test(arguments: masks) func onlyWritableBitsChange(_ number: Int, _ zeros: UInt64, _ ones: UInt64) {
        let one = PrivilegedHart()
        one[number] = 0
        #expect(one[number] == zeros, "\(String(number, radix: 16))")
        one[number] = .max
        #expect(one[number] == ones, "\(String(number, radix: 16)): \(String(one[number], radix: 16))")
        one[number] = 0
        #expect(one[number] == zeros)
    }

    @Test func registersOfRV32ShowHalves() throws {
        let one = PrivilegedHart(.machine32)
        for (low, high) in [(0xb00, 0xb80), (0xb02, 0xb82), (0xb12, 0xb92), (0x14d, 0x15d)] {
            one[low] = 0x1234_5678
            one[high] = 0x9abc_def0
            #expect(one[low] == 0x1234_5678 && one[high] == 0x9abc_def0)
        }
        one[Number.menvcfg] = .max
        one[0x31a] = .max
        #expect(one[Number.menvcfg] == 0xf1 && one[0x31a] == 0xa000_0000)
        one[Number.mstatus] = .max
        #expect(one[Number.mstatus] == 0x807e_79aa && one[0x310] == 0)
        #expect(one[Number.misa] == 0x4014_112d)
        one[Number.mcause] = .max
        #expect(one[Number.mcause] == 0xffff_ffff)
        one[Number.pmpaddr0] = .max
        #expect(one[Number.pmpaddr0] == 0xffff_ffff)
    }

    // MARK: Status

    @Test func sstatusIsAPartOfMstatus() {
        let one = PrivilegedHart()
        one[Number.mstatus] = .max
        #expect(one[Number.sstatus] == 0x8000_0002_000c_6122)
        one[Number.sstatus] = 0
        #expect(one[Number.mstatus] == 0xa_0072_1888)
        one[Number.mstatus] = 0
        one[Number.sstatus] = .max
        #expect(one[Number.mstatus] == 0x8000_000a_000c_6122)
    }

    @Test func modesThatAreMissingAreNotStored() {
        let one = PrivilegedHart()
        one[Number.mstatus] = 1 << 11
        one[Number.mstatus] = 2 << 11
        #expect(one[Number.mstatus] & MStatus.mpp == 1 << 11)
    }

    @Test func floatingPointIsDirtyAfterTranslatedCodeSaysSo() {
        let one = PrivilegedHart()
        one[Number.mstatus] = 1 << 13
        #expect(one[Number.mstatus] >> 63 == 0)
        one.hart.p.floatDirty = MStatus.fs
        #expect(one[Number.mstatus] & MStatus.fs == MStatus.fs && one[Number.mstatus] >> 63 == 1)
        one.access(Number.sstatus, .clearBits, MStatus.fs)
        #expect(one[Number.mstatus] & MStatus.fs == 0 && one[Number.mstatus] >> 63 == 0)
    }

    // MARK: Interrupt registers

    @Test func supervisorSeesDelegatedInterruptsOnly() {
        let one = PrivilegedHart()
        for delegated in [UInt64(0), 2, 0x20, 0x200, 0x222] {
            one[Number.mideleg] = delegated
            one[Number.mie] = 0xaaa
            #expect(one[Number.sie] == delegated)
            one[Number.sie] = 0
            #expect(one[Number.mie] == 0xaaa & ~delegated)
            one[Number.mie] = 0
            one[Number.sie] = .max
            #expect(one[Number.mie] == delegated)
            one[Number.mip] = 0x222
            #expect(one[Number.sip] == delegated)
            one[Number.sip] = 0
            #expect(one[Number.mip] == 0x222 & ~(delegated & 2))  // SSIP alone is writable
            one[Number.mip] = 0
            one[Number.sip] = .max
            #expect(one[Number.mip] == delegated & 2)
        }
    }

    @Test func lineOfTheControllerIsNoPartOfReadModifyWrite() {
        let one = PrivilegedHart()
        one.lines = Interrupt.sei
        #expect(one[Number.mip] == Interrupt.sei)
        one.access(Number.mip, .setBits, Interrupt.ssi)
        one.lines = 0
        #expect(one[Number.mip] == Interrupt.ssi)
        one.access(Number.mip, .setBits, Interrupt.sei)
        one.lines = Interrupt.sei
        one.access(Number.mip, .clearBits, Interrupt.sei)
        #expect(one[Number.mip] == Interrupt.ssi | Interrupt.sei)
        one.lines = 0
        #expect(one[Number.mip] == Interrupt.ssi)
    }

    @Test func softwareClearsASupervisorSoftwareInterruptFromOutside() {
        let one = PrivilegedHart()
        one[Number.mideleg] = 0x222
        one.lines = Interrupt.ssi | Interrupt.sei
        #expect(one[Number.sip] == Interrupt.ssi | Interrupt.sei)
        one.access(Number.sip, .clearBits, Interrupt.ssi)
        #expect(one.lines == Interrupt.sei && one[Number.sip] == Interrupt.sei)
    }

    // MARK: Views

    @Test func satpKeepsModesThatThereAre() throws {
        let one = try PrivilegedHart("rv64,sv57=off")
        for (mode, isKnown) in [(0, true), (1, false), (8, true), (9, true), (10, false), (11, false)]
            as [(UInt64, Bool)]
        {
            one[Number.satp] = 8 << 60 | 5
            let value = mode << 60 | 0xabcd << 44 | 0x12_3456
            one[Number.satp] = value
            #expect(one[Number.satp] == (isKnown ? value : 8 << 60 | 5))
        }
        one[Number.satp] = 8 << 60 | (1 << 60) - 1
        #expect(one[Number.satp] == 0x8fff_f0ff_ffff_ffff)
    }

    @Test func viewsDifferWhereWalksMay() {
        let one = PrivilegedHart()
        var seen: Set<[UInt64]> = []
        var count = 0
        for satp in [
            0, 8 << 60 | 1, 9 << 60 | 1, 10 << 60 | 1, 8 << 60 | 2, 8 << 60 | 1 << 44 | 1, 8 << 60 | 0xffff << 44,
        ] as [UInt64] {
            for status in [0, MStatus.mxr, MStatus.sum, MStatus.sum | MStatus.mxr] {
                one[Number.mstatus] = status
                one[Number.satp] = satp
                let user = one.guest.view(one.state, index: MMUIndex.user)
                let supervisor = one.guest.view(one.state, index: MMUIndex.supervisor)
                #expect(user != supervisor)
                if seen.insert([0, user]).inserted { count += 1 }
                if seen.insert([1, supervisor]).inserted { count += 1 }
                // MPRV: the same as the mode it stands for.
                for (mode, other) in [(0, user), (1, supervisor)] as [(UInt64, UInt64)] {
                    one[Number.mstatus] = status | MStatus.mprv | mode << 11
                    #expect(one.guest.view(one.state, index: MMUIndex.machine) == other)
                    #expect(one.guest.view(one.state, index: MMUIndex.machineFetch) == 3 << 60)
                }
                one[Number.mstatus] = status | MStatus.mprv | MStatus.mpp
                #expect(one.guest.view(one.state, index: MMUIndex.machine) == 3 << 60)
            }
        }
        // Without translation one view each; else SUM counts for S alone.
        #expect(count == 2 + 6 * (2 + 4))
    }

    @Test func whatDecidesViewsIsTold() {
        let one = PrivilegedHart()
        func tells(_ change: () -> Void) -> Bool {
            let before = one[.viewChanges]
            change()
            return one[.viewChanges] != before
        }
        #expect(tells { one[Number.satp] = 8 << 60 })
        #expect(!tells { one[Number.satp] = 8 << 60 })
        #expect(tells { one[Number.mstatus] = MStatus.sum })
        #expect(tells { one[Number.sstatus] = MStatus.mxr })
        #expect(!tells { one[Number.mstatus] = MStatus.mxr | MStatus.mie | MStatus.fs })
        #expect(!tells { one[Number.mstatus] = MStatus.mxr | MStatus.mpp })
        #expect(tells { one[Number.mstatus] = MStatus.mxr | MStatus.mpp | MStatus.mprv })
        #expect(tells { one[Number.mstatus] = MStatus.mxr | MStatus.mprv })
        #expect(tells { one.hart.returnFromMachine() })
        #expect(tells { one.guest.raise(one.state, 8, value: 0) })
        let flushes = one[.flushes]
        one[Number.pmpaddr0] = 5
        #expect(one[.flushes] == flushes + 1)
        one[Number.menvcfg] = 0
        #expect(one[.flushes] == flushes + 2)
    }

    @Test func togglingSUMDoesNotLeave() {
        let one = PrivilegedHart()
        one.privilege = .supervisor
        for change in [CSRChange.setBits, .clearBits] {
            one.access(Number.sstatus, change, MStatus.sum)
            #expect(one.outcome == Outcome.goOn)
        }
    }

    // MARK: Triggers

    /// What is written to tdata1, and what reads.
    static let triggers: [(UInt64, UInt64)] = [
        (2 << 60, 2 << 60), (2 << 60 | 0x7ff_ffff_ffff_ffff, 2 << 60 | 0x5f),
        (2 << 60 | 1 << 16 | 3, 2 << 60 | 1 << 16 | 3),
        (2 << 60 | 1 << 21 | 1 << 16 | 3, 2 << 60 | 1 << 21 | 1 << 16 | 3),
        (2 << 60 | 1 << 16 | 4, 2 << 60 | 4), (6 << 60 | 0x5f, 6 << 60 | 0x5f), (6 << 60 | 4 << 16 | 1, 6 << 60 | 1),
        (6 << 60 | 5 << 16 | 1, 6 << 60 | 5 << 16 | 1), (0, 15 << 60), (3 << 60 | 0xff, 15 << 60),
    ]

    @Test(arguments: triggers) func triggersKeepWhatTheyOffer(_ written: UInt64, _ read: UInt64) {
        let one = PrivilegedHart()
        for number in [0, 1] as [UInt64] {
            one[0x7a0] = number
            one[0x7a0] = 2
            #expect(one[0x7a0] == number)
            one[0x7a1] = written
            #expect(one[0x7a1] == read, "\(String(one[0x7a1], radix: 16))")
            one[0x7a2] = 0x1230 + number
        }
        one[0x7a0] = 0
        #expect(one[0x7a1] == read && one[0x7a2] == 0x1230)
        #expect(one.guest.stops(one.state).count == (read & 7 != 0 && read & 0x58 != 0 ? 2 : 0))
    }

    @Test func triggersOfRV32HaveTheirFieldsBelow() {
        let one = PrivilegedHart(.machine32)
        #expect(one[0x7a1] == 2 << 28)
        one[0x7a1] = 2 << 28 | 3 << 16 | 0x43
        #expect(one[0x7a1] == 2 << 28 | 3 << 16 | 0x43)
        one[0x7a2] = .max
        one[0x7a3] = .max
        #expect(one[0x7a2] == 0xffff_ffff && one[0x7a3] == 0xfe00_0000)
        #expect(one.guest.stops(one.state) == [StopPoint(.accesses, 0xffff_ffff)])
        one[0x7a1] = 0
        #expect(one[0x7a1] == 15 << 28)
    }

    // MARK: Conditions

    @Test func countersAreGatedByTheModesAbove() {
        let one = PrivilegedHart()
        for (machine, supervisor) in [(0, 0), (0, 15), (15, 0), (15, 15)] as [(UInt64, UInt64)] {
            one[Number.mcounteren] = machine
            one[Number.scounteren] = supervisor
            for mode in TrapTests.modes {
                one.privilege = mode
                let isAllowed = mode == .machine || machine != 0 && (mode == .supervisor || supervisor != 0)
                for number in [Number.cycle, Number.time, Number.instret, 0xc03] {
                    _ = one[number]
                    #expect(one.outcome == (isAllowed ? Outcome.goOn : Outcome.illegal))
                }
            }
            one.privilege = .machine
        }
    }

    @Test func supervisorTimerNeedsBothEnables() {
        let one = PrivilegedHart()
        for environment in [0, Environment.stce] {
            for counters in [UInt64(0), 2] {
                one.privilege = .machine
                one[Number.menvcfg] = environment
                one[Number.mcounteren] = counters
                one[Number.stimecmp] = 7
                #expect(one.outcome == Outcome.goOn)
                one.privilege = .supervisor
                one[Number.stimecmp] = 8
                #expect((one.outcome == Outcome.goOn) == (environment != 0 && counters != 0))
                #expect(one.hart.p.stimecmp == (environment != 0 && counters != 0 ? 8 : 7))
            }
        }
    }

    @Test func virtualMemoryTrapsGuardSatp() {
        let one = PrivilegedHart()
        one[Number.mstatus] = MStatus.tvm
        one[Number.satp] = 8 << 60
        #expect(one.outcome != Outcome.illegal)
        one.privilege = .supervisor
        one[Number.satp] = 0
        #expect(one.outcome == Outcome.illegal && one.hart.p.satp == 8 << 60)
    }

    @Test func stateEnablesGuardSenvcfg() throws {
        let one = try PrivilegedHart("max")
        one.privilege = .supervisor
        _ = one[Number.senvcfg]
        #expect(one.outcome == Outcome.illegal)
        _ = one[0x10c]
        #expect(one.outcome == Outcome.illegal)
        one.hart.p.mstateen[0] = 3 << 62
        _ = one[Number.senvcfg]
        #expect(one.outcome == Outcome.goOn)
        _ = one[0x10c]
        #expect(one.outcome == Outcome.goOn)
    }

    // MARK: Counters

    @Test func countersFollowTheTimeUnlessInhibited() {
        let one = PrivilegedHart()
        one[.time] = 10
        one[Number.mcycle] = 5
        one[Number.minstret] = 7
        one[.time] = 11
        #expect(one[Number.cycle] == 5 + Hart.cyclesPerTick && one[Number.minstret] == 7 + Hart.cyclesPerTick)
        one[Number.mcountinhibit] = 1
        one[.time] = 12
        #expect(one[Number.cycle] == 5 + Hart.cyclesPerTick && one[Number.instret] == 7 + 2 * Hart.cyclesPerTick)
        one[Number.mcycle] = 0
        one[Number.mcountinhibit] = 4
        one[.time] = 13
        #expect(one[Number.cycle] == Hart.cyclesPerTick && one[Number.instret] == 7 + 2 * Hart.cyclesPerTick)
        #expect(one[Number.time] == 13)
    }
}
