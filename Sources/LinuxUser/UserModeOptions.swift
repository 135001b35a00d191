// What the command line of user mode decides, and what the application supplies for a guest.

import Diagnostics
import ExecutionEngine
import GuestKit
import HostOS
import LinuxABI
import LinuxMemory

/// Options of user mode, with the meaning of the command line's options of the same letters.
public struct UserModeOptions: Sendable {
    /// The guest program: a host path, looked up as given.
    public var program: String
    /// The guest's arguments after argv[0], without NULs.
    public var arguments: [[UInt8]] = []
    /// -0: argv[0]; the program's path when nil.
    public var argumentZero: [UInt8]?
    /// -comm: the name of the process (proc(5), comm); nil: the last component of the program's path.
    public var commandName: String?
    /// The guest's whole environment, "NAME=value" each, -E and -U applied.
    public var environment: [[UInt8]] = []
    /// -L: prefix for absolute guest paths, without a trailing slash.
    public var prefix: String?
    /// -execfd: the program is open here; -1 when it is to be opened.
    public var programDescriptor: Int32 = -1
    /// -s: stack size in bytes, whatever RLIMIT_STACK says; nil: as that says.
    public var stackSize: UInt64?
    /// The guest's limits of memory when it has been executed by a guest; nil: the host's.
    public var memoryLimits: MemoryLimitValues?
    /// The seccomp filters of the guest that has executed this one, as `SeccompProgram` writes them, the oldest first.
    public var seccompFilters: [String] = []
    /// -B: requested guest base. Only 0 is supported.
    public var guestBase: UInt64 = 0
    /// -R: size of the guest's address space in bytes; nil: the guest's own limit.
    public var reservedSize: UInt64?
    /// -seed: makes AT_RANDOM repeatable.
    public var seed: UInt64?
    public var diagnostics: Diagnostics = .silent
    /// Arguments that make a fresh Martlet behave like this one, put between its argv[0] and `-0 ARGV0 -- PATH
    /// ARGS...` when a guest program executes another one: the mode word and the options, without the program.
    public var relaunchArguments: [[UInt8]] = [Array("run".utf8)]

    /// Where to write a profile; nil: none is taken.
    public var profile: ProfileRequest?

    public init(program: String) { self.program = program }
}

/// A profile to be taken.
public struct ProfileRequest: Sendable {
    /// An absolute path.
    public var path: String
    /// The program was executed by another one that is profiled: its process id is appended to the path.
    public var isChild: Bool
    public init(path: String, isChild: Bool) {
        self.path = path
        self.isChild = isChild
    }
}

/// One guest architecture that user mode can run: what the application knows about it.
public struct UserModeGuest {
    public var abi: LinuxGuestABI
    public var architecture: any GuestArchitecture
    /// AT_HWCAP.
    public var hardwareCapabilities: UInt64
    /// Makes the engine for this architecture on that memory, to run the program of that host path.
    public var makeEngine: (UserAddressSpace, _ program: String) throws -> Engine
    /// Called before the process ends by the guest's own exit.
    public var willExit: () -> Void

    public init(
        abi: LinuxGuestABI, architecture: any GuestArchitecture, hardwareCapabilities: UInt64,
        makeEngine: @escaping (UserAddressSpace, String) throws -> Engine, willExit: @escaping () -> Void = {}
    ) {
        self.abi = abi
        self.architecture = architecture
        self.hardwareCapabilities = hardwareCapabilities
        self.makeEngine = makeEngine
        self.willExit = willExit
    }
}

/// Why a program could not be started: one line for the user.
public struct UserModeError: Error, CustomStringConvertible {
    public let description: String
    /// Exit status of the process: 127 not found, 126 found but not executable, 1 otherwise.
    public let status: Int32
    /// The error that execve(2) reports for the same reason.
    public let errno: Errno

    public init(_ description: String, status: Int32 = 126, errno: Errno = .noexec) {
        self.description = description
        self.status = status
        self.errno = errno
    }
}
