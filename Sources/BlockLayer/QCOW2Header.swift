// The header of a qcow2 image. Source: QEMU, docs/interop/qcow2.txt, "Header" and "Header extensions".

import HostOS

public struct QCOW2Header: Sendable, Equatable {
    static let magic: [UInt8] = [0x51, 0x46, 0x49, 0xfb]

    public var version: UInt32 = 3
    public var clusterBits = 16
    public var size: UInt64 = 0
    public var backingFile: String?
    public var backingFormat: String?
    public var l1Count = 0
    public var l1Offset: UInt64 = 0
    public var refcountTableOffset: UInt64 = 0
    public var refcountTableClusters: UInt32 = 0
    public var snapshotCount: UInt32 = 0
    public var snapshotsOffset: UInt64 = 0
    public var incompatible: UInt64 = 0
    public var compatible: UInt64 = 0
    public var autoclear: UInt64 = 0
    public var refcountOrder = 4
    public var compression: UInt8 = 0
    /// Bytes between the fields that are known and the end of the header, and extensions that are not known: they are kept.
    var unknownFields: [UInt8] = []
    var unknownExtensions: [(type: UInt32, bytes: [UInt8])] = []
    /// Of what is stored in the file: it must fit into the first cluster.
    var hasFeatureNames = true

    public init() {}

    public var clusterSize: Int { 1 << clusterBits }
    public var refcountBits: Int { 1 << refcountOrder }
    public var isDirty: Bool { incompatible & Self.dirty != 0 }
    public var isCorrupt: Bool { incompatible & Self.corrupt != 0 }
    public var hasLazyRefcounts: Bool { compatible & Self.lazyRefcounts != 0 }

    static let dirty: UInt64 = 1, corrupt: UInt64 = 2, externalData: UInt64 = 4, compressionType: UInt64 = 8
    static let extendedL2: UInt64 = 16
    static let lazyRefcounts: UInt64 = 1

    // Limits of QEMU's, for images to be of use to both.
    static let clusterBitsRange = 9...21
    static let largestL1 = 32 << 20, largestRefcountTable = 8 << 20

    public static func == (a: QCOW2Header, b: QCOW2Header) -> Bool { a.encoded() == b.encoded() }

    private enum Extension {
        static let end: UInt32 = 0, backingFormat: UInt32 = 0xe279_2aca, featureNames: UInt32 = 0x6803_f857
        static let encryption: UInt32 = 0x0537_be77, externalData: UInt32 = 0x4441_5441
    }

    private static let featureNames: [(kind: UInt8, bit: UInt8, name: String)] = [
        (0, 0, "dirty bit"), (0, 1, "corrupt bit"), (0, 2, "external data file"), (0, 3, "compression type"),
        (0, 4, "extended L2 entries"), (1, 0, "lazy refcounts"), (2, 0, "bitmaps"), (2, 1, "raw external data"),
    ]
}

// MARK: From the file

extension QCOW2Header {
    /// Reads and checks it.
    public init(_ file: any BlockStorage) throws(BlockError) {
        func refuse(_ what: String, _ errno: Errno = .inval) -> BlockError {
            BlockError(errno, "\(file.path): \(what)")
        }
        let start = BigEndianBytes(try file.read(at: 0, count: 112))
        guard Array(start.bytes[..<4]) == Self.magic else { throw refuse("it is no qcow2 image") }
        version = start.word(4)
        guard version == 2 || version == 3 else {
            throw refuse("version \(version) of qcow2 is not supported", .opnotsupp)
        }
        clusterBits = Int(start.word(20))
        guard Self.clusterBitsRange.contains(clusterBits) else {
            throw refuse("clusters of 2^\(clusterBits) bytes; wanted 512 bytes to 2 MiB")
        }
        size = start.long(24)
        switch start.word(32) {
        case 0: break
        case 1: throw refuse("it is encrypted with AES, which is not supported", .opnotsupp)
        case 2: throw refuse("it is encrypted with LUKS, which is not supported", .opnotsupp)
        case let method: throw refuse("encryption method \(method) is not supported", .opnotsupp)
        }
        var headerLength = 72
        if version == 3 {
            incompatible = start.long(72)
            compatible = start.long(80)
            autoclear = start.long(88)
            refcountOrder = Int(start.word(96))
            headerLength = Int(start.word(100))
            guard refcountOrder <= 6 else {
                throw refuse("refcounts of 2^\(refcountOrder) bits; at most 64 are possible")
            }
            guard headerLength >= 104, headerLength % 8 == 0, headerLength <= clusterSize else {
                throw refuse("a header of \(headerLength) bytes")
            }
            if headerLength > 104 { compression = start.bytes[104] }
        }
        let first = BigEndianBytes(try file.read(at: 0, count: clusterSize))
        if headerLength > 112 { unknownFields = Array(first.bytes[112..<headerLength]) }
        try readExtensions(first, from: headerLength, refuse)
        try checkFeatures(first, headerLength, refuse)

        let nameOffset = start.long(8), nameCount = Int(start.word(16))
        if nameOffset != 0 {
            guard nameCount > 0, nameCount <= 1023, nameOffset <= UInt64(clusterSize - nameCount) else {
                throw refuse("the name of its backing file is not in its first cluster")
            }
            let at = Int(nameOffset)
            backingFile = String(decoding: first.bytes[at..<at + nameCount], as: UTF8.self)
        }
        l1Count = Int(start.word(36))
        l1Offset = start.long(40)
        refcountTableOffset = start.long(48)
        refcountTableClusters = start.word(56)
        snapshotCount = start.word(60)
        snapshotsOffset = start.long(64)
        guard l1Count * 8 <= Self.largestL1 else { throw refuse("its L1 table is too big") }
        guard size <= UInt64(Int64.max), l1Count >= Self.l1Count(for: size, clusterBits) else {
            throw refuse("its L1 table is too small for \(size) bytes")
        }
        guard refcountTableClusters > 0,
            Int(refcountTableClusters) * clusterSize <= max(Self.largestRefcountTable, clusterSize)
        else { throw refuse("a refcount table of \(refcountTableClusters) clusters") }
        let length = try file.size()
        for (table, offset, bytes) in [
            ("L1 table", l1Offset, UInt64(l1Count * 8)),
            ("refcount table", refcountTableOffset, UInt64(refcountTableClusters) << UInt64(clusterBits)),
        ] where bytes > 0 {
            guard offset % UInt64(clusterSize) == 0, offset != 0, offset < length,
                bytes <= length + UInt64(clusterSize) - offset
            else { throw refuse("its \(table) is at \(offset), which is no place for one") }
        }
        guard snapshotCount <= 65536, snapshotsOffset % UInt64(clusterSize) == 0, snapshotsOffset < length else {
            throw refuse("a table of \(snapshotCount) snapshots at \(snapshotsOffset)")
        }
    }

    /// Entries of an L1 table for so many bytes.
    static func l1Count(for size: UInt64, _ clusterBits: Int) -> Int {
        let covered = UInt64(2 * clusterBits - 3)
        return Int(clamping: size >> covered) + (size & (1 << covered - 1) == 0 ? 0 : 1)
    }

    private mutating func readExtensions(
        _ first: BigEndianBytes, from start: Int, _ refuse: (String, Errno) -> BlockError
    ) throws(BlockError) {
        hasFeatureNames = false
        var at = start
        while at + 8 <= clusterSize {
            let type = first.word(at), count = Int(first.word(at + 4))
            if type == Extension.end { return }
            at += 8
            guard count <= clusterSize - at else {
                throw refuse("a header extension is longer than the first cluster", .inval)
            }
            let bytes = Array(first.bytes[at..<at + count])
            switch type {
            case Extension.backingFormat: backingFormat = String(decoding: bytes, as: UTF8.self)
            case Extension.featureNames: hasFeatureNames = true
            case Extension.encryption: throw refuse("it is encrypted, which is not supported", .opnotsupp)
            case Extension.externalData:
                throw refuse(
                    "its data is in another file (\(String(decoding: bytes, as: UTF8.self))), which is not supported",
                    .opnotsupp)
            default: unknownExtensions.append((type, bytes))
            }
            at += (count + 7) & ~7
        }
    }

    private func checkFeatures(
        _ first: BigEndianBytes, _ start: Int, _ refuse: (String, Errno) -> BlockError
    ) throws(BlockError) {
        let known = Self.dirty | Self.corrupt | Self.compressionType
        let unknown = incompatible & ~known
        if unknown != 0 {
            let names = (0..<64).filter { unknown >> UInt64($0) & 1 != 0 }.map { bit in
                Self.featureNames.first { $0.kind == 0 && Int($0.bit) == bit }?.name
                    ?? Self.storedName(of: bit, first, start, clusterSize) ?? "bit \(bit)"
            }
            throw refuse("features that are not supported: \(names.joined(separator: ", "))", .opnotsupp)
        }
        if compression > 1 { throw refuse("compression type \(compression) is not supported", .opnotsupp) }
        if (incompatible & Self.compressionType != 0) != (compression != 0) {
            throw refuse("its compression type and the bit for it contradict each other", .inval)
        }
    }

    /// What the image itself calls a feature.
    private static func storedName(of bit: Int, _ first: BigEndianBytes, _ start: Int, _ end: Int) -> String? {
        var at = start
        while at + 8 <= end {
            let type = first.word(at), count = Int(first.word(at + 4))
            if type == Extension.end || count > end - at - 8 { return nil }
            if type == Extension.featureNames {
                for row in stride(from: at + 8, to: at + 8 + count - 47, by: 48)
                where first.bytes[row] == 0 && Int(first.bytes[row + 1]) == bit {
                    return String(decoding: first.bytes[row + 2..<row + 48].prefix { $0 != 0 }, as: UTF8.self)
                }
            }
            at += 8 + (count + 7) & ~7
        }
        return nil
    }
}

// MARK: To the file

extension QCOW2Header {
    /// The bytes from the image's start; the rest of the cluster is 0. Nil: they do not fit into it.
    func encoded() -> [UInt8]? {
        var out = BigEndianWriter()
        out.bytes(Self.magic)
        out.word(version)
        out.long(0)
        out.word(0)
        out.word(UInt32(clusterBits))
        out.long(size)
        out.word(0)
        out.word(UInt32(l1Count))
        out.long(l1Offset)
        out.long(refcountTableOffset)
        out.word(refcountTableClusters)
        out.word(snapshotCount)
        out.long(snapshotsOffset)
        if version == 3 {
            out.long(incompatible)
            out.long(compatible)
            out.long(autoclear)
            out.word(UInt32(refcountOrder))
            out.word(UInt32(112 + unknownFields.count))
            out.bytes([compression, 0, 0, 0, 0, 0, 0, 0])
            out.bytes(unknownFields)
        }
        if let backingFormat, backingFile != nil { out.extension(Extension.backingFormat, Array(backingFormat.utf8)) }
        for (type, bytes) in unknownExtensions { out.extension(type, bytes) }
        let names = hasFeatureNames && version == 3 ? Self.featureNames : []
        if !names.isEmpty, out.all.count + 8 + 48 * names.count + 8 + (backingFile?.utf8.count ?? 0) <= clusterSize {
            out.extension(
                Extension.featureNames,
                names.flatMap { row in
                    [row.kind, row.bit] + Array(row.name.utf8) + Array(repeating: 0, count: 46 - row.name.utf8.count)
                })
        }
        out.long(0)
        if let backingFile {
            out.put(UInt64(out.all.count), at: 8)
            out.put(UInt32(backingFile.utf8.count), at: 16)
            out.bytes(Array(backingFile.utf8))
        }
        return out.all.count <= clusterSize ? out.all : nil
    }

    /// The fields as they are now go to the file in one write; what lies behind them stays. For what changes in use.
    func writeFields(_ file: any BlockStorage) throws(BlockError) {
        guard let all = encoded() else { return }
        var fields = Array(all[..<(version == 3 ? 104 : 72)])
        // Where the backing file's name is does not change.
        let name = try file.read(at: 8, count: 12)
        fields.replaceSubrange(8..<20, with: name)
        if version == 3 { fields.replaceSubrange(100..<104, with: try file.read(at: 100, count: 4)) }
        try file.write(at: 0, bytes: fields)
    }

    /// Writes the whole of it.
    func write(_ file: any BlockStorage) throws(BlockError) {
        guard var all = encoded() else {
            throw BlockError(.inval, "\(file.path): the header does not fit into a cluster of \(clusterSize) bytes")
        }
        all += Array(repeating: 0, count: clusterSize - all.count)
        try file.write(at: 0, bytes: all)
    }
}

// MARK: Numbers

/// Bytes that hold numbers with the highest byte first. Offsets are the caller's to check.
struct BigEndianBytes {
    let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func half(_ at: Int) -> UInt16 { UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) }
    func word(_ at: Int) -> UInt32 { UInt32(half(at)) << 16 | UInt32(half(at + 2)) }
    func long(_ at: Int) -> UInt64 { UInt64(word(at)) << 32 | UInt64(word(at + 4)) }
}

struct BigEndianWriter {
    private(set) var all: [UInt8] = []

    mutating func bytes(_ bytes: [UInt8]) { all += bytes }
    mutating func half(_ value: UInt16) { withUnsafeBytes(of: value.bigEndian) { all += $0 } }
    mutating func word(_ value: UInt32) { withUnsafeBytes(of: value.bigEndian) { all += $0 } }
    mutating func long(_ value: UInt64) { withUnsafeBytes(of: value.bigEndian) { all += $0 } }
    mutating func pad(to multiple: Int) {
        all += Array(repeating: 0, count: (multiple - all.count % multiple) % multiple)
    }

    mutating func `extension`(_ type: UInt32, _ bytes: [UInt8]) {
        word(type)
        word(UInt32(bytes.count))
        all += bytes
        pad(to: 8)
    }

    mutating func put<T: FixedWidthInteger>(_ value: T, at: Int) {
        withUnsafeBytes(of: value.bigEndian) { all.replaceSubrange(at..<at + $0.count, with: $0) }
    }
}
