import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

@Suite struct ProcFileTests {
    private func file(_ path: String, from directory: Int32 = AT_FDCWD) -> ProcFile? {
        var bytes = Array(path.utf8) + [0]
        return bytes.withUnsafeMutableBufferPointer {
            $0.baseAddress.flatMap { ProcFile(HostPath(bytes: $0), from: directory) }
        }
    }

    @Test func filesOfThisProcessAreRecognised() {
        #expect(file("/proc/self/maps") == .maps)
        #expect(file("/proc/thread-self/exe") == .executable)
        #expect(file("/proc/\(getpid())/smaps_rollup") == .mapTotals)
        #expect(file("/proc/self/task/\(HostProcess.threadID)/mem") == .memory)
        #expect(file("/proc/\(HostProcess.threadID)/environ") == .environment)
        #expect(file("/proc/cpuinfo") == .processorInfo)
        #expect(file("//proc/./self/../self//cmdline") == .commandLine)
        #expect(file("/proc/self/root/proc/self/auxv") == .auxiliaryVector)
        #expect(file("/proc/self/exe") == .executable)
        #expect(file("/proc/self/status") == .status && file("/proc/self/statm") == .sizes)
        let thread = HostProcess.threadID
        #expect(file("/proc/thread-self/stat") == .threadStat(thread))
        #expect(file("/proc/self/task/\(thread)/status") == .threadStatus(thread))
        #expect(file("/tmp/../proc/self/exe") == .executable)
    }

    @Test func otherFilesAreNot() {
        for path in [
            "/proc/1/maps", "/proc/self/map", "/proc/self/maps/", "/proc/self", "/proc/self/net/stat", "/proc/stat",
            "maps",
            "/proc/self/task/1/maps", "/proc/self/exe/maps", "/etc/maps", "", "/", "/proc/self/cwd/maps", "/proc/maps",
        ] {
            #expect(file(path) == nil, "\(path)")
        }
    }

    @Test func relativeNamesAreRecognisedByTheirDirectory() throws {
        let directory = try HostFile.openForReading("/proc/self")
        defer { HostFile.close(directory) }
        #expect(file("maps", from: directory) == .maps)
        #expect(file("../self/exe", from: directory) == .executable)
        #expect(file("net/../mem", from: directory) == .memory)
        #expect(file("status", from: directory) == .status && file("stat", from: directory) == .stat)
        let other = try HostFile.openForReading("/etc")
        defer { HostFile.close(other) }
        #expect(file("maps", from: other) == nil)
        #expect(file("../proc/self/maps", from: other) == .maps)
        #expect(file("maps", from: -1) == nil)
    }

    /// The program's memory is all that it reaches through /proc/self/mem, and the host's stays as it is.
    @Test func memoryOfTheHostIsOutOfReach() throws {
        let guest = try SystemCallFixture()
        let host = UnsafeMutablePointer<UInt64>.allocate(capacity: 1)
        defer { host.deallocate() }
        host.pointee = 0x1122_3344_5566_7788
        let there = UInt64(UInt(bitPattern: host))
        let fd = try guest.open("/proc/self/mem", O_RDWR)
        defer { guest.call(.close, fd) }
        let buffer = try guest.words([1, 2])
        #expect(isError(guest.call(.pread64, fd, buffer, 8, there), .io))
        #expect(isError(guest.call(.pwrite64, fd, buffer, 8, there), .io))
        #expect(UInt64(guest.call(.lseek, fd, there, 0)) == there)
        #expect(isError(guest.call(.read, fd, buffer, 8), .io))
        #expect(isError(guest.call(.write, fd, buffer, 8), .io))
        let vector = try guest.words([buffer, 8])
        #expect(isError(guest.call(.readv, fd, vector, 1), .io))
        #expect(isError(guest.call(.pwritev, fd, vector, 1, there), .io))
        #expect(isError(guest.call(.preadv2, fd, vector, 1, UInt64.max, 0, 0), .io))
        #expect(host.pointee == 0x1122_3344_5566_7788)
        #expect(guest.call(.pread64, fd, buffer + 8, 8, buffer) == 8)
        #expect(try guest.word(buffer + 8) == 1)
        // A range that runs out of the guest's mappings ends with them.
        #expect(guest.call(.pread64, fd, buffer, 64, guest.end - 8) == 8)
    }

    @Test func mappingsAreSplitWhereTheKernelSplitsThem() throws {
        let guest = try SystemCallFixture()
        let fd = try guest.open("/proc/self/maps")
        let text = try guest.readAll(fd)
        guest.call(.close, fd)
        let line = text.split(separator: "\n").first { $0.hasPrefix(String(guest.start, radix: 16)) }
        #expect(line?.contains(" rw-p 00000000 00:00 0") == true)
        #expect(!text.contains(".swift") && !text.contains("[heap]"))
    }
}

@Suite struct DeviceControlTests {
    @Test func numbersSayDirectionAndSize() {
        #expect(Ioctl.argument(0xc040_660b)?.size == 64)  // FS_IOC_FIEMAP, were it longer
        #expect(Ioctl.argument(0x8008_6601)?.kind == .both)
        #expect(Ioctl.argument(0x4004_9409)?.kind == .value)
        #expect(Ioctl.argument(0x0000_1234) == nil)
    }

    @Test func familiesAreWhole() {
        for request: UInt32 in 0x4c00...0x4c0a { #expect(Ioctl.argument(request) != nil) }  // loop devices
        for request: UInt32 in 0x5600...0x560f { #expect(Ioctl.argument(request) != nil) }  // virtual terminals
        for request: UInt32 in 0x1260...0x1265 { #expect(Ioctl.argument(request) != nil) }  // block devices
        for request: UInt32 in 0x1277...0x127f { #expect(Ioctl.argument(request) != nil) }
        for request: UInt32 in 0xab00...0xab0a { #expect(Ioctl.argument(request) != nil) }  // network block devices
    }

    @Test func loopInformationIsTheSameAfterBothConversions() throws {
        let layout = LinuxGuestABI.riscv64.loopInformation, guest = layout.guest, host = layout.host
        var original = (0..<UInt8(guest.size)).map { $0 &* 7 &+ 1 }
        original.replaceSubrange(156..<160, with: [0, 0, 0, 0])  // padding
        original.replaceSubrange(132..<136, with: [0, 0, 0, 0])
        var middle = [UInt8](repeating: 0xff, count: host.size), back = [UInt8](repeating: 0xff, count: guest.size)
        try layout.toHost(original, &middle)
        try layout.toGuest(middle, &back)
        #expect(back == original)
        #expect(middle[32..<36] == original[20..<24])  // lo_offset
    }
}

@Suite struct BadArgumentListTests {
    /// Tests/Guest/compared/badarguments.c tries every call, or says why it does not.
    @Test func everyCallIsTriedOrLeftOutForAReason() throws {
        let parts = #filePath.split(separator: "/").dropLast(2)
        let source = try HostFile.contents("/" + parts.joined(separator: "/") + "/Guest/compared/badarguments.c")
        let text = String(decoding: source, as: UTF8.self)
        var named: Set<Substring> = []
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
            guard let open = word.firstIndex(of: "("), word[..<open] == "ROW" || word[..<open] == "SKIP" else {
                continue
            }
            named.insert(word[word.index(after: open)...].prefix { $0 != "," })
        }
        for id in SystemCallID.allCases where LinuxTable.riscv64.number(of: id) != nil {
            #expect(named.contains(id.name[...]), "\(id)")
        }
    }
}
