// The host contract: what the engine needs of whatever runs translations. Two hosts exist: x86-64 machine code, and the
// interpreter, which runs IR directly and is the oracle of the other.

import IR
import SoftFloat

/// What a host made of one region.
public struct CompiledRegion: BitwiseCopyable, @unchecked Sendable {
    /// Host address to enter at (executable view). The interpreter's is an opaque, non-zero token of the same shape.
    public var entry: UInt64
    /// Of relative code (`CodeMode.relative`): where it is entered with the pc at its first instruction; 0 for other code.
    public var movingEntry: UInt64
    // A process keeps one for each translation, and a short one pays for each page of them.
    private let code, slots, slotTotal, relocations, relocationTotal: UInt32
    private var recordSize: UInt32
    private var firstRecord: UnsafeRawPointer?

    /// Bytes of host code from `entry` on (0 for the interpreter).
    public var codeSize: Int { Int(code) }
    /// The region's chaining slots in the host's table of them.
    public var firstSlot: Int { Int(slots) }
    public var slotCount: Int { Int(slotTotal) }
    /// What of its code depends on where it lies, in the host's table of that.
    public var firstRelocation: Int { Int(relocations) }
    public var relocationCount: Int { Int(relocationTotal) }
    /// Recovery records, encoded: see `RecoveryRecords`. Valid until the next `compile`: the engine copies them.
    public var records: UnsafeRawBufferPointer {
        get { UnsafeRawBufferPointer(start: firstRecord, count: Int(recordSize)) }
        set {
            firstRecord = newValue.baseAddress
            recordSize = UInt32(newValue.count)
        }
    }

    public init(
        entry: UInt64, movingEntry: UInt64 = 0, codeSize: Int, firstSlot: Int, slotCount: Int, firstRelocation: Int = 0,
        relocationCount: Int = 0,
        records: UnsafeRawBufferPointer
    ) {
        self.entry = entry
        self.movingEntry = movingEntry
        code = UInt32(codeSize)
        slots = UInt32(firstSlot)
        slotTotal = UInt32(slotCount)
        relocations = UInt32(firstRelocation)
        relocationTotal = UInt32(relocationCount)
        firstRecord = records.baseAddress
        recordSize = UInt32(records.count)
    }
}

/// Registers of a host by class. The allocator's numbers of general registers begin at 0, those of floating-point registers at
/// `floatRegisterBase`; within a class they are the hardware's.
public struct RegisterCounts: Sendable {
    public var general: Int, float: Int
    public init(general: Int, float: Int) {
        self.general = general
        self.float = float
    }
}

/// What the engine tells a host about the guest, once.
public struct HostConfiguration {
    public var helpers: [HelperDescriptor]
    public var globals: [GlobalDescriptor]
    /// Offset of the pc global from the CPU-state pointer, and its size in bytes.
    public var pcOffset: Int
    public var stateSize: Int
    /// What floating-point ops deliver where IEEE 754 leaves a choice.
    public var floatRules: FloatRules
    /// How guest memory is reached.
    public var addressing: GuestAddressing
    /// Code is made for a profile: the recovery records say where each instruction starts.
    public var isProfiled: Bool
    /// Regions count instructions: `insn_start` says, as the word of the instruction, how many of its block were executed before it, for
    /// `VCPUHeader.started`.
    public var countsInstructions: Bool
    public init(
        helpers: [HelperDescriptor], globals: [GlobalDescriptor], pcOffset: Int, stateSize: Int,
        floatRules: FloatRules = .canonical, addressing: GuestAddressing = .identity, isProfiled: Bool = false,
        countsInstructions: Bool = false
    ) {
        self.helpers = helpers
        self.globals = globals
        self.pcOffset = pcOffset
        self.stateSize = stateSize
        self.floatRules = floatRules
        self.addressing = addressing
        self.isProfiled = isProfiled
        self.countsInstructions = countsInstructions
    }

    public var usesTables: Bool {
        if case .tables = addressing { true } else { false }
    }
}

/// Guest accesses in the code that a host has made, where guest addresses are looked up.
public struct LookUpCounts: Sendable {
    public var accesses = 0
    /// Of those, the ones that look nothing up unless the page is another one than that of the access before.
    public var shared = 0
    public init(accesses: Int = 0, shared: Int = 0) {
        self.accesses = accesses
        self.shared = shared
    }
}

/// A host back end. One object serves one engine (all its vCPUs). `compile`, `link`, `unlink` and `flush` are called with
/// the engine's translation lock held; `enter` by many threads at once.
public protocol HostBackEnd: AnyObject, Sendable {
    var name: String { get }
    /// Registers and constraints for the allocator, once it is configured; nil for a host that takes IR as it is.
    var description: HostDescription? { get }

    /// It makes relative code (`CodeMode.relative`).
    var makesMovingCode: Bool { get }

    /// How many registers of each class its code uses.
    var registerCounts: RegisterCounts { get }

    /// Accesses so far, of whatever became of the code; nil for a host that makes none. Any thread.
    var lookUpCounts: LookUpCounts? { get }

    /// Called once before anything else, with the executable memory to use.
    func configure(_ configuration: HostConfiguration, code: CodeBuffer)

    /// Translates a region. `allocation` is filled when `description` is not nil. `translation` is the index that chain
    /// exits must report. Returns nil when the code buffer is full.
    func compile(_ region: Region, _ allocation: Allocation, translation: Int) -> CompiledRegion?

    /// Gives the host's own words of a new vCPU's header their first values.
    func prepare(_ state: UnsafeMutableRawPointer)

    /// Runs from `entry` until generated code returns.
    func enter(_ state: UnsafeMutableRawPointer, _ entry: UInt64) -> ExitValue

    /// Makes `slot` of a compiled region go to `target`, the code of guest `pc`, from now on, atomically with respect to running
    /// code. An in-line cache is for the first pc that it is linked to, for ever; false: it is another's.
    func link(_ compiled: CompiledRegion, slot: Int, to target: UInt64, pc: UInt64) -> Bool
    /// Makes `slot` of a region that was compiled for a mode look its target up in the jump cache from now on, for good; an in-line cache
    /// whatever its target is.
    func leaveToLookUp(_ compiled: CompiledRegion, slot: Int, mode: UInt64)
    /// Is a slot where a call comes back to (`push_return`) of relative code? `link` wants an entry that sets `VCPUHeader.delta` for it.
    func isMovingReturn(_ compiled: CompiledRegion, slot: Int) -> Bool
    /// The address of code that goes on to a compiled region, translation `translation` of guest `pc` in a mode, where the vCPU knows it
    /// (`VCPUHeader.knownTranslations`), and elsewhere looks the pc up. Nil when the code buffer is full. `sets`: the pc global holds the
    /// pc, and `VCPUHeader.delta` is set by it.
    func guardedEntry(
        _ compiled: CompiledRegion, translation: Int, pc: UInt64, mode: UInt64, sets: Bool
    ) -> UInt64?
    /// Makes `slot` return to the cpu loop again.
    func unlink(_ compiled: CompiledRegion, slot: Int)
    /// The first in-line cache of a compiled region: guest pc of the indirect jump, and the target that it is for, if it was ever
    /// linked.
    func inlineCache(_ compiled: CompiledRegion) -> (site: UInt64, target: UInt64?)?
    /// The guest pc that a slot leads to; nil for an in-line cache.
    func target(_ compiled: CompiledRegion, slot: Int) -> UInt64?
    /// Takes back the newest compiled region, which nothing refers to.
    func discard(_ compiled: CompiledRegion)

    /// A compiler of regions for another thread; nil for a host whose regions cannot move.
    func makeCompiler() -> (any RegionCompiler)?

    /// Bytes that `export` writes; nil for a host whose regions cannot move.
    func exportedSize(_ compiled: CompiledRegion) -> Int?
    /// A copy of a compiled region, without links, that `install` takes: anywhere in a code buffer, under any index, also in
    /// another process of the same build with the same guest.
    func export(_ compiled: CompiledRegion, to bytes: UnsafeMutableRawBufferPointer)
    /// Puts an exported region into the code buffer as the translation with that index. Returns nil when the code buffer is full
    /// or the bytes are not a region. The records are those in `exported`: the engine copies them.
    /// `counterShift`: how much higher the number of the translation's counter is here than where it was exported.
    /// `isForExport`: it may be exported again.
    func install(
        _ exported: UnsafeRawBufferPointer, translation: Int, counterShift: Int, isForExport: Bool
    ) -> CompiledRegion?

    /// Forgets all compiled regions (the code buffer has been reset to after the host's own stubs).
    func flush()

    /// The accrued floating-point flags and the dynamic rounding mode while no generated code runs (numbering of `Op`).
    func floatFlags(_ state: UnsafeMutableRawPointer) -> UInt32
    func setFloatFlags(_ state: UnsafeMutableRawPointer, _ flags: UInt32)
    func setRounding(_ state: UnsafeMutableRawPointer, _ mode: UInt32)

    /// The register that holds the CPU-state pointer plus `stateBias` while generated code runs (hardware number).
    var stateRegister: Int { get }
    var stateBias: Int { get }

    /// Where the fault handler resumes to leave generated code; 0 for a host whose code cannot fault. The handler has stored the
    /// registers in `savedRegisters`.
    var faultExitAddress: UInt64 { get }

    /// While generated code on this state calls something outside the code buffer: the host address that the call returns to, else
    /// anything. Async-signal-safe.
    func callReturnAddress(_ state: UnsafeMutableRawPointer) -> UInt64
}

extension HostBackEnd {
    /// Installs a region that keeps the number of its counter.
    public func install(_ exported: UnsafeRawBufferPointer, translation: Int) -> CompiledRegion? {
        install(exported, translation: translation, counterShift: 0, isForExport: true)
    }
}

/// Compiles regions away from the code buffer. Used by one thread, without the translation lock.
public protocol RegionCompiler: AnyObject, Sendable {
    /// The region in the form that `HostBackEnd.install` takes, valid until the next call; nil when it does not fit.
    func compile(_ region: Region, _ allocation: Allocation) -> UnsafeRawBufferPointer?
}
