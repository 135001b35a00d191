// Snapshots inside of a qcow2 image: L1 tables of their own. Source: QEMU, docs/interop/qcow2.txt, "Snapshots".

import HostOS

public struct QCOW2Snapshot: Sendable, Equatable {
    public var id: String
    public var name: String
    /// When it was taken.
    public var seconds: UInt32
    public var nanoseconds: UInt32
    /// How long the machine had run, in nanoseconds.
    public var clock: UInt64 = 0
    /// Bytes of a machine's state.
    public var stateSize: UInt64 = 0
    public var diskSize: UInt64
    /// Instructions that the machine had executed; nil: they were not counted.
    public var instructionCount: UInt64?
    var l1Offset: UInt64 = 0
    var l1Count = 0
    /// What later versions of the format have added.
    var extra: [UInt8] = []

    func encode(_ out: inout BigEndianWriter) {
        out.long(l1Offset)
        out.word(UInt32(l1Count))
        out.half(UInt16(id.utf8.count))
        out.half(UInt16(name.utf8.count))
        out.word(seconds)
        out.word(nanoseconds)
        out.long(clock)
        out.word(UInt32(clamping: stateSize))
        out.word(UInt32(24 + extra.count))
        out.long(stateSize)
        out.long(diskSize)
        out.long(instructionCount ?? .max)
        out.bytes(extra)
        out.bytes(Array(id.utf8))
        out.bytes(Array(name.utf8))
        out.pad(to: 8)
    }
}

extension QCOW2Image {
    private static let largestSnapshotTable = 16 << 20
    private static let longestName = 65535

    // MARK: The table

    func readSnapshots() throws(BlockError) -> [QCOW2Snapshot] {
        var result: [QCOW2Snapshot] = [], at = header.snapshotsOffset
        for _ in 0..<header.snapshotCount {
            let fixed = BigEndianBytes(try file.read(at: at, count: 40))
            let extraCount = Int(fixed.word(36)), idCount = Int(fixed.half(12)), nameCount = Int(fixed.half(14))
            let count = 40 + extraCount + idCount + nameCount
            guard at + UInt64(count) <= freshCluster << clusterBits, extraCount <= 1024,
                at - header.snapshotsOffset + UInt64(count) <= UInt64(Self.largestSnapshotTable)
            else { throw failure(.inval, "its table of snapshots is damaged") }
            let all = BigEndianBytes(try file.read(at: at, count: count))
            var snapshot = QCOW2Snapshot(
                id: String(decoding: all.bytes[(40 + extraCount)..<(40 + extraCount + idCount)], as: UTF8.self),
                name: String(decoding: all.bytes[(40 + extraCount + idCount)...], as: UTF8.self),
                seconds: all.word(16), nanoseconds: all.word(20), clock: all.long(24),
                stateSize: UInt64(all.word(32)), diskSize: header.size, l1Offset: all.long(0), l1Count: Int(all.word(8))
            )
            if extraCount >= 8 { snapshot.stateSize = all.long(40) }
            if extraCount >= 16 { snapshot.diskSize = all.long(48) }
            if extraCount >= 24 {
                snapshot.instructionCount = all.long(56) == .max ? nil : all.long(56)
                snapshot.extra = Array(all.bytes[64..<40 + extraCount])
            }
            let l1End = snapshot.l1Offset.addingReportingOverflow(UInt64(snapshot.l1Count * 8))
            guard snapshot.l1Count * 8 <= QCOW2Header.largestL1, snapshot.l1Offset & (clusterSize - 1) == 0,
                !l1End.overflow, l1End.partialValue <= freshCluster << clusterBits
            else { throw failure(.inval, "the L1 table of snapshot '\(snapshot.name)' is at no place for one") }
            result.append(snapshot)
            at += UInt64(count + 7) & ~7
        }
        snapshotTableSize = at - header.snapshotsOffset
        return result
    }

    /// Writes the table to a new place, and makes it the image's.
    private func writeSnapshots(_ new: [QCOW2Snapshot]) throws(BlockError) {
        var out = BigEndianWriter()
        for snapshot in new { snapshot.encode(&out) }
        guard new.count <= 65536, out.all.count <= Self.largestSnapshotTable else {
            throw failure(.fbig, "it cannot have more snapshots")
        }
        var changed = header
        changed.snapshotCount = UInt32(new.count)
        changed.snapshotsOffset = 0
        if !new.isEmpty {
            changed.snapshotsOffset = try allocateTable(out.all.count)
            try file.write(at: changed.snapshotsOffset, bytes: out.all)
        }
        let old = tableClusters(header.snapshotsOffset, Int(snapshotTableSize))
        try switchHeader(changed)
        snapshots = new
        snapshotTableSize = UInt64(out.all.count)
        give(up: old)
    }

    func tableClusters(_ offset: UInt64, _ bytes: Int) -> Range<UInt64> {
        let first = offset >> clusterBits
        return first..<first + (UInt64(bytes) + clusterSize - 1) >> clusterBits
    }

    func allocateTable(_ bytes: Int) throws(BlockError) -> UInt64 {
        let count = max(1, (UInt64(bytes) + clusterSize - 1) >> clusterBits)
        return try allocate(count, contiguous: true).first << clusterBits
    }

    /// What it names is on the medium first, and it is there when this returns.
    func switchHeader(_ changed: QCOW2Header) throws(BlockError) {
        try commit()
        var changed = changed
        // That may have moved the refcount table.
        changed.refcountTableOffset = header.refcountTableOffset
        changed.refcountTableClusters = header.refcountTableClusters
        changed.incompatible = header.incompatible
        try changed.writeFields(file)
        try file.flush()
        header = changed
    }

    // MARK: What can be done

    func alone<R>(_ body: () throws(BlockError) -> R) throws(BlockError) -> R {
        if isReadOnly { throw failure(.rofs, "it can only be read") }
        return try exclusively(body)
    }

    /// While no request is under way.
    func exclusively<R>(_ body: () throws(BlockError) -> R) throws(BlockError) -> R {
        try ranges.with(0..<UInt64.max, alone: true) { () throws(BlockError) in
            try lock.withLock { () throws(BlockError) in try body() }
        }
    }

    public func createSnapshot(_ name: String, seconds: UInt32, nanoseconds: UInt32) throws(BlockError) {
        guard name.utf8.count <= Self.longestName else { throw failure(.nametoolong, "a snapshot's name is too long") }
        try alone { () throws(BlockError) in
            try commit()
            if header.refcountBits == 1 { throw failure(.opnotsupp, "refcounts of 1 bit leave no room for snapshots") }
            let id = (snapshots.compactMap { UInt64($0.id) }.max() ?? 0) &+ 1
            var new = QCOW2Snapshot(
                id: "\(id)", name: name, seconds: seconds, nanoseconds: nanoseconds, diskSize: header.size,
                instructionCount: 0)
            try addReferences(l1)
            new.l1Count = l1.count
            new.l1Offset = try allocateTable(8 * l1.count)
            try writeTable(l1.map { $0 & ~QCOW2Entry.copied }[...], at: new.l1Offset)
            try refreshCopied()
            try writeSnapshots(snapshots + [new])
            try commit()
        }
    }

    public func deleteSnapshot(_ snapshot: QCOW2Snapshot) throws(BlockError) {
        try alone { () throws(BlockError) in
            try commit()
            let table = try Self.readTable(file, snapshot.l1Offset, snapshot.l1Count)
            try writeSnapshots(snapshots.filter { $0 != snapshot })
            try dropReferences(table)
            try release(tableClusters(snapshot.l1Offset, 8 * snapshot.l1Count))
            try refreshCopied()
            try commit()
        }
    }

    /// The disk is as it was when the snapshot was taken.
    public func applySnapshot(_ snapshot: QCOW2Snapshot) throws(BlockError) {
        try alone { () throws(BlockError) in
            try commit()
            let needed = QCOW2Header.l1Count(for: snapshot.diskSize, header.clusterBits)
            guard needed * 8 <= QCOW2Header.largestL1 else {
                throw failure(.inval, "the size of snapshot '\(snapshot.name)' is damaged")
            }
            var table = try Self.readTable(file, snapshot.l1Offset, snapshot.l1Count).map { $0 & ~QCOW2Entry.copied }
            try addReferences(table)
            if table.count < needed { table += Array(repeating: 0, count: needed - table.count) }
            let old = l1, oldClusters = tableClusters(header.l1Offset, 8 * l1.count)
            var changed = header
            changed.l1Offset = try allocateTable(8 * table.count)
            changed.l1Count = table.count
            changed.size = snapshot.diskSize
            try writeTable(table[...], at: changed.l1Offset)
            try switchHeader(changed)
            l1 = table
            try dropReferences(old)
            try release(oldClusters)
            try refreshCopied()
            try commit()
        }
    }

    /// The image has nothing of its own any more: all that shows is what lies below.
    public func empty() throws(BlockError) {
        try alone { () throws(BlockError) in
            try commit()
            let old = l1
            for index in l1.indices where l1[index] != 0 { set(index, 0) }
            try commit()
            try dropReferences(old)
            try commit()
        }
    }

    // MARK: References

    /// Calls with the L2 tables that an L1 table names. Tables in memory are on the medium.
    private func forEachL2Table(
        _ l1: [UInt64], _ body: (_ cluster: UInt64, _ entries: [UInt64]) throws(BlockError) -> Void
    ) throws(BlockError) {
        for entry in l1 where entry & QCOW2Entry.place != 0 {
            let offset = entry & QCOW2Entry.place
            guard offset & (clusterSize - 1) == 0, offset >> clusterBits < freshCluster else {
                throw corruption("an L2 table at \(offset), which is no place for one")
            }
            try body(offset >> clusterBits, try Self.readTable(file, offset, 1 << Int(l2Bits)))
        }
    }

    private func addReferences(_ l1: [UInt64]) throws(BlockError) {
        // What was done until a refcount could not get bigger.
        var done: [Range<UInt64>] = []
        do throws(BlockError) {
            try forEachL2Table(l1) { (cluster, entries) throws(BlockError) in
                for entry in entries { try add(used(by: entry), &done) }
                try add(cluster..<cluster + 1, &done)
            }
        } catch {
            for clusters in done { try release(clusters) }
            throw error
        }
    }

    private func add(_ clusters: Range<UInt64>, _ done: inout [Range<UInt64>]) throws(BlockError) {
        for cluster in clusters {
            try setRefcount(cluster, try refcount(cluster) + 1)
            if let last = done.last, last.upperBound == cluster {
                done[done.count - 1] = last.lowerBound..<cluster + 1
            } else {
                done.append(cluster..<cluster + 1)
            }
        }
    }

    private func dropReferences(_ l1: [UInt64]) throws(BlockError) {
        forgetDecompressed()
        try forEachL2Table(l1) { (cluster, entries) throws(BlockError) in
            for entry in entries { try release(used(by: entry)) }
            try release(cluster..<cluster + 1)
        }
    }

    /// Marks which clusters of the active tables can be written where they are.
    func refreshCopied() throws(BlockError) {
        for index in l1.indices where l1[index] & QCOW2Entry.place != 0 {
            let offset = l1[index] & QCOW2Entry.place
            let isSingle = try refcount(offset >> clusterBits) == 1
            let new = offset | (isSingle ? QCOW2Entry.copied : 0)
            if new != l1[index] { set(index, new) }
            guard let table = try l2Table(new) else { continue }
            for slot in 0..<1 << Int(l2Bits) {
                let entry = Self.entry(table, slot)
                if entry & QCOW2Entry.compressed != 0 || entry & QCOW2Entry.place == 0 { continue }
                let isSingle = try refcount((entry & QCOW2Entry.place) >> clusterBits) == 1
                let fixed = entry & ~QCOW2Entry.copied | (isSingle ? QCOW2Entry.copied : 0)
                if fixed == entry { continue }
                table.storeBytes(of: fixed.bigEndian, toByteOffset: 8 * slot, as: UInt64.self)
                l2Tables.markDirty(offset)
            }
        }
    }

    // MARK: Size

    public func resize(to size: UInt64) throws(BlockError) {
        if isReadOnly { throw failure(.rofs, "it can only be read") }
        let count = QCOW2Header.l1Count(for: size, header.clusterBits)
        guard size <= UInt64(Int64.max), count * 8 <= QCOW2Header.largestL1 else {
            throw failure(.fbig, "\(size) bytes need a bigger L1 table than clusters of \(clusterSize) bytes can have")
        }
        let old = self.size
        if size < old {
            // What lies behind the new end must not come back.
            try writeZeroes(at: size, count: old - size, mayUnmap: true)
            try discard(at: size, count: old - size)
        }
        try alone { () throws(BlockError) in
            var changed = header
            changed.size = size
            if count > l1.count {
                let clusters = tableClusters(header.l1Offset, 8 * l1.count)
                try commit()
                let table = l1 + Array(repeating: 0, count: count - l1.count)
                changed.l1Offset = try allocateTable(8 * count)
                changed.l1Count = count
                try writeTable(table[...], at: changed.l1Offset)
                try switchHeader(changed)
                l1 = table
                give(up: clusters)
                try commit()
            } else {
                try switchHeader(changed)
            }
        }
        // Nor must what a bigger backing file has there.
        if size > old, let backing, backing.size > old {
            try writeZeroes(at: old, count: min(size, backing.size) - old, mayUnmap: true)
        }
    }
}
