// Code that several address spaces see at different addresses: made once, and right in each of them.

import GuestMemory
import TestSupport
import Testing

@testable import ExecutionEngine

/// Pages of code of a test memory at any addresses. (Loads and stores see the memory itself.)
private final class Process: AddressSpace, @unchecked Sendable {
    let memory: TestMemory
    /// Where it is seen: the address of the first page, and which page of code is seen at each.
    var base: UInt64 = 0
    var pages: [UInt64?] = []

    init(_ memory: TestMemory) {
        self.memory = memory
        memory.hasPlaces = true
    }

    func place(of address: UInt64) -> GuestPlace? {
        let page = (address &- base) >> 12
        guard page < UInt64(pages.count), let shown = pages[Int(page)] else { return nil }
        return GuestPlace(memory.base &+ shown << 12 &- (base &+ page << 12))
    }

    func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution {
        if access == .execute { return place(of: address) == nil ? .guestFault(.unmapped) : .retry }
        return memory.resolveFault(address: address, access: access)
    }
}

/// An engine, with a vCPU that goes from process to process.
private final class Runner {
    let memory: TestMemory
    let machine: Machine
    let process: Process

    init(_ c: Configuration) throws {
        memory = try TestMemory()
        process = Process(memory)
        machine = try Machine(c, memory: memory, space: process) { $0.hotThreshold = 20 }
    }

    func enter(_ base: UInt64, _ pages: [UInt64?]) {
        process.base = base
        process.pages = pages
        machine.vcpu.placesHaveChanged()
    }

    /// What a run ends with: the exit, the pc, and all registers.
    func run(from offset: Int, _ registers: [Int: UInt64]) -> [String] {
        for i in 1..<32 { machine.vcpu[x: i] = registers[i] ?? UInt64(i) }
        machine.vcpu.programCounter = process.base + UInt64(offset)
        let exit = machine.run().text
        return [exit, String(machine.vcpu.programCounter, radix: 16)]
            + machine.vcpu.registers.map { String($0, radix: 16) }
    }

    var made: Int { machine.engine.counters.translations }
}

/// RISC-V's `auipc`: the upper 20 bits.
private func auipc(_ rd: Int, pages: Int) -> UInt32 { UInt32(truncatingIfNeeded: pages << 12) | UInt32(rd) << 7 | 0x17 }

extension EngineTests {
    struct RelativeCodeTests {
        private static let low: UInt64 = 0x10000, high: UInt64 = 0x3f_8a00_0000

        /// x5 = sum of addresses that the code knows, over a call, a return, an indirect jump and a loop of x8 turns over two pages.
        private func writeProgram(_ r: Runner) {
            r.memory.write(
                [
                    auipc(6, pages: 1), RV.addi(6, 6, 0x100), RV.add(5, 5, 6), RV.jal(1, 0x1000 - 12),
                    RV.add(5, 5, 1), RV.jalr(1, 6), RV.add(5, 5, 1), RV.addi(8, 8, -1), RV.bne(8, 0, -32), RV.ecall,
                ], at: 0x10000)
            // At the start of the next page: what is called by distance.
            r.memory.write([RV.addi(5, 5, 3), RV.ret], at: 0x11000)
            // What is called by a register.
            r.memory.write([auipc(7, pages: 0), RV.add(5, 5, 7), RV.jalr(0, 1)], at: 0x11100)
        }

        /// Processes that see it elsewhere run the same code, and each finds its own addresses.
        @Test(arguments: Configuration.all)
        func processesHaveCodeInCommon(_ c: Configuration) throws {
            let r = try Runner(c)
            writeProgram(r)
            func sum(_ base: UInt64, turns: UInt64) -> UInt64 {
                let turn = (base &+ 0x1100) &+ (base &+ 16) &+ 3 &+ (base &+ 24) &+ (base &+ 0x1100)
                return turn &* turns
            }
            func check(_ base: UInt64, turns: UInt64) {
                r.enter(base, [16, 17])
                let end = r.run(from: 0, [5: 0, 8: turns])
                #expect(end[0] == "systemCall" && end[2 + 5] == String(sum(base, turns: turns), radix: 16), "\(c)")
            }
            for _ in 0..<3 { check(Self.low, turns: 300) }
            let made = r.made
            for base in [Self.high, Self.low, Self.high + 0x7000, Self.high, 0x7fff_f000] {
                for _ in 0..<2 { check(base, turns: 40) }
            }
            #expect(!c.isX64 || r.made == made, "\(c)")
        }

        /// In a process that has been there before, links lead where they should without the cpu loop.
        @Test(arguments: Configuration.x64)
        func anotherProcessNeedsNoMoreLinks(_ c: Configuration) throws {
            let r = try Runner(c)
            writeProgram(r)
            func misses(_ base: UInt64) -> UInt64 {
                let before = r.machine.engine.jumpCounters
                _ = r.run(from: 0, [5: 0, 8: 1000])
                let now = r.machine.engine.jumpCounters
                return now.unlinked - before.unlinked + now.lookupMisses - before.lookupMisses
            }
            r.enter(Self.low, [16, 17])
            for _ in 0..<3 { _ = misses(Self.low) }
            r.enter(Self.high, [16, 17])
            #expect(misses(Self.high) < 20)
            #expect(misses(Self.high) < 4)
        }

        /// The distance between two pages is another one in each process: what the call finds there is what it runs.
        @Test(arguments: Configuration.all)
        func pagesMoveAgainstOneAnother(_ c: Configuration) throws {
            let r = try Runner(c)
            let caller = [RV.jal(1, 0x1000), RV.add(5, 5, 1), RV.addi(8, 8, -1), RV.bne(8, 0, -12), RV.ecall]
            r.memory.write(caller, at: 0x10000)
            for (page, step) in [(17, 1), (18, 100)] {
                r.memory.write([RV.addi(5, 5, step), RV.ret], at: page << 12)
            }
            for round in 0..<24 {
                let base = Self.high + UInt64(round % 5) << 12, other: UInt64 = round % 3 == 0 ? 18 : 17
                // The other callee lies behind, so that both have been seen.
                r.enter(base, round % 2 == 0 ? [16, other] : [16, other, 35 - other])
                let step: UInt64 = other == 17 ? 1 : 100
                let end = r.run(from: 0, [5: 0, 8: 60])
                #expect(
                    end[0] == "systemCall" && end[2 + 5] == String((step + base + 4) * 60, radix: 16),
                    "\(c) round \(round)")
            }
        }

        /// What an in-line cache was for has moved against its jump: the jump finds it by the jump cache from then on, and not by the cpu loop.
        @Test(arguments: Configuration.x64)
        func aCacheOfCodeThatHasMovedIsGivenUp(_ c: Configuration) throws {
            let r = try Runner(c)
            r.memory.write([RV.jalr(1, 6), RV.addi(8, 8, -1), RV.bne(8, 0, -8), RV.ecall], at: 0x10000)
            r.memory.write([RV.addi(5, 5, 1), RV.ret], at: 0x11000)
            func run(_ callee: Int) -> UInt64 {
                let before = r.machine.engine.jumpCounters
                let end = r.run(from: 0, [5: 0, 6: r.process.base + UInt64(callee) << 12, 8: 500])
                #expect(end[0] == "systemCall" && end[2 + 5] == String(500, radix: 16), "\(c)")
                let now = r.machine.engine.jumpCounters
                return now.unlinked - before.unlinked + now.lookupMisses - before.lookupMisses
            }
            r.enter(Self.low, [16, 17])
            for _ in 0..<3 { _ = run(1) }
            // The callee's code is gone, and it is seen somewhere else first.
            r.machine.engine.invalidate(start: GuestLocation(r.memory.base + 0x11000), length: 4096)
            r.enter(Self.low, [16, nil, nil, 17])
            for _ in 0..<3 { _ = run(3) }
            r.enter(Self.low, [16, 17])
            _ = run(1)
            #expect(run(1) < 10, "\(c)")
        }

        /// A fault, and an exit to whoever asks, are at the address that the process sees.
        @Test(arguments: Configuration.all)
        func faultsTellTheAddressThatIsSeen(_ c: Configuration) throws {
            let r = try Runner(c)
            r.memory.write(
                [
                    RV.addi(5, 5, 1), RV.ld(6, 10), RV.addi(8, 8, -1), RV.bne(8, 0, -12), RV.ld(6, 11), RV.ecall,
                ], at: 0x10000)
            for base in [Self.low, Self.high, Self.low + 0x5000] {
                r.enter(base, [16])
                for turns in [50, 1] as [UInt64] {
                    let end = r.run(from: 0, [5: 0, 8: turns, 10: r.memory.data, 11: r.memory.guardPage])
                    #expect(end[0] == fault(.read, .permission, r.memory.guardPage), "\(c)")
                    #expect(end[1] == String(base + 16, radix: 16) && end[2 + 5] == String(turns, radix: 16), "\(c)")
                }
            }
        }

        /// What one run left is used by the next one, which sees it elsewhere.
        @Test(arguments: Configuration.x64)
        func laterRunsFindItElsewhere(_ c: Configuration) throws {
            let folder = try TemporaryFolder("relative-store")
            func run(_ pc: UInt64, _ offset: Int) throws -> Board {
                let b = try Board(c, moves: true, EngineTests.SystemTests.store(folder.path))
                b.write([RV.addi(5, 0, 90), auipc(6, pages: 0), RV.jal(1, 0x1000 - 8)], at: offset)
                b.write([RV.addi(5, 5, -1), RV.bne(5, 0, -0x1000 + 4), RV.ecall], at: offset + 0x1000)
                for page in [0, 0x1000] as [UInt64] {
                    b.map(pc + page, to: Board.base + UInt64(offset) + page)
                    b.flush(pc + page)
                }
                #expect(b.call(pc) == [])
                #expect(b.vcpu[x: 6] == pc + 4 && b.vcpu[x: 1] == pc + 12)
                b.engine.saveTranslations()
                return b
            }
            let first = try run(0x5555_4000, 0x3000)
            #expect(first.engine.storeCounters?.written ?? 0 > 0)
            let second = try run(0x3f_8123_7000, 0x6000)
            #expect(second.engine.storeCounters?.installed ?? 0 > 0 && second.engine.counters.translations == 0, "\(c)")
        }

        /// Blocks in banks that go on by every kind of jump, in processes that see them in any order: as the interpreter executes it.
        @Test(.seeded(3107), arguments: Configuration.x64)
        func randomProcessesAreExecutedAsTheyAreSeen(_ c: Configuration) throws {
            var random = SeededRandom(seed: Seed.current)
            func number(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
            let banks = 8, blocks = 6
            func offset(_ block: Int) -> Int { 0x80 * (block + 1) }
            func block(at offset: Int) -> [UInt32] {
                var words = [RV.addi(8, 8, -1), RV.bne(8, 0, 8), RV.jalr(0, 9)]
                func distance(_ reach: Int) -> Int {
                    (number(2 * reach + 1) - reach) << 12 + 0x80 * (number(blocks) + 1) - (offset + 4 * words.count)
                }
                for _ in 0..<number(4) {
                    switch number(5) {
                    case 0: words += [auipc(6, pages: number(5) - 2), RV.xor(5, 5, 6)]
                    case 1: words.append(RV.addi(5, 5, number(2000)))
                    case 2: words += [RV.ld(7, 10, 8 * number(16)), RV.add(5, 5, 7)]
                    case 3: words.append(RV.sd(5, 10, 8 * number(16)))
                    default: words.append(RV.xor(5, 5, 1))
                    }
                }
                // Now and then, where a run may end.
                if number(12) == 0 { words += [RV.bne(8, 12, 8), RV.ld(7, 11)] }
                switch number(8) {
                case 0, 1: words.append(RV.jal(0, distance(2)))
                // A call, and code that goes on where it comes back to.
                case 2, 3: words += [RV.jal(1, distance(1)), RV.jal(0, distance(0) - 4)]
                case 4: words.append(RV.jalr(0, 1))
                case 5: words.append(RV.jalr(0, 16 + number(banks), 0x80 * (number(blocks) + 1) - 0x400))
                case 6:
                    words += [
                        RV.jalr(1, 16 + number(banks), 0x80 * (number(blocks) + 1) - 0x400), RV.jal(0, distance(1) - 4),
                    ]
                default:
                    let pages = number(5) - 2, at = offset + 4 * words.count
                    words += [auipc(7, pages: pages), RV.jalr(0, 7, 0x80 * (number(blocks) + 1) - at)]
                }
                return words
            }
            let runners = try [Runner(c), Runner(Configuration.interpreted[0])]
            func write(_ bank: Int) {
                for i in 0..<blocks {
                    let words = block(at: offset(i))
                    for r in runners { r.memory.write(words, at: (16 + bank) << 12 + offset(i)) }
                }
            }
            for bank in 0..<banks { write(bank) }
            for r in runners { r.memory.write([RV.ecall], at: 40 << 12) }
            typealias Seen = (base: UInt64, pages: [UInt64?])
            func seen() -> Seen {
                var order = (0..<UInt64(banks)).map { Optional(16 + $0) }
                // Most processes see a program in one piece.
                for _ in 0..<max(0, number(6) - 3) { order.swapAt(number(banks), number(banks)) }
                if number(5) == 0 { order[number(banks)] = nil }
                if number(6) == 0 { order[number(banks)] = order[number(banks)] }
                let base = [Self.low, Self.high, 0x7f00_0000][number(3)] + UInt64(number(64)) << 12
                return (base, order + [40])
            }
            var processes = (0..<6).map { _ in seen() }
            for round in 0..<Rounds.count(1500) {
                if number(8) == 0 { processes[number(processes.count)] = seen() }
                if number(6) == 0 {
                    let bank = number(banks)
                    write(bank)
                    for r in runners {
                        let start = r.memory.base + UInt64(16 + bank) << 12
                        r.machine.engine.invalidate(start: GuestLocation(start), length: 4096)
                    }
                }
                let process = processes[number(processes.count)], steps = 1 + number(400)
                let start = number(banks) << 12 + offset(number(blocks)), last = UInt64(number(40))
                var ends: [[String]] = []
                for r in runners {
                    r.enter(process.base, process.pages)
                    for i in 0..<16 { r.memory[data: 8 * i] = UInt64(i) &* 0x9E37_79B9_7F4A_7C15 }
                    var registers: [Int: UInt64] = [
                        1: process.base + UInt64(offset(0)), 5: 0, 8: UInt64(steps), 12: last,
                        9: process.base + UInt64(banks) << 12, 10: r.memory.data, 11: r.memory.guardPage,
                    ]
                    for i in 0..<banks { registers[16 + i] = process.base + UInt64(i) << 12 + 0x400 }
                    var end = r.run(from: start, registers)
                    // Where the memories lie themselves is not the same.
                    end[0] = end[0].replacing(String(r.memory.guardPage, radix: 16), with: "guard")
                    end.removeSubrange(2 + 10...2 + 11)
                    ends.append(end)
                }
                #expect(ends[0] == ends[1], "\(c) round \(round)")
                if ends[0] != ends[1] { return }
            }
        }
    }
}
