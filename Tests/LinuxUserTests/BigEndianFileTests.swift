import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

/// Files and descriptors of a guest whose words are not the host's.
@Suite struct BigEndianFileTests {
    @Test func numbersOfCallsErrorsAndFlagsAreTheGuests() throws {
        let big = try BigEndianFixture()
        #expect(big.call(.getppid) == Int(getppid()) && big.register(7) == 0)
        #expect(big.call(.openat, big.at, try big.string(big.guest.folder + "/none"), 0) == big.error(.noent))
        #expect(big.register(7) == 1)
        let fd = try big.file("a")
        #expect(Int32(bitPattern: fd) >= 0)
        #expect(big.call(.fcntl, fd, 4, 0x80 | 8) == 0)  // O_NONBLOCK, O_APPEND
        #expect(big.call(.fcntl, fd, 3) & 0x8f == 0x8a)
        #expect(fcntl(Int32(bitPattern: fd), F_GETFL) & (O_NONBLOCK | O_APPEND) == O_NONBLOCK | O_APPEND)
        #expect(big.call(.fcntl, fd, 5) == big.error(.inval))  // F_GETLK of other ABIs
        #expect(big.call(.close, fd) == 0)
        #expect(big.call(.close, fd) == big.error(.badf))
        setRegisterOutOfRange(big)
        big.remove("a")
    }

    /// A number that no call has, also one that has its low bits in common with one.
    private func setRegisterOutOfRange(_ big: BigEndianFixture) {
        big.setRegister(17, 3999)
        big.thread.systemCall()
        #expect(big.register(7) == 1 && big.register(5) == UInt32(200 - Errno.nosys.rawValue))
    }

    @Test func vectorsAreWordsOfTheGuest() throws {
        let big = try BigEndianFixture()
        let fd = try big.file("v"), text = try big.string("onetwo!")
        #expect(big.call(.writev, fd, try big.words(text, 3, text + 3, 4), 2) == 7)
        let room = big.room(16)
        let into = try big.words(room, 2, room + 8, 8)
        // preadv(2): the position's low half comes first whatever the order.
        #expect(big.call(.preadv, fd, into, 2, 1, 0) == 6)
        #expect(try big.bytes(room, 2) == Array("ne".utf8) && big.bytes(room + 8, 4) == Array("two!".utf8))
        // pread64(2): a pair, from an even argument on, its high half first.
        #expect(big.call(.pread64, fd, room, 4, 0xbad, 0, 3) == 4)
        #expect(try big.bytes(room, 4) == Array("two!".utf8))
        #expect(big.call(.pread64, fd, room, 4, 0xbad, 1, 0) == 0)
        #expect(big.call(.ftruncate64, fd, 0xbad, 1, 5) == 0)
        let position = big.room(8)
        #expect(big.call(.llseek, fd, UInt32.max, UInt32.max - 4, position, 2) == 0)  // 5 bytes before the end
        #expect(try big.long(position) == 0x1_0000_0000)
        #expect(big.call(.writev, fd, 0xffff_fff0, 1) == big.error(.fault))
        #expect(big.call(.writev, fd, try big.words(text, 0x8000_0000), 1) == big.error(.inval))
        big.call(.close, fd)
        big.remove("v")
    }

    @Test func statusIsConvertedFieldByField() throws {
        let big = try BigEndianFixture()
        let fd = try big.file("s"), text = try big.string("12345")
        big.call(.write, fd, text, 5)
        let status = big.room(104)
        #expect(big.call(.fstat, fd, status) == 0)
        // struct stat64: st_mode 16, st_nlink 20, st_uid 24, st_size 48, st_blksize 56
        #expect(try big.word(status, 4) == 0o100600 && big.word(status, 5) == 1 && big.word(status, 6) == getuid())
        #expect(try big.long(status + 48) == 5 && big.word(status, 14) == 4096)
        let extended = big.room(256)
        #expect(big.call(.statx, fd, try big.string(""), 0x1000, 0x7ff, extended) == 0)
        #expect(try big.half(extended + 28) == 0o100600 && big.long(extended + 40) == 5)
        let system = big.room(88)
        #expect(big.call(.fstatfs64, fd, 88, system) == 0)
        #expect(try big.word(system, 1) == 4096 && big.long(system + 8) > 0)
        #expect(big.call(.fstatfs64, fd, 87, system) == big.error(.inval))
        big.call(.close, fd)
        big.remove("s")
    }

    @Test func foldersAreListed() throws {
        let big = try BigEndianFixture()
        let fd = try big.file("only")
        big.call(.close, fd)
        let folder = UInt32(bitPattern: Int32(big.call(.openat, big.at, try big.string(big.guest.folder), 0)))
        let room = big.room(512)
        let count = big.call(.getdents64, folder, room, 512)
        #expect(count > 0)
        // struct linux_dirent64: d_reclen 16, d_name 19
        var at: UInt32 = 0, names: [String] = []
        while Int(at) < count {
            let length = try big.half(room + at + 16)
            let name = try big.bytes(room + at + 19, Int(length) - 19).prefix { $0 != 0 }
            names.append(String(decoding: name, as: UTF8.self))
            guard length > 0 else { break }
            at += UInt32(length)
        }
        #expect(names.sorted() == [".", "..", "only"])
        #expect(try big.long(room) != 0)
        big.call(.close, folder)
        big.remove("only")
    }

    @Test func locksAreStructuresOfBothWidths() throws {
        let big = try BigEndianFixture()
        let fd = try big.file("l")
        // struct flock64 of an open file: l_type 0, l_whence 2, l_start 8, l_len 16, l_pid 24
        let lock = big.room(32)
        try big.write([0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3], lock)  // F_WRLCK
        #expect(big.call(.fcntl64, fd, 37, lock) == big.error(.inval))  // the table has no such command
        // struct flock: l_start 4, l_len 8
        let short = try big.words(1 << 16, 5, 3, 0)
        #expect(big.call(.fcntl64, fd, 16, short) == 0)  // F_SETLK
        #expect(big.call(.fcntl64, fd, 14, short) == 0)  // F_GETLK: no other holds it
        #expect(try big.half(short) == 2 && big.word(short, 1) == 5)
        big.call(.close, fd)
        big.remove("l")
    }

    @Test func offsetsInMemoryAreReadAndWritten() throws {
        let big = try BigEndianFixture()
        let from = try big.file("f"), to = try big.file("t")
        big.call(.write, from, try big.string("0123456789"), 10)
        let offset = try big.words(0, 4)
        #expect(big.call(.sendfile, to, from, offset, 3) == 3)
        #expect(try big.long(offset) == 7)
        let there = try big.words(0, 3)
        #expect(big.call(.copy_file_range, from, offset, to, there, 2, 0) == 2)
        #expect(try big.long(offset) == 9 && big.long(there) == 5)
        let room = big.room(16)
        #expect(big.call(.pread64, to, room, 16, 0, 0, 0) == 5)
        #expect(try big.bytes(room, 5) == Array("45678".utf8))
        for (fd, name) in [(from, "f"), (to, "t")] {
            big.call(.close, fd)
            big.remove(name)
        }
    }

    @Test func pathsOfOpenat2AndUtimensat() throws {
        let big = try BigEndianFixture()
        let path = try big.string(big.guest.folder + "/o")
        let how = try big.words(0, 0x101, 0, 0o640, 0, 0)  // O_WRONLY | O_CREAT in the guest's numbers
        let fd = big.call(.openat2, big.at, path, how, 24)
        #expect(fd >= 0)
        // The nanoseconds' upper half does not count.
        let times = try big.words(0, 100, 0xffff_ffff, 5, 1, 200, 0, 6)
        #expect(big.call(.utimensat, big.at, path, times, 0) == 0)
        var status = stat()
        #expect(stat(big.guest.folder + "/o", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o640 & ~0o022 || status.st_mode & 0o777 == 0o640)
        #expect(status.st_atim.tv_sec == 100 && status.st_atim.tv_nsec == 5)
        #expect(status.st_mtim.tv_sec == 1 << 32 | 200 && status.st_mtim.tv_nsec == 6)
        big.call(.close, UInt32(truncatingIfNeeded: fd))
        big.remove("o")
    }
}
