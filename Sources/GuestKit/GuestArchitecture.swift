// The guest contract: the whole list of what a guest architecture owes the engine.
//
// A guest is one immutable object per configured CPU model. It knows IR and its own CPU state, nothing of hosts or of the
// engine. All its state lives in one relocatable block of memory that tables describe.

import IR
import SoftFloat

/// Why a translation or helper hands control to the embedder: raw values start at `ExitReason.guest` (16).
public enum GuestExit: Int, Sendable {
    /// A system call instruction; pc is after it.
    case systemCall = 16
    /// A breakpoint instruction; pc is at it.
    case breakpoint = 17
    /// An illegal instruction; pc is at it.
    case illegalInstruction = 18
    /// The CPU's mode has changed; pc is after the instruction.
    case stateChanged = 19
    /// An instruction asked that translated code be seen as memory has it now (`fence.i`); pc is after it.
    case instructionFence = 20
    /// The vCPU waits (WFI, pause, wrs): a hint to yield; pc is after it.
    case yield = 21
    /// A jump to an address where no instruction can start; pc is at the jump.
    case misalignedFetch = 22
    /// An integer division that the architecture refuses; pc is at it.
    case divisionByZero = 23
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
    /// The order of plain accesses that guest code may rely on. Passes that leave out or join accesses obey it.
    var memoryModel: MemoryModel { get }
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
    public var floatRules: FloatRules { .canonical }
}
