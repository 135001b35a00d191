// Small machines from their command line to their end.

import Glibc
import TestSupport
import Testing

@Suite struct MachineRunTests {
    private static let bare = ["-bios", "none", "-kernel", "FILE", "-monitor", "none", "-serial", "stdio"]

    @Test(arguments: [0, 1, 42, 127] as [Int32])
    func theStatusOfASpikeProgramIsTheProcesss(status: Int32) throws {
        let program = MachineProgram.spike("hello, spike\n", status: status)
        let run = try SystemBinary.run(["-M", "spike"] + Self.bare, file: program.elf)
        #expect(run.text == "hello, spike\n" && run.exit == status, "\(run.ending) \(run.errorText)")
    }

    @Test(arguments: [(0x5555, 0), (0x1_3333, 1), (0x2a_3333, 42)] as [(UInt32, Int32)])
    func theFinisherEndsAMachine(word: UInt32, status: Int32) throws {
        let program = MachineProgram.virt("hello, virt\n", finish: word)
        for (target, file) in [("riscv64", program.elf), ("riscv64", program.raw), ("riscv32", program.raw)] {
            let run = try SystemBinary.run(Self.bare, file: file, target: target)
            #expect(run.text == "hello, virt\n" && run.exit == status, "\(target): \(run.ending) \(run.errorText)")
        }
    }

    @Test func aResetBeginsAnewAndKeepsRAM() throws {
        let program = MachineProgram.threeBoots("boot\n")
        for options in [[], ["-accel", "tcg,thread=single"]] {
            let run = try SystemBinary.run(options + Self.bare, file: program.raw)
            #expect(run.text == "boot\nboot\nboot\n" && run.exit == 0, "\(run.ending) \(run.text) \(run.errorText)")
        }
        let once = try SystemBinary.run(["-no-reboot"] + Self.bare, file: program.raw)
        #expect(once.text == "boot\n" && once.exit == 0, "\(once.ending) \(once.errorText)")
    }

    // MARK: Counted instructions

    @Test(arguments: ["shift=0,sleep=off", "shift=3", "shift=10,sleep=on,align=off"])
    func aMachineThatCountsInstructionsEndsAndResetsAsOthers(counting: String) throws {
        let counts = ["-icount", counting]
        let once = try SystemBinary.run(counts + Self.bare, file: MachineProgram.virt("hello\n", finish: 0x2a_3333).elf)
        #expect(once.text == "hello\n" && once.exit == 42, "\(once.ending) \(once.errorText)")
        let program = MachineProgram.threeBoots("boot\n")
        let run = try SystemBinary.run(["-smp", "2"] + counts + Self.bare, file: program.raw)
        #expect(run.text == "boot\nboot\nboot\n" && run.exit == 0, "\(run.ending) \(run.text) \(run.errorText)")
    }

    /// All that is logged, from the first instruction to the last.
    @Test func twoRunsThatCountInstructionsAreTheSameRun() throws {
        let folder = try TemporaryFolder("counted")
        func log(_ name: String) throws -> [UInt8] {
            let path = folder.path + "/" + name
            let options = [
                "-icount", "shift=2,sleep=off", "-smp", "3", "-d", "in_asm,exec,cpu,int,nochain", "-D", path,
            ]
            let run = try SystemBinary.run(
                options + Self.bare, file: MachineProgram.threeBoots("boot\n").raw)
            #expect(run.text == "boot\nboot\nboot\n" && run.exit == 0, "\(run.ending) \(run.text) \(run.errorText)")
            return try #require(readFile(path))
        }
        let first = try log("first")
        #expect(first.count > 1000)
        for name in ["second", "third"] { #expect(try log(name) == first) }
    }

    // MARK: Output

    private static let long = String(repeating: "0123456789abcde\n", count: 16384)

    /// The machine ends while most of what it has printed still waits for the reader.
    @Test(arguments: ["spike", "virt"]) func aSlowReaderGetsAllOutput(machine: String) throws {
        let program: MachineProgram =
            machine == "spike" ? .spike(Self.long, status: 0) : .virt(Self.long, finish: 0x5555)
        let run = try SystemBinary.run(["-M", machine] + Self.bare, file: program.elf) { _ in usleep(700_000) }
        #expect(run.text == Self.long, "\(run.output.count) of \(Self.long.utf8.count) bytes")
        #expect(run.exit == 0, "\(run.ending) \(run.errorText)")
    }

    @Test func aReaderThatNeverReadsDoesNotKeepTheMachine() throws {
        let program = MachineProgram.virt(Self.long, finish: 0x5555)
        let run = try SystemBinary.run(Self.bare, file: program.raw) { child in
            let end = time(nil) + 8
            while isRunning(child), time(nil) < end { usleep(10_000) }
            #expect(!isRunning(child))
        }
        #expect(run.exit == 0, "\(run.ending) \(run.errorText)")
    }

    @Test func theSerialPortWritesToAFile() throws {
        let folder = try TemporaryFolder("serial")
        let options = ["-bios", "none", "-kernel", "FILE", "-serial", "file:\(folder.path)/out"]
        let run = try SystemBinary.run(options, file: MachineProgram.virt(Self.long, finish: 0x5555).raw)
        #expect(run.exit == 0 && run.text == "", "\(run.ending) \(run.errorText)")
        #expect(readFile(folder.path + "/out") == Array(Self.long.utf8))
    }

    @Test func theSerialPortMayLeadNowhere() throws {
        for nowhere in ["null", "none"] {
            let options = ["-bios", "none", "-kernel", "FILE", "-monitor", "none", "-serial", nowhere]
            let run = try SystemBinary.run(options, file: MachineProgram.virt("lost\n", finish: 0x5555).raw)
            #expect(run.exit == 0 && run.text == "", "\(run.ending) \(run.errorText)")
        }
    }

    @Test func aCharacterDeviceIsSharedByItsName() throws {
        let run = try SystemBinary.run(
            typing: "\\001cquit\\n",
            "-bios none -kernel FILE -chardev stdio,id=a,mux=on,signal=off -serial chardev:a -mon chardev=a",
            file: MachineProgram.idle.raw)
        #expect(run.exit == 0 && run.text.contains("(martlet) quit"), "\(run.ending) \(run.text) \(run.errorText)")
    }

    @Test func aMachineThatWaitsForItsPeerCanBeEnded() throws {
        let options = ["-bios", "none", "-kernel", "FILE", "-serial", "unix:FILE.s,server=on", "-monitor", "none"]
        let program = MachineProgram.virt("", finish: 0x5555).raw
        let run = try SystemBinary.run(options, file: program) { child in
            waitUntilIdle(child)
            #expect(isRunning(child), "it has not waited")
            kill(child, SIGTERM)
        }
        #expect(run.signal == SIGTERM, "\(run.ending)")
        #expect(run.errorText.hasPrefix("martlet: waiting for a connection to unix:/"))
    }

    // MARK: Answers without a run

    @Test(arguments: [
        ("-M help", "virt"), ("-machine help", "spike"), ("-cpu help", "rv64gc"), ("-M virt -cpu help", "zicsr"),
        ("-version", "martlet version"), ("-h", "-kernel FILE"), ("-d help", "in_asm"),
        ("-chardev help", "socket"), ("-netdev help", "dgram"), ("-object help", "filter-dump"),
    ])
    func questionsAreAnswered(options: String, mentions: String) throws {
        let run = try SystemBinary.run(options.split(separator: " ").map(String.init))
        #expect(run.exit == 0 && run.text.contains(mentions) && run.errorText == "", "\(run.text) \(run.errorText)")
    }

    @Test(arguments: ["martlet-system-riscv64", "qemu-system-riscv32"]) func aLinksNameIsATarget(name: String) throws {
        let folder = try TemporaryFolder("links")
        #expect(symlink(try SystemBinary.system(), folder.path + "/" + name) == 0)
        let run = try runProcess(folder.path + "/" + name, ["-cpu", "help"], seconds: 10)
        #expect(run.exit == 0 && run.text.contains("rv\(name.suffix(2)) "), "\(run.text) \(run.errorText)")
    }

    @Test func martletHandsOverToItsSibling() throws {
        let run = try runProcess(SystemBinary.martlet(), ["system", "riscv64", "-M", "help"], seconds: 10)
        #expect(run.exit == 0 && run.text.contains("virt"), "\(run.ending) \(run.errorText)")
    }

    @Test func theSeedMakesTheTreeRepeatable() throws {
        let folder = try TemporaryFolder("trees")
        func dump(_ name: String, _ options: [String]) throws -> [UInt8] {
            let path = folder.path + "/" + name
            let run = try SystemBinary.run(options + ["-bios", "none", "-M", "virt,dumpdtb=\(path)"])
            #expect(run.exit == 0 && run.text == "", "\(run.ending) \(run.errorText)")
            return try #require(readFile(path))
        }
        let first = try dump("first", ["-seed", "5"])
        #expect(Array(first.prefix(4)) == [0xd0, 0x0d, 0xfe, 0xed])
        #expect(try dump("second", ["-seed", "5"]) == first)
        #expect(try dump("third", ["-seed", "6"]) != first)
        #expect(try dump("fourth", []) != dump("fifth", []))
    }
}

@Suite struct TerminalTests {
    private static let bare = "-bios none -kernel FILE"

    @Test func theMonitorAnswersOnAPipe() throws {
        let run = try SystemBinary.run(
            typing:
                "\\001cinfo status\\ninfo registers\\ninfo mtree\\ninfo tlb\\ninfo jit\\nx/2xw $pc\\nxp/1i 0x80000000\\nnonsense\\nquit\\n",
            "-S \(Self.bare)", file: MachineProgram.virt("never\n", finish: 0x5555).raw)
        #expect(run.exit == 0 && run.errorText == "", "\(run.ending) \(run.errorText)")
        let answers = [
            "VM status: prelaunch", "pc 0000000000001000", "(ns16550a)", "0000000080000000-0000000087ffffff  ram",
            "walks",
            "translations of", "0000000000001000: 0x00000297", "auipc a0,0x2", "'nonsense' is no command",
        ]
        for answer in answers { #expect(run.text.contains(answer), "no '\(answer)' in \(run.text)") }
        #expect(!run.text.contains("never"))
    }

    @Test func aMachineThatWaitsBeginsWhenItIsTold() throws {
        let program = MachineProgram.virt("begun\n", finish: 0x7_3333).raw
        let folder = try TemporaryFolder("serial")
        let apart = try SystemBinary.run(
            typing: "cont\\n", "-S \(Self.bare) -serial file:\(folder.path)/out -monitor stdio", file: program)
        #expect(apart.exit == 7 && readFile(folder.path + "/out") == Array("begun\n".utf8), "\(apart.ending)")
        #expect(apart.text.hasSuffix("cont\r\n(martlet) "), "\(apart.text)")
        // Where they share a terminal, the prompt behind the answer and what the machine prints come in no order, byte by byte.
        let shared = try SystemBinary.run(typing: "\\001ccont\\n", "-S \(Self.bare)", file: program)
        let bytes = shared.output, echo = Array("cont\r\n".utf8)
        let start = bytes.indices.first { bytes[$0...].starts(with: echo) }.map { $0 + echo.count } ?? bytes.endIndex
        #expect(shared.exit == 7, "\(shared.ending) \(shared.text)")
        #expect(
            isMix(bytes[start...], of: Array("begun\n".utf8)[...], and: Array("(martlet) ".utf8)[...]),
            "\(shared.text)")
    }

    @Test func aMachineIsStoppedAndResetByTheMonitor() throws {
        let run = try SystemBinary.run(
            typing: "\\001cinfo status\\nstop\\ninfo status\\nsystem_reset\\nx/1i $pc\\ncont\\ninfo status\\nquit\\n",
            Self.bare, file: MachineProgram.idle.raw)
        #expect(run.exit == 0, "\(run.ending) \(run.errorText)")
        let states = run.text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("VM status") }
        #expect(states.map { $0.hasPrefix("VM status: running") } == [true, false, true], "\(run.text)")
        #expect(run.text.contains("VM status: paused"))
    }

    @Test func keysOfTheTerminal() throws {
        let run = try SystemBinary.run(typing: "\\001h\\001x", Self.bare, file: MachineProgram.idle.raw)
        #expect(run.exit == 0 && run.text.contains("Ctrl-A x  end the machine"), "\(run.ending) \(run.text)")
    }

    @Test func thereIsNoPowerButton() throws {
        let run = try SystemBinary.run(
            typing: "\\001csystem_powerdown\\ninfo status\\nquit\\n", Self.bare, file: MachineProgram.idle.raw)
        #expect(run.exit == 0 && run.text.contains("has no power button") && run.text.contains("VM status: running"))
    }

    // MARK: Signals

    /// What the machine has printed, more than a pipe holds, is read after the signal only.
    @Test(arguments: [SIGTERM, SIGINT, SIGHUP]) func aSignalEndsAMachineWhoseOutputIsWritten(signal: Int32) throws {
        let text = String(repeating: "0123456789abcde\n", count: 12_000)
        for options in [[], ["-no-shutdown"], ["-icount", "shift=0,sleep=off"]] {
            let run = try SystemBinary.run(
                ["-bios", "none", "-kernel", "FILE"] + options, file: MachineProgram.talking(text).raw
            ) { child in
                waitUntilIdle(child)
                kill(child, signal)
            }
            #expect(run.signal == signal && run.errorText == "", "\(run.ending) \(run.errorText)")
            #expect(run.text == text, "\(run.output.count) of \(text.utf8.count) bytes")
        }
    }

    @Test func aMachineThatIsStoppedEndsBySignalsToo() throws {
        let run = try SystemBinary.run(["-S", "-bios", "none", "-kernel", "FILE"], file: MachineProgram.idle.raw) {
            waitUntilIdle($0)
            kill($0, SIGTERM)
        }
        #expect(run.signal == SIGTERM, "\(run.ending) \(run.errorText)")
    }

    /// As nohup(1) has it.
    @Test func aSignalThatIsIgnoredStaysIgnored() throws {
        let folder = try TemporaryFolder("ignored")
        try writeFile(folder.path + "/file", MachineProgram.idle.raw)
        let line =
            "trap '' HUP INT; exec \(try SystemBinary.system()) riscv64 -bios none -kernel \(folder.path)/file"
        let run = try runProcess("/bin/sh", ["-c", line], seconds: 10) { child in
            waitUntilIdle(child)
            kill(child, SIGHUP)
            kill(child, SIGINT)
            usleep(200_000)
            #expect(isRunning(child))
            kill(child, SIGTERM)
        }
        #expect(run.signal == SIGTERM, "\(run.ending) \(run.errorText)")
    }

    /// Standard input ends at once; the machine goes on, asleep, until it is told to end.
    @Test(arguments: [
        "-serial mon:stdio", "-serial pty", "-serial unix:FILE.s,server,nowait -monitor pty",
        "-serial unix:FILE.s,reconnect=1 -monitor none",
    ])
    func anIdleMachineUsesNoProcessor(options: String) throws {
        var used = -1
        let words = ["-bios", "none", "-kernel", "FILE"] + options.split(separator: " ").map(String.init)
        let run = try SystemBinary.run(words, file: MachineProgram.idle.raw) { child in
            usleep(500_000)
            let before = processorTime(child)
            usleep(1_000_000)
            used = processorTime(child) - before
            #expect(isRunning(child), "it has not gone on after the end of its input")
            kill(child, SIGTERM)
        }
        #expect(run.signal == SIGTERM, "\(run.ending)")
        #expect(0...2 ~= used, "\(used) hundredths of a second in a second")
    }

    @Test(arguments: ["-serial mon:stdio", "-serial stdio -monitor none", "-serial stdio -monitor stdio"])
    func theTerminalIsPutBack(options: String) throws {
        let terminal = try PseudoTerminal()
        let folder = try TemporaryFolder("terminal")
        try writeFile(folder.path + "/file", MachineProgram.idle.raw)
        let before = terminal.flags
        let isRefused = options.hasSuffix("-monitor stdio")
        let line =
            "exec \(try SystemBinary.system()) riscv64 -bios none -kernel \(folder.path)/file \(options) <\(terminal.path)"
        let run = try runProcess("/bin/sh", ["-c", line], seconds: 10) { child in
            if isRefused { return }
            for _ in 0..<500 where terminal.flags == before { usleep(10_000) }
            #expect(terminal.flags != before, "the machine has not taken the terminal")
            kill(child, SIGTERM)
        }
        #expect(isRefused ? run.exit == 1 : run.signal == SIGTERM, "\(run.ending) \(run.errorText)")
        #expect(terminal.flags == before)
    }
}

/// Some bytes of the one and some of the other, each in their order.
private func isMix(_ text: ArraySlice<UInt8>, of first: ArraySlice<UInt8>, and second: ArraySlice<UInt8>) -> Bool {
    guard let next = text.first else { return first.isEmpty && second.isEmpty }
    return next == first.first && isMix(text.dropFirst(), of: first.dropFirst(), and: second)
        || next == second.first && isMix(text.dropFirst(), of: first, and: second.dropFirst())
}

/// A terminal without a screen.
private struct PseudoTerminal: ~Copyable {
    private let master: Int32, other: Int32
    let path: String

    init() throws {
        var number: Int32 = 0, unlocked: Int32 = 0
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard master >= 0, ioctl(master, 0x4004_5431, &unlocked) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
            throw SpawnError(description: "no pseudo-terminal: errno \(errno)")
        }
        // TIOCSPTLCK and TIOCGPTN, above.
        path = "/dev/pts/\(number)"
        other = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
    }
    deinit {
        close(other)
        close(master)
    }

    var flags: [UInt32] {
        var attributes = termios()
        tcgetattr(other, &attributes)
        return [attributes.c_iflag, attributes.c_oflag, attributes.c_cflag, attributes.c_lflag]
    }
}

/// The fields of /proc/PID/stat behind the name.
private func statistics(_ child: pid_t) -> [Substring] {
    let text = String(decoding: readFile("/proc/\(child)/stat") ?? [], as: UTF8.self)
    return text.split(separator: ")").last?.split(separator: " ") ?? []
}

private func isRunning(_ child: pid_t) -> Bool { !["Z", "X", nil].contains(statistics(child).first) }

/// It has begun, and uses no processor any more.
private func waitUntilIdle(_ child: pid_t) {
    var used = 0, still = 0
    for _ in 0..<160 where still < 8 || used == 0 {
        usleep(50_000)
        let now = processorTime(child)
        still = now == used ? still + 1 : 0
        used = now
    }
}

/// Of all its threads, in hundredths of a second.
private func processorTime(_ child: pid_t) -> Int {
    statistics(child).dropFirst(11).prefix(2).reduce(0) { $0 + (Int($1) ?? 0) }
}
