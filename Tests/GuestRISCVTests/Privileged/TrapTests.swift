// Exceptions, interrupts and returns: where they lead, and what they leave in the registers.

import GuestKit
import Testing

@testable import GuestRISCV

@Suite struct TrapTests {
    static let modes: [Privilege] = [.user, .supervisor, .machine]
    private let topBit: UInt64 = 1 << 63

    // MARK: Exceptions

    /// Every cause from every mode, delegated or not.
    @Test func exceptionsGoWhereMedelegSends() {
        let one = PrivilegedHart()
        for cause in UInt64(0)..<16 where ![10, 11, 14].contains(cause) {
            for mode in Self.modes {
                for isDelegated in [false, true] {
                    one.guest.reset(one.state)
                    one[Number.mtvec] = 0x8000_0100
                    one[Number.stvec] = 0x8000_0201  // vectored: only for interrupts
                    one[Number.medeleg] = isDelegated ? 1 << cause : ~(1 << cause)
                    one.privilege = mode
                    one.pc = 0x1234_5678
                    one.guest.raise(one.state, UInt32(cause), value: cause == 3 ? nil : 0xabc)
                    let goesToSupervisor = isDelegated && mode != .machine
                    #expect(one.privilege == (goesToSupervisor ? .supervisor : .machine), "cause \(cause) from \(mode)")
                    #expect(one.pc == (goesToSupervisor ? 0x8000_0200 : 0x8000_0100))
                    let value: UInt64 = cause == 2 ? 0 : cause == 3 ? 0x1234_5678 : 0xabc
                    let registers =
                        goesToSupervisor
                        ? [Number.scause, Number.sepc, Number.stval] : [Number.mcause, Number.mepc, Number.mtval]
                    #expect(registers.map { one[$0] } == [cause, 0x1234_5678, value])
                }
            }
        }
    }

    @Test func environmentCallOfMachineModeIsNotDelegated() {
        let one = PrivilegedHart()
        one[Number.medeleg] = .max
        #expect(one[Number.medeleg] == 0xf4_b7ff)
    }

    @Test func illegalInstructionReportsItsWordOnce() {
        let one = PrivilegedHart()
        one.hart.p.illegalWord = 0x1234_5673
        one.guest.raise(one.state, Cause.illegalInstruction, value: 0)
        #expect(one[Number.mtval] == 0x1234_5673)
        one.guest.raise(one.state, Cause.illegalInstruction, value: 0)
        #expect(one[Number.mtval] == 0)
    }

    @Test func cacheBlockManagementFaultsAsAStore() {
        let one = PrivilegedHart()
        for (load, store) in [
            (Cause.loadPageFault, Cause.storePageFault), (Cause.loadAccessFault, Cause.storeAccessFault),
        ] {
            one.hart.p.loadsAsStore = 1
            one.guest.raise(one.state, load, value: 4)
            #expect(one[Number.mcause] == UInt64(store))
            one.guest.raise(one.state, load, value: 4)
            #expect(one[Number.mcause] == UInt64(load))
        }
    }

    @Test(arguments: [false, true]) func trapsStackTheInterruptEnable(_ isEnabled: Bool) {
        let one = PrivilegedHart()
        one[Number.mstatus] = (isEnabled ? MStatus.mie : MStatus.sie) | MStatus.mprv
        one.privilege = .supervisor
        one.guest.raise(one.state, Cause.loadPageFault, value: 0)
        let status = one[Number.mstatus]
        #expect(status & MStatus.mie == 0 && (status & MStatus.mpie != 0) == isEnabled)
        #expect(status & MStatus.mpp == 1 << 11 && status & MStatus.mprv != 0)
        #expect((status & MStatus.sie != 0) == !isEnabled)

        one[Number.mstatus] = isEnabled ? MStatus.sie : MStatus.mie
        one[Number.medeleg] = .max
        one.privilege = .user
        one.guest.raise(one.state, Cause.loadPageFault, value: 0)
        #expect(one.hart.p.mstatus & MStatus.sie == 0)
        #expect((one.hart.p.mstatus & MStatus.spie != 0) == isEnabled)
        #expect(one.hart.p.mstatus & MStatus.spp == 0)
        one.guest.raise(one.state, Cause.loadPageFault, value: 0)
        #expect(one.hart.p.mstatus & MStatus.spp != 0)
    }

    @Test func trapsGiveUpReservations() {
        let one = PrivilegedHart()
        let offset = StateOffset.reservationAddress
        for trap in [
            { one.guest.raise(one.state, 8, value: 0) }, { one.hart.returnFromMachine() },
            { one.hart.returnFromSupervisor() },
        ] {
            one.state.storeBytes(of: 0x1000, toByteOffset: offset, as: UInt64.self)
            trap()
            #expect(one.state.load(fromByteOffset: offset, as: UInt64.self) == Reservation.none)
        }
    }

    // MARK: Interrupts

    /// All sets of pending interrupts, delegated or not, in all modes with all enables, against the rules as the manual words them.
    @Test func interruptsComeInTheOrderOfTheManual() {
        let order: [UInt64] = [11, 3, 7, 9, 1, 5]
        let one = PrivilegedHart()
        one[Number.menvcfg] = 0
        for pending in UInt64(0)..<64 {
            let bits = order.enumerated().reduce(UInt64(0)) { $0 | (pending >> UInt64($1.offset) & 1) << $1.element }
            for delegated in [UInt64(0), 0x2, 0x20, 0x200, 0x222] {
                for mode in Self.modes {
                    for enables in 0..<4 {
                        one.guest.reset(one.state)
                        one[Number.menvcfg] = 0
                        one[Number.mtvec] = 0x1001
                        one[Number.stvec] = 0x2001
                        one[Number.mideleg] = delegated
                        one[Number.mie] = .max
                        one[Number.mstatus] =
                            (enables & 1 != 0 ? MStatus.mie : 0) | (enables & 2 != 0 ? MStatus.sie : 0)
                        one.privilege = mode
                        one.pc = 0x500
                        one.lines = bits

                        let canMachine = mode != .machine || enables & 1 != 0
                        let canSupervisor = mode == .user || mode == .supervisor && enables & 2 != 0
                        let first =
                            order.first { canMachine && bits >> $0 & 1 != 0 && delegated >> $0 & 1 == 0 }
                            ?? order.first { canSupervisor && bits >> $0 & 1 != 0 && delegated >> $0 & 1 != 0 }
                        #expect(one.guest.isAwake(one.state) == (bits != 0))
                        #expect(one.guest.takeInterrupt(one.state) == (first != nil))
                        guard let first else {
                            #expect(one.pc == 0x500 && one.privilege == mode)
                            continue
                        }
                        let isDelegated = delegated >> first & 1 != 0
                        #expect(one.privilege == (isDelegated ? .supervisor : .machine))
                        #expect(one.pc == (isDelegated ? 0x2000 : 0x1000) + 4 * first)
                        #expect(one[isDelegated ? Number.scause : Number.mcause] == topBit | first)
                        #expect(one[isDelegated ? Number.sepc : Number.mepc] == 0x500)
                        #expect(one[isDelegated ? Number.stval : Number.mtval] == 0)
                    }
                }
            }
        }
    }

    @Test func disabledInterruptsDoNotWake() {
        let one = PrivilegedHart()
        one.lines = 0xaaa
        #expect(!one.guest.isAwake(one.state))
        one[Number.mie] = Interrupt.mti
        #expect(one.guest.isAwake(one.state))
        #expect(!one.guest.takeInterrupt(one.state))  // M mode with MIE off
    }

    @Test func writesThatLetAnInterruptInLeave() {
        let one = PrivilegedHart()
        one.lines = Interrupt.mti
        one[Number.mie] = Interrupt.mti
        #expect(one.outcome == Outcome.goOn)
        one.access(Number.mstatus, .setBits, MStatus.mie)
        #expect(one.outcome == Outcome.leave)
        one.lines = 0
        one.access(Number.mstatus, .setBits, MStatus.mie)
        #expect(one.outcome == Outcome.goOn)
        one.lines = Interrupt.mti
        one[Number.mie] = 0
        #expect(one.outcome == Outcome.goOn)
        one[Number.mie] = Interrupt.mti
        #expect(one.outcome == Outcome.leave)
    }

    // MARK: Timer

    @Test func ownTimerInterruptsWhenTheTimeIsReached() {
        let one = PrivilegedHart()
        one[Number.menvcfg] = Environment.stce
        one[.time] = 1000
        one[Number.stimecmp] = 1001
        #expect(one.guest.deadline(one.state) == .max)  // not enabled
        one[Number.mie] = Interrupt.sti
        #expect(one.guest.deadline(one.state) == 1001)
        #expect(one[Number.mip] == 0 && !one.guest.isAwake(one.state))
        one[.time] = 1001
        #expect(one[Number.mip] == Interrupt.sti && one.guest.isAwake(one.state))
        // Software does not write STIP then.
        one[Number.mip] = 0
        #expect(one[Number.mip] == Interrupt.sti)
        one[Number.stimecmp] = 2000
        #expect(one[Number.mip] == 0)
        // Times so far ahead that they look negative.
        for never in [.max, 1 << 63, .max - 1, 1 << 63 | 1000] as [UInt64] {
            one[Number.stimecmp] = never
            #expect(one[Number.mip] == 0)
            #expect(one.guest.deadline(one.state) == never)
        }
        one[Number.menvcfg] = 0
        one[Number.stimecmp] = 0
        #expect(one[Number.mip] == 0 && one.guest.deadline(one.state) == .max)
        one[Number.mip] = Interrupt.sti
        #expect(one[Number.mip] == Interrupt.sti)
    }

    @Test func deadlineChangesAreTold() {
        let one = PrivilegedHart()
        for change in [
            { one[Number.menvcfg] = Environment.stce }, { one[Number.mie] = Interrupt.sti },
            { one[Number.stimecmp] = 5 }, { one[Number.mie] = 0 }, { one[Number.menvcfg] = 0 },
        ] {
            let before = one[.deadlineChanges]
            change()
            #expect(one[.deadlineChanges] == before + 1)
        }
    }

    // MARK: Returns

    @Test func returnsFromMachineModeGoWhereMPPSays() {
        let one = PrivilegedHart()
        for mode in Self.modes {
            for isEnabled in [false, true] {
                one.guest.reset(one.state)
                one[Number.mepc] = 0x8000_0003
                one[Number.mstatus] =
                    UInt64(mode.rawValue) << 11 | MStatus.mprv | (isEnabled ? MStatus.mpie : MStatus.mie)
                one.hart.returnFromMachine()
                let status = one.hart.p.mstatus
                #expect(one.privilege == mode && one.pc == 0x8000_0002)
                #expect((status & MStatus.mie != 0) == isEnabled && status & MStatus.mpie != 0)
                #expect(status & MStatus.mpp == 0 && (status & MStatus.mprv != 0) == (mode == .machine))
            }
        }
    }

    @Test func returnsFromSupervisorModeGoWhereSPPSays() {
        let one = PrivilegedHart()
        for from in [Privilege.supervisor, .machine] {
            for (mode, isEnabled) in [
                (Privilege.user, false), (.user, true), (.supervisor, false), (.supervisor, true),
            ] {
                one.guest.reset(one.state)
                one.privilege = from
                one[Number.sepc] = 0x4001
                one[Number.mstatus] =
                    (mode == .supervisor ? MStatus.spp : 0) | MStatus.mprv | (isEnabled ? MStatus.spie : MStatus.sie)
                one.hart.returnFromSupervisor()
                let status = one.hart.p.mstatus
                #expect(one.privilege == mode && one.pc == 0x4000)
                #expect((status & MStatus.sie != 0) == isEnabled && status & MStatus.spie != 0)
                #expect(status & (MStatus.spp | MStatus.mprv) == 0)
            }
        }
    }

    @Test func withoutUserModeMPPStaysMachine() throws {
        let one = try PrivilegedHart("rv64i,u=off")
        #expect(one[Number.mstatus] & MStatus.mpp == MStatus.mpp)
        one[Number.mstatus] = 0
        #expect(one[Number.mstatus] & MStatus.mpp == MStatus.mpp)
        one.hart.returnFromMachine()
        #expect(one.privilege == .machine && one[Number.mstatus] & MStatus.mpp == MStatus.mpp)
    }
}
