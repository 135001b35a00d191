// What a machine takes for the time: its real-time clock, its timer, and counted instructions.

import Glibc
import TestSupport
import Testing

@Suite struct MachineClockTests {
    private static let bare = ["-bios", "none", "-kernel", "FILE", "-monitor", "none", "-serial", "stdio"]
    private static let second: UInt64 = 1_000_000_000

    private static func shown(_ options: [String], _ program: MachineProgram = .clock) throws -> UInt64 {
        let run = try SystemBinary.run(options + bare, file: program.raw)
        #expect(run.exit == 0, "\(run.ending) \(run.text) \(run.errorText)")
        return try #require(UInt64(run.text, radix: 16), "\(run.text)")
    }

    // MARK: The real-time clock

    @Test(arguments: [
        [], ["-rtc", "base=utc"], ["-rtc", "clock=host"], ["-rtc", "base=utc,clock=rt,driftfix=none"],
        ["-rtc", "clock=vm"], ["-rtc", "base=2020-01-01,base=utc"], ["-icount", "0", "-rtc", "clock=host"],
        ["-icount", "0", "-rtc", "clock=vm"],
    ])
    func theClockShowsTheHostsTime(options: [String]) throws {
        let before = UInt64(time(nil)), shown = try Self.shown(options)
        #expect((before...UInt64(time(nil)) + 1).contains(shown / Self.second), "\(shown)")
    }

    @Test(
        arguments: [
            ("1970-01-01", 0), ("1970-01-01T00:00:01", 1), ("1999-12-31T23:59:59", 946_684_799),
            ("2000-02-29", 951_782_400), ("2020-2-9T1:2:3", 1_581_210_123), ("2100-03-01", 4_107_542_400),
            ("2553-12-31T23:59:59", 18_429_292_799),
        ] as [(String, UInt64)])
    func theClockBeginsAtADate(date: String, seconds: UInt64) throws {
        // Nothing but a thousand instructions has passed.
        let counted = try Self.shown(["-icount", "0", "-rtc", "base=\(date)"])
        #expect(counted / Self.second == seconds && counted % Self.second < 100_000, "\(counted)")
        for clock in ["host", "rt", "vm"] {
            let shown = try Self.shown(["-rtc", "base=\(date),clock=\(clock)"])
            #expect((seconds...seconds + 9).contains(shown / Self.second), "\(clock): \(shown)")
        }
    }

    @Test func aCountedRunBeginsIn2026() throws {
        for options in [[], ["-rtc", "base=utc"], ["-rtc", "base=localtime"]] {
            let shown = try Self.shown(["-icount", "0"] + options)
            #expect(shown / Self.second == 1_767_225_600 && shown % Self.second < 100_000, "\(shown)")
        }
    }

    @Test(arguments: [("EAST-5:30", 19800), ("WEST7", -25200)])
    func theClockShowsLocalTime(zone: String, ahead: Int) throws {
        let folder = try TemporaryFolder("zone")
        try writeFile(folder.path + "/file", MachineProgram.clock.raw)
        let line =
            "exec \(try SystemBinary.system()) riscv64 -bios none -kernel \(folder.path)/file -serial stdio -monitor none -rtc base=localtime"
        let before = time(nil)
        let run = try runProcess("/bin/sh", ["-c", line], adding: ["TZ=\(zone)"], seconds: 10)
        let shown = try #require(UInt64(run.text, radix: 16), "\(run.ending) \(run.text) \(run.errorText)")
        #expect((before + ahead...time(nil) + ahead).contains(Int(shown / Self.second)), "\(shown)")
    }

    /// The machine waits for a second and a half before it begins.
    @Test(arguments: [("rt", true), ("host", true), ("vm", false)])
    func clocksOfTheHostGoOnWhileAMachineIsStopped(clock: String, goesOn: Bool) throws {
        let folder = try TemporaryFolder("stopped")
        try writeFile(folder.path + "/file", MachineProgram.clock.raw)
        let line = """
            (sleep 1.5; echo cont) | \(try SystemBinary.system()) riscv64 -S -bios none -kernel \(folder.path)/file \
            -monitor stdio -serial file:\(folder.path)/out -rtc base=2020-01-01,clock=\(clock)
            """
        let run = try runProcess("/bin/sh", ["-c", line], seconds: 20)
        let text = String(decoding: readFile(folder.path + "/out") ?? [], as: UTF8.self)
        let shown = try #require(UInt64(text, radix: 16), "\(run.ending) \(text) \(run.errorText)")
        let passed = shown - 1_577_836_800 * Self.second
        #expect(goesOn ? passed >= Self.second : passed < Self.second, "\(passed)")
    }

    // MARK: The timer

    /// Software has set it ahead by 2^32 ticks, and then waited for two seconds.
    @Test func theTimerBeginsAnewAtAReset() throws {
        for machine in ["virt", "virt,aclint=on"] {
            let ticks = try Self.shown(["-icount", "10", "-M", machine], .timeAfterReset)
            #expect(ticks < 100_000, "\(ticks)")
        }
        #expect(try Self.shown([], .timeAfterReset) < 20_000_000)
    }

    // MARK: Counted instructions and the host

    @Test(arguments: ["0", "auto", "shift=auto,sleep=off", "3,align=on", "shift=auto,align=on", "shift=0,align=off"])
    func waysToCount(counting: String) throws {
        let run = try SystemBinary.run(
            ["-icount", counting, "-smp", "2"] + Self.bare, file: MachineProgram.threeBoots("boot\n").raw)
        #expect(run.text == "boot\nboot\nboot\n" && run.exit == 0, "\(run.ending) \(run.text) \(run.errorText)")
    }

    /// Two million instructions at a microsecond each.
    @Test func alignedInstructionsTakeAsLongAsTheySay() throws {
        let (_, aligned) = try Self.timed("shift=10,align=on", .timeAfterReset)
        #expect(aligned > 2 * Self.second)
        let (_, usual) = try Self.timed("shift=10", .timeAfterReset)
        #expect(usual < aligned, "it takes some hundredths of a second otherwise")
    }

    @Test(arguments: ["2", "6"]) func whatAnAlignedMachineDoesIsTheSame(shift: String) throws {
        let ticks = try ["", ",align=on", ",sleep=off"].map { try Self.timed(shift + $0, .timeOfALoop).shown }
        #expect(Set(ticks).count == 1 && ticks[0] >= UInt64(1 << 27) << (UInt64(shift) ?? 0) / 100, "\(ticks)")
    }

    /// The machine's clock is not ahead of the host's by more than what it takes to notice.
    @Test func theShiftFollowsTheHost() throws {
        let (ticks, elapsed) = try Self.timed("auto", .timeOfALoop)
        #expect(ticks * 100 < elapsed + Self.second / 4, "\(ticks * 100) in \(elapsed)")
    }

    /// What a program shows, and how long that took, in nanoseconds.
    private static func timed(_ counting: String, _ program: MachineProgram) throws -> (shown: UInt64, UInt64) {
        func now() -> UInt64 {
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            return UInt64(time.tv_sec) * second + UInt64(time.tv_nsec)
        }
        let start = now(), shown = try shown(["-icount", counting], program)
        return (shown, now() - start)
    }
}
