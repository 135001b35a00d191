// What user mode must know about one guest's Linux ABI and cannot learn from its instruction set: registers of the
// system call, numbers, and the few structures whose layout differs between architectures. Everything not mentioned
// here was measured to be the same on all 64-bit little-endian asm-generic guests and on x86-64: open flags, fcntl
// numbers and struct flock, statfs, statx, termios, ioctl numbers, socket constants, msghdr and cmsg, sysinfo, utsname,
// timex, rusage, siginfo, sigevent, errno.

/// One guest's Linux ABI, as data.
public struct LinuxGuestABI: Sendable {
    /// What uname(2) reports as the machine; also the guest's name.
    public var machine: String
    /// e_machine of its ELF files (ELF gABI, chapter 4).
    public var elfMachine: UInt16
    public var pageSize: UInt64
    /// First address past everything a guest may map (task size).
    public var addressLimit: UInt64
    public var registers: SystemCallRegisters
    /// Length in bytes of the instruction that makes a system call.
    public var systemCallLength: UInt64
    /// The meaning of a system call number; nil when the kernel has not assigned it.
    public var systemCall: @Sendable (UInt64) -> SystemCallID?
    public var stat: StatLayout
    public var epollEvent: EpollEventLayout
    public var semaphoreSet: SemaphoreSetLayout
    public var loopInformation = LoopInformationLayout.asmGeneric
    public var signalAction: SignalActionLayout
    public var signalFrame: SignalFrameLayout
    public var core: CoreLayout
    /// Lines of /proc/cpuinfo for one processor, after its number; they depend on the configured CPU model.
    public var processorDescription = ""
    /// Answers of a hardware probe call (riscv_hwprobe(2)) by key; nil for keys it does not know. They depend on the
    /// configured CPU model.
    public var hardwareProbe: @Sendable (Int64) -> UInt64? = { _ in nil }

    public init(
        machine: String, elfMachine: UInt16, pageSize: UInt64, addressLimit: UInt64, registers: SystemCallRegisters,
        systemCallLength: UInt64, systemCall: @escaping @Sendable (UInt64) -> SystemCallID?, stat: StatLayout,
        epollEvent: EpollEventLayout,
        semaphoreSet: SemaphoreSetLayout, signalAction: SignalActionLayout, signalFrame: SignalFrameLayout,
        core: CoreLayout
    ) {
        self.machine = machine
        self.elfMachine = elfMachine
        self.pageSize = pageSize
        self.addressLimit = addressLimit
        self.registers = registers
        self.systemCall = systemCall
        self.stat = stat
        self.epollEvent = epollEvent
        self.semaphoreSet = semaphoreSet
        self.signalAction = signalAction
        self.signalFrame = signalFrame
        self.core = core
        self.systemCallLength = systemCallLength
    }
}

/// Names, as in the guest's register list, of the registers that carry a system call.
public struct SystemCallRegisters: Sendable {
    public var number: String
    public var arguments: [String]
    public var result: String
    public var stackPointer: String
    public var threadPointer: String

    public init(number: String, arguments: [String], result: String, stackPointer: String, threadPointer: String) {
        self.number = number
        self.arguments = arguments
        self.result = result
        self.stackPointer = stackPointer
        self.threadPointer = threadPointer
    }
}

/// Layout of struct sigaction as rt_sigaction(2) takes it.
public struct SignalActionLayout: Sendable {
    public var size: Int
    public var handler: Int
    public var flags: Int
    public var mask: Int
    /// Offset of sa_restorer; nil where the ABI has none and the kernel supplies the return trampoline.
    public var restorer: Int?

    public init(size: Int, handler: Int, flags: Int, mask: Int, restorer: Int?) {
        self.size = size
        self.handler = handler
        self.flags = flags
        self.mask = mask
        self.restorer = restorer
    }

    public static let asmGeneric = SignalActionLayout(size: 24, handler: 0, flags: 8, mask: 16, restorer: nil)
    public static let x64 = SignalActionLayout(size: 32, handler: 0, flags: 8, mask: 24, restorer: 16)
}
