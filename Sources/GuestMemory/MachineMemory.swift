// A machine's memory as the engine asks for code in it. A location is a physical address.

/// Code memory of a machine. What was translated is noted by chunks of 64 bytes: stores to the others of a page do no harm.
public final class MachineMemory: CodeMemory, @unchecked Sendable {
    public let map: PhysicalMap
    /// Called when chunks of a page become code, before their bytes are read: from then on no vCPU may store to the page without looking.
    /// Set by the engine's embedder before anything runs.
    public var codeAppears: (_ page: UInt64) -> Void = { _ in }

    public static let chunkBits: UInt64 = 6

    public init(_ map: PhysicalMap) { self.map = map }

    public var pageSize: UInt64 { PhysicalMap.pageSize }
    public var hasPlaces: Bool { true }
    public var hasDevices: Bool { true }

    public func codeBytes(at location: GuestLocation) -> UnsafeRawBufferPointer? {
        guard let range = map.find(location.rawValue), case .memory(let block) = range.content else { return nil }
        let offset = range.offset(of: location.rawValue)
        let count = min(range.blockOffset &+ range.size, block.size) &- offset
        return UnsafeRawBufferPointer(
            start: block.base + Int(truncatingIfNeeded: offset), count: Int(truncatingIfNeeded: count))
    }

    /// Chunks of a page that [offset, offset + count) touches; the range ends within the page.
    public static func chunks(_ offset: UInt64, count: UInt64) -> UInt64 {
        let first = offset &>> chunkBits, last = (offset &+ count &- 1) &>> chunkBits
        return (UInt64.max &<< first) & (UInt64.max &>> (63 &- last))
    }

    /// Calls `body` for each page of [start, start + length) that is memory: its physical address, its word of chunks, and which of them
    /// the range touches.
    private func forEachPage(
        _ start: GuestLocation, _ length: UInt64, _ body: (UInt64, UnsafeMutablePointer<UInt64>, UInt64) -> Void
    ) {
        var at = start.rawValue
        let end = at &+ length
        while at < end {
            let page = at & ~(pageSize - 1)
            let next = min(end, page &+ pageSize)
            if let (block, host) = map.memory(page, count: 1) {
                let number = (host - block.base) / Int(pageSize)
                body(page, block.codeChunks + number, Self.chunks(at &- page, count: next &- at))
            }
            at = next
        }
    }

    public func protectCode(start: GuestLocation, length: UInt64) -> Bool {
        forEachPage(start, length) { page, word, chunks in
            guard word.pointee | chunks != word.pointee else { return }
            word.pointee |= chunks
            codeAppears(page)
        }
        return true
    }

    public func allowWrites(start: GuestLocation, length: UInt64) -> Range<GuestLocation> {
        let low = start.rawValue & ~63
        let high = (start.rawValue &+ length &+ 63) & ~63
        forEachPage(GuestLocation(low), high &- low) { _, word, chunks in word.pointee &= ~chunks }
        return GuestLocation(low)..<GuestLocation(high)
    }
}
