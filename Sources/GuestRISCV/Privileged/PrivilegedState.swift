// What a hart with privileged modes has besides `RISCVState`: control and status registers as they are kept, which is not always as they
// read (`CSRTable`).
//
//     offset 0    RISCVState        as in user mode
//            ...  PrivilegedState
//
// Registers of 64 bits in both widths; those of XLEN bits have zeros above them where XLEN is 32.

import IR

/// The modes, by the numbers that CSR addresses and xPP fields give them (Privileged ISA, "Privilege Levels").
public enum Privilege: UInt8, Sendable {
    case user = 0
    case supervisor = 1
    case machine = 3
}

/// State of a hart of a machine.
public struct RISCVMachineState {
    public var hart = RISCVState()
    public var privileged = PrivilegedState()

    public init() {}
}

public struct PrivilegedState {
    /// Interrupt lines from outside: bit n leads to bit n of mip. Any thread changes it atomically; nobody else writes the word.
    public var lines: UInt64 = 0
    /// A `Privilege`.
    public var privilege: UInt64 = UInt64(Privilege.machine.rawValue)
    /// Without the bits of `floatDirty`, and without SD.
    public var mstatus: UInt64 = 0
    /// Bits that translated code has set in mstatus since it was written: FS is Dirty (`MStatus.fs`), or 0.
    public var floatDirty: UInt64 = 0
    public var mie: UInt64 = 0
    /// The bits of mip that software writes: SSIP, STIP, SEIP.
    public var softwareInterrupts: UInt64 = 0
    /// STIP, when the time was stimecmp or later the last time that somebody looked.
    public var timerDue: UInt64 = 0
    public var mideleg: UInt64 = 0
    public var medeleg: UInt64 = 0

    /// How the helper that ran last ended: an `Outcome`.
    public var outcome: UInt64 = 0
    /// The word of the illegal instruction that translated code has stopped at; 0: it has not.
    public var illegalWord: UInt64 = 0
    /// 1 while an access that loads is to be reported as a store (cache-block management).
    public var loadsAsStore: UInt64 = 0

    public var mtvec: UInt64 = 0
    public var mepc: UInt64 = 0
    public var mcause: UInt64 = 0
    public var mtval: UInt64 = 0
    public var mscratch: UInt64 = 0
    public var stvec: UInt64 = 0
    public var sepc: UInt64 = 0
    public var scause: UInt64 = 0
    public var stval: UInt64 = 0
    public var sscratch: UInt64 = 0
    public var satp: UInt64 = 0
    public var stimecmp: UInt64 = .max

    public var mcounteren: UInt64 = 0
    public var scounteren: UInt64 = 0
    public var menvcfg: UInt64 = 0
    public var senvcfg: UInt64 = 0
    public var mstateen: InlineArray<4, UInt64> = .init(repeating: 0)
    public var sstateen: InlineArray<4, UInt64> = .init(repeating: 0)

    /// Counters (`MachineCounter`): what is to be added to the time's cycles, or the value while the counter is inhibited.
    public var counters: InlineArray<3, UInt64> = .init(repeating: 0)
    public var mcountinhibit: UInt64 = 0
    /// mhpmcounter3 and those behind it, which stand still.
    public var eventCounters: InlineArray<16, UInt64> = .init(repeating: 0)
    public var mcontext: UInt64 = 0
    public var mhartid: UInt64 = 0

    public var pmp = PMPState()
    public var triggers = TriggerState()
    /// What is the same for all harts of the guest; it outlives them.
    var configuration: UnsafePointer<SystemConfiguration>?

    public init() {}

    /// Byte offset of a field in the CPU state.
    static func offset<T>(_ field: KeyPath<PrivilegedState, T>) -> Int {
        guard let start = MemoryLayout<RISCVMachineState>.offset(of: \.privileged),
            let offset = MemoryLayout<PrivilegedState>.offset(of: field)
        else { fatalError("field without offset") }
        return start + offset
    }
}

/// Counters of events (Privileged ISA, "Hardware Performance Monitor"; extension Zihpm).
enum EventCounters { static let count = 16 }

/// Byte offsets that translation uses.
enum PrivilegedOffset {
    static let lines = PrivilegedState.offset(\.lines)
    static let mstatus = PrivilegedState.offset(\.mstatus)
    static let floatDirty = PrivilegedState.offset(\.floatDirty)
    static let mie = PrivilegedState.offset(\.mie)
    static let softwareInterrupts = PrivilegedState.offset(\.softwareInterrupts)
    static let timerDue = PrivilegedState.offset(\.timerDue)
    static let outcome = PrivilegedState.offset(\.outcome)
    static let illegalWord = PrivilegedState.offset(\.illegalWord)
    static let loadsAsStore = PrivilegedState.offset(\.loadsAsStore)
    static let menvcfg = PrivilegedState.offset(\.menvcfg)
    static let senvcfg = PrivilegedState.offset(\.senvcfg)
    static let mcounteren = PrivilegedState.offset(\.mcounteren)
    static let scounteren = PrivilegedState.offset(\.scounteren)
}

/// How a helper ends.
enum Outcome {
    static let goOn: UInt64 = 0
    /// Translated code leaves behind the instruction: what it was translated for, or what it was fetched from, may have changed, or an
    /// interrupt is to be taken.
    static let leave: UInt64 = 1
    /// The instruction is illegal, and has done nothing.
    static let illegal: UInt64 = 2
}
