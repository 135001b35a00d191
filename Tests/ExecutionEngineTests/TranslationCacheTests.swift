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
}
