// The core files of guests that die: found, read and compared with what the program (fatal/segv_threads.c) laid out.

import Glibc
import TestSupport
import Testing

extension TemporaryFolder {
    /// The only file.
    fileprivate func core() throws -> String {
        let found = files
        guard found.count == 1 else { throw SpawnError(description: "not one core file, but \(found)") }
        return path + "/" + found[0]
    }
}

/// Core files are allowed, and the system lets them be written to the current folder.
private let coresCanBeWritten: Bool = {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
    let pattern = readFile("/proc/sys/kernel/core_pattern") ?? []
    return limit.rlim_max > 1 << 24 && (pattern.first == UInt8(ascii: "|") || !pattern.contains(UInt8(ascii: "/")))
}()

@Suite(.enabled(if: coresCanBeWritten)) struct CoreDumpTests {
    private let program = Workspace.guestFolder + "/fatal/segv_threads"
    private static let facts: UInt64 = 0x10_0000_0000
    private static let tiers = ["auto", "interpreter", "baseline", "optimizing"]

    /// Runs the program in `folder` with a limit for core files, in units of 512 bytes.
    private func run(
        in folder: String, _ arguments: [String] = [], tier: String = "auto", limit: String = "unlimited"
    ) throws -> ProcessRun {
        let command = "ulimit -Sc \(limit) && cd \"$1\" && shift && exec \"$@\""
        return try runProcess(
            "/bin/sh",
            [
                "-c", command, "sh", folder, try Workspace.requireMartlet(), "-accel", "tcg,cache=off,tier=\(tier)",
                program,
            ]
                + arguments, seconds: 60)
    }

    @Test(arguments: tiers)
    func registersOfEveryThreadAreExact(_ tier: String) throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, tier: tier).signal == SIGSEGV)
        let core = try CoreReader(try folder.core())
        #expect(core.machine == 243 && core.mode == 0o600)
        let threads = core.notes(1), floats = core.notes(2)
        #expect(threads.count == 4 && floats.count == 4)
        let places = try (0..<3).map { try #require(core.word(Self.facts + 8 * UInt64($0))) }
        // The general registers begin at 112, with the pc; s2 is x18.
        #expect(threads.allSatisfy { $0.content.count == 376 && $0.half(0) == 11 && $0.half(12) & 0xffff == 11 })
        #expect(Set(threads.map { $0.half(32) }).count == 4)
        #expect(threads[0].word(112) == places[0] && threads[0].word(112 + 8 * 18) == 0x1234_5678_9abc_def0)
        #expect(threads[0].word(112 + 8 * 6) == 0xdea_d000)
        let spinner = try #require(threads.firstIndex { $0.word(112) == places[1] })
        #expect(threads[spinner].word(112 + 8 * 18) == 0x1111_2222_3333_4444)
        #expect(floats[spinner].content.count == 264 && floats[spinner].word(8 * 18) == (3.25).bitPattern)
        #expect(floats[spinner].half(256) == 0x11)
        let waiter = try #require(threads.first { $0.word(112) == places[2] })
        #expect(waiter.word(112 + 8 * 18) == 0x5555_6666_7777_8888 && waiter.word(112 + 8 * 17) == 63)
    }

    @Test func theProcessIsDescribed() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, ["fault", "a b"]).signal == SIGSEGV)
        let core = try CoreReader(try folder.core())
        let information = try #require(core.notes(3).first)
        #expect(
            information.content.count == 136 && information.half(16) == getuid() && information.half(20) == getgid())
        #expect(information.text(40) == "segv_threads")
        #expect("\(program) fault a b".hasPrefix(information.text(56)) && !information.text(56).isEmpty)
        let signal = try #require(core.notes(0x5349_4749).first)
        #expect(signal.content.count == 128 && signal.half(0) == 11 && signal.half(8) == 1)  // SEGV_MAPERR
        #expect(signal.word(16) == 0xdea_d010)
        let vector = try #require(core.notes(6).first)
        var values: [UInt64: UInt64] = [:]
        for index in 0..<vector.content.count / 16 { values[vector.word(16 * index)] = vector.word(16 * index + 8) }
        #expect(values[6] == 4096 && values[0] == 0)  // AT_PAGESZ, AT_NULL
        #expect(core.text(try #require(values[31])) == program)  // AT_EXECFN
        let files = try #require(core.notes(0x4649_4c45).first)
        let count = Int(files.word(0))
        let names = String(decoding: files.content[(16 + 24 * count)...], as: UTF8.self).split(separator: "\0")
        #expect(files.word(8) == 4096 && names.count == count && names.contains { $0 == program })
        let copied = try #require((0..<count).first { files.word(16 + 24 * $0) == 0x16_0000_0000 })
        #expect(files.word(16 + 24 * copied + 8) == 0x16_0000_2000 && names[copied].hasPrefix("/memfd:file"))
    }

    @Test func memoryIsWrittenByTheKernelsRules() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path).signal == SIGSEGV)
        let core = try CoreReader(try folder.core())
        #expect(core.text(0x11_0000_0000 + 300 << 20) == "in the middle")
        #expect(core.word(0x11_0000_0000 + 100 << 20) == 0)
        #expect(core.text(0x12_0000_0000) == "behind a wall" && core.segment(at: 0x12_0000_0000)?.flags == 0)
        #expect(core.text(0x13_0000_0000) == nil && core.segment(at: 0x13_0000_0000)?.memorySize == 4096)
        #expect(core.text(0x14_0000_0000) == "for everybody")
        // A file that nobody has written to: the page of its header. Written to: all of it.
        #expect(
            core.segment(at: 0x15_0000_0000)?.fileSize == 4096 && core.segment(at: 0x15_0000_0000)?.memorySize == 8192)
        #expect(core.text(0x16_0000_0000 + 4100) == "c or so it seems")
        #expect(core.memory(0x16_0000_0000, 4096)?.first == 0x7f)
        // One segment, as the guest mapped it, though translated code is protected.
        let code = try #require(core.segment(at: 0x17_0000_0000))
        #expect(code.flags == 7 && code.fileSize == 8192 && core.text(0x17_0000_1000) == "data beside code")
        // Nothing of the translator, and holes where nothing is.
        #expect(core.segments.allSatisfy { $0.address < 0x40_0000_0000 })
        #expect(core.size > 512 << 20 && core.blocks < 16 << 11)
    }

    @Test(
        arguments: [SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS],
        ["raise", "kill"])
    func eachSignalWithACoreWritesOne(_ signal: Int32, _ way: String) throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, [way, "\(signal)"]).signal == signal)
        let core = try CoreReader(try folder.core())
        #expect(core.notes(1).count == 4 && core.notes(0x5349_4749).first?.half(0) == UInt32(signal))
    }

    @Test(arguments: [SIGHUP, SIGKILL, SIGTERM, SIGUSR1])
    func otherSignalsWriteNone(_ signal: Int32) throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, ["raise", "\(signal)"]).signal == signal)
        #expect(folder.files.isEmpty)
    }

    @Test func aBlockedFaultWritesOne() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, ["mask"]).signal == SIGSEGV)
        #expect(try CoreReader(try folder.core()).notes(1).count == 4)
    }

    /// The limit counts when the process dies.
    @Test func theLimitMayBeRaisedAtRunTime() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, ["limit"], limit: "0").signal == SIGSEGV)
        #expect(try CoreReader(try folder.core()).notes(1).count == 4)
    }

    @Test func withoutALimitOrTheProgramsWishNothingIsWritten() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, limit: "0").signal == SIGSEGV)
        #expect(try run(in: folder.path, limit: "1").signal == SIGSEGV)
        #expect(try run(in: folder.path, ["undumpable"]).signal == SIGSEGV)
        #expect(try run(in: folder.path, ["raise", "\(SIGQUIT)"], limit: "0").signal == SIGQUIT)
        #expect(folder.files.isEmpty)
    }

    @Test func theLimitCutsTheFile() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, limit: "40").signal == SIGSEGV)
        let core = try CoreReader(try folder.core())
        #expect(core.notes(1).count == 4 && core.blocks <= 48)
    }

    /// What has the name is replaced; a link's target stays as it is.
    @Test func theFileIsNeverWrittenThroughALink() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path).signal == SIGSEGV)
        let path = try folder.core()
        guard path.hasSuffix("/core") else { return }  // the name has the process id
        let target = folder.path + "-target"
        try writeFile(target, Array("mine".utf8))
        defer { unlink(target) }
        unlink(path)
        symlink(target, path)
        #expect(try run(in: folder.path).signal == SIGSEGV)
        #expect(readFile(target) == Array("mine".utf8))
        #expect(try CoreReader(try folder.core()).notes(1).count == 4)
    }

    /// The parent's other threads go on, and it stays dumpable.
    @Test func aChildInItsParentsMemoryLeavesItsOwn() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path, ["vfork"]).exit == 42)
        let core = try CoreReader(try folder.core())
        #expect(core.notes(1).count == 1 && core.notes(1).first?.word(112) == core.word(Self.facts))
    }

    @Test(.enabled(if: access("/usr/bin/gdb-multiarch", X_OK) == 0))
    func theDebuggerReadsIt() throws {
        let folder = try TemporaryFolder("core")
        #expect(try run(in: folder.path).signal == SIGSEGV)
        let commands = [
            "info threads", "bt", "p/x $s2", "p $_siginfo._sifields._sigfault.si_addr", "info auxv",
            "x/s 0x1100000000 + (300 << 20)", "info proc mappings", "thread apply all p/x $s2",
            "thread apply all -q p $fs2",
        ]
        let debugger = try runProcess(
            "/usr/bin/gdb-multiarch",
            ["-nx", "-q", "-batch", program, try folder.core()] + commands.flatMap { ["-ex", $0] }, seconds: 60)
        for wanted in [
            "SIGSEGV", "in crash ()", "in crasher (", "0x123456789abcdef0", "0xdead010", "AT_EXECFN", "in the middle",
            "0x1111222233334444", "0x5555666677778888", "3.25", program,
        ] {
            #expect(debugger.text.contains(wanted), "\(wanted) is missing in \(debugger.text)\(debugger.errorText)")
        }
    }
}
