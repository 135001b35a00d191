// What an ELF core file says of a guest's threads, as tables: core(5), elf(5), Linux include/linux/elfcore.h and
// fs/binfmt_elf.c. Register sets differ between architectures; the records around them differ in the size of a word.

/// A set of registers as a note of a core file holds it. Offsets are in bytes from the set's start.
public struct RegisterSetLayout: Sendable {
    public var size: Int
    /// Where the pc is, a word; nil where the set has none.
    public var programCounter: Int?
    public var registers: [SignalFrameLayout.Slot]

    public init(
        size: Int, programCounter: Int? = nil, registers: [SignalFrameLayout.Slot]
    ) {
        self.size = size
        self.programCounter = programCounter
        self.registers = registers
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

/// struct elf_prstatus: these fields, the general registers, and an int that says whether there are floating-point
/// registers.
public struct ThreadStatusLayout: Sendable {
    private let word: Int
    private let registersSize: Int

    public init(word: Int, registers: RegisterSetLayout) {
        self.word = word
        registersSize = registers.size
    }

    /// An int, a short, and a word.
    public let signal = 0, current = 12
    public var held: Int { 16 + word }
    /// Ints.
    public var pid: Int { 16 + 2 * word }
    public var parent: Int { pid + 4 }
    public var group: Int { pid + 8 }
    public var session: Int { pid + 12 }
    /// Four struct timeval: in user and system mode, of the thread, or of the process with its first thread; then of its
    /// children.
    public var times: Int { pid + 16 }
    public var registers: Int { times + 8 * word }
    public var hasFloat: Int { registers + registersSize }
    public var size: Int { (hasFloat + 4 + word - 1) & -word }
}

/// struct elf_prpsinfo.
public struct ProcessInformationLayout: Sendable {
    private let word: Int
    public init(word: Int) { self.word = word }

    /// The letter of the process's state, and its nice value.
    public let stateName = 1, nice = 3
    /// Ints.
    public var user: Int { 2 * word }
    public var group: Int { user + 4 }
    public var pid: Int { user + 8 }
    public var parent: Int { user + 12 }
    public var processGroup: Int { user + 16 }
    public var session: Int { user + 20 }
    /// The program's name and its arguments, separated by spaces; both end with a NUL.
    public var name: (offset: Int, size: Int) { (user + 24, 16) }
    public var arguments: (offset: Int, size: Int) { (user + 40, 80) }
    public var size: Int { user + 120 }
}
