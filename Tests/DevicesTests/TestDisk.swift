import BlockLayer
import HostOS

/// A disk in memory, which remembers what was asked of it, and fails where it is told to.
final class TestDisk: BlockImage, @unchecked Sendable {
    let format = "test"
    var size: UInt64 = 1 << 20
    let isReadOnly: Bool
    let lock = Lock()
    var bytes = [UInt8](repeating: 0xee, count: 1 << 20)
    var log: [String] = []
    var failsAt: UInt64?
    var failsWith = Errno.io

    init(isReadOnly: Bool = false) { self.isReadOnly = isReadOnly }

    private func note(_ text: String, _ offset: UInt64) throws(BlockError) {
        log.append(text)
        if failsAt == offset { throw BlockError(failsWith, "test: broken") }
    }
    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        lock.lock()
        defer { lock.unlock() }
        try note("read \(offset) \(buffers.map(\.count))", offset)
        var at = Int(offset)
        for buffer in buffers {
            buffer.copyBytes(from: bytes[at..<at + buffer.count])
            at += buffer.count
        }
    }
    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        lock.lock()
        defer { lock.unlock() }
        try note("write \(offset) \(buffers.map(\.count))", offset)
        var at = Int(offset)
        for buffer in buffers {
            bytes.replaceSubrange(at..<at + buffer.count, with: buffer)
            at += buffer.count
        }
    }
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try lock.withLock { () throws(BlockError) in try note("zero \(offset) \(count) \(mayUnmap)", offset) }
    }
    func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        try lock.withLock { () throws(BlockError) in try note("discard \(offset) \(count)", offset) }
    }
    func flush() throws(BlockError) { lock.withLock { log.append("flush") } }
    func resize(to size: UInt64) throws(BlockError) {}
    func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        BlockExtent(count: count, isZero: false, isAllocated: true)
    }
    func close() throws(BlockError) {}
}
