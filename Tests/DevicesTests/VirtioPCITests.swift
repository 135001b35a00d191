import GuestMemory
import PCI
import SystemKit
import Testing
import Virtio

@Suite struct VirtioPCITests {
    private let driver: TestDriver
    private let function: PCIFunction

    init() throws {
        driver = try TestDriver(RingLayout(pci: true), VirtioRNG.init, VirtioRNG.descriptor)
        function = try #require(driver.transport.device as? PCIFunction)
    }

    private func get(_ offset: Int, _ size: Int) -> UInt64 { function.readConfiguration(offset, size: size) }
    private func put(_ offset: Int, _ size: Int, _ value: UInt64) {
        function.writeConfiguration(offset, size: size, value)
    }

    /// Capabilities by `cfg_type`, and where they are.
    private var capabilities: [UInt64: Int] {
        var found: [UInt64: Int] = [:]
        var at = Int(get(0x34, 1))
        while at != 0, found.count < 10 {
            #expect(get(at, 1) == 9)
            found[get(at + 3, 1)] = at
            at = Int(get(at + 1, 1))
        }
        return found
    }

    private func offer() {
        driver.offer([Piece(address: TestDriver.buffers, count: 16, isWritten: true)])
    }

    @Test func driversFindIt() throws {
        #expect(get(0, 4) == 0x1044_1af4 && get(8, 4) == 0x00ff_0001 && get(0x2c, 4) == 0x1100_1af4)
        let found = capabilities
        #expect(found.keys.sorted() == [1, 2, 3, 4, 5])
        for (type, offset) in [(1, 0), (3, 0x1000), (4, 0x2000), (2, 0x3000)] as [(UInt64, UInt64)] {
            let at = try #require(found[type])
            #expect(get(at + 4, 1) == 4 && get(at + 8, 4) == offset && get(at + 12, 4) == 0x1000)
        }
        let notify = try #require(found[2])
        #expect(get(notify + 2, 1) == 20 && get(notify + 16, 4) == 4)
        #expect(driver.transport.get(0x12, size: 2) == 1 && driver.transport.get(0x10, size: 2) == 0xffff)
    }

    @Test func readingTheCauseTakesTheInterruptBack() {
        driver.start()
        offer()
        #expect(driver.isInterrupted && get(6, 2) & 8 != 0)
        #expect(driver.transport.get(0x1000, size: 1) == 1)
        #expect(!driver.isInterrupted && driver.transport.get(0x1000, size: 1) == 0 && get(6, 2) & 8 == 0)
        offer()
        driver.status = 0
        #expect(!driver.isInterrupted && driver.transport.get(0x1000, size: 1) == 0)
    }

    @Test func aWrongQueueIsAChangeOfTheConfiguration() {
        driver.start()
        driver.offer([Piece(address: 0x10, count: 16, isWritten: true)])
        #expect(driver.needsReset && driver.isInterrupted)
        #expect(driver.transport.get(0x1000, size: 1) == 2)
    }

    @Test func whoMayNotAccessMemoryDoesNot() {
        driver.start()
        put(4, 2, 2)
        offer()
        #expect(driver.used(waits: false) == nil)
        put(4, 2, 6)
        driver.notify()
        #expect(driver.used() != nil)
    }

    @Test func addressesCanBeWrittenAtOnceAndReadBack() {
        driver.transport.put(0x16, 0, size: 2)
        driver.transport.put(0x20, 0x1234_5678_9abc_def0, size: 8)
        #expect(
            driver.transport.get(0x24) == 0x1234_5678 && driver.transport.get(0x20, size: 8) == 0x1234_5678_9abc_def0)
        driver.transport.put(0x24, 1)
        #expect(driver.transport.get(0x20, size: 8) == 0x1_9abc_def0)
        driver.transport.put(0x16, 5, size: 2)
        #expect(driver.transport.get(0x18, size: 2) == 0 && driver.transport.get(0x20, size: 8) == 0, "no such queue")
        driver.transport.put(0x1c, 1, size: 2)
        driver.transport.put(0x18, 4, size: 2)
    }

    @Test func theRegionIsReachedThroughTheConfiguration() throws {
        let at = try #require(capabilities[5])
        #expect(get(at + 16, 4) == 0, "nothing is set up")
        put(at + 4, 1, 4)
        put(at + 8, 4, 0x14)
        put(at + 12, 4, 1)
        put(at + 16, 1, 3)
        #expect(driver.status == 3 && get(at + 16, 1) == 3)
        put(at + 8, 4, 0x12)
        put(at + 12, 4, 2)
        #expect(get(at + 16, 2) == 1, "one queue")
        for (bar, offset, length) in [
            (3, 0x14, 1), (4, 0x13, 2), (4, 0x4000, 4), (4, 0xffff_ffff, 1), (4, 0x14, 3), (4, 0x14, 0),
        ]
            as [(UInt64, UInt64, UInt64)]
        {
            put(at + 4, 1, bar)
            put(at + 8, 4, offset)
            put(at + 12, 4, length)
            put(at + 16, 4, 0)
            #expect(driver.status == 3 && get(at + 16, 4) == 0, "bar \(bar), offset \(offset), length \(length)")
        }
    }
}
