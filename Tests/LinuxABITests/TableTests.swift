import ABITables
import Foundation
import HostOS
import Testing

@testable import LinuxABI

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

private func text(_ name: String) throws -> String {
    try String(contentsOf: root.appending(path: "Sources/LinuxABI/Tables/\(name).abi"), encoding: .utf8)
}

private func table(_ name: String) throws -> Table { try Table(try text(name), file: name) }

extension LinuxTable {
    init(_ packed: Packed) {
        self.init(
            name: packed.name, word: packed.word, isBigEndian: packed.isBigEndian, firstCall: packed.firstCall,
            calls: packed.calls, errors: packed.errors, signals: packed.signals, maps: packed.maps,
            structures: packed.structures)
    }
}

/// The text tables, and what they are packed into.
@Suite struct TableTests {
    @Test func riscv64NumbersAreTheTables() throws {
        for call in try table("riscv64").calls {
            #expect(LinuxTable.riscv64.call(UInt64(call.number))?.name == call.name)
        }
        #expect(LinuxTable.riscv64.call(38) == nil)
        #expect(LinuxTable.riscv64.call(470) == nil)
        #expect(LinuxTable.riscv64.call(.max) == nil)
        #expect(LinuxTable.riscv64.number(of: .openat) == 56)
        #expect(LinuxTable.riscv64.number(of: .open) == nil)
    }

    /// riscv32's calls about time have other names and numbers, and the same entry points.
    @Test func oneEntryPointIsOneCall() {
        #expect(LinuxTable.riscv32.call(403) == .clock_gettime)
        #expect(LinuxTable.riscv32.call(422) == .futex)
        #expect(LinuxTable.riscv32.call(113) == nil)
        #expect(LinuxTable.riscv32.call(222) == .mmap2)
        #expect(LinuxTable.riscv32.call(71) == .sendfile)
        #expect(LinuxTable.x86_64.call(2) == .open)
        #expect(LinuxTable.x86_64.call(5) == .fstat)
    }

    @Test func hostNumbersAreTheHostTables() {
        for id in SystemCallID.allCases {
            #expect(id.hostNumber == LinuxTable.host.number(of: id).map { Int32($0) } ?? -1, "\(id)")
        }
    }

    /// What user mode relies on: riscv64 differs from the host in numbers of calls and in five structures, and nowhere else.
    @Test func riscvHasTheHostsConstants() {
        for table in [LinuxTable.riscv64, .riscv32] {
            #expect(table.hasHostErrors && table.hasHostSignals)
            for set in MaskSet.allCases { #expect(table.isHosts(set), "\(set)") }
            for set in ValueSet.allCases { #expect(table.isHosts(set), "\(set)") }
        }
    }

    @Test func constantsInUseAreTheTables() throws {
        let riscv = try table("riscv64")
        func values(_ name: String) -> [String: UInt64] {
            let sets = riscv.bits.filter { $0.set == name } + riscv.values.filter { $0.set == name }
            return Dictionary(sets.flatMap(\.names).map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
        }
        let pairs: [(ConstantNames, String)] = [
            (.open, "open"), (.at, "at"), (.mapProtection, "protection"), (.mapFlags, "map"), (.memorySync, "msync"),
            (.clone, "clone"), (.wait, "wait"), (.eventFD, "eventfd"), (.timerFD, "timerfd"), (.inotifyMask, "inotify"),
            (.memfd, "memfd"), (.random, "random"), (.fallocate, "fallocate"), (.ipc, "ipc"), (.poll, "poll"),
            (.signalAction, "sigaction"), (.mlockAll, "mlockall"), (.fcntl, "fcntl"), (.clock, "clock"),
            (.resource, "resource"), (.madvise, "madvise"), (.signalHow, "sigmask"), (.futex, "futex"),
            (.ipcControl, "ipcctl"),
        ]
        for (names, set) in pairs {
            let known = values(set)
            #expect(!known.isEmpty, "\(set)")
            var compared = 0
            for word in names.table.description.split(separator: " ") {
                let parts = word.split(separator: "=")
                guard parts.count == 2, let value = UInt64(parts[1], radix: 16), let wanted = known[String(parts[0])]
                else { continue }
                #expect(UInt32(truncatingIfNeeded: wanted) == UInt32(truncatingIfNeeded: value), "\(parts[0])")
                compared += 1
            }
            #expect(compared > 0, "\(set)")
        }
        for error in riscv.errors where error.name == "EOVERFLOW" {
            #expect(Int32(error.value) == Errno.overflow.rawValue)
        }
        let known = Dictionary(riscv.errors.map { ($0.name, $0.value) }, uniquingKeysWith: { a, _ in a })
        for (name, error): (String, Errno) in [
            ("EPERM", .perm), ("ENOENT", .noent), ("EINTR", .intr), ("EAGAIN", .again), ("ENOMEM", .nomem),
            ("EFAULT", .fault), ("EINVAL", .inval), ("ENOSYS", .nosys), ("ELOOP", .loop),
            ("ENAMETOOLONG", .nametoolong),
            ("ETIMEDOUT", .timedout), ("EOPNOTSUPP", .opnotsupp), ("EMSGSIZE", .msgsize), ("ENOTSOCK", .notsock),
        ] { #expect(known[name] == UInt64(error.rawValue), "\(name)") }
    }

    @Test func sizesInUseAreTheTables() throws {
        let sizes: [(StructID, Int)] = [(.statx, StructSize.statx), (.utsname, StructSize.utsname)]
        for (id, size) in sizes {
            for table in [LinuxTable.riscv64, .x86_64] { #expect(try #require(table.layout(id)).size == size, "\(id)") }
        }
    }

    /// A request whose number says its size is never unknown, and no table of ours says another size.
    @Test func ioctlsInUseAreTheTables() throws {
        for request in try table("riscv64").requests where request.direction != "-" {
            let argument = Ioctl.argument(UInt32(request.number))
            #expect(argument != nil, "\(request.name)")
            if let argument, argument.kind == .both, request.name != "TUNSETIFF" {
                #expect(argument.size == request.size, "\(request.name)")
            }
        }
    }

    /// Requests of the time before numbers said what they are have rows too.
    @Test func oldRequestsAreInTheTable() throws {
        let requests = try table("riscv64").requests
        for (name, number): (String, UInt64) in [("TCGETS", 0x5401), ("SIOCGIFCONF", 0x8912), ("LOOP_SET_FD", 0x4c00)] {
            #expect(requests.first { $0.name == name }?.number == number, "\(name)")
            #expect(Ioctl.argument(UInt32(number)) != nil, "\(name)")
        }
    }

    // MARK: Other ABIs

    /// What differs on MIPS, as `devtool abi mips` writes it.
    private static let mips = """
        abi mips
        word 4
        order big
        align 8
        call 4003 read
        call 4005 open
        call 4054 ioctl
        call 4265 clock_gettime sys_clock_gettime32
        call 4403 clock_gettime64 sys_clock_gettime
        errno EINVAL 22
        errno EDEADLK 45
        errno EDEADLOCK 56
        errno EOVERFLOW 79
        signal SIGBUS 10
        signal SIGUSR1 16
        signal SIGCHLD 18
        bits open O_RDONLY 0x0
        bits open O_WRONLY 0x1
        bits open O_RDWR 0x2
        bits open O_ACCMODE 0x3
        bits open O_APPEND 0x8
        bits open O_DSYNC 0x10
        bits open O_CREAT 0x100
        bits open O_EXCL 0x400
        bits open O_SYNC 0x4010
        value sockoption SO_REUSEADDR 4
        value fcntl F_GETLK 14
        value fcntl F_DUPFD 0
        struct timespec 8 tv_sec 0 4 s tv_nsec 4 4 s
        struct oldstat -
        """

    private func packedMIPS() throws -> LinuxTable {
        let mips = try Table(Self.mips, file: "mips"), host = try table("x86_64")
        return LinuxTable(try Vocabulary([table("riscv64"), table("riscv32"), host]).pack(mips, host: host))
    }

    @Test func anotherABIIsTranslatedByNames() throws {
        let mips = try packedMIPS()
        #expect(mips.word == 4 && mips.order == .big)
        #expect(mips.call(4005) == .open && mips.call(5) == nil && mips.call(4403) == .clock_gettime)
        #expect(mips.error(Errno(35)) == 45 && mips.error(.overflow) == 79 && mips.error(.inval) == 22)
        #expect(mips.signal(7) == 10 && mips.hostSignal(16) == 10 && mips.hostSignal(40) == 40)
        #expect(!mips.isHosts(.open) && mips.isHosts(.at))
        #expect(mips.toHost(0x100 | 0x400 | 0x2, .open) == 0x40 | 0x80 | 0x2)
        #expect(mips.toHost(0x4010, .open) == 0x101000 && mips.toHost(0x10, .open) == 0x1000)
        #expect(mips.fromHost(0x40 | 0x1, .open) == 0x101 && mips.fromHost(0, .open) == 0)
        #expect(mips.toHost(14, .fcntl) == 5 && mips.toHost(99, .fcntl) == nil && mips.fromHost(2, .sockoption) == 4)
        #expect(mips.layout(.timespec)?.size == 8 && mips.layout(.stat) == nil)
    }

    @Test(arguments: [
        ("call 3", "t:2: a row 'call' does not have 2 words: call 3"),
        ("call x read", "t:2: 'x' is no number: call x read"),
        ("cal 3 read", "t:2: no row begins with 'cal': cal 3 read"),
        ("struct s 8 f 0", "t:2: a structure's field is four words: struct s 8 f 0"),
        ("struct s 8 f 0 4 q", "t:2: 'q' is no kind of field: struct s 8 f 0 4 q"),
        ("struct s 8 f 6 4 u", "t:2: f lies outside the structure: struct s 8 f 6 4 u"),
    ])
    func aWrongRowIsNamed(_ row: String, _ message: String) {
        do throws(TableError) {
            _ = try Table("abi a\n" + row, file: "t")
            Issue.record("no error")
        } catch {
            #expect(error.description == message)
        }
    }

    @Test func thePluginNamesTheFilesThatAreMade() throws {
        let files = try generate(["riscv64", "riscv32", "x86_64"].map { ($0, try text($0)) })
        #expect(files.map(\.name) == generatedFileNames)
        let plugin = try String(
            contentsOf: root.appending(path: "Plugins/LinuxTables/LinuxTables.swift"), encoding: .utf8)
        for name in generatedFileNames { #expect(plugin.contains("\"\(name)\"")) }
    }
}

/// Runs `devtool abi`, where its packages have been fetched before and the compilers are there.
@Suite struct GenerationTests {
    private static var cache: String {
        let environment = ProcessInfo.processInfo.environment
        return (environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/root")/.cache") + "/martlet/abi/release"
    }

    private static func has(_ compilers: String...) -> Bool {
        FileManager.default.fileExists(atPath: cache)
            && compilers.allSatisfy { FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }
    }

    private static func derive(_ names: [String]) throws -> [String: Table] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-abi-\(getpid())-\(names.joined())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = root.appending(path: "devtool")
        process.arguments = ["abi", "--output", folder.path] + names
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        var tables: [String: Table] = [:]
        for name in names {
            let text = try String(contentsOf: folder.appending(path: "\(name).abi"), encoding: .utf8)
            tables[name] = try Table(text, file: name)
        }
        return tables
    }

    @Test(.enabled(if: has("riscv64-linux-gnu-gcc"), "devtool abi has not fetched its packages"))
    func riscv64IsDerivedAgain() throws {
        let derived = try #require(try Self.derive(["riscv64"])["riscv64"])
        #expect(derived == (try table("riscv64")))
    }

    /// The generator makes tables of ABIs that are not checked in: a few facts of each, from the architectures' headers.
    @Test(
        .long,
        .enabled(if: has("mips-linux-gnu-gcc", "sparc64-linux-gnu-gcc", "alpha-linux-gnu-gcc"), "no cross compilers"))
    func longOtherArchitecturesHaveTheirOwnNumbers() throws {
        let tables = try Self.derive(["mips", "sparc64", "alpha"])
        func number(_ abi: String, _ call: String) -> Int? { tables[abi]?.calls.first { $0.name == call }?.number }
        func error(_ abi: String, _ name: String) -> UInt64? { tables[abi]?.errors.first { $0.name == name }?.value }
        func flag(_ abi: String, _ name: String) -> UInt64? {
            tables[abi]?.bits.flatMap(\.names).first { $0.name == name }?.value
        }
        func request(_ abi: String, _ name: String) -> UInt64? {
            tables[abi]?.requests.first { $0.name == name }?.number
        }
        #expect(
            number("mips", "read") == 4003 && number("sparc64", "openat") == 284 && number("alpha", "openat") == 450)
        #expect(error("mips", "EDEADLK") == 45 && error("sparc64", "EDEADLK") == 78 && error("alpha", "EDEADLK") == 11)
        #expect(
            flag("mips", "O_CREAT") == 0x100 && flag("sparc64", "O_CREAT") == 0x200 && flag("alpha", "O_CREAT") == 0x200
        )
        #expect(request("mips", "TCGETS") == 0x540d && request("alpha", "FIONREAD") == 0x4004_667f)
        #expect(
            tables["mips"]?.isBigEndian == true && tables["mips"]?.word == 4 && tables["alpha"]?.isBigEndian == false)
    }
}
