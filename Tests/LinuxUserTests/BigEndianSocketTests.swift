import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

/// Sockets, waiting and events of a guest whose words are not the host's.
@Suite struct BigEndianSocketTests {
    private func pair(_ big: BigEndianFixture) throws -> (UInt32, UInt32) {
        let pair = big.room(8)
        #expect(big.call(.socketpair, 1, 1, 0, pair) == 0)
        return (try big.word(pair), try big.word(pair, 1))
    }

    @Test func messagesCarryBytesAndDescriptors() throws {
        let big = try BigEndianFixture()
        let (a, b) = try pair(big)
        // cmsghdr: length 12 + 8, SOL_SOCKET, SCM_RIGHTS, two descriptors
        let control = try big.words(20, 1, 1, a, b), text = try big.string("message")
        let header = try big.words(0, 0, try big.words(text, 7), 1, control, 20, 0)
        #expect(big.call(.sendmsg, a, header, 0) == 7)
        let buffer = big.room(32), received = big.room(64)
        let answer = try big.words(0, 0, try big.words(buffer, 32), 1, received, 64, 0xff)
        #expect(big.call(.recvmsg, b, answer, 0) == 7)
        #expect(try big.bytes(buffer, 7) == Array("message".utf8))
        #expect(try big.word(answer, 5) == 20 && big.word(answer, 6) == 0)
        #expect(try big.word(received) == 20 && big.word(received, 1) == 1 && big.word(received, 2) == 1)
        for index in 3...4 {
            let passed = try big.word(received, index)
            #expect(big.call(.fcntl, passed, 1) >= 0)
            big.call(.close, passed)
        }
        // One that says it is longer than all of them.
        let bad = try big.words(0, 0, try big.words(text, 7), 1, try big.words(100, 1, 1, a), 16, 0)
        #expect(big.call(.sendmsg, a, bad, 0) == big.error(.inval))
        for fd in [a, b] { big.call(.close, fd) }
    }

    @Test func severalMessagesGoAndComeAtOnce() throws {
        let big = try BigEndianFixture()
        let pair = big.room(8)
        #expect(big.call(.socketpair, 1, 2, 0, pair) == 0)
        let a = try big.word(pair), b = try big.word(pair, 1)
        let first = try big.words(try big.string("one"), 3), second = try big.words(try big.string("three"), 5)
        let out = try big.words(0, 0, first, 1, 0, 0, 0, 9, 0, 0, second, 1, 0, 0, 0, 9)
        #expect(big.call(.sendmmsg, a, out, 2, 0) == 2)
        #expect(try big.word(out, 7) == 3 && big.word(out, 15) == 5)
        let room = big.room(32)
        let into = try big.words(
            0, 0, try big.words(room, 16), 1, 0, 0, 0, 9, 0, 0, try big.words(room + 16, 16), 1, 0, 0, 0, 9)
        #expect(big.call(.recvmmsg, b, into, 2, 0x40, 0) == 2)
        #expect(try big.word(into, 15) == 5 && big.bytes(room + 16, 5) == Array("three".utf8))
        for fd in [a, b] { big.call(.close, fd) }
    }

    @Test func addressesHaveTheirFamilyInTheGuestsOrder() throws {
        let big = try BigEndianFixture()
        let fd = UInt32(truncatingIfNeeded: big.call(.socket, 2, 2, 0))
        let address = try big.words(2 << 16, 0x7f00_0001, 0, 0)  // AF_INET, port 0, 127.0.0.1
        #expect(big.call(.bind, fd, address, 16) == 0)
        let name = big.room(64), length = try big.words(64)
        #expect(big.call(.getsockname, fd, name, length) == 0)
        #expect(try big.word(length) == 16 && big.half(name) == 2 && big.half(name + 2) != 0)
        #expect(try big.word(name, 1) == 0x7f00_0001)
        // To itself, and from itself.
        #expect(big.call(.sendto, fd, name, 4, 0, name, 16) == 4)
        let from = big.room(64), text = big.room(16)
        try big.write([0, 0, 0, 64], length)
        #expect(big.call(.recvfrom, fd, text, 16, 0, from, length) == 4)
        #expect(try big.bytes(from, 16) == big.bytes(name, 16) && big.word(length) == 16)
        #expect(big.call(.bind, fd, 0xffff_fff0, 16) == big.error(.fault))
        let option = big.room(4), size = try big.words(4)
        #expect(big.call(.getsockopt, fd, 1, 3, option, size) == 0)  // SO_TYPE
        #expect(try big.word(option) == 2)
        #expect(big.call(.setsockopt, fd, 1, 2, try big.words(1), 4) == 0)  // SO_REUSEADDR
        #expect(big.call(.getsockopt, fd, 1, 2, option, size) == 0)
        #expect(try big.word(option) == 1)
        big.call(.close, fd)
    }

    @Test func descriptorsAreWaitedFor() throws {
        let big = try BigEndianFixture()
        let (a, b) = try pair(big)
        let set = try big.words(a, 1 << 16, b, 4 << 16)  // POLLIN, POLLOUT
        #expect(big.call(.poll, set, 2, 0) == 1)
        #expect(try big.word(set, 1) == 1 << 16 && big.word(set, 3) == 4 << 16 | 4)
        #expect(big.call(.write, b, set, 1) == 1)
        let time = try big.words(0, 1, 0, 0)
        #expect(big.call(.ppoll, set, 2, time, 0, 0) == 2)
        #expect(try big.word(set, 1) == 1 << 16 | 1)
        #expect(big.call(.ppoll, set, 2, time, try big.words(0, 0), 4) == big.error(.inval))
        // A set of 32-bit words for select(2), and nothing behind it is written.
        let words = Int(a) / 32 + 1, bits = big.room(4 * words + 4), limit = try big.words(0, 1000)
        func fill() throws {
            for index in 0...words { try big.write([0xee, 0xee, 0xee, 0xee], bits + UInt32(4 * index)) }
            for index in 0..<words {
                let value: UInt32 = index == Int(a) / 32 ? 1 << (a % 32) : 0
                try big.guest.memory.write(UInt64(bits) + UInt64(4 * index), value.bigEndian)
            }
        }
        try fill()
        #expect(big.call(.select, a + 1, bits, 0, 0, limit) == 1)
        #expect(try big.word(bits, Int(a) / 32) == 1 << (a % 32) && big.word(bits, words) == 0xeeee_eeee)
        try fill()
        #expect(big.call(.pselect6, a + 1, 0, 0, bits, try big.words(0, 0, 0, 5), try big.words(0, 8)) == 0)
        #expect(try big.word(bits, Int(a) / 32) == 0 && big.word(bits, words) == 0xeeee_eeee)
        for fd in [a, b] { big.call(.close, fd) }
    }

    @Test func eventsComeInTheGuestsLayout() throws {
        let big = try BigEndianFixture()
        let (a, b) = try pair(big)
        let poll = UInt32(truncatingIfNeeded: big.call(.epoll_create1, 0))
        let event = try big.words(1, 0, 0x1122_3344, 0x5566_7788)
        #expect(big.call(.epoll_ctl, poll, 1, a, event) == 0)
        #expect(big.call(.write, b, event, 1) == 1)
        let events = big.room(64)
        #expect(big.call(.epoll_pwait, poll, events, 4, 0, 0, 8) == 1)
        #expect(try big.word(events) == 1 && big.word(events, 2) == 0x1122_3344 && big.word(events, 3) == 0x5566_7788)
        #expect(big.call(.epoll_pwait2, poll, events, 4, try big.words(0, 0, 0, 1), 0, 8) == 1)
        for fd in [a, b, poll] { big.call(.close, fd) }
    }

    @Test func countersAreNumbersOfTheGuest() throws {
        let big = try BigEndianFixture()
        let fd = UInt32(truncatingIfNeeded: big.call(.eventfd2, 5, 0x800))
        let value = try big.words(0, 3), room = big.room(16)
        #expect(big.call(.write, fd, value, 8) == 8)
        #expect(big.call(.read, fd, room, 16) == 8)
        #expect(try big.long(room) == 8)
        #expect(big.call(.read, fd, room, 16) == big.error(.again))
        big.call(.close, fd)
        let timer = UInt32(truncatingIfNeeded: big.call(.timerfd_create, 1, 0))
        #expect(big.call(.timerfd_settime, timer, 0, try big.words(0, 0, 0, 0, 0, 0, 0, 1000), 0) == 0)
        #expect(big.call(.read, timer, room, 8) == 8)
        #expect(try big.bytes(room, 8) == [0, 0, 0, 0, 0, 0, 0, 1])
        big.call(.close, timer)
    }
}
