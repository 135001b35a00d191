import Devices
import SystemKit
import Testing

@Suite struct ACLINTTests {
    private static func make(_ machine: TestMachine, _ properties: String) throws -> RegisterBlock {
        machine.block(
            try machine.board.add(
                ACLINT.self, "clint", at: 0x200_0000, lines: (0..<16).map { machine.lines.line($0) }, properties))
    }

    @Test func timersFireAtTheirTick() throws {
        let machine = try TestMachine(), clint = try Self.make(machine, "harts=2")
        clint.put(0x4008, 1000, size: 8)
        #expect(!machine.lines[2] && !machine.lines[3])
        machine.advance(to: 99_999)
        #expect(clint.get(0xbff8, size: 8) == 999 && !machine.lines[3])
        machine.advance(to: 100_000)
        #expect(clint.get(0xbff8, size: 8) == 1000 && machine.lines[3] && !machine.lines[2])
        clint.put(0x4008, 1001, size: 8)
        #expect(!machine.lines[3])
        clint.put(0x4008, 5, size: 8)
        #expect(machine.lines[3], "what is past is due at once")
    }

    @Test(arguments: [.max, .max - 1, 1 << 63, 1 << 63 + 1, .max / 100, .max / 100 + 1, 1 << 57] as [UInt64])
    func farDeadlinesNeverFire(_ deadline: UInt64) throws {
        let machine = try TestMachine(), clint = try Self.make(machine, "harts=1")
        clint.put(0x4000, deadline, size: 8)
        for time in [UInt64(0), 1, 1 << 32, 1 << 50, 1 << 62] {
            machine.advance(to: time)
            #expect(!machine.lines[1], "at \(time)")
        }
        #expect(clint.get(0x4000, size: 8) == deadline)
        #expect(machine.board.loop.deadline(.virtual).map { $0 > 1 << 62 } ?? true)
    }

    /// As a hart of 32 bits does it: the high half is set to all ones first.
    @Test func halvesOfACompareAreWrittenAlone() throws {
        let machine = try TestMachine(), clint = try Self.make(machine, "harts=1")
        machine.advance(to: 1 << 40)
        clint.put(0x4004, 0xffff_ffff)
        clint.put(0x4000, 7)
        #expect(!machine.lines[1] && clint.get(0x4000, size: 8) == 0xffff_ffff_0000_0007)
        clint.put(0x4004, 0)
        #expect(machine.lines[1])
    }

    @Test func theTimeMayBeSet() throws {
        let machine = try TestMachine(), clint = try Self.make(machine, "harts=1")
        clint.put(0x4000, 2000, size: 8)
        clint.put(0xbff8, 1500, size: 8)
        machine.advance(to: 49_900)
        #expect(!machine.lines[1] && clint.get(0xbff8, size: 8) == 1999)
        machine.advance(to: 50_000)
        #expect(machine.lines[1])
        clint.put(0xbff8, 0, size: 8)
        #expect(!machine.lines[1])
    }

    @Test(arguments: [(UInt64(1_000_000), UInt64(1000)), (10_000_000, 100), (32768, 30518), (1_000_000_000, 1)])
    func frequenciesAreExact(_ frequency: UInt64, _ nanoseconds: UInt64) throws {
        let machine = try TestMachine(), timer = try Self.make(machine, "part=mtimer,harts=1,frequency=\(frequency)")
        timer.put(0, 1, size: 8)
        machine.advance(to: nanoseconds - 1)
        #expect(!machine.lines[0])
        machine.advance(to: nanoseconds)
        #expect(machine.lines[0])
        machine.advance(to: 3_600_000_000_000)
        #expect(timer.get(0x7ff8, size: 8) == 3600 * frequency)
    }

    @Test func softwareInterruptsAreLevels() throws {
        let machine = try TestMachine(), clint = try Self.make(machine, "harts=3")
        clint.put(4, 0xffff_ffff)
        #expect(machine.lines[1] && !machine.lines[0] && !machine.lines[2] && clint.get(4) == 1)
        clint.put(4, 2)
        #expect(!machine.lines[1] && clint.get(4) == 0)
        // Two harts at once.
        clint.put(0, 1 | 1 << 32, size: 8)
        #expect(machine.lines[0] && machine.lines[1])
    }

    @Test func supervisorSoftwareInterruptsAreSetOnly() throws {
        let machine = try TestMachine(), sswi = try Self.make(machine, "part=sswi,harts=2")
        sswi.put(4, 0)
        #expect(!machine.lines[1])
        sswi.put(4, 1)
        #expect(machine.lines[1] && !machine.lines[0] && sswi.get(4) == 0)
    }
}
