// New qcow2 images.

import HostOS

public struct QCOW2Creation: Sendable {
    public var size: UInt64
    public var clusterSize: UInt64 = 65536
    public var version: UInt32 = 3
    public var refcountBits = 16
    public var hasLazyRefcounts = false
    /// "zlib" or "zstd".
    public var compression = "zlib"
    public var backingFile: String?
    public var backingFormat: String?

    public init(size: UInt64) { self.size = size }
}

extension QCOW2Image {
    //   cluster 0           the header
    //   1                   the refcount table
    //   then                refcount blocks, the L1 table
    /// Makes an image of the file, whose contents are lost.
    public static func create(_ file: any BlockStorage, _ creation: QCOW2Creation) throws(BlockError) {
        func refuse(_ what: String) -> BlockError { BlockError(.inval, "\(file.path): \(what)") }
        let bits = creation.clusterSize.trailingZeroBitCount
        guard creation.clusterSize.nonzeroBitCount == 1, QCOW2Header.clusterBitsRange.contains(bits) else {
            throw refuse("Cluster size must be a power of two between 512 and 2048k")
        }
        guard creation.refcountBits.nonzeroBitCount == 1, (1...64).contains(creation.refcountBits) else {
            throw refuse("Refcount width must be a power of two and may not exceed 64 bits")
        }
        guard creation.version == 3 || creation.version == 2 && creation.refcountBits == 16 else {
            throw refuse(
                "Different refcount widths than 16 bits require compatibility level 1.1 or above (use compat=1.1 or greater)"
            )
        }
        guard creation.version == 3 || !creation.hasLazyRefcounts else {
            throw refuse(
                "Lazy refcounts only supported with compatibility level 1.1 and above (use compat=1.1 or greater)")
        }
        var header = QCOW2Header()
        header.version = creation.version
        header.clusterBits = bits
        header.size = (creation.size + 511) & ~511
        header.refcountOrder = creation.refcountBits.trailingZeroBitCount
        if creation.hasLazyRefcounts { header.compatible |= QCOW2Header.lazyRefcounts }
        if creation.compression == "zstd" {
            guard creation.version == 3 else {
                throw refuse(
                    "Non-zlib compression type is only supported with compatibility level 1.1 and above (use compat=1.1 or greater)"
                )
            }
            header.compression = 1
            header.incompatible |= QCOW2Header.compressionType
        }
        header.backingFile = creation.backingFile
        header.backingFormat = creation.backingFormat
        guard creation.backingFile?.utf8.count ?? 0 <= 1023 else {
            throw refuse("the name of its backing file is too long")
        }
        header.l1Count = QCOW2Header.l1Count(for: header.size, bits)
        guard header.size <= UInt64(Int64.max), header.l1Count * 8 <= QCOW2Header.largestL1 else {
            throw refuse("The image size is too large (try using a larger cluster size)")
        }
        header.refcountTableOffset = 1 << UInt64(bits)
        header.refcountTableClusters = 1

        let clusterSize = creation.clusterSize
        let l1Clusters = (UInt64(header.l1Count * 8) + clusterSize - 1) / clusterSize
        let perBlock = 8 * clusterSize / UInt64(creation.refcountBits)
        // Blocks that hold the refcounts of all that is there at first.
        var blocks: UInt64 = 1
        while blocks * perBlock < 2 + blocks + l1Clusters { blocks += 1 }
        header.l1Offset = (2 + blocks) << UInt64(bits)
        guard blocks * 8 <= clusterSize else {
            throw refuse("its L1 table is too big for clusters of \(clusterSize) bytes; use larger clusters")
        }
        let end = (2 + blocks + l1Clusters) << UInt64(bits)
        try file.writeZeroes(at: 0, count: end, mayUnmap: true)
        if file.endReadsAsZero { try file.truncate(to: end) }
        var table = BigEndianWriter()
        for block in 0..<blocks { table.long((2 + block) << UInt64(bits)) }
        try file.write(at: header.refcountTableOffset, bytes: table.all)
        try header.write(file)
        try file.flush()
        var options = ImageOptions()
        options.opensBacking = false
        let image = try QCOW2Image(file, options)
        for cluster in 0..<2 + blocks + l1Clusters { try image.setRefcount(cluster, 1) }
        try image.commit(withRefcounts: true)
        if image.isMarkedDirty { try image.clearDirtyMark() }
    }

    /// Names another backing file, or none. This image goes on with the one it was opened with.
    public func setBackingFile(_ name: String?, format: String?) throws(BlockError) {
        if isReadOnly { throw failure(.rofs, "it can only be read") }
        try lock.withLock { () throws(BlockError) in
            try commit()
            var changed = header
            changed.backingFile = name
            changed.backingFormat = name == nil ? nil : format
            try changed.write(file)
            try file.flush()
            header = changed
        }
    }
}
