import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

@Suite struct SystemCallTraceTests {
    /// The trace of what `body` does, without thread ids.
    private func trace(_ body: (SystemCallFixture) throws -> Void) throws -> [String] {
        let outer = try SystemCallFixture()
        let log = outer.folder + "/trace"
        defer { removeFile(log) }
        let guest = try SystemCallFixture(log: log, items: "strace")
        try body(guest)
        let text = try outer.readAll(try outer.open(log))
        return text.split(separator: "\n").map { line in
            #expect(line.hasPrefix("\(guest.thread.tid) "))
            return String(line.drop { $0 != " " }.dropFirst())
        }
    }

    @Test func linesShowNamesPathsFlagsAndErrors() throws {
        let lines = try trace { guest in
            let missing = try guest.string("/no/such\tfile")
            guest.call(.openat, guest.at, missing, 0x80000)
            guest.call(.write, .max, try guest.string("hi\n\u{1}\"there\""), 11)
            guest.call(.getpid)
            guest.call(.kill, 1, 999)
            guest.call(.nanosleep, try guest.words([0, 5]), 0)
            guest.call(.lseek, 0xffff_ffff, 4, 2)
            guest.call(.socket, 2, 2, 0xffff)
            guest.call(.connect, .max, try guest.words([2 | 0x5000 << 16 | UInt64(0x0100_007f) << 32, 0]), 16)
        }
        #expect(
            lines[0]
                == "openat(AT_FDCWD,\"/no/such\\tfile\",O_RDONLY|O_CLOEXEC,00) = -1 errno=2 (No such file or directory)"
        )
        #expect(lines[1] == "write(-1,\"hi\\n\\001\\\"there\\\"\",11) = -1 errno=9 (Bad file descriptor)")
        #expect(lines[2] == "getpid() = \(HostProcess.processID)")
        #expect(lines[3].hasPrefix("kill(1,999) = -1 errno="))
        #expect(lines[4] == "nanosleep({tv_sec=0,tv_nsec=5},NULL) = 0")
        #expect(lines[5] == "lseek(-1,4,SEEK_END) = -1 errno=9 (Bad file descriptor)")
        #expect(lines[6].hasPrefix("socket(AF_INET,0x2,65535) = -1 errno="))
        #expect(lines[7].hasPrefix("connect(-1,{sa_family=AF_INET,sin_port=80,sin_addr=127.0.0.1},16) = -1"))
    }

    @Test func badPointersAreShownAsNumbers() throws {
        let lines = try trace { guest in
            guest.call(.faccessat, guest.at, 0x10, 4)
            guest.call(.faccessat, guest.at, 0, 0)
        }
        #expect(lines[0] == "faccessat(AT_FDCWD,0x10,R_OK) = -1 errno=14 (Bad address)")
        #expect(lines[1].hasPrefix("faccessat(AT_FDCWD,NULL,F_OK) = "))
    }

    @Test func bitsAndValuesHaveTheirNames() {
        #expect(ConstantNames.open.describe(bits: 0x80241) == "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC")
        #expect(ConstantNames.open.describe(bits: 0) == "O_RDONLY")
        #expect(ConstantNames.open.describe(bits: 0x4000_0000) == "O_RDONLY|0x40000000")
        #expect(ConstantNames.mapProtection.describe(bits: 5) == "PROT_READ|PROT_EXEC")
        #expect(ConstantNames.clock.name(of: 1) == "CLOCK_MONOTONIC")
        #expect(ConstantNames.clock.name(of: 77) == nil)
        #expect(signalName(11) == "SIGSEGV")
        #expect(signalName(34) == "SIGRTMIN+2")
    }
}
