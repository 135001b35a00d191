// A file in memory, which cannot grow beyond a limit.

import HostOS

@testable import BlockLayer

final class MemoryStorage: BlockStorage, @unchecked Sendable {
    let path = "memory"
    let isReadOnly: Bool
    let cache = CacheMode()
    let identity: FileIdentity? = nil
    let endReadsAsZero = true
    var observer: ((StorageChange) -> Void)?
    private let limit: Int
    private let lock = Lock()
    private var contents: [UInt8]

    init(_ contents: [UInt8], isReadOnly: Bool = false, limit: Int = 4 << 20) {
        self.contents = contents
        self.isReadOnly = isReadOnly
        self.limit = limit
    }

    var bytes: [UInt8] { lock.withLock { contents } }

    func size() throws(BlockError) -> UInt64 { UInt64(bytes.count) }

    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        lock.withLock {
            var at = Int(clamping: offset)
            for buffer in buffers {
                let here = at < contents.count ? contents[at..<min(contents.count, at + buffer.count)] : []
                buffer.initializeMemory(as: UInt8.self, repeating: 0)
                buffer.copyBytes(from: here)
                at += buffer.count
            }
        }
    }

    /// Makes room up to `end`.
    private func grow(_ offset: UInt64, _ count: UInt64) throws(BlockError) {
        guard offset <= UInt64(limit), count <= UInt64(limit) - offset else { throw failure(.nospc, "no more room") }
        let end = Int(offset + count)
        if end > contents.count { contents += Array(repeating: 0, count: end - contents.count) }
    }

    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        lock.lock()
        defer { lock.unlock() }
        try grow(offset, buffers.reduce(0) { $0 + UInt64($1.count) })
        var at = Int(offset)
        for buffer in buffers where !buffer.isEmpty {
            contents.replaceSubrange(at..<at + buffer.count, with: buffer)
            at += buffer.count
        }
    }

    func flush() throws(BlockError) {}

    func truncate(to size: UInt64) throws(BlockError) {
        lock.lock()
        defer { lock.unlock() }
        if size < UInt64(contents.count) {
            contents.removeLast(contents.count - Int(size))
        } else {
            try grow(0, size)
        }
    }

    func zero(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) -> Bool {
        lock.withLock {
            let end = offset.addingReportingOverflow(count)
            let first = Int(clamping: offset), last = end.overflow ? Int.max : Int(clamping: end.partialValue)
            if first < contents.count {
                for index in first..<min(last, contents.count) { contents[index] = 0 }
            }
        }
        return true
    }

    func run(at offset: UInt64) -> (count: UInt64, isHole: Bool)? { nil }
    func reopen(isReadOnly: Bool) throws(BlockError) {}
    func unlock() {}
}
