// Memory for the data of requests, kept from one to the next: new memory would cost more than the copy of what it is for. (640 reads of 1 MiB: 0.29 s in
// place of 0.61 s.)

import HostOS

final class NBDBuffers: @unchecked Sendable {
    private static let mostKept = 64 << 20

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var free: [UnsafeMutableRawBufferPointer] = []
    /// Bytes of those.
    private var kept = 0

    deinit { for buffer in free { buffer.deallocate() } }

    /// Of at least so many bytes.
    func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
        let old: UnsafeMutableRawBufferPointer? = lock.withLock {
            guard let index = free.lastIndex(where: { $0.count >= count }) else { return nil }
            kept -= free[index].count
            return free.remove(at: index)
        }
        return old ?? .allocate(byteCount: (max(count, 1) + 65535) & ~65535, alignment: 4096)
    }

    func giveBack(_ buffer: UnsafeMutableRawBufferPointer) {
        let isKept = lock.withLock {
            guard kept + buffer.count <= Self.mostKept else { return false }
            kept += buffer.count
            free.append(buffer)
            return true
        }
        if !isKept { buffer.deallocate() }
    }
}
