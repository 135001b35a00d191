// What every guest's decode table and its translation owe each other.

import GuestKit
import IR
import TestSupport
import Testing

private let one = RegionPlan(maxBlocks: 1, maxInstructions: 1)

@Suite struct TableTests {
    /// Samples of all rows that the guest has, none of which is another row's.
    private func forEachRow(
        _ guest: ConformingGuest, _ count: Int, _ body: (Int, [EncodedInstruction], inout SeededRandom) throws -> Void
    ) rethrows {
        var random = SeededRandom(seed: Seed.current)
        for row in 0..<guest.rows.count where guest.has(row) {
            var made: [EncodedInstruction] = []
            for _ in 0..<(count * 8) where made.count < count {
                let sample = guest.rows.random(row, using: &random)
                if guest.rows.isItself(sample, where: guest.has) { made.append(sample) }
            }
            try body(row, made, &random)
        }
    }

    private func translated(
        _ made: EncodedInstruction, _ guest: ConformingGuest, _ architecture: any GuestArchitecture, flags: UInt64 = 0
    ) -> Translated {
        let slot = guest.slot(guest.rows.classes(made.row))
        return Translated(guest.rows.bytes(made) + slot, guest: architecture, flags: flags, plan: one)
    }

    /// A row whose instructions are all illegal is one that only a privileged mode has.
    @Test(.seeded(1), arguments: ConformingGuest.models)
    func everyRowTranslatesToValidIR(_ guest: ConformingGuest) {
        let architecture = guest.make()
        forEachRow(guest, Rounds.count(16)) { row, samples, _ in
            var legal = 0
            for made in samples {
                let code = guest.rows.bytes(made)
                for mode in guest.modes {
                    let found = translated(made, guest, architecture, flags: mode)
                    #expect(found.problems.isEmpty && !found.overflowed, "\(guest.rows.name(row)) \(code) \(mode)")
                }
                let translated = translated(made, guest, architecture)
                if translated.exits(with: .exception(guest.isIllegal)) { continue }
                legal += 1
                let length = code.count + guest.slot(guest.rows.classes(row)).count
                #expect(translated.end == testPC + UInt64(length), "\(guest.rows.name(row)) \(code)")
            }
            let classes = guest.rows.classes(row)
            // (A control register's number is rarely one that exists.)
            if !classes.contains(.system), !guest.exceptions.contains(guest.rows.name(row)) {
                #expect((legal > 0) != classes.contains(.privileged), "\(guest.rows.name(row)): \(legal) legal")
            }
        }
    }

    /// What a row's translation writes and accesses is what the table says of it.
    @Test(.seeded(2), arguments: ConformingGuest.models)
    func rolesAndClassesAreThoseOfTheTranslation(_ guest: ConformingGuest) {
        let architecture = guest.make()
        forEachRow(guest, 16) { row, samples, _ in
            let classes = guest.rows.classes(row), name = guest.rows.name(row)
            if guest.exceptions.contains(name) { return }
            let implicit = guest.implicit(classes)
            let isFrame = !classes.isDisjoint(with: [.call, .return])
            var writes = false, loads = false, stores = false, branches = false, legal = 0
            for made in samples {
                let translated = translated(made, guest, architecture)
                if translated.exits(with: .exception(guest.isIllegal)) { continue }
                legal += 1
                let written = Set(translated.ops.map(\.dst.index).filter { $0 < guest.registerCount })
                let expected = guest.written(made).union(implicit)
                #expect(written.isSubset(of: expected), "\(name): \(translated.text)")
                writes = writes || written == expected
                loads = loads || translated.contains(.gld)
                stores = stores || translated.contains(.gst)
                branches = branches || translated.contains(.brcond)
            }
            if legal == 0 { return }
            if !classes.contains(.system) { #expect(writes, "\(name) does not write what its roles say") }
            if isFrame { return }
            let isPlain = classes.isDisjoint(with: [.atomic, .exclusive, .cache])
            if isPlain {
                #expect(loads == classes.contains(.load), "\(name)")
                #expect(stores == classes.contains(.store), "\(name)")
            }
            if classes.contains(.branch) { #expect(branches, "\(name)") }
        }
    }

    @Test(.seeded(3), arguments: ConformingGuest.models)
    func whatIsEncodedIsDecoded(_ guest: ConformingGuest) {
        let architecture = guest.make(), rows = guest.rows
        func text(_ bytes: [UInt8]) -> (text: String, length: Int) {
            bytes.withUnsafeBytes { architecture.disassemble($0, at: testPC) }
        }
        let bad = text(guest.illegal).text
        forEachRow(guest, Rounds.count(30)) { row, samples, random in
            var shown = 0
            for sample in samples {
                var made = sample
                for operand in rows.operands(row) {
                    let donor = rows.random(row, using: &random)
                    guard let value = rows.value(operand, of: donor) else { continue }
                    let before = made
                    if !rows.set(operand, to: value, in: &made) {
                        #expect(made == before, "\(rows.name(row))")
                        continue
                    }
                    #expect(rows.value(operand, of: made) == value, "\(rows.name(row)) \(operand.name)")
                    if !rows.isItself(made, where: guest.has) { made = before }
                }
                let code = rows.bytes(made)
                let rest = (0..<16).map { _ in UInt8.random(in: 0...255, using: &random) }
                let found = text(code + rest)
                // (Which operands are reserved is for the guest's own tests.)
                if found.text == bad { continue }
                shown += 1
                #expect(found.length == code.count, "\(rows.name(row)): \(found.text)")
                if let name = guest.shown(rows.name(row)) {
                    #expect(found.text.prefix { $0 != " " } == name)
                }
            }
            #expect(shown > 0, "\(rows.name(row)) is never shown")
        }
    }

    /// Where two rows have an instruction in common, the first is the more specific one: so no row hides another.
    @Test(arguments: ConformingGuest.models) func rowsHideNoOthers(_ guest: ConformingGuest) {
        let rows = guest.rows, known = (0..<rows.count).filter(guest.has)
        for (index, second) in known.enumerated() {
            for first in known[..<index] where rows.width(first) == rows.width(second) {
                let common = rows.mask(first) & rows.mask(second)
                guard (rows.match(first) ^ rows.match(second)) & common == 0 else { continue }
                #expect(
                    rows.mask(first) & ~rows.mask(second) != 0, "\(rows.name(first)) hides \(rows.name(second))")
            }
        }
    }

    @Test(.seeded(4), arguments: ConformingGuest.models)
    func randomBytesNeverReachBeyondTheirEnd(_ guest: ConformingGuest) {
        let architecture = guest.make()
        var random = SeededRandom(seed: Seed.current)
        for _ in 0..<Rounds.count(1000) {
            let code = (0..<random.below(40)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let translated = Translated(code, guest: architecture)
            #expect(translated.problems == [], "\(code)")
            #expect(translated.end <= testPC + UInt64(max(code.count, 2)), "\(code)")
        }
        #expect(Translated([], guest: architecture).instructions == 0)
    }

    @Test(arguments: ConformingGuest.models) func theIllegalEncodingIsIllegal(_ guest: ConformingGuest) {
        let code = guest.illegal + [UInt8](repeating: 0, count: 16)
        #expect(Translated(code, guest: guest.make(), plan: one).exits(with: .exception(guest.isIllegal)))
    }
}
