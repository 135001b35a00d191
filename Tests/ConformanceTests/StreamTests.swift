// Code of every guest in all modes of the engine against its interpreter, one instruction at a time: results, flags, memory, and the
// state where an instruction in the middle of a block stops.

import EngineModes
import GuestKit
import TestSupport
import Testing

/// Code lies at the same addresses of the one process.
@Suite(.serialized, .timeLimit(.minutes(3))) struct StreamTests {
    /// A piece of code, where it starts from, and what comes of it.
    private struct Case {
        var code: [UInt8]
        var seed: UInt64
        var sandbox: [UInt8]
        /// The second base.
        var other = ConformingMachine.nowhere
        var expected: ConformingMachine.State
        var what: String
        /// Where the host makes an atomic access of a load and an exchange, the load is what stops.
        var isAtomic = false

        func shown(_ exit: String) -> String {
            isAtomic ? exit.replacing("read ", with: "").replacing("write ", with: "") : exit
        }
    }

    /// Hot code has become another translation by then.
    private static let turns = 26

    private func expectSame(_ cases: [Case], _ guest: ConformingGuest) throws {
        for mode in EngineMode.all {
            let machine = try ConformingMachine(guest, mode)
            for item in cases {
                try machine.place(item.code)
                for turn in 0..<Self.turns {
                    var found = try machine.start(item.seed, item.sandbox, other: item.other)
                    found.exit = item.shown(found.exit)
                    if found != item.expected {
                        Issue.record(
                            "\(mode), turn \(turn): \(item.what): \(found.difference(from: item.expected)); \(item.code)"
                        )
                        break
                    }
                }
            }
        }
    }

    private func sandbox(_ random: inout SeededRandom) -> [UInt8] {
        (0..<ConformingMachine.dataSize / 8).flatMap { _ in
            withUnsafeBytes(of: random.operand()) { Array($0) }
        }
    }

    /// Random code that runs to its end; whatever would stop on the way is left out.
    private func running(
        _ count: Int, _ code: inout RandomCode, _ reference: ConformingMachine, _ sandbox: [UInt8],
        other: UInt32 = ConformingMachine.nowhere
    ) throws -> Case? {
        var made: Case?
        let seed = code.random.next()
        for instruction in code.instructions(count) {
            let bytes = (made?.code ?? []) + instruction
            try reference.place(bytes)
            let state = try reference.start(seed, sandbox, other: other)
            guard state.exit == "exception \(code.guest.stops)" else { continue }
            made = Case(
                code: bytes, seed: seed, sandbox: sandbox, other: other, expected: state, what: "random code")
        }
        return made
    }

    @Test(.seeded(11), arguments: ConformingGuest.all)
    func randomCodeDoesTheSameInAllModes(_ guest: ConformingGuest) throws {
        var code = RandomCode(guest, seed: Seed.current), cases: [Case] = []
        let sandbox = sandbox(&code.random)
        do {
            let reference = try ConformingMachine(guest, .reference)
            for _ in 0..<Rounds.count(16) {
                let count = 8 + code.random.below(50)
                guard let made = try running(count, &code, reference, sandbox) else { continue }
                cases.append(made)
            }
        }
        #expect(cases.count > 10)
        try expectSame(cases, guest)
    }

    /// What stops in the middle of a block.
    enum Stop: String, CaseIterable {
        case load, store, storeToReadOnly, atomic, illegal, division

        var otherBase: UInt32 {
            switch self {
            case .storeToReadOnly: ConformingMachine.readOnlyMiddle
            case .division: 0
            default: ConformingMachine.nowhere
            }
        }
    }

    /// An instruction that stops shows exactly what those before it have done.
    @Test(.seeded(12), arguments: ConformingGuest.all, Stop.allCases)
    func faultsInTheMiddleOfABlockAreExact(_ guest: ConformingGuest, _ stop: Stop) throws {
        var code = RandomCode(guest, seed: Seed.current), cases: [Case] = []
        let sandbox = sandbox(&code.random)
        do {
            let reference = try ConformingMachine(guest, .reference)
            for _ in 0..<Rounds.count(12) {
                let count = 1 + code.random.below(20)
                guard var made = try running(count, &code, reference, sandbox, other: stop.otherBase),
                    let (stopping, exit) = stopping(stop, &code)
                else { continue }
                try reference.place(made.code + stopping)
                let found = try reference.start(made.seed, sandbox, other: stop.otherBase)
                #expect(found.exit.contains(exit), "\(found) is no \(exit)")
                // The breakpoint behind them was at the same place.
                made.expected.exit = found.exit
                #expect(found == made.expected, "\(stop): \(found.difference(from: made.expected))")
                made.code += stopping + code.instructions(5).flatMap { $0 }
                made.what = "\(stop)"
                made.isAtomic = stop == .atomic
                made.expected.exit = made.shown(found.exit)
                cases.append(made)
            }
        }
        let isThere =
            switch stop {
            case .atomic: guest.name != "moxie"
            case .division: guest.division != nil
            default: true
            }
        #expect(cases.isEmpty != isThere)
        try expectSame(cases, guest)
    }

    /// An instruction that stops, and how.
    private func stopping(_ stop: Stop, _ code: inout RandomCode) -> ([UInt8], exit: String)? {
        let guest = code.guest
        func access(_ kind: RowKind, _ exit: String) -> ([UInt8], exit: String)? {
            for _ in 0..<100 {
                // (Whether a cache block may be cleaned or thrown away has rules of its own.)
                guard let made = code.instruction(kind, base: guest.otherBase.number) else { return nil }
                if !guest.rows.classes(made.row).contains(.cache) { return (guest.rows.bytes(made), exit) }
            }
            return nil
        }
        switch stop {
        case .load: return access(.load, "read unmapped")
        case .store: return access(.store, "write unmapped")
        case .storeToReadOnly: return access(.store, "write permission")
        case .atomic: return access(.atomic, "unmapped")
        case .illegal: return (guest.illegal, "exception \(guest.isIllegal)")
        case .division: return guest.division.map { (guest.bytes($0.name, $0.operands), "exception \($0.exception)") }
        }
    }
}
