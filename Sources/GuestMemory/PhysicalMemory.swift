// The physical addresses of a machine: which of them are memory, which are devices, and which are nothing.

/// Host memory at physical addresses: RAM, or ROM, which the guest cannot write. Guest-visible memory is reached by (block, offset) alone,
/// or by what can be dropped: entries of look-up tables.
public final class RAMBlock: @unchecked Sendable {
    public let name: String
    public let base: UnsafeMutableRawPointer
    /// Bytes, a multiple of `PhysicalMap.pageSize`.
    public let size: UInt64
    public let isReadOnly: Bool
    /// By page: which of its 64 chunks of 64 bytes hold bytes that code was translated from. Changed under the translation lock, read
    /// by anyone.
    public let codeChunks: UnsafeMutablePointer<UInt64>
    /// Of memory that the guest cannot write: who gets what it writes there. Set before anything runs.
    public var cover: (any MemoryCover)?

    /// Takes over zeroed memory for `size` bytes and for the chunks of its pages (eight bytes each), which the owner frees.
    public init(
        _ name: String, base: UnsafeMutableRawPointer, size: UInt64, isReadOnly: Bool,
        codeChunks: UnsafeMutablePointer<UInt64>
    ) {
        self.name = name
        self.base = base
        self.size = size
        self.isReadOnly = isReadOnly
        self.codeChunks = codeChunks
    }
}

/// What answers at physical addresses that are not memory. Called by vCPUs' threads, several at a time.
public protocol PhysicalDevice: AnyObject, Sendable {
    /// Reads `size` bytes (1, 2, 4 or 8), little-endian, at `offset` from the start of its range. Nil: the bus reports an error.
    func read(_ offset: UInt64, size: Int) -> UInt64?
    /// The same for writing the low bytes of `value`. False: the bus reports an error.
    func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool
}

/// A device with memory in it, such as a flash memory: writes are its commands, and reads are its answers while it does not show the memory.
/// Code is executed from the memory at all times. Offsets are those in the block.
public protocol MemoryCover: PhysicalDevice {
    var showsMemory: Bool { get }
}

/// Physical addresses [start, start + size) and what they are.
public struct PhysicalRange: Sendable {
    public enum Content: Sendable {
        case memory(RAMBlock)
        case device(any PhysicalDevice)
    }
    public let name: String
    public let start: UInt64
    /// At least 1; `start + size` does not wrap.
    public let size: UInt64
    public let content: Content
    /// Of memory: what of the block its first byte is.
    public let blockOffset: UInt64

    public init(_ name: String, start: UInt64, size: UInt64, blockOffset: UInt64 = 0, _ content: Content) {
        self.name = name
        self.start = start
        self.size = size
        self.blockOffset = blockOffset
        self.content = content
    }

    /// Where in its block, or how far behind a device's start, the byte at an address lies.
    @inlinable public func offset(of address: UInt64) -> UInt64 { address &- start &+ blockOffset }

    @inlinable public func contains(_ address: UInt64) -> Bool { address &- start < size }
}

/// The ranges of a machine, sorted by address, none over another. Fixed while vCPUs run.
public final class PhysicalMap: @unchecked Sendable {
    public static let pageSize: UInt64 = 4096
    public private(set) var ranges: [PhysicalRange] = []
    /// Those that are memory, the largest first: nearly all that is asked for is in the first.
    @usableFromInline private(set) var memories: UnsafeMutablePointer<MemorySpan>
    @usableFromInline private(set) var memoryCount = 0

    public init() { memories = .allocate(capacity: 1) }
    deinit { memories.deallocate() }

    /// Adds a range. False: it overlaps another, and nothing has changed.
    public func add(_ range: PhysicalRange) -> Bool {
        let at = ranges.firstIndex { $0.start > range.start } ?? ranges.count
        if at > 0, range.start &- ranges[at - 1].start < ranges[at - 1].size { return false }
        if at < ranges.count, ranges[at].start &- range.start < range.size { return false }
        ranges.insert(range, at: at)
        findMemories()
        return true
    }

    /// Puts a range in the place of a part of one that is there, whose rest stays. False: no range holds all of it.
    public func cover(_ range: PhysicalRange) -> Bool {
        guard let index = ranges.firstIndex(where: { $0.contains(range.start) }) else { return false }
        let old = ranges[index]
        let before = range.start &- old.start, behind = old.size &- before
        guard range.size <= behind else { return false }
        var parts = [range]
        if before > 0 {
            parts.insert(
                PhysicalRange(old.name, start: old.start, size: before, blockOffset: old.blockOffset, old.content),
                at: 0)
        }
        if range.size < behind {
            let start = range.start &+ range.size
            parts.append(
                PhysicalRange(
                    old.name, start: start, size: behind &- range.size, blockOffset: old.offset(of: start), old.content)
            )
        }
        ranges.replaceSubrange(index...index, with: parts)
        findMemories()
        return true
    }

    private func findMemories() {
        var spans: [MemorySpan] = []
        for range in ranges {
            guard case .memory(let block) = range.content else { continue }
            spans.append(
                MemorySpan(
                    start: range.start, size: min(range.size, block.size &- range.blockOffset),
                    base: block.base + Int(range.blockOffset), isReadOnly: block.isReadOnly,
                    codeChunks: block.codeChunks + Int(range.blockOffset / Self.pageSize)))
        }
        spans.sort { $0.size > $1.size }
        memories.deallocate()
        memories = .allocate(capacity: max(1, spans.count))
        memoryCount = spans.count
        _ = UnsafeMutableBufferPointer(start: memories, count: spans.count).initialize(from: spans)
    }

    /// The range that holds an address; nil: nothing answers there.
    public func find(_ address: UInt64) -> PhysicalRange? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low &+ high) / 2
            if ranges[middle].start <= address { low = middle &+ 1 } else { high = middle }
        }
        guard low > 0, ranges[low &- 1].contains(address) else { return nil }
        return ranges[low &- 1]
    }

    /// The device that data accesses at an address go to although it is memory, and where in it that is.
    public func cover(of address: UInt64, writes: Bool) -> (device: any MemoryCover, offset: UInt64)? {
        guard let range = find(address), case .memory(let block) = range.content, let cover = block.cover,
            writes || !cover.showsMemory
        else { return nil }
        return (cover, range.offset(of: address))
    }

    /// Memory at [address, address + count) that lies in one block: the block and the host address. Nil: not all of it is memory.
    public func memory(_ address: UInt64, count: UInt64) -> (block: RAMBlock, host: UnsafeMutableRawPointer)? {
        guard let range = find(address), case .memory(let block) = range.content else { return nil }
        let offset = range.offset(of: address), end = min(range.blockOffset &+ range.size, block.size)
        guard offset <= end, count <= end &- offset else { return nil }
        return (block, block.base + Int(truncatingIfNeeded: offset))
    }

    /// The memory that holds an address; nil: it is none. As `host`.
    @inlinable @inline(__always) public func span(_ address: UInt64) -> MemorySpan? {
        let memories = memories
        var i = 0
        while i < memoryCount {
            if address &- memories[i].start < memories[i].size { return memories[i] }
            i &+= 1
        }
        return nil
    }

    /// Where memory at [address, address + count) is, which has to lie in one block; nil as for `memory`. Touches no block's reference
    /// count: for what is looked up often, such as page tables.
    @inlinable public func host(_ address: UInt64, count: UInt64) -> (base: UnsafeMutableRawPointer, isReadOnly: Bool)?
    {
        let memories = memories
        var i = 0
        while i < memoryCount {
            let offset = address &- memories[i].start
            if offset < memories[i].size {
                guard count <= memories[i].size &- offset else { return nil }
                return (memories[i].base + Int(truncatingIfNeeded: offset), memories[i].isReadOnly)
            }
            i &+= 1
        }
        return nil
    }
}

/// Physical addresses that are memory, and where they are in the host's.
public struct MemorySpan: BitwiseCopyable, @unchecked Sendable {
    public let start: UInt64
    public let size: UInt64
    /// Of the byte at `start`.
    public let base: UnsafeMutableRawPointer
    public let isReadOnly: Bool
    /// Of the page at `start` (`RAMBlock.codeChunks`).
    public let codeChunks: UnsafeMutablePointer<UInt64>

    @inlinable public func host(_ address: UInt64) -> UnsafeMutableRawPointer {
        base + Int(truncatingIfNeeded: address &- start)
    }
    @inlinable public func chunks(_ address: UInt64) -> UnsafeMutablePointer<UInt64> {
        codeChunks + Int(truncatingIfNeeded: address / PhysicalMap.pageSize &- start / PhysicalMap.pageSize)
    }
}
