// Queues from the driver's side, in both layouts, and every way in which a driver's queue can be wrong.

import SystemKit
import TestSupport
import Testing
import Virtio

private func makeRNG(_ layout: RingLayout = RingLayout(), _ properties: String = "") throws -> TestDriver {
    try TestDriver(layout, VirtioRNG.init, VirtioRNG.descriptor, properties)
}

@Suite struct VirtQueueTests {
    @Test(arguments: RingLayout.all) func buffersComeBackInEveryLayout(_ layout: RingLayout) throws {
        let driver = try makeRNG(layout)
        driver.start()
        #expect(!driver.needsReset && driver.status == 0xf)
        for round in 0..<100 {
            // Two pieces, so that chains lie over the end of the ring.
            let count = UInt32(1 + round % 7), place = TestDriver.buffers + UInt64(64 * (round % 3))
            #expect(driver.memory.fill(place, count: 64))
            let id = driver.offer([
                Piece(address: place, count: 16, isWritten: true),
                Piece(address: place + 32, count: count, isWritten: true),
            ])
            let used = try #require(driver.used())
            #expect(used == (id, 16 + count) && driver.isInterrupted, "round \(round)")
            let bytes = try #require(driver.memory.bytes(place, count: 64))
            #expect(bytes[0..<16].contains { $0 != 0 } && bytes[16..<32].allSatisfy { $0 == 0 })
            #expect(bytes[(32 + Int(count))...].allSatisfy { $0 == 0 })
            driver.acknowledge()
            #expect(!driver.isInterrupted)
        }
    }

    @Test(arguments: RingLayout.all) func severalBuffersAtOnceAreOneInterrupt(_ layout: RingLayout) throws {
        let driver = try makeRNG(layout)
        driver.start()
        for round in 0..<5 {
            let ids = (0..<4).map { index in
                driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)], notifies: index == 3)
            }
            #expect(ids.map { _ in driver.used()?.id } == ids)
            #expect(driver.interrupts == round + 1)
            driver.acknowledge()
        }
        driver.notify()
        #expect(!driver.isInterrupted, "nothing new, no interrupt")
    }

    @Test(arguments: [RingLayout(), RingLayout(packed: true)]) func aDriverThatWantsNoInterruptGetsNone(
        _ layout: RingLayout
    ) throws {
        let driver = try makeRNG(layout)
        driver.start()
        // VIRTQ_AVAIL_F_NO_INTERRUPT; RING_EVENT_FLAGS_DISABLE.
        let place = TestDriver.driverArea + (layout.packed ? 2 : 0)
        #expect(driver.memory.store(place, 1 as UInt16))
        driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)])
        #expect(driver.used() != nil && !driver.isInterrupted)
        #expect(driver.memory.store(place, 0 as UInt16))
        driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)])
        #expect(driver.used() != nil && driver.isInterrupted)
    }

    @Test func interruptsComeAtTheIndexThatTheDriverNames() throws {
        let driver = try makeRNG(RingLayout(events: true))
        driver.start()
        #expect(driver.memory.store(TestDriver.driverArea + 4 + 2 * 8, 2 as UInt16))
        for wanted in [false, false, true, false] {
            let before = driver.interrupts
            driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)])
            #expect(driver.interrupts == before + (wanted ? 1 : 0))
            driver.acknowledge()
        }
    }

    @Test func anAcknowledgementClearsOnlyWhatItNames() throws {
        let driver = try makeRNG()
        driver.start()
        driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)])
        driver.offer([Piece(address: 0, count: 4, isWritten: true)])
        #expect(driver.transport.get(0x60) == 3)
        driver.transport.put(0x64, 1)
        #expect(driver.transport.get(0x60) == 2 && driver.isInterrupted)
        driver.transport.put(0x64, 2)
        #expect(driver.transport.get(0x60) == 0 && !driver.isInterrupted)
    }

    @Test func featuresThatAreNotOfferedAreRefused() throws {
        let driver = try makeRNG()
        driver.start(1 << 40)
        #expect(driver.status & 8 == 0)
        driver.start(1 << 34)
        #expect(driver.status & 8 == 0, "packed=off")
        driver.start()
        #expect(driver.status == 0xf)
    }

    @Test(arguments: RingLayout.all) func savedStateGoesOn(_ layout: RingLayout) throws {
        let driver = try makeRNG(layout)
        driver.start()
        for _ in 0..<5 {
            driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)])
            #expect(driver.used() != nil)
        }
        var saver = SnapshotCoder()
        try driver.transport.snapshot(&saver)
        driver.transport.reset(.cold)
        #expect(driver.status == 0)
        var loader = SnapshotCoder(loading: saver.bytes)
        try driver.transport.snapshot(&loader)
        try loader.finish()
        #expect(driver.status == 0xf)
        let id = driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)])
        #expect(driver.used()?.id == id)
    }

    // MARK: lies

    @Test func aGuestGetsSoManyRandomBytesInAPeriod() throws {
        let driver = try makeRNG(RingLayout(), "max-bytes=100,period=20")
        driver.start()
        func ask(_ count: UInt32) { driver.offer([Piece(address: TestDriver.buffers, count: count, isWritten: true)]) }
        driver.machine.advance(to: 5_000_000)
        ask(60)
        #expect(driver.used()?.written == 60)
        ask(60)
        #expect(driver.used()?.written == 40)
        ask(200)
        #expect(driver.used(waits: false) == nil)
        driver.machine.advance(to: 24_999_999)
        #expect(driver.used(waits: false) == nil)
        driver.machine.advance(to: 25_000_000)
        #expect(driver.used()?.written == 100, "a period begins with its first byte")
        driver.machine.advance(to: 100_000_000)
        ask(100)
        driver.start()
        ask(100)
        #expect(driver.used(waits: false) == nil, "a reset begins no other period")
        driver.machine.advance(to: 120_000_000)
        #expect(driver.used()?.written == 100 && !driver.needsReset)
    }

    /// A wrong queue, and what makes it.
    struct Lie: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var layout = RingLayout()
        var places: @Sendable (inout (UInt64, UInt64, UInt64)) -> Void = { _ in }
        var tell: @Sendable (TestDriver) -> Void = { _ in }

        static func descriptor(
            _ driver: TestDriver, _ index: UInt64, _ address: UInt64, _ count: UInt32, _ third: UInt16, _ fourth: UInt16
        ) {
            let at = TestDriver.descriptors + 16 * index
            _ = driver.memory.store(at, address)
            _ = driver.memory.store(at + 8, count)
            _ = driver.memory.store(at + 12, third)
            _ = driver.memory.store(at + 14, fourth)
        }
        /// Offers descriptor `head` of a split ring.
        static func offer(_ driver: TestDriver, _ head: UInt16 = 0, count: UInt16 = 1) {
            _ = driver.memory.store(TestDriver.driverArea + 4, head)
            _ = driver.memory.store(TestDriver.driverArea + 2, count)
            driver.notify()
        }
        static let hole: UInt64 = 0x4000_0000

        static let all: [Lie] = [
            Lie(testDescription: "more offered than there are places", tell: { offer($0, count: 9) }),
            Lie(testDescription: "a head that is not there", tell: { offer($0, 8) }),
            Lie(testDescription: "a head far away", tell: { offer($0, 0xffff) }),
            Lie(
                testDescription: "a circle",
                tell: { driver in
                    descriptor(driver, 0, TestDriver.buffers, 4, 3, 1)
                    descriptor(driver, 1, TestDriver.buffers, 4, 3, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a next that is not there",
                tell: { driver in
                    descriptor(driver, 0, TestDriver.buffers, 4, 3, 8)
                    offer(driver)
                }),
            Lie(
                testDescription: "to read behind to write",
                tell: { driver in
                    descriptor(driver, 0, TestDriver.buffers, 4, 3, 1)
                    descriptor(driver, 1, TestDriver.buffers, 4, 0, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a buffer that is no memory",
                tell: { driver in
                    descriptor(driver, 0, hole, 4, 2, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a buffer over the end of memory",
                tell: { driver in
                    descriptor(driver, 0, TestDriver.ram + UInt64(TestDriver.pages * 4096) - 2, 4, 2, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a buffer around the end of addresses",
                tell: { driver in
                    descriptor(driver, 0, .max, 4, 2, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "the device's own registers as a buffer",
                tell: { driver in
                    descriptor(driver, 0, 0x1000_1000, 4, 2, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "more than 2^32 bytes",
                tell: { driver in
                    descriptor(driver, 0, TestDriver.buffers, .max, 3, 1)
                    descriptor(driver, 1, TestDriver.buffers, .max, 2, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a table that was not agreed on",
                tell: { driver in
                    descriptor(driver, 0, TestDriver.tables, 16, 4, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "half a descriptor in a table", layout: RingLayout(indirect: true),
                tell: { driver in
                    descriptor(driver, 0, TestDriver.tables, 24, 4, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "an empty table", layout: RingLayout(indirect: true),
                tell: { driver in
                    descriptor(driver, 0, TestDriver.tables, 0, 4, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a table longer than the queue", layout: RingLayout(indirect: true),
                tell: { driver in
                    descriptor(driver, 0, TestDriver.tables, 16 * 9, 4, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a table of tables", layout: RingLayout(indirect: true),
                tell: { driver in
                    descriptor(driver, 0, TestDriver.tables, 16, 4, 0)
                    _ = driver.memory.store(TestDriver.tables, TestDriver.tables)
                    _ = driver.memory.store(TestDriver.tables + 8, 0x0000_0004_0000_0010 as UInt64)
                    offer(driver)
                }),
            Lie(
                testDescription: "a table that something follows", layout: RingLayout(indirect: true),
                tell: { driver in
                    descriptor(driver, 0, TestDriver.tables, 16, 5, 1)
                    offer(driver)
                }),
            Lie(
                testDescription: "a table that is no memory", layout: RingLayout(indirect: true),
                tell: { driver in
                    descriptor(driver, 0, hole, 16, 4, 0)
                    offer(driver)
                }),
            Lie(
                testDescription: "a request without room",
                tell: { driver in
                    descriptor(driver, 0, TestDriver.buffers, 4, 0, 0)
                    offer(driver)
                }),
            Lie(testDescription: "descriptors that are no memory", places: { $0.0 = hole }),
            Lie(
                testDescription: "a driver area over the end of memory",
                places: {
                    $0.1 = TestDriver.ram + UInt64(TestDriver.pages * 4096) - 4
                }),
            Lie(testDescription: "a device area around the end of addresses", places: { $0.2 = 0 &- 4 }),
            Lie(testDescription: "misaligned descriptors", places: { $0.0 += 8 }),
            Lie(testDescription: "a misaligned driver area", places: { $0.1 += 1 }),
            Lie(testDescription: "a misaligned device area", places: { $0.2 += 2 }),
            Lie(
                testDescription: "packed: a chain longer than the ring", layout: RingLayout(packed: true),
                tell: { driver in
                    for index in 0..<8 as Range<UInt64> { descriptor(driver, index, TestDriver.buffers, 4, 0, 0x83) }
                    driver.notify()
                }),
            Lie(
                testDescription: "packed: a table in a chain", layout: RingLayout(packed: true, indirect: true),
                tell: { driver in
                    descriptor(driver, 1, TestDriver.tables, 16, 0, 0x84)
                    descriptor(driver, 0, TestDriver.buffers, 4, 0, 0x83)
                    driver.notify()
                }),
            Lie(testDescription: "packed: a misaligned area", layout: RingLayout(packed: true), places: { $0.2 += 2 }),
        ]
    }

    @Test(arguments: Lie.all) func aLieStopsTheDeviceAlone(_ lie: Lie) throws {
        let driver = try makeRNG(lie.layout)
        driver.start(places: lie.places)
        lie.tell(driver)
        #expect(driver.needsReset)
        // Of a queue that was wrong before the driver was ready nobody is interrupted.
        let before = driver.memory.bytes(TestDriver.ram, count: TestDriver.pages * 4096)
        driver.notify()
        driver.turn()
        #expect(driver.memory.bytes(TestDriver.ram, count: TestDriver.pages * 4096) == before)
        driver.start()
        driver.offer([Piece(address: TestDriver.buffers, count: 4, isWritten: true)])
        #expect(driver.used() != nil && !driver.needsReset, "a reset helps")
    }

    @Test(
        .seeded(7),
        arguments: [RingLayout(), RingLayout(packed: true), RingLayout(packed: true, events: true, indirect: true)]
    )
    func randomRingsHarmNothing(_ layout: RingLayout) throws {
        var random = SeededRandom(seed: Seed.current)
        let driver = try makeRNG(layout)
        var stops = 0
        for _ in 0..<Rounds.count(300) {
            driver.start()
            for word in 0..<0x1000 as Range<UInt64> where random.chance(30) {
                let value =
                    random.chance(50) ? (random.next() & 0x8f) * 0x1_0001 : TestDriver.ram + random.next() % 0x3_0000
                _ = driver.memory.store(TestDriver.descriptors + 4 * word, UInt32(truncatingIfNeeded: value))
            }
            for _ in 0..<3 {
                driver.notify(UInt64(random.below(3)))
                _ = driver.memory.store(TestDriver.driverArea + 2, UInt16(random.below(12)))
            }
            driver.turn()
            if driver.needsReset { stops += 1 }
        }
        #expect(stops > 0)
    }
}
