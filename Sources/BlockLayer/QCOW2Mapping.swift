// Where the clusters of a disk are: L1 and L2 tables. Source: QEMU, docs/interop/qcow2.txt, "Cluster mapping".

import HostOS

/// An entry of an L1 or L2 table.
enum QCOW2Entry {
    /// Bits 9 to 55: a place in the file.
    static let place: UInt64 = (1 << 56 - 1) & ~511
    static let copied: UInt64 = 1 << 63, compressed: UInt64 = 1 << 62, zero: UInt64 = 1
}

enum ClusterKind { case unallocated, zero, data, compressed }

/// Clusters of the disk that are alike, and lie behind each other in the file where they are data.
struct ClusterRun {
    var kind: ClusterKind
    /// Of data: where the first byte is in the file. Of a compressed cluster: its entry.
    var host: UInt64
    /// They can be written where they are.
    var isCopied: Bool
    /// Bytes.
    var count: UInt64
}

extension QCOW2Image {
    @inline(__always) static func entry(_ table: UnsafeMutableRawPointer, _ index: Int) -> UInt64 {
        UInt64(bigEndian: table.load(fromByteOffset: index &* 8, as: UInt64.self))
    }

    func kind(_ entry: UInt64) throws(BlockError) -> ClusterKind {
        if entry & QCOW2Entry.compressed != 0 { return .compressed }
        if entry & QCOW2Entry.zero != 0, header.version > 2 { return .zero }
        let host = entry & QCOW2Entry.place
        if host == 0 { return .unallocated }
        if host & (clusterSize - 1) != 0 { throw corruption("a cluster at \(host), inside of a cluster of the file") }
        return .data
    }

    func l1Index(_ offset: UInt64) -> Int { Int(offset >> (clusterBits + l2Bits)) }
    func l2Index(_ offset: UInt64) -> Int { Int(offset >> clusterBits & (1 << l2Bits - 1)) }

    /// The run from an offset on, at most `count` bytes. With the lock.
    func map(_ offset: UInt64, _ count: UInt64) throws(BlockError) -> ClusterRun {
        let end = offset + count, mask = clusterSize - 1
        var at = offset
        var run = ClusterRun(kind: .unallocated, host: 0, isCopied: false, count: 0)
        while at < end {
            let index = l1Index(at)
            guard index < l1.count else { throw corruption("the L1 table ends before the disk") }
            guard let table = try l2Table(l1[index]) else {
                if run.count > 0, run.kind != .unallocated { break }
                at = min(end, UInt64(index + 1) << (clusterBits + l2Bits))
                run.count = at - offset
                continue
            }
            let tableEnd = min(end, UInt64(index + 1) << (clusterBits + l2Bits))
            while at < tableEnd {
                let entry = Self.entry(table, l2Index(at)), kind = try kind(entry)
                let host = kind == .compressed ? entry : (entry & QCOW2Entry.place) + (at & mask)
                let isCopied = entry & QCOW2Entry.copied != 0
                if run.count == 0 {
                    run = ClusterRun(kind: kind, host: host, isCopied: isCopied, count: 0)
                } else if kind != run.kind || kind == .compressed
                    || kind == .data && (host != run.host + run.count || isCopied != run.isCopied)
                {
                    return run
                }
                at = min(end, (at | mask) + 1)
                run.count = at - offset
            }
        }
        return run
    }

    /// The L2 table that an L1 entry names; nil: there is none. Valid until another is asked for. With the lock.
    func l2Table(_ entry: UInt64) throws(BlockError) -> UnsafeMutableRawPointer? {
        let offset = entry & QCOW2Entry.place
        if offset == 0 { return nil }
        if let table = l2Tables.find(offset) { return table }
        if offset & (clusterSize - 1) != 0 || offset >> clusterBits >= freshCluster {
            throw corruption("an L2 table at \(offset), which is no place for one")
        }
        let table = try makeL2Table(offset)
        do throws(BlockError) {
            try file.read(at: offset, UnsafeMutableRawBufferPointer(start: table, count: Int(clusterSize)))
        } catch {
            l2Tables.forget(offset)
            throw error
        }
        return table
    }

    private func makeL2Table(_ offset: UInt64) throws(BlockError) -> UnsafeMutableRawPointer {
        if let table = l2Tables.make(offset) { return table }
        try commit()
        guard let table = l2Tables.make(offset) else { throw failure(.nomem, "no memory for an L2 table") }
        return table
    }

    func set(_ l1Index: Int, _ entry: UInt64) {
        l1[l1Index] = entry
        dirtyL1 = min(dirtyL1?.lowerBound ?? l1Index, l1Index)..<max(dirtyL1?.upperBound ?? 0, l1Index + 1)
    }

    /// The L2 table for an offset of the disk, to be changed: of this image's own, and marked as changed.
    func writableL2Table(_ offset: UInt64) throws(BlockError) -> UnsafeMutableRawPointer {
        let index = l1Index(offset)
        guard index < l1.count else { throw corruption("the L1 table ends before the disk") }
        let old = l1[index]
        if old & QCOW2Entry.copied != 0, let table = try l2Table(old) {
            l2Tables.markDirty(old & QCOW2Entry.place)
            return table
        }
        let place = try allocate(1, contiguous: true).first << clusterBits
        let shared = try l2Table(old)
        // When this takes the other's memory, that holds what it is to hold.
        let table = try makeL2Table(place)
        if let shared {
            table.copyMemory(from: shared, byteCount: Int(clusterSize))
            give(up: (old & QCOW2Entry.place) >> clusterBits)
        } else {
            table.initializeMemory(as: UInt8.self, repeating: 0, count: Int(clusterSize))
        }
        l2Tables.markDirty(place)
        set(index, place | QCOW2Entry.copied)
        return table
    }

    /// Bytes of the file that a compressed cluster may take. (Compressed Clusters Descriptor)
    func compressedPlace(_ entry: UInt64) -> Range<UInt64> {
        let offsetBits = 62 - (clusterBits - 8)
        let offset = entry & (1 << offsetBits - 1) & (1 << 56 - 1)
        let sectors = entry >> offsetBits & (1 << (clusterBits - 8) - 1)
        return offset..<(offset & ~511) + 512 * (sectors + 1)
    }

    /// The clusters of the file that an entry uses.
    func used(by entry: UInt64) -> Range<UInt64> {
        if entry & QCOW2Entry.compressed != 0 {
            let place = compressedPlace(entry)
            return place.lowerBound >> clusterBits..<(place.upperBound - 1) >> clusterBits + 1
        }
        let cluster = (entry & QCOW2Entry.place) >> clusterBits
        return cluster..<(cluster == 0 ? 0 : cluster + 1)
    }
}
