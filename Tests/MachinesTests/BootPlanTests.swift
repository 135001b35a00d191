// A machine from files to the memory that its harts find.

import DeviceTree
import GuestMemory
import TestSupport
import Testing

@testable import Machines

let hart = HartShape(
    width: .bits64, extensions: ["i", "m", "a", "zicsr", "sstc"], paging: 57, cacheBlocks: [("cbom", 64)])

private func shape(_ ram: UInt64 = 64 << 20, harts: Int = 1, hart: HartShape = hart) -> MachineShape {
    MachineShape(hart: hart, hartCount: harts, ramSize: ram)
}

/// Memory for a machine's ROM and RAM.
private final class TestMemory {
    let map = PhysicalMap()
    private var allocated: [UnsafeMutableRawPointer] = []

    init(_ machine: MachineDescription, ram: UInt64) {
        if let reset = machine.reset { add("rom", at: reset.base, reset.size) }
        add("ram", at: machine.ramBase, ram)
    }

    private func add(_ name: String, at base: UInt64, _ size: UInt64) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(size), alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0xee, count: Int(size))
        let chunks = UnsafeMutableRawPointer.allocate(byteCount: Int(size / 512), alignment: 4096)
        allocated += [memory, chunks]
        let block = RAMBlock(
            name, base: memory, size: size, isReadOnly: name == "rom",
            codeChunks: chunks.assumingMemoryBound(to: UInt64.self))
        precondition(map.add(PhysicalRange(name, start: base, size: size, .memory(block))))
    }

    deinit { for memory in allocated { memory.deallocate() } }

    func bytes(_ address: UInt64, _ count: Int) -> [UInt8] {
        guard let place = map.memory(address, count: UInt64(count)) else { return [] }
        return Array(UnsafeRawBufferPointer(start: place.host, count: count))
    }

    func words(_ address: UInt64, _ count: Int) -> [UInt32] {
        let bytes = bytes(address, 4 * count)
        return (0..<bytes.count / 4).map { at in
            bytes[4 * at..<4 * at + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
    }
}

private func failure(_ machine: MachineDescription, _ shape: MachineShape, _ request: BootRequest) -> String? {
    do throws(MachineError) {
        _ = try BootPlan(machine, shape, request)
        return nil
    } catch { return error.description }
}

@Suite final class BootPlanTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("boot") }

    private func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        try writeFile(folder.path + "/" + name, bytes)
        return folder.path + "/" + name
    }

    /// Words as qemu-system-riscv64 and -riscv32 10.0.13 have them at 0x1000 with -m 512M, firmware and a kernel.
    @Test func theResetROMIsQEMUs() {
        let rom = ResetROM(base: 0x1000, size: 0xf000)
        func words(_ width: HartWidth, next: UInt64) -> [UInt32] {
            let bytes = rom.contents(width: width, start: 0x8000_0000, tree: 0x9fe0_0000, next: next)
            return stride(from: 0, to: bytes.count, by: 4).map { at in
                bytes[at..<at + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
            }
        }
        #expect(
            words(.bits64, next: 0x8020_0000) == [
                0x0000_0297, 0x0282_8613, 0xf140_2573, 0x0202_b583, 0x0182_b283, 0x0002_8067, 0x8000_0000, 0,
                0x9fe0_0000, 0,
                0x4942_534f, 0, 2, 0, 0x8020_0000, 0, 1, 0, 0, 0, 0, 0,
            ])
        #expect(
            words(.bits32, next: 0x8040_0000) == [
                0x0000_0297, 0x0282_8613, 0xf140_2573, 0x0202_a583, 0x0182_a283, 0x0002_8067, 0x8000_0000, 0,
                0x9fe0_0000, 0,
                0x4942_534f, 2, 0x8040_0000, 1, 0, 0,
            ])
    }

    /// As qemu-system-riscv64 10.0.13 does it.
    @Test func firmwareInFlashIsStartedAndGetsTheKernel() throws {
        let machine = MachineDescription.virt()
        var request = BootRequest()
        request.startsInFlash = true
        request.kernel = try file("kernel", [UInt8](repeating: 2, count: 600))
        request.initrd = try file("initrd", [UInt8](repeating: 3, count: 700))
        request.arguments = "quiet"
        request.firmware = .file(try file("firmware", [UInt8](repeating: 1, count: 500)))
        let memory = TestMemory(machine, ram: 64 << 20)
        let plan = try BootPlan(machine, shape(), request)
        try plan.write(to: memory.map, seed: [UInt8](repeating: 9, count: 32))
        #expect(memory.words(0x1018, 1) == [0x8000_0000] && memory.words(0x1038, 1) == [0x2000_0000])
        #expect(memory.bytes(0x8020_0000, 1) == [0xee], "the kernel is not in RAM")
        let handed = try #require(plan.handed)
        #expect(handed.kernel == [UInt8](repeating: 2, count: 600) && handed.arguments == "quiet")
        #expect(handed.initrd == [UInt8](repeating: 3, count: 700))
        // In machine mode, without firmware before it.
        request.firmware = .none
        let bare = try BootPlan(machine, shape(), request)
        try bare.write(to: memory.map, seed: [UInt8](repeating: 9, count: 32))
        #expect(memory.words(0x1018, 1) == [0x2000_0000] && bare.handed == nil)
        #expect(memory.bytes(0x8000_0000, 1) == [2], "the kernel is in RAM")
    }

    @Test func everythingIsWrittenWhereTheROMAndTheTreeSay() throws {
        var request = BootRequest()
        request.firmware = .file(try file("firmware", [UInt8](repeating: 1, count: 5000)))
        request.kernel = try file("kernel", [UInt8](repeating: 2, count: 6000))
        request.initrd = try file("initrd", [UInt8](repeating: 3, count: 7000))
        request.arguments = "console=ttyS0"
        request.loaders = [try LoaderDevice(parsing: "addr=0x80100000,data=0x0102,data-len=2")]
        let machine = MachineDescription.virt()
        let plan = try BootPlan(machine, shape(), request)
        let memory = TestMemory(machine, ram: 64 << 20)
        try plan.write(to: memory.map, seed: [UInt8](repeating: 9, count: 32))
        #expect(plan.start == 0x1000 && plan.starts.isEmpty && plan.hostWords == nil)
        #expect(memory.words(0x1018, 4) == [0x8000_0000, 0, UInt32(plan.treeAddress), 0])
        #expect(memory.words(0x1038, 1) == [0x8020_0000])
        #expect(memory.bytes(0x8000_0000, 5000) == [UInt8](repeating: 1, count: 5000))
        #expect(memory.bytes(0x8000_0000 + 5000, 1) == [0xee])
        #expect(memory.bytes(0x8020_0000, 6000) == [UInt8](repeating: 2, count: 6000))
        #expect(memory.bytes(0x8010_0000, 3) == [2, 1, 0xee])
        let header = memory.bytes(plan.treeAddress, 8)
        let size = header[4...].reduce(0) { $0 << 8 | Int($1) }
        let tree = try FlatTree(blob: memory.bytes(plan.treeAddress, size)).root
        let chosen = try #require(tree.find("/chosen"))
        #expect(chosen.text("bootargs") == "console=ttyS0" && chosen.text("stdout-path") == "/soc/serial@10000000")
        #expect(
            chosen["rng-seed"].map { if case .bytes(let seed) = $0 { seed } else { [] } }
                == [UInt8](repeating: 9, count: 32))
        let start = try #require(chosen.cells("linux,initrd-start")),
            end = try #require(chosen.cells("linux,initrd-end"))
        #expect(start == [0, 0x8220_0000] && end == [0, 0x8220_0000 + 7000])
        #expect(memory.bytes(0x8220_0000, 7000) == [UInt8](repeating: 3, count: 7000))
        #expect(tree.find("/memory@80000000")?.cells("reg") == [0, 0x8000_0000, 0, 64 << 20])
        // A second reset, with another seed, leaves nothing of what ran between.
        let (place, _) = (memory.map.memory(0x8000_0000, count: 16)!.host, 0)
        place.initializeMemory(as: UInt8.self, repeating: 0, count: 16)
        try plan.write(to: memory.map, seed: [UInt8](repeating: 8, count: 32))
        #expect(memory.bytes(0x8000_0000, 5000) == [UInt8](repeating: 1, count: 5000))
        #expect(
            try FlatTree(blob: memory.bytes(plan.treeAddress, size)).root.find("/chosen")?.cells("rng-seed")?.first
                == 0x0808_0808)
    }

    @Test func smallRAMIsOneLineThatSaysHowMuchIsEnough() throws {
        var request = BootRequest()
        request.firmware = .file(try file("firmware", [UInt8](repeating: 1, count: 270_000)))
        request.kernel = try file("kernel", [UInt8](repeating: 2, count: 5 << 20))
        request.initrd = try file("initrd", [UInt8](repeating: 3, count: 1 << 20))
        for mebibytes in UInt64(1)...24 {
            guard let line = failure(.virt(), shape(mebibytes << 20), request) else { continue }
            #expect(!line.contains("\n"))
            // A file that is larger than RAM is refused before anything has its place.
            if line.contains("that there are for it") { continue }
            let least = try #require(line.firstMatch(of: /: -m (\d+)M is enough$/).flatMap { UInt64($0.1) })
            #expect(failure(.virt(), shape(least << 20), request) == nil)
        }
        #expect(failure(.virt(), shape(8 << 20), request)?.contains("kernel \(folder.path)/kernel") == true)
    }

    @Test(arguments: [0, 1, 4095, 1 << 63, .max, 1 << 56] as [UInt64]) func impossibleRAMIsOneLine(size: UInt64) {
        let line = failure(.virt(), shape(size), BootRequest())
        #expect(line?.hasPrefix("-m: ") == true)
    }

    @Test func impossibleHartsAreOneLine() {
        #expect(failure(.virt(), shape(harts: 0), BootRequest())?.hasPrefix("-smp 0: ") == true)
        #expect(failure(.spike, shape(harts: 9), BootRequest())?.hasPrefix("-smp 9: ") == true)
    }

    @Test func optionsThatNeedAKernelAreRefusedWithoutOne() throws {
        var request = BootRequest()
        request.firmware = .none
        request.arguments = "x"
        #expect(failure(.virt(), shape(), request)?.hasPrefix("-append: ") == true)
        request.arguments = nil
        request.initrd = "x"
        #expect(failure(.virt(), shape(), request)?.hasPrefix("-initrd: ") == true)
    }

    @Test func theUsualFirmwareIsTheFirstThatIsThere() throws {
        var request = BootRequest()
        request.firmwareFiles = [folder.path + "/not", try file("found", [1, 2, 3, 4])]
        #expect(try BootPlan(.virt(), shape(), request).pieces[0].bytes == [1, 2, 3, 4])
        request.firmwareFiles = []
        #expect(failure(.virt(), shape(), request)?.hasPrefix("-bios default: ") == true)
        let files = Firmware.usualFiles(.bits32, executable: "/opt/x/martlet-system", cache: "/c")
        #expect(files.first == "/opt/x/firmware32.bin" && files.contains("/c/martlet/payloads/firmware32.bin"))
    }

    @Test func overlapsWithWhatIsLoadedNameBoth() throws {
        var request = BootRequest()
        request.firmware = .file(try file("firmware", [UInt8](repeating: 1, count: 5000)))
        request.loaders = [try LoaderDevice(parsing: "addr=0x80001000,data=1,data-len=8")]
        let line = failure(.virt(), shape(), request)
        #expect(
            line
                == "loader's data (0x80001000 to 0x80001007) and firmware \(folder.path)/firmware (0x80000000 to 0x80001387) overlap"
        )
        request.loaders = [try LoaderDevice(parsing: "addr=0xfffffffffffffffc,data=1,data-len=8")]
        #expect(failure(.virt(), shape(), request)?.contains("past the last address") == true)
        request.loaders = [try LoaderDevice(parsing: "addr=0,cpu-num=1")]
        #expect(failure(.virt(), shape(), request)?.contains("cpu-num=1: the machine's last hart is 0") == true)
    }

    @Test func aTreeOfTheUsersGetsMemoryAndChosen() throws {
        let root = DeviceTreeNode()
        root["#address-cells"] = .cell(2)
        root["#size-cells"] = .cell(1)
        root["model"] = .string("mine")
        let old = root.add(DeviceTreeNode("memory", at: 0x1000))
        old["device_type"] = .string("memory")
        root.add(DeviceTreeNode("chosen"))["kept"] = .cell(7)
        var request = BootRequest()
        request.firmware = .none
        request.kernel = try file("kernel", [2])
        request.arguments = "a b"
        request.tree = try file("tree", FlatTree(root: root).flattened())
        let tree = try FlatTree(
            blob: BootPlan(.virt(), shape(), request).treeBlob(seed: [UInt8](repeating: 1, count: 32))
        ).root
        #expect(tree.text("model") == "mine" && tree.children.map(\.name) == ["chosen", "memory@80000000"])
        #expect(tree.find("/memory")?.cells("reg") == [0, 0x8000_0000, 64 << 20])
        #expect(tree.find("/chosen")?.cells("kept") == [7] && tree.find("/chosen")?.text("bootargs") == "a b")
        let double = DeviceTreeNode()
        double.add(DeviceTreeNode("chosen@1"))
        double.add(DeviceTreeNode("chosen"))
        request.tree = try file("tree", FlatTree(root: double).flattened())
        #expect(failure(.virt(), shape(), request) == "the device tree: it has more than one /chosen")
        request.tree = try file("tree", [0xd0, 0x0d, 0xfe, 0xed])
        #expect(failure(.virt(), shape(), request)?.contains("no sound device tree") == true)
    }

    /// Such as a bare-metal test: `-M spike -bios none -kernel test.elf`.
    @Test(arguments: [HartWidth.bits32, .bits64]) func anELFKernelWithoutFirmwareBeginsAtItsEntry(width: HartWidth)
        throws
    {
        var request = BootRequest()
        request.firmware = .none
        request.kernel = try file("test.elf", elf(width))
        let hart = HartShape(width: width, extensions: ["i"], paging: nil)
        let plan = try BootPlan(.spike, shape(hart: hart), request)
        let memory = TestMemory(.spike, ram: 64 << 20)
        let seed = [UInt8](repeating: 0, count: Chosen.seedSize)
        try plan.write(to: memory.map, seed: seed)
        #expect(memory.words(0x1018, 1) == [0x8000_0004])
        // 16 bytes of the file, then zeros, then what was there.
        #expect(memory.bytes(0x8000_0000, 33) == Array(1...16) + [UInt8](repeating: 0, count: 16) + [0xee])
        #expect(plan.hostWords?.to == 0x8000_1000)
        let htif = try #require(FlatTree(blob: plan.treeBlob(seed: seed)).root.find("/htif"))
        #expect(htif["reg"] == nil && htif.text("compatible") == "ucb,htif0")
    }

    @Test func theBareMachineRunsWhatIsLoaded() throws {
        var request = BootRequest()
        request.loaders = [
            try LoaderDevice(parsing: "file=\(try file("program", [1, 2])),addr=0x1000,force-raw=on,cpu-num=0")
        ]
        let plan = try BootPlan(.bare, shape(1 << 21), request)
        #expect(plan.starts == [0: 0x1000] && plan.pieces[0].address == 0x1000)
        // It fills its RAM: nothing else is put there.
        let program = try file("all", [UInt8](repeating: 1, count: 1 << 21))
        request.loaders = [try LoaderDevice(parsing: "file=\(program),addr=0")]
        let memory = TestMemory(.bare, ram: 1 << 21)
        try BootPlan(.bare, shape(1 << 21), request).write(to: memory.map, seed: [])
        #expect(memory.bytes(0, 1 << 21).allSatisfy { $0 == 1 })
        request.kernel = "x"
        #expect(failure(.bare, shape(1 << 21), request)?.hasPrefix("-kernel: machine none") == true)
    }

    @Test func machinesHaveNames() throws {
        #expect(try MachineDescription.named("spike").name == "spike")
        #expect(throws: MachineError("-M x: there is no such machine; there are virt, spike, none")) {
            try MachineDescription.named("x")
        }
    }
}
