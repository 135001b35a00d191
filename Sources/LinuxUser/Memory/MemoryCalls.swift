// System calls on the address space: mmap(2) and its kin, brk(2), System V shared memory.

import CLinux
import GuestMemory
import HostOS

enum MemoryCalls {
    /// brk(2): the kernel's form returns the new end, or the old one when it cannot move.
    static func brk(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let process = thread.process, memory = thread.memory
        process.lock.lock()
        defer { process.lock.unlock() }
        let wanted = call.a0, old = process.breakEnd
        guard wanted >= process.breakStart, wanted <= memory.limit else { return Int(truncatingIfNeeded: old) }
        let oldPage = (old + 4095) & ~4095, newPage = (wanted + 4095) & ~4095
        do throws(Errno) {
            if newPage > oldPage {
                let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.fixedNoReplace
                _ = try memory.map(
                    oldPage, length: newPage - oldPage, rights: [.read, .write], flags: flags, kind: .heap)
            } else if newPage < oldPage {
                try memory.unmap(newPage, length: oldPage - newPage)
            }
        } catch { return Int(truncatingIfNeeded: old) }
        process.breakEnd = wanted
        return Int(truncatingIfNeeded: wanted)
    }

    static func mmap(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a5 & 4095 == 0 else { throw .inval }
        let address = try thread.memory.map(
            call.a0, length: call.a1, rights: PageRights(rawValue: UInt8(truncatingIfNeeded: call.a2 & 7)),
            flags: call.int32(3), fd: call.int32(4), offset: call.a5)
        return Int(truncatingIfNeeded: address)
    }

    static func munmap(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try thread.memory.unmap(call.a0, length: call.a1)
        return 0
    }

    static func mprotect(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let growsDown: UInt64 = 0x0100_0000, growsUp: UInt64 = 0x0200_0000
        guard call.a2 & ~(15 | growsDown | growsUp) == 0 else { throw .inval }
        var start = call.a0, length = call.a1
        if call.a2 & growsDown != 0, let mapping = thread.memory.mapping(at: start), mapping.kind == .stack {
            length = length &+ (start - mapping.start)
            start = mapping.start
        }
        try thread.memory.protect(
            start, length: length, rights: PageRights(rawValue: UInt8(truncatingIfNeeded: call.a2 & 7)))
        return 0
    }

    static func mremap(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let address = try thread.memory.remap(
            call.a0, oldLength: call.a1, newLength: call.a2, flags: call.a3, newAddress: call.a4)
        return Int(truncatingIfNeeded: address)
    }

    /// madvise(2). Advice that throws contents away also throws translations away.
    static func madvise(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let advice = call.int32(2)
        guard call.a0 <= thread.memory.limit, call.a1 <= thread.memory.limit - call.a0 else { throw .nomem }
        let discarding: Set<Int32> = [4, 8, 9]  // MADV_DONTNEED, MADV_FREE, MADV_REMOVE
        func advise() -> Int { kernel(SYS_madvise, thread.memory.hostAddress(call.a0), call.word(1), Int(advice)) }
        if !discarding.contains(advice) { return advise() }
        var result = 0
        thread.memory.changing(call.a0, call.a1) { result = advise() }
        return result
    }

    static func msync(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.blocking(SYS_msync, try range(thread, call.a0, call.a1), call.word(1), call.word(2))
    }

    static func mlock(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_mlock, try range(thread, call.a0, call.a1), call.word(1))
    }

    static func mlock2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_mlock2, try range(thread, call.a0, call.a1), call.word(1), call.word(2))
    }

    static func munlock(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_munlock, try range(thread, call.a0, call.a1), call.word(1))
    }

    /// mlockall(2): pages are locked as they are touched, since the process also holds large reservations of Martlet's
    /// own.
    static func mlockall(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let onFault = 4
        return kernel(SYS_mlockall, call.word(0) | onFault)
    }

    static func munlockall(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_munlockall)
    }

    static func mincore(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let pages = call.a1 / 4096 &+ (call.a1 & 4095 == 0 ? 0 : 1)
        return kernel(
            SYS_mincore, try range(thread, call.a0, call.a1), call.word(1),
            thread.output(call.a2, pages))
    }

    /// Ranges outside the guest's address space are unmapped as far as it can know.
    private static func range(_ thread: GuestThread, _ start: UInt64, _ length: UInt64) throws(Errno) -> Int {
        guard start <= thread.memory.limit, length <= thread.memory.limit - start else { throw .nomem }
        return thread.memory.hostAddress(start)
    }

    /// shmat(2): the segment's size comes from shmctl(IPC_STAT), struct shmid64_ds offset 48.
    static func shmat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        var information: InlineArray<16, UInt64> = .init(repeating: 0)
        let status = withUnsafeMutablePointer(to: &information) {
            kernel(SYS_shmctl, Int(call.int32(0)), 2, Int(bitPattern: $0))
        }
        _ = try Errno.check(status)
        let address = try thread.memory.attach(
            segment: call.int32(0), length: information[6], at: call.a1, flags: call.int32(2))
        return Int(truncatingIfNeeded: address)
    }

    static func shmdt(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try thread.memory.detach(call.a0)
        return 0
    }
}
