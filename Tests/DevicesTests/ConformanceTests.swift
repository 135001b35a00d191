// What every device owes the framework: its registers keep what their rows say, a reset is a reset, and saved state is all of it.

import Devices
import PCI
import SystemKit
import TestSupport
import Testing
import Virtio

/// One device on a board of its own.
struct DeviceCase: Sendable, CustomStringConvertible {
    let description: String
    /// Its name and properties decide everything: two machines made of it are alike.
    let make: @Sendable (TestMachine) throws -> RegisterBlock
    /// It keeps state over a reset.
    var hasBattery = false

    static var all: [DeviceCase] {
        var cases: [DeviceCase] = []
        func add<D: RegisterDevice>(_ type: D.Type, _ properties: String = "", hasBattery: Bool = false) {
            cases.append(
                DeviceCase(
                    description: "\(D.descriptor.name) \(properties)",
                    make: { machine in
                        let lines = (0..<64).map { machine.lines.line($0) }
                        return machine.block(
                            try machine.board.add(type, "dut", at: 0x1000_0000, lines: lines, properties))
                    }, hasBattery: hasBattery))
        }
        add(NS16550A.self)
        add(ACLINT.self, "harts=3")
        add(ACLINT.self, "part=mswi,harts=5")
        add(ACLINT.self, "part=mtimer,harts=2,frequency=1000000")
        add(ACLINT.self, "part=sswi,harts=4")
        add(PLIC.self, "sources=95,contexts=4")
        add(PLIC.self, "sources=31,contexts=1,priorities=1,size=0x201000")
        add(PLIC.self, "sources=1023,contexts=3")
        add(TestFinisher.self)
        add(GoldfishRTC.self, "clock=vm", hasBattery: true)
        add(HTIF.self, "tohost=0x40,fromhost=0x80")
        add(FirmwareConfig.self)
        add(VirtioMMIO.self)
        cases.append(
            DeviceCase(
                description: "virtio-pci",
                make: { machine in
                    let properties = VirtioRNG.descriptor.properties + VirtioPCI.descriptor.properties
                    let context = machine.board.context(
                        "dut", try Properties(DeviceDescriptor("virtio-rng-pci", "", properties)))
                    let bus = PCIBus("pcie.0", lines: (0..<4).map { machine.lines.line($0) })
                    return machine.block(
                        try machine.board.add(VirtioPCI.self, context) { function, block in
                            function.plug(VirtioRNG(context), block)
                            try bus.add(function)
                        })
                }))
        return cases
    }
}

@Suite struct ConformanceTests {
    private static func state(_ block: RegisterBlock) throws -> [UInt8] {
        var coder = SnapshotCoder()
        try block.snapshot(&coder)
        return coder.bytes
    }

    /// Accesses at random, half of them at registers.
    private static func exercise(_ machine: TestMachine, _ block: RegisterBlock, _ random: inout SeededRandom) {
        let rows = block.rows
        for _ in 0..<Rounds.count(300) {
            let size = 1 << random.below(4)
            var offset = random.next() % (block.size + 8)
            if random.chance(70) {
                let row = rows[random.below(rows.count)]
                offset = row.offset + row.stride * UInt64(random.below(row.count)) + UInt64(random.below(row.width))
            }
            if random.chance(80) { offset &= ~UInt64(size - 1) }
            let value = random.chance(50) ? random.next() : random.next() >> UInt64(random.below(64))
            if random.chance(50) {
                _ = block.write(offset, size: size, value)
            } else if let read = block.read(offset, size: size) {
                #expect(size == 8 || read >> UInt64(8 * size) == 0, "the bits above \(size) bytes at \(offset)")
            }
            if random.chance(10) { machine.time.set(machine.time.time.load(ordering: .relaxed) &+ random.next() >> 40) }
            if random.chance(10) { machine.board.loop.turn(waits: false) }
        }
    }

    @Test(.seeded(71), arguments: DeviceCase.all)
    func storedRegistersKeepWhatTheirRowsSay(_ dut: DeviceCase) throws {
        var random = SeededRandom(seed: Seed.current)
        let block = try dut.make(try TestMachine())
        let rows = block.rows
        for (number, row) in rows.enumerated() where row.isStored && row.kind == .plain {
            guard let size = [row.width, 4, 8].first(where: { block.sizes.contains(size: $0) && $0 <= row.width })
            else { continue }
            for _ in 0..<20 {
                let offset = row.offset + row.stride * UInt64(random.below(row.count))
                // A row before it has the same address.
                if rows[..<number].contains(where: {
                    offset >= $0.offset && offset < $0.offset + $0.stride * UInt64($0.count)
                }) {
                    continue
                }
                let old = try #require(block.read(offset, size: size)), value = random.next()
                #expect(block.write(offset, size: size, value))
                #expect(block.read(offset, size: size) == old & ~row.mask | value & row.mask, "\(row.name)")
            }
        }
    }

    @Test(.seeded(72), arguments: DeviceCase.all)
    func resetTwiceIsResetOnce(_ dut: DeviceCase) throws {
        var random = SeededRandom(seed: Seed.current)
        let machine = try TestMachine(), block = try dut.make(machine)
        let first = try Self.state(block)
        Self.exercise(machine, block, &random)
        block.reset(.warm)
        let second = try Self.state(block)
        if !dut.hasBattery { #expect(second == first, "as when it was made") }
        block.reset(.warm)
        #expect(try Self.state(block) == second)
        #expect(machine.lines.levels.values.allSatisfy { !$0 } || dut.description.contains("sswi"))
    }

    @Test(.seeded(73), arguments: DeviceCase.all)
    func savedStateIsAllOfIt(_ dut: DeviceCase) throws {
        var random = SeededRandom(seed: Seed.current)
        let machine = try TestMachine(), block = try dut.make(machine)
        for _ in 0..<5 {
            Self.exercise(machine, block, &random)
            let saved = try Self.state(block)
            let other = try TestMachine(), copy = try dut.make(other)
            other.time.set(machine.time.time.load(ordering: .relaxed))
            var coder = SnapshotCoder(loading: saved)
            try copy.snapshot(&coder)
            try coder.finish()
            #expect(try Self.state(copy) == saved)
            // Both go on alike.
            var again = random
            Self.exercise(machine, block, &random)
            Self.exercise(other, copy, &again)
            #expect(try Self.state(copy) == Self.state(block))
            if !dut.description.contains("sswi") {
                #expect(other.lines.levels.filter(\.value) == machine.lines.levels.filter(\.value))
            }
        }
    }

    @Test(.seeded(74), arguments: DeviceCase.all)
    func hostileStateIsAnErrorAtMost(_ dut: DeviceCase) throws {
        var random = SeededRandom(seed: Seed.current)
        let machine = try TestMachine(), block = try dut.make(machine)
        Self.exercise(machine, block, &random)
        let saved = try Self.state(block)
        var refused = 0
        for round in 0..<Rounds.count(60) {
            var bytes = saved
            if round % 3 == 0 {
                bytes.removeLast(1 + random.below(bytes.count))
            } else {
                for _ in 0...random.below(4) {
                    bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            var coder = SnapshotCoder(loading: bytes)
            do throws(SnapshotError) {
                try block.snapshot(&coder)
                try coder.finish()
            } catch {
                refused += 1
            }
        }
        Self.exercise(machine, block, &random)
        #expect(refused >= 20, "those that are cut off, at least")
    }

    @Test func wordsOfOtherSizesAreBusErrors() throws {
        let plic = try DeviceCase.all[5].make(try TestMachine())
        #expect(plic.read(4, size: 1) == nil && plic.read(4, size: 8) == nil && plic.read(6, size: 4) == nil)
        #expect(!plic.write(4, size: 2, 0))
        #expect(plic.read(4, size: 4) == 0)
        #expect(plic.read(plic.size, size: 4) == nil)
    }
}
