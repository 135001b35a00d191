import CLinux
import Glibc
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

@Suite struct SystemCallTableTests {
    @Test func guestNumbersAreTheAsmGenericOnes() {
        let known: [(UInt64, SystemCallID)] = [
            (17, .getcwd), (25, .fcntl), (29, .ioctl), (35, .unlinkat), (48, .faccessat), (56, .openat), (57, .close),
            (61, .getdents64), (63, .read), (64, .write), (66, .writev), (72, .pselect6), (73, .ppoll),
            (78, .readlinkat),
            (79, .newfstatat), (80, .fstat), (93, .exit), (94, .exit_group), (96, .set_tid_address), (98, .futex),
            (101, .nanosleep), (113, .clock_gettime), (129, .kill), (134, .rt_sigaction), (135, .rt_sigprocmask),
            (139, .rt_sigreturn), (160, .uname), (172, .getpid), (178, .gettid), (198, .socket), (214, .brk),
            (215, .munmap), (220, .clone), (221, .execve), (222, .mmap), (226, .mprotect), (243, .recvmmsg),
            (258, .riscv_hwprobe), (259, .riscv_flush_icache), (260, .wait4), (261, .prlimit64), (276, .renameat2),
            (278, .getrandom), (281, .execveat), (291, .statx), (293, .rseq), (424, .pidfd_send_signal), (435, .clone3),
            (436, .close_range), (439, .faccessat2), (449, .futex_waitv), (467, .open_tree_attr),
        ]
        for (number, id) in known { #expect(LinuxGuestABI.riscv64.systemCall(number) == id) }
        for number: UInt64 in [38, 244, 257, 295, 423, 470, 1000, .max, 0x1_0000_0000] {
            #expect(LinuxGuestABI.riscv64.systemCall(number) == nil)
        }
    }

    @Test func hostNumbersAgreeWithTheCLibrary() {
        let known: [(SystemCallID, Int32)] = [
            (.read, Int32(SYS_read)), (.write, Int32(SYS_write)), (.openat, Int32(SYS_openat)),
            (.close, Int32(SYS_close)),
            (.fstat, Int32(SYS_fstat)), (.newfstatat, Int32(SYS_newfstatat)), (.ppoll, Int32(SYS_ppoll)),
            (.lseek, Int32(SYS_lseek)), (.getpid, Int32(SYS_getpid)), (.socket, Int32(SYS_socket)),
            (.accept4, Int32(SYS_accept4)), (.uname, Int32(SYS_uname)), (.getcwd, Int32(SYS_getcwd)),
            (.statx, Int32(SYS_statx)), (.getrandom, Int32(SYS_getrandom)), (.timer_create, Int32(SYS_timer_create)),
            (.renameat2, Int32(SYS_renameat2)), (.utimensat, Int32(SYS_utimensat)), (.shmget, Int32(SYS_shmget)),
            (.setns, Int32(SYS_setns)), (.close_range, Int32(SYS_close_range)),
            (.clock_adjtime, Int32(SYS_clock_adjtime)),
            (.sendmmsg, Int32(SYS_sendmmsg)), (.eventfd2, Int32(SYS_eventfd2)), (.mq_open, Int32(SYS_mq_open)),
            (.setxattr, Int32(SYS_setxattr)), (.fremovexattr, Int32(SYS_fremovexattr)), (.umask, Int32(SYS_umask)),
        ]
        for (id, number) in known { #expect(id.hostNumber == number, "\(id)") }
        var seen: Set<Int32> = []
        for id in SystemCallID.allCases where id.hostNumber >= 0 {
            #expect(seen.insert(id.hostNumber).inserted, "\(id)")
        }
    }

    @Test func rowsThatPassThroughCanPassThrough() {
        for id in SystemCallID.allCases {
            let row = SystemCallTable.row(id)
            switch row.action {
            case .passThrough, .passThroughBlocking:
                #expect(id.hostNumber >= 0, "\(id)")
                for index in 0..<6 { #expect(row.arguments[index].form != .address, "\(id)") }
            case .handler: break
            case .call(let other):
                if case .call = SystemCallTable.row(other.call).action { Issue.record("\(id)") }
            case .notImplemented(let error): #expect(error == .nosys || error == .perm, "\(id)")
            }
        }
    }

    @Test func lengthArgumentsLieInsideTheCall() {
        for id in SystemCallID.allCases {
            let row = SystemCallTable.row(id)
            for index in 0..<6 where row.arguments[index].length != .fixed {
                #expect(Int(row.arguments[index].lengthArgument) < row.argumentCount, "\(id)")
            }
        }
    }

    @Test func unknownNumbersAndMissingCallsGiveTheirErrors() throws {
        let guest = try SystemCallFixture()
        #expect(isError(performSystemCall(guest.thread, SystemCallArguments(number: 9999)), .nosys))
        #expect(isError(guest.call(.io_uring_setup, 8, guest.room(120)), .nosys))
        #expect(isError(guest.call(.reboot), .perm))
    }

    /// Sizes that pointers are checked by, where they pass as they are.
    @Test func contentsHaveTheHostsSizes() {
        for content in Content.allCases {
            let size = Int(content.size)
            switch content.shape {
            case .bytes: #expect(size == 1 || content == .signalSet && size == 8)
            case .numbers(let count, let bytes): #expect(size == count * bytes, "\(content)")
            case .words(let count): #expect(size == count * LinuxTable.host.word, "\(content)")
            case .ownWords: #expect(size == LinuxTable.host.word)
            case .structure(let id): #expect(size == LinuxTable.host.layout(id)?.size, "\(content)")
            }
        }
    }

    /// For riscv64 a pointer passes as it is, whatever it points to, but for what its own structures say.
    @Test func riscv64NeedsNoConversionOfArguments() {
        let contents = ContentConversions(.riscv64)
        #expect(Content.allCases.filter { contents[$0] != nil } == [])
        #expect(!contents.areNeeded && !LinuxGuestABI.riscv64.adaptsArguments)
        #expect(ContentConversions(.riscv32)[.usage] != nil && ContentConversions(.riscv32)[.itimerspec] != nil)
        #expect(LinuxGuestABI.riscv32.adaptsArguments)
    }
}
