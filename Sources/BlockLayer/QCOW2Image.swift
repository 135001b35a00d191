// A disk in a qcow2 file. Source: QEMU, docs/interop/qcow2.txt.
//
//   header    -> L1 table -> L2 tables -> clusters of the disk, as they are or compressed
//             -> refcount table -> refcount blocks: how often each cluster of the file is in use
//             -> snapshot table -> L1 tables of snapshots
//
// What a crash leaves is right, but for clusters that nobody uses and that count as used: data and refcounts are on the medium before the
// L2 table that names them, L2 tables before the L1 table, and a cluster that is given up is not used again before what named it is gone
// from the medium. So changes of tables are kept in memory, and `commit` writes them in that order.

import HostOS

public final class QCOW2Image: BlockImage, @unchecked Sendable {
    public let format = "qcow2"
    let file: any BlockStorage
    /// What shows where the image has nothing of its own. It changes with all ranges taken alone, and the lock.
    public internal(set) var backing: (any BlockImage)?
    /// It is closed with this image.
    private(set) var ownsBacking = true

    /// Guards all that follows. Nobody holds it who reads or writes data.
    let lock = Lock()
    /// Ranges of the disk, in whole clusters: requests that need the clusters to be where they are share them, one that moves clusters has
    /// them alone. Taken before `lock`.
    let ranges = RangeLocks()

    public internal(set) var header: QCOW2Header
    public internal(set) var isReadOnly: Bool
    var l1: [UInt64] = []
    var dirtyL1: Range<Int>?
    var refcountTable: [UInt64] = []
    var dirtyRefcountTable: Range<Int>?
    let l2Tables: TableCache
    let refcountBlocks: TableCache
    public internal(set) var snapshots: [QCOW2Snapshot] = []
    /// Uses of clusters to give up when no table on the medium names them any more.
    var pendingReleases: [Range<UInt64>] = []
    /// No cluster before it is free.
    var freeHint: UInt64 = 0
    /// Clusters from here on have never been written.
    var freshCluster: UInt64 = 0
    /// A file ends there; a device has any bytes.
    let endReadsAsZero: Bool
    /// Bytes of the snapshot table.
    var snapshotTableSize: UInt64 = 0
    /// Where the next compressed cluster begins.
    var compressedEnd: UInt64 = 0
    /// Nil: what the header says.
    private(set) var lazyRefcounts: Bool?
    /// The file says that its refcounts may be wrong.
    var isMarkedDirty = false
    /// What became of it is told once.
    var isBroken = false

    /// The compressed cluster that was read last: its entry and its bytes. A leaf lock guards it.
    private let decompressedLock = Lock()
    private var decompressedEntry: UInt64 = 0
    private let decompressed: UnsafeMutableRawBufferPointer

    private static let l2Memory = 16 << 20, refcountMemory = 4 << 20

    /// `backing`: what lies below, in place of what the header names; somebody else closes it.
    public convenience init(
        _ file: any BlockStorage, _ options: ImageOptions = ImageOptions(), backing: (any BlockImage)? = nil
    ) throws(BlockError) {
        try self.init(file, options, backing: backing, above: file.identity.map { [$0] } ?? [])
    }

    init(_ file: any BlockStorage, _ options: ImageOptions, backing: (any BlockImage)? = nil, above: [FileIdentity])
        throws(BlockError)
    {
        self.file = file
        let header = try QCOW2Header(file)
        self.header = header
        isReadOnly = file.isReadOnly
        lazyRefcounts = options.hasLazyRefcounts
        if lazyRefcounts == true, header.version == 2 {
            throw BlockError(.inval, "\(file.path): lazy-refcounts=on wants an image of version 3 (compat=1.1)")
        }
        l2Tables = TableCache(tableSize: header.clusterSize, bytes: Self.l2Memory)
        refcountBlocks = TableCache(tableSize: header.clusterSize, bytes: Self.refcountMemory)
        decompressed = .allocate(byteCount: header.clusterSize, alignment: 4096)
        endReadsAsZero = file.endReadsAsZero
        if let backing {
            self.backing = backing
            ownsBacking = false
        } else if options.opensBacking, let name = header.backingFile {
            self.backing = try Self.openBacking(name, header, file, options, above)
        }
        l1 = try Self.readTable(file, header.l1Offset, header.l1Count)
        refcountTable = try Self.readTable(
            file, header.refcountTableOffset, Int(header.refcountTableClusters) * header.clusterSize / 8)
        freshCluster = (try file.size() + UInt64(header.clusterSize) - 1) >> UInt64(header.clusterBits)
        if !endReadsAsZero { freshCluster = try lastUsedEnd() }
        if header.isCorrupt && !isReadOnly && options.repairs {
            throw failure(.rofs, "it is marked corrupt, and can only be read; 'check -r all' repairs it")
        }
        snapshots = try readSnapshots()
        if !isReadOnly && options.repairs { try prepareToWrite() }
    }

    deinit { decompressed.deallocate() }

    private static func openBacking(
        _ name: String, _ header: QCOW2Header, _ file: any BlockStorage, _ options: ImageOptions,
        _ above: [FileIdentity]
    ) throws(BlockError) -> any BlockImage {
        var below = options
        below.format = header.backingFormat
        below.isReadOnly = true
        do {
            return try openImage(backingPath(name, of: file.path), below, above: above)
        } catch {
            throw BlockError(error.errno, "\(file.path): its backing file cannot be opened: \(error)")
        }
    }

    func prepareToWrite() throws(BlockError) {
        // Bits of features that are not known say that these are up to date, which ends here.
        if header.autoclear != 0 {
            header.autoclear = 0
            try header.writeFields(file)
        }
        if header.isDirty {
            isMarkedDirty = true
            _ = try lock.withLock { () throws(BlockError) in try checkLocked(.all) { _ in } }
            try lock.withLock { () throws(BlockError) in try commit() }
            if isMarkedDirty { try clearDirtyMark() }
        }
    }

    static func readTable(_ file: any BlockStorage, _ offset: UInt64, _ count: Int) throws(BlockError) -> [UInt64] {
        var table = [UInt64](repeating: 0, count: count)
        try table.withUnsafeMutableBufferPointer { (table) throws(BlockError) in
            try file.read(at: offset, UnsafeMutableRawBufferPointer(table))
        }
        for index in table.indices { table[index] = UInt64(bigEndian: table[index]) }
        return table
    }

    func writeTable(_ table: ArraySlice<UInt64>, at offset: UInt64) throws(BlockError) {
        let swapped = table.map(\.bigEndian)
        try swapped.withUnsafeBufferPointer { (table) throws(BlockError) in
            try file.write(at: offset, UnsafeRawBufferPointer(table))
        }
    }

    public var size: UInt64 { header.size }
    var clusterBits: UInt64 { UInt64(truncatingIfNeeded: header.clusterBits) }
    var clusterSize: UInt64 { 1 << clusterBits }
    var l2Bits: UInt64 { clusterBits - 3 }

    func failure(_ errno: Errno, _ what: String) -> BlockError { BlockError(errno, "\(file.path): \(what)") }

    /// The image contradicts itself. It is marked for it, and not written any more.
    func corruption(_ what: String) -> BlockError {
        let error = failure(.io, "the image is corrupt: \(what)")
        if isBroken || isReadOnly { return error }
        isBroken = true
        isReadOnly = true
        if header.version == 3 {
            header.incompatible |= QCOW2Header.corrupt
            _ = try? header.writeFields(file)
        }
        writeStandardError("martlet: \(error); it is only read from now on, and 'check -r all' repairs it\n")
        return error
    }

    func check(_ offset: UInt64, _ count: UInt64, writes: Bool) throws(BlockError) {
        if writes, isReadOnly { throw failure(.rofs, "it can only be read") }
        if offset > size || count > size - offset { throw failure(.inval, "\(count) bytes at \(offset) of \(size)") }
    }

    /// Whole clusters around a range of the disk.
    func clusters(_ offset: UInt64, _ count: UInt64) -> Range<UInt64> {
        let mask = clusterSize - 1
        return offset & ~mask..<max(offset &+ count &+ mask, offset) & ~mask
    }

    // MARK: Reading

    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        var rest = BufferCursor(buffers)
        try check(offset, UInt64(rest.count), writes: false)
        try ranges.with(clusters(offset, UInt64(rest.count)), alone: false) { () throws(BlockError) in
            try readMapped(at: offset, &rest)
        }
    }

    /// The caller has the range.
    func readMapped(at offset: UInt64, _ rest: inout BufferCursor) throws(BlockError) {
        var at = offset
        while rest.count > 0 {
            let run = try lock.withLock { () throws(BlockError) in try map(at, UInt64(rest.count)) }
            let part = rest.take(Int(run.count))
            switch run.kind {
            case .data: try file.read(at: run.host, into: part)
            case .zero: part.zero()
            case .unallocated: try readBacking(at: at, part)
            case .compressed: try readCompressed(run.host, at & (clusterSize - 1), part)
            }
            at += run.count
        }
    }

    /// Behind its end a backing file is 0.
    func readBacking(at offset: UInt64, _ buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        var rest = BufferCursor(buffers)
        if let backing, offset < backing.size {
            let part = rest.take(Int(min(UInt64(rest.count), backing.size - offset)))
            try backing.read(at: offset, into: part)
        }
        rest.take(rest.count).zero()
    }

    /// `entry`: the cluster's L2 entry.
    private func readCompressed(
        _ entry: UInt64, _ offset: UInt64, _ buffers: [UnsafeMutableRawBufferPointer]
    ) throws(BlockError) {
        let place = compressedPlace(entry)
        try decompressedLock.withLock { () throws(BlockError) in
            if decompressedEntry != entry {
                decompressedEntry = 0
                let bytes = try file.read(at: place.lowerBound, count: place.count)
                let isWhole = bytes.withUnsafeBytes {
                    Compression(rawValue: header.compression)?.decompress($0, into: decompressed) ?? false
                }
                if !isWhole {
                    throw failure(.io, "the compressed cluster at \(place.lowerBound) cannot be decompressed")
                }
                decompressedEntry = entry
            }
            var from = decompressed.baseAddress! + Int(offset)
            for buffer in buffers {
                buffer.copyMemory(from: UnsafeRawBufferPointer(start: from, count: buffer.count))
                from += buffer.count
            }
        }
    }

    /// A compressed cluster is given up: another may come to be where it is.
    func forgetDecompressed() { decompressedLock.withLock { decompressedEntry = 0 } }

    // MARK: The rest of the protocol

    public func flush() throws(BlockError) {
        // Without changes of tables nobody needs to wait for the medium with the lock held.
        let isClean = lock.withLock { !hasUncommitted }
        if isClean { return try file.flush() }
        try lock.withLock { () throws(BlockError) in try commit() }
    }

    public func lift(_ isLifted: Bool) {
        file.lift(isLifted)
        lock.withLock { backing }?.lift(isLifted)
    }

    /// Without the lock, which somebody may have who waits.
    public func abort() {
        file.abort()
        backing?.abort()
    }

    public func close() throws(BlockError) {
        defer { file.unlock() }
        if !isReadOnly {
            try lock.withLock { () throws(BlockError) in
                try commit()
                // Uses that this gave up.
                try commit(withRefcounts: true)
                if isMarkedDirty { try clearDirtyMark() }
            }
        }
        if ownsBacking { try backing?.close() }
    }

    public func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        let own = try ownStatus(at: offset, count: count)
        let backing = lock.withLock { self.backing }
        guard !own.isAllocated, count > 0, let backing, offset < backing.size else { return own }
        var below = try backing.status(at: offset, count: min(own.count, backing.size - offset))
        below.isAllocated = false
        below.depth += 1
        return below
    }

    /// The same without what lies below.
    public func ownStatus(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        try check(offset, count, writes: false)
        let run = try lock.withLock { () throws(BlockError) in try map(offset, count) }
        switch run.kind {
        case .data: return BlockExtent(count: run.count, isZero: false, isAllocated: true, fileOffset: run.host)
        case .compressed: return BlockExtent(count: run.count, isZero: false, isAllocated: true)
        case .zero: return BlockExtent(count: run.count, isZero: true, isAllocated: true)
        case .unallocated: return BlockExtent(count: run.count, isZero: true, isAllocated: false)
        }
    }
}

/// Buffers from which the front is taken.
struct BufferCursor {
    private var buffers: [UnsafeMutableRawBufferPointer]
    private var first = 0
    private(set) var count: Int

    init(_ buffers: [UnsafeMutableRawBufferPointer]) {
        self.buffers = buffers
        count = buffers.reduce(0) { $0 + $1.count }
    }

    init(_ buffers: [UnsafeRawBufferPointer]) { self.init(buffers.map { UnsafeMutableRawBufferPointer(mutating: $0) }) }

    mutating func take(_ wanted: Int) -> [UnsafeMutableRawBufferPointer] {
        if first == 0, wanted == count {
            count = 0
            first = buffers.count
            return buffers
        }
        var taken: [UnsafeMutableRawBufferPointer] = [], rest = wanted
        while rest > 0 {
            let buffer = buffers[first], part = min(rest, buffer.count)
            taken.append(UnsafeMutableRawBufferPointer(rebasing: buffer[..<part]))
            if part == buffer.count {
                first += 1
            } else {
                buffers[first] = UnsafeMutableRawBufferPointer(rebasing: buffer[part...])
            }
            rest -= part
        }
        count -= wanted
        return taken
    }
}

extension [UnsafeMutableRawBufferPointer] {
    func zero() {
        for buffer in self where buffer.count > 0 {
            buffer.baseAddress!.initializeMemory(as: UInt8.self, repeating: 0, count: buffer.count)
        }
    }

    var raw: [UnsafeRawBufferPointer] { map { UnsafeRawBufferPointer($0) } }
}
