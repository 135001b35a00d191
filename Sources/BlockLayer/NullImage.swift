// A disk that keeps nothing: what is written is gone, and what is read is 0 or anything.

import HostOS
import Options

public struct NullSpec: Sendable {
    public var driver = "null-co"
    public var size: UInt64 = 1 << 30
    /// Nanoseconds that each request takes.
    public var latency: UInt64 = 0
    public var readsZeroes = false

    public init() {}

    init(_ list: inout OptionList, _ driver: String) throws(OptionError) {
        self.driver = driver
        size = try list.takeSize("size") ?? size
        latency = try list.takeSize("latency-ns") ?? 0
        readsZeroes = try list.takeFlag("read-zeroes") ?? false
    }
}

final class NullImage: BlockImage, Sendable {
    private let spec: NullSpec
    let isReadOnly: Bool

    init(_ spec: NullSpec, isReadOnly: Bool) { (self.spec, self.isReadOnly) = (spec, isReadOnly) }

    var format: String { spec.driver }
    var size: UInt64 { spec.size }

    private func pass() { if spec.latency > 0 { HostThread.sleep(nanoseconds: spec.latency) } }

    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        pass()
        if spec.readsZeroes { buffers.zero() }
    }

    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) { pass() }
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) { pass() }
    func discard(at offset: UInt64, count: UInt64) throws(BlockError) { pass() }
    func flush() throws(BlockError) { pass() }
    func close() throws(BlockError) {}

    func resize(to size: UInt64) throws(BlockError) {
        throw BlockError(.opnotsupp, "\(spec.driver): its size is fixed")
    }

    func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        BlockExtent(count: count, isZero: spec.readsZeroes, isAllocated: true, fileOffset: offset)
    }
}
