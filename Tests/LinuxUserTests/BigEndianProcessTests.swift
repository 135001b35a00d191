import CLinux
import Glibc
import HostOS
import LinuxABI
import LinuxMemory
import Testing

@testable import LinuxUser

/// Signals, time, limits and threads of a guest whose words are not the host's.
@Suite struct BigEndianProcessTests {
    @Test func actionsAndMasksHaveTheGuestsNumbers() throws {
        let big = try BigEndianFixture()
        // struct sigaction: handler, flags, mask of two words, the lowest signals in the first.
        let action = try big.words(0x1234_5678, 0x1000_0004, 1 << 3, 1 << 31)
        let old = big.room(16)
        let signal: UInt32 = 32 - 12  // SIGUSR2
        #expect(big.call(.rt_sigaction, signal, action, old, 8) == 0)
        #expect(try big.word(old) == 0)
        #expect(big.call(.rt_sigaction, signal, 0, old, 8) == 0)
        #expect(try (0..<4).map { try big.word(old, $0) } == [0x1234_5678, 0x1000_0004, 1 << 3, 1 << 31])
        let kept = big.thread.process.actions[12]
        // Number 4 there is 28 here; real-time signals are the same.
        #expect(kept.handler == 0x1234_5678 && kept.mask == 1 << 27 | 1 << 63)
        #expect(big.call(.rt_sigaction, signal, try big.words(0, 0, 0, 0), 0, 8) == 0)
        #expect(big.call(.rt_sigaction, signal, action, 0, 4) == big.error(.inval))
        #expect(big.call(.rt_sigaction, 32 - 9, action, 0, 8) == big.error(.inval))  // SIGKILL

        let set = try big.words(1 << (32 - 10 - 1), 1)  // SIGUSR1 and 33
        #expect(big.call(.rt_sigprocmask, 1, set, 0, 8) == 0)
        #expect(big.thread.signalMask == 1 << 9 | 1 << 32)
        #expect(big.call(.rt_sigprocmask, 0, set, old, 8) == big.error(.inval))
        #expect(big.call(.rt_sigprocmask, 2, set, old, 8) == 0)
        #expect(try big.word(old) == 1 << 21 && big.word(old, 1) == 1)
        #expect(big.thread.signalMask == 0)
    }

    @Test func aSignalIsWaitedForAndDescribed() throws {
        let big = try BigEndianFixture()
        let mine = UInt32(32 - 12), set = try big.words(1 << (mine - 1), 0), old = big.room(8)
        #expect(big.call(.rt_sigprocmask, 1, set, old, 8) == 0)
        // siginfo_t: signo, errno, code, pid, uid, value
        let sent = try big.words(mine, 0, UInt32(bitPattern: -1), 77, 88, 0x0102_0304)
        #expect(big.call(.rt_tgsigqueueinfo, UInt32(getpid()), UInt32(big.thread.tid), mine, sent) == 0)
        let information = big.room(128)
        #expect(big.call(.rt_sigtimedwait, set, information, try big.words(0, 5, 0, 0), 8) == Int(mine))
        #expect(try (0..<6).map { try big.word(information, $0) } == [mine, 0, .max, 77, 88, 0x0102_0304])
        #expect(big.call(.rt_sigtimedwait, set, information, try big.words(0, 0, 9, 1), 8) == big.error(.again))
        #expect(big.call(.rt_sigpending, old, 8) == 0)
        #expect(big.call(.rt_sigprocmask, 2, set, 0, 8) == 0)
    }

    @Test func aHandlerIsEnteredAndLeft() throws {
        let big = try BigEndianFixture()
        let action = try big.words(0x4000, 4, 0, 0), signal = UInt32(32 - 10)
        #expect(big.call(.rt_sigaction, signal, action, 0, 8) == 0)
        let stack = try big.words(0x5000_0000, 0, 0x8000), old = big.room(12)
        #expect(big.call(.sigaltstack, stack, old) == 0)
        #expect(try big.word(old, 1) == 2)  // SS_DISABLE
        for index in 5..<32 { big.setRegister(index, UInt32(index) << 24 | 1) }
        let top = UInt32(big.guest.end)
        big.setRegister(2, top)
        big.thread.pc = 0x1000
        big.thread.mailbox.pointee.signal = 10
        big.thread.mailbox.pointee.info[0] = 10
        big.thread.mailbox.pointee.info[2] = 4321 | 5 << 32  // pid, uid
        big.thread.deliverPendingSignals()
        #expect(big.thread.pc == 0x4000)
        let frame = big.register(2)
        #expect(frame == (top - 944) & ~15)
        #expect(big.register(10) == signal && big.register(11) == frame && big.register(12) == frame + 128)
        #expect(try big.word(frame) == signal && big.word(frame, 3) == 4321 && big.word(frame, 4) == 5)
        #expect(try big.word(frame + 136) == 0x5000_0000 && big.word(frame + 136, 2) == 0x8000)
        // The registers: pc, x1, x2, ...
        #expect(try big.word(frame + 288) == 0x1000 && big.word(frame + 288, 2) == top)
        #expect(try big.word(frame + 288, 20) == 20 << 24 | 1)
        #expect(big.thread.signalMask == 1 << 9)
        try big.guest.memory.write(UInt64(frame) + 288 + 4 * 20, UInt32(0x1122_3344).bigEndian)
        big.thread.returnFromSignal()
        #expect(big.thread.pc == 0x1000 && big.register(2) == top && big.register(20) == 0x1122_3344)
        #expect(big.thread.signalMask == 0)
        #expect(big.call(.rt_sigaction, signal, try big.words(0, 0, 0, 0), 0, 8) == 0)
        #expect(big.call(.sigaltstack, try big.words(0, 2, 0), 0) == 0)
    }

    @Test func theUnionOfASignalsInformationDependsOnTheSignal() {
        let conversion = SignalInfoConversion(.bigEndian), layout = LinuxTable.bigEndian.layout(.siginfo)!
        func convert(_ signal: Int32, _ code: Int32, _ host: [Int: UInt64]) -> (Int) -> UInt64 {
            var words = InlineArray<16, UInt64>(repeating: 0)
            words[0] = UInt64(UInt32(bitPattern: signal))
            words[1] = UInt64(UInt32(bitPattern: code))
            withUnsafeMutableBytes(of: &words) { bytes in
                for (field, value) in host { StructLayout.host(.siginfo).store(value, field, bytes.baseAddress!) }
            }
            var target = [UInt8](repeating: 0xff, count: 128)
            conversion.toGuest(SignalInfo(words: words), &target)
            // And back.
            let back = conversion.toHost(target)
            for index in 0..<16 { #expect(back.words[index] == words[index], "signal \(signal) code \(code)") }
            return { layout.load($0, target) }
        }
        typealias F = FieldIndex.siginfo
        let child = convert(17, 1, [F.si_pid: 12, F.si_uid: 34, F.si_status: 3, F.si_utime: 5, F.si_stime: 6])
        #expect(child(F.si_signo) == 15 && child(F.si_status) == 3 && child(F.si_stime) == 6)
        let fault = convert(11, 1, [F.si_addr: 0x8123_4567])
        #expect(fault(F.si_addr) == 0x8123_4567 && fault(F.si_code) == 1)
        let sent = convert(10, 0, [F.si_pid: 7, F.si_uid: 8])
        #expect(sent(F.si_pid) == 7 && sent(F.si_uid) == 8)
        let trap = convert(31, 1, [F.si_call_addr: 0x100, F.si_syscall: 5, F.si_arch: 0xc000_003e])
        #expect(trap(F.si_syscall) == 5)
        let poll = convert(29, 1, [F.si_band: 0x41, F.si_fd: 9])
        #expect(poll(F.si_band) == 0x41 && poll(F.si_fd) == 9)
    }

    @Test func timeIsReadAndSlept() throws {
        let big = try BigEndianFixture()
        let time = big.room(16)
        #expect(big.call(.clock_gettime, 0, time) == 0)
        #expect(try big.long(time) > 1_700_000_000 && big.long(time) < 1 << 34 && big.long(time + 8) < 1_000_000_000)
        #expect(big.call(.clock_nanosleep, 1, 0, try big.words(0, 0, 0xffff, 1000), 0) == 0)
        #expect(big.call(.clock_nanosleep, 1, 0, try big.words(0, 0, 0, 1_000_000_000), 0) == big.error(.inval))
        let value = try big.words(0, 0, 1000, 5), old = big.room(16)
        #expect(big.call(.setitimer, 1, value, 0) == 0)  // ITIMER_VIRTUAL: this process never runs so long
        #expect(big.call(.setitimer, 1, try big.words(0, 0, 0, 0), old) == 0)
        #expect(try big.word(old, 2) > 900 && big.word(old, 2) <= 1000)
        // struct sigevent: value, signo, notify; SIGEV_SIGNAL
        let event = try big.words(0xabcd, UInt32(32 - 12), 0), timer = big.room(4)
        #expect(big.call(.timer_create, 1, event, timer) == 0)
        let setting = try big.words(0, 0, 0, 0, 0, 5000, 0, 0), left = big.room(32)
        #expect(big.call(.timer_settime, try big.word(timer), 0, setting, 0) == 0)
        #expect(big.call(.timer_gettime, try big.word(timer), left) == 0)
        #expect(try big.long(left + 16) > 4000 && big.long(left + 16) <= 5000)
        #expect(big.call(.timer_delete, try big.word(timer)) == 0)
        let amounts = big.room(16)
        #expect(big.call(.times, amounts) != -1)
        #expect(try big.word(amounts) < 1 << 24)
    }

    @Test func limitsAndUsage() throws {
        let big = try BigEndianFixture()
        let limit = big.room(16)
        #expect(big.call(.prlimit64, 0, 4, 0, limit) == 0)  // RLIMIT_CORE
        var host = rlimit()
        getrlimit(__rlimit_resource_t(4), &host)
        #expect(try big.long(limit) == UInt64(host.rlim_cur) && big.long(limit + 8) == UInt64(host.rlim_max))
        #expect(big.call(.getrlimit, 3, limit) == 0)
        #expect(try big.word(limit) >= 1 << 16)
        let usage = big.room(72)
        #expect(big.call(.getrusage, 0, usage) == 0)
        #expect(try big.word(usage, 4) > 1000 && big.word(usage, 4) < 1 << 28)  // ru_maxrss
        let system = big.room(64)
        #expect(big.call(.sysinfo, system) == 0)
        #expect(try big.word(system) > 0 && big.half(system + 40) > 0)
        let names = big.room(390)
        #expect(big.call(.uname, names) == 0)
        #expect(try big.bytes(names + 260, 4) == Array("big\0".utf8))
    }

    @Test func aFutexIsComparedInTheGuestsOrder() throws {
        let big = try BigEndianFixture()
        let word = try big.words(0x0102_0304), other = try big.words(5)
        #expect(big.call(.futex, word, 128, 0x0102_0305, 0) == big.error(.again))
        // Equal: waits until the time is over.
        #expect(big.call(.futex, word, 128, 0x0102_0304, try big.words(0, 0, 0, 1000)) == big.error(.timedout))
        #expect(big.call(.futex, word, 129, 1) == 0)
        #expect(big.call(.futex, word, 132, 1, 1, other, 0x0403_0201) == big.error(.again))
        #expect(big.call(.futex, word, 132, 1, 1, other, 0x0102_0304) == 0)
        // FUTEX_OP_ADD 3, wake the second's if it was 5.
        #expect(big.call(.futex, word, 133, 1, 1, other, 1 << 28 | 3 << 12 | 5) == 0)
        #expect(try big.word(other) == 8)
        // FUTEX_OP_OR of a bit by number
        #expect(big.call(.futex, word, 133, 1, 1, other, 0xa << 28 | 4 << 12 | 5) == 0)
        #expect(try big.word(other) == 8 | 16)
        #expect(big.call(.futex, word, 134, 0, 0) == big.error(.nosys))  // FUTEX_LOCK_PI
    }

    @Test func robustFutexesOfAnEndingThreadAreMarked() throws {
        let big = try BigEndianFixture()
        let tid = UInt32(bitPattern: big.thread.tid)
        // The head: next, distance, pending; an entry with its futex 8 bytes behind.
        let head = big.room(12), entry = big.room(16), pending = big.room(16)
        func put(_ address: UInt32, _ value: UInt32) throws {
            try big.guest.memory.write(UInt64(address), value.bigEndian)
        }
        try put(head, entry)
        try put(head + 4, 8)
        try put(head + 8, pending)
        try put(entry, head)
        try put(entry + 8, tid | 0x8000_0000)
        try put(pending + 8, tid)
        #expect(big.call(.set_robust_list, head, 24) == big.error(.inval))
        #expect(big.call(.set_robust_list, head, 12) == 0)
        let found = big.room(8)
        #expect(big.call(.get_robust_list, 0, found, found + 4) == 0)
        #expect(try big.word(found) == head && big.word(found, 1) == 12)
        RobustList(thread: big.thread).walk(head: UInt64(head))
        #expect(try big.word(entry, 2) == 0xc000_0000 && big.word(pending, 2) == 0x4000_0000)
        #expect(big.call(.set_tid_address, found) == Int(big.thread.tid))
        #expect(big.thread.clearChildTID == UInt64(found))
        big.thread.robustList = 0
    }

    @Test func schedulingIsAsked() throws {
        let big = try BigEndianFixture()
        let attributes = big.room(56), set = big.room(128)
        #expect(big.call(.sched_getattr, 0, attributes, 48, 0) == 0)
        #expect(try big.word(attributes) == 48 && big.word(attributes, 1) == 0)
        #expect(big.call(.sched_getattr, 0, attributes, 56, 0) == 0)
        #expect(try big.word(attributes) == 56)
        let count = big.call(.sched_getaffinity, 0, 128, set)
        #expect(count >= 4 && count & 3 == 0)
        var host = [UInt32](repeating: 0, count: 32)
        _ = host.withUnsafeMutableBytes { kernel(SYS_sched_getaffinity, 0, 128, Int(bitPattern: $0.baseAddress)) }
        #expect(try big.word(set) == host[0])
        #expect(big.call(.sched_setaffinity, 0, 128, set) == 0)
        let cpu = big.room(8)
        #expect(big.call(.getcpu, cpu, cpu + 4, 0) == 0)
        #expect(try big.word(cpu) < 4096)
    }

    @Test func requestsForChildren() throws {
        let big = try BigEndianFixture()
        // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls: 64 bits each
        let structure = try big.words(
            0, 0x0100_0000, 0, 0, 0, 0x1111, 0, 0x2222, 0, 15, 0, 0x3000, 0, 0x1000, 0, 0x4444)
        let request = try CloneRequest(structure: UInt64(structure), size: 64, big.thread)
        #expect(request.flags == 0x100_0000 && request.childTID == 0x1111 && request.parentTID == 0x2222)
        #expect(request.exitSignal == 17 && request.stack == 0x4000 && request.tls == 0x4444)
        #expect(request.forHost(big.thread).flags & CloneRequest.childSetTID == 0)
        let old = SystemCallArguments(number: 0, 15, 1, 2, 3, 4)
        #expect(CloneRequest(old, big.thread).exitSignal == 17 && CloneRequest(old, big.thread).childTID == 3)
    }

    @Test func argumentsOfExecveAreFollowedWordByWord() throws {
        let big = try BigEndianFixture()
        let path = try big.string(big.guest.folder + "/none")
        #expect(big.call(.execve, path, try big.words(path, 0), try big.words(0)) == big.error(.noent))
        let script = try big.file("script")
        big.call(.write, script, try big.string("#!/none\n"), 8)
        big.call(.close, script)
        let name = try big.string(big.guest.folder + "/script")
        #expect(chmod(big.guest.folder + "/script", 0o755) == 0)
        #expect(big.call(.execve, name, try big.words(name, 0xffff_fff0, 0), 0) == big.error(.fault))
        #expect(big.call(.execve, name, try big.words(name, 0), try big.words(0)) == big.error(.noent))
        big.remove("script")
    }

    @Test func queuesAndSemaphoresAndSharedMemory() throws {
        let big = try BigEndianFixture()
        let queue = big.call(.msgget, 0, 0o1600)
        guard queue >= 0 else { return }  // no System V queues in this container
        let message = try big.words(7, 0x6162_6364)
        #expect(big.call(.msgsnd, UInt32(truncatingIfNeeded: queue), message, 4, 0) == 0)
        let state = big.room(88), received = big.room(16)
        #expect(big.call(.msgctl, UInt32(truncatingIfNeeded: queue), 2, state) == 0)
        #expect(try big.word(state, 16) == 1 && big.word(state, 15) == 4)  // msg_qnum, msg_cbytes
        #expect(big.call(.msgrcv, UInt32(truncatingIfNeeded: queue), received, 8, 7, 0) == 4)
        #expect(try big.word(received) == 7 && big.word(received, 1) == 0x6162_6364)
        #expect(big.call(.msgctl, UInt32(truncatingIfNeeded: queue), 0, 0) == 0)

        let semaphores = UInt32(truncatingIfNeeded: big.call(.semget, 0, 2, 0o1600))
        let values = big.room(4)
        try big.write([0, 3, 0, 4], values)
        #expect(big.call(.semctl, semaphores, 0, 17, values) == 0)  // SETALL
        #expect(big.call(.semctl, semaphores, 1, 12, 0) == 4)  // GETVAL
        let operation = big.room(8)
        try big.write([0, 1, 0xff, 0xfe, 0, 0], operation)  // -2 from the second
        #expect(big.call(.semtimedop, semaphores, operation, 1, 0) == 0)
        #expect(big.call(.semctl, semaphores, 1, 12, 0) == 2)
        let information = big.room(64)
        #expect(big.call(.semctl, semaphores, 0, 2, information) == 0)
        #expect(try big.word(information, 13) == 2)  // sem_nsems
        #expect(big.call(.semctl, semaphores, 0, 0, 0) == 0)

        let segment = UInt32(truncatingIfNeeded: big.call(.shmget, 0, 8192, 0o1600)), shared = big.room(84)
        #expect(big.call(.shmctl, segment, 2, shared) == 0)
        #expect(try big.word(shared, 9) == 8192)  // shm_segsz
        #expect(big.call(.shmctl, segment, 0, 0) == 0)
    }

    @Test func memoryIsMappedBelowTheLimit() throws {
        let big = try BigEndianFixture()
        let fd = try big.file("m")
        #expect(big.call(.ftruncate64, fd, 0, 0, 8192) == 0)
        big.call(.pwrite64, fd, try big.string("second page"), 11, 0, 0, 4096)
        // mmap2(2): the offset in pages.
        let place = big.call(.mmap2, 0, 4096, 1, 2, fd, 1)
        let address = UInt32(truncatingIfNeeded: place)
        #expect(address & 4095 == 0 && address < 0xffff_f000)
        #expect(try big.bytes(address, 6) == Array("second".utf8))
        #expect(big.call(.munmap, address, 4096) == 0)
        big.call(.close, fd)
        big.remove("m")
    }
}
