// A system call as data: what each argument is, and what is done with the call. From one row derive the checks that let
// a call go to the host kernel as it is, and the text that `-strace` shows. Rows are plain values built on demand by a
// switch (`SystemCallTable.row`): no table is made at start-up and nothing is allocated per call.

import HostOS
import LinuxABI

/// The arguments of one system call, as they came from the guest's registers.
public struct SystemCallArguments: Sendable {
    public var number: UInt64
    public var a0, a1, a2, a3, a4, a5: UInt64
    /// The seventh word, which a 32-bit ABI with aligned pairs has; else 0.
    public var a6: UInt64

    public init(
        number: UInt64, _ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0, _ a3: UInt64 = 0, _ a4: UInt64 = 0,
        _ a5: UInt64 = 0, _ a6: UInt64 = 0
    ) {
        self.a6 = a6
        self.number = number
        self.a0 = a0
        self.a1 = a1
        self.a2 = a2
        self.a3 = a3
        self.a4 = a4
        self.a5 = a5
    }

    public subscript(_ index: Int) -> UInt64 {
        switch index {
        case 0: a0
        case 1: a1
        case 2: a2
        case 3: a3
        case 4: a4
        default: a5
        }
    }

    /// Argument `index` as the kernel sees it where it takes an int.
    public func int32(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: self[index]) }
    public func uint32(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: self[index]) }
    /// Argument `index` as a host register.
    public func word(_ index: Int) -> Int { Int(truncatingIfNeeded: self[index]) }
}

/// Performs one system call: returns its value, or `SystemCallResult.restart` and the like; a thrown error becomes
/// -errno.
public typealias SystemCallHandler = (GuestThread, SystemCallArguments) throws(Errno) -> Int

/// What is done with a call.
public enum SystemCallAction {
    /// Martlet's own code.
    case handler(SystemCallHandler)
    /// The host kernel does it, after the checks that the arguments' forms ask for.
    case passThrough
    /// The same for a call that may wait: a guest signal interrupts it.
    case passThroughBlocking
    /// Another call does it, with these arguments.
    case call(RewrittenCall)
    /// Refused with this error, and logged by `-d unimp`.
    case notImplemented(Errno)
}

/// An argument of the call that stands for another one.
enum Operand {
    case none
    /// The original's argument of this number; its first ones are enough for all of them.
    case argument(UInt8)
    /// The same, in units of 4096 bytes (mmap2(2)).
    case pages(UInt8)
    case constant(Int32)
}

/// A call and where its arguments come from, in eight bytes: rows are made for every call.
public struct RewrittenCall: BitwiseCopyable, Sendable {
    var call: SystemCallID
    /// 0...5: an argument. 8...13: one in pages. From 16 up: a constant. 31: zero.
    private var sources: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8) = (31, 31, 31, 31, 31, 31)

    /// At most six operands; others are zero.
    init(_ call: SystemCallID, _ operands: [Operand]) {
        self.call = call
        for (index, operand) in operands.enumerated() {
            let source = Self.source(operand)
            switch index {
            case 0: sources.0 = source
            case 1: sources.1 = source
            case 2: sources.2 = source
            case 3: sources.3 = source
            case 4: sources.4 = source
            default: sources.5 = source
            }
        }
    }

    private static func source(_ operand: Operand) -> UInt8 {
        switch operand {
        case .none: return 31
        case .argument(let number): return number
        case .pages(let number): return 8 &+ number
        case .constant(let value):
            for index: UInt8 in 16..<31 where constant(index) == value { return index }
            preconditionFailure("\(value) is no constant of rows")
        }
    }

    /// The constants of rows.
    private static func constant(_ source: UInt8) -> Int32 {
        switch source {
        case 16: -100  // AT_FDCWD
        case 17: 0x241  // O_CREAT, O_WRONLY, O_TRUNC
        case 18: 0x100  // AT_SYMLINK_NOFOLLOW
        case 19: 0x200  // AT_REMOVEDIR
        case 20: 8  // bytes of a signal mask
        case 21: 17  // SIGCHLD
        case 22: 0x4111  // CLONE_VFORK, CLONE_VM, SIGCHLD
        default: 0
        }
    }

    func arguments(_ given: SystemCallArguments) -> SystemCallArguments {
        func value(_ source: UInt8) -> UInt64 {
            switch source {
            case 0...5: given[Int(source)]
            case 8...13: given[Int(source & 7)] &<< 12  // 4096 bytes, whatever a page has
            default: UInt64(bitPattern: Int64(Self.constant(source)))
            }
        }
        return SystemCallArguments(
            number: given.number, value(sources.0), value(sources.1), value(sources.2), value(sources.3),
            value(sources.4), value(sources.5))
    }
}

/// One argument: how it is checked on the way to the host kernel and how it is shown.
public struct Argument: BitwiseCopyable, Sendable {
    public enum Form: UInt8, Sendable, BitwiseCopyable {
        /// A number of 64 bits also where registers have 32: two of them carry it.
        case wide
        case none, signed, unsigned, hexadecimal, octal, descriptor, directory, signal
        /// A C string that names a file: translated by `GuestPaths`.
        case path
        /// A C string of another kind.
        case string
        /// `names` says which bits or values.
        case bits, value
        /// A pointer the host kernel must not be given unseen: only handlers take it.
        case address
        /// A pointer to `unit` bytes, or to as many as another argument says; the kernel reads, writes, or does both.
        case input, output, both
    }

    /// How the length of what a pointer points to is known.
    public enum Length: UInt8, Sendable, BitwiseCopyable {
        /// `unit` bytes.
        case fixed
        /// `unit` times the argument `lengthArgument`.
        case argument
        /// As many bytes as the 32-bit word says that argument `lengthArgument` points to.
        case pointedTo
        /// A set of as many bits as argument `lengthArgument` says.
        case bitset
    }

    public var form: Form
    public var names: ConstantNames
    public var content: Content
    public var length: Length
    public var lengthArgument: UInt8
    /// For paths: the argument that holds AT_* flags, plus one; 0xff: the last component is never followed.
    public var linkRule: UInt8
    public var unit: UInt16

    init(
        _ form: Form, names: ConstantNames = .open, content: Content = .opaque, length: Length = .fixed,
        lengthArgument: UInt8 = 0, linkRule: UInt8 = 0, unit: UInt16 = 0
    ) {
        self.form = form
        self.names = names
        self.content = content
        self.length = length
        self.lengthArgument = lengthArgument
        self.linkRule = linkRule
        self.unit = unit
    }

    static var none: Argument { Argument(.none) }
    static var int: Argument { Argument(.signed) }
    static var offset: Argument { Argument(.wide) }
    static var size: Argument { Argument(.unsigned) }
    static var hex: Argument { Argument(.hexadecimal) }
    static var mode: Argument { Argument(.octal) }
    static var fd: Argument { Argument(.descriptor) }
    static var directory: Argument { Argument(.directory) }
    static var signal: Argument { Argument(.signal) }
    static var address: Argument { Argument(.address) }
    static var string: Argument { Argument(.string) }
    /// A path whose last component is followed when it is a link.
    static var path: Argument { Argument(.path) }
    /// A path whose last component is taken as it is.
    static var link: Argument { Argument(.path, linkRule: 0xff) }
    /// A path whose last component is followed unless argument `flags` has AT_SYMLINK_NOFOLLOW.
    static func path(flags: UInt8) -> Argument { Argument(.path, linkRule: flags &+ 1) }
    static func bits(_ names: ConstantNames) -> Argument { Argument(.bits, names: names) }
    static func value(_ names: ConstantNames) -> Argument { Argument(.value, names: names) }

    static func input(_ content: Content) -> Argument { Argument(.input, content: content, unit: content.size) }
    static func output(_ content: Content) -> Argument { Argument(.output, content: content, unit: content.size) }
    static func both(_ content: Content) -> Argument { Argument(.both, content: content, unit: content.size) }
    static func input(bytes: UInt16) -> Argument { Argument(.input, unit: bytes) }
    static func output(bytes: UInt16) -> Argument { Argument(.output, unit: bytes) }
    static func both(bytes: UInt16) -> Argument { Argument(.both, unit: bytes) }
    /// As many elements as argument `count` says.
    static func input(_ content: Content, count: UInt8) -> Argument {
        Argument(.input, content: content, length: .argument, lengthArgument: count, unit: content.size)
    }
    static func output(_ content: Content, count: UInt8) -> Argument {
        Argument(.output, content: content, length: .argument, lengthArgument: count, unit: content.size)
    }
    static func both(_ content: Content, count: UInt8) -> Argument {
        Argument(.both, content: content, length: .argument, lengthArgument: count, unit: content.size)
    }
    /// As many bytes as the word says that argument `lengthAt` points to.
    static func output(_ content: Content, lengthAt: UInt8) -> Argument {
        Argument(.output, content: content, length: .pointedTo, lengthArgument: lengthAt, unit: 1)
    }
    static func bitset(count: UInt8) -> Argument {
        Argument(.both, content: .opaque, length: .bitset, lengthArgument: count, unit: 1)
    }
}

/// What a pointer argument points to: how one element differs between guest and host, and how `-strace` shows it.
public enum Content: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Bytes that are alike everywhere, or whose form is a handler's to know.
    case opaque, bytes
    case int16, int32, int32Pair, capabilities, uint64, uint64Pair, uint64Quintuple, long
    case timespec, timespecPair, timeval, timevalPair, itimerspec, timex, times
    case signalSet, signalEvent, socketAddress, pollDescriptors, rlimit, rlimit64, usage, systemInformation
    case bitSet, semaphoreOperations, queueAttributes, fileSystem, lock, scheduling
    case terminal, terminal2, oldTerminal

    /// How its numbers lie in memory.
    enum Shape {
        /// One byte after the other.
        case bytes
        /// So many numbers of so many bytes each.
        case numbers(Int, Int)
        /// So many longs.
        case words(Int)
        /// A long of the guest's, also on the host: part of a set of bits.
        case ownWords
        case structure(StructID)
    }

    var shape: Shape {
        switch self {
        case .opaque, .bytes, .socketAddress, .signalSet: .bytes
        case .int16: .numbers(1, 2)
        case .int32: .numbers(1, 4)
        case .int32Pair: .numbers(2, 4)
        case .capabilities: .numbers(6, 4)
        case .uint64: .numbers(1, 8)
        case .uint64Pair: .numbers(2, 8)
        case .uint64Quintuple: .numbers(5, 8)
        case .long: .words(1)
        case .timespec: .structure(.timespec64)
        case .timespecPair: .structure(.itimerspec64)
        case .timeval: .structure(.timeval)
        case .timevalPair: .structure(.itimerval)
        case .itimerspec: .structure(.itimerspec64)
        case .timex: .structure(.timex64)
        case .times: .structure(.tms)
        case .signalEvent: .structure(.sigevent)
        case .pollDescriptors: .structure(.pollfd)
        case .rlimit: .structure(.rlimit)
        case .rlimit64: .structure(.rlimit64)
        case .usage: .structure(.rusage)
        case .systemInformation: .structure(.sysinfo)
        case .bitSet: .ownWords
        case .semaphoreOperations: .structure(.sembuf)
        case .queueAttributes: .structure(.mq_attr)
        case .fileSystem: .structure(.statfs)
        case .lock: .structure(.flock)
        case .scheduling: .structure(.sched_attr)
        case .terminal: .structure(.termios)
        case .terminal2: .structure(.termios2)
        case .oldTerminal: .structure(.termio)
        }
    }

    /// False for what has the same bytes in every ABI.
    var mayDiffer: Bool { self != .bytes && self != .opaque }

    /// Bytes of one element on the host.
    var size: UInt16 {
        switch self {
        case .opaque, .bytes, .socketAddress: 1
        case .int16: 2
        case .int32: 4
        case .semaphoreOperations: 6
        case .int32Pair, .uint64, .long, .bitSet, .signalSet, .pollDescriptors: 8
        case .timespec, .timeval, .rlimit, .rlimit64, .uint64Pair: 16
        case .capabilities: 24
        case .timespecPair, .timevalPair, .itimerspec, .times, .lock: 32
        case .oldTerminal: 18
        case .terminal: 36
        case .uint64Quintuple: 40
        case .terminal2: 44
        case .scheduling: 56
        case .signalEvent, .queueAttributes: 64
        case .systemInformation: 112
        case .fileSystem: 120
        case .usage: 144
        case .timex: 208
        }
    }
}

/// How the result is shown.
public enum ResultForm: UInt8, Sendable { case decimal, hexadecimal }

/// One system call.
public struct SystemCallRow {
    public var action: SystemCallAction
    public var arguments: InlineArray<6, Argument>
    public var result: ResultForm = .decimal

    init(
        _ action: SystemCallAction, _ a0: Argument, _ a1: Argument, _ a2: Argument, _ a3: Argument, _ a4: Argument,
        _ a5: Argument
    ) {
        self.action = action
        arguments = [a0, a1, a2, a3, a4, a5]
    }

    /// Bit n: argument n has 64 bits in every ABI.
    var wideArguments: UInt8 {
        var mask: UInt8 = 0
        for index in 0..<6 where arguments[index].form == .wide { mask |= 1 << UInt8(index) }
        return mask
    }

    /// How many arguments the call takes.
    var argumentCount: Int {
        var count = 6
        while count > 0 && arguments[count &- 1].form == .none { count &-= 1 }
        return count
    }

    var showingHexadecimal: SystemCallRow {
        var row = self
        row.result = .hexadecimal
        return row
    }
}
