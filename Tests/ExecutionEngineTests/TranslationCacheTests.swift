// The tables of the translation cache on their own.

import CodeGen
import GuestMemory
@testable import ExecutionEngine
import Testing

struct TranslationCacheTests {
    private func add(_ cache: TranslationCache, _ key: CodeKey) -> TranslationID? {
        let region = CompiledRegion(
            entry: 0x10000 &+ UInt64(cache.count) &* 32, codeSize: 32, firstSlot: 0, slotCount: 0,
            records: UnsafeRawBufferPointer(start: nil, count: 0))
        var range = GuestRange(start: key.location, end: key.location &+ 2)
        return withUnsafePointer(to: &range) {
            let made = MadeRegion(
                key: key, pages: SeenPages(key, size: 0), body: .dormant(TranslationID(0)),
                ranges: UnsafeBufferPointer(start: $0, count: 1), isOptimized: false)
            return cache.add(made, region, counter: 0)
        }
    }

    @Test func everyTranslationIsFoundUntilItIsRemoved() throws {
        let cache = try TranslationCache(recordCapacity: 1 << 16, pageSize: 4096)
        // Neighbours, the same pc on other pages, in other modes and other places.
        var keys: [CodeKey] = []
        for i: UInt64 in 0..<3000 {
            let page = i / 1000
            keys.append(
                CodeKey(place: GuestPlace(i % 3), pc: 0x10000 &+ (page &<< 12) &+ 2 &* (i % 500), mode: i / 500 % 2))
        }
        for key in keys { #expect(cache.find(key) == nil) }
        for (i, key) in keys.enumerated() { #expect(add(cache, key)?.row == i) }
        for (i, key) in keys.enumerated() { #expect(cache.find(key)?.row == i) }
        for i in stride(from: 0, to: keys.count, by: 3) { cache.remove(TranslationID(i)) }
        for (i, key) in keys.enumerated() { #expect(cache.find(key)?.row == (i % 3 == 0 ? nil : i)) }
        #expect(cache.containing(0x10000 &+ 2469)?.row == 77)
        cache.flush()
        for key in keys { #expect(cache.find(key) == nil) }
        #expect(cache.count == 0)
    }

    @Test func pagesKeepTheAddressThatTheyAreGivenFirst() throws {
        let addresses = try PageAddresses(pageSize: 4096)
        defer { addresses.deallocate() }
        func seen(_ page: UInt64, at location: UInt64) -> SeenPage {
            SeenPage(page: page, place: GuestPlace(location &- page))
        }
        for i: UInt64 in 0..<5000 { addresses.give(seen(0x7000 &+ i &<< 12, at: i &<< 20)) }
        addresses.give(seen(0x1000, at: 7 << 20))
        #expect(addresses.find(GuestLocation(7 << 20 | 0xffe)) == 0xe000)
        #expect(addresses.find(GuestLocation(1 << 12)) == nil && addresses.last(GuestLocation(1 << 12)) == nil)
        // One without code is as new, but for what it had.
        addresses.forget(GuestLocation(7 << 20))
        #expect(addresses.find(GuestLocation(7 << 20)) == nil && addresses.last(GuestLocation(7 << 20)) == 0xe000)
        addresses.give(seen(0x1000, at: 7 << 20))
        #expect(addresses.find(GuestLocation(7 << 20)) == 0x1000)
        // A full table gives no more.
        var next: UInt64 = 6000
        while !addresses.isFull, next < 1 << 20 {
            addresses.give(seen(0, at: next &<< 20))
            next += 1
        }
        addresses.give(seen(0x5000, at: 3 << 12))
        #expect(addresses.isFull && addresses.find(GuestLocation(3 << 12)) == nil)
        #expect(addresses.find(GuestLocation(4999 << 20)) == 0x7000 + 4999 << 12)
        addresses.removeAll()
        #expect(!addresses.isFull && addresses.find(GuestLocation(7 << 20)) == nil)
    }

    @Test func pagesNextToOneAnotherHaveOneDelta() {
        var deltas = SeenDeltas()
        #expect(deltas.delta(near: 0x1000) == nil)
        deltas.note(0x4000_0000, 0x1000)
        deltas.note(0x4010_0000, 0x1000)
        deltas.note(0x4020_0000, 0x2000)
        #expect(deltas.delta(near: 0x4008_0000) == 0x1000 && deltas.delta(near: 0x401f_0000) == 0x2000)
        #expect(deltas.delta(near: 0x8000_0000) == nil)
        // The oldest ones are forgotten.
        for i: UInt64 in 0..<100 { deltas.note(0x5000_0000 + i << 20, i << 12) }
        #expect(deltas.delta(near: 0x4000_0000) == nil && deltas.delta(near: 0x5000_0000 + 99 << 20) == 99 << 12)
        deltas.forget()
        #expect(deltas.delta(near: 0x5000_0000 + 99 << 20) == nil)
    }

    /// A pc whose word is that of an unused entry would jump to nowhere.
    @Test func noPCHasTheWordOfAnUnusedEntry() {
        for mode: UInt64 in 0..<1 << 17 where (JumpCache.noPC &- KeyedPC.salt(mode)) & 1 == 0 {
            Issue.record("mode \(mode)")
        }
    }
}
