// Where everything goes that is loaded into RAM. No two things share a byte, and nothing reaches past RAM's end.

/// A range of RAM and what is in it.
public struct PlacedRange: Sendable {
    /// As the user knows it: `kernel vmlinux`.
    public let what: String
    public let start: UInt64
    public let size: UInt64
    var last: UInt64 { start + (size - 1) }
}

public struct Placement: Sendable {
    public let ramBase: UInt64
    public let ramSize: UInt64
    /// Sorted by address.
    public private(set) var ranges: [PlacedRange] = []

    init(ramBase: UInt64, ramSize: UInt64) {
        self.ramBase = ramBase
        self.ramSize = ramSize
    }

    /// Why something has no place.
    enum Conflict: Error {
        case outside(PlacedRange)
        case overlap(PlacedRange, PlacedRange)
    }

    func contains(_ start: UInt64, _ size: UInt64) -> Bool {
        let offset = start &- ramBase
        return offset <= ramSize && size <= ramSize - offset
    }

    /// Takes [start, start + size); size 0 takes nothing.
    mutating func add(_ what: String, at start: UInt64, size: UInt64) throws(Conflict) {
        let range = PlacedRange(what: what, start: start, size: size)
        guard contains(start, size) else { throw .outside(range) }
        if size == 0 { return }
        let index = ranges.firstIndex { $0.start > start } ?? ranges.count
        if index > 0, ranges[index - 1].last >= start { throw .overlap(range, ranges[index - 1]) }
        if index < ranges.count, ranges[index].start <= range.last { throw .overlap(range, ranges[index]) }
        ranges.insert(range, at: index)
    }
}

/// What a boot wants to have in RAM, as sizes: enough to say where it goes, whatever RAM's size is.
struct BootContents {
    /// Ranges with addresses of their own: (what, start, size).
    var fixed: [(what: String, start: UInt64, size: UInt64)] = []
    /// Where firmware ends; nil: there is none, and the kernel begins where RAM does.
    var firmwareEnd: UInt64?
    /// What goes behind the firmware; nil: nothing, or it has an address of its own.
    var kernel: (what: String, size: UInt64)?
    /// Where a kernel with an address of its own begins.
    var kernelStart: UInt64?
    var initrd: (what: String, size: UInt64)?
    var treeSize: UInt64 = 0
    var width: HartWidth = .bits64
}

/// Where it goes.
struct BootLayout {
    var placement: Placement
    var kernel: UInt64 = 0
    var initrd: UInt64 = 0
    var tree: UInt64 = 0

    /// The rules of `virt` and `spike`, which are QEMU's.
    init(_ contents: BootContents, ramBase: UInt64, ramSize: UInt64) throws(Placement.Conflict) {
        placement = Placement(ramBase: ramBase, ramSize: ramSize)
        for range in contents.fixed { try placement.add(range.what, at: range.start, size: range.size) }
        // Kernels map themselves with the large pages of Sv39 (2 MiB) and Sv32 (4 MiB).
        let largePage: UInt64 = contents.width == .bits32 ? 4 << 20 : 2 << 20
        kernel = contents.kernelStart ?? contents.firmwareEnd.map { Self.up($0, to: largePage) } ?? ramBase
        if let image = contents.kernel { try placement.add(image.what, at: kernel, size: image.size) }
        if let image = contents.initrd {
            // Far enough for the kernel to grow where RAM is small, near enough for it to map where RAM is large.
            initrd = kernel &+ min(ramSize / 2, 512 << 20)
            try placement.add(image.what, at: initrd, size: image.size)
        }
        // Near the end of what a 32-bit kernel can map.
        let top = ramBase &+ ramSize
        let limit = contents.width == .bits32 && ramBase < 3 << 30 ? min(top, 3 << 30) : top
        let lowest = limit &- contents.treeSize
        tree = lowest & ~((2 << 20) - 1)
        try placement.add("the device tree", at: tree, size: contents.treeSize)
    }

    private static func up(_ address: UInt64, to alignment: UInt64) -> UInt64 {
        (address &+ (alignment - 1)) & ~(alignment - 1)
    }

    /// The least RAM of more than `ramSize`, in MiB, that the contents fit into; nil: no RAM that one could have would do.
    static func leastRAM(for contents: BootContents, ramBase: UInt64, above ramSize: UInt64) -> UInt64? {
        let first = ramSize >> 20 + 1, last: UInt64 = 1 << 16
        if first > last { return nil }
        // A step is a few comparisons.
        return (first...last).first { mebibytes in
            (try? BootLayout(contents, ramBase: ramBase, ramSize: mebibytes << 20)) != nil
        }
    }
}

extension Placement.Conflict {
    /// One line; `least`: MiB of RAM that would do.
    func message(_ ramSize: UInt64, least: UInt64?) -> MachineError {
        func text(_ range: PlacedRange) -> String {
            "\(range.what) (\(hexadecimal(range.start)) to \(hexadecimal(range.start &+ range.size &- 1)))"
        }
        let what =
            switch self {
            case .outside(let range): "\(text(range)) does not lie in RAM of \(readableSize(ramSize))"
            case .overlap(let range, let other): "\(text(range)) and \(text(other)) overlap"
            }
        return MachineError(least.map { "\(what): -m \($0)M is enough" } ?? what)
    }
}
