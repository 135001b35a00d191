import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

@Suite struct SystemCallMessageTests {
    private func socketPair(_ guest: SystemCallFixture) throws -> (UInt64, UInt64) {
        let pair = guest.room(8)
        #expect(guest.call(.socketpair, 1, 1, 0, pair) == 0)
        return (
            UInt64(try guest.memory.read(pair, as: UInt32.self)),
            UInt64(try guest.memory.read(pair + 4, as: UInt32.self))
        )
    }

    @Test func messagesCarryBytesAndDescriptors() throws {
        let guest = try SystemCallFixture()
        let (a, b) = try socketPair(guest)
        // cmsghdr: length 16 + 4, SOL_SOCKET, SCM_RIGHTS, one descriptor.
        let control = try guest.words([20, 1 | 1 << 32, a])
        let text = try guest.string("message")
        let header = try guest.words([0, 0, try guest.words([text, 7]), 1, control, 24, 0])
        #expect(guest.call(.sendmsg, a, header, 0) == 7)
        let buffer = guest.room(32), received = guest.room(64)
        let answer = try guest.words([0, 0, try guest.words([buffer, 32]), 1, received, 64, 0])
        #expect(guest.call(.recvmsg, b, answer, 0) == 7)
        #expect(try guest.bytes(buffer, 7) == Array("message".utf8))
        #expect(try guest.word(answer + 40) == 24)
        let passed = UInt64(try guest.memory.read(received + 16, as: UInt32.self))
        #expect(guest.call(.fcntl, passed, 1) >= 0)
        for fd in [a, b, passed] { #expect(guest.call(.close, fd) == 0) }
    }

    @Test func severalMessagesGoAndComeAtOnce() throws {
        let guest = try SystemCallFixture()
        let pair = guest.room(8)
        #expect(guest.call(.socketpair, 1, 2, 0, pair) == 0)  // datagrams
        let a = UInt64(try guest.memory.read(pair, as: UInt32.self)),
            b = UInt64(try guest.memory.read(pair + 4, as: UInt32.self))
        let first = try guest.words([try guest.string("one"), 3]),
            second = try guest.words([try guest.string("three"), 5])
        let out = try guest.words([0, 0, first, 1, 0, 0, 0, 0, 0, 0, second, 1, 0, 0, 0, 0])
        #expect(guest.call(.sendmmsg, a, out, 2, 0) == 2)
        #expect(try guest.memory.read(out + 56, as: UInt32.self) == 3)
        #expect(try guest.memory.read(out + 120, as: UInt32.self) == 5)
        let room = guest.room(64)
        let parts = try guest.words([room, 16]), more = try guest.words([room + 16, 16]),
            rest = try guest.words([room + 32, 16])
        let into = try guest.words([
            0, 0, parts, 1, 0, 0, 0, 0, 0, 0, more, 1, 0, 0, 0, 0, 0, 0, rest, 1, 0, 0, 0, 0,
        ])
        #expect(guest.call(.recvmmsg, b, into, 3, 0x40, 0) == 2)  // MSG_DONTWAIT
        #expect(try guest.bytes(room, 3) == Array("one".utf8))
        #expect(try guest.bytes(room + 16, 5) == Array("three".utf8))
        for fd in [a, b] { guest.call(.close, fd) }
    }

    @Test func addressesComeBackWithTheirLength() throws {
        let guest = try SystemCallFixture()
        let fd = UInt64(guest.call(.socket, 2, 2, 0))
        let address = try guest.words([2 | UInt64(0x0100_007f) << 32, 0])  // AF_INET, port 0, 127.0.0.1
        #expect(guest.call(.bind, fd, address, 16) == 0)
        let name = guest.room(64), length = try guest.words([64])
        #expect(guest.call(.getsockname, fd, name, length) == 0)
        #expect(try guest.memory.read(length, as: UInt32.self) == 16)
        #expect(try guest.memory.read(name + 4, as: UInt32.self) == 0x0100_007f)
        #expect(isError(guest.call(.getsockname, fd, name, guest.end), .fault))
        #expect(isError(guest.call(.bind, fd, guest.end, 16), .fault))
        guest.call(.close, fd)
    }

    @Test func epollEventsHaveTheGuestLayout() throws {
        let guest = try SystemCallFixture()
        let (a, b) = try socketPair(guest)
        let poll = UInt64(guest.call(.epoll_create1, 0))
        let event = try guest.words([1, 0x1122_3344_5566_7788])
        #expect(guest.call(.epoll_ctl, poll, 1, a, event) == 0)
        #expect(guest.call(.epoll_ctl, poll, 1, b, try guest.words([4, 42])) == 0)
        #expect(guest.call(.write, b, try guest.string("x"), 1) == 1)
        let events = guest.room(16 * 4)
        #expect(guest.call(.epoll_pwait, poll, events, 4, 0, 0, 8) == 2)
        var seen: Set<UInt64> = []
        for index: UInt64 in 0..<2 { seen.insert(try guest.word(events + index * 16 + 8)) }
        #expect(seen == [0x1122_3344_5566_7788, 42])
        #expect(isError(guest.call(.epoll_pwait, poll, guest.end, 4, 0, 0, 8), .fault))
        #expect(isError(guest.call(.epoll_pwait, poll, events, 0, 0, 0, 8), .inval))
        for fd in [a, b, poll] { guest.call(.close, fd) }
    }

    @Test func pollAndSelectSeeReadiness() throws {
        let guest = try SystemCallFixture()
        let (a, b) = try socketPair(guest)
        let entries = try guest.words([a | 1 << 32, b | 4 << 32])
        let zero = try guest.words([0, 0])
        #expect(guest.call(.ppoll, entries, 2, zero, 0, 8) == 1)
        #expect(try guest.word(entries) >> 48 == 0)
        #expect(try guest.word(entries + 8) >> 48 == 4)
        #expect(guest.call(.pselect6, a + 1, try guest.descriptorSet(a), 0, 0, zero, 0) == 0)
        #expect(guest.call(.write, b, try guest.string("x"), 1) == 1)
        let mask = try guest.words([0]), pair = try guest.words([mask, 8])
        #expect(guest.call(.pselect6, a + 1, try guest.descriptorSet(a), 0, 0, zero, pair) == 1)
        #expect(isError(guest.call(.ppoll, entries, 2, zero, mask, 4), .inval))
        for fd in [a, b] { guest.call(.close, fd) }
    }

    @Test func aPendingRequestRestartsACallThatWouldWait() throws {
        let guest = try SystemCallFixture()
        let (a, b) = try socketPair(guest)
        guest.thread.vcpu.requestFlag.pointee = 1
        #expect(guest.call(.read, a, guest.room(8), 8) == SystemCallResult.restart)
        guest.thread.vcpu.requestFlag.pointee = 0
        for fd in [a, b] { guest.call(.close, fd) }
    }

    @Test func semaphoreSetsHaveTheGuestLayout() throws {
        let guest = try SystemCallFixture()
        let set = guest.call(.semget, 0, 3, 0o600)
        guard set >= 0 else { return #expect(isError(set, .nosys) || isError(set, .nospc)) }
        let id = UInt64(set)
        let buffer = guest.room(88)
        #expect(guest.call(.semctl, id, 0, 2, buffer) == 0)
        #expect(try guest.word(buffer + 64) == 3)
        #expect(guest.call(.semctl, id, 0, 17, try guest.words([1 | 2 << 16 | 3 << 32])) == 0)
        #expect(guest.call(.semctl, id, 1, 12) == 2)
        let all = guest.room(8)
        #expect(guest.call(.semctl, id, 0, 13, all) == 0)
        #expect(try guest.bytes(all, 6) == [1, 0, 2, 0, 3, 0])
        #expect(guest.call(.semctl, id, 0, 0) == 0)
    }
}
