// The tables of the translation cache on their own.

import CodeGen
@testable import ExecutionEngine
import Testing

struct TranslationCacheTests {
    private func add(_ cache: TranslationCache, _ pc: UInt64, _ flags: UInt64) -> Int? {
        let region = CompiledRegion(
            entry: 0x10000 &+ UInt64(cache.count) &* 32, codeSize: 32, firstSlot: 0, slotCount: 0,
            records: UnsafeRawBufferPointer(start: nil, count: 0))
        var range = GuestRange(start: pc, end: pc &+ 2)
        return withUnsafePointer(to: &range) {
            let made = MadeRegion(
                key: CodeKey(pc: pc, mode: flags), body: .dormant(0),
                ranges: UnsafeBufferPointer(start: $0, count: 1), isOptimized: false)
            return cache.add(made, region, counter: 0)
        }
    }

    @Test func everyTranslationIsFoundUntilItIsRemoved() throws {
        let cache = try TranslationCache(recordCapacity: 1 << 16)
        // Neighbours, the same place on other pages, and other flags.
        var keys: [(pc: UInt64, mode: UInt64)] = []
        for i: UInt64 in 0..<3000 {
            let page = i / 1000
            keys.append((pc: 0x10000 &+ (page &<< 12) &+ 2 &* (i % 1000), mode: i % 2))
        }
        for key in keys { #expect(cache.find(key.pc, key.mode) == nil) }
        for (i, key) in keys.enumerated() { #expect(add(cache, key.pc, key.mode) == i) }
        for (i, key) in keys.enumerated() { #expect(cache.find(key.pc, key.mode) == i) }
        for i in stride(from: 0, to: keys.count, by: 3) { cache.remove(i) }
        for (i, key) in keys.enumerated() { #expect(cache.find(key.pc, key.mode) == (i % 3 == 0 ? nil : i)) }
        #expect(cache.containing(0x10000 &+ 2469) == 77)
        cache.flush()
        for key in keys { #expect(cache.find(key.pc, key.mode) == nil) }
        #expect(cache.count == 0)
    }
}
