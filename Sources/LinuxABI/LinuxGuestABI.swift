// What user mode must know about one guest's Linux ABI and cannot learn from its instruction set: its table of numbers
// and layouts, its calling convention, its signal frame. Everything not mentioned here is the same on all 64-bit
// little-endian asm-generic guests and on x86-64, as their tables say: open flags, fcntl numbers and struct flock, statfs,
// statx, termios, ioctl numbers, socket constants, msghdr and cmsg, sysinfo, utsname, timex, rusage, siginfo, sigevent,
// errno.

/// One guest's Linux ABI, as data.
public struct LinuxGuestABI: Sendable {
    /// What uname(2) reports as the machine; also the guest's name.
    public var machine: String
    /// Which ELF files are its programs. Class and order are the table's.
    public let elf: ELFTarget
    /// The bits of e_flags that must be as `elf` says.
    public let elfFlagsMask: UInt32
    /// First address past everything a guest may map (task size).
    public var addressLimit: UInt64
    public let table: LinuxTable
    public let words: Words
    public var convention: Convention
    /// Structures that LinuxUser converts.
    public let stat, epollEvent, semaphoreSet, messageQueue, sharedMemory, loopInformation, message: StructConversion
    public let signalAction: SignalActionLayout
    public let alternateStack: StructLayout
    public var signalFrame: SignalFrameLayout
    public var core: CoreLayout
    /// What a process gets for an exception; SIGILL with ILL_ILLOPC for one that has no row.
    public var exceptions: [ExceptionSignal] = []
    /// Lines of /proc/cpuinfo for one processor, after its number; they depend on the configured CPU model.
    public var processorDescription = ""
    /// Answers of a hardware probe call (riscv_hwprobe(2)) by key; nil for keys it does not know. They depend on the
    /// configured CPU model.
    public var hardwareProbe: @Sendable (Int64) -> UInt64? = { _ in nil }

    /// - Precondition: the table has the structures that LinuxUser converts. 32-bit ABIs without struct stat have statx(2)
    ///   alone, which is the same everywhere.
    public init(
        machine: String, elfMachine: UInt16, elfFlags: (value: UInt32, mask: UInt32) = (0, 0), addressLimit: UInt64,
        table: LinuxTable, convention: Convention,
        signalFrame: SignalFrameLayout, core: CoreLayout
    ) {
        func conversion(_ id: StructID) -> StructConversion {
            guard let conversion = StructConversion(table, id) else {
                preconditionFailure("the table of \(table.name) has no struct \(id)")
            }
            return conversion
        }
        self.machine = machine
        words = table.words
        elf = ELFTarget(machine: elfMachine, words: table.words, flags: elfFlags.value)
        elfFlagsMask = elfFlags.mask
        self.addressLimit = addressLimit
        self.table = table
        self.convention = convention
        self.signalFrame = signalFrame
        self.core = core
        stat = StructConversion(table, .stat64, host: .stat) ?? conversion(.stat)
        epollEvent = conversion(.epoll_event)
        semaphoreSet = conversion(.semid)
        messageQueue = conversion(.msqid)
        sharedMemory = conversion(.shmid)
        loopInformation = conversion(.loop_info)
        message = conversion(.msghdr)
        signalAction = SignalActionLayout(table)
        alternateStack = conversion(.sigaltstack).guest
    }

    /// Its programs are such files.
    public func runs(_ file: ELFTarget) -> Bool {
        file.machine == elf.machine && file.words == elf.words && (file.flags ^ elf.flags) & elfFlagsMask == 0
    }

    /// The meaning of a system call number; nil when the kernel has not assigned it.
    @inlinable public func systemCall(_ number: UInt64) -> SystemCallID? { table.call(number) }
}

/// Layout of struct sigaction as rt_sigaction(2) takes it.
public struct SignalActionLayout: Sendable {
    public var size: Int
    public var handler: Int
    public var flags: Int
    /// sa_mask; the size is that of every set of signals.
    public var mask: Int
    public var maskSize, flagsSize: Int
    /// Offset of sa_restorer; nil where the ABI has none and the kernel supplies the return trampoline.
    public var restorer: Int?

    init(_ table: LinuxTable) {
        guard let layout = table.layout(.sigaction) else {
            preconditionFailure("the table of \(table.name) has no struct sigaction")
        }
        let restorer = layout[FieldIndex.sigaction.sa_restorer]
        size = layout.size
        handler = layout[FieldIndex.sigaction.sa_handler].offset
        flags = layout[FieldIndex.sigaction.sa_flags].offset
        mask = layout[FieldIndex.sigaction.sa_mask].offset
        maskSize = layout[FieldIndex.sigaction.sa_mask].size
        flagsSize = layout[FieldIndex.sigaction.sa_flags].size
        self.restorer = restorer.size == 0 ? nil : restorer.offset
    }
}
