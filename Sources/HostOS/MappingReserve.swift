// The kernel allows a process so many mappings (vm.max_map_count). A guest may use them all up; then Martlet still has to write-protect
// code, fork and map stacks. So some are set aside.

import CLinux

/// Mappings that are given back when one of Martlet's own changes of the map needs them.
public enum MappingReserve {
    private static let lock = Lock()
    private static let count = 64
    private static let length = 2 * count * Int(HostProcess.pageSize)
    /// A piece of memory in which every other page has other rights; nil: nothing is set aside.
    nonisolated(unsafe) private static var start: UInt?  // guarded by `lock`

    /// Sets them aside, when that has not been done. False: there are not so many left, and the guest may have no more.
    public static func fill() -> Bool {
        lock.withLock {
            if start != nil { return true }
            let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve
            guard let room = try? HostMemory.map(0, length, HostMemory.none, flags) else { return false }
            let first = UInt(bitPattern: room), page = Int(HostProcess.pageSize)
            for index in 0..<count {
                do throws(Errno) {
                    try HostMemory.protect(first + UInt(2 * index * page), page, HostMemory.read)
                } catch {
                    try? HostMemory.unmap(first, length)
                    return false
                }
            }
            start = first
            return true
        }
    }

    /// Gives them back; false when nothing is set aside.
    private static func empty() -> Bool {
        lock.withLock {
            guard let first = start else { return false }
            start = nil
            return (try? HostMemory.unmap(first, length)) != nil
        }
    }

    /// Does something that allocates much memory for Martlet itself: the allocator takes mappings of its own for that, and has none to ask for
    /// when there are no more. What has been set aside is given back before, and set aside again behind, if there are still so many.
    public static func withRoom<R>(_ body: () -> R) -> R {
        let isGiven = empty()
        defer { if isGiven { _ = fill() } }
        return body()
    }

    /// Before there are threads: all of them allocate from the one heap that grows without another mapping. The allocator gives each thread a
    /// heap of its own else (mallopt(3), M_ARENA_MAX), and a thread that has none yet, such as the compiler's, gets no memory at all where no
    /// mappings are left.
    public static func shareHeap() { _ = mallopt(M_ARENA_MAX, 1) }

    /// Does something that needs mappings for Martlet itself.
    public static func use<R>(_ change: () throws(Errno) -> R) throws(Errno) -> R {
        do throws(Errno) { return try change() } catch {
            guard error == .nomem, empty() else { throw error }
            return try change()
        }
    }
}
