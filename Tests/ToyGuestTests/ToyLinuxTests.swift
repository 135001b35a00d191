// What crosses between a program of the made-up ABI and the kernel: every number has the program's bytes.

import EngineModes
import Glibc
import LinuxABI
import TestSupport
import Testing

/// Programs in all modes; each is a process of its own.
@Suite(.timeLimit(.minutes(2))) struct ToyLinuxTests {
    /// A program that writes its stack pointer, and all of its stack from there.
    private static let showsStack: ToyProgram = {
        var p = ToyProgram()
        p.word("vector", .label("pointer"), 4, 0, 0)
        p.word("pointer", 0)
        p.load(2, .label("pointer"))
        p.add(Toy.memory(.st32, 7, 2, 0))
        p.load(2, .label("vector"))
        p.load(3, 0xffff_c000)  // the stack's end
        p.add(Toy.pair(.sub, 3, 7), Toy.memory(.st32, 7, 2, 8), Toy.memory(.st32, 3, 2, 12))
        p.call(.writev, 1, .label("vector"), 2)
        p.exit(0)
        return p
    }()

    /// The stack that such a program has shown.
    private struct Stack {
        var arguments: [String] = [], environment: [String] = [], vector: [UInt32: UInt32] = [:]
        var pointer: UInt32 = 0
        let bytes: BigEndianBytes

        init(_ output: [UInt8]) {
            pointer = BigEndianBytes(bytes: output).word(0)
            bytes = BigEndianBytes(bytes: Array(output.dropFirst(4)))
            var at = 4
            let count = bytes.word(0)
            func strings() -> [String] {
                var found: [String] = []
                while bytes.word(at) != 0, at < output.count {
                    found.append(bytes.string(Int(bytes.word(at)) - Int(pointer)))
                    at += 4
                }
                at += 4
                return found
            }
            arguments = strings()
            if arguments.count != Int(count) { arguments = ["not \(count)"] }
            environment = strings()
            while bytes.word(at) != 0, at < output.count {
                vector[bytes.word(at)] = bytes.word(at + 4)
                at += 8
            }
        }
    }

    @Test(arguments: EngineMode.all) func theStackIsThatOfTheABI(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        let stack = Stack(
            try folder.run(Self.showsStack, mode, arguments: ["one", "", "three"], environment: ["TOY=1"]))
        #expect(stack.arguments == ["program", "one", "", "three"])
        #expect(stack.environment.contains("TOY=1") && stack.environment.contains("LC_ALL=C"))
        #expect(stack.pointer & 15 == 0)
        let expected: [(UInt32, UInt32)] = [
            (6, 8192), (16, 0x1234), (3, 0), (4, 32), (5, 2), (7, 0), (9, UInt32(ToyProgram.text)), (17, 100),
            (11, getuid()), (14, getegid()),
        ]
        for (type, value) in expected { #expect(stack.vector[type] == value, "auxiliary value \(type)") }
        #expect(stack.bytes.string(Int(stack.vector[31] ?? 0) - Int(stack.pointer)) == folder.path + "/program")
    }

    @Test(arguments: EngineMode.all) func filesHaveTheGuestsStructures(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        let name = folder.path + "/data"
        var p = ToyProgram()
        p.string("name", name)
        p.string("none", folder.path + "/none")
        p.string("one", "one")
        p.string("two", "twofold")
        p.room("status", 104)
        p.room("read", 16)
        p.room("position", 8)
        p.word("vector", .label("one"), 3, .label("two"), 7)
        p.word("into", .label("read"), 2, .label("read", 8), 4)
        p.closeOthers()
        p.call(.openat, .number(.max - 99), .label("none"), 0)
        p.expectError(ENOENT, "openat of nothing")
        p.call(.openat, .number(.max - 99), .label("name"), 0x102, 0o640)  // O_RDWR | O_CREAT
        p.expectResult(3, "openat")
        p.call(.writev, 3, .label("vector"), 2)
        p.expectResult(10, "writev")
        // A pair starts at an even argument, its high half first.
        p.call(.pread64, 3, .label("read"), 4, 0xbad, 0, 5)
        p.expectResult(4, "pread64")
        p.expect(.ld32, .label("read"), 0x6f66_6f6c, "what pread64 has read")
        p.call(.pread64, 3, .label("read"), 4, 0xbad, 1, 0)
        p.expectResult(0, "pread64 behind the end")
        p.call(.ftruncate64, 3, 0xbad, 1, 9)
        p.expectResult(0, "ftruncate64")
        p.call(.llseek, 3, .number(.max), .number(.max - 8), .label("position"), 2)
        p.expectResult(0, "llseek")
        p.expect(.ld32, .label("position"), 1, "the position's high half")
        p.expect(.ld32, .label("position", 4), 0, "the position's low half")
        p.call(.preadv, 3, .label("into"), 2, 2, 0)
        p.expectResult(6, "preadv")
        p.expect(.ld16, .label("read"), 0x6574, "the first vector")
        p.expect(.ld32, .label("read", 8), 0x776f_666f, "the second vector")
        p.call(.fstat, 3, .label("status"))
        p.expectResult(0, "fstat")
        p.call(.write, 1, .label("status"), 104)
        p.call(.close, 3)
        p.call(.close, 3)
        p.expectError(EBADF, "close twice")
        p.exit(0)
        let shown = BigEndianBytes(bytes: try folder.run(p, mode))
        var status = stat()
        #expect(stat(name, &status) == 0)
        #expect(status.st_size == 1 << 32 | 9)
        // struct stat64
        let expected: [(Int, Int, UInt64)] = [
            (0, 8, UInt64(status.st_dev)), (8, 8, UInt64(status.st_ino)), (16, 4, UInt64(status.st_mode)),
            (20, 4, UInt64(status.st_nlink)), (24, 4, UInt64(status.st_uid)), (28, 4, UInt64(status.st_gid)),
            (48, 8, UInt64(status.st_size)), (56, 4, UInt64(status.st_blksize)), (64, 8, UInt64(status.st_blocks)),
            (80, 4, UInt64(status.st_mtim.tv_sec)), (84, 4, UInt64(status.st_mtim.tv_nsec)),
        ]
        for (at, size, value) in expected { #expect(shown.number(at, size) == value, "struct stat64, byte \(at)") }
    }

    @Test(arguments: EngineMode.all) func timesAreTheGuests(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        p.room("times", 32)
        p.word("pause", 0, 0, 0, 20_000_000)
        p.call(.clock_gettime, 0, .label("times"))
        p.expectResult(0, "clock_gettime")
        p.call(.nanosleep, .label("pause"), 0)
        p.expectResult(0, "nanosleep")
        p.call(.clock_gettime, 0, .label("times", 16))
        p.call(.write, 1, .label("times"), 32)
        p.exit(0)
        // time(2) may be behind the clock by a tick.
        func now() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return time.tv_sec
        }
        let start = now(), shown = BigEndianBytes(bytes: try folder.run(p, mode)), end = now()
        for at in [0, 16] { #expect((UInt64(start)...UInt64(end)).contains(shown.long(at))) }
        func nanoseconds(_ at: Int) -> UInt64 { shown.long(at) &* 1_000_000_000 &+ shown.long(at + 8) }
        #expect(shown.long(8) < 1_000_000_000 && nanoseconds(16) &- nanoseconds(0) >= 20_000_000)
    }

    @Test(arguments: EngineMode.all) func threadsWaitForWordsOfTheGuest(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        p.word("word", 0)
        p.word("other", 0)
        p.word("parent", 0x0bad_0bad)
        p.word("child", 0x0bad_0bad)
        p.word("limit", 0, 10, 0, 0)
        p.word("short", 0, 0, 0, 1000)
        p.room("stack", 4096)
        p.call(.futex, .label("word"), 128, 1, 0)
        p.expectError(EAGAIN, "futex of another value")
        p.call(.futex, .label("word"), 128, 0, .label("short"))
        p.expectError(ETIMEDOUT, "futex that waits in vain")
        // CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID, CHILD_SETTID
        p.call(.clone, 0x013d_0f00, .label("stack", 4000), .label("parent"), .label("child"), 0x1122_3344)
        p.add(Toy.pair(.mov, 2, 1))
        p.load(3, 0)
        p.add(Toy.pair(.cmp, 2, 3))
        p.branch(.bne, "parentGoesOn")
        p.expect(5, 0x1122_3344, "the thread's register")
        p.expectResult(0, "clone in the child")
        p.call(.gettid)
        p.add(Toy.pair(.mov, 3, 1))
        p.load(4, .label("child"))
        p.add(Toy.memory(.ld32, 2, 4, 0))
        p.compare("the child's own word")
        p.load(4, .label("word"))
        p.load(3, 0x0102_0304)
        p.add(Toy.memory(.st32, 3, 4, 0))
        p.call(.futex, .label("word"), 129, 1)
        // Now it waits for the parent.
        p.label("again")
        p.call(.futex, .label("other"), 128, 0, .label("limit"))
        p.load(4, .label("other"))
        p.add(Toy.memory(.ld32, 2, 4, 0))
        p.load(3, 0)
        p.add(Toy.pair(.cmp, 2, 3))
        p.branch(.beq, "again")
        p.call(.exit, 0)
        p.label("parentGoesOn")
        p.load(4, .label("parent"))
        p.add(Toy.memory(.ld32, 3, 4, 0))
        p.compare("the parent's word")
        p.label("wait")
        p.load(4, .label("word"))
        p.add(Toy.memory(.ld32, 2, 4, 0))
        p.load(3, 0x0102_0304)
        p.add(Toy.pair(.cmp, 2, 3))
        p.branch(.beq, "woken")
        p.call(.futex, .label("word"), 128, 0, .label("limit"))
        p.branch(.bra, "wait")
        p.label("woken")
        p.load(4, .label("other"))
        p.load(3, 0x0506_0708)
        p.add(Toy.memory(.st32, 3, 4, 0))
        p.call(.futex, .label("other"), 129, 1)
        // The child's word is cleared, and its waiters woken, as it ends.
        p.label("join")
        p.load(4, .label("child"))
        p.add(Toy.memory(.ld32, 3, 4, 0))
        p.load(2, 0)
        p.add(Toy.pair(.cmp, 2, 3))
        p.branch(.beq, "joined")
        p.load(1, .label("child"))
        p.load(2, 0)
        p.load(4, .label("limit"))
        p.load(0, .number(UInt32(LinuxTable.bigEndian.number(of: .futex) ?? 0)))
        p.add(Toy.sys)
        p.branch(.bra, "join")
        p.label("joined")
        p.exit(0)
        try folder.run(p, mode)
    }

    @Test(arguments: EngineMode.all) func countersHaveEightBytes(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        p.word("value", 1, 2)
        p.room("read", 8)
        p.closeOthers()
        p.call(.eventfd2, 5, 0x800)  // EFD_NONBLOCK
        p.expectResult(3, "eventfd2")
        p.call(.write, 3, .label("value"), 8)
        p.expectResult(8, "write")
        p.call(.read, 3, .label("read"), 8)
        p.expectResult(8, "read")
        p.expect(.ld32, .label("read"), 1, "the high half")
        p.expect(.ld32, .label("read", 4), 7, "the low half")
        p.call(.read, 3, .label("read"), 8)
        p.expectError(EAGAIN, "read of an empty counter")
        p.exit(0)
        try folder.run(p, mode)
    }

    @Test(arguments: EngineMode.all) func childrenTellTheGuestsSignals(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        p.word("status", 0xbad)
        p.room("usage", 136)
        p.word("id", 0xbad)
        func child(_ name: String, _ body: (inout ToyProgram) -> Void) {
            // CLONE_CHILD_SETTID and SIGCHLD: the child's memory is its own.
            p.call(.clone, .number(0x0100_0000 | toySignal(SIGCHLD)), 0, 0, .label("id"))
            p.load(3, 0)
            p.add(Toy.pair(.cmp, 1, 3))
            p.branch(.bne, name)
            body(&p)
            p.label(name)
            p.call(.wait4, .number(.max), .label("status"), 0, .label("usage"))
        }
        child("one") { p in
            p.call(.gettid)
            p.add(Toy.pair(.mov, 3, 1))
            p.load(4, .label("id"))
            p.add(Toy.memory(.ld32, 2, 4, 0))
            p.compare("the child's id")
            p.exit(42)
        }
        p.expect(.ld32, .label("status"), .number(42 << 8), "the status of an exit")
        p.expect(.ld32, .label("id"), 0xbad, "the parent's memory")
        child("two") { p in
            p.call(.getpid)
            p.load(2, .number(toySignal(SIGKILL)))
            p.load(0, .number(UInt32(LinuxTable.bigEndian.number(of: .kill) ?? 0)))
            p.add(Toy.sys)
        }
        p.expect(.ld32, .label("status"), .number(toySignal(SIGKILL)), "the status of a signal")
        p.call(.wait4, .number(.max), .label("status"), 0, 0)
        p.expectError(ECHILD, "wait4 without children")
        p.exit(0)
        try folder.run(p, mode)
    }

    @Test(arguments: EngineMode.all) func executedProgramsGetArgumentsAndEnvironment(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        let other = try folder.write("other", Self.showsStack.file())
        var p = ToyProgram()
        p.string("none", folder.path + "/none")
        p.string("other", other)
        p.string("first", "first argument")
        p.string("second", "")
        p.string("third", "3")
        p.string("A", "A=1")
        p.string("B", "BC=23")
        p.word("arguments", .label("first"), .label("second"), .label("third"), 0)
        p.word("environment", .label("A"), .label("B"), 0)
        p.call(.execve, .label("none"), .label("arguments"), .label("environment"))
        p.expectError(ENOENT, "execve of nothing")
        p.call(.execve, .label("other"), 0x10, .label("environment"))
        p.expectError(EFAULT, "execve with arguments nowhere")
        p.call(.execve, .label("other"), .label("arguments"), .label("environment"))
        p.exit(1)
        let stack = Stack(try folder.run(p, mode))
        #expect(stack.arguments == ["first argument", "", "3"])
        #expect(stack.environment == ["A=1", "BC=23"])
    }
}
