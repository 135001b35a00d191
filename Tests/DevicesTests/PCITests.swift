import GuestMemory
import HostOS
import PCI
import SystemKit
import TestSupport
import Testing
import Virtio

/// What answers in a region: it remembers what was written to it last.
private final class TestRegion: PhysicalDevice, @unchecked Sendable {
    let mark: UInt64
    var last: (offset: UInt64, size: Int, value: UInt64)?
    init(_ mark: UInt64) { self.mark = mark }
    func read(_ offset: UInt64, size: Int) -> UInt64? { size == 8 ? nil : mark &+ offset }
    func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        last = (offset, size, value)
        return size < 8
    }
}

/// A function with a region of each kind.
private final class TestFunction: PCIFunction, RegisterDevice, @unchecked Sendable {
    override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("test", "", [Property("multi", .flag, "off", "")])
    }
    let io = TestRegion(0x100), low = TestRegion(0x200), high = TestRegion(0x300)

    required init(_ context: DeviceContext) {
        super.init(context)
        identify(
            PCIIdentity(
                vendor: 0x1234, device: 0x5678, revision: 9, classCode: 0x0200, subsystemVendor: 0x4321,
                subsystem: 0x8765,
                hasInterrupt: true), isMultifunction: properties.flag("multi"))
        add(PCIRegion(bar: 0, .io, size: 0x20, io))
        add(PCIRegion(bar: 1, .memory32, size: 0x1000, low))
        add(PCIRegion(bar: 2, .memory64Prefetchable, size: 0x4000, high))
        addCapability(9, "First", [4, 1])
        addCapability(5, "Second", [8, 2, 3, 4])
    }
    var span: UInt64 { 0 }
    func registers(_ map: inout RegisterMap<TestFunction>) {}
}

/// A board with a bus, which is reached as on `virt`.
private struct TestHost {
    static let memory: UInt64 = 0x4000_0000, high: UInt64 = 0x4_0000_0000
    let machine: TestMachine
    let bus: PCIBus
    let ecam: ECAMWindow
    let io: PCIWindow
    let low: PCIWindow
    let wide: PCIWindow

    init() throws {
        machine = try TestMachine()
        let lines = machine.lines
        bus = PCIBus("pcie.0", lines: (32..<36).map { lines.line($0) })
        ecam = ECAMWindow(bus)
        io = PCIWindow(bus, .io, base: 0)
        low = PCIWindow(bus, .memory, base: Self.memory)
        wide = PCIWindow(bus, .memory, base: Self.high)
        let bridge = machine.board.context("bridge", try Properties(HostBridge.descriptor))
        try machine.board.add(HostBridge.self, bridge) { function, _ in try bus.add(function) }
    }

    func add(_ name: String, at address: String? = nil, _ properties: String = "") throws -> TestFunction {
        let context = machine.board.context(name, try Properties(TestFunction.descriptor, parsing: properties))
        return try machine.board.add(TestFunction.self, context) { function, _ in
            try bus.add(function, at: address.flatMap { PCIAddress($0) })
        }
    }

    private func place(_ slot: String, _ offset: UInt64) -> UInt64 { UInt64(PCIAddress(slot)!.byte) << 12 + offset }
    func get(_ slot: String, _ offset: UInt64, size: Int = 4) -> UInt64 {
        ecam.read(place(slot, offset), size: size) ?? 0xbad_bad
    }
    func put(_ slot: String, _ offset: UInt64, _ value: UInt64, size: Int = 4) {
        #expect(ecam.write(place(slot, offset), size: size, value))
    }
}

@Suite struct PCITests {
    private static let ones: UInt64 = 0xffff_ffff
    private let host: TestHost
    init() throws { host = try TestHost() }

    @Test func softwareFindsWhatIsThere() throws {
        _ = try host.add("a")
        _ = try host.add("b", at: "1f.7")
        #expect(host.get("0", 0) == 0x0008_1b36 && host.get("0", 8) == 0x0600_0000)
        #expect(host.get("1", 0) == 0x5678_1234 && host.get("1f.7", 0) == 0x5678_1234)
        #expect(host.get("1", 8) == 0x0200_0009 && host.get("1", 0x2c) == 0x8765_4321)
        #expect(host.get("1", 0x3c, size: 2) == 0x100, "pin A")
        #expect(host.get("2", 0) == Self.ones && host.get("1.1", 0) == Self.ones && host.get("1f", 0) == Self.ones)
        #expect(host.ecam.read(1 << 20, size: 4) == Self.ones, "there is no second bus")
        #expect(host.get("1", 0x100) == Self.ones, "nor an extended configuration")
        #expect(host.get("1", 0, size: 8) == 0x0010_0000_5678_1234 && host.get("1", 3, size: 1) == 0x56)
        #expect(host.get("1", 0xfe, size: 4) == 0xffff_0000, "over the end")
    }

    @Test func capabilitiesAreAList() throws {
        _ = try host.add("a")
        let first = host.get("1", 0x34, size: 1)
        #expect(host.get("1", first) == 0x0104_0009 | (first + 4) << 8)
        #expect(host.get("1", first + 4) == 0x0208_0005 && host.get("1", first + 8, size: 2) == 0x0403)
        #expect(host.get("1", 0x06, size: 2) & 0x10 != 0 && host.get("0", 0x06, size: 2) == 0)
    }

    @Test func placesAreTakenOnce() throws {
        _ = try host.add("a", at: "3")
        #expect(throws: PCIError.taken(PCIAddress("3")!)) { try host.add("b", at: "3.0") }
        #expect(throws: PCIError.notMultifunction(PCIAddress("3.2")!)) { try host.add("c", at: "3.2") }
        _ = try host.add("d", at: "4", "multi=on")
        _ = try host.add("e", at: "4.5")
        #expect(host.get("4", 0x0e, size: 1) == 0x80 && host.get("4.5", 0) == 0x5678_1234)
        for number in 0..<29 { _ = try host.add("f\(number)") }
        #expect(throws: PCIError.full) { try host.add("g") }
        #expect(PCIAddress("20") == nil && PCIAddress("1.8") == nil && PCIAddress("") == nil && PCIAddress("-1") == nil)
        #expect(PCIAddress("0x1f.0x7")?.description == "1f.7")
    }

    @Test func regionsTellTheirSizes() throws {
        _ = try host.add("a")
        for offset in stride(from: 0x10, to: 0x28, by: 4) as StrideTo<UInt64> { host.put("1", offset, Self.ones) }
        let expected: [UInt64] = [0xffff_ffe1, 0xffff_f000, 0xffff_c00c, 0xffff_ffff, 0, 0]
        #expect((0..<6).map { host.get("1", 0x10 + 4 * $0) } == expected)
        #expect(host.get("1", 0x30) == 0, "no ROM")
        host.put("1", 0x15, 0xab, size: 1)
        #expect(host.get("1", 0x14) == 0xffff_a000)
    }

    @Test func regionsAnswerWhereTheyArePut() throws {
        let a = try host.add("a")
        host.put("1", 0x10, 0x40)
        host.put("1", 0x14, TestHost.memory + 0x1000)
        host.put("1", 0x18, 0x8000)
        host.put("1", 0x1c, 4)
        #expect(host.low.read(0x1004, size: 4) == Self.ones, "not yet enabled")
        host.put("1", 4, 3, size: 2)
        #expect(host.io.read(0x44, size: 4) == 0x104 && host.low.read(0x1004, size: 4) == 0x204)
        #expect(host.wide.read(0x8010, size: 2) == 0x310)
        #expect(host.wide.write(0x8010, size: 2, 77) && a.high.last?.offset == 0x10 && a.high.last?.value == 77)
        #expect(host.low.read(0x1004, size: 8) == .max && host.low.write(0x1004, size: 8, 1), "a size it does not have")
        #expect(host.low.read(0xfff, size: 4) == Self.ones && host.io.read(0x5e, size: 4) == Self.ones, "over an end")
        host.put("1", 0x14, TestHost.memory + 0x7000)
        #expect(host.low.read(0x1004, size: 4) == Self.ones && host.low.read(0x7004, size: 4) == 0x204)
        host.put("1", 4, 1, size: 2)
        #expect(host.low.read(0x7004, size: 4) == Self.ones && host.io.read(0x44, size: 1) == 0x104)
        // Where no window leads, nothing answers: not in RAM, not at the ends of the address space.
        host.put("1", 4, 3, size: 2)
        for base in [0, 0x8000_0000, 0xffff_f000] as [UInt64] {
            host.put("1", 0x14, base)
            #expect(host.low.read(0x7004, size: 4) == Self.ones && host.wide.read(0x4, size: 4) == Self.ones)
        }
        host.machine.board.reset(.warm)
        #expect(host.get("1", 4) == 0x0010_0000 && host.get("1", 0x10) == 1 && host.io.read(0x44, size: 1) == 0xff)
    }

    @Test func ofRegionsAtOnePlaceTheLowerSlotAnswers() throws {
        let a = try host.add("a"), b = try host.add("b")
        for slot in ["2", "1"] {
            host.put(slot, 0x14, TestHost.memory)
            host.put(slot, 0x18, 0x4000_0000)
            host.put(slot, 4, 2, size: 2)
        }
        #expect(host.low.write(0x10, size: 4, 5) && a.low.last?.value == 5 && b.low.last == nil)
        #expect(host.low.write(0x2000, size: 4, 6) && a.high.last?.value == 6, "the larger one lies behind it")
        host.put("1", 4, 0, size: 2)
        #expect(host.low.write(0x10, size: 4, 7) && b.low.last?.value == 7)
    }

    @Test func interruptsLeadToFourLines() throws {
        let lines = host.machine.lines
        let functions = try (1...5).map { try host.add("f\($0)") }
        let a = functions[0], e = functions[4], lock = a.domain.lock
        lock.withLock { a.setInterrupt(true) }
        #expect(lines[33] && !lines[32] && !lines[34], "slot 1, pin A")
        #expect(host.get("1", 6, size: 2) & 8 != 0)
        lock.withLock { e.setInterrupt(true) }
        lock.withLock { a.setInterrupt(false) }
        #expect(lines[33], "slot 5 shares it")
        host.put("5", 4, 0x400, size: 2)
        #expect(!lines[33] && host.get("5", 6, size: 2) & 8 != 0, "held back")
        host.put("5", 4, 0, size: 2)
        #expect(lines[33])
        lock.withLock { functions[2].setInterrupt(true) }
        #expect(lines[35])
        host.machine.board.reset(.warm)
        #expect(!lines[33] && !lines[35] && host.get("5", 6, size: 2) & 8 == 0)
    }

    @Test func theMonitorShowsThem() throws {
        _ = try host.add("a")
        host.put("1", 0x14, TestHost.memory)
        host.put("1", 4, 2, size: 2)
        #expect(
            host.bus.text
                == """
                  Bus  0, device   0, function 0:
                    Host bridge: PCI device 1b36:0008
                      PCI subsystem 1af4:1100
                      id "bridge"
                  Bus  0, device   1, function 0:
                    Ethernet controller: PCI device 1234:5678
                      PCI subsystem 4321:8765
                      IRQ 0, pin A
                      BAR0: I/O (not mapped)
                      BAR1: 32 bit memory at 0x40000000 [0x40000fff].
                      BAR2: 64 bit prefetchable memory at 0x00000000 [0x00003fff].
                      id "a"

                """)
    }

    /// Everything that software can do to a configuration and to the windows, virtio's included.
    @Test(.seeded(91)) func nothingThatIsWrittenEndsTheHost() throws {
        var random = SeededRandom(seed: Seed.current)
        let functions = [try host.add("a"), try host.add("b", at: "2", "multi=on"), try host.add("c", at: "2.7")]
        let properties = VirtioRNG.descriptor.properties + VirtioPCI.descriptor.properties
        let context = host.machine.board.context(
            "rng", try Properties(DeviceDescriptor("virtio-rng-pci", "", properties)))
        let rng = try host.machine.board.add(VirtioPCI.self, context) { function, block in
            function.plug(VirtioRNG(context), block)
            try host.bus.add(function)
        }
        let all: [PCIFunction] = functions + [rng]
        let fixed = all.map { [$0.readConfiguration(0, size: 4), $0.readConfiguration(8, size: 4)] }
        let bases: [UInt64] = [
            0, 4, 0x40, TestHost.memory, TestHost.memory + 0x1000, 0x8000_0000, 0xffff_ffff, 0x3000_0000,
        ]
        for round in 0..<Rounds.count(3000) {
            let function = all[random.below(all.count)], size = 1 << random.below(4)
            let page = UInt64(function.address.byte) << 12
            let offset = UInt64(random.below(random.chance(80) ? 0x100 : 0x1000))
            let value = random.chance(50) ? random.next() : bases[random.below(bases.count)]
            switch random.below(10) {
            case 0: #expect(host.ecam.write(page | UInt64(4 + random.below(2)), size: size, value | 7))
            case 1:
                let bar = 0x10 + 4 * UInt64(random.below(6))
                #expect(host.ecam.write(page | bar, size: 4, value))
            case 2...5: #expect(host.ecam.write(page | offset, size: size, value))
            case 6:
                let read = try #require(host.ecam.read(page | offset, size: size))
                #expect(size == 8 || read >> UInt64(8 * size) == 0)
            default:
                let window = [host.io, host.low, host.wide][random.below(3)]
                let at = UInt64(random.below(0x2_0000))
                if random.chance(50) {
                    #expect(window.write(at, size: size, random.next()))
                } else {
                    #expect(window.read(at, size: size) != nil)
                }
            }
            if round % 500 == 499 {
                for function in all {
                    let configuration = function.domain.lock.withLock { function.configuration }
                    var copy = configuration
                    for field in configuration.fields {
                        let mask = configuration.mask(of: field), old = copy.read(field.offset, size: field.width)
                        copy.write(field.offset, size: field.width, ~old)
                        #expect(copy.read(field.offset, size: field.width) == old ^ mask, "\(field.name)")
                    }
                }
                #expect(all.map { [$0.readConfiguration(0, size: 4), $0.readConfiguration(8, size: 4)] } == fixed)
                var saver = SnapshotCoder()
                try host.machine.board.snapshot(&saver)
                var loader = SnapshotCoder(loading: saver.bytes)
                try host.machine.board.snapshot(&loader)
                host.machine.board.reset(.warm)
                #expect(host.machine.lines.levels.values.allSatisfy { !$0 })
                #expect(host.bus.text.components("not mapped") == 10)
            }
        }
    }
}

extension String {
    /// How often another text is in it.
    fileprivate func components(_ other: String) -> Int {
        indices.count { self[$0...].hasPrefix(other) }
    }
}
