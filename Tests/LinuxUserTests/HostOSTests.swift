// The parts of HostOS on which user mode's correctness rests: calls that cannot lose a signal, code memory, per-thread
// slots.

import CLinux
import Glibc
import HostOS
import Testing

@Suite(.serialized) struct HostOSTests {
    init() { HostSignals.start() }

    @Test func processorFeaturesAreNamedByTheirBits() {
        #expect(HostProcessor.missing(of: ["BMI2", "AVX2"], features: 1) == ["BMI2"])
        #expect(HostProcessor.missing(of: ["BMI2", "AVX2"], features: 9).isEmpty)
        #expect(HostProcessor.missing(of: ["no such thing"], features: .max) == ["no such thing"])
    }

    @Test func safeSystemCallDoesNotStartWhenTheFlagIsSet() {
        var flag: UInt32 = 1
        #expect(safeSystemCall(&flag, SYS_getpid) == interruptedBeforeKernel)
        flag = 0
        #expect(safeSystemCall(&flag, SYS_getpid) == Int(getpid()))
    }

    @Test func aSignalEndsABlockingCallAndIsRecorded() {
        let flag = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
        flag.initialize(to: 0)
        let mailbox = UnsafeMutablePointer<SignalMailbox>.allocate(capacity: 1)
        mailbox.initialize(to: SignalMailbox(requestFlag: flag))
        ThreadSlot.mailbox = mailbox
        defer {
            ThreadSlot.mailbox = nil
            HostSignals.set(SIGUSR2, .byDefault)
        }
        HostSignals.set(SIGUSR2, .record)
        // Threads that run tests may block all signals.
        let outerMask = HostSignals.setMask(0), oldMask: UInt64 = 0
        defer { HostSignals.setMask(outerMask) }
        let target = HostProcess.threadID, process = HostProcess.processID
        // Before the call: it does not start.
        _ = kernel(SYS_tgkill, Int(process), Int(target), Int(SIGUSR2))
        #expect(mailbox.pointee.signal == SIGUSR2)
        #expect(flag.pointee == 1)
        var time = timespec(tv_sec: 20, tv_nsec: 0)
        #expect(
            safeSystemCall(flag, SYS_nanosleep, Int(bitPattern: withUnsafeMutablePointer(to: &time) { $0 })) == -512)
        // Further signals stay pending until the mask is set again.
        _ = kernel(SYS_tgkill, Int(process), Int(target), Int(SIGUSR2))
        mailbox.pointee.signal = 0
        flag.pointee = 0
        #expect(mailbox.pointee.signal == 0)
        HostSignals.setMask(oldMask)
        #expect(mailbox.pointee.signal == SIGUSR2)
        // During a call that the kernel would restart: it ends.
        mailbox.pointee.signal = 0
        flag.pointee = 0
        HostSignals.setMask(oldMask)
        var ends: InlineArray<2, Int32> = [0, 0]
        _ = withUnsafeMutablePointer(to: &ends) { kernel(SYS_pipe2, Int(bitPattern: $0), 0) }
        try? HostThread.start {
            usleep(20000)
            _ = kernel(SYS_tgkill, Int(process), Int(target), Int(SIGUSR2))
        }
        var byte: UInt8 = 0
        let result = withUnsafeMutablePointer(to: &byte) {
            safeSystemCall(flag, SYS_read, Int(ends[0]), Int(bitPattern: $0), 1)
        }
        #expect(result == interruptedInKernel)
        #expect(mailbox.pointee.signal == SIGUSR2)
        mailbox.pointee.signal = 0
        HostSignals.setMask(oldMask)
        close(ends[0])
        close(ends[1])
    }

    @Test func codeMemoryShowsTheSameBytesTwiceAndRuns() throws {
        let memory = try ExecutableMemory(size: 1 << 20)
        let code: [UInt8] = [0xb8, 0x2a, 0, 0, 0, 0xc3]  // mov eax, 42; ret
        code.withUnsafeBytes { memory.writable.copyMemory(from: $0.baseAddress!, byteCount: code.count) }
        typealias Function = @convention(c) () -> Int32
        #expect(unsafeBitCast(memory.executable, to: Function.self)() == 42)
        // What a forked child does: the first page stays, the rest is its own.
        memory.writable.storeBytes(of: 7, toByteOffset: 4096, as: UInt8.self)
        try memory.separate(from: 4096)
        #expect(memory.executable.load(fromByteOffset: 4096, as: UInt8.self) == 0)
        memory.writable.storeBytes(of: 8, toByteOffset: 4096, as: UInt8.self)
        #expect(memory.executable.load(fromByteOffset: 4096, as: UInt8.self) == 8)
        #expect(unsafeBitCast(memory.executable, to: Function.self)() == 42)
        // Before it changes the rest: both parts are copied.
        try memory.unshare(used: 4097)
        memory.writable.storeBytes(of: 43, toByteOffset: 1, as: UInt8.self)
        #expect(unsafeBitCast(memory.executable, to: Function.self)() == 43)
        #expect(memory.executable.load(fromByteOffset: 4096, as: UInt8.self) == 8)
        try memory.separate(from: memory.size)
    }

    /// Frozen code stays executable, and no way of the process's leads to a writable view of it: not the old view's addresses, not
    /// mprotect(2), not the file behind the mapping. Unfrozen, it changes again.
    @Test func frozenCodeCannotBeWritten() throws {
        let memory = try ExecutableMemory(size: 1 << 20)
        typealias Function = @convention(c) () -> Int32
        memory.writable.copyMemory(from: [0xb8, 42, 0, 0, 0, 0xc3] as [UInt8], byteCount: 6)  // mov eax, 42; ret
        try memory.freeze(0..<4096)
        let call = unsafeBitCast(memory.executable, to: Function.self)
        let old = UInt(bitPattern: memory.writable), view = UInt(bitPattern: memory.executable)
        #expect(!GuestCopy.store32(old, 0))
        #expect(throws: Errno.acces) { try HostMemory.protect(view, 4096, HostMemory.read | HostMemory.write) }
        // What lies at the old address can be made writable, but is nobody's code.
        try HostMemory.protect(old, 4096, HostMemory.read | HostMemory.write)
        #expect(GuestCopy.store32(old, 0) && call() == 42)
        let name = "/proc/self/map_files/\(String(view, radix: 16))-\(String(view + UInt(memory.size), radix: 16))"
        let file = open(name, O_RDWR)
        if file >= 0 {
            #expect(pwrite(file, "x", 1, 0) < 0)
            #expect(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) == MAP_FAILED)
            close(file)
        }
        #expect(GuestCopy.store32(old + 4096, 7), "what comes behind it is written as before")
        try memory.unshare(used: 8192)
        memory.writable.storeBytes(of: 43, toByteOffset: 1, as: UInt8.self)
        #expect(call() == 43 && memory.executable.load(fromByteOffset: 4096, as: UInt8.self) == 7)
    }

    /// Whether the kernel makes large pages or not, both views keep their bytes.
    @Test func largePagesKeepTheBytes() throws {
        let memory = try ExecutableMemory(size: 8 << 20)
        var used = 0
        while used + 4096 <= memory.size {
            memory.writable.storeBytes(of: UInt64(used), toByteOffset: used, as: UInt64.self)
            used += 4096
            memory.makeLargePages(used: used)
        }
        for offset in stride(from: 0, to: used, by: 4096) {
            #expect(memory.executable.load(fromByteOffset: offset, as: UInt64.self) == UInt64(offset))
            memory.writable.storeBytes(of: ~UInt64(offset), toByteOffset: offset + 8, as: UInt64.self)
            #expect(memory.executable.load(fromByteOffset: offset + 8, as: UInt64.self) == ~UInt64(offset))
        }
        #expect(memory.writable == memory.writable.alignedUp(toMultipleOf: 2 << 20))
    }

    /// Of pages in memory, how many are mapped.
    private func mapped(_ start: UnsafeRawPointer, _ length: Int) -> Int {
        var entries = [UInt64](repeating: 0, count: length / 4096)
        let file = open("/proc/self/pagemap", O_RDONLY)
        defer { close(file) }
        let bytes = entries.count * 8
        #expect(pread(file, &entries, bytes, Int(bitPattern: start) / 4096 * 8) == bytes)
        return entries.count { $0 >> 63 == 1 }
    }

    /// Pages that are mapped twice count twice as memory of the process.
    @Test func onlyWhatWasWrittenLastStaysMappedForWriting() throws {
        let piece = 2 << 20
        let memory = try ExecutableMemory(size: 16 * piece)
        for offset in stride(from: 0, to: memory.size, by: 4096) {
            memory.willWrite(at: offset)
            memory.writable.storeBytes(of: UInt64(offset), toByteOffset: offset, as: UInt64.self)
        }
        #expect(mapped(memory.writable, memory.size) <= memory.size / 4 / 4096)
        for offset in stride(from: 0, to: memory.size, by: 4096).reversed() {
            #expect(memory.executable.load(fromByteOffset: offset, as: UInt64.self) == UInt64(offset))
            memory.willWrite(at: offset)
            memory.writable.storeBytes(of: ~UInt64(offset), toByteOffset: offset, as: UInt64.self)
            #expect(memory.executable.load(fromByteOffset: offset, as: UInt64.self) == ~UInt64(offset))
        }
        #expect(mapped(memory.writable, memory.size) <= memory.size / 4 / 4096)
    }

    @Test func onlyWhatWasReadLastOfAFileStaysMapped() throws {
        let size = 16 << 20, step = 64 << 10
        var path = Array("/tmp/martlet-view-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        defer { close(file) }
        unlink(path)
        #expect(pwrite(file, [UInt8](repeating: 7, count: size), size, 0) == size)
        let view = try FileView(file, size: size)
        func countSevens() -> Int {
            stride(from: 0, to: size, by: step).count {
                view.willRead(at: $0)
                return view.bytes[$0] == 7
            }
        }
        #expect(countSevens() == size / step)
        #expect(mapped(view.bytes.baseAddress!, size) < size / 2 / 4096)
        #expect(countSevens() == size / step)
        // Zeros stay where the file was cut short.
        ftruncate(file, off_t(size / 2))
        for _ in 0..<2 { #expect(countSevens() == size / step / 2) }
    }

    @Test func codeMemoryCanLieNearAFunction() throws {
        let here = unsafeBitCast(getpid as @convention(c) () -> Int32, to: UInt.self)
        let memory = try ExecutableMemory(size: 1 << 20, near: here)
        #expect(memory.reaches(here))
    }
}
