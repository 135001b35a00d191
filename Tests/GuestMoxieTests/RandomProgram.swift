// Random programs made from the decode table: loops that run once or hundreds of times, of items: one instruction, or the few
// that belong together (an address and its accesses, a call and its target). Control goes forward only, except for a
// segment's own loop, whose counter nothing else writes: every program ends.
//
//     0x100000  text
//     0x200000  results: the registers at the end; from +0x1000 the sandbox and the stack, 4 KiB each
//
// At its end a program writes its results, sandbox and stack to standard output, by the simulator's call.

import GuestKit
import GuestMoxie
import TestSupport
import Testing

struct RandomMoxieProgram {
    static let text: UInt32 = 0x10_0000
    private static let results: Int64 = 0x20_0000, sandbox: Int64 = 0x20_1000, stack: Int64 = 0x20_2000,
        end: Int64 = 0x20_3000

    /// What may be in a program.
    enum Profile: String, CaseIterable, CustomTestStringConvertible, Sendable {
        /// What the simulator does as the architecture says: aligned accesses, no exceptions, no special
        /// registers that it sets itself, no `mul.x` of negative factors, whose product it takes for another.
        case common
        /// Everything.
        case all
        var testDescription: String { rawValue }
    }

    private enum Piece {
        case code(EncodedInstruction)
        case bytes([UInt8])
        /// A conditional branch to an item of the segment.
        case branch(String, item: Int)
        /// An instruction with an absolute target: its operands, the last of which the layout gives.
        case absolute(String, [Int64], Target)
    }
    private enum Target { case item(Int), function(Int) }
    private typealias Item = [Piece]
    private struct Segment {
        var iterations: Int
        var items: [Item]
    }

    private var random: SeededRandom
    private let profile: Profile
    private let rows = InstructionTable.encodings
    private let kinds: [RowKind: [Int]]
    /// Registers that no item writes: the loop counter and the hash. And what the rest may take as they like.
    private static let counter: Int64 = 15, hash: Int64 = 14
    private var segments: [Segment] = []
    private var functions: [[Item]] = []
    private let initial: [UInt32]

    init(seed: UInt64, _ profile: Profile, size: Int = 1) {
        random = SeededRandom(seed: seed)
        self.profile = profile
        kinds = Dictionary(grouping: 0..<rows.count) { [rows] in RowKind(rows.classes($0)) }
        var source = random
        initial = (0..<1024 + 16).map { _ in Self.value(&source) }
        random = source
        for number in 0..<3 {
            var items = (0..<2 + random.below(6)).map { _ in plain(avoiding: [Moxie.fp, Moxie.sp]) }
            if number == 2 { items.insert([.absolute("jsra", [], .function(random.below(2)))], at: 1) }
            functions.append(items + [[code("ret")]])
        }
        for number in 0..<5 * size {
            let isHot = number % 5 >= 3
            let iterations = isHot ? 300 + random.below(400) : 1 + random.below(5)
            let count = isHot ? 10 + random.below(30) : 30 + random.below(50)
            segments.append(Segment(iterations: iterations, items: []))
            for index in 0..<count { segments[number].items.append(item(at: index, isHot: isHot)) }
            segments[number].items.append(collect())
        }
    }

    /// Instructions executed, about: branches skip some.
    var dynamicCount: Int {
        segments.reduce(0) { $0 + $1.iterations * $1.items.reduce(3) { $0 + $1.count } * 3 / 4 }
    }

    // MARK: Items

    private static func value(_ random: inout SeededRandom) -> UInt32 {
        let value: UInt32 =
            switch random.below(6) {
            case 0: UInt32(random.below(65))
            case 1: (1 << UInt32(random.below(32))) &+ UInt32(random.below(3)) &- 1
            case 2: random.pick([0, .max, 1 << 31, .max >> 1, 0xff, 0xffff, 0x8000])
            default: UInt32(truncatingIfNeeded: random.next())
            }
        return random.chance(30) ? 0 &- value : value
    }

    private mutating func item(at index: Int, isHot: Bool) -> Item {
        switch random.below(100) {
        case 0..<45: return plain()
        case 45..<52: return division()
        case 52..<70: return accesses()
        case 70..<76: return stack()
        case 76..<90: return jump(at: index)
        case 90..<94: return special()
        default: return profile == .all && (!isHot || random.chance(3)) ? exception() : refresh()
        }
    }

    private func code(_ name: String, _ operands: Int64...) -> Piece { .code(Moxie.instruction(name, operands)) }

    /// A random instruction of `row` that does not write what must not be written.
    private mutating func instruction(_ row: Int, avoiding: [Int64] = []) -> EncodedInstruction {
        for _ in 0..<100_000 {
            var made = rows.random(row, using: &random)
            if random.chance(25) {
                for operand in rows.operands(row) where operand.kind == "x" {
                    _ = rows.set(operand, to: Int64(4 + random.below(3)), in: &made)
                }
            }
            for operand in rows.operands(row) where operand.kind == "imm" && random.chance(70) {
                _ = rows.set(operand, to: Int64(Self.value(&random)), in: &made)
            }
            let kept = avoiding + [Self.counter, Self.hash]
            if !kept.contains(where: { rows.writes(made, Int($0), of: "x") }) { return made }
        }
        preconditionFailure("no instruction of \(rows.name(row)) may be used")
    }

    private static let divisions = ["div", "udiv", "mod", "umod"]
    private static let isDivision = Set(divisions)

    private mutating func plain(avoiding: [Int64] = []) -> Item {
        while true {
            let row = random.pick(kinds[.plain] ?? [])
            if Self.isDivision.contains(rows.name(row)) { continue }
            let made = instruction(row, avoiding: avoiding)
            guard profile == .common, rows.name(row) == "mul_x" else { return [.code(made)] }
            // Factors that are not negative; what is masked is written.
            let (a, b) = (
                rows.value(rows.operands(row)[0], of: made) ?? 0, rows.value(rows.operands(row)[1], of: made) ?? 0
            )
            let mask = register(not: avoiding + [a, b])
            if ([Self.counter, Self.hash] + avoiding).contains(b) { continue }
            return [
                code("ldi_l", mask, 0x7fff_ffff), code("and", a, mask), code("and", b, mask), .code(made),
            ]
        }
    }

    /// A register that may be written.
    private mutating func register(not others: [Int64] = []) -> Int64 {
        while true {
            let candidate = Int64(random.below(14))
            if !others.contains(candidate) { return candidate }
        }
    }

    /// By 1...256, or by a constant that is neither 0 nor -1.
    private mutating func division() -> Item {
        let divisor = register(), dividend = register(not: [divisor])
        let name = random.pick(Self.divisions)
        guard random.chance(50) else {
            let value = Self.value(&random)
            return [
                code("ldi_l", divisor, Int64(value == 0 || value == .max ? 3 : value)), code(name, dividend, divisor),
            ]
        }
        let mask = register(not: [divisor, dividend])
        return [
            code("ldi_s", mask, 255), code("and", divisor, mask), code("inc", divisor, 1),
            code(name, dividend, divisor),
        ]
    }

    /// Sets `base` to the sandbox's middle half, by a constant or by what some register holds, less `offset`.
    private mutating func address(_ base: Int64, less offset: Int64, isAligned: Bool) -> Item {
        let start = Self.sandbox + 1024 - offset
        if random.chance(50) {
            return [code("ldi_l", base, start + Int64(random.below(2048)) & (isAligned ? ~3 : ~0))]
        }
        let index = register(not: [base])
        return [
            code("ldi_l", base, random.pick([0x7ff, 0xff, 0x3f]) & (isAligned ? ~3 : ~0)),
            code("and", base, Int64(random.below(16))),
            code("mov", index, base), code("ldi_l", base, start), code("add", base, index),
        ]
    }

    /// Loads and stores of all sizes of the same few bytes.
    private mutating func accesses() -> Item {
        let base = register()
        let isAligned = profile == .common || random.chance(70), mask: Int64 = isAligned ? ~3 : ~0
        let far = random.chance(10) ? (Int64(random.below(0xff00)) - 0x7f80) & mask : 0
        var pieces = address(base, less: far, isAligned: isAligned)
        for _ in 0..<1 + random.below(5) {
            let row = random.pick(kinds[random.chance(50) ? .load : .store] ?? [])
            let name = rows.name(row)
            if name == "push" || name == "pop" { continue }
            var made = instruction(row)
            for operand in rows.operands(row) {
                switch operand.kind {
                case "address":
                    _ = rows.set(operand, to: Self.sandbox + Int64(random.below(4092)) & mask, in: &made)
                case "imm" where operand.source != .constant:
                    _ = rows.set(operand, to: far + Int64(random.below(256)) & mask, in: &made)
                default: break
                }
            }
            let hasBase = rows.operands(row).contains { $0.access.contains(.address) }
            // Without a distance the base is in the sandbox only when it was put there exactly.
            if hasBase, !rows.setBase(Int(base), in: &made) { continue }
            if hasBase, far != 0, rows.operands(row).last?.source == .constant { continue }
            pieces.append(.code(made))
            if rows.writes(made, Int(base), of: "x") { break }
        }
        return pieces
    }

    private mutating func stack() -> Item {
        let pointer = register()
        var pieces = [code("ldi_l", pointer, Self.stack + 1024 + Int64(random.below(256)) * 4)]
        for _ in 0..<2 + random.below(4) {
            if random.chance(50) {
                pieces.append(code("push", pointer, Int64(random.below(16))))
            } else {
                let destination = register()
                pieces.append(code("pop", pointer, destination))
            }
        }
        return pieces
    }

    private mutating func jump(at index: Int) -> Item {
        let target = index + 1 + random.below(6)
        switch random.below(8) {
        case 0: return [.absolute("jmpa", [], .item(target))]
        case 1:
            let r = register()
            return [.absolute("ldi_l", [r], .item(target)), code("jmp", r)]
        case 2:
            let function = random.below(3)
            return [code("ldi_l", Moxie.sp, Self.stack + 2048), .absolute("jsra", [], .function(function))]
        case 3:
            let r = register(not: [Moxie.sp])
            return [
                code("ldi_l", Moxie.sp, Self.stack + 2048), .absolute("ldi_l", [r], .function(random.below(3))),
                code("jsr", r),
            ]
        default:
            let branches = (kinds[.jump] ?? []).filter { rows.classes($0).contains(.branch) }
            let branch = Piece.branch(rows.name(random.pick(branches)), item: index + 1 + random.below(4))
            if random.chance(15) { return [branch] }
            return [code("cmp", Int64(random.below(16)), Int64(random.below(16))), branch]
        }
    }

    /// The simulator's own are 0...9 at most.
    private mutating func special() -> Item {
        let number = profile == .all ? Int64(random.below(256)) : 10 + Int64(random.below(6))
        return [random.chance(50) ? code("ssr", Int64(random.below(16)), number) : code("gsr", register(), number)]
    }

    private mutating func refresh() -> Item {
        let r = register()
        return [code("ldi_l", r, Int64(Self.value(&random)))]
    }

    /// What leaves: accesses outside of memory, division by zero, encodings that are no instructions, breakpoints.
    private mutating func exception() -> Item {
        let a = register(), b = register(not: [a])
        switch random.below(5) {
        case 0: return [code("xor", a, a), code(random.pick(Self.divisions), b, a)]
        case 1: return [.bytes(Moxie.bad)]
        case 2: return [code("brk")]
        case 3:
            let row = random.pick(kinds[random.chance(50) ? .load : .store] ?? [])
            var made = instruction(row)
            for operand in rows.operands(row) where operand.kind == "imm" || operand.kind == "address" {
                _ = rows.set(operand, to: 8, in: &made)
            }
            guard rows.setBase(Int(a), in: &made) else { return [.code(made)] }
            return [code("ldi_l", a, random.pick([0, 0x1000, 0xffff_fff8, 0x8000_0000])), .code(made)]
        default:
            return [code("ldi_l", Moxie.sp, 0x40), .absolute("jsra", [], .function(0))]
        }
    }

    /// Folds some registers into the hash.
    private mutating func collect() -> Item {
        let factor = register()
        var pieces = [code("ldi_l", factor, 0x0100_0193)]
        for _ in 0..<10 { pieces += [code("mul", Self.hash, factor), code("add", Self.hash, Int64(random.below(14)))] }
        return pieces
    }

    // MARK: Layout

    private func size(_ piece: Piece) -> Int {
        switch piece {
        case .code(let made): rows.bytes(made).count
        case .bytes(let bytes): bytes.count
        case .branch: 2
        case .absolute: 6
        }
    }
    private func size(_ items: [Item]) -> Int { items.reduce(0) { $0 + $1.reduce(0) { $0 + size($1) } } }

    func file() -> MoxieFile {
        var prologue: [UInt8] = []
        for i in 0..<16 { prologue += Moxie.code("ldi_l", Int64(i), Int64(initial[1024 + i])) }
        prologue += Moxie.code("cmp", 0, 1)
        var epilogue: [UInt8] = []
        for i in 0..<16 { epilogue += Moxie.code("sta_l", Int64(i), Self.results + Int64(4 * i)) }
        for (register, value) in [(2, 1), (3, Self.results), (4, Self.end - Self.results)] as [(Int64, Int64)] {
            epilogue += Moxie.code("ldi_l", register, value)
        }
        epilogue += Moxie.code("swi", 5) + Moxie.code("ldi_l", 2, 0) + Moxie.code("swi", 1)

        let loopHead = 6, loopTail = 18
        let functionsStart =
            prologue.count + segments.reduce(0) { $0 + loopHead + size($1.items) + loopTail } + epilogue.count
        var starts: [Int] = []
        var position = functionsStart
        for function in functions {
            starts.append(position)
            position += size(function)
        }
        var bytes = prologue
        for segment in segments {
            bytes += Moxie.code("ldi_l", Self.counter, Int64(segment.iterations))
            let head = bytes.count
            append(segment.items, starts, to: &bytes)
            // A register that is zero for the comparison, and a jump that reaches.
            bytes +=
                Moxie.code("dec", Self.counter, 1) + Moxie.code("ldi_l", 13, 0) + Moxie.code("cmp", Self.counter, 13)
            bytes += Moxie.code("beq", 6) + Moxie.code("jmpa", Int64(Self.text) + Int64(head))
        }
        bytes += epilogue
        precondition(bytes.count == functionsStart)
        for function in functions { append(function, starts, to: &bytes) }
        let sandbox = initial.prefix(1024).flatMap { word in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) }
        }
        return MoxieFile(
            entry: Self.text,
            segments: [
                .init(address: Self.text, flags: 5, bytes: bytes, memorySize: bytes.count),
                .init(address: UInt32(Self.results), flags: 6, bytes: [], memorySize: 0x1000),
                .init(address: UInt32(Self.sandbox), flags: 6, bytes: sandbox, memorySize: 0x2000),
            ])
    }

    private func append(_ items: [Item], _ functionStarts: [Int], to bytes: inout [UInt8]) {
        var starts: [Int] = []
        var position = bytes.count
        for item in items {
            starts.append(position)
            position += size([item])
        }
        starts.append(position)
        func place(_ item: Int) -> Int { starts[min(item, starts.count - 1)] }
        for item in items {
            for piece in item {
                switch piece {
                case .code(let made): bytes += rows.bytes(made)
                case .bytes(let raw): bytes += raw
                case .branch(let name, let target): bytes += Moxie.code(name, Int64(place(target) - bytes.count - 2))
                case .absolute(let name, let operands, let target):
                    let offset =
                        switch target {
                        case .item(let item): place(item)
                        case .function(let function): functionStarts[function]
                        }
                    bytes += rows.bytes(Moxie.instruction(name, operands + [Int64(Self.text) + Int64(offset)]))
                }
            }
        }
    }
}
