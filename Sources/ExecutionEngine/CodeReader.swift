// Guest code bytes for translating, by location: copies in memory of our own, write-protected before they are read. Another thread may unmap the
// originals at any time.

import GuestMemory
import HostOS

/// One per engine; guarded by the translation lock.
final class CodeReader {
    private let memory: any CodeMemory
    /// Fewer bytes are no instruction.
    private let leastBytes: Int
    /// What vCPUs see behind a page is not what lies behind it.
    private let endsWithPage: Bool
    /// Copies of the code pages translated from lately, by page number, then room for what does not fit in. They are
    /// write-protected, so that every change comes through `forget`.
    private let copies: UnsafeMutableRawPointer
    private let windows: UnsafeMutablePointer<GuestLocation>
    private let pageSize: Int
    private static let windowCount = 8
    private let longestInstruction: Int
    private let scratch: Int
    private static var noPage: GuestLocation { GuestLocation(1) }
    /// Nothing made from the code asked for last may be kept: it could not be write-protected, or an instruction may go on in a page
    /// that lies elsewhere.
    private(set) var isForOneUse = false

    init(_ memory: any CodeMemory, leastBytes: Int, longestInstruction: Int = 16) {
        self.memory = memory
        self.leastBytes = leastBytes
        // A little more than needed, where the next page follows.
        self.longestInstruction = memory.hasPlaces ? longestInstruction : 16
        endsWithPage = memory.hasPlaces
        pageSize = Int(memory.pageSize)
        scratch = Self.windowCount * pageSize
        copies = .allocate(byteCount: scratch + pageSize + longestInstruction, alignment: 16)
        windows = .allocate(capacity: Self.windowCount)
        windows.initialize(repeating: Self.noPage, count: Self.windowCount)
    }

    deinit {
        copies.deallocate()
        windows.deallocate()
    }

    /// Pages read from may have changed.
    func forget() { windows.update(repeating: Self.noPage, count: Self.windowCount) }

    /// A copy of the code bytes at a location, write-protected before they are read: to the end of the page, and a little beyond when an
    /// instruction may cross it. Nil when there is no code, or it cannot be protected.
    func bytes(at location: GuestLocation) -> UnsafeRawBufferPointer? {
        isForOneUse = false
        let size = pageSize, pageSize = UInt64(size), longest = UInt64(longestInstruction)
        let offset = location.rawValue & (pageSize - 1), toPageEnd = pageSize &- offset
        let page = GuestLocation(location.rawValue &- offset)
        if toPageEnd >= longest {
            let slot = Int(truncatingIfNeeded: page.rawValue / pageSize) & (Self.windowCount - 1)
            if windows[slot] != page, let bytes = memory.codeBytes(at: page), bytes.count >= size {
                guard protect(page, pageSize) else { return nil }
                let copied = copy(bytes, count: size, to: slot * size)
                windows[slot] = copied?.count == size ? page : Self.noPage
            }
            if windows[slot] == page {
                let start = copies + (slot * size + Int(offset))
                return UnsafeRawBufferPointer(start: start, count: Int(toPageEnd))
            }
        }
        guard let bytes = memory.codeBytes(at: location) else { return nil }
        let isWhole = toPageEnd >= longest || endsWithPage
        let length = min(UInt64(bytes.count), isWhole ? toPageEnd : toPageEnd &+ longest)
        guard protect(location, length) else { return nil }
        isForOneUse = endsWithPage && toPageEnd < longest
        return copy(bytes, count: Int(length), to: scratch)
    }

    func toPageEnd(_ location: GuestLocation) -> UInt64 { UInt64(pageSize) &- location.rawValue & UInt64(pageSize - 1) }

    /// A copy of the bytes of one instruction; `protects`: write-protected, both parts. `rest`: where the next page lies that the vCPU sees; nil
    /// when it sees none, and where what follows is what lies there.
    func instruction(
        at location: GuestLocation, rest: GuestLocation? = nil, protects: Bool = false
    ) -> UnsafeRawBufferPointer? {
        isForOneUse = false
        guard let bytes = memory.codeBytes(at: location) else { return nil }
        if protects {
            let longest = UInt64(longestInstruction), inPage = min(longest, toPageEnd(location))
            guard protect(location, inPage) else { return nil }
            if inPage < longest, let rest { guard protect(rest, longest &- inPage) else { return nil } }
        }
        let toPageEnd = pageSize - Int(truncatingIfNeeded: location.rawValue) & (pageSize - 1)
        let length = min(bytes.count, longestInstruction, endsWithPage ? toPageEnd : .max)
        guard length == toPageEnd, let rest, let more = memory.codeBytes(at: rest) else {
            return copy(bytes, count: length, to: scratch)
        }
        let added = min(more.count, longestInstruction - length)
        guard fill(scratch, from: bytes, length) == length else { return nil }
        return UnsafeRawBufferPointer(
            start: copies + scratch, count: length + fill(scratch + length, from: more, added))
    }

    private func protect(_ start: GuestLocation, _ length: UInt64) -> Bool {
        let isProtected = memory.protectCode(start: start, length: length)
        isForOneUse = !isProtected
        return isProtected
    }

    /// Does guest memory hold these bytes in these ranges? Write-protects them as for translating.
    func holds(_ ranges: UnsafeBufferPointer<GuestRange>, _ expected: UnsafeRawBufferPointer) -> Bool {
        var expected = expected
        for range in ranges {
            let length = Int(range.end &- range.start)
            guard let bytes = bytes(at: range.start), bytes.count >= length, expected.count >= length,
                areEqual(bytes, expected, length)
            else { return false }
            expected = UnsafeRawBufferPointer(rebasing: expected[length...])
        }
        return true
    }

    /// Does guest memory hold these bytes in these ranges, whatever was copied from it before?
    func isUnchanged(_ ranges: UnsafeBufferPointer<GuestRange>, _ expected: UnsafeRawBufferPointer) -> Bool {
        var expected = expected
        for range in ranges {
            var at = range.start
            while at < range.end {
                guard let bytes = memory.codeBytes(at: at) else { return false }
                let count = min(bytes.count, Int(range.end &- at), pageSize)
                guard expected.count >= count, let now = copy(bytes, count: count, to: scratch),
                    now.count == count, areEqual(now, expected, count)
                else { return false }
                expected = UnsafeRawBufferPointer(rebasing: expected[count...])
                at &+= UInt64(count)
            }
        }
        return true
    }

    /// Guest bytes in memory of our own; nil when they have gone meanwhile.
    private func copy(_ bytes: UnsafeRawBufferPointer, count: Int, to offset: Int) -> UnsafeRawBufferPointer? {
        let copied = fill(offset, from: bytes, count)
        return copied >= leastBytes ? UnsafeRawBufferPointer(start: copies + offset, count: copied) : nil
    }

    /// Copies guest bytes, as far as they are there, and returns how many those were.
    private func fill(_ offset: Int, from bytes: UnsafeRawBufferPointer, _ count: Int) -> Int {
        count
            - GuestCopy.copy(
                to: UInt(bitPattern: copies + offset), from: UInt(bitPattern: bytes.baseAddress), count: count)
    }
}
