// Writing to a qcow2 image: in place where it can be, or to new clusters.

import HostOS

extension QCOW2Image {
    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        var rest = BufferCursor(buffers)
        let count = UInt64(rest.count)
        try check(offset, count, writes: true)
        if count == 0 { return }
        let range = clusters(offset, count)
        let isDone = try ranges.with(range, alone: false) { () throws(BlockError) in
            try writeInPlace(at: offset, rest)
        }
        if !isDone {
            try ranges.with(range, alone: true) { () throws(BlockError) in try writeAllocating(at: offset, &rest) }
        }
        try endWrite()
    }

    private func endWrite() throws(BlockError) {
        if !file.cache.keepsWrites || pendingReleases.count > 4096 {
            try lock.withLock { () throws(BlockError) in try commit() }
        }
    }

    /// False, with nothing written: some of it has no place of its own yet.
    private func writeInPlace(at offset: UInt64, _ buffers: BufferCursor) throws(BlockError) -> Bool {
        var runs: [ClusterRun] = []
        let hasPlace = try lock.withLock { () throws(BlockError) -> Bool in
            var at = offset
            let end = offset + UInt64(buffers.count)
            while at < end {
                let run = try map(at, end - at)
                guard run.kind == .data, run.isCopied else { return false }
                try checkPlace(run.host + run.count)
                runs.append(run)
                at += run.count
            }
            return true
        }
        if !hasPlace { return false }
        var rest = buffers
        for run in runs { try file.write(at: run.host, from: rest.take(Int(run.count)).raw) }
        return true
    }

    private func checkPlace(_ end: UInt64) throws(BlockError) {
        if (end - 1) >> clusterBits >= freshCluster { throw corruption("a cluster lies behind the end of the file") }
    }

    private enum Plan {
        case inPlace(ClusterRun)
        /// New clusters, and whether they read as 0.
        case new(first: UInt64, count: UInt64, isFresh: Bool)
    }

    /// The caller has the range alone.
    func writeAllocating(at offset: UInt64, _ rest: inout BufferCursor) throws(BlockError) {
        var at = offset
        while rest.count > 0 {
            let plan = try lock.withLock { () throws(BlockError) in try self.plan(at, UInt64(rest.count)) }
            switch plan {
            case .inPlace(let run):
                try file.write(at: run.host, from: rest.take(Int(run.count)).raw)
                at += run.count
            case .new(let first, let clusters, let isFresh):
                let skipped = at & (clusterSize - 1)
                let count = min(UInt64(rest.count), clusters << clusterBits - skipped)
                do throws(BlockError) {
                    try fill(first, at, rest.take(Int(count)), isFresh: isFresh)
                } catch {
                    try lock.withLock { () throws(BlockError) in try release(first..<first + clusters) }
                    throw error
                }
                try lock.withLock { () throws(BlockError) in try link(at - skipped, first, clusters) }
                at += count
            }
        }
    }

    private func plan(_ offset: UInt64, _ count: UInt64) throws(BlockError) -> Plan {
        let run = try map(offset, count)
        if run.kind == .data, run.isCopied {
            try checkPlace(run.host + run.count)
            return .inPlace(run)
        }
        // Whatever lacks a place, up to where another table begins.
        let tableEnd = UInt64(l1Index(offset) + 1) << (clusterBits + l2Bits)
        let end = min(offset + count, tableEnd)
        var stop = offset
        while stop < end {
            let next = try map(stop, end - stop)
            if next.kind == .data, next.isCopied { break }
            stop += next.count
        }
        _ = try writableL2Table(offset)
        let wanted = (stop - 1) >> clusterBits - offset >> clusterBits + 1
        let new = try allocate(wanted, contiguous: false)
        return .new(first: new.first, count: new.count, isFresh: new.isFresh)
    }

    /// Writes new clusters: what is given, and around it what the disk has there now.
    private func fill(
        _ first: UInt64, _ offset: UInt64, _ buffers: [UnsafeMutableRawBufferPointer], isFresh: Bool
    ) throws(BlockError) {
        let mask = clusterSize - 1
        let end = offset + UInt64(buffers.reduce(0) { $0 + $1.count })
        let all = clusters(offset, end - offset)
        var parts = buffers, start = offset
        let around = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * Int(clusterSize), alignment: 4096)
        defer { around.deallocate() }
        let head = UnsafeMutableRawBufferPointer(rebasing: around[..<Int(offset & mask)])
        let tail = UnsafeMutableRawBufferPointer(
            rebasing: around[Int(clusterSize)...].prefix(Int(all.upperBound - end)))
        if !head.isEmpty, try !readOld(all.lowerBound, head) || !isFresh {
            parts.insert(head, at: 0)
            start = all.lowerBound
        }
        if !tail.isEmpty, try !readOld(end, tail) || !isFresh { parts.append(tail) }
        try file.write(at: first << clusterBits + (start - all.lowerBound), from: parts.raw)
    }

    /// Reads what the disk has, 0 behind its end. True: it is known to be all 0.
    private func readOld(_ offset: UInt64, _ memory: UnsafeMutableRawBufferPointer) throws(BlockError) -> Bool {
        let count = offset < size ? min(UInt64(memory.count), size - offset) : 0
        [memory].zero()
        if count == 0 { return true }
        if try isKnownZero(offset, count) { return true }
        var rest = BufferCursor([UnsafeMutableRawBufferPointer(rebasing: memory[..<Int(count)])])
        try readMapped(at: offset, &rest)
        return false
    }

    func isKnownZero(_ offset: UInt64, _ count: UInt64) throws(BlockError) -> Bool {
        let run = try lock.withLock { () throws(BlockError) in try map(offset, count) }
        if run.count < count { return false }
        return run.kind == .zero || run.kind == .unallocated && offset >= backing?.size ?? 0
    }

    /// The disk's clusters from `offset` on are these from now on. They are in one L2 table.
    private func link(_ offset: UInt64, _ first: UInt64, _ count: UInt64) throws(BlockError) {
        let table = try writableL2Table(offset), index = l2Index(offset)
        for step in 0..<count {
            replace(table, index + Int(step), (first + step) << clusterBits | QCOW2Entry.copied)
        }
    }

    /// Puts an entry into a table that is marked as changed, and gives up what the old one used.
    func replace(_ table: UnsafeMutableRawPointer, _ index: Int, _ entry: UInt64) {
        let old = Self.entry(table, index)
        if old & QCOW2Entry.compressed != 0 { forgetDecompressed() }
        table.storeBytes(of: entry.bigEndian, toByteOffset: index * 8, as: UInt64.self)
        if old & QCOW2Entry.place == entry & QCOW2Entry.place, (old | entry) & QCOW2Entry.compressed == 0 { return }
        give(up: used(by: old))
    }

    // MARK: Zeros

    public func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try check(offset, count, writes: true)
        if count == 0 { return }
        try ranges.with(clusters(offset, count), alone: true) { () throws(BlockError) in
            let whole = wholeClusters(offset, count)
            if whole.isEmpty { return try writeZeroBytes(offset, count) }
            try writeZeroBytes(offset, whole.lowerBound - offset)
            try lock.withLock { () throws(BlockError) in try zeroClusters(whole, keepsPlace: !mayUnmap) }
            if needsBytes(whole) { try writeZeroBytes(whole.lowerBound, whole.upperBound - whole.lowerBound) }
            if whole.upperBound < offset + count {
                try writeZeroBytes(whole.upperBound, offset + count - whole.upperBound)
            }
        }
        try endWrite()
    }

    /// The clusters that lie in a range; the last of the disk counts when what there is of it does. In bytes.
    private func wholeClusters(_ offset: UInt64, _ count: UInt64) -> Range<UInt64> {
        let mask = clusterSize - 1
        let start = (offset + mask) & ~mask
        let end = offset + count == size ? size : (offset + count) & ~mask
        return start < end ? start..<end : offset..<offset
    }

    /// Version 2 has no entries for zeros: what is below shows where there is none.
    private func needsBytes(_ range: Range<UInt64>) -> Bool {
        header.version == 2 && range.lowerBound < backing?.size ?? 0
    }

    private func writeZeroBytes(_ offset: UInt64, _ count: UInt64) throws(BlockError) {
        if count == 0 { return }
        if try isKnownZero(offset, count) { return }
        let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(min(count, 1 << 20)), alignment: 4096)
        defer { zeros.deallocate() }
        [zeros].zero()
        var done: UInt64 = 0
        while done < count {
            var part = BufferCursor([
                UnsafeMutableRawBufferPointer(rebasing: zeros.prefix(Int(min(count - done, UInt64(zeros.count)))))
            ])
            let size = UInt64(part.count)
            try writeAllocating(at: offset + done, &part)
            done += size
        }
    }

    /// Makes whole clusters read as 0 by their entries alone. `keepsPlace`: their clusters of the file stay theirs.
    private func zeroClusters(_ range: Range<UInt64>, keepsPlace: Bool) throws(BlockError) {
        if needsBytes(range) { return }
        var at = range.lowerBound
        while at < range.upperBound {
            let run = try map(at, range.upperBound - at)
            let isBelow = run.kind == .unallocated && at < backing?.size ?? 0
            if run.kind == .unallocated && !isBelow || run.kind == .zero && keepsPlace {
                at += run.count
                continue
            }
            let tableEnd = UInt64(l1Index(at) + 1) << (clusterBits + l2Bits)
            let end = min(at + run.count, tableEnd)
            let table = try writableL2Table(at)
            while at < end {
                let index = l2Index(at), old = Self.entry(table, index)
                let isOwn = old & QCOW2Entry.copied != 0 && old & QCOW2Entry.compressed == 0
                if header.version == 2 {
                    replace(table, index, 0)
                } else if keepsPlace && isOwn {
                    replace(table, index, old | QCOW2Entry.zero)
                } else {
                    replace(table, index, QCOW2Entry.zero)
                }
                at = min(end, (at | (clusterSize - 1)) + 1)
            }
        }
    }

    public func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        try check(offset, count, writes: true)
        let whole = wholeClusters(offset, count)
        if whole.isEmpty { return }
        try ranges.with(clusters(whole.lowerBound, whole.upperBound - whole.lowerBound), alone: true) {
            () throws(BlockError) in
            try lock.withLock { () throws(BlockError) in try discardClusters(whole) }
        }
        try endWrite()
    }

    /// What is below must not show where the image had something of its own.
    private func discardClusters(_ range: Range<UInt64>) throws(BlockError) {
        if needsBytes(range) { return }
        var at = range.lowerBound
        while at < range.upperBound {
            let run = try map(at, range.upperBound - at)
            let tableEnd = UInt64(l1Index(at) + 1) << (clusterBits + l2Bits)
            let end = run.kind == .unallocated ? at + run.count : min(at + run.count, tableEnd)
            if run.kind != .unallocated {
                let table = try writableL2Table(at), entry = at < backing?.size ?? 0 ? QCOW2Entry.zero : 0
                for cluster in at >> clusterBits...(end - 1) >> clusterBits {
                    replace(table, l2Index(cluster << clusterBits), entry)
                }
            }
            at = end
        }
    }

    // MARK: Compressed clusters

    /// Writes one whole cluster, compressed where that makes it smaller. The last of the disk may be shorter.
    public func writeCompressed(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(BlockError) {
        try check(offset, UInt64(bytes.count), writes: true)
        guard offset % clusterSize == 0, bytes.count == min(Int(clusterSize), Int(size - offset)) else {
            throw failure(.inval, "only whole clusters can be compressed")
        }
        let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(clusterSize), alignment: 4096)
        defer { whole.deallocate() }
        [whole].zero()
        whole.copyMemory(from: bytes)
        let method = Compression(rawValue: header.compression) ?? .zlib
        guard let packed = method.compress(UnsafeRawBufferPointer(whole), limit: Int(clusterSize) - 1) else {
            return try write(at: offset, from: [bytes])
        }
        try ranges.with(clusters(offset, clusterSize), alone: true) { () throws(BlockError) in
            let place = try lock.withLock { () throws(BlockError) in try allocateBytes(UInt64(packed.count)) }
            try file.write(at: place, bytes: packed)
            try lock.withLock { () throws(BlockError) in
                let sectors = (place + UInt64(packed.count) - 1) >> 9 - place >> 9
                let entry = place | sectors << (62 - (clusterBits - 8)) | QCOW2Entry.compressed
                replace(try writableL2Table(offset), l2Index(offset), entry)
            }
        }
        try endWrite()
    }

    /// Room for a compressed cluster, behind the last where that is possible.
    private func allocateBytes(_ count: UInt64) throws(BlockError) -> UInt64 {
        let room = (clusterSize - compressedEnd % clusterSize) % clusterSize
        if room > 0, try refcount(compressedEnd >> clusterBits) == largestRefcount { compressedEnd = 0 }
        var place = compressedEnd
        if compressedEnd == 0 || room < count {
            let new = try allocate(1, contiguous: true).first << clusterBits
            if compressedEnd == 0 || room == 0 || compressedEnd + room != new {
                place = new
            } else {
                // It begins in the cluster before the new one.
                let cluster = compressedEnd >> clusterBits
                try setRefcount(cluster, try refcount(cluster) + 1)
            }
        } else {
            let cluster = compressedEnd >> clusterBits
            try setRefcount(cluster, try refcount(cluster) + 1)
        }
        if place >> (62 - (clusterBits - 8)) != 0 { throw failure(.fbig, "no compressed cluster can be so far behind") }
        compressedEnd = place + count
        return place
    }
}
