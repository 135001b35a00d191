// Recovery records against a plain model: whatever happens between two points, each point gives back what was dirty there.

import CodeGen
import TestSupport
import Testing

struct RecoveryRecordTests {
    private static let globals = 70

    private func find(_ records: UnsafeRawBufferPointer, _ offset: Int) -> (
        pc: UInt64, word: UInt16, sources: [RecoverySource]
    )? {
        var sources = [RecoverySource](repeating: .register(9), count: Self.globals)
        let found = sources.withUnsafeMutableBufferPointer {
            RecoveryReader.find(
                records, pc: 0x4000, offset: offset, globalCount: Self.globals, sources: $0.baseAddress!)
        }
        return found.map { ($0.pc, $0.word, sources) }
    }

    @Test(.seeded(5)) func randomPointsGiveBackWhatWasDirty() {
        var writer = RecoveryWriter(capacity: 1 << 16, globalCount: Self.globals)
        var random = TestRandom(Seed.current)
        for _ in 0..<50 {
            writer.begin(pc: 0x4000)
            var current = [RecoverySource](repeating: .home, count: Self.globals)
            var points: [(offset: Int, pc: UInt64, word: UInt16, sources: [RecoverySource])] = []
            for i in 1...60 {
                for _ in 0..<random.below(5) {
                    let global = random.below(Self.globals)
                    switch random.below(8) {
                    case 0:
                        writer.resetState()
                        current = Array(repeating: .home, count: Self.globals)
                    case 1, 2:
                        writer.clean(global)
                        current[global] = .home
                    case 3:
                        // Of every length that a constant may have.
                        let source = RecoverySource.constant(
                            Int64(bitPattern: random.next()) >> Int64(random.below(64)))
                        writer.dirty(global, source)
                        current[global] = source
                    case 4:
                        let source = RecoverySource.global(random.below(Self.globals))
                        writer.dirty(global, source)
                        current[global] = source
                    default:
                        let source = RecoverySource.register(UInt8(random.below(64)))
                        writer.dirty(global, source)
                        current[global] = source
                    }
                }
                // Points of out-of-line code go back; pcs jump far in both directions.
                let offset = i * 200 - (random.chance(20) ? 90 : 0)
                let pc = random.chance(10) ? random.next() : 0x4000 &+ UInt64(2 * i)
                let word = random.chance(30) ? UInt16(truncatingIfNeeded: random.next()) : points.last?.word ?? 0
                writer.point(offset: offset, pc: pc, word: word)
                points.append((offset, pc, word, current))
            }
            let records = writer.finish()
            for point in points {
                let found = find(records, point.offset)
                #expect(found?.pc == point.pc)
                #expect(found?.word == point.word)
                #expect(found?.sources == point.sources)
            }
            #expect(find(records, 7) == nil)
        }
    }

    @Test func theStartNeedsNoRecord() {
        var writer = RecoveryWriter(capacity: 1 << 10, globalCount: Self.globals)
        writer.begin(pc: 0x4000)
        writer.dirty(3, .register(1))
        writer.point(offset: 12, pc: 0x4002)
        let found = find(writer.finish(), 0)
        #expect(found?.pc == 0x4000)
        #expect(found?.sources == [RecoverySource](repeating: .home, count: Self.globals))
    }
}
