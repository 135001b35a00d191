import BlockLayer
import EventLoop
import GuestMemory
import HostOS
import SystemKit
import Synchronization
import TestSupport
import Testing
import Virtio

@Suite struct VirtioBlockTests {
    private static let flush: UInt64 = 1 << 9, others: UInt64 = 1 << 13 | 1 << 14
    private let image: TestDisk

    init() { image = TestDisk() }

    private func make(_ layout: RingLayout = RingLayout(), _ properties: String = "", isReadOnly: Bool = false) throws
        -> (TestDriver, TestDisk)
    {
        let image = isReadOnly ? TestDisk(isReadOnly: true) : image
        let driver = try TestDriver(layout, VirtioBlock.init, VirtioBlock.descriptor, properties) {
            $0.disk = BlockBackend(image, name: "d")
        }
        driver.start(Self.flush | Self.others)
        return (driver, image)
    }

    /// One request; the status, and what was reported as written.
    private func request(
        _ driver: TestDriver, _ kind: UInt32, _ sector: UInt64, _ data: [Piece]
    ) throws -> (status: UInt8, written: UInt32) {
        let header = TestDriver.buffers, status = TestDriver.buffers + 0x100
        #expect(driver.memory.store(header, UInt64(kind)) && driver.memory.store(header + 8, sector))
        #expect(driver.memory.store(status, 0x55 as UInt8))
        let id = driver.offer(
            [Piece(address: header, count: 16)] + data + [Piece(address: status, count: 1, isWritten: true)])
        let used = try #require(driver.used())
        #expect(used.id == id)
        driver.acknowledge()
        return (driver.memory.load(status, as: UInt8.self)!, used.written)
    }

    private let data = TestDriver.buffers + 0x1000

    @Test(arguments: RingLayout.all) func itReadsAndWrites(_ layout: RingLayout) throws {
        let (driver, image) = try make(layout)
        for round in 0..<20 as Range<UInt64> {
            let bytes = (0..<1024).map { UInt8(truncatingIfNeeded: $0 + Int(round) * 3) }
            #expect(driver.memory.store(data, bytes: bytes))
            let pieces = [Piece(address: data, count: 512), Piece(address: data + 512, count: 512)]
            #expect(try request(driver, 1, round * 2, pieces) == (0, 1))
            #expect(Array(image.bytes[Int(round) * 1024..<Int(round) * 1024 + 1024]) == bytes)
            #expect(driver.memory.fill(data, count: 1024))
            let room = pieces.map { Piece(address: $0.address, count: $0.count, isWritten: true) }
            #expect(try request(driver, 0, round * 2, room) == (0, 1025))
            #expect(driver.memory.bytes(data, count: 1024) == bytes)
        }
        #expect(try request(driver, 4, 0, []) == (0, 1))
        #expect(image.log.last == "flush")
    }

    @Test func aThreadOfItsOwnServesIt() throws {
        let thread = try IOThread("iothread0", clocks: Clocks())
        defer { thread.end() }
        let driver = try TestDriver(RingLayout(pci: true), VirtioBlock.init, VirtioBlock.descriptor) {
            $0.disk = BlockBackend(image, name: "d")
            $0.domain = thread.domain
        }
        driver.start(Self.flush)
        for round in 0..<200 {
            #expect(driver.memory.store(data, UInt64(round)))
            let piece = Piece(address: data, count: 512)
            #expect(try request(driver, 1, 8, [piece]) == (0, 1))
        }
        #expect(image.bytes[4096] == 199)
        // A reset while requests are on their way.
        for _ in 0..<50 {
            driver.start(Self.flush)
            for _ in 0..<2 {
                driver.offer([
                    Piece(address: TestDriver.buffers, count: 16),
                    Piece(address: TestDriver.buffers + 0x100, count: 1, isWritten: true),
                ])
            }
            driver.status = 0
        }
        thread.end()
        #expect(thread.threadID == 0 && driver.interrupts > 0)
    }

    @Test func whatDoesNotFitIsAnError() throws {
        let (driver, image) = try make()
        let piece = Piece(address: data, count: 512)
        let room = Piece(address: data, count: 512, isWritten: true)
        #expect(try request(driver, 1, 2048, [piece]).status == 1, "behind the end")
        #expect(try request(driver, 0, .max, [room]).status == 1)
        #expect(try request(driver, 0, 1 << 55, [room]).status == 1)
        #expect(try request(driver, 0, 2047, [room, room]).status == 1, "over the end")
        #expect(try request(driver, 1, 0, [Piece(address: data, count: 100)]).status == 1, "part of a sector")
        #expect(try request(driver, 99, 0, []).status == 2, "no such request")
        #expect(image.log.isEmpty && !driver.needsReset)
        image.failsAt = 512
        #expect(try request(driver, 1, 1, [piece]) == (1, 1))
        #expect(try request(driver, 1, 2, [piece]).status == 0)
    }

    @Test func rangesAreDiscardedAndZeroed() throws {
        let (driver, image) = try make()
        func range(_ kind: UInt32, _ sector: UInt64, _ count: UInt32, _ flags: UInt32) throws -> UInt8 {
            #expect(driver.memory.store(data, sector) && driver.memory.store(data + 8, count))
            #expect(driver.memory.store(data + 12, flags))
            return try request(driver, kind, 0, [Piece(address: data, count: 16)]).status
        }
        #expect(try range(11, 8, 16, 0) == 0)
        #expect(try range(13, 16, 1, 0) == 0)
        #expect(try range(13, 32, 2, 1) == 0)
        #expect(image.log == ["discard 4096 8192", "zero 8192 512 false", "zero 16384 1024 true"])
        #expect(try range(11, 8, 16, 1) == 2, "a discard has no flag")
        #expect(try range(13, 8, 16, 2) == 2)
        #expect(try range(13, 2040, 16, 0) == 1)
        #expect(try range(13, 0, .max, 0) == 1)
        #expect(image.log.count == 3)
    }

    @Test func aReadOnlyDiskIsNotWritten() throws {
        let (driver, image) = try make(isReadOnly: true)
        #expect(driver.deviceFeatures() & 1 << 5 != 0)
        #expect(try request(driver, 1, 0, [Piece(address: data, count: 512)]).status == 1)
        #expect(image.log.isEmpty)
    }

    @Test func theConfigurationSaysWhatTheDiskIs() throws {
        let (driver, _) = try make(RingLayout(), "serial=one,logical_block_size=4096,num-queues=2,queue-size=64")
        #expect(driver.transport.get(0x100, size: 8) == 2048)
        #expect(driver.transport.get(0x10c) == 62 && driver.transport.get(0x114) == 4096)
        #expect(driver.transport.get(0x122, size: 2) == 2 && driver.transport.get(0x34) == 64)
        #expect(driver.transport.get(0x120, size: 1) == 1)
        #expect(try request(driver, 8, 0, [Piece(address: data, count: 20, isWritten: true)]) == (0, 21))
        #expect(driver.memory.bytes(data, count: 5) == Array("one".utf8) + [0, 0])
        #expect(try request(driver, 0, 1, [Piece(address: data, count: 4096, isWritten: true)]).status == 1)
    }

    /// A driver that has not agreed to flush, or that says so, has what it wrote on the medium when it is told so.
    @Test func writesAreFlushedWhereNobodyElseDoes() throws {
        let (driver, image) = try make()
        driver.start(1 << 11)
        _ = try request(driver, 1, 0, [Piece(address: data, count: 512)])
        #expect(image.log == ["write 0 [512]", "flush"])
        driver.start(Self.flush | 1 << 11)
        driver.transport.put(0x120, 0, size: 1)
        _ = try request(driver, 1, 0, [Piece(address: data, count: 512)])
        #expect(image.log.suffix(2) == ["write 0 [512]", "flush"] && image.log.count == 4)
        driver.transport.put(0x120, 1, size: 1)
        _ = try request(driver, 1, 0, [Piece(address: data, count: 512)])
        #expect(image.log.count == 5)
    }

    @Test func badRequestsStopTheDevice() throws {
        let (driver, _) = try make()
        driver.offer([Piece(address: data, count: 8), Piece(address: data, count: 1, isWritten: true)])
        #expect(driver.needsReset)
        driver.start(Self.flush)
        driver.offer([Piece(address: data, count: 16)])
        #expect(driver.needsReset)
    }

    /// A reset ends what is under way: nothing is written to memory that the guest uses for something else by then.
    @Test func nothingComesBehindAReset() throws {
        let (driver, image) = try make()
        for round in 0..<50 {
            driver.start(Self.flush)
            #expect(driver.memory.store(TestDriver.buffers, 0 as UInt64))
            #expect(driver.memory.store(TestDriver.buffers + 8, 0 as UInt64))
            for _ in 0..<2 {
                driver.offer([
                    Piece(address: TestDriver.buffers, count: 16), Piece(address: data, count: 4096, isWritten: true),
                    Piece(address: TestDriver.buffers + 0x100, count: 1, isWritten: true),
                ])
            }
            if round % 2 == 0 { driver.turn() }
            driver.status = 0
            #expect(driver.memory.fill(data, count: 4096))
            let count = image.lock.withLock { image.log.count }
            driver.turn()
            #expect(driver.memory.bytes(data, count: 4096)?.allSatisfy { $0 == 0 } == true)
            #expect(image.lock.withLock { image.log.count } == count && !driver.isInterrupted)
        }
    }
}

@Suite struct BlockBackendTests {
    @Test func requestsAreDoneByThreadsAndToldByTheLoop() throws {
        let machine = try TestMachine(), image = TestDisk()
        let backend = BlockBackend(image, name: "d")
        backend.attach(machine.board.loop, under: machine.board.domain.lock)
        nonisolated(unsafe) var ended = 0
        let bytes = [UInt8](repeating: 7, count: 512)
        bytes.withUnsafeBytes { bytes in
            for index in 0..<500 as Range<UInt64> {
                backend.submit(.write(offset: index * 512, [bytes])) { error in ended += error == nil ? 1 : 0 }
            }
            let end = HostClock.monotonic() + 10_000_000_000
            while ended < 500, HostClock.monotonic() < end { machine.board.loop.turn(waits: false) }
        }
        #expect(ended == 500 && image.bytes.prefix(500 * 512).allSatisfy { $0 == 7 })
        backend.submit(.flush) { _ in ended += 1 }
        backend.finishAll()
        #expect(image.log.last == "flush")
    }

    /// One write that fails with an error, and how it ends: nil when it has not.
    private func failing(_ errno: Errno, _ action: ErrorAction) throws -> (
        end: [BlockError?], stops: Int, backend: BlockBackend, image: TestDisk, machine: TestMachine
    ) {
        let machine = try TestMachine(), image = TestDisk(), backend = BlockBackend(image, name: "d")
        backend.attach(machine.board.loop, under: machine.board.domain.lock)
        nonisolated(unsafe) var ends: [BlockError?] = [], stops = 0
        backend.onWriteError = action
        backend.stopMachine = { stops += 1 }
        image.failsAt = 512
        image.failsWith = errno
        let bytes = [UInt8](repeating: 7, count: 512)
        bytes.withUnsafeBytes { bytes in
            backend.submit(.write(offset: 512, [bytes])) { ends.append($0) }
            backend.finishAll()
            machine.board.loop.turn(waits: false)
            if stops > 0 {
                #expect(ends.isEmpty)
                // It fails again, then no more.
                for _ in 0..<2 {
                    backend.retry()
                    backend.finishAll()
                    machine.board.loop.turn(waits: false)
                    image.failsAt = nil
                }
            }
        }
        return (ends, stops, backend, image, machine)
    }

    @Test func aFailedRequestIsToldOrIgnoredOrTriedAgain() throws {
        for (errno, action, stops) in [
            (Errno.io, ErrorAction.report, 0), (.io, .ignore, 0), (.io, .enospc, 0), (.io, .stop, 2),
            (.nospc, .enospc, 2),
            (.nospc, .report, 0),
        ] {
            let run = try failing(errno, action)
            #expect(run.stops == stops && run.end.count == 1, "\(errno) \(action)")
            #expect(run.end.first.map { $0 != nil } == (stops == 0 && action != .ignore), "\(errno) \(action)")
            if stops > 0 { #expect(run.image.bytes[512..<1024].allSatisfy { $0 == 7 }) }
        }
    }

    @Test func requestsWaitWhileItIsPaused() throws {
        let image = TestDisk(), backend = BlockBackend(image, name: "d")
        let machine = try TestMachine()
        backend.attach(machine.board.loop, under: machine.board.domain.lock)
        nonisolated(unsafe) var ended = 0
        let bytes = [UInt8](repeating: 7, count: 512)
        try bytes.withUnsafeBytes { bytes in
            func submit(_ count: Int) {
                for index in 0..<count {
                    backend.submit(.write(offset: UInt64(index) * 512, [bytes])) { _ in ended += 1 }
                }
            }
            submit(100)
            try backend.paused { () throws(BlockError) in
                let before = image.lock.withLock { image.log.count }
                submit(100)
                HostThread.sleep(nanoseconds: 20_000_000)
                #expect(image.lock.withLock { image.log.count } == before)
            }
            backend.finishAll()
        }
        machine.board.loop.turn(waits: false)
        #expect(ended == 200)
        let counts = backend.statistics
        #expect(counts.written.operations == 200 && counts.written.bytes == 200 * 512 && counts.read.operations == 0)
    }
}
