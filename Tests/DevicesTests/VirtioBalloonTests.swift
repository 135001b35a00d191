import EventLoop
import GuestMemory
import SystemKit
import TestSupport
import Testing
import Virtio

@Suite struct VirtioBalloonTests {
    private enum Queue { static let inflate = 0, deflate = 1, statistics = 2, free = 3 }
    private enum Bit { static let statistics: UInt64 = 2, onOOM: UInt64 = 4, poison: UInt64 = 16, report: UInt64 = 32 }
    private static let list = TestDriver.buffers, page = TestDriver.ram + 0x3_0000
    private static let size = UInt64(TestDriver.pages * 4096)

    private final class Box { var balloon: VirtioBalloon! }
    private let box = Box()
    private var balloon: VirtioBalloon { box.balloon }

    private func make(_ properties: String = "", _ layout: RingLayout = RingLayout()) throws -> TestDriver {
        try TestDriver(
            layout,
            { context in
                box.balloon = VirtioBalloon(context)
                return balloon
            }, VirtioBalloon.descriptor, properties)
    }

    /// Offers the numbers of pages, and waits until they are used.
    private func give(_ driver: TestDriver, _ addresses: [UInt64], queue: Int = Queue.inflate) throws {
        driver.queue = queue
        for (index, address) in addresses.enumerated() {
            #expect(driver.memory.store(Self.list + UInt64(4 * index), UInt32(address >> 12)))
        }
        driver.offer([Piece(address: Self.list, count: UInt32(4 * addresses.count))])
        #expect(try #require(driver.used()).written == 0)
    }

    private func fill(_ driver: TestDriver, _ address: UInt64, count: Int = 4096) {
        #expect(driver.memory.store(address, bytes: Array(repeating: 0xee, count: count)))
    }

    private func isZero(_ driver: TestDriver, _ address: UInt64, count: Int = 4096) -> Bool {
        driver.memory.bytes(address, count: count)!.allSatisfy { $0 == 0 }
    }

    @Test(arguments: RingLayout.all) func pagesInTheBalloonAreTheHosts(_ layout: RingLayout) throws {
        let driver = try make("", layout)
        driver.start(0, more: [Queue.deflate])
        fill(driver, Self.page, count: 5 * 4096)
        // In any order, one of them twice.
        try give(driver, [Self.page + 0x3000, Self.page, Self.page + 0x1000, Self.page])
        #expect(isZero(driver, Self.page) && isZero(driver, Self.page + 0x1000) && isZero(driver, Self.page + 0x3000))
        #expect(!isZero(driver, Self.page + 0x2000) && !isZero(driver, Self.page + 0x4000))
        try give(driver, [Self.page], queue: Queue.deflate)
        fill(driver, Self.page)
        #expect(!isZero(driver, Self.page) && !driver.needsReset)
    }

    @Test func pagesThatAreNoRAMAreLeftAlone() throws {
        let driver = try make()
        driver.start()
        fill(driver, Self.page)
        let end = TestDriver.ram + Self.size
        // The last page of RAM and what is behind it; a device; addresses that are nothing.
        fill(driver, end - 4096)
        try give(driver, [end - 4096, end, 0x1000_1000, 0, 0xffff_ffff_000, Self.page])
        #expect(isZero(driver, Self.page) && isZero(driver, end - 4096) && !driver.needsReset)
    }

    @Test func theTargetAndTheSizeAreTold() throws {
        let driver = try make()
        driver.start()
        driver.acknowledge()
        #expect(balloon.size == Self.size)
        balloon.setTarget(Self.size - 5 * 4096 - 1)
        #expect(driver.isInterrupted && driver.transport.get(0x100) == 5)
        driver.transport.put(0x104, 3)
        #expect(balloon.size == Self.size - 3 * 4096)
        balloon.setTarget(.max)
        #expect(driver.transport.get(0x100) == 0)
        driver.transport.put(0x104, 0xffff_ffff)
        #expect(balloon.size == 0, "more than there is")
        driver.status = 0
        #expect(balloon.size == Self.size, "a reset takes all pages out")
    }

    @Test func freePagesAreReported() throws {
        let driver = try make("free-page-reporting=on")
        #expect(driver.deviceFeatures() & Bit.report != 0)
        driver.queue = Queue.free
        driver.start(Bit.statistics | Bit.report | Bit.poison)
        fill(driver, Self.page, count: 3 * 4096)
        // Whole pages alone.
        driver.offer([Piece(address: Self.page + 100, count: 2 * 4096, isWritten: true)])
        #expect(try #require(driver.used()).written == 0)
        #expect(!isZero(driver, Self.page) && isZero(driver, Self.page + 4096))
        #expect(driver.memory.load(Self.page + 8192, as: UInt8.self) == 0xee)
        // What the guest fills free pages with stays there.
        driver.transport.put(0x10c, 0xaa)
        driver.offer([Piece(address: Self.page, count: 4096, isWritten: true)])
        #expect(driver.used() != nil && !isZero(driver, Self.page))
        #expect(try make().deviceFeatures() & Bit.report == 0)
    }

    /// A driver that has no statistics counts the queue of free pages one earlier.
    @Test func queuesThatWereNotAgreedOnAreNotCounted() throws {
        let driver = try make("free-page-reporting=on")
        driver.queue = 2
        driver.start(Bit.report)
        fill(driver, Self.page)
        driver.offer([Piece(address: Self.page, count: 4096, isWritten: true)])
        #expect(driver.used() != nil && isZero(driver, Self.page))
        driver.start(0)
        fill(driver, Self.page)
        driver.offer([Piece(address: Self.page, count: 4096, isWritten: true)])
        #expect(driver.used() != nil && !isZero(driver, Self.page), "nothing has been agreed on")
    }

    @Test func statisticsAreAskedFor() throws {
        let driver = try make("guest-stats-polling-interval=2")
        driver.queue = Queue.statistics
        driver.start(Bit.statistics)
        func say(_ rows: [(tag: UInt16, value: UInt64)], _ more: UInt32 = 0) {
            for (index, row) in rows.enumerated() {
                #expect(driver.memory.store(Self.list + UInt64(10 * index), row.tag))
                #expect(driver.memory.store(Self.list + UInt64(10 * index + 2), row.value))
            }
            driver.offer([Piece(address: Self.list, count: UInt32(10 * rows.count) + more)])
        }
        say([(5, 1000), (4, 400), (99, 1), (0xffff, 2)], 9)
        #expect(driver.used(waits: false) == nil, "it keeps the buffer")
        #expect(
            balloon.statistics.map { "\($0.name)=\($0.value)" } == ["stat-free-memory=400", "stat-total-memory=1000"])
        driver.machine.advance(to: 1_999_999_999)
        #expect(driver.used(waits: false) == nil)
        driver.machine.advance(to: 2_000_000_000)
        #expect(driver.used(waits: false) != nil)
        driver.machine.advance(to: 4_000_000_000)
        #expect(driver.used(waits: false) == nil, "the guest has not answered")
        say([(0, 7)])
        driver.machine.advance(to: 6_000_000_000)
        #expect(driver.used(waits: false) != nil && balloon.statistics.map(\.value) == [7])
        // Two at once: the first goes back.
        say([(0, 8)])
        say([(0, 9)])
        #expect(driver.used(waits: false) != nil && driver.used(waits: false) == nil)
        driver.status = 0
        driver.machine.advance(to: 8_000_000_000)
        #expect(balloon.statistics.isEmpty && !driver.needsReset)
        // Those that were offered before the driver was ready.
        driver.start(Bit.statistics, early: { say([(3, 11)]) })
        #expect(balloon.statistics.map(\.value) == [11])
    }

    @Test func featuresFollowTheProperties() throws {
        #expect(try make().deviceFeatures() & 0xff == Bit.statistics | Bit.poison)
        let features = try make("deflate-on-oom=on,page-poison=off,free-page-reporting=on").deviceFeatures()
        #expect(features & 0xff == Bit.statistics | Bit.onOOM | Bit.report)
    }

    @Test(arguments: [(Queue.inflate, 5), (Queue.inflate, 0x10_0004), (Queue.statistics, 0x10_0004)])
    func badListsStopTheDevice(_ queue: Int, _ count: Int) throws {
        let driver = try make()
        driver.queue = queue
        driver.start(Bit.statistics)
        let piece = Piece(address: TestDriver.ram, count: UInt32(min(count, 0x3_0000)))
        let rest = Piece(address: TestDriver.ram, count: UInt32(max(0, count - 5 * 0x3_0000)))
        driver.offer(count < 0x3_0000 ? [piece] : [piece, piece, piece, piece, piece, rest])
        driver.turn()
        #expect(driver.needsReset)
        driver.queue = Queue.inflate
        driver.start()
        fill(driver, Self.page)
        try give(driver, [Self.page])
        #expect(isZero(driver, Self.page), "a reset helps")
    }
}
