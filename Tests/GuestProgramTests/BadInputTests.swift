// What cannot run ends with one clear line on standard error that names the file or the option, a status that says why
// (126: found but cannot be executed, 127: not found, 1: bad usage), and never by a signal, a trap or a hang.

import Glibc
import TestSupport
import Testing

/// One input that must be refused.
struct BadFile: Sendable, CustomTestStringConvertible {
    var name: String
    var status: Int32 = 126
    var mode: mode_t = 0o755
    /// What a file for a guest becomes.
    var bytes: @Sendable (ElfGuest) -> [UInt8]
    var testDescription: String { name }

    static func elf(_ name: String, status: Int32 = 126, _ change: @escaping @Sendable (inout ElfImage) -> Void)
        -> BadFile
    {
        BadFile(name: name, status: status) {
            var image = ElfImage($0)
            change(&image)
            return image.bytes
        }
    }

    /// Files of no guest.
    static let others: [BadFile] = [
        BadFile(name: "empty file") { _ in [] },
        BadFile(name: "text") { _ in Array("just some text\n".utf8) },
        BadFile(name: "one byte") { _ in [0x7f] },
        BadFile(name: "script without an interpreter's name") { _ in Array("#!\n".utf8) },
        BadFile(name: "script with a missing interpreter", status: 127) { _ in Array("#!/no/such/shell -x\n".utf8) },
    ]
    static let all: [BadFile] = [
        BadFile(name: "no execute permission", mode: 0o644) { ElfImage($0).bytes },
        .elf("wrong magic") { $0.magic[1] = 0x46 },
        .elf("x86-64") { $0.machine = 62 },
        .elf("aarch64") { $0.machine = 183 },
        .elf("the other class") { $0.elfClass = 3 - $0.elfClass },
        .elf("unknown class") { $0.elfClass = 9 },
        .elf("the other byte order") { $0.byteOrder = 3 - $0.byteOrder },
        .elf("relocatable object") { $0.type = 1 },
        .elf("core file") { $0.type = 4 },
        .elf("cut in the ELF header") { $0.length = 40 },
        .elf("cut in the program headers") { $0.length = 80 },
        .elf("cut in the segment's data") { $0.length = 0x200 },
        .elf("program headers beyond the file") { $0.headersAt = 0x10_0000 },
        .elf("program headers at the top of the number range") { $0.headersAt = .max - 8 },
        .elf("program header size 1") { $0.headerSize = 1 },
        .elf("no segments") { $0.headerCount = 0 },
        .elf("65535 program headers") { $0.headerCount = 65535 },
        .elf("nothing to load") { $0.segments[0].type = 4 },
        .elf("file size above memory size") { $0.segments[0].memorySize = 0x1000 },
        .elf("segment wraps around") {
            $0.segments[0].address = .max - 0xfff
            $0.segments[0].memorySize = 0x3000
        },
        .elf("huge memory size") { $0.segments[0].memorySize = 1 << 62 },
        .elf("offset and address disagree") { $0.segments[0].address = 0x10010 },
        .elf("offset wraps around") { $0.segments[0].offset = .max - 0xfff },
        .elf("segments overlap") {
            $0.segments.append(
                ElfImage.Segment(flags: 6, offset: 0x1000, address: 0x11000, fileSize: 0x1000, memorySize: 0x1000))
        },
        .elf("missing interpreter", status: 127) { $0.interpreter = "/no/such/ld.so" },
        .elf("empty interpreter") { $0.interpreter = "" },
        .elf("interpreter is a folder") { $0.interpreter = "/tmp" },
    ]
}

/// A command line that must be refused before any program runs.
struct BadUsage: Sendable, CustomTestStringConvertible {
    var arguments: [String]
    var mentions: String
    var status: Int32 = 1
    var testDescription: String { arguments.joined(separator: " ") }

    /// "PROG" stands for a good program.
    static let all: [BadUsage] = [
        BadUsage(arguments: ["-cpu", "nonsense", "PROG"], mentions: "nonsense"),
        BadUsage(arguments: ["-cpu", "rv64,nonsense=on", "PROG"], mentions: "nonsense"),
        BadUsage(arguments: ["-d", "nonsense", "PROG"], mentions: "nonsense"),
        BadUsage(arguments: ["-d", "in_asm,nonsense", "PROG"], mentions: "nonsense"),
        BadUsage(arguments: ["-d", "in_asm", "-D", "/no/such/folder/log", "PROG"], mentions: "/no/such/folder/log"),
        BadUsage(arguments: ["-D", "/", "-d", "in_asm", "PROG"], mentions: "/"),
        BadUsage(arguments: ["-nonsense", "PROG"], mentions: "-nonsense"),
        BadUsage(arguments: ["-tb-size", "many", "PROG"], mentions: "many"),
        BadUsage(arguments: ["-tb-size", "-5", "PROG"], mentions: "-5"),
        BadUsage(arguments: ["-s", "99999999999999999999", "PROG"], mentions: "99999999999999999999"),
        BadUsage(arguments: ["-dfilter", "zzz", "-d", "in_asm", "PROG"], mentions: "zzz"),
        BadUsage(arguments: ["-accel", "tcg,tier=nonsense", "PROG"], mentions: "nonsense"),
        BadUsage(arguments: ["-accel", "nonsense", "PROG"], mentions: "nonsense"),
        BadUsage(arguments: ["-L"], mentions: "-L"),
        BadUsage(arguments: ["-cpu"], mentions: "-cpu"),
        BadUsage(arguments: [], mentions: "usage"),
        BadUsage(arguments: ["/no/such/program"], mentions: "/no/such/program", status: 127),
        BadUsage(arguments: ["/tmp"], mentions: "/tmp", status: 126),
        BadUsage(arguments: ["/dev/null"], mentions: "/dev/null", status: 126),
        BadUsage(arguments: ["-seed", "x", "PROG"], mentions: "x"),
        BadUsage(arguments: ["-accel", "tcg,verify=some", "PROG"], mentions: "verify"),
        BadUsage(arguments: ["-accel", "tcg,verify=0", "PROG"], mentions: "verify"),
    ]
}

@Suite struct BadInputTests {
    @Test(arguments: ElfGuest.all) func theGeneratedProgramIsGoodBeforeItIsBroken(_ guest: ElfGuest) throws {
        let file = try Scratch("good")
        try writeFile(file.path, ElfImage(guest).bytes)
        let run = try runProcess(Workspace.requireMartlet(), [file.path], seconds: 20)
        #expect(run.ending == "[exit 7]", "\(run.errorText)")
    }

    @Test(arguments: ElfGuest.all, BadFile.all)
    func aProgramThatCannotRunIsRefusedInOneLine(_ guest: ElfGuest, _ bad: BadFile) throws {
        try expectRefusal(bad, guest)
    }
    @Test(arguments: BadFile.others) func aFileThatIsNoProgramIsRefusedInOneLine(_ bad: BadFile) throws {
        try expectRefusal(bad, .riscv64)
    }
    private func expectRefusal(_ bad: BadFile, _ guest: ElfGuest) throws {
        let file = try Scratch("bad")
        try writeFile(file.path, bad.bytes(guest), mode: bad.mode)
        chmod(file.path, bad.mode)
        let run = try runProcess(Workspace.requireMartlet(), [file.path], seconds: 20)
        checkRefusal(run, status: bad.status, mentions: file.path)
    }

    @Test func anInterpreterThatNamesItselfIsRefused() throws {
        let file = try Scratch("self")
        var image = ElfImage()
        image.interpreter = file.path
        try writeFile(file.path, image.bytes)
        let run = try runProcess(Workspace.requireMartlet(), [file.path], seconds: 20)
        checkRefusal(run, status: 126, mentions: file.path)
    }

    @Test func aScriptThatNamesItselfIsRefused() throws {
        let file = try Scratch("script")
        try writeFile(file.path, Array("#!\(file.path)\n".utf8))
        let run = try runProcess(Workspace.requireMartlet(), [file.path], seconds: 20)
        checkRefusal(run, status: 126, mentions: file.path)
    }

    @Test(arguments: BadUsage.all)
    func aBadCommandLineIsRefusedInOneLine(_ bad: BadUsage) throws {
        let file = try Scratch("good")
        try writeFile(file.path, ElfImage().bytes)
        let arguments = bad.arguments.map { $0 == "PROG" ? file.path : $0 }
        let run = try runProcess(Workspace.requireMartlet(), arguments, seconds: 20)
        checkRefusal(run, status: bad.status, mentions: bad.mentions)
    }

    /// The C library's tunables take extensions away, as an older processor would.
    @Test func aProcessorWithoutTheExtensionsIsRefused() throws {
        let hello = try #require(GuestProgram.all.first { $0.name == "c/hello" }, "c/hello is not built")
        let without = ["GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-MOVBE"]
        let martlet = try Workspace.requireMartlet()
        let run = try runProcess(martlet, [hello.binary], adding: without, seconds: 20)
        checkRefusal(run, status: 1, mentions: "AVX2, MOVBE")
        let interpreted = try runProcess(
            martlet, ["-accel", "tcg,tier=interpreter", hello.binary], adding: without, seconds: 20)
        #expect(interpreted.text == "hello, world\n", "\(interpreted.errorText)")
    }

    @Test func aCacheOf64KiBRunsTheProgram() throws {
        let hello = try #require(GuestProgram.all.first { $0.name == "c/hello" }, "c/hello is not built")
        let run = try hello.run(["-accel", "tcg,tb-size=64K"])
        #expect(run.text == "hello, world\n" && run.exit == 0, "\(run.ending) \(run.errorText)")
    }
}

/// A place for a file that goes when the test ends.
private struct Scratch: ~Copyable {
    private let folder: TemporaryFolder
    var path: String { folder.path + "/program" }
    init(_ name: String) throws { folder = try TemporaryFolder(name) }
}

private func checkRefusal(_ run: ProcessRun, status: Int32, mentions: String) {
    #expect(!run.timedOut, "it hung")
    #expect(run.ending == "[exit \(status)]")
    let lines = run.errorText.split(separator: "\n", omittingEmptySubsequences: true)
    #expect(lines.count == 1, "one line on stderr, not: \(run.errorText.prefix(600))")
    #expect(run.errorText.contains(mentions), "the line does not name \(mentions): \(run.errorText.prefix(300))")
    #expect(run.text == "", "nothing belongs on standard output")
}
