// Whether the tables of a qcow2 image agree with each other, and how they are made to.

import HostOS

public struct QCOW2CheckResult: Sendable, Equatable {
    public var corruptions = 0
    public var leaks = 0
    public var fixedCorruptions = 0
    public var fixedLeaks = 0
    /// Clusters of the disk: all, those with a place of their own, those that do not follow the one before, and compressed ones.
    public var totalClusters: UInt64 = 0
    public var allocatedClusters: UInt64 = 0
    public var fragmentedClusters: UInt64 = 0
    public var compressedClusters: UInt64 = 0
    public var endOffset: UInt64 = 0
}

public enum QCOW2Repair: Sendable { case nothing, leaks, all }

/// How often clusters are named, counted anew. Only regions that hold a named cluster take memory.
private struct CountedReferences {
    private static let regionSize: UInt64 = 256
    private static let regionLimit = 1 << 20
    private(set) var regions: [UInt64: [UInt32]] = [:]

    subscript(cluster: UInt64) -> UInt64 {
        guard let region = regions[cluster / Self.regionSize] else { return 0 }
        return UInt64(region[Int(cluster % Self.regionSize)])
    }

    /// False: that would be more regions than there is memory for.
    mutating func add(_ cluster: UInt64) -> Bool {
        if regions.count == Self.regionLimit, regions[cluster / Self.regionSize] == nil { return false }
        regions[cluster / Self.regionSize, default: Array(repeating: 0, count: Int(Self.regionSize))][
            Int(cluster % Self.regionSize)] += 1
        return true
    }

    var clusters: [UInt64] {
        regions.keys.sorted().flatMap { region in
            (0..<Self.regionSize).map { region * Self.regionSize + $0 }
        }.filter { self[$0] != 0 }
    }
}

extension QCOW2Image {
    /// `report` is told what is wrong, a line each.
    public func check(_ repair: QCOW2Repair, _ report: (String) -> Void) throws(BlockError) -> QCOW2CheckResult {
        try ranges.with(0..<UInt64.max, alone: true) { () throws(BlockError) in
            try lock.withLock { () throws(BlockError) in try checkLocked(repair, report) }
        }
    }

    func checkLocked(_ repair: QCOW2Repair, _ report: (String) -> Void) throws(BlockError) -> QCOW2CheckResult {
        try commit(withRefcounts: true)
        // It does not outlive this call.
        let result = try withoutActuallyEscaping(report) { (report) throws(BlockError) in
            var check = Check(image: self, repair: repair, report: report)
            try check.run()
            return check.result
        }
        if repair == .all, result.corruptions == result.fixedCorruptions {
            try commit(withRefcounts: true)
            if header.incompatible & (QCOW2Header.corrupt | QCOW2Header.dirty) != 0 {
                header.incompatible &= ~(QCOW2Header.corrupt | QCOW2Header.dirty)
                isMarkedDirty = false
                try header.writeFields(file)
                try file.flush()
            }
        }
        return result
    }

    private struct Check {
        let image: QCOW2Image
        let repair: QCOW2Repair
        let report: (String) -> Void
        var result = QCOW2CheckResult()
        var counted = CountedReferences()
        var previousData: UInt64?
        var blocksAreDamaged = false

        init(image: QCOW2Image, repair: QCOW2Repair, report: @escaping (String) -> Void) {
            self.image = image
            self.repair = repair
            self.report = report
        }

        private func hex(_ value: UInt64) -> String { String(value, radix: 16) }

        mutating func run() throws(BlockError) {
            let clusterSize = image.clusterSize, header = image.header
            result.totalClusters = (header.size + clusterSize - 1) / clusterSize
            try add(0..<1)
            try countTables(active: true, image.l1, at: header.l1Offset)
            for snapshot in image.snapshots {
                let table = try QCOW2Image.readTable(image.file, snapshot.l1Offset, snapshot.l1Count)
                try countTables(active: false, table, at: snapshot.l1Offset)
            }
            if !image.snapshots.isEmpty {
                try add(image.tableClusters(header.snapshotsOffset, Int(image.snapshotTableSize)))
            }
            try add(
                image.tableClusters(header.refcountTableOffset, Int(header.refcountTableClusters) << header.clusterBits)
            )
            try countBlocks()
            try addBitmaps()
            if blocksAreDamaged {
                if repair == .all { try rebuild() }
            } else {
                try compare()
            }
            try checkCopied()
            result.endOffset = try lastUsed() << image.clusterBits
        }

        private mutating func wrong(_ text: String, fixes: Bool) {
            result.corruptions += 1
            if fixes { result.fixedCorruptions += 1 }
            report((fixes ? "Repairing " : "ERROR ") + text)
        }

        private mutating func add(_ clusters: Range<UInt64>) throws(BlockError) {
            for cluster in clusters where !counted.add(cluster) {
                throw image.failure(.nomem, "its clusters are too far apart to be checked")
            }
        }

        /// Is that where a table or a cluster can be?
        private func isPlace(_ offset: UInt64) -> Bool {
            offset & (image.clusterSize - 1) == 0 && offset >> image.clusterBits < image.freshCluster
        }

        // MARK: What is named

        private mutating func countTables(active: Bool, _ l1: [UInt64], at offset: UInt64) throws(BlockError) {
            try add(image.tableClusters(offset, 8 * l1.count))
            for (index, entry) in l1.enumerated() where entry & QCOW2Entry.place != 0 {
                let place = entry & QCOW2Entry.place
                guard isPlace(place) else {
                    let fixes = repair == .all && active
                    wrong("L2 table offset \(hex(place)) of L1 entry \(index) is invalid", fixes: fixes)
                    if fixes { image.set(index, 0) }
                    continue
                }
                try add(place >> image.clusterBits..<place >> image.clusterBits + 1)
                let table = try QCOW2Image.readTable(image.file, place, 1 << Int(image.l2Bits))
                for (slot, entry) in table.enumerated() where entry != 0 {
                    let isGood = try count(entry, active: active)
                    if isGood { continue }
                    let fixes = repair == .all
                    wrong("cluster of L2 entry \(hex(entry)) is at an invalid place", fixes: fixes)
                    if fixes { try clear(place, slot) }
                }
            }
        }

        private mutating func count(_ entry: UInt64, active: Bool) throws(BlockError) -> Bool {
            let used = image.used(by: entry)
            let isCompressed = entry & QCOW2Entry.compressed != 0
            if !used.isEmpty {
                let isGood =
                    isCompressed ? used.upperBound <= image.freshCluster + 1 : isPlace(entry & QCOW2Entry.place)
                if !isGood { return false }
            }
            // The sectors of a compressed cluster may reach behind the file's end.
            try add(used.clamped(to: 0..<image.freshCluster))
            if !active || used.isEmpty { return true }
            result.allocatedClusters += 1
            if isCompressed {
                result.compressedClusters += 1
                result.fragmentedClusters += 1
            } else {
                if let previousData, used.lowerBound != previousData + 1 { result.fragmentedClusters += 1 }
                previousData = used.lowerBound
            }
            return true
        }

        /// What was there is lost.
        private func clear(_ l2Offset: UInt64, _ slot: Int) throws(BlockError) {
            guard let table = try image.l2Table(l2Offset) else { return }
            let entry = image.header.version > 2 ? QCOW2Entry.zero : 0
            table.storeBytes(of: entry.bigEndian, toByteOffset: 8 * slot, as: UInt64.self)
            image.l2Tables.markDirty(l2Offset)
        }

        private mutating func countBlocks() throws(BlockError) {
            for (index, entry) in image.refcountTable.enumerated() where entry & ~511 != 0 {
                let place = entry & ~511
                guard isPlace(place) else {
                    wrong("refcount block \(index) is at an invalid place \(hex(place))", fixes: repair == .all)
                    blocksAreDamaged = true
                    continue
                }
                try add(place >> image.clusterBits..<place >> image.clusterBits + 1)
                if counted[place >> image.clusterBits] > 1 {
                    wrong(
                        "refcount block \(index) refcount=\(counted[place >> image.clusterBits])", fixes: repair == .all
                    )
                    blocksAreDamaged = true
                }
            }
        }

        /// Bitmaps are not used, but their clusters are.
        private mutating func addBitmaps() throws(BlockError) {
            for (type, bytes) in image.header.unknownExtensions where type == 0x2385_2875 && bytes.count >= 24 {
                let fields = BigEndianBytes(bytes)
                let count = fields.long(8), offset = fields.long(16)
                guard isPlace(offset), count <= 64 << 20, offset + count <= image.freshCluster << image.clusterBits
                else {
                    wrong("the directory of bitmaps is at an invalid place", fixes: false)
                    return
                }
                try add(image.tableClusters(offset, Int(count)))
                let directory = BigEndianBytes(try image.file.read(at: offset, count: Int(count)))
                var at = 0
                while at + 24 <= Int(count) {
                    let place = directory.long(at), entries = Int(directory.word(at + 8))
                    guard isPlace(place), entries <= 32 << 20 / 8 else { break }
                    try add(image.tableClusters(place, 8 * entries))
                    for entry in try QCOW2Image.readTable(image.file, place, entries)
                    where entry & QCOW2Entry.place != 0 {
                        try add(image.used(by: entry & QCOW2Entry.place))
                    }
                    at += (24 + Int(directory.half(at + 18)) + Int(directory.word(at + 20)) + 7) & ~7
                }
            }
        }

        // MARK: What is counted

        private mutating func compare() throws(BlockError) {
            let end = max(image.freshCluster, (counted.regions.keys.max() ?? 0) * 256 + 256)
            var cluster: UInt64 = 0
            // What is free for repairs lies behind all that is named.
            let fixesAll = repair == .all
            image.freeHint = fixesAll ? image.freshCluster : image.freeHint
            var changes: [(UInt64, UInt64)] = []
            while cluster < end {
                // Where neither a block nor a name is, nothing is to be compared.
                let block = cluster / image.refcountsPerBlock
                let hasBlock = block < UInt64(image.refcountTable.count) && image.refcountTable[Int(block)] & ~511 != 0
                if !hasBlock, counted.regions[cluster / 256] == nil {
                    cluster += 256 - cluster % 256
                    continue
                }
                let stored = try image.refcount(cluster), real = counted[cluster]
                if stored > real {
                    let fixes = repair != .nothing
                    result.leaks += 1
                    if fixes { result.fixedLeaks += 1 }
                    report("\(fixes ? "Repairing" : "Leaked") cluster \(cluster) refcount=\(stored) reference=\(real)")
                    if fixes { changes.append((cluster, real)) }
                } else if stored < real {
                    wrong("cluster \(cluster) refcount=\(stored) reference=\(real)", fixes: fixesAll)
                    if fixesAll { changes.append((cluster, real)) }
                }
                cluster += 1
            }
            for (cluster, real) in changes { try image.setRefcount(cluster, real) }
        }

        /// New refcounts behind the end of the file.
        private mutating func rebuild() throws(BlockError) {
            let old = image.refcountTable
            image.refcountBlocks.forgetAll()
            image.refcountTable = Array(repeating: 0, count: old.count)
            var isDropped = Set(old.map { ($0 & ~511) >> image.clusterBits }.filter { $0 != 0 })
            isDropped.formUnion(
                image.tableClusters(
                    image.header.refcountTableOffset,
                    Int(image.header.refcountTableClusters) << image.header.clusterBits))
            image.freeHint = image.freshCluster
            for cluster in counted.clusters {
                // Only the old refcounts named these, unless something else does too.
                let uses = counted[cluster] - (isDropped.contains(cluster) ? 1 : 0)
                if uses > 0 { try image.setRefcount(cluster, uses) }
            }
            try image.moveTable()
        }

        private mutating func checkCopied() throws(BlockError) {
            let fixes = repair == .all
            for (index, entry) in image.l1.enumerated() where entry & QCOW2Entry.place != 0 {
                let place = entry & QCOW2Entry.place
                if !isPlace(place) { continue }
                let count = try image.refcount(place >> image.clusterBits)
                if (count == 1) != (entry & QCOW2Entry.copied != 0) {
                    wrong(
                        "OFLAG_COPIED L2 cluster: l1_index=\(index) l1_entry=\(hex(entry)) refcount=\(count)",
                        fixes: fixes)
                }
                guard let table = try image.l2Table(entry) else { continue }
                for slot in 0..<1 << Int(image.l2Bits) {
                    let entry = QCOW2Image.entry(table, slot)
                    let place = entry & QCOW2Entry.place
                    if entry & QCOW2Entry.compressed != 0 || place == 0 || !isPlace(place) { continue }
                    let count = try image.refcount(place >> image.clusterBits)
                    if (count == 1) != (entry & QCOW2Entry.copied != 0) {
                        wrong("OFLAG_COPIED data cluster: l2_entry=\(hex(entry)) refcount=\(count)", fixes: fixes)
                    }
                }
            }
            if fixes, result.corruptions > 0 { try image.refreshCopied() }
        }

        private func lastUsed() throws(BlockError) -> UInt64 {
            var cluster = image.freshCluster
            while cluster > 0, try image.refcount(cluster - 1) == 0 { cluster -= 1 }
            return cluster
        }
    }
}
