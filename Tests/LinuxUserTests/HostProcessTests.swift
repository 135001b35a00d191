// Processes of the host made with flags, and signals of Martlet's own that a process sends.

import CLinux
import Glibc
import HostOS
import Testing

@testable import LinuxUser

@Suite(.serialized) struct HostProcessTests {
    init() { HostSignals.start() }

    /// The exit status of a child, or -errno.
    private func wait(_ pid: Int32, _ options: Int = 0) -> Int {
        var status: Int32 = 0
        let result = withUnsafeMutablePointer(to: &status) {
            kernel(SYS_wait4, Int(pid), Int(bitPattern: $0), options, 0)
        }
        return result == Int(pid) ? Int(status >> 8) : result
    }

    private func fork(_ clone: HostClone, _ body: () -> Int32) throws -> Int32 {
        let mask = HostSignals.blockAll()
        defer { HostSignals.setMask(mask) }
        let pid = try HostProcess.fork(clone)
        if pid == 0 { HostProcess.exitGroup(body()) }
        return pid
    }

    private let sigchld: UInt64 = 17, cloneChild = 0x8000_0000  // __WCLONE

    @Test func aForkWithFlagsIsAForkWithThem() throws {
        // CLONE_FILES: a descriptor of the child's is the parent's.
        let shared = try fork(HostClone(flags: 0x400, exitSignal: sigchld)) {
            kernel(SYS_dup3, 1, 777, 0) == 777 ? Int32([Int](repeating: 1, count: 50).reduce(0, +)) : 1
        }
        #expect(wait(shared) == 50)
        #expect(kernel(SYS_close, 777) == 0)
        let silent = try fork(HostClone(flags: 0, exitSignal: 0)) { 3 }
        #expect(wait(silent) == Errno.child.negated)
        #expect(wait(silent, cloneChild) == 3)
    }

    @Test func whatCloneCannotSayGoesByItsStructure() throws {
        var fd: Int32 = -1, id: Int32 = 0
        try withUnsafeMutablePointer(to: &fd) { fd in
            try withUnsafeMutablePointer(to: &id) { id in
                var clone = HostClone(
                    flags: HostClone.processFDFlag | HostClone.setsParentID, exitSignal: sigchld)
                clone.processFD = UInt64(UInt(bitPattern: fd))
                clone.parentID = UInt64(UInt(bitPattern: id))
                let pid = try fork(clone) { 4 }
                #expect(id.pointee == pid)
                #expect(fd.pointee > 2)
                #expect(wait(pid) == 4)
                HostFile.close(fd.pointee)
            }
        }
    }

    @Test func theKernelsRefusalIsReported() {
        let sighand: UInt64 = 0x800
        #expect(throws: Errno.inval) { try fork(HostClone(flags: sighand, exitSignal: sigchld)) { 0 } }
    }

    @Test func aChildInTheSameMemoryIsWaitedFor() throws {
        let word = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        word.initialize(to: 0)
        defer { word.deallocate() }
        let mask = HostSignals.blockAll()
        let pid = try HostProcess.forkSharing(HostClone(flags: 0, exitSignal: sigchld)) { _ in
            word.pointee = 42
            return .end(status: 9)
        }
        HostSignals.setMask(mask)
        #expect(word.pointee == 42)
        #expect(wait(pid) == 9)
    }

    @Test func aChildInTheSameMemoryExecutesAndHearsWhatRefusesIt() throws {
        let flag = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        flag.initialize(to: 0)
        defer { flag.deallocate() }
        let words = ["sh", "-c", "exit 7"].map { Array($0.utf8) }
        let there = ProgramVectors("/bin/sh", words, environment: [])
        let missing = ProgramVectors("/there/is/none", [], environment: [])
        func execution(_ vectors: ProgramVectors) -> HostExecution {
            HostExecution(
                path: vectors.path, arguments: vectors.arguments, environment: vectors.environment, mask: 0,
                ignored: 0, flag: flag)
        }
        let mask = HostSignals.blockAll()
        var refusals: [Int] = []
        let pid = try HostProcess.forkSharing(HostClone(flags: 0, exitSignal: sigchld)) { refusal in
            refusals.append(refusal)
            return .execute(execution(refusals.count == 1 ? missing : there))
        }
        HostSignals.setMask(mask)
        #expect(refusals == [0, Errno.noent.negated])
        #expect(wait(pid) == 7)
    }

    @Test func aSentFaultSignalWaitsWhileItIsBlocked() throws {
        let shared = UnsafeMutablePointer<PendingSignals>.allocate(capacity: 1)
        shared.initialize(to: PendingSignals())
        let flag = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        flag.initialize(to: 0)
        let mailbox = UnsafeMutablePointer<SignalMailbox>.allocate(capacity: 1)
        mailbox.initialize(to: SignalMailbox(requestFlag: flag, shared: shared))
        let before = HostSignals.mask, earlier = ThreadSlot.mailbox
        defer {
            ThreadSlot.mailbox = earlier
            HostSignals.setMask(before)
        }
        HostSignals.attach(mailbox)
        func send(_ signal: Int32) {
            _ = kernel(SYS_tgkill, Int(HostProcess.processID), Int(HostProcess.threadID), Int(signal))
        }
        let segv = HostSignals.bit(SIGSEGV), bus = HostSignals.bit(SIGBUS)
        send(SIGSEGV)
        send(SIGSEGV)
        #expect(mailbox.pointee.signal == 0)
        #expect(mailbox.pointee.waiting == segv)
        #expect(flag.pointee == 1)
        // For a system call it is the kernel's.
        let pending = HostSignals.lend {
            var set: UInt64 = 0
            _ = withUnsafeMutablePointer(to: &set) { kernel(SYS_rt_sigpending, Int(bitPattern: $0), 8) }
            return Int(truncatingIfNeeded: set)
        }
        #expect(UInt64(pending) & segv != 0)
        #expect(mailbox.pointee.waiting == segv)
        // Open: one is recorded, the next waits for it.
        HostSignals.setOwnMask(bus)
        #expect(mailbox.pointee.signal == SIGSEGV)
        #expect(mailbox.pointee.waiting == 0)
        send(SIGBUS)
        send(SIGSEGV)
        #expect(mailbox.pointee.waiting == segv | bus)
        mailbox.pointee.signal = 0
        HostSignals.setOwnMask(bus)
        #expect(mailbox.pointee.signal == SIGSEGV)
        #expect(mailbox.pointee.waiting == bus)
        mailbox.pointee.signal = 0
        HostSignals.setOwnMask(0)
        #expect(mailbox.pointee.signal == SIGBUS)
    }
}
