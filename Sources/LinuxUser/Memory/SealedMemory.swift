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

    /// Is a part of that sealed?
    func touches(_ pages: Range<UInt64>) -> Bool { ranges.contains { $0.overlaps(pages) } }
}

extension MemoryCalls {
    static func mseal(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let start = call.a0, length = thread.memory.pageCeiling(call.a1)
        guard call.a2 == 0, thread.memory.pageOffset(start) == 0 else { throw .inval }
        let (end, overflow) = start.addingReportingOverflow(length)
        if length < call.a1 || overflow { throw .inval }
        if end == start { return 0 }
        guard end <= thread.memory.limit, thread.memory.allows([], at: start, length: end - start) else { throw .nomem }
        let process = thread.process
        process.lock.withLock { process.sealed.seal(start..<end) }
        process.hasSeals.store(true, ordering: .releasing)
        return 0
    }

    /// Throws EPERM where a part of the range is sealed; lengths are rounded up to pages.
    static func checkSeals(_ thread: GuestThread, _ start: UInt64, _ length: UInt64) throws(Errno) {
        let process = thread.process
        guard process.hasSeals.load(ordering: .acquiring), length > 0 else { return }
        let (end, overflow) = start.addingReportingOverflow(thread.memory.pageCeiling(length))
        let pages = start..<(overflow || end <= start ? .max : end)
        if process.lock.withLock({ process.sealed.touches(pages) }) { throw .perm }
    }
}
