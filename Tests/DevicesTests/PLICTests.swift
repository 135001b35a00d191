import Devices
import SystemKit
import TestSupport
import Testing

/// The specification as sets, one source at a time.
private struct Model {
    let sources: Int, contexts: Int
    var level: Set<Int> = [], pending: Set<Int> = [], claimed: Set<Int> = []
    var priority: [Int: UInt64] = [:], threshold: [Int: UInt64] = [:]
    var enabled: [Int: Set<Int>] = [:]

    mutating func gateways() { pending.formUnion(level.subtracting(claimed)) }

    func best(_ context: Int, above limit: UInt64) -> Int {
        pending.intersection(enabled[context] ?? []).filter { priority[$0] ?? 0 > limit }
            .max { (priority[$0] ?? 0, -$0) < (priority[$1] ?? 0, -$1) } ?? 0
    }
    func output(_ context: Int) -> Bool { best(context, above: threshold[context] ?? 0) != 0 }
    mutating func claim(_ context: Int) -> Int {
        let source = best(context, above: 0)
        if source != 0 {
            pending.remove(source)
            claimed.insert(source)
        }
        return source
    }
    mutating func complete(_ context: Int, _ source: Int) {
        if enabled[context]?.contains(source) == true { claimed.remove(source) }
    }
}

@Suite struct PLICTests {
    private static func make(_ machine: TestMachine, _ sources: Int, _ contexts: Int) throws -> (PLIC, RegisterBlock) {
        let plic = try machine.board.add(
            PLIC.self, "plic", at: 0xc00_0000, lines: (0..<contexts).map { machine.lines.line($0) },
            "sources=\(sources),contexts=\(contexts)")
        return (plic, machine.block(plic))
    }

    @Test(.seeded(75), arguments: [(1, 1), (31, 2), (32, 3), (95, 8), (200, 4)])
    func randomOperationsFollowTheSpecification(_ sources: Int, _ contexts: Int) throws {
        var random = SeededRandom(seed: Seed.current)
        let machine = try TestMachine()
        let (plic, block) = try Self.make(machine, sources, contexts)
        var model = Model(sources: sources, contexts: contexts)
        for _ in 0..<Rounds.count(1500) {
            let source = 1 + random.below(min(sources, 8)) * max(1, sources / 8), context = random.below(contexts)
            guard source <= sources else { continue }
            switch random.below(8) {
            case 0, 1:
                let level = random.chance(60)
                plic.setInput(source, level)
                if level { model.level.insert(source) } else { model.level.remove(source) }
            case 2:
                let value = random.next() & 0xffff_ffff
                block.put(UInt64(4 * source), value)
                model.priority[source] = value & 7
            case 3:
                let value = random.next() & 0xffff_ffff
                block.put(0x200000 + 0x1000 * UInt64(context), value)
                model.threshold[context] = value & 7
            case 4:
                let word = random.below(sources / 32 + 1), bits = random.next() & 0xffff_ffff
                block.put(0x2000 + 0x80 * UInt64(context) + UInt64(4 * word), bits)
                var set = (model.enabled[context] ?? []).filter { $0 / 32 != word }
                for bit in 0..<32 where bits >> UInt64(bit) & 1 != 0 { set.insert(32 * word + bit) }
                model.enabled[context] = set.filter { $0 > 0 && $0 <= sources }
            case 5, 6:
                #expect(Int(block.get(0x200004 + 0x1000 * UInt64(context))) == model.claim(context))
            default:
                let claimed = model.claimed.randomElement(using: &random) ?? source
                block.put(0x200004 + 0x1000 * UInt64(context), UInt64(claimed))
                model.complete(context, claimed)
            }
            model.gateways()
            for context in 0..<contexts {
                try #require(machine.lines[context] == model.output(context), "context \(context)")
            }
            if random.chance(5) {
                let enabled = Set(
                    (0...sources).filter {
                        block.get(0x2000 + 0x80 * UInt64(context) + UInt64($0 / 32 * 4)) >> UInt64($0 % 32) & 1 != 0
                    })
                #expect(enabled == model.enabled[context] ?? [])
            }
            if random.chance(5) {
                let set = Set(
                    (0...sources).filter { block.get(0x1000 + UInt64($0 / 32 * 4)) >> UInt64($0 % 32) & 1 != 0 })
                #expect(set == model.pending)
            }
        }
    }

    /// The order in which OpenBSD masks an interrupt that is pending: by priority, by threshold, by the enable bit.
    @Test func theOutputDropsWhenTheInterruptIsMasked() throws {
        let machine = try TestMachine()
        let (plic, block) = try Self.make(machine, 95, 2)
        block.put(4 * 10, 3)
        block.put(0x2080, 1 << 10)
        plic.setInput(10, true)
        #expect(machine.lines[1] && !machine.lines[0])
        for (register, off, on) in [(UInt64(40), UInt64(0), UInt64(3)), (0x201000, 3, 2), (0x2080, 0, 1 << 10)] {
            block.put(register, off)
            #expect(!machine.lines[1])
            block.put(register, on)
            #expect(machine.lines[1])
        }
        plic.setInput(10, false)
        #expect(machine.lines[1], "what has been asked for stays")
    }

    @Test func aLevelThatStaysIsPendingAgainAfterCompletion() throws {
        let machine = try TestMachine()
        let (plic, block) = try Self.make(machine, 95, 1)
        block.put(4 * 33, 1)
        block.put(0x2004, 2)
        plic.setInput(33, true)
        #expect(block.get(0x200004) == 33)
        #expect(!machine.lines[0] && block.get(0x200004) == 0, "it is claimed once")
        #expect(block.get(0x1004) == 0)
        block.put(0x200004, 33)
        #expect(machine.lines[0] && block.get(0x1004) == 2)
        #expect(block.get(0x200004) == 33)
        plic.setInput(33, false)
        block.put(0x200004, 33)
        #expect(!machine.lines[0] && block.get(0x1004) == 0)
    }

    @Test func completionOfWhatIsNotEnabledIsIgnored() throws {
        let machine = try TestMachine()
        let (plic, block) = try Self.make(machine, 95, 1)
        block.put(4, 1)
        block.put(0x2000, 2)
        plic.setInput(1, true)
        #expect(block.get(0x200004) == 1)
        block.put(0x2000, 0)
        block.put(0x200004, 1)
        block.put(0x2000, 2)
        #expect(!machine.lines[0])
        for value in [UInt64(0), 96, 1023, 0xffff_ffff] { block.put(0x200004, value) }
        #expect(!machine.lines[0])
        block.put(0x200004, 1)
        #expect(machine.lines[0])
    }
}
