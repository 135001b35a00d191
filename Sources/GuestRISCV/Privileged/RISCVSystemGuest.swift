// The RISC-V front end for a whole machine: that of user mode, with modes, control and status registers, traps and address translation.

import GuestKit
import GuestMemory
import IR
import SoftFloat

/// The architecture of a machine's harts, configured.
public final class RISCVSystemGuest: SystemGuest {
    public let cpu: RISCVCPU
    private let user: RISCVGuest
    public let helpers: [HelperDescriptor]
    public let registers: [RegisterDescriptor]
    /// What harts point to.
    nonisolated(unsafe) private let configuration: UnsafeMutablePointer<SystemConfiguration>

    public init(cpu: RISCVCPU, inputs: SystemInputs = .none) {
        self.cpu = cpu
        user = RISCVGuest(cpu: cpu, inputs: GuestInputs(clock: inputs.time))
        helpers = user.helpers + SystemHelper.allCases.map { $0.descriptor(inputs) }
        configuration = .allocate(capacity: 1)
        configuration.initialize(to: SystemConfiguration(cpu.extensions, inputs))
        registers = user.registers + systemRegisters(configuration.pointee.csrs, wordSize: cpu.wordSize)
    }

    deinit {
        configuration.pointee.csrs.deallocate()
        configuration.deinitialize(count: 1)
        configuration.deallocate()
    }

    // MARK: As in user mode

    public var name: String { user.name }
    public var wordSize: WordSize { user.wordSize }
    public var dataIsBig: Bool { user.dataIsBig }
    public var codeLayout: CodeLayout { user.codeLayout }
    public var globals: [GlobalDescriptor] { user.globals }
    public var pcOffset: Int { user.pcOffset }
    public var memoryModel: MemoryModel { user.memoryModel }
    public var floatRules: FloatRules { user.floatRules }
    /// U mode.
    public var movingModes: ModeSet? { user.xlen == .i64 ? ModeSet(mask: SystemMode.privilegeMask) : nil }
    public var longestInstruction: Int { user.longestInstruction }
    public var instructionAlignment: Int { user.instructionAlignment }
    public func disassemble(_ bytes: UnsafeRawBufferPointer, at pc: UInt64) -> (text: String, length: Int) {
        user.disassemble(bytes, at: pc)
    }

    // MARK: State

    public var stateSize: Int { MemoryLayout<RISCVMachineState>.size }

    /// M mode, interrupts off, addresses physical; the pc is 0, and the hart number 0 (`setHart`).
    public func reset(_ state: UnsafeMutableRawPointer) {
        state.initializeMemory(as: RISCVMachineState.self, to: RISCVMachineState())
        let hart = Hart(state)
        hart.p.configuration = UnsafePointer(configuration)
        hart.p.mstatus = configuration.pointee.initialStatus
        hart.p.menvcfg = configuration.pointee.initialEnvironment
        hart.p.triggers.data1 = .init(repeating: configuration.pointee.initialTrigger)
    }

    /// Gives a hart its number, after `reset`.
    public func setHart(_ state: UnsafeMutableRawPointer, _ id: UInt64) { Hart(state).p.mhartid = id }

    /// See `SystemMode`.
    public func mode(_ state: UnsafeMutableRawPointer) -> UInt64 {
        let hart = Hart(state)
        return SystemMode(
            roundingClass: RoundingClass(frm: hart.user.frm),
            privilege: hart.privilege, isFloatOff: hart.status & MStatus.fs == 0
        ).word
    }

    public func translateBlock(_ unit: inout TranslationUnit) {
        let mode = SystemMode(word: unit.flags)
        let system = SystemTranslation(mode: mode, csrs: configuration.pointee.csrs)
        withUnsafeMutablePointer(to: &unit) {
            var translator = RISCVTranslator(
                unit: $0, extensions: cpu.extensions, xlen: user.xlen, roundingClass: mode.roundingClass, system: system
            )
            translator.translateBlock()
        }
    }

    // MARK: Memory

    public var mmuIndexCount: Int { MMUIndex.count }

    public func fetchIndex(_ state: UnsafeMutableRawPointer) -> Int {
        let privilege = Hart(state).p.privilege
        return privilege == 3 ? MMUIndex.machineFetch : Int(truncatingIfNeeded: privilege)
    }

    public func view(_ state: UnsafeMutableRawPointer, index: Int) -> UInt64 { Hart(state).view(index) }
    public func isView(_ view: UInt64, of space: UInt64) -> Bool {
        Hart.isView(view, of: space, isNarrow: configuration.pointee.isNarrow)
    }

    public func fetchView(_ view: UInt64) -> UInt64 { view & ~Hart.dataOfView }
    public func globalView(_ view: UInt64) -> UInt64 { view & ~Hart.addressSpaceOfView }

    public func walk(
        _ state: UnsafeMutableRawPointer, _ address: UInt64, _ access: MemoryAccess, index: Int, _ memory: PhysicalMap
    ) -> Walk {
        Hart(state).walk(address, access, index: index, memory)
    }

    public func exception(_ kind: MemoryFaultKind, _ access: MemoryAccess) -> UInt32 {
        switch (kind, access) {
        case (.misaligned, .read): Cause.misalignedLoad
        case (.misaligned, .write): Cause.misalignedStore
        case (.misaligned, .execute): Cause.misalignedFetch
        case (_, .read): Cause.loadAccessFault
        case (_, .write): Cause.storeAccessFault
        case (_, .execute): Cause.fetchAccessFault
        }
    }

    // MARK: Traps

    public func raise(_ state: UnsafeMutableRawPointer, _ exception: UInt32, value: UInt64?) {
        Hart(state).raise(exception, value: value)
    }

    public func stops(_ state: UnsafeMutableRawPointer) -> [StopPoint] { Hart(state).triggerStops }
    public func exception(at stop: StopPoint, size: Int, _ state: UnsafeMutableRawPointer) -> UInt32? {
        Hart(state).fires(stop.number, size: size) ? Cause.breakpoint : nil
    }

    public var interruptLinesOffset: Int { PrivilegedOffset.lines }
    public func takeInterrupt(_ state: UnsafeMutableRawPointer) -> Bool { Hart(state).takeInterrupt() }
    public func deadline(_ state: UnsafeMutableRawPointer) -> UInt64 { Hart(state).deadline }
    public func isAwake(_ state: UnsafeMutableRawPointer) -> Bool { Hart(state).isAwake }
}

/// What of a hart's state translations are made for. U mode with floating point and a usual rounding mode is 0.
struct SystemMode: Equatable {
    var roundingClass: RoundingClass
    var privilege: Privilege
    /// In U mode only: FS is Off. Other modes look when they execute, since their software switches FS all the time.
    var isFloatOff: Bool

    static let privilegeMask: UInt64 = 3 << 2

    /// Bits 0-1: rounding class, 2-3: privilege, 4: FS is Off.
    var word: UInt64 {
        roundingClass.rawValue | UInt64(privilege.rawValue) << 2 | (isFloatOff && privilege == .user ? 1 << 4 : 0)
    }

    init(roundingClass: RoundingClass, privilege: Privilege, isFloatOff: Bool) {
        self.roundingClass = roundingClass
        self.privilege = privilege
        self.isFloatOff = isFloatOff && privilege == .user
    }

    init(word: UInt64) {
        roundingClass = RoundingClass(rawValue: word & 3) ?? .host
        privilege = Privilege(rawValue: UInt8(truncatingIfNeeded: word >> 2 & 3)) ?? .machine
        isFloatOff = word >> 4 & 1 != 0
    }
}

/// The privileged registers for debuggers and dumps: the mode, and each register that has a name of its own.
private func systemRegisters(_ csrs: CSRTable, wordSize: WordSize) -> [RegisterDescriptor] {
    var registers = [
        RegisterDescriptor(name: "priv", offset: PrivilegedState.offset(\.privilege), size: 8, group: .system)
    ]
    for i in 0..<csrs.count {
        let row = csrs[i]
        // Counters that count nothing are left out.
        guard row.lowestPrivilege > 0, !row.name.description.hasPrefix("mhpm") else { continue }
        let number = Int(row.number)
        registers.append(
            RegisterDescriptor(
                name: csrName(Int64(number)),
                source: .computed(
                    ComputedRegister(
                        read: { state, _ in
                            let hart = Hart(UnsafeMutableRawPointer(mutating: state))
                            return csrs.row(number).map { hart.shownValue(of: $0) } ?? 0
                        },
                        write: { state, _, value in
                            let hart = Hart(state)
                            if let row = csrs.row(number) { hart.set(row, value) }
                        })),
                size: wordSize.bytes, group: .system))
    }
    return registers
}
