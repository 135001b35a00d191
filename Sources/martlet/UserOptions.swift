// The options of user mode, as one table: names, arguments, environment variables, help. Names and meanings are those of
// qemu-user, so that scripts written for it work.

import Diagnostics
import EngineSetup
import ExecutionEngine
import HostOS
import LinuxMemory
import LinuxUser
import Options

typealias UserOption = CommandOption<UserCommandLine>

extension UserOption {
    /// Programs that the guest executes run with this option too; the others say something about this one program only.
    /// (The profile's path is handed on by itself, made absolute; so are the limits that the guest has then.)
    var isInherited: Bool {
        !["E", "U", "0", "comm", "execfd", "store", "profile", "limits", "seccomp"].contains(names[0])
    }
}

/// What the command line and the environment say, before anything is opened.
struct UserCommandLine: Sendable {
    var prefix: String?
    var cpu: String?
    var setVariables: [String] = []
    var unsetVariables: [String] = []
    var argumentZero: [UInt8]?
    var commandName: String?
    /// Where the program is open; -1: it is opened by its path.
    var programDescriptor: Int32 = -1
    /// Where the folder of translations is open; -1: it is found by its path.
    var storeDescriptor: Int32 = -1
    var stackSize: UInt64?
    var memoryLimits: MemoryLimitValues?
    var seccompFilters: [String] = []
    var guestBase: UInt64?
    var reservedSize: UInt64?
    var logItems: String?
    var logFile: String?
    var logFilter: String?
    var strace = false
    var accelerator = AcceleratorOptions()
    var seed: UInt64?
    var perfMap = false
    /// Where to write a profile: an absolute path.
    var profile: String?
    /// The program was executed by a guest.
    var isExecuted = false
    var statistics = false
    /// Option words that a program executed by the guest gets too.
    var inherited: [[UInt8]] = []
    /// Asked for text instead of a run.
    var wantsHelp = false
    var wantsVersion = false
}

let userOptions: [UserOption] = [
    UserOption("h", "help", help: "print this help and exit") {
        (line, _) throws(OptionError) in line.wantsHelp = true
    },
    UserOption("version", help: "print the version and exit") {
        (line, _) throws(OptionError) in line.wantsVersion = true
    },
    UserOption("L", argument: "DIR", variable: "LD_PREFIX", help: "look up absolute paths under DIR first") {
        (line, value) throws(OptionError) in line.prefix = value
    },
    UserOption(
        "cpu", argument: "MODEL", variable: "CPU", help: "CPU model and extensions; -cpu help lists them"
    ) {
        (line, value) throws(OptionError) in line.cpu = value
    },
    UserOption(
        "E", argument: "VAR=VALUE", variable: "SET_ENV", help: "set variables in the guest's environment"
    ) {
        (line, value) throws(OptionError) in
        for item in value.split(separator: ",") {
            guard item.contains("="), item.first != "=" else { throw OptionError("wanted NAME=VALUE") }
            line.setVariables.append(String(item))
        }
    },
    UserOption(
        "U", argument: "VAR", variable: "UNSET_ENV", help: "remove variables from the guest's environment"
    ) {
        (line, value) throws(OptionError) in
        for item in value.split(separator: ",") {
            if item.contains("=") { throw OptionError("wanted NAME without a value") }
            line.unsetVariables.append(String(item))
        }
    },
    UserOption("0", argument: "ARGV0", variable: "ARGV0", help: "the guest's argv[0]") {
        (line, value) throws(OptionError) in line.argumentZero = Array(value.utf8)
    },
    UserOption("comm", argument: "NAME", help: "the name of the process") {
        (line, value) throws(OptionError) in line.commandName = value
    },
    UserOption("execfd", argument: "FD", help: "the program is open at this descriptor") {
        (line, value) throws(OptionError) in
        guard let fd = Int32(value), fd >= 0 else { throw OptionError("wanted a descriptor") }
        line.programDescriptor = fd
    },
    UserOption("store", argument: "FD", help: "the folder of translations is open at this descriptor") {
        (line, value) throws(OptionError) in
        guard let fd = Int32(value), fd >= 0 else { throw OptionError("wanted a descriptor") }
        line.storeDescriptor = fd
    },
    UserOption("s", argument: "SIZE", variable: "STACK_SIZE", help: "stack size in bytes, or with K, M, G") {
        (line, value) throws(OptionError) in
        guard let size = parseSize(value, unit: 1), size > 0 else {
            throw OptionError("wanted a size in bytes, such as 8M")
        }
        line.stackSize = size
    },
    UserOption(
        "limits", argument: "LIMITS",
        help: "soft:hard of RLIMIT_DATA, STACK and AS, as one guest program hands them to another"
    ) {
        (line, value) throws(OptionError) in
        guard let limits = MemoryLimitValues(value) else {
            throw OptionError("wanted six numbers: soft:hard of RLIMIT_DATA, RLIMIT_STACK and RLIMIT_AS")
        }
        line.memoryLimits = limits
    },
    UserOption(
        "seccomp", argument: "FILTER", help: "a filter of system calls, as one guest program hands it to another"
    ) {
        (line, value) throws(OptionError) in
        guard SeccompProgram(text: value) != nil else {
            throw OptionError("wanted 16 hexadecimal digits for each instruction of a seccomp filter")
        }
        line.seccompFilters.append(value)
    },
    UserOption(
        "B", argument: "ADDRESS", variable: "GUEST_BASE",
        help: "host address of guest address 0 (only 0 is supported)"
    ) {
        (line, value) throws(OptionError) in
        guard let base = parseSize(value, unit: 1) else { throw OptionError("wanted an address") }
        guard base == 0 else { throw OptionError("only base 0 is supported: guest addresses are host addresses") }
        line.guestBase = base
    },
    UserOption("R", argument: "SIZE", variable: "RESERVED_VA", help: "size of the guest's address space") {
        (line, value) throws(OptionError) in
        guard let size = parseSize(value, unit: 1), size > 0 else {
            throw OptionError("wanted a size in bytes, such as 4G")
        }
        line.reservedSize = size
    },
    UserOption("d", argument: "ITEM,...", variable: "LOG", help: "log these items; -d help lists them") {
        (line, value) throws(OptionError) in line.logItems = value
    },
    UserOption("D", argument: "FILE", variable: "LOG_FILENAME", help: "write the log to FILE (%d: process id)") {
        (line, value) throws(OptionError) in line.logFile = value
    },
    UserOption("dfilter", argument: "RANGE,...", variable: "DFILTER", help: "log only these guest addresses") {
        (line, value) throws(OptionError) in line.logFilter = value
    },
    UserOption("strace", variable: "STRACE", help: "log system calls") {
        (line, _) throws(OptionError) in line.strace = true
    },
    UserOption(
        "one-insn-per-tb", "singlestep", variable: "ONE_INSN_PER_TB",
        help: "one guest instruction per translation"
    ) { (line, _) throws(OptionError) in line.accelerator.oneInstruction = true },
    UserOption(
        "tb-size", argument: "SIZE", variable: "TB_SIZE", help: "code cache size in MiB, or with K, M, G"
    ) {
        (line, value) throws(OptionError) in line.accelerator.cacheSize = try parseCacheSize(value)
    },
    UserOption("seed", argument: "NUMBER", variable: "RAND_SEED", help: "make AT_RANDOM repeatable") {
        (line, value) throws(OptionError) in
        guard let seed = parseSize(value, unit: 1) else { throw OptionError("wanted a number") }
        line.seed = seed
    },
    UserOption(
        "accel", argument: "tcg[,PROP=VALUE...]", variable: "ACCEL",
        help:
            "tier=auto|interpreter|baseline|optimizing, hot=EXECUTIONS, background=on|off, cache=on|off|DIR, cache-size=SIZE, "
            + "tb-size=SIZE, one-insn-per-tb=on|off, no-pass=NAME, optimize-only=START..END, verify=all|N|none"
    ) {
        (line, value) throws(OptionError) in
        try line.accelerator.parse(value)
        if line.accelerator.threads == "single" { throw OptionError("thread=single is for system mode") }
    },
    UserOption("perfmap", variable: "PERFMAP", help: "write /tmp/perf-PID.map for Linux perf") {
        (line, _) throws(OptionError) in line.perfMap = true
    },
    UserOption(
        "profile", argument: "FILE", variable: "PROFILE",
        help: "write where time goes to FILE, for 'martlet report'; other processes: FILE.PID"
    ) {
        (line, value) throws(OptionError) in
        guard !value.isEmpty, !value.hasSuffix("/") else { throw OptionError("wanted a file's name") }
        line.profile = absolutePath(value)
    },
    UserOption("stats", variable: "STATS", help: "print translation counters at exit") {
        (line, _) throws(OptionError) in line.statistics = true
    },
]

/// `path` whatever the current directory will be.
func absolutePath(_ path: String) -> String {
    path.hasPrefix("/") ? path : ((try? HostFile.currentDirectory()) ?? "") + "/" + path
}
