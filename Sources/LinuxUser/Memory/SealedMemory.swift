// mseal(2): mappings that can no longer be changed. The host kernel must not seal them, since translated code is protected by
// changing the rights of its pages; what the guest may do is decided here (Linux Documentation/userspace-api/mseal.rst).

import HostOS

/// The sealed parts of a process's memory. They only grow, and end with the program.
struct SealedMemory {
    /// In order, apart from each other.
    private(set) var ranges: [Range<UInt64>] = []

    mutating func seal(_ new: Range<UInt64>) {
        var merged = new
        ranges.removeAll { range in
            guard range.lowerBound <= merged.upperBound, range.upperBound >= merged.lowerBound else { return false }
            merged = min(range.lowerBound, merged.lowerBound)..<max(range.upperBound, merged.upperBound)
            return true
        }
        ranges.insert(merged, at: ranges.firstIndex { $0.lowerBound > merged.lowerBound } ?? ranges.count)
    }

    /// True when a part of [start, start + length) is sealed; lengths are rounded up to pages.
    func touches(_ start: UInt64, _ length: UInt64) -> Bool {
        if ranges.isEmpty || length == 0 { return false }
        let end = start.addingReportingOverflow((length &+ 4095) & ~4095)
        let past = end.overflow || end.partialValue <= start ? UInt64.max : end.partialValue
        return ranges.contains { $0.lowerBound < past && start < $0.upperBound }
    }
}

extension MemoryCalls {
    static func mseal(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let start = call.a0, (length, wraps) = call.a1.addingReportingOverflow(4095)
        guard call.a2 == 0, start & 4095 == 0 else { throw .inval }
        let (end, overflow) = start.addingReportingOverflow(length & ~4095)
        if wraps || overflow { throw .inval }
        if end == start { return 0 }
        guard end <= thread.memory.limit, thread.memory.allows([], at: start, length: end - start) else { throw .nomem }
        thread.process.lock.withLock { thread.process.sealed.seal(start..<end) }
        return 0
    }

    /// Throws EPERM where a part of the range is sealed.
    static func checkSeals(_ thread: GuestThread, _ start: UInt64, _ length: UInt64) throws(Errno) {
        let process = thread.process
        if process.lock.withLock({ process.sealed.touches(start, length) }) { throw .perm }
    }
}
