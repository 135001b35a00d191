// A hart of a machine without the machine: state, guest, a clock that tests set, and counts of what the guest asked for.

import GuestKit
import GuestMemory
import IR
import TestSupport

@testable import GuestRISCV

final class PrivilegedHart {
    let guest: RISCVSystemGuest
    let state: UnsafeMutableRawPointer
    var hart: Hart { Hart(state) }

    init(_ cpu: RISCVCPU = .machine) {
        guest = RISCVSystemGuest(cpu: cpu, inputs: recordingInputs)
        let size = guest.stateSize + 8 * Input.allCases.count
        state = .allocate(byteCount: size, alignment: 64)
        state.initializeMemory(as: UInt8.self, repeating: 0xa5, count: size)
        guest.reset(state)
        for input in Input.allCases { self[input] = 0 }
    }
    deinit { state.deallocate() }

    convenience init(_ specification: String, _ wordSize: WordSize = .bits64) throws {
        self.init(try RISCVCPU(specification, wordSize, .machine))
    }

    /// What the guest sees or has asked for.
    subscript(_ input: Input) -> UInt64 {
        get { state.load(fromByteOffset: input.offset, as: UInt64.self) }
        set { state.storeBytes(of: newValue, toByteOffset: input.offset, as: UInt64.self) }
    }

    // MARK: State

    var pc: UInt64 {
        get { hart.user.pc }
        set { hart.user.pc = newValue }
    }
    var privilege: Privilege {
        get { hart.privilege }
        set { hart.p.privilege = UInt64(newValue.rawValue) }
    }
    var lines: UInt64 {
        get { state.load(fromByteOffset: guest.interruptLinesOffset, as: UInt64.self) }
        set { state.storeBytes(of: newValue, toByteOffset: guest.interruptLinesOffset, as: UInt64.self) }
    }

    // MARK: Registers

    /// A register by its number: what a program that may access it reads and writes.
    subscript(_ csr: Int) -> UInt64 {
        get { access(csr, .none, 0) }
        set { _ = access(csr, .write, newValue) }
    }
    @discardableResult func access(_ csr: Int, _ change: CSRChange, _ operand: UInt64) -> UInt64 {
        guard let row = hart.configuration.pointee.csrs.row(csr) else { fatalError("no register \(csr)") }
        return hart.access(row, change, operand)
    }
    var outcome: UInt64 { hart.p.outcome }
}

/// Words behind the state, where the inputs count: helpers get nothing but the state.
enum Input: Int, CaseIterable {
    case time, viewChanges, flushes, flushKind, flushAddress, flushSpace, deadlineChanges, stopChanges

    var offset: Int { MemoryLayout<RISCVMachineState>.size + 8 * rawValue }
}

private func count(_ state: UnsafeMutableRawPointer, _ input: Input) {
    state.storeBytes(
        of: state.load(fromByteOffset: input.offset, as: UInt64.self) + 1, toByteOffset: input.offset, as: UInt64.self)
}

private let recordingInputs = SystemInputs(
    time: { state, _, _, _, _ in state.load(fromByteOffset: Input.time.offset, as: UInt64.self) },
    viewsChanged: { state, _, _, _, _ in
        count(state, .viewChanges)
        return 0
    },
    flush: { state, kind, address, space, _ in
        count(state, .flushes)
        state.storeBytes(of: kind, toByteOffset: Input.flushKind.offset, as: UInt64.self)
        state.storeBytes(of: address, toByteOffset: Input.flushAddress.offset, as: UInt64.self)
        state.storeBytes(of: space, toByteOffset: Input.flushSpace.offset, as: UInt64.self)
        return 0
    },
    deadlineChanged: { state, _, _, _, _ in
        count(state, .deadlineChanges)
        return 0
    },
    stopsChanged: { state, _, _, _, _ in
        count(state, .stopChanges)
        return 0
    })

/// Numbers that tests name (Privileged ISA, "CSR Listing").
enum Number {
    static let sstatus = 0x100, sie = 0x104, stvec = 0x105, scounteren = 0x106, senvcfg = 0x10a
    static let sscratch = 0x140, sepc = 0x141, scause = 0x142, stval = 0x143, sip = 0x144, stimecmp = 0x14d
    static let satp = 0x180
    static let mstatus = 0x300, misa = 0x301, medeleg = 0x302, mideleg = 0x303, mie = 0x304, mtvec = 0x305
    static let mcounteren = 0x306, menvcfg = 0x30a, mcountinhibit = 0x320
    static let mscratch = 0x340, mepc = 0x341, mcause = 0x342, mtval = 0x343, mip = 0x344
    static let pmpcfg0 = 0x3a0, pmpaddr0 = 0x3b0, mcycle = 0xb00, minstret = 0xb02
    static let cycle = 0xc00, time = 0xc01, instret = 0xc02
}
