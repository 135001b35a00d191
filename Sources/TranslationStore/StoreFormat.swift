// The format of a file of translations. One file holds what was translated of one file of guest code under one configuration, grouped
// by guest page.
//
//     +---------------+ 0
//     | StoreHead     |   identity, sizes, hash of itself and the tables
//     | StorePage ... |   one per guest page, ascending
//     | StoreUses ... |   one per guest page of other files, ascending: which of their rows the program runs
//     | UInt16 ...    |   the offsets in the page that they name; padded to 8
//     +---------------+
//     | page          |   StoreRow ..., ascending by pc, then the rows' bodies, each at a multiple of 8 bytes:
//     |               |       ranges    StoredRange each: which guest bytes it was made from
//     |               |       bytes     those bytes, padded to 8
//     |               |       region    what the host exported
//     | page ...      |   the rows with a hash in the table, each body with one in its row, checked when they are first wanted
//     +---------------+
//
// Numbers are the host's own: a file is read by the build that wrote it, on the same kind of machine. A translation is used only
// where guest memory holds the very bytes that it was made from, so a changed program costs time, never correctness.

/// Start of the file.
struct StoreHead: BitwiseCopyable {
    static let magic = UInt64(littleEndian: 0x74_656c_7472_614d)  // "Martlet"
    static let currentVersion: UInt32 = 3
    static let stride = MemoryLayout<StoreHead>.stride

    var magic = Self.magic
    var version = Self.currentVersion
    var pageCount: UInt32 = 0
    /// Build, guest, options, file of guest code: `StoreIdentity`.
    var identity: StoreIdentity
    /// Of the whole file.
    var size: UInt64 = 0
    var rowCount: UInt32 = 0
    /// Bytes of the host's stubs at the start of a code buffer.
    var stubBytes: UInt32 = 0
    var usesCount: UInt32 = 0
    /// Offsets in all `StoreUses` together.
    var offsetCount: UInt32 = 0
    /// Hash of the head with zero here, and of the tables.
    var hash: UInt64 = 0

    /// Where the tables start, and what comes after them.
    var usesAt: Int { Self.stride + Int(pageCount) * StorePage.stride }
    var offsetsAt: Int { usesAt + Int(usesCount) * StoreUses.stride }
    var tableEnd: Int { aligned8(offsetsAt + Int(offsetCount) * 2) }
}

/// One guest page in the table. It is the unit in which a file is read, whatever pages the guest has.
struct StorePage: BitwiseCopyable {
    static let bits: UInt64 = 12
    static let size: UInt64 = 1 << bits
    static let stride = MemoryLayout<StorePage>.stride

    /// Guest address >> bits.
    var page: UInt64
    /// Where its rows start in the file, and how many bytes they and their bodies take.
    var offset: UInt64
    var byteCount: UInt32
    var rowCount: UInt32
    /// Rows of earlier pages.
    var firstRow: UInt32
    var unused: UInt32 = 0
    /// Of the rows.
    var hash: UInt64
}

/// The rows on a guest page of another file that the program runs.
struct StoreUses: BitwiseCopyable {
    static let stride = MemoryLayout<StoreUses>.stride

    /// Guest address >> bits.
    var page: UInt64
    /// Of the offsets in the file.
    var first: UInt32
    var count: UInt32
}

/// One translation. It starts in the page that it is listed under.
struct StoreRow: BitwiseCopyable {
    static let stride = MemoryLayout<StoreRow>.stride

    var pc: UInt64
    var mode: UInt64
    /// Where its body starts, from the page's first byte.
    var offset: UInt32
    var byteCount: UInt32
    var rangeCount: UInt16
    /// The execution counter that its code uses.
    var counter: UInt16
    var isOptimized: Bool
    /// Runs in a row that saved and found other bytes in its place.
    var age: UInt8
    /// An optimized region that would be larger if calls were followed further.
    var canGrow: Bool
    var unused: UInt8 = 0
    /// Of the body.
    var hash: UInt64

    /// One whose body is no translation.
    static func unusable(_ pc: UInt64) -> StoreRow {
        StoreRow(
            pc: pc, mode: 0, offset: 0, byteCount: 0, rangeCount: 0, counter: 0, isOptimized: false, age: 0,
            canGrow: false, hash: 0)
    }
}

/// Guest bytes in a row's body, by the address at which its code sees them.
struct StoredRange: BitwiseCopyable {
    static let stride = MemoryLayout<StoredRange>.stride

    var start: UInt64
    var count: UInt64
}

/// What a file is for, as a hash of a description.
public struct StoreIdentity: BitwiseCopyable, Equatable, Sendable {
    var first: UInt64
    var second: UInt64

    /// Whatever the translations depend on besides guest bytes, as text or bytes.
    public init(describing description: some Sequence<UInt8>) {
        let bytes = Array(description)
        (first, second) = bytes.withUnsafeBytes { (contentHash($0, seed: 1), contentHash($0, seed: 2)) }
    }

    /// 32 hexadecimal digits.
    public var text: String { [first, second].map { digits($0) }.joined() }

    private func digits(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }
}

/// A hash that finds accidents: lanes, each folds the 128-bit products of 8-byte words. Two lanes, and four where there is much.
public func contentHash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    @inline(__always) func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
    let first: UInt64 = 0x9E37_79B9_7F4A_7C15, second: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    var left = seed ^ first, right = UInt64(bytes.count) ^ second
    var at = 0
    if bytes.count >= 128 {
        var third = left &+ second, fourth = right &+ first
        while at &+ 32 <= bytes.count {
            @inline(__always) func word(_ offset: Int) -> UInt64 {
                bytes.loadUnaligned(fromByteOffset: at &+ offset, as: UInt64.self)
            }
            let a = word(0), b = word(8), c = word(16), d = word(24)
            left = fold(left ^ a, first) &+ b
            right = fold(right ^ b, second) &+ a
            third = fold(third ^ c, first) &+ d
            fourth = fold(fourth ^ d, second) &+ c
            at &+= 32
        }
        left = fold(left ^ third, second)
        right = fold(right ^ fourth, first)
    }
    while at &+ 16 <= bytes.count {
        let a = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        let b = bytes.loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self)
        // The sum keeps a word visible whose product happens to vanish.
        left = fold(left ^ a, first) &+ b
        right = fold(right ^ b, second) &+ a
        at &+= 16
    }
    if at &+ 8 <= bytes.count {
        left = fold(left ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self), first) &+ 1
        at &+= 8
    }
    var rest: UInt64 = 0
    while at < bytes.count {
        rest = rest &<< 8 | UInt64(bytes[at])
        at &+= 1
    }
    right = fold(right ^ rest, second) &+ 1
    return fold(left ^ right &>> 32, second ^ right)
}

/// The next multiple of 8.
func aligned8(_ size: Int) -> Int { (size + 7) & ~7 }
