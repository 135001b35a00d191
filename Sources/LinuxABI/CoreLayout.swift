// What an ELF core file says of a guest's threads, as tables: core(5), elf(5), Linux include/linux/elfcore.h and
// fs/binfmt_elf.c. Register sets differ between architectures; the records around them are one layout on all 64-bit ones.

/// A set of registers as a note of a core file holds it. Offsets are in bytes from the set's start.
public struct RegisterSetLayout: Sendable {
    public var size: Int
    /// Where the pc is, 64 bits; nil where the set has none.
    public var programCounter: Int?
    public var registers: [SignalFrameLayout.Slot]
    public var floatControl: SignalFrameLayout.FloatControl?

    public init(
        size: Int, programCounter: Int? = nil, registers: [SignalFrameLayout.Slot],
        floatControl: SignalFrameLayout.FloatControl? = nil
    ) {
        self.size = size
        self.programCounter = programCounter
        self.registers = registers
        self.floatControl = floatControl
    }
}

/// The register sets of one guest's core files.
public struct CoreLayout: Sendable {
    /// elf_gregset_t, within NT_PRSTATUS.
    public var general: RegisterSetLayout
    /// Notes of their own, in this order: NT_FPREGSET and those of the architecture.
    public var others: [(type: CoreNote, layout: RegisterSetLayout)]

    public init(general: RegisterSetLayout, others: [(type: CoreNote, layout: RegisterSetLayout)]) {
        self.general = general
        self.others = others
    }
}

/// Types of notes (include/uapi/linux/elf.h).
public struct CoreNote: RawRepresentable, Equatable, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let threadStatus = CoreNote(rawValue: 1)  // NT_PRSTATUS
    public static let floatRegisters = CoreNote(rawValue: 2)  // NT_FPREGSET
    public static let processInformation = CoreNote(rawValue: 3)  // NT_PRPSINFO
    public static let auxiliaryVector = CoreNote(rawValue: 6)  // NT_AUXV
    public static let signalInformation = CoreNote(rawValue: 0x5349_4749)  // NT_SIGINFO
    public static let files = CoreNote(rawValue: 0x4649_4c45)  // NT_FILE
}

/// struct elf_prstatus: these fields, the general registers, and a word that says whether there are floating-point registers.
public enum ThreadStatusField {
    public static let signal = Field(0, 4), current = Field(12, 2)
    public static let held = Field(24, 8)
    public static let pid = Field(32, 4), parent = Field(36, 4), group = Field(40, 4), session = Field(44, 4)
    /// struct timeval each: of the thread, or of the process with its first thread; then of its children.
    public static let userTime = 48, systemTime = 64, childrenUserTime = 80, childrenSystemTime = 96
    public static let registers = 112

    public static func size(registers: RegisterSetLayout) -> Int { self.registers + registers.size + 8 }
    public static func hasFloat(registers: RegisterSetLayout) -> Field {
        Field(UInt16(self.registers + registers.size), 4)
    }
}

/// struct elf_prpsinfo.
public enum ProcessInformationField {
    public static let size = 136
    /// The letter of the process's state, and its nice value.
    public static let stateName = 1, nice = 3
    public static let user = Field(16, 4), group = Field(20, 4)
    public static let pid = Field(24, 4), parent = Field(28, 4), processGroup = Field(32, 4), session = Field(36, 4)
    /// The program's name and its arguments, separated by spaces; both end with a NUL.
    public static let name = (offset: 40, size: 16), arguments = (offset: 56, size: 80)
}
