// Regions over several pages of memory that has places: a vCPU executes one only where it sees all of its pages where they lay.

import GuestMemory
import HostOS
import TestSupport
import Testing

@testable import ExecutionEngine

extension EngineTests {
    struct RegionPageTests {
        private static let pages = 6, banks = 18, firstBank = 16

        /// Blocks in banks of memory that jump to one another, and what they compute: what a block adds depends on the bank that is seen there.
        /// At page n bank n is seen, n + 6 or n + 12.
        private struct Maze {
            /// Of a bank: what its blocks add, and where they go on. The last block goes on in the next page, in the middle of an instruction.
            struct Bank {
                var adds: [Int]
                var targets: [(page: Int, block: Int)]
                /// What the instruction adds that begins in the page before, and where its code goes on.
                var rest: Int
                var restTarget: (page: Int, block: Int)
            }
            static let blocks = 5
            static let last = blocks
            var banks: [Bank]

            init(_ random: inout SeededRandom) {
                func number(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }
                func target() -> (page: Int, block: Int) {
                    let page = number(RegionPageTests.pages)
                    return (page, number(page + 1 < RegionPageTests.pages ? Maze.last + 1 : Maze.last))
                }
                banks = (0..<RegionPageTests.banks).map { _ in
                    Bank(
                        adds: (0...Maze.last).map { _ in number(1000) }, targets: (0...Maze.last).map { _ in target() },
                        rest: number(1000), restTarget: target())
                }
            }

            static func offset(_ block: Int) -> Int { block == last ? 0xfee : 0x100 * (block + 1) }

            /// Bytes by their offsets in the bank.
            func code(_ bank: Int) -> [(Int, [UInt8])] {
                func bytes(_ words: [UInt32]) -> [UInt8] { RV.bytes(words) }
                let it = banks[bank]
                /// Some jumps take the page's address from a register.
                func jump(to target: (page: Int, block: Int), from offset: Int) -> UInt32 {
                    if target.block == 0 { return RV.jalr(0, 11 + target.page, Maze.offset(0) - 0x800) }
                    let page = bank % RegionPageTests.pages
                    return RV.jal(0, (target.page - page) * 4096 + Maze.offset(target.block) - offset)
                }
                var code: [(Int, [UInt8])] = []
                for block in 0...Maze.last {
                    let start = Maze.offset(block)
                    var words = [
                        RV.addi(5, 5, it.adds[block]), RV.addi(8, 8, -1), RV.bne(8, 0, 8), RV.jalr(0, 9),
                    ]
                    if block == Maze.last {
                        code.append((start, bytes(words) + bytes([RV.addi(5, 5, 0)])[..<2]))
                    } else {
                        words.append(jump(to: it.targets[block], from: start + 16))
                        code.append((start, bytes(words)))
                    }
                }
                code.append(
                    (0, bytes([RV.addi(5, 5, it.rest)])[2...] + bytes([jump(to: it.restTarget, from: 2)])))
                return code
            }

            /// What so many blocks add up to.
            func sum(_ shown: [Int], from start: (page: Int, block: Int), steps: Int) -> UInt64 {
                var sum = 0, at = start
                for step in 1...steps {
                    let bank = banks[shown[at.page]]
                    sum += bank.adds[at.block]
                    if step == steps { break }
                    if at.block == Maze.last {
                        let next = banks[shown[at.page + 1]]
                        sum += next.rest
                        at = next.restTarget
                    } else {
                        at = bank.targets[at.block]
                    }
                }
                return UInt64(sum)
            }
        }

        private func machine(_ c: Configuration) throws -> (Machine, View) {
            let memory = try TestMemory()
            let view = View(memory)
            return (try Machine(c, memory: memory, space: view) { $0.hotThreshold = 20 }, view)
        }

        private func run(_ m: Machine, from pc: UInt64) -> UInt64 {
            m.vcpu[x: 5] = 0
            m.vcpu.programCounter = pc
            while true {
                let exit = m.vcpu.run()
                if case .interrupted = exit { continue }
                return exit.text == "systemCall" ? m.vcpu[x: 5] : .max
            }
        }

        private func write(_ bank: Int, of maze: Maze, to memory: TestMemory) {
            for (offset, bytes) in maze.code(bank) {
                memory.write(bytes: bytes, at: (Self.firstBank + bank) * 4096 + offset)
            }
        }

        /// Pages are shown and taken away at random, and their code changes.
        @Test(.seeded(1912), arguments: Configuration.all)
        func randomPagesAreExecutedAsTheyAreSeen(_ c: Configuration) throws {
            var random = SeededRandom(seed: Seed.current)
            var maze = Maze(&random)
            let (m, view) = try machine(c)
            for bank in 0..<Self.banks { write(bank, of: maze, to: m.memory) }
            let exit = 10 * 4096, isOptimizing = c.isX64 && c.tier != .baseline
            m.memory.write([RV.ecall], at: exit)
            var shown = (0..<Self.pages).map { $0 }
            for round in 0..<Rounds.count(60) {
                for _ in 0..<Int(random.next() % 3) {
                    let page = Int(random.next() % UInt64(Self.pages))
                    shown[page] = page + Self.pages * Int(random.next() % 3)
                }
                for (page, bank) in shown.enumerated() { view.shown[UInt64(page)] = UInt64(Self.firstBank + bank) }
                m.vcpu.placesHaveChanged()
                if random.next() % 4 == 0 {
                    let bank = Int(random.next() % UInt64(Self.banks))
                    maze.banks[bank].adds[Int(random.next() % UInt64(Maze.last + 1))] = Int(random.next() % 1000)
                    write(bank, of: maze, to: m.memory)
                    let start = m.memory.base + UInt64(Self.firstBank + bank) * 4096
                    m.engine.invalidate(start: GuestLocation(start), length: 4096)
                }
                for _ in 0..<3 {
                    let page = Int(random.next() % UInt64(Self.pages)), block = Int(random.next() % UInt64(Maze.last))
                    let steps = 1 + Int(random.next() % 300)
                    m.vcpu[x: 8] = UInt64(steps)
                    m.vcpu[x: 9] = m.memory.base + UInt64(exit)
                    for page in 0..<Self.pages { m.vcpu[x: 11 + page] = m.memory.base + UInt64(page) * 4096 + 0x800 }
                    let pc = m.memory.base + UInt64(page) * 4096 + UInt64(Maze.offset(block))
                    #expect(
                        run(m, from: pc) == maze.sum(shown, from: (page, block), steps: steps), "\(c) round \(round)")
                }
            }
            #expect(!isOptimizing || m.engine.counters.overPages > 10)
        }

        /// A loop over two pages, with an instruction in both, becomes one region; another page behind the first one makes it another loop.
        @Test(arguments: Configuration.all)
        func aLoopOverTwoPagesIsOneRegion(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            func bytes(_ word: UInt32) -> [UInt8] { RV.bytes([word]) }
            let start = 0x1ff2
            for (i, word) in [RV.addi(5, 5, 16), RV.addi(8, 8, -1), RV.addi(6, 6, 1)].enumerated() {
                m.memory.write(bytes: bytes(word), at: start + 4 * i)
            }
            m.memory.write(bytes: Array(bytes(RV.addi(5, 5, 0))[..<2]), at: 0x1ffe)
            for (bank, step) in [(20, 1), (21, 3)] {
                let loop = bytes(RV.bne(8, 0, start - 0x2002)) + bytes(RV.ecall)
                m.memory.write(bytes: bytes(RV.addi(5, 5, step))[2...] + loop, at: bank * 4096)
            }
            func run(_ bank: UInt64) -> UInt64 {
                view.shown[2] = bank
                m.vcpu.placesHaveChanged()
                m.vcpu[x: 8] = 500
                return self.run(m, from: m.memory.base + UInt64(start))
            }
            for _ in 0..<3 { #expect(run(20) == 500 * 17) }
            let isOptimizing = c.isX64 && c.tier != .baseline
            #expect(!isOptimizing || m.engine.counters.overPages > 0)
            for _ in 0..<3 { #expect(run(21) == 500 * 19) }
            let made = m.engine.counters.translations
            for i in 0..<10 as Range<UInt64> { #expect(run(20 + i % 2) == 500 * (17 + 2 * (i % 2))) }
            // Coming back makes nothing anew.
            #expect(m.engine.counters.translations == made)
            // One page gone, the other one's code is still right.
            expectMissing(m, view, page: 2, from: start, at: 0x1ffe)
        }

        /// A vCPU that still leads to a translation whose place a region of other pages has taken finds its way, and each vCPU runs what it
        /// sees.
        @Test(arguments: Configuration.all)
        func whatARegionReplacedIsNoTrap(_ c: Configuration) throws {
            let (m, first) = try machine(c)
            let second = View(m.memory)
            let other = try m.engine.makeVCPU(in: second)
            m.memory.write(
                [RV.addi(5, 5, 1), RV.addi(8, 8, -1), RV.bne(8, 0, 8), RV.ecall, RV.j(0x1000 - 16)], at: 0x1000)
            for (bank, step) in [(20, 10), (21, 100)] {
                m.memory.write([RV.addi(5, 5, step), RV.jalr(0, 1)], at: bank * 4096)
            }
            first.shown[2] = 20
            second.shown[2] = 21
            func run(_ vcpu: VCPU, _ turns: UInt64) throws -> UInt64 {
                vcpu[x: 5] = 0
                vcpu[x: 8] = turns
                vcpu[x: 1] = m.memory.base + 0x1000
                vcpu.programCounter = m.memory.base + 0x1000
                let end = HostClock.monotonic() + 20_000_000_000
                while HostClock.monotonic() < end {
                    let exit = vcpu.run()
                    if case .interrupted = exit { continue }
                    return vcpu[x: 5]
                }
                return .max
            }
            for _ in 0..<3 {
                #expect(try run(other, 5) == 5 + 400, "\(c)")
                #expect(try run(m.vcpu, 500) == 500 + 4990, "\(c)")
                #expect(try run(other, 500) == 500 + 49900, "\(c)")
            }
        }

        /// Of several translations of one pc, each is used where it is the best that is seen, and none is made twice.
        @Test(arguments: Configuration.x64)
        func theBestOfSeveralIsFound(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            m.memory.write(
                [RV.addi(5, 5, 1), RV.addi(8, 8, -1), RV.bne(8, 0, 8), RV.ecall, RV.bne(9, 0, 8), RV.j(-20)]
                    + [RV.j(0x1000 - 24)], at: 0x1000)
            m.memory.write([RV.addi(5, 5, 10), RV.j(-0x1004)], at: 0x2000)
            func run(isWhole: Bool) -> UInt64 {
                view.shown[2] = isWhole ? .some(2) : .some(nil)
                m.vcpu.placesHaveChanged()
                m.vcpu[x: 8] = 200
                m.vcpu[x: 9] = isWhole ? 1 : 0
                return self.run(m, from: m.memory.base + 0x1000)
            }
            func check() {
                #expect(run(isWhole: true) == 200 + 1990, "\(c)")
                #expect(run(isWhole: false) == 200, "\(c)")
            }
            for _ in 0..<20 { check() }
            let made = m.engine.counters.translations
            for _ in 0..<20 { check() }
            #expect(m.engine.counters.translations == made, "\(c)")
            if c.tier != .baseline {
                view.shown[2] = .some(2)
                m.pc = 0x1000
                let site = try #require(m.vcpu.site)
                let found = try #require(m.engine.find(site.key, in: site.view))
                #expect(m.engine.cache.pages(of: found).count == 2)
            }
        }

        /// One page of memory at two addresses is not one region: by where its bytes lie nobody could tell the addresses apart.
        @Test(arguments: Configuration.all)
        func aPageSeenTwiceIsExecutedWhereItIsSeen(_ c: Configuration) throws {
            let (m, view) = try machine(c)
            m.memory.write([RV.addi(5, 5, 1), RV.j(0x1100 - 4)], at: 20 * 4096)
            for (bank, step) in [(20, 2), (21, 7)] {
                m.memory.write(
                    [RV.addi(5, 5, step), RV.addi(8, 8, -1), RV.bne(8, 0, 8), RV.ecall, RV.j(-0x1110)],
                    at: bank * 4096 + 0x100)
            }
            view.shown[1] = 20
            for round in 0..<30 {
                view.shown[2] = round % 3 == 2 ? 21 : 20
                m.vcpu.placesHaveChanged()
                m.vcpu[x: 8] = 50
                #expect(run(m, from: m.memory.base + 0x1000) == (round % 3 == 2 ? 400 : 150), "\(c) round \(round)")
            }
        }
    }
}
