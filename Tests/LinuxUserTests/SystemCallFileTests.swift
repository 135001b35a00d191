import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

/// What the C library says about a file.
private func hostStatus(_ path: String) -> stat {
    var result = stat()
    #expect(stat(path, &result) == 0)
    return result
}

@Suite struct SystemCallFileTests {
    @Test func writtenBytesComeBackAndStatHasTheGuestLayout() throws {
        let guest = try SystemCallFixture()
        let path = guest.folder + "/file"
        defer { removeFile(path) }
        let fd = try guest.open(path, O_RDWR | O_CREAT)
        #expect(Int64(bitPattern: fd) >= 0)
        #expect(guest.call(.write, fd, try guest.string("hello world"), 11) == 11)
        #expect(guest.call(.lseek, fd, 6, 0) == 6)
        let buffer = guest.room(16)
        #expect(guest.call(.read, fd, buffer, 16) == 5)
        #expect(try guest.bytes(buffer, 5) == Array("world".utf8))

        let status = guest.room(128)
        #expect(guest.call(.fstat, fd, status) == 0)
        let host = hostStatus(path)
        #expect(try guest.word(status + 8) == UInt64(host.st_ino))
        #expect(try guest.memory.read(status + 16, as: UInt32.self) == host.st_mode)
        #expect(try guest.memory.read(status + 20, as: UInt32.self) == UInt32(host.st_nlink))
        #expect(try guest.memory.read(status + 24, as: UInt32.self) == host.st_uid)
        #expect(try guest.word(status + 48) == 11)
        #expect(try guest.memory.read(status + 56, as: UInt32.self) == UInt32(host.st_blksize))
        #expect(try guest.word(status + 88) == UInt64(host.st_mtim.tv_sec))
        #expect(try guest.word(status + 96) == UInt64(host.st_mtim.tv_nsec))

        let other = guest.room(128)
        #expect(guest.call(.newfstatat, guest.at, try guest.string(path), other, 0) == 0)
        #expect(try guest.bytes(other, 64) == guest.bytes(status, 64))
        #expect(guest.call(.close, fd) == 0)
        #expect(isError(guest.call(.close, fd), .badf))
    }

    @Test func theDescriptorIsLookedAtBeforeTheBuffer() throws {
        let guest = try SystemCallFixture()
        let bad = UInt64(bitPattern: -4096)
        #expect(isError(guest.call(.read, 9999, bad, 64), .badf))
        #expect(isError(guest.call(.writev, 9999, try guest.words([bad, 8]), 1), .badf))
        let file = try guest.open("/dev/null")
        #expect(isError(guest.call(.getdents64, file, bad, 64), .notdir))
        guest.call(.close, file)
    }

    @Test func namesUnderThePrefixAreTheGuestsOwn() throws {
        let guest = try SystemCallFixture(prefix: "/usr/../usr")
        #expect(guest.process.guestPath("/usr/bin/env") == "/bin/env")
        #expect(guest.process.guestPath("/usrlocal/x") == "/usrlocal/x")
        #expect(guest.process.guestPath("/usr") == "/usr")
        #expect(try SystemCallFixture().process.guestPath("/usr/bin/env") == "/usr/bin/env")
    }

    @Test func badPointersGiveEFAULTAndNeverReachMartletsMemory() throws {
        let guest = try SystemCallFixture()
        let fd = try guest.open("/dev/zero")
        defer { guest.call(.close, fd) }
        var own: [UInt8] = .init(repeating: 7, count: 64)
        own.withUnsafeMutableBytes { bytes in
            let address = UInt64(UInt(bitPattern: bytes.baseAddress))
            #expect(isError(guest.call(.read, fd, address, 64), .fault))
            #expect(isError(guest.call(.fstat, fd, address), .fault))
            #expect(isError(guest.call(.clock_gettime, 1, address), .fault))
            #expect(isError(guest.call(.getrandom, address, 64), .fault))
            #expect(isError(guest.call(.getcwd, address, 64), .fault))
            #expect(isError(guest.call(.pipe2, address), .fault))
        }
        #expect(own.allSatisfy { $0 == 7 })
        #expect(isError(guest.call(.read, fd, guest.end, 16), .fault))
        #expect(isError(guest.call(.read, fd, .max - 3, 16), .fault))
        #expect(isError(guest.call(.read, fd, guest.start, .max), .fault))
        #expect(isError(guest.call(.openat, guest.at, guest.end, 0), .fault))
        #expect(isError(guest.call(.openat, guest.at, 0, 0), .fault))
        #expect(isError(guest.call(.uname, guest.end - 8), .fault))
        // A vector whose second part is bad.
        let vectors = try guest.words([guest.start, 8, UInt64(1) << 50, 8])
        #expect(isError(guest.call(.readv, fd, vectors, 2), .fault))
        #expect(isError(guest.call(.readv, fd, vectors, 1025), .inval))
    }

    @Test func aBufferThatEndsUnmappedIsFilledAsFarAsItGoes() throws {
        let guest = try SystemCallFixture()
        var pipes: [Int32] = [0, 0]
        #expect(pipe(&pipes) == 0)
        defer { for fd in pipes { HostFile.close(fd) } }
        #expect(writeAll(pipes[1], "0123456789"))
        // The kernel reports what the part after the end of the mapping allows: a fault or a short count, never a
        // crash.
        let count = guest.call(.read, UInt64(pipes[0]), guest.end - 4, 10)
        #expect(count == 4 || isError(count, .fault))
    }

    @Test func vectorsScatterAndGather() throws {
        let guest = try SystemCallFixture()
        let pair = guest.room(8)
        #expect(guest.call(.pipe2, pair, 0) == 0)
        let ends = (
            UInt64(try guest.memory.read(pair, as: UInt32.self)),
            UInt64(try guest.memory.read(pair + 4, as: UInt32.self))
        )
        let out = try guest.words([try guest.string("abc"), 3, 0, 0, try guest.string("defg"), 4])
        #expect(guest.call(.writev, ends.1, out, 3) == 7)
        let first = guest.room(16), second = guest.room(16)
        #expect(guest.call(.readv, ends.0, try guest.words([first, 2, second, 16]), 2) == 7)
        #expect(try guest.bytes(first, 2) == Array("ab".utf8))
        #expect(try guest.bytes(second, 5) == Array("cdefg".utf8))
        guest.call(.close, ends.0)
        guest.call(.close, ends.1)
    }

    @Test func absolutePathsAndAbsoluteLinksAreFoundUnderThePrefix() throws {
        let outer = try SystemCallFixture()
        let root = outer.folder
        let file = root + "/etc/inside", link = root + "/etc/link", chain = root + "/via/link"
        _ = withPath(root + "/etc") { kernel(SYS_mkdir, $0, 0o755) }
        let made = try HostFile.openLog(file)
        #expect(writeAll(made, "prefix"))
        HostFile.close(made)
        #expect(symlink("/etc/inside", link) == 0)
        #expect(symlink("/etc", root + "/via") == 0)
        defer {
            removeFile(file)
            removeFile(link)
            removeFile(root + "/via")
            _ = withPath(root + "/etc") { kernel(SYS_rmdir, $0) }
        }
        let guest = try SystemCallFixture(prefix: root)
        for path in ["/etc/inside", "/etc/link", "/via/link", "/etc/../etc/inside", "/../../etc/link"] {
            let fd = try guest.open(path)
            #expect(Int64(bitPattern: fd) >= 0, "\(path)")
            #expect(try guest.readAll(fd) == "prefix", "\(path)")
            guest.call(.close, fd)
        }
        // A link itself, not what it names.
        let buffer = guest.room(64)
        let count = guest.call(.readlinkat, guest.at, try guest.string("/etc/link"), buffer, 64)
        #expect(try guest.bytes(buffer, max(0, count)) == Array("/etc/inside".utf8))
        // What the prefix does not have comes from the host.
        #expect(guest.call(.faccessat, guest.at, try guest.string("/etc/passwd"), 4) == 0)
        #expect(isError(guest.call(.faccessat, guest.at, try guest.string("/etc/no-such-file"), 4), .noent))
        #expect(try GuestPaths.hostPath("/etc/link", prefix: root) == file)
        #expect(chain.hasPrefix(root))
    }

    @Test func procFilesShowTheGuest() throws {
        let guest = try SystemCallFixture()
        let buffer = guest.room(256)
        for path in ["/proc/self/exe", "/proc/\(HostProcess.processID)/exe", "/proc/thread-self/exe"] {
            let count = guest.call(.readlinkat, guest.at, try guest.string(path), buffer, 256)
            #expect(try guest.bytes(buffer, max(0, count)) == Array("/bin/guest".utf8))
        }
        #expect(guest.call(.readlinkat, guest.at, try guest.string("/proc/self/exe"), buffer, 4) == 4)
        func read(_ path: String) throws -> String {
            let fd = try guest.open(path)
            defer { guest.call(.close, fd) }
            return try guest.readAll(fd)
        }
        let strings = try guest.string("guest\0two words")
        guest.process.argumentStrings = strings..<(strings + 16)
        #expect(try read("/proc/self/cmdline") == "guest\0two words\0")
        let maps = try read("/proc/self/maps")
        let own = String(guest.start, radix: 16) + "-" + String(guest.end, radix: 16) + " rw-p "
        #expect(maps.contains(own))
        #expect(maps.split(separator: "\n").count == guest.memory.mappings.count)
        #expect(try read("/proc/cpuinfo").hasPrefix("processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64"))
        let stat = try read("/proc/self/stat")
        #expect(stat.hasPrefix("\(HostProcess.processID) ("))
        #expect(stat.split(separator: " ").count >= 50)
    }

    @Test func theLogDescriptorIsOutOfReach() throws {
        let outer = try SystemCallFixture()
        let log = outer.folder + "/log"
        defer { removeFile(log) }
        let guest = try SystemCallFixture(log: log, items: "unimp")
        let fd = UInt64(guest.process.diagnostics.descriptor)
        #expect(fd > 2)
        #expect(isError(guest.call(.close, fd), .badf))
        #expect(isError(guest.call(.dup3, 1, fd), .badf))
        #expect(isError(guest.call(.fcntl, fd, 1), .badf))
        #expect(guest.call(.close_range, fd, fd) == 0)
        #expect(isError(guest.call(.rseq), .nosys))
        let text = try guest.readAll(try guest.open(log))
        #expect(text == "unimplemented: system call rseq (293)\n")
    }

    @Test func controlRequestsAreCheckedByNumber() throws {
        let guest = try SystemCallFixture()
        let pair = guest.room(8)
        #expect(guest.call(.pipe2, pair, 0) == 0)
        let reader = UInt64(try guest.memory.read(pair, as: UInt32.self)),
            writer = UInt64(try guest.memory.read(pair + 4, as: UInt32.self))
        defer {
            guest.call(.close, reader)
            guest.call(.close, writer)
        }
        #expect(guest.call(.write, writer, try guest.string("four"), 4) == 4)
        let count = guest.room(4)
        #expect(guest.call(.ioctl, reader, 0x541b, count) == 0)  // FIONREAD
        #expect(try guest.memory.read(count, as: UInt32.self) == 4)
        #expect(isError(guest.call(.ioctl, reader, 0x541b, guest.end), .fault))
        #expect(isError(guest.call(.ioctl, reader, 0x5413, guest.room(8)), .notty))  // TIOCGWINSZ on a pipe
        #expect(isError(guest.call(.ioctl, reader, 0xdead_beef, guest.start), .notty))
        #expect(guest.call(.fcntl, reader, 1) & 1 == 0)
        #expect(guest.call(.ioctl, reader, 0x5451) == 0)  // FIOCLEX
        #expect(guest.call(.fcntl, reader, 1) & 1 == 1)
        #expect(isError(guest.call(.fcntl, reader, 12345), .inval))
    }

    @Test func directoryEntriesAndNamesWork() throws {
        let guest = try SystemCallFixture()
        let path = try guest.string(guest.folder + "/one")
        #expect(guest.call(.mkdirat, guest.at, path, 0o755) == 0)
        #expect(isError(guest.call(.mkdirat, guest.at, path, 0o755), .exist))
        let fd = try guest.open(guest.folder, O_RDONLY | O_DIRECTORY)
        let buffer = guest.room(1024)
        #expect(guest.call(.getdents64, fd, buffer, 1024) > 0)
        let target = try guest.string(guest.folder + "/two")
        #expect(guest.call(.renameat2, guest.at, path, guest.at, target, 0) == 0)
        #expect(guest.call(.unlinkat, fd, try guest.string("two"), 0x200) == 0)
        guest.call(.close, fd)
        #expect(
            isError(
                guest.call(.unlinkat, guest.at, try guest.string(String(repeating: "x", count: 5000))), .nametoolong))
    }
}
