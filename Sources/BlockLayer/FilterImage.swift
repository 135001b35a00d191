// Images that change what comes to another one, and nothing of what it holds.

/// Passes everything on. Whoever has made the image below closes it.
class FilterImage: BlockImage, @unchecked Sendable {
    final let below: any BlockImage
    var format: String { below.format }

    init(_ below: any BlockImage) { self.below = below }

    var size: UInt64 { below.size }
    var isReadOnly: Bool { below.isReadOnly }

    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        try below.read(at: offset, into: buffers)
    }
    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        try below.write(at: offset, from: buffers)
    }
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try below.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
    }
    func discard(at offset: UInt64, count: UInt64) throws(BlockError) { try below.discard(at: offset, count: count) }
    func flush() throws(BlockError) { try below.flush() }
    func resize(to size: UInt64) throws(BlockError) { try below.resize(to: size) }
    func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        try below.status(at: offset, count: count)
    }
    func copyUp(at offset: UInt64, count: UInt64) throws(BlockError) { try below.copyUp(at: offset, count: count) }
    func reopen(isReadOnly: Bool) throws(BlockError) { try below.reopen(isReadOnly: isReadOnly) }
    func lift(_ isLifted: Bool) { below.lift(isLifted) }
    func abort() { below.abort() }
    func close() throws(BlockError) {}
}

/// What is read from an image below becomes the image's own.
final class CopyOnReadImage: FilterImage, @unchecked Sendable {
    override var format: String { "copy-on-read" }

    override func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        if !isReadOnly { try below.copyUp(at: offset, count: buffers.reduce(0) { $0 + UInt64($1.count) }) }
        try below.read(at: offset, into: buffers)
    }
}

/// Requests wait until their group lets them begin.
final class ThrottledImage: FilterImage, @unchecked Sendable {
    private let group: ThrottleGroup

    init(_ below: any BlockImage, _ group: ThrottleGroup) {
        self.group = group
        super.init(below)
    }

    override var format: String { "throttle" }

    override func lift(_ isLifted: Bool) {
        group.lift(isLifted)
        below.lift(isLifted)
    }

    override func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        group.wait(bytes: buffers.reduce(0) { $0 + UInt64($1.count) }, writes: false)
        try below.read(at: offset, into: buffers)
    }
    override func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        group.wait(bytes: buffers.reduce(0) { $0 + UInt64($1.count) }, writes: true)
        try below.write(at: offset, from: buffers)
    }
    override func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        group.wait(bytes: count, writes: true)
        try below.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
    }
    override func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        group.wait(bytes: count, writes: true)
        try below.discard(at: offset, count: count)
    }
}

/// An image with all that it lies on: nodes of a graph of its own.
final class DescribedImage: FilterImage, @unchecked Sendable {
    private let graph: BlockGraph
    private let closesTop: Bool

    /// `closes`: the image is none of the graph's nodes.
    init(_ top: any BlockImage, _ graph: BlockGraph, closes: Bool = false) {
        self.graph = graph
        closesTop = closes
        super.init(top)
    }

    override func close() throws(BlockError) {
        var failure: BlockError?
        if closesTop {
            do throws(BlockError) { try below.close() } catch { failure = error }
        }
        graph.close { failure = failure ?? $0 }
        if let failure { throw failure }
    }
}
