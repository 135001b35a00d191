// Reading and writing the process's own memory through /proc/self/mem: guest addresses are host addresses, so the kernel
// does it, with the rights that it gives such a file; the guest's own mappings are all that it is let at (proc(5)).

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

enum ProcMemory {
    /// The result when the call reads or writes such a file, else nil.
    static func perform(_ thread: GuestThread, _ id: SystemCallID, _ call: SystemCallArguments) throws(Errno) -> Int? {
        let isWrite: Bool, isVector: Bool, position: UInt64?
        switch id {
        case .read: (isWrite, isVector, position) = (false, false, nil)
        case .write: (isWrite, isVector, position) = (true, false, nil)
        case .pread64: (isWrite, isVector, position) = (false, false, call.a3)
        case .pwrite64: (isWrite, isVector, position) = (true, false, call.a3)
        case .readv: (isWrite, isVector, position) = (false, true, nil)
        case .writev: (isWrite, isVector, position) = (true, true, nil)
        case .preadv: (isWrite, isVector, position) = (false, true, call.a3)
        case .pwritev: (isWrite, isVector, position) = (true, true, call.a3)
        case .preadv2: (isWrite, isVector, position) = (false, true, call.a3 == .max ? nil : call.a3)
        case .pwritev2: (isWrite, isVector, position) = (true, true, call.a3 == .max ? nil : call.a3)
        default: return nil
        }
        guard thread.process.procDescriptors.isOwnMemory(call.int32(0)) else { return nil }
        // The kernel looks at the way in which it was opened before anything else.
        let status = kernel(SYS_fcntl, call.word(0), 3)  // F_GETFL
        if status & 3 == (isWrite ? 0 : 1) { throw .badf }
        if let position, position > UInt64(Int64.max) { throw .inval }
        let file = MemoryFile(thread: thread, fd: call.word(0), isWrite: isWrite)
        guard isVector else { return try file.transfer(call.a1, call.a2, at: position) }
        if (id == .preadv2 || id == .pwritev2) && call.a5 != 0 { throw .opnotsupp }
        if call.a2 > 1024 { throw .inval }
        var total = 0
        for index in 0..<call.a2 {
            let base = try thread.load(call.a1 &+ 16 &* index, as: UInt64.self)
            let length = try thread.load(call.a1 &+ 16 &* index &+ 8, as: UInt64.self)
            let next = position.map { $0 &+ UInt64(total) }
            do throws(Errno) {
                let count = try file.transfer(base, length, at: next)
                if count < 0 { return total > 0 ? total : count }
                total &+= count
                if UInt64(count) < length { break }
            } catch {
                if total == 0 { throw error }
                break
            }
        }
        return total
    }

    private struct MemoryFile {
        let thread: GuestThread
        let fd: Int
        let isWrite: Bool

        /// Copies as much as lies in mappings that follow each other without a gap.
        func transfer(_ buffer: UInt64, _ length: UInt64, at position: UInt64?) throws(Errno) -> Int {
            if length == 0 { return 0 }
            let memory = thread.memory
            let current = position == nil ? try Errno.check(kernel(SYS_lseek, fd, 0, 1)) : 0
            let address = position ?? UInt64(truncatingIfNeeded: current)
            let count = mapped(address, length)
            if count == 0 { throw .io }
            if isWrite {
                let source = thread.input(buffer, count)
                var result = 0
                memory.changing(address, count) {
                    result = transfer(source, count, position, SYS_write, SYS_pwrite64)
                }
                return result
            }
            return transfer(thread.output(buffer, count), count, position, SYS_read, SYS_pread64)
        }

        private func transfer(
            _ host: Int, _ count: UInt64, _ position: UInt64?, _ number: Int32, _ numberAt: Int32
        ) -> Int {
            guard let position else { return kernel(number, fd, host, Int(count)) }
            return kernel(numberAt, fd, host, Int(count), Int(truncatingIfNeeded: position))
        }

        private func mapped(_ address: UInt64, _ length: UInt64) -> UInt64 {
            let mappings = thread.memory.mappings
            let end = address &+ min(length, 1 << 40)
            var index = mappings.partition { $0.end > address }, at = address
            while at < end, index < mappings.count, mappings[index].start <= at {
                at = min(end, mappings[index].end)
                index += 1
            }
            return at &- address
        }
    }
}

extension Array {
    /// The first index from which on `isLater` holds, in an array that is sorted by it.
    fileprivate func partition(_ isLater: (Element) -> Bool) -> Int {
        var low = 0, high = count
        while low < high {
            let middle = (low + high) / 2
            if isLater(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
