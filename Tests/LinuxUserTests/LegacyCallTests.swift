import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

/// Calls that the guest of these tests has no number for: made by their names.
@Suite struct LegacyCallTests {
    private func call(
        _ guest: SystemCallFixture, _ id: SystemCallID, _ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0,
        _ a3: UInt64 = 0, _ a4: UInt64 = 0
    ) -> Int {
        performSystemCall(guest.thread, id, SystemCallArguments(number: .max, a0, a1, a2, a3, a4))
    }

    @Test func filesAreMadeNamedAndRemoved() throws {
        let guest = try SystemCallFixture()
        let folder = try guest.string(guest.folder + "/d"), file = try guest.string(guest.folder + "/d/f")
        let other = try guest.string(guest.folder + "/d/g"), symbolic = try guest.string(guest.folder + "/d/s")
        #expect(call(guest, .mkdir, folder, 0o755) == 0)
        let fd = call(guest, .creat, file, 0o600)
        #expect(fd >= 0)
        #expect(guest.call(.write, UInt64(fd), file, 5) == 5)
        let again = call(guest, .open, file, UInt64(O_RDONLY))
        #expect(again >= 0)
        let status = guest.room(128), links = guest.room(128)
        #expect(call(guest, .stat, file, status) == 0)
        #expect(try guest.word(status + 48) == 5)
        #expect(call(guest, .rename, file, other) == 0)
        #expect(call(guest, .access, file, 0) == Errno.noent.negated)
        #expect(call(guest, .symlink, other, symbolic) == 0)
        #expect(call(guest, .lstat, symbolic, links) == 0)
        #expect(try guest.memory.read(links + 16, as: UInt32.self) & 0o170000 == 0o120000)
        let target = guest.room(256)
        #expect(call(guest, .readlink, symbolic, target, 256) == guest.folder.utf8.count + 4)
        #expect(call(guest, .chmod, other, 0o640) == 0)
        #expect(call(guest, .link, other, file) == 0)
        #expect(call(guest, .utimes, other, try guest.words([100, 5, 200, 6])) == 0)
        #expect(call(guest, .stat, other, status) == 0)
        #expect(try guest.word(status + 88) == 200 && guest.word(status + 96) == 6000)
        #expect(isError(call(guest, .utimes, other, try guest.words([100, 5, 200, 1_000_000])), .inval))
        for path in [file, other, symbolic] { #expect(call(guest, .unlink, path) == 0) }
        #expect(call(guest, .rmdir, folder) == 0)
        for fd in [fd, again] { #expect(guest.call(.close, UInt64(fd)) == 0) }
    }

    @Test func waitingForDescriptors() throws {
        let guest = try SystemCallFixture()
        let pair = guest.room(8)
        #expect(call(guest, .pipe, pair) == 0)
        let read = UInt64(try guest.memory.read(pair, as: UInt32.self))
        let write = UInt64(try guest.memory.read(pair + 4, as: UInt32.self))
        let set = guest.room(8)
        try guest.memory.write(set, read | 1 << 32)  // POLLIN
        #expect(call(guest, .poll, set, 1, 0) == 0)
        let limit = try guest.words([0, 1000])
        #expect(call(guest, .select, read + 1, try guest.descriptorSet(read), 0, 0, limit) == 0)
        #expect(guest.call(.write, write, pair, 1) == 1)
        #expect(call(guest, .poll, set, 1, .max) == 1)
        let bits = try guest.descriptorSet(read)
        #expect(call(guest, .select, read + 1, bits, 0, 0, try guest.words([10, 0])) == 1)
        #expect(isError(call(guest, .select, read + 1, bits, 0, 0, try guest.words([.max, 0])), .inval))
        #expect(call(guest, .dup2, read, read) == Int(read))
        #expect(isError(call(guest, .dup2, 9999, 9999), .badf))
        for fd in [read, write] { #expect(guest.call(.close, fd) == 0) }
    }

    @Test func timeAndSmallThings() throws {
        let guest = try SystemCallFixture()
        let place = guest.room(8)
        let now = call(guest, .time, place)
        #expect(now > 1_700_000_000)
        #expect(try guest.word(place) == UInt64(now))
        #expect(call(guest, .getpgrp) == Int(getpgrp()))
        #expect(isError(call(guest, .getdents, 0, place, 8), .nosys))
        #expect(isError(call(guest, .iopl, 3), .perm))
        let position = guest.room(8)
        let path = try guest.string(guest.folder + "/llseek")
        let fd = UInt64(call(guest, .creat, path, 0o600))
        #expect(call(guest, .llseek, fd, 0, 4, position, 0) == 0)
        #expect(try guest.word(position) == 4)
        #expect(guest.call(.close, fd) == 0)
        #expect(call(guest, .unlink, path) == 0)
    }

    @Test func theRestOfACallIsWhereItsRowSays() {
        let given = SystemCallArguments(number: 9, 10, 11, 12, 13, 14, 3)
        let map = RewrittenCall(
            .mmap, [.argument(0), .argument(1), .argument(2), .argument(3), .argument(4), .pages(5)]
        ).arguments(given)
        #expect((0..<6).map { map[$0] } == [10, 11, 12, 13, 14, 3 << 12])
        let path = RewrittenCall(.renameat2, [.constant(-100), .argument(0), .constant(-100), .argument(1), .none])
            .arguments(given)
        #expect((0..<6).map { path[$0] } == [UInt64(bitPattern: -100), 10, UInt64(bitPattern: -100), 11, 0, 0])
    }
}
