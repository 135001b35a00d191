// The guest contract: the whole list of what a guest architecture owes the engine.
//
// A guest is one immutable object per configured CPU model. It knows IR and its own CPU state, nothing of hosts or of the
// engine. All its state lives in one relocatable block of memory that tables describe.

import IR
import SoftFloat

/// Why a translation or helper hands control to the cpu loop.
public enum GuestExit: Equatable, Sendable {
    /// A system call instruction of user mode; pc is after it.
    case systemCall
    /// The CPU's mode has changed; pc is after the instruction.
    case stateChanged
    /// An instruction asked that translated code be seen as memory has it now (`fence.i`); pc is after it.
    case instructionFence
    /// The vCPU waits for others (pause, wrs): a hint to yield; pc is after it.
    case yield
    /// The vCPU waits for an interrupt (WFI); pc is after it.
    case wait
    /// An exception by the number that the architecture's manual gives it; pc is at the instruction.
    case exception(UInt32)
    /// An instruction that some vCPU stops at (`TranslationUnit.stops`); pc is at it. No front end's: the engine's own.
    case stop
    /// The one instruction that was to be executed has jumped (`RegionPlan.isForOneStep`); pc is where it went. The engine's own, too.
    case stepped

    /// As `exit_tb` and `VCPUHeader.exitReason` have it: a reason from `ExitReason.guest` (16) on, and in the upper half a payload.
    public var word: UInt64 {
        switch self {
        case .systemCall: 16
        case .stateChanged: 17
        case .instructionFence: 18
        case .yield: 19
        case .exception(let code): 20 | UInt64(code) << 32
        case .wait: 21
        case .stop: 22
        case .stepped: 23
        }
    }

    /// Nil for what is no guest's.
    public init?(word: UInt64) {
        switch UInt32(truncatingIfNeeded: word) {
        case 16: self = .systemCall
        case 17: self = .stateChanged
        case 18: self = .instructionFence
        case 19: self = .yield
        case 20: self = .exception(UInt32(truncatingIfNeeded: word >> 32))
        case 21: self = .wait
        case 22: self = .stop
        case 23: self = .stepped
        default: return nil
        }
    }
}

/// A guest architecture, configured.
public protocol GuestArchitecture: AnyObject, Sendable {
    /// As in `martlet-NAME`: "riscv64".
    var name: String { get }
    var wordSize: WordSize { get }
    /// Loads and stores have the most significant byte first.
    var dataIsBig: Bool { get }
    /// How instructions lie in memory.
    var codeLayout: CodeLayout { get }
    /// Guest state that IR ops may name, in temp order.
    var globals: [GlobalDescriptor] { get }
    var helpers: [HelperDescriptor] { get }
    var registers: [RegisterDescriptor] { get }
    /// Bytes of CPU state.
    var stateSize: Int { get }
    /// Offset of the 64-bit program counter in the CPU state.
    var pcOffset: Int { get }
    /// Offset of 16 bits of the CPU state that get the word of an instruction that stops in the middle (`beginInstruction`), such as
    /// whether it is in a delay slot; 0 where a translation is left between instructions. Nil: the guest gives no words.
    var instructionWord: Int? { get }
    /// Instructions start at multiples of this many bytes.
    var instructionAlignment: Int { get }
    /// Bytes of the longest instruction; by default 16.
    var longestInstruction: Int { get }
    /// The order of plain accesses that guest code may rely on. Passes that leave out or join accesses obey it.
    var memoryModel: MemoryModel { get }
    /// The modes of code that address spaces may see at different addresses, that of programs, where the front end knows addresses of code by
    /// `TranslationUnit.seenAddress` alone. By default none. Only of a guest whose addresses have 64 bits.
    var movingModes: ModeSet? { get }
    /// What its floating-point instructions deliver where IEEE 754 leaves a choice. By default as if it had none.
    var floatRules: FloatRules { get }

    /// Puts a CPU state into its reset (user mode: process start) condition.
    func reset(_ state: UnsafeMutableRawPointer)
    /// The CPU's mode: what of its state a translation depends on besides the pc (rounding class, privilege, ...), in at most 16 bits.
    /// It is part of every key that code is looked up by. Most code should run in mode 0, whose look-ups cost least.
    func mode(_ state: UnsafeMutableRawPointer) -> UInt64

    /// Translates one guest basic block, from `unit.pc` until a control transfer or until `unit.isFull`.
    func translateBlock(_ unit: inout TranslationUnit)

    /// Disassembles the instruction at the start of `bytes`: its text and length in bytes.
    func disassemble(_ bytes: UnsafeRawBufferPointer, at pc: UInt64) -> (text: String, length: Int)
}

extension GuestArchitecture {
    public var instructionWord: Int? { nil }
    public var longestInstruction: Int { 16 }
    public var movingModes: ModeSet? { nil }
    public var floatRules: FloatRules { .canonical }
}
