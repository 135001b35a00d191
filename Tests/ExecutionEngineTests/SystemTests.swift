// A machine's vCPU: look-up tables, devices, exceptions, and code by physical address. The guest is RISC-V without its privileged half,
// with page tables that are a dictionary of the test's.

import CodeGen
import GuestKit
import GuestMemory
import GuestRISCV
import HostOS
import IR
import TestSupport
import Testing
import TranslationStore

@testable import ExecutionEngine

/// RISC-V with an MMU as simple as can be: what a page is, a table of the test's says. An exception goes to `handler`.
final class FlatGuest: ExtendedRISCV, SystemGuest, @unchecked Sendable {
    let riscv = RISCVGuest(cpu: .everything)
    /// By virtual page number; others lie where they are seen.
    var pages: [UInt64: PageMapping?] = [:]
    var handler: UInt64 = 0
    var raised: [String] = []
    var walks = 0
    var viewNumber: UInt64 = 0
    /// Set before there is an engine.
    var movingModes: ModeSet?

    var stateSize: Int { riscv.stateSize + 8 }

    let mmuIndexCount = 1
    func fetchIndex(_ state: UnsafeMutableRawPointer) -> Int { 0 }
    func view(_ state: UnsafeMutableRawPointer, index: Int) -> UInt64 { viewNumber }
    func fetchView(_ view: UInt64) -> UInt64 { view }
    func globalView(_ view: UInt64) -> UInt64 { 0 }
    func isView(_ view: UInt64, of space: UInt64) -> Bool { view == space }
    func walk(
        _ state: UnsafeMutableRawPointer, _ address: UInt64, _ access: MemoryAccess, index: Int, _ memory: PhysicalMap
    ) -> Walk {
        walks += 1
        guard let page = pages[address >> 12] else {
            return .page(PageMapping(physical: address, leafBits: 12, rights: [.read, .write, .execute]))
        }
        let right: PageMapping.Rights = access == .read ? .read : access == .write ? .write : .execute
        guard var page, page.rights.contains(right) else { return .fault(100 + UInt32(access.rawValue)) }
        page.physical |= address & 0xfff
        return .page(page)
    }
    func exception(_ kind: MemoryFaultKind, _ access: MemoryAccess) -> UInt32 {
        (kind == .misaligned ? 300 : 200) + UInt32(access.rawValue)
    }
    func raise(_ state: UnsafeMutableRawPointer, _ exception: UInt32, value: UInt64?) {
        let value = value ?? 0
        let pc = state.load(fromByteOffset: pcOffset, as: UInt64.self)
        raised.append("\(exception) \(String(value, radix: 16)) at \(String(pc, radix: 16))")
        state.storeBytes(of: handler, toByteOffset: pcOffset, as: UInt64.self)
    }
    var interruptLinesOffset: Int { riscv.stateSize }
    func takeInterrupt(_ state: UnsafeMutableRawPointer) -> Bool { false }
    func deadline(_ state: UnsafeMutableRawPointer) -> UInt64 { .max }
    func isAwake(_ state: UnsafeMutableRawPointer) -> Bool { false }
}

/// Notes what it is asked, answers with what was written last.
final class Echo: PhysicalDevice, @unchecked Sendable {
    var log: [String] = []
    var value: UInt64 = 0x8899_aabb_ccdd_eeff
    /// Called at each access.
    var asked: () -> Void = {}
    func read(_ offset: UInt64, size: Int) -> UInt64? {
        asked()
        log.append("r\(size) \(String(offset, radix: 16))")
        return offset < 0x800 ? value & (UInt64.max >> UInt64(64 - 8 * size)) : nil
    }
    func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        asked()
        log.append("w\(size) \(String(offset, radix: 16)) \(String(value, radix: 16))")
        self.value = value
        return offset < 0x800
    }
}

/// A device with memory, which a write hides or shows.
final class Cover: MemoryCover, @unchecked Sendable {
    var showsMemory = true
    var log: [UInt64] = []
    func read(_ offset: UInt64, size: Int) -> UInt64? { 0xc0 + offset }
    func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        log.append(offset << 8 | value)
        showsMemory = value == 1
        return true
    }
}

/// RAM of 64 KiB at `base`, ROM behind it, a device at 0x10000, nothing elsewhere.
final class Board {
    static let base: UInt64 = 0x8000_0000, rom: UInt64 = 0x8001_0000, device: UInt64 = 0x10000
    let guest = FlatGuest()
    let echo = Echo()
    let ram: RAMBlock, romBlock: RAMBlock
    let engine: Engine
    let vcpu: VCPU

    init(_ c: Configuration, moves: Bool = false, _ change: (inout EngineOptions) -> Void = { _ in }) throws {
        startSignals
        guest.movingModes = moves ? ModeSet() : nil
        let map = PhysicalMap()
        func block(_ name: String, isReadOnly: Bool) -> RAMBlock {
            let size = 0x10000
            let base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
            base.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            let chunks = UnsafeMutablePointer<UInt64>.allocate(capacity: size / 4096)
            chunks.initialize(repeating: 0, count: size / 4096)
            return RAMBlock(name, base: base, size: UInt64(size), isReadOnly: isReadOnly, codeChunks: chunks)
        }
        ram = block("ram", isReadOnly: false)
        #expect(map.add(PhysicalRange("ram", start: Self.base, size: ram.size, .memory(ram))))
        let rom = block("rom", isReadOnly: true)
        romBlock = rom
        #expect(map.add(PhysicalRange("rom", start: Self.rom, size: rom.size, .memory(rom))))
        #expect(map.add(PhysicalRange("echo", start: Self.device, size: 0x1000, .device(echo))))
        var options = EngineOptions(diagnostics: .silent)
        options.tier = c.tier
        options.codeCacheSize = 4 << 20
        options.hotThreshold = 20
        options.verification = .all
        change(&options)
        engine = try Engine(guest: guest, host: c.makeHost(), memory: MachineMemory(map), options: options)
        vcpu = try engine.makeVCPU()
        guest.handler = Self.base + 0xf000
        write([RV.ecall], at: 0xf000)
    }

    func write(_ words: [UInt32], at offset: Int) {
        for (i, word) in words.enumerated() {
            ram.base.storeBytes(of: word, toByteOffset: offset + 4 * i, as: UInt32.self)
        }
    }
    subscript(offset: Int) -> UInt64 {
        get { ram.base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
        set { ram.base.storeBytes(of: newValue, toByteOffset: offset, as: UInt64.self) }
    }

    /// Runs words, placed at an offset in RAM, to the `ecall` behind them; what was raised on the way.
    func run(_ words: [UInt32], at offset: Int = 0) -> [String] {
        write(words + [RV.ecall], at: offset)
        engine.invalidate(start: GuestLocation(Self.base + UInt64(offset)), length: UInt64(4 * words.count + 4))
        return call(Self.base + UInt64(offset))
    }

    func call(_ pc: UInt64) -> [String] {
        guest.raised = []
        vcpu.programCounter = pc
        while true {
            let exit = vcpu.run()
            if case .interrupted = exit { continue }
            #expect(exit.text == "systemCall")
            return guest.raised
        }
    }

    func map(_ page: UInt64, to physical: UInt64?, _ rights: PageMapping.Rights = [.read, .write, .execute]) {
        guest.pages[page >> 12] = .some(
            physical.map { PageMapping(physical: $0, leafBits: 12, rights: rights) })
    }

    func flush(_ page: UInt64) { vcpu.mmu?.flush(SystemFlush.address, page) }
}

extension EngineTests {
    struct SystemTests {
        private static let base = Board.base

        @Test(arguments: Configuration.all)
        func memoryIsReadWhileItsCoverShowsIt(_ c: Configuration) throws {
            let b = try Board(c)
            let cover = Cover()
            b.romBlock.cover = cover
            b.romBlock.base.storeBytes(of: 0x1122, toByteOffset: 0x10, as: UInt64.self)
            b.map(0x4000_0000, to: Board.rom)
            b.vcpu[x: 5] = 0x4000_0000
            // Reads; hides it and reads; shows it and reads.
            let words = [
                RV.lw(6, 5, 0x10), RV.sw(0, 5, 0x20), RV.lw(7, 5, 0x10), RV.sw(11, 5, 0x24), RV.lw(8, 5, 0x10),
                RV.add(9, 6, 8),
            ]
            b.vcpu[x: 11] = 1
            #expect(b.run(words) == [])
            for turn in 0..<60 {
                #expect([6, 7, 8].map { b.vcpu[x: $0] } == [0x1122, 0xd0, 0x1122], "\(turn)")
                #expect(b.call(Self.base) == [])
            }
            #expect(cover.log.count == 122 && cover.log.prefix(2) == [0x2000, 0x2401])
            // Another one hides it.
            #expect(b.run([RV.lw(6, 5, 0x10)], at: 0x100) == [] && b.vcpu[x: 6] == 0x1122)
            cover.showsMemory = false
            b.engine.coverChanged()
            #expect(b.call(Self.base + 0x100) == [] && b.vcpu[x: 6] == 0xd0)
            // What is executed is the memory.
            b.romBlock.base.storeBytes(of: RV.ecall, toByteOffset: 0x40, as: UInt32.self)
            #expect(b.call(Board.rom + 0x40) == [])
        }

        @Test(arguments: Configuration.all)
        func loadsAndStoresGoThroughTheTables(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: Self.base + 0x3000)
            b[0x3010] = 0x1122_3344_5566_7788
            b.vcpu[x: 5] = 0x4000_0000
            b.vcpu[x: 7] = 0xdead_beef_0bad_f00d
            #expect(b.run([RV.ld(6, 5, 0x10), RV.sd(7, 5, 0x18), RV.lw(8, 5, 0x13), RV.sw(6, 5, 0x21)]) == [])
            #expect(b.vcpu[x: 6] == 0x1122_3344_5566_7788)
            #expect(b[0x3018] == 0xdead_beef_0bad_f00d)
            #expect(b.vcpu[x: 8] == 0x0000_0000_2233_4455)
            #expect(b[0x3021] & 0xffff_ffff == 0x5566_7788)
            // Once more without a walk, but for the code's.
            let walks = b.guest.walks
            for _ in 0..<100 { #expect(b.call(Self.base) == []) }
            if c.isX64 { #expect(b.guest.walks == walks) }
        }

        @Test(arguments: Configuration.all)
        func accessesCrossPages(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: Self.base + 0x3000)
            b.map(0x4000_1000, to: Self.base + 0x5000)
            b[0x3ff8] = 0x1111_1111_2222_2222
            b[0x5000] = 0x3333_3333_4444_4444
            b.vcpu[x: 5] = 0x4000_0ffc
            b.vcpu[x: 7] = 0x0102_0304_0506_0708
            #expect(b.run([RV.ld(6, 5), RV.sd(7, 5, 1)]) == [])
            #expect(b.vcpu[x: 6] == 0x4444_4444_1111_1111)
            #expect(b[0x3ff8] == 0x0607_0811_2222_2222)
            #expect(b[0x5000] == 0x3333_3301_0203_0405)
            // The second page refuses: nothing has moved, and the address is the second page's.
            b.map(0x4000_1000, to: Self.base + 0x5000, .read)
            b.flush(0x4000_1000)
            b.vcpu[x: 7] = 0
            #expect(b.run([RV.sd(7, 5)]) == ["101 40001000 at 80000000"])
            #expect(b[0x3ff8] == 0x0607_0811_2222_2222)
            b.map(0x4000_1000, to: nil)
            b.flush(0x4000_1000)
            #expect(b.run([RV.addi(8, 8, 1), RV.ld(6, 5)]) == ["100 40001000 at 80000004"])
            #expect(b.vcpu[x: 8] == 1)
            // The first one does.
            b.map(0x4000_0000, to: nil)
            b.flush(0x4000_0000)
            #expect(b.run([RV.ld(6, 5)]) == ["100 40000ffc at 80000000"])
        }

        @Test(arguments: Configuration.all)
        func devicesAreAskedEachTime(_ c: Configuration) throws {
            let b = try Board(c)
            b.vcpu[x: 5] = Board.device
            b.vcpu[x: 7] = 0x1122_3344_5566_7788
            #expect(b.run([RV.ld(6, 5, 8), RV.sd(7, 5, 0x10), RV.lw(8, 5, 4), RV.lw(8, 5, 4), RV.fld(1, 5)]) == [])
            #expect(b.echo.log == ["r8 8", "w8 10 1122334455667788", "r4 4", "r4 4", "r8 0"])
            #expect(b.vcpu[x: 6] == 0x8899_aabb_ccdd_eeff)
            #expect(b.vcpu[x: 8] == 0x5566_7788)
            b.echo.value = 0x8000_0001
            #expect(b.run([RV.lw(0, 5), RV.lw(8, 5)]) == [])
            #expect(b.vcpu[x: 8] == 0xffff_ffff_8000_0001)
            // Misaligned, over the page's end, atomic, and where the device itself refuses.
            #expect(b.run([RV.lw(6, 5, 2)]) == ["200 10002 at 80000000"])
            #expect(b.run([RV.sd(6, 5, 4)]) == ["201 10004 at 80000000"])
            #expect(b.run([RV.amoaddD(6, 7, 5)]) == ["201 10000 at 80000000"])
            b.vcpu[x: 5] = Board.device + 0x800
            #expect(b.run([RV.ld(6, 5)]) == ["200 10800 at 80000000"])
            #expect(b.run([RV.sd(6, 5)]) == ["201 10800 at 80000000"])
        }

        @Test(arguments: Configuration.all)
        func holesAndROMRefuse(_ c: Configuration) throws {
            let b = try Board(c)
            b.vcpu[x: 5] = 0x5000_0000
            #expect(b.run([RV.ld(6, 5)]) == ["200 50000000 at 80000000"])
            b.vcpu[x: 5] = Board.rom
            #expect(b.run([RV.ld(6, 5)]) == [])
            #expect(b.run([RV.sd(6, 5)]) == ["201 80010000 at 80000000"])
            b.vcpu[x: 5] = Board.rom + 0xfffc
            #expect(b.run([RV.ld(6, 5)]) == ["200 80020000 at 80000000"])
            // Fetches: from a device, a hole, the last bytes of all memory, an odd address.
            #expect(b.call(Board.device) == ["202 10000 at 10000"])
            #expect(b.call(0x5000_0000) == ["202 50000000 at 50000000"])
            #expect(b.call(0xffff_ffff_ffff_fffe) == ["202 fffffffffffffffe at fffffffffffffffe"])
        }

        /// Nor does a later jump there go on in the handler.
        @Test(arguments: Configuration.all)
        func aJumpToAPageThatIsMissingEntersTheHandler(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: Self.base)
            b.write([RV.jal(0, 0x1000)], at: 0)
            b.write([RV.addi(5, 5, 1), RV.ecall], at: 0x3000)
            for round in 0..<40 as Range<UInt64> {
                let isThere = round % 4 == 3
                b.map(0x4000_1000, to: isThere ? Self.base + 0x3000 : nil)
                b.flush(0x4000_1000)
                let raised = b.call(0x4000_0000)
                #expect(raised == (isThere ? [] : ["102 40001000 at 40001000"]), "\(c) round \(round)")
            }
            #expect(b.vcpu[x: 5] == 10)
        }

        @Test(arguments: Configuration.all)
        func atomicsGoThroughTheTables(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: Self.base + 0x3000)
            for round in 0..<30 as Range<UInt64> {
                b[0x3020] = 40
                b[0x3030] = 7
                b[0x3038] = 8
                b.vcpu[x: 5] = 0x4000_0020
                b.vcpu[x: 7] = 2
                b.vcpu[x: 8] = 0x4000_0030
                b.vcpu[x: 10] = 7
                b.vcpu[x: 11] = 8
                b.vcpu[x: 12] = 70
                b.vcpu[x: 13] = 80
                let maximum = RV.r(0x50, 9, 5, 3, 14, 0x2f)  // amomax.d x14, x9, (x5)
                b.vcpu[x: 9] = 100 + round
                if round == 0 { b.write([RV.amoaddD(6, 7, 5), maximum, RV.amocasQ(10, 12, 8), RV.ecall], at: 0) }
                if round == 15 { b.flush(0x4000_0000) }
                #expect(b.call(Self.base) == [])
                #expect(b.vcpu[x: 6] == 40)
                #expect(b.vcpu[x: 14] == 42)
                #expect(b[0x3020] == 100 + round)
                #expect(b[0x3030] == 70 && b[0x3038] == 80)
                #expect(b.vcpu[x: 10] == 7 && b.vcpu[x: 11] == 8)
            }
            b.map(0x4000_0000, to: Self.base + 0x3000, .read)
            b.flush(0x4000_0000)
            #expect(b.call(Self.base) == ["101 40000020 at 80000000"])
            b.vcpu[x: 5] = 0x4000_0024
            #expect(b.run([RV.amoaddD(6, 7, 5)]) == ["301 40000024 at 80000000"])
        }

        /// A loop sees each new mapping at once, and registers that live in the host's are right where it stops.
        @Test(arguments: Configuration.all)
        func faultsInHotLoopsAreExact(_ c: Configuration) throws {
            let b = try Board(c)
            b.map(0x4000_0000, to: Self.base + 0x3000)
            b.map(0x4000_1000, to: nil)
            b.write([RV.ld(6, 5), RV.add(7, 7, 6), RV.addi(5, 5, 8), RV.bne(5, 8, -12), RV.ecall], at: 0)
            for i in 0..<512 { b[0x3000 + 8 * i] = UInt64(i) }
            for _ in 0..<40 {
                b.vcpu[x: 5] = 0x4000_0000
                b.vcpu[x: 7] = 0
                b.vcpu[x: 8] = 0x4000_1800
                #expect(b.call(Self.base) == ["100 40001000 at 80000000"])
                #expect(b.vcpu[x: 5] == 0x4000_1000)
                #expect(b.vcpu[x: 7] == 511 * 256)
                #expect(b.vcpu[x: 6] == 511)
            }
        }

        @Test(arguments: Configuration.all)
        func aPageMayBecomeAnother(_ c: Configuration) throws {
            let b = try Board(c)
            b.write([RV.ld(6, 5), RV.ecall], at: 0)
            b[0x3000] = 3
            b[0x4000] = 4
            b.vcpu[x: 5] = 0x4000_0000
            for round in 0..<20 {
                b.map(0x4000_0000, to: Self.base + (round % 2 == 0 ? 0x3000 : 0x4000))
                b.flush(0x4000_0000)
                for _ in 0..<5 { #expect(b.call(Self.base) == []) }
                #expect(b.vcpu[x: 6] == UInt64(3 + round % 2))
                // Another view knows nothing of it.
                b.guest.viewNumber = 1
                b.vcpu.mmu?.viewsChanged()
                b.map(0x4000_0000, to: Self.base + 0x4000)
                #expect(b.call(Self.base) == [])
                #expect(b.vcpu[x: 6] == 4)
                b.guest.viewNumber = 0
                b.vcpu.mmu?.viewsChanged()
                #expect(b.call(Self.base) == [])
                #expect(b.vcpu[x: 6] == UInt64(3 + round % 2), "round \(round)")
                b.vcpu.mmu?.flush(0, 0)
            }
        }

        // MARK: Code

        /// A store to bytes that were translated is seen by the next fetch; one beside them drops nothing.
        @Test(arguments: Configuration.all)
        func codeIsDroppedByChunks(_ c: Configuration) throws {
            let b = try Board(c)
            b.write([RV.addi(6, 6, 1), RV.ret], at: 0x2000)
            let patch = RV.addi(6, 6, 100)
            let caller = [RV.jalr(1, 9), RV.sw(7, 10), RV.jalr(1, 9)]
            b.vcpu[x: 9] = Self.base + 0x2000
            b.vcpu[x: 10] = Self.base + 0x2000
            b.vcpu[x: 7] = UInt64(patch)
            b.vcpu[x: 6] = 0
            #expect(b.run(caller) == [])
            #expect(b.vcpu[x: 6] == 101)
            // Through another address.
            b.map(0x4000_0000, to: Self.base + 0x2000)
            b.vcpu[x: 10] = 0x4000_0000
            b.vcpu[x: 7] = UInt64(RV.addi(6, 6, 7))
            b.vcpu[x: 6] = 0
            #expect(b.run(caller) == [])
            #expect(b.vcpu[x: 6] == 107)
            b.vcpu[x: 10] = 0x4000_0040
            let dropped = b.engine.counters.invalidated
            for _ in 0..<10 { #expect(b.call(Self.base) == []) }
            #expect(b.engine.counters.invalidated == dropped)
        }

        /// Each byte of a page with code is written by a loop: the page is data in the end, written without asking.
        @Test(arguments: Configuration.all)
        func codeBecomesData(_ c: Configuration) throws {
            let b = try Board(c)
            for i in 0..<64 { b.write([RV.addi(6, 6, 1), RV.ret], at: 0x2000 + 64 * i) }
            b.vcpu[x: 6] = 0
            for i in 0..<64 as Range<UInt64> {
                b.vcpu[x: 9] = Self.base + 0x2000 + 64 * i
                #expect(b.run([RV.jalr(1, 9)]) == [])
            }
            #expect(b.vcpu[x: 6] == 64)
            b.vcpu[x: 5] = Self.base + 0x2000
            b.vcpu[x: 8] = Self.base + 0x3000
            let loop = [RV.sd(0, 5), RV.addi(5, 5, 8), RV.bne(5, 8, -8)]
            #expect(b.run(loop) == [])
            for i in 0..<512 { #expect(b[0x2000 + 8 * i] == 0) }
            b.vcpu[x: 5] = Self.base + 0x2000
            let slow = b.vcpu.mmu?.counters.slow ?? 0
            #expect(b.call(Self.base) == [])
            if c.isX64 { #expect((b.vcpu.mmu?.counters.slow ?? 0) - slow <= 1) }
        }

        /// Code of one page at two addresses, and of two pages at one address after another.
        @Test(arguments: Configuration.all)
        func codeIsFoundByWhereItLies(_ c: Configuration) throws {
            let b = try Board(c)
            // Across the border of two pages: the last instruction of one goes on in the other.
            func place(_ word: UInt32, across first: Int, _ second: Int) {
                b.ram.base.storeBytes(
                    of: UInt16(truncatingIfNeeded: word), toByteOffset: first + 0xffe, as: UInt16.self)
                b.ram.base.storeBytes(of: UInt16(truncatingIfNeeded: word >> 16), toByteOffset: second, as: UInt16.self)
            }
            for (page, step) in [(0x2000, 1), (0x4000, 10)] {
                b.write([RV.j(0xffe)], at: page)
                place(RV.addi(6, 6, step), across: page, page + 0x1000)
                // c.addi x6, step; then ret, at two-byte places
                b.ram.base.storeBytes(of: UInt16(0x0305 + 0), toByteOffset: page + 0x1002, as: UInt16.self)
                b.ram.base.storeBytes(of: UInt16(0x8082), toByteOffset: page + 0x1004, as: UInt16.self)
            }
            b.write([RV.jalr(1, 9), RV.ecall], at: 0)
            b.vcpu[x: 9] = 0x4000_0000
            for round in 0..<40 {
                let first = round % 2 == 0 ? 0x2000 : 0x4000, second = round / 2 % 2 == 0 ? 0x3000 : 0x5000
                b.map(0x4000_0000, to: Self.base + UInt64(first))
                b.map(0x4000_1000, to: Self.base + UInt64(second))
                b.flush(0x4000_0000)
                b.flush(0x4000_1000)
                // The immediate's bits lie in the second half.
                for _ in 0..<3 {
                    b.vcpu[x: 6] = 0
                    #expect(b.call(Self.base) == [])
                    #expect(b.vcpu[x: 6] == (second == 0x3000 ? 2 : 11), "round \(round)")
                }
            }
            // Both pages together become hot.
            for _ in 0..<40 { #expect(b.call(Self.base) == []) }
            let made = b.engine.counters.translations
            for _ in 0..<20 { #expect(b.call(Self.base) == []) }
            #expect(b.engine.counters.translations == made)
            b.map(0x4000_1000, to: nil)
            b.flush(0x4000_1000)
            #expect(b.call(Self.base) == ["102 40001000 at 40000ffe"])
        }

        static func store(_ folder: String) -> (inout EngineOptions) -> Void {
            {
                $0.store = StoreOptions(
                    folder: folder, configuration: StoreIdentity(describing: "test".utf8), program: "machine",
                    leastNew: 1)
                $0.store?.forgetsUnused = true
                $0.compilesInBackground = false
            }
        }

        /// What one run left is used by the next one wherever the page lies, at each place, and not for other bytes.
        @Test(arguments: Configuration.x64)
        func storedCodeIsUsedWhereverItLies(_ c: Configuration) throws {
            let folder = try TemporaryFolder("machine-store")
            let pc: UInt64 = 0x4000_0000
            func code(_ step: Int) -> [UInt32] {
                [RV.addi(5, 0, 50), RV.addi(6, 6, step), RV.addi(5, 5, -1), RV.bne(5, 0, -8), RV.ecall]
            }
            func run(_ b: Board, _ offset: Int) -> UInt64 {
                b.map(pc, to: Self.base + UInt64(offset))
                b.flush(pc)
                b.vcpu[x: 6] = 0
                #expect(b.call(pc) == [])
                return b.vcpu[x: 6]
            }
            let first = try Board(c, Self.store(folder.path))
            first.write(code(1), at: 0x3000)
            #expect(run(first, 0x3000) == 50)
            // Dropped when the run ends: kept all the same.
            first.engine.invalidate(start: GuestLocation(Self.base + 0x3000), length: 0x1000)
            first.engine.saveTranslations()
            #expect(first.engine.storeCounters?.written ?? 0 > 0 && first.engine.storeCounters?.error == nil)

            let second = try Board(c, Self.store(folder.path))
            second.write(code(1), at: 0x5000)
            second.write(code(1), at: 0x7000)
            second.write(code(2), at: 0x9000)
            #expect(run(second, 0x5000) == 50 && run(second, 0x7000) == 50)
            #expect(second.engine.counters.translations == 0)
            #expect(run(second, 0x9000) == 100)
            let made = second.engine.counters.translations
            #expect(made > 0)
            // Code that is changed, and changed back.
            for (step, sum) in [(3, 150), (1, 50)] as [(Int, UInt64)] {
                second.write(code(step), at: 0x5000)
                second.engine.invalidate(start: GuestLocation(Self.base + 0x5000), length: 0x1000)
                #expect(run(second, 0x5000) == sum)
            }
        }

        /// An instruction that goes on in the next page depends on what lies there.
        @Test(arguments: Configuration.x64)
        func whatGoesOnInTheNextPageIsStoredWithIt(_ c: Configuration) throws {
            let folder = try TemporaryFolder("machine-store")
            for (run, step) in [1, 2, 2, 2].enumerated() {
                let b = try Board(c, Self.store(folder.path))
                let word = RV.addi(6, 6, step)
                b.write([RV.addi(6, 0, 0), RV.j(0xffe - 4)], at: 0x2000)
                b.ram.base.storeBytes(of: UInt16(truncatingIfNeeded: word), toByteOffset: 0x2ffe, as: UInt16.self)
                b.ram.base.storeBytes(of: UInt16(word >> 16), toByteOffset: 0x5000, as: UInt16.self)
                for (i, half) in [UInt16(0x73), 0].enumerated() {
                    b.ram.base.storeBytes(of: half, toByteOffset: 0x5002 + 2 * i, as: UInt16.self)
                }
                b.map(0x4000_0000, to: Self.base + 0x2000)
                b.map(0x4000_1000, to: Self.base + 0x5000)
                #expect(b.call(0x4000_0000) == [])
                #expect(b.vcpu[x: 6] == UInt64(step))
                // One region of both pages is of no use where one of them is another.
                let isUsed = run >= (c.tier == .optimizing ? 2 : 1)
                #expect((b.engine.storeCounters?.installed ?? 0 > 0) == isUsed, "\(c) run \(run)")
                b.engine.saveTranslations()
            }
        }

        /// One file has what all machines leave: it does not keep for ever what none of them uses.
        @Test func storedCodeThatIsOfNoUseGoes() throws {
            let folder = try TemporaryFolder("machine-store")
            var rows: [Int] = []
            for round in 0..<10 {
                let b = try Board(Configuration.x64[0], Self.store(folder.path))
                let pc = 0x4000_0000 + (UInt64(round) << 12)
                b.map(pc, to: Self.base + 0x3000)
                b.write([RV.addi(6, 0, round), RV.ecall], at: 0x3000)
                #expect(b.call(pc) == [] && b.vcpu[x: 6] == UInt64(round))
                b.engine.saveTranslations()
                rows.append(b.engine.storeCounters?.rows ?? 0)
            }
            #expect(rows[1] > 0 && rows[3] > rows[2] && rows[9] == rows[8], "\(rows)")
        }

        /// Accesses off two registers around the borders of three pages that lie apart, the last of which may be missing: each is made as if
        /// it were alone.
        @Test(.seeded(77), arguments: Configuration.all)
        func accessesNearOneAnotherAreMadeEachByItself(_ c: Configuration) throws {
            var random = SeededRandom(seed: Seed.current)
            let start: UInt64 = 0x4000_0000, places = [0x3000, 0x5000, 0x9000]
            let b = try Board(c)
            for round in 0..<Rounds.count(150) {
                let isWhole = random.next() % 4 != 0
                for (i, place) in places.enumerated() {
                    let page = start + (UInt64(i) << 12)
                    b.map(page, to: i < 2 || isWhole ? Self.base + UInt64(place) : nil)
                    b.flush(page)
                }
                var model = NearAccesses(isWhole: isWhole)
                for i in 0..<0x3000 / 8 { model.write(UInt64(8 * i), 8, random.next()) }
                model.registers = [
                    start + 0xfc0 + random.next() % 128, start + 0x1f80 + random.next() % 160, random.next(),
                    random.next(),
                ]
                let first = model
                let words = (0..<30).map { _ in model.step(&random, at: start) }
                for _ in 0..<(round % 8 == 0 ? 25 : 2) {
                    for (i, place) in places.enumerated() {
                        first.memory.withUnsafeBytes {
                            (b.ram.base + place).copyMemory(from: $0.baseAddress! + (i << 12), byteCount: 4096)
                        }
                    }
                    for r in 0..<4 { b.vcpu[x: 5 + r] = first.registers[r] }
                    let raised = b.run(words)
                    #expect(raised == (model.fault.map { [$0] } ?? []), "round \(round)")
                    #expect((5...8).map { b.vcpu[x: $0] } == model.registers, "round \(round)")
                    let bytes = places.flatMap { Array(UnsafeRawBufferPointer(start: b.ram.base + $0, count: 4096)) }
                    #expect(bytes == model.memory, "round \(round)")
                }
            }
        }
    }
}

/// What a sequence of loads, stores and sums does to three pages and x5 to x8; x5 and x6 are addresses.
private struct NearAccesses {
    var memory = [UInt8](repeating: 0, count: 0x3000)
    var registers: [UInt64] = []
    /// The last page is there.
    var isWhole: Bool
    /// As `Board.call` has it; nothing happens after it.
    var fault: String?
    private var count = 0

    init(isWhole: Bool) { self.isWhole = isWhole }

    mutating func write(_ offset: UInt64, _ size: Int, _ value: UInt64) {
        for i in 0..<size { memory[Int(offset) + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
    }

    private func read(_ offset: UInt64, _ size: Int) -> UInt64 {
        (0..<size).reduce(0) { $0 | UInt64(memory[Int(offset) + $1]) << UInt64(8 * $1) }
    }

    /// Makes one step, and returns its instruction.
    mutating func step(_ random: inout SeededRandom, at start: UInt64) -> UInt32 {
        defer { count += 1 }
        let base = Int(random.next() % 8 == 0 ? 1 : 0) ^ (count / 10 & 1), value = 2 + Int(random.next() & 1)
        let kind = random.next() % 16
        if kind < 2 {
            let distance = Int(random.next() % 64) - 32
            if fault == nil { registers[base] &+= UInt64(bitPattern: Int64(distance)) }
            return RV.addi(5 + base, 5 + base, distance)
        }
        if kind == 2 {
            if fault == nil { registers[value] &+= registers[value ^ 1] }
            return RV.add(5 + value, 5 + value, 5 + (value ^ 1))
        }
        let log2 = Int(random.next() & 3), distance = Int(random.next() % 96) - 48, isStore = kind >= 10
        let offset = registers[base] &+ UInt64(bitPattern: Int64(distance)) &- start
        // The unsigned forms of what is narrower than a register, for loads.
        let word =
            isStore
            ? RV.sd(5 + value, 5 + base, distance) & ~(7 << 12) | UInt32(log2) << 12
            : RV.ld(5 + value, 5 + base, distance) & ~(7 << 12) | UInt32(log2 == 3 ? 3 : log2 + 4) << 12
        guard fault == nil else { return word }
        let end = offset + (1 << UInt64(log2))
        if !isWhole, end > 0x2000 {
            let address = String(start + max(offset, 0x2000), radix: 16)
            fault = "\(isStore ? 101 : 100) \(address) at \(String(Board.base + UInt64(4 * count), radix: 16))"
        } else if isStore {
            write(offset, 1 << log2, registers[value])
        } else {
            registers[value] = read(offset, 1 << log2)
        }
        return word
    }
}
