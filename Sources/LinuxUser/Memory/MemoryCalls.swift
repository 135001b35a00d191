// System calls on the address space: mmap(2) and its kin, brk(2), System V shared memory.

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

enum MemoryCalls {
    /// brk(2): the kernel's form returns the new end, or the old one when it cannot move.
    static func brk(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let process = thread.process, memory = thread.memory
        process.lock.lock()
        defer { process.lock.unlock() }
        let wanted = call.a0, old = process.breakEnd
        guard wanted >= process.breakStart, wanted <= memory.limit else { return Int(truncatingIfNeeded: old) }
        let oldPage = memory.pageCeiling(old), newPage = memory.pageCeiling(wanted)
        do throws(Errno) {
            if newPage > oldPage {
                let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.fixedNoReplace
                _ = try memory.map(
                    oldPage, length: newPage - oldPage, rights: [.read, .write], flags: flags, kind: .heap)
            } else if newPage < oldPage {
                if process.sealed.touches(newPage..<oldPage) { throw .perm }
                try memory.unmap(newPage, length: oldPage - newPage)
            }
        } catch { return Int(truncatingIfNeeded: old) }
        process.breakEnd = wanted
        return Int(truncatingIfNeeded: wanted)
    }

    /// mmap(2), with errors in the kernel's order (mm/mmap.c, do_mmap).
    static func mmap(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        var flags = call.int32(3)
        let isFile = flags & HostMemory.anonymous == 0
        guard thread.memory.pageOffset(call.a5) == 0 else { throw .inval }
        if isFile {
            let status = try Errno.check(kernel(SYS_fcntl, Int(call.int32(4)), 3, 0))  // F_GETFL
            if status & HostFile.pathOnly != 0 { throw .badf }
            // Files of a process in /proc cannot be mapped; their stand-ins could.
            if thread.process.procDescriptors.standIn(call.int32(4)) != nil { throw .nodev }
        }
        if call.a1 == 0 { throw .inval }
        if flags & (HostMemory.fixed | HostMemory.fixedNoReplace) != 0 {
            let (end, overflow) = call.a0.addingReportingOverflow(call.a1)
            if overflow || end > thread.memory.limit { throw .nomem }
            if flags & HostMemory.fixed != 0 { try checkSeals(thread, call.a0, call.a1) }
        }
        // MAP_SHARED_VALIDATE is MAP_SHARED once the flags are known to be old ones. (With it the kernel would refuse the
        // way in which mappings are placed.)
        let type: Int32 = 15, sharedValidate: Int32 = 3, oldFlags: Int32 = 0x0407_f973
        if isFile, flags & type == sharedValidate {
            if flags & ~oldFlags != 0 { throw .opnotsupp }
            flags = flags & ~type | HostMemory.shared
        }
        try thread.process.denyWriteExecute.check(call.a2, wasExecutable: true)
        let address = try thread.memory.map(
            call.a0, length: call.a1, rights: PageRights(rawValue: UInt8(truncatingIfNeeded: call.a2 & 7)),
            flags: flags, fd: call.int32(4), offset: call.a5)
        return Int(truncatingIfNeeded: address)
    }

    static func munmap(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try checkSeals(thread, call.a0, call.a1)
        try thread.memory.unmap(call.a0, length: call.a1)
        return 0
    }

    static func mprotect(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let growsDown: UInt64 = 0x0100_0000, growsUp: UInt64 = 0x0200_0000
        var start = call.a0, length = call.a1
        guard thread.memory.pageOffset(start) == 0, call.a2 & (growsDown | growsUp) != growsDown | growsUp else {
            throw .inval
        }
        if length == 0 { return 0 }
        let end = start &+ thread.memory.pageCeiling(length)
        if end <= start { throw .nomem }
        guard call.a2 & ~(15 | growsDown | growsUp) == 0 else { throw .inval }
        if end > thread.memory.limit { throw .nomem }
        if call.a2 & growsDown != 0, let mapping = thread.memory.mapping(at: start), mapping.kind == .stack {
            length = length &+ (start - mapping.start)
            start = mapping.start
        }
        try checkSeals(thread, start, length)
        try thread.process.denyWriteExecute.check(
            call.a2, wasExecutable: thread.memory.allows(.execute, at: start, length: length))
        try thread.memory.protect(
            start, length: length, rights: PageRights(rawValue: UInt8(truncatingIfNeeded: call.a2 & 7)))
        return 0
    }

    /// mremap(2). Sizes are rounded first, which makes the largest ones nothing (mm/mremap.c, do_mremap).
    static func mremap(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let memory = thread.memory
        let oldSize = memory.pageCeiling(call.a1), newSize = memory.pageCeiling(call.a2)
        let limit = memory.limit, isFixed = call.a3 & 2 != 0
        guard newSize > 0, newSize <= limit else { throw .inval }
        if isFixed, memory.pageOffset(call.a4) != 0 || call.a4 > limit - newSize { throw .inval }
        if oldSize != newSize || isFixed { try checkSeals(thread, call.a0, max(oldSize, 1)) }
        if isFixed { try checkSeals(thread, call.a4, newSize) }
        let address = try thread.memory.remap(
            call.a0, oldLength: oldSize, newLength: newSize, flags: call.a3, newAddress: call.a4)
        return Int(truncatingIfNeeded: address)
    }

    /// madvise(2). Advice that throws contents away also throws translations away.
    static func madvise(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let advice = call.int32(2)
        let discarding: Set<Int32> = [4, 8, 9]  // MADV_DONTNEED, MADV_FREE, MADV_REMOVE
        let (place, length) = try pages(thread, call.a0, call.a1)
        func advise() -> Int { kernel(SYS_madvise, place, length, Int(advice)) }
        if !discarding.contains(advice) { return advise() }
        if thread.memory.mapping(at: call.a0).map({ !$0.rights.contains(.write) && !$0.isShared && $0.kind != .file })
            ?? false
        {
            try checkSeals(thread, call.a0, call.a1)
        }
        var result = 0
        thread.memory.changing(call.a0, call.a1) { result = advise() }
        return result
    }

    /// process_madvise(2): what it may advise for other processes changes no contents; other advice is refused, as before Linux 6.13.
    static func processAdvise(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let harmless: Set<Int32> = [3, 20, 21, 25]  // MADV_WILLNEED, COLD, PAGEOUT, COLLAPSE
        let unknown = 99
        let advice = harmless.contains(call.int32(3)) ? call.word(3) : unknown
        return try withVectors(thread, call.a1, count: call.a2, writes: false) { vectors, count in
            kernel(SYS_process_madvise, call.word(0), vectors, count, advice, call.word(4))
        }
    }

    static func mbind(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let (place, length) = try pages(thread, call.a0, call.a1)
        return kernel(
            SYS_mbind, place, length, call.word(2), thread.optionalInput(call.a3, call.a4 / 8), call.word(4),
            call.word(5))
    }

    static func setHomeNode(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let (place, length) = try pages(thread, call.a0, call.a1)
        return kernel(
            SystemCallID.set_mempolicy_home_node.hostNumber, place, length, call.word(2), call.word(3))
    }

    /// move_pages(2): the addresses that it asks for lie in a guest's memory.
    static func movePages(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ pages: Int) -> Int {
            kernel(
                SYS_move_pages, call.word(0), call.word(1), pages, thread.optionalInput(call.a3, 4),
                thread.optionalOutput(call.a4, call.a1 &* 4), call.word(5))
        }
        guard call.a1 > 0, call.a1 <= 1 << 20 else { return pass(thread.optionalInput(call.a2, 8)) }
        return try withScratch(Int(call.a1) * 8) { (buffer) throws(Errno) in
            do throws(Errno) { try thread.memory.readBytes(call.a2, into: buffer) } catch {
                return pass(call.a2 == 0 ? 0 : GuestThread.unusablePointer)
            }
            for offset in stride(from: 0, to: buffer.count, by: 8) {
                let page = buffer.load(fromByteOffset: offset, as: UInt64.self)
                buffer.storeBytes(of: range(thread, page, 0), toByteOffset: offset, as: Int.self)
            }
            return pass(buffer.word)
        }
    }

    static func msync(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let (place, length) = try pages(thread, call.a0, call.a1)
        return thread.blocking(SYS_msync, place, length, call.word(2))
    }

    static func mlock(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let (place, length) = around(thread, call.a0, call.a1)
        return kernel(SYS_mlock, place, length)
    }

    static func mlock2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let (place, length) = around(thread, call.a0, call.a1)
        return kernel(SYS_mlock2, place, length, call.word(2))
    }

    static func munlock(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let (place, length) = around(thread, call.a0, call.a1)
        return kernel(SYS_munlock, place, length)
    }

    /// The pages that the range touches, for calls that take any address.
    private static func around(_ thread: GuestThread, _ start: UInt64, _ length: UInt64) -> (place: Int, length: Int) {
        let memory = thread.memory, before = start & (memory.pageSize - 1), size = memory.pageCeiling(length &+ before)
        guard memory.pageSize != HostProcess.pageSize, size >= length else {
            return (range(thread, start, length), Int(truncatingIfNeeded: length))
        }
        return (range(thread, start &- before, size), Int(truncatingIfNeeded: size))
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
        let (place, length) = try pages(thread, call.a0, call.a1), hostPage = HostProcess.pageSize
        let perPage = Int(thread.memory.pageSize / hostPage)
        if perPage == 1 {
            let pages = call.a1 / hostPage &+ (call.a1 & (hostPage - 1) == 0 ? 0 : 1)
            return kernel(SYS_mincore, place, length, thread.output(call.a2, pages))
        }
        guard length >= 0, length <= Int(thread.memory.limit) else { throw .nomem }
        return try withScratch(max(length / Int(hostPage), 1)) { (bytes) throws(Errno) in
            let result = kernel(SYS_mincore, place, length, bytes.word)
            guard result == 0 else { return result }
            // One of the guest's pages is there when a part of it is.
            let count = length / Int(hostPage) / perPage
            for page in 0..<count {
                bytes[page] = (0..<perPage).reduce(0) { $0 | bytes[page * perPage + $1] }
            }
            try thread.memory.writeBytes(call.a2, UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            return 0
        }
    }

    /// A range that begins with one of the guest's pages and has all of its last one. Where these are the host's, the kernel looks
    /// itself.
    private static func pages(
        _ thread: GuestThread, _ start: UInt64, _ length: UInt64
    ) throws(Errno) -> (place: Int, length: Int) {
        let memory = thread.memory
        var size = length
        if memory.pageSize != HostProcess.pageSize {
            size = memory.pageCeiling(length)
            guard memory.pageOffset(start) == 0, size >= length else { throw .inval }
        }
        return (range(thread, start, length), Int(truncatingIfNeeded: size))
    }

    /// The host's place of a range that the host kernel looks at. One that does not lie in the guest's part of the address
    /// space becomes one that no program may use, with the same offset in its page: the kernel finds nothing mapped there,
    /// after the errors that it looks for first.
    static func range(_ thread: GuestThread, _ start: UInt64, _ length: UInt64) -> Int {
        let offset = HostProcess.pageSize - 1, (sum, overflow) = length.addingReportingOverflow(offset)
        let limit = thread.memory.limit
        let isInside = start <= limit && (overflow || sum & ~offset <= limit - start)
        if isInside { return thread.memory.hostAddress(start) }
        return Int(truncatingIfNeeded: start &>> 47 != 0 ? start : 1 << 62 | start & offset)
    }

    /// shmat(2): the segment's size comes from shmctl(IPC_STAT), struct shmid64_ds offset 48.
    static func shmat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        var information: InlineArray<16, UInt64> = .init(repeating: 0)
        let status = withUnsafeMutablePointer(to: &information) {
            kernel(SYS_shmctl, Int(call.int32(0)), 2, Int(bitPattern: $0))
        }
        _ = try Errno.check(status)
        let replaces: Int32 = 0o40000  // SHM_REMAP
        if call.int32(2) & replaces != 0 { try checkSeals(thread, call.a1, information[6]) }
        let address = try thread.memory.attach(
            segment: call.int32(0), length: information[6], at: call.a1, flags: call.int32(2))
        return Int(truncatingIfNeeded: address)
    }

    static func shmdt(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try thread.memory.detach(call.a0)
        return 0
    }
}
