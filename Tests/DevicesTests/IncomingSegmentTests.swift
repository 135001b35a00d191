import HostOS
import NetLayer
import SystemKit
import TestSupport
import Testing
import Virtio

/// A segment of TCP in plain headers: IPv4 without options or IPv6 without extensions, and TCP with a time stamp.
private func segment(isIPv6: Bool, data count: Int) -> [UInt8] {
    let stations: [UInt8] = [0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x52, 0x55, 10, 0, 2, 2]
    let four: [UInt8] = [8, 0, 0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 2, 2, 10, 0, 2, 15]
    let six: [UInt8] = [0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, 6, 64] + (0..<32).map { $0 * 3 }
    let ports: [UInt8] = [0, 80, 0x12, 0x34, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 9, 8 << 4, 0x18, 1, 0, 0, 0, 0, 0]
    let stamp: [UInt8] = [1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]
    let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
    return stations + (isIPv6 ? six : four) + ports + stamp + data
}

private func transport(_ isIPv6: Bool) -> Int { isIPv6 ? 54 : 34 }

/// The frames that a long segment is cut into.
private func frames(isIPv6: Bool, data count: Int, size: Int) throws -> (whole: [UInt8], pieces: [[UInt8]]) {
    let long = try #require(
        LongSegment(segment(isIPv6: isIPv6, data: count), transport: transport(isIPv6), isIPv6: isIPv6))
    var pieces: [[UInt8]] = []
    long.cut(size: size) { pieces.append($0) }
    return (long.whole, pieces)
}

@Suite struct IncomingSegmentTests {
    private static let features: UInt64 = 1 << 1 | 1 << 7 | 1 << 8 | 1 << 15
    private let cable = NetBackend(name: "n")

    private func make(_ features: UInt64 = features) throws -> TestDriver {
        let driver = try TestDriver(RingLayout(), VirtioNet.init, VirtioNet.descriptor) { $0.network = cable }
        driver.start(features)
        return driver
    }

    private func deliver(_ frames: [[UInt8]]) { for frame in frames { frame.withUnsafeBytes { cable.deliver($0) } } }

    /// Offers buffers and returns what comes in: header and frame.
    private func received(_ driver: TestDriver, buffers: Int) -> [[UInt8]] {
        let room: UInt64 = buffers > 2 ? 0x4000 : 0x1_1000
        return (0..<buffers).compactMap { index in
            let place = TestDriver.buffers + UInt64(index) * room
            driver.offer([Piece(address: place, count: UInt32(room), isWritten: true)])
            guard let used = driver.used(waits: false) else { return nil }
            return driver.memory.bytes(place, count: Int(used.written))
        }
    }

    @Test(arguments: [false, true]) func segmentsThatFollowEachOtherBecomeOne(_ isIPv6: Bool) throws {
        let driver = try make()
        let (whole, pieces) = try frames(isIPv6: isIPv6, data: 40_001, size: 1448)
        deliver(pieces)
        let seen = received(driver, buffers: 2)
        #expect(seen.count == 1)
        let first = try #require(seen.first), start = transport(isIPv6), data = start + 32
        #expect(first[..<12] == [1, isIPv6 ? 4 : 1, UInt8(data), 0, 0xa8, 5, UInt8(start), 0, 16, 0, 1, 0])
        var frame = Array(first[12...])
        #expect(InternetCheckSum.complete(&frame, from: start, at: 16))
        #expect(frame == whole)
    }

    @Test func nothingIsLongerThanAPacket() throws {
        let driver = try make()
        var pieces = try frames(isIPv6: false, data: 65_000, size: 1000).pieces
        var next = pieces[0]
        let sequence = UInt32(0xffff_f000) &+ 65_000
        for index in 0..<4 { next[38 + index] = UInt8(truncatingIfNeeded: sequence >> UInt32(24 - 8 * index)) }
        // Without PSH it could go on.
        pieces[64][47] = 0x10
        deliver(pieces + [next])
        #expect(received(driver, buffers: 2).map(\.count) == [12 + 66 + 65_000, 12 + 66 + 1000])
    }

    @Test func whatDoesNotFollowStaysByItself() throws {
        let driver = try make()
        let pieces = try frames(isIPv6: false, data: 3000, size: 1000).pieces
        // Station, type of service, fragments, hops, address, port, sequence, acknowledgement, length of the header, FIN, window, time.
        let changes: [(Int, UInt8)] = [
            (6, 1), (15, 1), (20, 0x20), (22, 1), (26, 1), (34, 1), (41, 1), (45, 1), (46, 0x10), (47, 1), (48, 1),
            (60, 1),
        ]
        for (at, bit) in changes {
            var second = pieces[1]
            second[at] ^= bit
            deliver([pieces[0], second])
            let seen = received(driver, buffers: 2)
            #expect(seen.map { Array($0.dropFirst(12)) } == [pieces[0], second], "byte \(at)")
            #expect(seen.allSatisfy { $0[0] == 2 && $0[1] == 0 })
        }
        deliver([pieces[0], pieces[2], pieces[1]])
        #expect(received(driver, buffers: 3).map { $0.count - 12 } == [1066, 1066, 1066], "in another order")
    }

    @Test func withoutTheFeatureFramesStayAsTheyAre() throws {
        let pieces = try frames(isIPv6: true, data: 3000, size: 1000).pieces
        for features in [Self.features & ~(1 << 8), Self.features & ~(1 << 7 | 1 << 8)] {
            let driver = try make(features)
            deliver(pieces)
            #expect(received(driver, buffers: 4).map { Array($0.dropFirst(12)) } == pieces)
        }
    }

    /// Whatever frames say, no byte outside of them is read, and what is joined is data of both.
    @Test(.seeded(12)) func randomFramesAreHarmless() throws {
        var random = SeededRandom(seed: Seed.current)
        let all = try [false, true].map { try frames(isIPv6: $0, data: 300, size: 100).pieces }
        var joined = 0
        for _ in 0..<Rounds.count(20_000) {
            let pieces = all[random.below(2)]
            var first = pieces[0], second = pieces[1]
            if random.chance(50) { first[random.below(86)] = UInt8(truncatingIfNeeded: random.next()) }
            if random.chance(50) { second[random.below(86)] = UInt8(truncatingIfNeeded: random.next()) }
            if random.chance(20) { second.removeLast(random.below(second.count)) }
            if random.chance(20) { first.removeLast(random.below(first.count)) }
            var frame = first.withUnsafeBytes { IncomingFrame($0, joins4: true, joins6: true) }
            guard second.withUnsafeBytes({ frame.append($0) }) else { continue }
            joined += 1
            #expect(frame.finish() != nil && frame.bytes.count < first.count + second.count)
        }
        #expect(joined > 1000)
    }
}
