// A node of the graph: an image, what it was told, and who uses it.

import HostOS

public final class BlockNode: BlockImage, @unchecked Sendable {
    public enum Use: Sendable { case reads, writes }

    public let name: String
    public let driver: String
    /// The name of the file, or what stands in its place.
    public let fileName: String
    public let cache: CacheMode
    public let unmaps: Bool
    public let zeroDetection: BlockSpec.ZeroDetection
    /// It gets its right to write when somebody wants to.
    let mayBeReadOnly: Bool
    /// For what lies on it: a file itself, where it is one.
    let storage: any BlockStorage
    /// The nodes below, which it has made or taken.
    let children: [BlockNode]

    /// A leaf; guards `current`.
    private let lock = Lock()
    private var current: any BlockImage
    // The main loop's thread's.
    public private(set) var users: [(who: String, use: Use)] = []

    /// An image by itself, which is told all that is asked for.
    public convenience init(_ image: any BlockImage, name: String) {
        var spec = BlockSpec(.null(NullSpec()))
        spec.unmaps = true
        self.init(image, name: name, spec: spec, fileName: name, storage: nil, children: [])
    }

    init(
        _ image: any BlockImage, name: String, spec: BlockSpec, fileName: String, storage: (any BlockStorage)?,
        children: [BlockNode]
    ) {
        current = image
        self.name = name
        self.fileName = fileName
        self.children = children
        driver = image.format
        cache = spec.cache
        unmaps = spec.unmaps
        zeroDetection = spec.zeroDetection
        mayBeReadOnly = spec.mayBeReadOnly && spec.isReadOnly != true
        self.storage = storage ?? ImageStorage(image, fileName, spec.cache)
    }

    /// What the node shows. Whoever puts another in its place lets no request be under way.
    public var image: any BlockImage {
        get { lock.withLock { current } }
        set { lock.withLock { current = newValue } }
    }

    /// For requests that need nothing of what the node or its image would do.
    var ringFile: RingFile? {
        zeroDetection == .off && !cache.ignoresFlushes ? (image as? RawImage)?.ringFile : nil
    }

    /// Notes a user. One that writes has the node alone; any number read.
    public func use(_ use: Use, by who: String) throws(BlockError) {
        if let other = users.first(where: { use == .writes || $0.use == .writes }) {
            let does = other.use == .writes ? "writes" : "reads"
            throw BlockError(.busy, "node '\(name)' is in use: \(other.who) \(does) it")
        }
        if use == .writes, isReadOnly {
            guard mayBeReadOnly else {
                throw BlockError(.rofs, "node '\(name)' can only be read; wanted read-only=on for what uses it too")
            }
            try image.reopen(isReadOnly: false)
        }
        users.append((who, use))
    }

    /// It is written, or gets the right to when somebody wants it.
    public var mayBeWritten: Bool { !isReadOnly || mayBeReadOnly }

    public func release(_ who: String) { users.removeAll { $0.who == who } }

    // MARK: BlockImage

    public var format: String { image.format }
    public var size: UInt64 { image.size }
    public var isReadOnly: Bool { image.isReadOnly }

    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        try image.read(at: offset, into: buffers)
    }

    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        if zeroDetection != .off, buffers.allSatisfy({ firstNonzero($0) == nil }) {
            let count = buffers.reduce(0) { $0 + UInt64($1.count) }
            return try image.writeZeroes(at: offset, count: count, mayUnmap: zeroDetection == .unmap)
        }
        try image.write(at: offset, from: buffers)
    }

    public func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try image.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap && unmaps)
    }

    public func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        if unmaps { try image.discard(at: offset, count: count) }
    }

    public func flush() throws(BlockError) { if !cache.ignoresFlushes { try image.flush() } }
    public func resize(to size: UInt64) throws(BlockError) { try image.resize(to: size) }

    public func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        try image.status(at: offset, count: count)
    }

    public func copyUp(at offset: UInt64, count: UInt64) throws(BlockError) {
        try image.copyUp(at: offset, count: count)
    }

    public func reopen(isReadOnly: Bool) throws(BlockError) {
        if !isReadOnly, !mayBeReadOnly, self.isReadOnly {
            throw BlockError(.rofs, "node '\(name)' can only be read; wanted read-only=on for what uses it too")
        }
        try image.reopen(isReadOnly: isReadOnly)
    }

    public func lift(_ isLifted: Bool) { image.lift(isLifted) }
    public func abort() { image.abort() }
    public func close() throws(BlockError) { try image.close() }
}

/// The image that holds bytes, below nodes and filters.
public func storedImage(_ image: any BlockImage) -> any BlockImage {
    var image = image
    while true {
        if let node = image as? BlockNode {
            image = node.image
        } else if let filter = image as? FilterImage {
            image = filter.below
        } else {
            return image
        }
    }
}

/// Where the first byte is that is not 0.
public func firstNonzero(_ bytes: UnsafeRawBufferPointer) -> Int? {
    var at = 0
    let words = bytes.count & ~7
    while at < words, bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) == 0 { at += 8 }
    while at < bytes.count, bytes[at] == 0 { at += 1 }
    return at < bytes.count ? at : nil
}
