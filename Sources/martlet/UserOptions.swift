// The options of user mode, as one table: names, arguments, environment variables, help. Names and meanings are those of
// qemu-user, so that scripts written for it work.

import Diagnostics
import ExecutionEngine
import HostOS
import LinuxMemory
import LinuxUser
import Optimizer

/// One option of user mode.
struct UserOption: Sendable {
    /// Names without the dash; the first is the canonical one.
    let names: [String]
    /// Placeholder of the argument; nil for a switch.
    let argument: String?
    /// Suffix of the environment variable, after `MARTLET_` or `QEMU_`.
    let variable: String?
    let help: String
    /// Stores a value ("" for a switch). The error is the part after "martlet: -NAME VALUE: ".
    let apply: @Sendable (inout UserCommandLine, String) throws(OptionError) -> Void
}

extension UserOption {
    /// Programs that the guest executes run with this option too; the others say something about this one program only.
    /// (The profile's path is handed on by itself, made absolute; so are the limits that the guest has then.)
    var isInherited: Bool { !["E", "U", "0", "execfd", "profile", "limits", "seccomp"].contains(names[0]) }
}

/// What is wrong with an option's value: what would be right.
struct OptionError: Error {
    var message: String
    init(_ message: String) { self.message = message }
}

/// What the command line and the environment say, before anything is opened.
struct UserCommandLine: Sendable {
    var prefix: String?
    var cpu: String?
    var setVariables: [String] = []
    var unsetVariables: [String] = []
    var argumentZero: String?
    /// Where the program is open; -1: it is opened by its path.
    var programDescriptor: Int32 = -1
    var stackSize: UInt64?
    var memoryLimits: MemoryLimitValues?
    var seccompFilters: [String] = []
    var guestBase: UInt64?
    var reservedSize: UInt64?
    var logItems: String?
    var logFile: String?
    var logFilter: String?
    var strace = false
    var oneInstruction = false
    var cacheSize: Int?
    var tier: String?
    /// Executions after which code is optimized.
    var hotThreshold: UInt32?
    /// Translations on disk: `on`, `off` or a folder, and the bytes that they may have.
    var diskCache: String?
    var diskCacheSize: Int?
    /// Hot regions are compiled on another thread; nil: where there is a second processor.
    var background: Bool?
    var seed: UInt64?
    var perfMap = false
    /// Where to write a profile: an absolute path.
    var profile: String?
    /// The program was executed by a guest.
    var isExecuted = false
    var statistics = false
    var disabledPasses: Set<String> = []
    var verification = Verification.standard
    var optimizeOnly = AddressFilter()
    /// Option words that a program executed by the guest gets too.
    var inherited: [[UInt8]] = []
    /// Asked for text instead of a run.
    var wantsHelp = false
    var wantsVersion = false
}

let userOptions: [UserOption] = [
    UserOption(names: ["h", "help"], argument: nil, variable: nil, help: "print this help and exit") {
        (line, _) throws(OptionError) in line.wantsHelp = true
    },
    UserOption(names: ["version"], argument: nil, variable: nil, help: "print the version and exit") {
        (line, _) throws(OptionError) in line.wantsVersion = true
    },
    UserOption(names: ["L"], argument: "DIR", variable: "LD_PREFIX", help: "look up absolute paths under DIR first") {
        (line, value) throws(OptionError) in line.prefix = value
    },
    UserOption(
        names: ["cpu"], argument: "MODEL", variable: "CPU", help: "CPU model and extensions; -cpu help lists them"
    ) {
        (line, value) throws(OptionError) in line.cpu = value
    },
    UserOption(
        names: ["E"], argument: "VAR=VALUE", variable: "SET_ENV", help: "set variables in the guest's environment"
    ) {
        (line, value) throws(OptionError) in
        for item in value.split(separator: ",") {
            guard item.contains("="), item.first != "=" else { throw OptionError("wanted NAME=VALUE") }
            line.setVariables.append(String(item))
        }
    },
    UserOption(
        names: ["U"], argument: "VAR", variable: "UNSET_ENV", help: "remove variables from the guest's environment"
    ) {
        (line, value) throws(OptionError) in
        for item in value.split(separator: ",") {
            if item.contains("=") { throw OptionError("wanted NAME without a value") }
            line.unsetVariables.append(String(item))
        }
    },
    UserOption(names: ["0"], argument: "ARGV0", variable: "ARGV0", help: "the guest's argv[0]") {
        (line, value) throws(OptionError) in line.argumentZero = value
    },
    UserOption(names: ["execfd"], argument: "FD", variable: nil, help: "the program is open at this descriptor") {
        (line, value) throws(OptionError) in
        guard let fd = Int32(value), fd >= 0 else { throw OptionError("wanted a descriptor") }
        line.programDescriptor = fd
    },
    UserOption(names: ["s"], argument: "SIZE", variable: "STACK_SIZE", help: "stack size in bytes, or with K, M, G") {
        (line, value) throws(OptionError) in
        guard let size = parseSize(value, unit: 1), size > 0 else {
            throw OptionError("wanted a size in bytes, such as 8M")
        }
        line.stackSize = size
    },
    UserOption(
        names: ["limits"], argument: "LIMITS", variable: nil,
        help: "soft:hard of RLIMIT_DATA, STACK and AS, as one guest program hands them to another"
    ) {
        (line, value) throws(OptionError) in
        guard let limits = MemoryLimitValues(value) else {
            throw OptionError("wanted six numbers: soft:hard of RLIMIT_DATA, RLIMIT_STACK and RLIMIT_AS")
        }
        line.memoryLimits = limits
    },
    UserOption(
        names: ["seccomp"], argument: "FILTER", variable: nil,
        help: "a filter of system calls, as one guest program hands it to another"
    ) {
        (line, value) throws(OptionError) in
        guard SeccompProgram(text: value) != nil else {
            throw OptionError("wanted 16 hexadecimal digits for each instruction of a seccomp filter")
        }
        line.seccompFilters.append(value)
    },
    UserOption(
        names: ["B"], argument: "ADDRESS", variable: "GUEST_BASE",
        help: "host address of guest address 0 (only 0 is supported)"
    ) {
        (line, value) throws(OptionError) in
        guard let base = parseSize(value, unit: 1) else { throw OptionError("wanted an address") }
        guard base == 0 else { throw OptionError("only base 0 is supported: guest addresses are host addresses") }
        line.guestBase = base
    },
    UserOption(names: ["R"], argument: "SIZE", variable: "RESERVED_VA", help: "size of the guest's address space") {
        (line, value) throws(OptionError) in
        guard let size = parseSize(value, unit: 1), size > 0 else {
            throw OptionError("wanted a size in bytes, such as 4G")
        }
        line.reservedSize = size
    },
    UserOption(names: ["d"], argument: "ITEM,...", variable: "LOG", help: "log these items; -d help lists them") {
        (line, value) throws(OptionError) in line.logItems = value
    },
    UserOption(names: ["D"], argument: "FILE", variable: "LOG_FILENAME", help: "write the log to FILE (%d: process id)")
    {
        (line, value) throws(OptionError) in line.logFile = value
    },
    UserOption(names: ["dfilter"], argument: "RANGE,...", variable: "DFILTER", help: "log only these guest addresses") {
        (line, value) throws(OptionError) in line.logFilter = value
    },
    UserOption(names: ["strace"], argument: nil, variable: "STRACE", help: "log system calls") {
        (line, _) throws(OptionError) in line.strace = true
    },
    UserOption(
        names: ["one-insn-per-tb", "singlestep"], argument: nil, variable: "ONE_INSN_PER_TB",
        help: "one guest instruction per translation"
    ) { (line, _) throws(OptionError) in line.oneInstruction = true },
    UserOption(
        names: ["tb-size"], argument: "SIZE", variable: "TB_SIZE", help: "code cache size in MiB, or with K, M, G"
    ) {
        (line, value) throws(OptionError) in line.cacheSize = try parseCacheSize(value)
    },
    UserOption(names: ["seed"], argument: "NUMBER", variable: "RAND_SEED", help: "make AT_RANDOM repeatable") {
        (line, value) throws(OptionError) in
        guard let seed = parseSize(value, unit: 1) else { throw OptionError("wanted a number") }
        line.seed = seed
    },
    UserOption(
        names: ["accel"], argument: "tcg[,PROP=VALUE...]", variable: "ACCEL",
        help:
            "tier=auto|interpreter|baseline|optimizing, hot=EXECUTIONS, background=on|off, cache=on|off|DIR, cache-size=SIZE, "
            + "tb-size=SIZE, one-insn-per-tb=on|off, no-pass=NAME, optimize-only=START..END, verify=all|N|none"
    ) { (line, value) throws(OptionError) in try parseAccelerator(&line, value) },
    UserOption(names: ["perfmap"], argument: nil, variable: "PERFMAP", help: "write /tmp/perf-PID.map for Linux perf") {
        (line, _) throws(OptionError) in line.perfMap = true
    },
    UserOption(
        names: ["profile"], argument: "FILE", variable: "PROFILE",
        help: "write where time goes to FILE, for 'martlet report'; other processes: FILE.PID"
    ) {
        (line, value) throws(OptionError) in
        guard !value.isEmpty, !value.hasSuffix("/") else { throw OptionError("wanted a file's name") }
        line.profile = absolutePath(value)
    },
    UserOption(names: ["stats"], argument: nil, variable: "STATS", help: "print translation counters at exit") {
        (line, _) throws(OptionError) in line.statistics = true
    },
]

/// The properties of `-accel tcg`.
private func parseAccelerator(_ line: inout UserCommandLine, _ value: String) throws(OptionError) {
    let parts = value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard parts.first == "tcg" else { throw OptionError("wanted tcg; no other accelerator exists") }
    for part in parts.dropFirst() {
        guard let equals = part.firstIndex(of: "=") else { throw OptionError("property '\(part)' wants a value") }
        let name = String(part[..<equals])
        let setting = String(part[part.index(after: equals)...])
        switch name {
        case "tier":
            guard ["auto", "interpreter", "baseline", "optimizing"].contains(setting) else {
                throw OptionError("tier wants auto, interpreter, baseline or optimizing")
            }
            line.tier = setting
        case "tb-size": line.cacheSize = try parseCacheSize(setting)
        case "hot":
            guard let count = UInt32(setting), count > 0 else { throw OptionError("hot wants a number of executions") }
            line.hotThreshold = count
        case "cache":
            guard setting == "on" || setting == "off" || setting.hasPrefix("/") else {
                throw OptionError("cache wants on, off or an absolute path")
            }
            line.diskCache = setting
        case "cache-size":
            guard let size = parseSize(setting, unit: 1 << 20), size >= 64 << 10, size <= 1 << 40 else {
                throw OptionError("cache-size wants a size in MiB, or with a suffix such as 512K, at least 64K")
            }
            line.diskCacheSize = Int(size)
        case "one-insn-per-tb":
            guard setting == "on" || setting == "off" else { throw OptionError("one-insn-per-tb wants on or off") }
            line.oneInstruction = setting == "on"
        case "background":
            guard setting == "on" || setting == "off" else { throw OptionError("background wants on or off") }
            line.background = setting == "on"
        case "thread":
            guard setting == "multi" || setting == "single" else { throw OptionError("thread wants multi or single") }
            if setting == "single" { throw OptionError("thread=single is for system mode, which does not exist yet") }
        case "optimize-only":
            do { line.optimizeOnly = try AddressFilter(parsing: setting) } catch {
                throw OptionError("optimize-only wants a range of addresses such as 0x10000..0x10fff")
            }
        case "no-pass":
            guard Pass(rawValue: setting) != nil else {
                throw OptionError("no-pass wants one of \(Pass.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            line.disabledPasses.insert(setting)
        case "verify":
            guard let verification = Verification(parsing: setting) else {
                throw OptionError("verify wants all, none, or N for one translation in N")
            }
            line.verification = verification
        default:
            throw OptionError(
                "unknown property '\(name)'; wanted tier, hot, background, cache, cache-size, tb-size, one-insn-per-tb, thread, no-pass, optimize-only or verify"
            )
        }
    }
}

/// `path` whatever the current directory will be.
func absolutePath(_ path: String) -> String {
    path.hasPrefix("/") ? path : ((try? HostFile.currentDirectory()) ?? "") + "/" + path
}

private func parseCacheSize(_ text: String) throws(OptionError) -> Int {
    guard let size = parseSize(text, unit: 1 << 20), size > 0 else {
        throw OptionError("wanted a size in MiB, or with a suffix such as 512K")
    }
    guard size >= 64 << 10 else { throw OptionError("too small: the code cache wants at least 64K") }
    guard size <= 1 << 30 else { throw OptionError("too large: the code cache may have at most 1G") }
    return Int(size)
}

/// A number, decimal or 0x..., with an optional suffix K, M, G or T (powers of 1024); without one it counts `unit`s.
func parseSize(_ text: String, unit: UInt64) -> UInt64? {
    var digits = Substring(text)
    var scale = unit
    if let last = digits.last, let power = ["B": 0, "K": 10, "M": 20, "G": 30, "T": 40][last.uppercased()],
        !digits.hasPrefix("0x") || last.uppercased() != "B"
    {
        scale = 1 << UInt64(power)
        digits = digits.dropLast()
    }
    let value = digits.hasPrefix("0x") ? UInt64(digits.dropFirst(2), radix: 16) : UInt64(digits, radix: 10)
    guard let value else { return nil }
    let (result, overflow) = value.multipliedReportingOverflow(by: scale)
    return overflow ? nil : result
}
