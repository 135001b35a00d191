import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

@Suite struct SystemCallMiscTests {
    @Test func unameNamesTheGuestMachine() throws {
        let guest = try SystemCallFixture()
        let name = guest.room(390)
        #expect(guest.call(.uname, name) == 0)
        #expect(try guest.memory.readString(name) == "Linux")
        #expect(try guest.memory.readString(name + 260) == "riscv64")
    }

    @Test func clocksRunForwardAndUnknownOnesFail() throws {
        let guest = try SystemCallFixture()
        let time = guest.room(16), later = guest.room(16)
        #expect(guest.call(.clock_gettime, 1, time) == 0)
        #expect(guest.call(.clock_gettime, 1, later) == 0)
        let first = try guest.word(time) * 1_000_000_000 + guest.word(time + 8)
        let second = try guest.word(later) * 1_000_000_000 + guest.word(later + 8)
        #expect(second >= first && second - first < 10_000_000_000)
        #expect(isError(guest.call(.clock_gettime, 500, time), .inval))
        #expect(guest.call(.gettimeofday, time, 0) == 0)
        #expect(try guest.word(time) > 1_600_000_000)
        #expect(try guest.word(time + 8) < 1_000_000)
    }

    @Test func memoryLimitsAreTheGuestsOwn() throws {
        let guest = try SystemCallFixture()
        let host = HostLimits.get(HostLimits.addressSpace)
        let small = try guest.words([1 << 20, 1 << 30]), old = guest.room(16), now = guest.room(16)
        #expect(guest.call(.prlimit64, 0, 9, small, old) == 0)
        #expect(guest.call(.getrlimit, 9, now) == 0)
        #expect(try guest.bytes(now, 16) == guest.bytes(small, 16))
        #expect(HostLimits.get(HostLimits.addressSpace) == host)
        #expect(isError(guest.call(.mmap, 0, 2 << 20, 0, 0x22, .max), .nomem))
        #expect(isError(guest.call(.setrlimit, 9, try guest.words([2, 1])), .inval))
        #expect(isError(guest.call(.setrlimit, 9, guest.end), .fault))
        #expect(isError(guest.call(.prlimit64, 0, 99, 0, now), .inval))
    }

    @Test func hardwareProbeAnswersWhatItKnows() throws {
        let guest = try SystemCallFixture()
        let pairs = try guest.words([3, 0, 4, 0, 999, 5])
        #expect(guest.call(.riscv_hwprobe, pairs, 3, 0, 0, 0) == 0)
        #expect(try guest.word(pairs + 8) == 1)
        #expect(try guest.word(pairs + 24) & 3 == 3)
        #expect(try guest.word(pairs + 32) == .max)
        #expect(try guest.word(pairs + 40) == 0)
        #expect(isError(guest.call(.riscv_hwprobe, pairs, 3, 0, 0, 8), .inval))
    }

    @Test func hardwareProbeFollowsTheInstructionSet() throws {
        func extensions(_ isa: String) -> UInt64? { LinuxGuestABI.riscv64(isa: isa).hardwareProbe(4) }
        #expect(extensions("rv64imafdc_zicsr") == 0b11)
        #expect(extensions("rv64imac_zba_zbs") == 1 << 1 | 1 << 3 | 1 << 5)
        #expect(extensions("rv64imafdc_zbb_zicond_zawrs") == 0b11 | 1 << 4 | 1 << 35 | 1 << 48)
        let small = LinuxGuestABI.riscv64(isa: "rv64i_zba")
        #expect(small.hardwareProbe(3) == 0 && small.hardwareProbe(4) == 0 && small.hardwareProbe(6) == 0)
        #expect(LinuxGuestABI.riscv64(isa: "rv64imac_zicboz").hardwareProbe(6) == 64)
        #expect(small.hardwareProbe(1000) == nil && small.hardwareProbe(-1) == nil)
        #expect(small.processorDescription.hasPrefix("isa\t\t: rv64i_zba\n"))
    }

    @Test func threadNameIsSetAndRead() throws {
        let guest = try SystemCallFixture()
        let old = guest.room(16), new = guest.room(16)
        #expect(guest.call(.prctl, 16, old) == 0)
        #expect(guest.call(.prctl, 15, try guest.string("riscv-guest")) == 0)
        #expect(guest.call(.prctl, 16, new) == 0)
        #expect(try guest.memory.readString(new) == "riscv-guest")
        guest.call(.prctl, 15, old)
        #expect(isError(guest.call(.prctl, 54321), .inval))
    }

    @Test func randomBytesAndGroupsFillOnlyWhatTheyShould() throws {
        let guest = try SystemCallFixture()
        let buffer = guest.room(64)
        #expect(guest.call(.getrandom, buffer, 32, 0) == 32)
        #expect(try guest.bytes(buffer + 32, 32).allSatisfy { $0 == 0 })
        #expect(try guest.bytes(buffer, 32).contains { $0 != 0 })
        #expect(guest.call(.getgroups, 0, 0) >= 0)
        #expect(
            isError(guest.call(.getgroups, 0xffff_ffff, buffer), .inval)
                || isError(guest.call(.getgroups, 0xffff_ffff, buffer), .fault))
    }
}
