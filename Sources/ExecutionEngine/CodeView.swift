// The addresses by which code knows where it is.
//
// Code of programs is relative where memory has places: the addresses that its translations are made for, and are found by, are the same
// in all address spaces, each of which sees it `delta` behind them. A vCPU that executes it keeps the delta (`VCPUHeader.delta`); links
// lead only to code that is seen at the same one. As a rule the addresses are low ones, which hosts have in their instructions.

import CodeGen
import GuestMemory
import HostOS
import Synchronization
import TranslationStore

/// What a vCPU sees, by the addresses of code that is seen `delta` behind them.
struct CodeView {
    /// Of a vCPU, which outlives it.
    unowned(unsafe) let space: any AddressSpace
    var delta: UInt64 = 0

    /// As `AddressSpace.place`.
    @inline(__always) func place(of address: UInt64) -> GuestPlace? {
        space.place(of: address &+ delta).map(moved)
    }
    @inline(__always) func wholePlace(of address: UInt64) -> GuestPlace? {
        space.wholePlace(of: address &+ delta).map(moved)
    }

    /// The place of an address that the vCPU sees, by its own.
    @inline(__always) func moved(_ place: GuestPlace) -> GuestPlace { GuestPlace(place.rawValue &+ delta) }
}

/// The address of relative code that is not near other code: it depends on what is on the page, so that later runs, which see it elsewhere,
/// come to the same one, and find what earlier ones made of it.
func lowAddress(ofPage bytes: UnsafeRawBufferPointer) -> UInt64 {
    let low: UInt64 = 1 << 30
    return contentHash(bytes) & (low &- 1) & ~(UInt64(bytes.count) &- 1)
}

/// Which address the relative code on a page is made for, by where the page lies: the same for all that see it. A table that is read without a
/// lock, and written under the translation lock.
struct PageAddresses: @unchecked Sendable {
    /// Two words for each page: its number + 1, or 0 where the entry is unused; and the address of its first byte, with a bit where no code
    /// is left on it.
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private static var bits: UInt64 { 18 }
    private static var bytes: Int { 16 << Int(bits) }
    private static var limit: UInt64 { 1 << bits / 4 * 3 }
    private static var isLeft: UInt64 { 1 }
    private let count: UnsafeMutablePointer<Atomic<UInt64>>
    private let pageBits: UInt64

    init(pageSize: UInt64) throws(Errno) {
        words = try HostMemory.reserve(Self.bytes).assumingMemoryBound(to: Atomic<UInt64>.self)
        count = .allocate(capacity: 1)
        count.initialize(to: Atomic(0))
        pageBits = UInt64(pageSize.trailingZeroBitCount)
    }

    func deallocate() {
        try? HostMemory.unmap(UInt(bitPattern: words), Self.bytes)
        count.deinitialize(count: 1)
        count.deallocate()
    }

    /// The entry of a page; where it has none, an unused one.
    private func entry(_ location: GuestLocation) -> (at: UnsafeMutablePointer<Atomic<UInt64>>, isUsed: Bool) {
        let number = location.rawValue &>> pageBits
        var at = (number &* 0x9E37_79B9_7F4A_7C15) &>> (64 &- Self.bits)
        while true {
            let entry = words + Int(truncatingIfNeeded: 2 &* at), page = entry.pointee.load(ordering: .acquiring)
            if page == 0 { return (entry, false) }
            if page == number &+ 1 { return (entry, true) }
            at = (at &+ 1) & ((1 &<< Self.bits) &- 1)
        }
    }

    /// The address of the page that a location is on; nil: it has none.
    func find(_ location: GuestLocation) -> UInt64? {
        let entry = entry(location)
        guard entry.isUsed else { return nil }
        let address = entry.at[1].load(ordering: .relaxed)
        return address & Self.isLeft == 0 ? address : nil
    }

    /// The address that it had last.
    func last(_ location: GuestLocation) -> UInt64? {
        let entry = entry(location)
        return entry.isUsed ? entry.at[1].load(ordering: .relaxed) & ~Self.isLeft : nil
    }

    /// No page can be given an address any more, until the code cache is emptied: code of others is made for where it is seen.
    var isFull: Bool { count.pointee.load(ordering: .relaxed) >= Self.limit }

    /// Gives a page the address that it is seen at, unless it has one.
    func give(_ seen: SeenPage) {
        let location = seen.place.location(of: seen.page), entry = entry(location)
        if entry.isUsed {
            if entry.at[1].load(ordering: .relaxed) & Self.isLeft != 0 {
                entry.at[1].store(seen.page, ordering: .relaxed)
            }
        } else if !isFull {
            _ = count.pointee.add(1, ordering: .relaxed)
            entry.at[1].store(seen.page, ordering: .relaxed)
            entry.at[0].store((location.rawValue &>> pageBits) &+ 1, ordering: .releasing)
        }
    }

    /// No code is left on a page: it may hold something else the next time.
    func forget(_ location: GuestLocation) {
        let entry = entry(location)
        if entry.isUsed { _ = entry.at[1].bitwiseOr(Self.isLeft, ordering: .relaxed) }
    }

    /// With the code cache, whose pages they are.
    func removeAll() {
        if count.pointee.load(ordering: .relaxed) == 0 { return }
        for i in 0..<2 << Int(Self.bits) { words[i].store(0, ordering: .relaxed) }
        count.pointee.store(0, ordering: .relaxed)
    }
}

/// At which deltas code was seen lately, and where, so that pages next to one another get addresses next to one another.
struct SeenDeltas {
    private struct Span {
        /// Addresses at which it is seen.
        var first: UInt64
        var last: UInt64
        var delta: UInt64
    }
    private var spans: [Span] = []
    private var next = 0
    private static let limit = 24
    /// Pages this near become one span.
    private static let near: UInt64 = 1 << 18
    /// Pages further away have nothing to do with one another. Programs may be larger than 16 MiB.
    private static let reach: UInt64 = 1 << 28

    /// Code at `page` is seen at a delta.
    mutating func note(_ page: UInt64, _ delta: UInt64) {
        for i in spans.indices where spans[i].delta == delta && distance(spans[i], page) <= Self.near {
            spans[i].first = min(spans[i].first, page)
            spans[i].last = max(spans[i].last, page)
            return
        }
        let new = Span(first: page, last: page, delta: delta)
        if spans.count < Self.limit { return spans.append(new) }
        spans[next] = new
        next = (next + 1) % Self.limit
    }

    /// The delta of the code next to a page; nil where none is near.
    func delta(near page: UInt64) -> UInt64? {
        var found: UInt64?
        var least = Self.reach
        for span in spans where distance(span, page) < least {
            least = distance(span, page)
            found = span.delta
        }
        return found
    }

    mutating func forget() {
        if !spans.isEmpty { spans.removeAll(keepingCapacity: true) }
    }

    private func distance(_ span: Span, _ page: UInt64) -> UInt64 {
        page < span.first ? span.first &- page : page > span.last ? page &- span.last : 0
    }
}
