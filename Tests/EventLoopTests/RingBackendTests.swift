import TestSupport
import Testing

@testable import CharLayer

@Suite struct RingBackendTests {
    @Test func theLastBytesAreKeptAndTakenOnce() {
        let ring = RingBackend(size: 8)
        ring.send("abcde")
        #expect(ring.take(2) == Array("ab".utf8))
        ring.send("fghijkl")
        #expect(ring.take(100) == Array("efghijkl".utf8))
        #expect(ring.take(1) == [])
        ring.send("m")
        #expect(ring.take(1) == Array("m".utf8))
    }

    @Test(.seeded(7)) func randomTextsAreShownByTheirEnds() {
        var random = SeededRandom(seed: Seed.current), next: UInt8 = 0, said: [UInt8] = []
        let ring = RingBackend(size: 16)
        for _ in 0..<Rounds.count(2000) {
            for _ in 0..<random.below(20) {
                _ = ring.send(next)
                said.append(next)
                next &+= 1
            }
            said = Array(said.suffix(16))
            let count = random.below(20)
            #expect(ring.take(count) == Array(said.prefix(count)))
            said.removeFirst(min(count, said.count))
        }
    }
}
