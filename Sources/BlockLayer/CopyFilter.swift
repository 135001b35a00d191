// A filter that keeps a copy of what lies below, while both are used: the same as it is now (a mirror), or as it was (a backup).
//
// The disk is in chunks, each of which is to be copied or is not. Who copies a chunk has its range alone, and so has who writes it. So what
// the guest writes while the copy is made is in the mirror, whichever comes first, and what it overwrites is in the backup before that.

import HostOS

final class CopyFilter: FilterImage, @unchecked Sendable {
    static let chunk: UInt64 = 65536
    /// Chunks that are copied at once.
    private static let most = 16

    let target: any BlockImage
    private let keepsOld: Bool
    /// The target reads as 0, or shows what is below the image, where it was not written.
    private let isNew: Bool
    /// Without what lies below the image.
    private let isTop: Bool
    /// Gets what is copied in compressed clusters.
    private let packer: QCOW2Image?
    private let ranges = RangeLocks()
    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var pending: ChunkSet
    /// Of the target.
    private var written: ChunkSet
    private var failed: BlockError?
    /// There are chunks to copy again.
    var hasMore: () -> Void = {}

    init(_ below: any BlockImage, to target: any BlockImage, keepsOld: Bool, isNew: Bool, isTop: Bool, packs: Bool) {
        self.target = target
        self.keepsOld = keepsOld
        self.isNew = isNew
        self.isTop = isTop
        packer = packs ? storedImage(target) as? QCOW2Image : nil
        let count = Int((below.size + Self.chunk - 1) / Self.chunk)
        pending = ChunkSet(count, all: true)
        written = ChunkSet(count, all: false)
        super.init(below)
    }

    /// What has kept the target from being a copy.
    var failure: BlockError? { lock.withLock { failed } }
    var isComplete: Bool { lock.withLock { pending.first(from: 0) == nil } }

    private func fail(_ error: BlockError) { lock.withLock { failed = failed ?? error } }

    private func chunks(_ offset: UInt64, _ count: UInt64) -> Range<Int> {
        count == 0 ? 0..<0 : Int(offset / Self.chunk)..<Int((offset + count - 1) / Self.chunk) + 1
    }

    private func bytes(_ chunks: Range<Int>) -> Range<UInt64> {
        UInt64(chunks.lowerBound) * Self.chunk..<min(UInt64(chunks.upperBound) * Self.chunk, size)
    }

    // MARK: Copying

    /// Copies the next chunks from one on. Returns where to go on; nil: there are no more.
    func copyNext(from first: Int) throws(BlockError) -> Int? {
        let run = lock.withLock { pending.run(from: first, most: Self.most) }
        guard let run else { return nil }
        try ranges.with(bytes(run), alone: true) { () throws(BlockError) in try copyPending(run) }
        return run.upperBound
    }

    /// How many bytes `copyNext` will copy at most.
    static var step: UInt64 { chunk * UInt64(most) }

    /// The caller has the range alone.
    private func copyPending(_ chunks: Range<Int>) throws(BlockError) {
        var next = chunks.lowerBound
        while let run = lock.withLock({ pending.run(from: next, most: Self.most) }), run.lowerBound < chunks.upperBound
        {
            let part = run.clamped(to: chunks)
            let isWritten = lock.withLock { written.contains(any: part) }
            try copy(bytes(part), isWritten: isWritten)
            lock.withLock {
                pending.remove(part)
                written.insert(part)
            }
            next = part.upperBound
        }
    }

    /// The target has clusters that can be compressed, none of them in two chunks.
    static func canPack(_ target: any BlockImage) -> Bool {
        (storedImage(target) as? QCOW2Image).map { $0.clusterSize <= chunk } ?? false
    }

    private func showsSame(_ extent: BlockExtent, isWritten: Bool) -> Bool {
        isNew && !isWritten && (isTop ? !extent.isAllocated : extent.isZero)
    }

    private func copy(_ range: Range<UInt64>, isWritten: Bool) throws(BlockError) {
        if let packer { return try pack(range, isWritten: isWritten, packer) }
        var at = range.lowerBound
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: range.count, alignment: 4096)
        defer { memory.deallocate() }
        while at < range.upperBound {
            let extent = try below.status(at: at, count: range.upperBound - at)
            if !showsSame(extent, isWritten: isWritten) {
                if extent.isZero {
                    try target.writeZeroes(at: at, count: extent.count, mayUnmap: true)
                } else {
                    let part = UnsafeMutableRawBufferPointer(rebasing: memory.prefix(Int(extent.count)))
                    try below.read(at: at, into: [part])
                    try target.write(at: at, from: [UnsafeRawBufferPointer(part)])
                }
            }
            at += extent.count
        }
    }

    /// The same in compressed clusters.
    private func pack(_ range: Range<UInt64>, isWritten: Bool, _ packer: QCOW2Image) throws(BlockError) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(packer.clusterSize), alignment: 4096)
        defer { memory.deallocate() }
        for at in stride(from: range.lowerBound, to: range.upperBound, by: Int(packer.clusterSize)) {
            let end = min(at + packer.clusterSize, range.upperBound)
            var next = at, isSame = true
            while next < end, isSame {
                let extent = try below.status(at: next, count: end - next)
                isSame = showsSame(extent, isWritten: isWritten)
                next += extent.count
            }
            if isSame { continue }
            [memory].zero()
            try below.read(at: at, into: [UnsafeMutableRawBufferPointer(rebasing: memory.prefix(Int(end - at)))])
            // The target's last cluster may be longer than what is left of the disk.
            let cluster = UnsafeRawBufferPointer(
                rebasing: memory.prefix(Int(min(packer.clusterSize, packer.size - at))))
            if firstNonzero(cluster) == nil {
                try packer.writeZeroes(at: at, count: UInt64(cluster.count), mayUnmap: true)
            } else {
                try packer.writeCompressed(at: at, cluster)
            }
        }
    }

    // MARK: Requests of the guest

    override func lift(_ isLifted: Bool) {
        below.lift(isLifted)
        target.lift(isLifted)
    }

    override func abort() {
        below.abort()
        target.abort()
    }

    /// Changes what lies below, and with it what is copied. `passOn`: does the same to a mirror; nil: it is copied again.
    private func change(
        _ offset: UInt64, _ count: UInt64, _ body: () throws(BlockError) -> Void,
        passOn: (() throws(BlockError) -> Void)?
    ) throws(BlockError) {
        let chunks = chunks(offset, count)
        if failure != nil || chunks.isEmpty { return try body() }
        if keepsOld {
            try ranges.with(bytes(chunks), alone: true) { () throws(BlockError) in
                do throws(BlockError) { try copyPending(chunks) } catch { fail(error) }
                try body()
            }
            return
        }
        try ranges.with(offset..<offset + count, alone: true) { () throws(BlockError) in
            do throws(BlockError) { try body() } catch {
                again(chunks)
                throw error
            }
            guard let passOn else { return again(chunks) }
            lock.withLock { written.insert(chunks) }
            do throws(BlockError) { try passOn() } catch { fail(error) }
        }
    }

    private func again(_ chunks: Range<Int>) {
        lock.withLock {
            pending.insert(chunks)
            written.insert(chunks)
        }
        hasMore()
    }

    override func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        try change(offset, buffers.reduce(0) { $0 + UInt64($1.count) }) { () throws(BlockError) in
            try below.write(at: offset, from: buffers)
        } passOn: { [target] () throws(BlockError) in
            try target.write(at: offset, from: buffers)
        }
    }

    override func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try change(offset, count) { () throws(BlockError) in
            try below.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
        } passOn: { [target] () throws(BlockError) in
            try target.writeZeroes(at: offset, count: count, mayUnmap: mayUnmap)
        }
    }

    /// What is there afterwards, only the image below knows.
    override func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        try change(
            offset, count, { () throws(BlockError) in try below.discard(at: offset, count: count) }, passOn: nil)
    }
}

/// Numbers from 0 on, a bit each.
private struct ChunkSet {
    private var words: [UInt64]
    private let count: Int

    init(_ count: Int, all: Bool) {
        self.count = count
        words = Array(repeating: 0, count: (count + 63) / 64)
        if all { insert(0..<count) }
    }

    private func contains(_ index: Int) -> Bool { words[index / 64] >> UInt64(index % 64) & 1 != 0 }
    func contains(any range: Range<Int>) -> Bool { range.contains { contains($0) } }

    mutating func insert(_ range: Range<Int>) { for index in range { words[index / 64] |= 1 << UInt64(index % 64) } }
    mutating func remove(_ range: Range<Int>) { for index in range { words[index / 64] &= ~(1 << UInt64(index % 64)) } }

    func first(from start: Int) -> Int? {
        guard start < count else { return nil }
        var word = start / 64, bits = words[word] & (.max << UInt64(start % 64))
        while bits == 0 {
            word += 1
            guard word < words.count else { return nil }
            bits = words[word]
        }
        return word * 64 + bits.trailingZeroBitCount
    }

    /// Those that follow each other.
    func run(from start: Int, most: Int) -> Range<Int>? {
        guard let first = first(from: start) else { return nil }
        var end = first + 1
        while end < count, end - first < most, contains(end) { end += 1 }
        return first..<end
    }
}
