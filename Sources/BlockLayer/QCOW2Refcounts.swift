// How often clusters of the file are in use, which of them are free, and in what order tables go to the file.
// Source: QEMU, docs/interop/qcow2.txt, "Host cluster management". All of it is done with the image's lock.

import HostOS

extension QCOW2Image {
    var refcountsPerBlock: UInt64 { 8 * clusterSize >> UInt64(truncatingIfNeeded: header.refcountOrder) }
    private var isLazy: Bool { header.version > 2 && lazyRefcounts ?? header.hasLazyRefcounts }
    private var storedTableCount: Int { Int(header.refcountTableClusters) << Int(clusterBits - 3) }

    // MARK: Single refcounts

    /// The block of refcounts with a cluster's; nil: there is none, and the refcounts are 0.
    private func block(_ index: UInt64) throws(BlockError) -> (UnsafeMutableRawPointer, UInt64)? {
        guard index < UInt64(refcountTable.count) else { return nil }
        let offset = refcountTable[Int(index)] & ~511
        if offset == 0 { return nil }
        if let block = refcountBlocks.find(offset) { return (block, offset) }
        if offset & (clusterSize - 1) != 0 || offset >> clusterBits >= freshCluster {
            throw corruption("a block of refcounts at \(offset), which is no place for one")
        }
        let block = try makeBlock(offset)
        do throws(BlockError) {
            try file.read(at: offset, UnsafeMutableRawBufferPointer(start: block, count: Int(clusterSize)))
        } catch {
            refcountBlocks.forget(offset)
            throw error
        }
        return (block, offset)
    }

    private func makeBlock(_ offset: UInt64) throws(BlockError) -> UnsafeMutableRawPointer {
        if let block = refcountBlocks.make(offset) { return block }
        try writeRefcounts()
        guard let block = refcountBlocks.make(offset) else { throw failure(.nomem, "no memory for refcounts") }
        return block
    }

    func refcount(_ cluster: UInt64) throws(BlockError) -> UInt64 {
        guard let (block, _) = try block(cluster / refcountsPerBlock) else { return 0 }
        return Self.refcount(block, Int(cluster % refcountsPerBlock), header.refcountOrder)
    }

    private static func refcount(_ block: UnsafeMutableRawPointer, _ index: Int, _ order: Int) -> UInt64 {
        switch order {
        case 3: return UInt64(block.load(fromByteOffset: index, as: UInt8.self))
        case 4: return UInt64(UInt16(bigEndian: block.load(fromByteOffset: index &* 2, as: UInt16.self)))
        case 5: return UInt64(UInt32(bigEndian: block.load(fromByteOffset: index &* 4, as: UInt32.self)))
        case 6: return UInt64(bigEndian: block.load(fromByteOffset: index &* 8, as: UInt64.self))
        default:
            // Some in a byte, the first in its lowest bits.
            let byte = block.load(fromByteOffset: (index << order) >> 3, as: UInt8.self)
            return UInt64(byte) >> UInt64((index << order) & 7) & (1 << (1 << order) - 1)
        }
    }

    private static func set(_ block: UnsafeMutableRawPointer, _ index: Int, _ order: Int, _ value: UInt64) {
        switch order {
        case 3: block.storeBytes(of: UInt8(truncatingIfNeeded: value), toByteOffset: index, as: UInt8.self)
        case 4:
            block.storeBytes(
                of: UInt16(truncatingIfNeeded: value).bigEndian, toByteOffset: index &* 2, as: UInt16.self)
        case 5:
            block.storeBytes(
                of: UInt32(truncatingIfNeeded: value).bigEndian, toByteOffset: index &* 4, as: UInt32.self)
        case 6: block.storeBytes(of: value.bigEndian, toByteOffset: index &* 8, as: UInt64.self)
        default:
            let at = (index << order) >> 3, shift = UInt8((index << order) & 7), mask = UInt8(1 << (1 << order) - 1)
            let byte = block.load(fromByteOffset: at, as: UInt8.self)
            let new = byte & ~(mask << shift) | UInt8(truncatingIfNeeded: value) << shift
            block.storeBytes(of: new, toByteOffset: at, as: UInt8.self)
        }
    }

    func setRefcount(_ cluster: UInt64, _ value: UInt64) throws(BlockError) {
        if value > largestRefcount {
            throw failure(
                .fbig, "a cluster would be used more often than \(header.refcountBits) bits of refcounts can say")
        }
        if isLazy && !isMarkedDirty { try markDirty() }
        let index = cluster / refcountsPerBlock
        try ensureBlock(index)
        guard let (block, offset) = try block(index) else { throw corruption("a block of refcounts is gone") }
        Self.set(block, Int(cluster % refcountsPerBlock), header.refcountOrder, value)
        refcountBlocks.markDirty(offset)
    }

    var largestRefcount: UInt64 { header.refcountOrder == 6 ? .max : 1 << UInt64(header.refcountBits) - 1 }

    // MARK: Blocks and their table

    private func ensureBlock(_ index: UInt64) throws(BlockError) {
        if index >= UInt64(refcountTable.count) { try growTable(index) }
        if refcountTable[Int(index)] & ~511 != 0 { return }
        // At the file's end, where nothing else can be. A block may hold the refcount of its own cluster.
        while case let own = freshCluster / refcountsPerBlock, own != index {
            if own < UInt64(refcountTable.count), refcountTable[Int(own)] & ~511 != 0 { break }
            try ensureBlock(own)
            if refcountTable[Int(index)] & ~511 != 0 { return }
        }
        let cluster = freshCluster
        freshCluster += 1
        let block = try makeBlock(cluster << clusterBits)
        block.initializeMemory(as: UInt8.self, repeating: 0, count: Int(clusterSize))
        refcountBlocks.markDirty(cluster << clusterBits)
        refcountTable[Int(index)] = cluster << clusterBits
        let old = dirtyRefcountTable
        dirtyRefcountTable =
            min(old?.lowerBound ?? Int(index), Int(index))..<max(old?.upperBound ?? 0, Int(index) + 1)
        try setRefcount(cluster, 1)
    }

    /// Moves the table to a bigger place.
    private func growTable(_ index: UInt64) throws(BlockError) {
        let perCluster = Int(clusterSize / 8)
        let wanted = max(Int(clamping: index) + 1, refcountTable.count / 2 * 3)
        let count = (wanted + wanted / 1024 + 2 + perCluster - 1) / perCluster * perCluster
        guard count * 8 <= max(QCOW2Header.largestRefcountTable, Int(clusterSize)) else {
            throw failure(.fbig, "its refcount table cannot get bigger")
        }
        try commit(withRefcounts: true)
        refcountTable += Array(repeating: 0, count: count - refcountTable.count)
        let old = header.refcountTableOffset >> clusterBits
        let oldClusters = UInt64(header.refcountTableClusters)
        try moveTable()
        give(up: old..<old + oldClusters)
    }

    /// Writes the table as it is in memory to a new place, with all blocks.
    func moveTable() throws(BlockError) {
        let clusters = UInt64(refcountTable.count) >> (clusterBits - 3), first = try allocateAtEnd(clusters)
        try refcountBlocks.writeDirty { (offset, bytes) throws(BlockError) in try file.write(at: offset, bytes) }
        try writeTable(refcountTable[...], at: first << clusterBits)
        dirtyRefcountTable = nil
        try file.flush()
        header.refcountTableOffset = first << clusterBits
        header.refcountTableClusters = UInt32(clusters)
        try header.writeFields(file)
        try file.flush()
    }

    // MARK: Free clusters

    /// Clusters behind each other, each used once from now on: as many as wanted, or fewer when they need not be contiguous.
    /// `isFresh`: they read as 0.
    func allocate(_ wanted: UInt64, contiguous: Bool) throws(BlockError) -> (
        first: UInt64, count: UInt64, isFresh: Bool
    ) {
        if isReadOnly { throw failure(.rofs, "it can only be read") }
        var at = freeHint, found: UInt64 = 0
        while at < freshCluster, found < wanted {
            if try refcount(at) == 0 {
                found += 1
            } else if found > 0, !contiguous {
                break
            } else {
                found = 0
            }
            at += 1
        }
        if found == wanted || found > 0 && !contiguous {
            let first = at - found
            try checkFree(first..<at)
            for cluster in first..<at { try setRefcount(cluster, 1) }
            if first == freeHint || !contiguous { freeHint = at }
            return (first, found, false)
        }
        if !contiguous { freeHint = freshCluster }
        return (try allocateAtEnd(wanted), wanted, endReadsAsZero)
    }

    private func allocateAtEnd(_ count: UInt64) throws(BlockError) -> UInt64 {
        let first = freshCluster
        if (first + count) << clusterBits > 1 << 56 { throw failure(.fbig, "its file cannot get bigger") }
        freshCluster += count
        for cluster in first..<first + count { try setRefcount(cluster, 1) }
        return first
    }

    /// Refcounts that say that a table is free are wrong.
    private func checkFree(_ clusters: Range<UInt64>) throws(BlockError) {
        func isIn(_ offset: UInt64) -> Bool { offset != 0 && clusters.contains(offset >> clusterBits) }
        func overlaps(_ offset: UInt64, _ bytes: UInt64) -> Bool {
            bytes > 0 && clusters.overlaps(offset >> clusterBits..<(offset + bytes - 1) >> clusterBits + 1)
        }
        if clusters.contains(0) || overlaps(header.l1Offset, UInt64(l1.count * 8))
            || overlaps(header.refcountTableOffset, UInt64(storedTableCount * 8))
            || overlaps(header.snapshotsOffset, snapshotTableSize)
            || l1.contains(where: { isIn($0 & QCOW2Entry.place) })
            || refcountTable.contains(where: { isIn($0 & ~511) })
        {
            throw corruption("a table lies in clusters \(clusters), which count as free")
        }
    }

    /// One use of a cluster ends, as soon as nothing on the medium names it.
    func give(up cluster: UInt64) { give(up: cluster..<cluster + 1) }

    func give(up clusters: Range<UInt64>) {
        if clusters.isEmpty { return }
        if let last = pendingReleases.last, last.upperBound == clusters.lowerBound {
            pendingReleases[pendingReleases.count - 1] = last.lowerBound..<clusters.upperBound
        } else {
            pendingReleases.append(clusters)
        }
    }

    /// The same at once: nothing on the medium has ever named them.
    func release(_ clusters: Range<UInt64>) throws(BlockError) {
        var freed: Range<UInt64>?
        for cluster in clusters {
            let count = try refcount(cluster)
            if count == 0 { throw corruption("cluster \(cluster) is in use, and counts as free") }
            try setRefcount(cluster, count - 1)
            if count > 1 { continue }
            l2Tables.forget(cluster << clusterBits)
            if compressedEnd >> clusterBits == cluster { compressedEnd = 0 }
            freeHint = min(freeHint, cluster)
            if let run = freed, run.upperBound == cluster {
                freed = run.lowerBound..<cluster + 1
            } else {
                try punch(freed)
                freed = cluster..<cluster + 1
            }
        }
        try punch(freed)
    }

    private func punch(_ clusters: Range<UInt64>?) throws(BlockError) {
        guard let clusters else { return }
        _ = try file.zero(
            at: clusters.lowerBound << clusterBits, count: UInt64(clusters.count) << clusterBits, mayUnmap: true)
    }

    // MARK: To the medium

    var hasUncommitted: Bool {
        l2Tables.dirtyCount > 0 || dirtyL1 != nil || !pendingReleases.isEmpty
            || !isLazy && (refcountBlocks.dirtyCount > 0 || dirtyRefcountTable != nil)
    }

    /// Writes what has changed in tables, each after what it names. `withRefcounts`: also where they may stay behind.
    func commit(withRefcounts: Bool = false) throws(BlockError) {
        if isReadOnly { return }
        if withRefcounts || !isLazy { try writeRefcounts() }
        if l2Tables.dirtyCount > 0 || dirtyL1 != nil {
            try file.flush()
            try l2Tables.writeDirty { (offset, bytes) throws(BlockError) in try file.write(at: offset, bytes) }
        }
        if let dirty = dirtyL1 {
            try file.flush()
            try writeTable(l1[dirty], at: header.l1Offset + UInt64(8 * dirty.lowerBound))
            dirtyL1 = nil
        }
        try file.flush()
        let releases = pendingReleases
        pendingReleases = []
        for clusters in releases { try release(clusters) }
    }

    private func writeRefcounts() throws(BlockError) {
        try refcountBlocks.writeDirty { (offset, bytes) throws(BlockError) in try file.write(at: offset, bytes) }
        guard let dirty = dirtyRefcountTable?.clamped(to: 0..<storedTableCount), !dirty.isEmpty else { return }
        try file.flush()
        try writeTable(refcountTable[dirty], at: header.refcountTableOffset + UInt64(8 * dirty.lowerBound))
        dirtyRefcountTable = nil
    }

    /// From now on refcounts in the file may be behind.
    private func markDirty() throws(BlockError) {
        isMarkedDirty = true
        header.incompatible |= QCOW2Header.dirty
        try header.writeFields(file)
        try file.flush()
    }

    func clearDirtyMark() throws(BlockError) {
        try file.flush()
        isMarkedDirty = false
        header.incompatible &= ~QCOW2Header.dirty
        try header.writeFields(file)
        try file.flush()
    }

    /// Behind the last cluster in use. For devices, which have no end of their own.
    func lastUsedEnd() throws(BlockError) -> UInt64 {
        for index in refcountTable.indices.reversed() where refcountTable[index] & ~511 != 0 {
            for cluster in (0..<refcountsPerBlock).reversed() {
                let number = UInt64(index) * refcountsPerBlock + cluster
                if try refcount(number) != 0 { return number + 1 }
            }
        }
        return 1
    }
}
