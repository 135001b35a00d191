// The generator of random programs: rows of the decode tables with random bits in their free fields, and around them
// what makes most of them sensible (addresses in the sandbox, targets in the program).

import GuestKit
import GuestRISCV
import TestSupport

/// What a program may contain.
struct RandomProfile: Sendable {
    var name: String
    var extensions: RISCVExtensions
    /// Known to the reference emulator as well.
    var hasReference: Bool

    /// Rows that the reference emulator gets wrong: its 7.2 counts on into the upper half where the manual's CTZW gives
    /// 32 for a word of zeros. (Such instructions are compared among Martlet's modes by the other profile.)
    static let wrongInReference: Set<String> = ["ctzw"]

    /// What `qemu-riscv64-static` and `qemu-riscv32-static` 7.2 know.
    static let common = common(.rv64)
    static let common32 = common(.rv32)
    /// All that Martlet knows.
    static let all = RandomProfile(name: "all", extensions: RISCVCPU.standard.extensions, hasReference: false)
    static let all32 = RandomProfile(name: "all32", extensions: RISCVCPU.standard32.extensions, hasReference: false)

    private static func common(_ width: RISCVExtensions) -> RandomProfile {
        let base: RISCVExtensions = [.i, .m, .a, .f, .d, .c, .zicsr, .zifencei, .zihintpause]
        let more: RISCVExtensions = [.zba, .zbb, .zbc, .zbs, .zfhmin]
        let isNarrow = width == .rv32
        return RandomProfile(
            name: isNarrow ? "common32" : "common",
            extensions: width.union(base).union(more).completed.subtracting(isNarrow ? [] : .zcf), hasReference: true)
    }

    var wordSize: WordSize { extensions.wordSize }
    /// The CPU that has at least this.
    var cpu: RISCVCPU { wordSize == .bits32 ? .standard32 : .standard }
}

/// The rows of the tables by what they need.
struct RowClasses {
    let extensions: RISCVExtensions
    private let cpu: RISCVCPU
    private(set) var rows: [RowKind: [Int]] = [:]

    init(_ profile: RandomProfile) {
        extensions = profile.extensions
        cpu = profile.cpu
        for row in 0..<InstructionTable.count where InstructionTable.isAllowed(row, by: extensions) {
            if profile.hasReference, RandomProfile.wrongInReference.contains(InstructionTable.name(row)) { continue }
            rows[Self.kind(row), default: []].append(row)
        }
    }

    /// amocas.q is not in the CPU models: it needs pairs of registers.
    static func kind(_ row: Int) -> RowKind {
        InstructionTable.name(row) == "amocas_q" ? .none : RowKind(InstructionTable.classes(row))
    }

    subscript(kind: RowKind) -> [Int] { rows[kind] ?? [] }

    /// Whether this is no instruction of a more specific row, which Martlet may know also where the reference does not.
    func isItself(_ instruction: EncodedInstruction) -> Bool {
        let known = extensions.union(cpu.extensions)
        return InstructionTable.encodings.isItself(instruction) { InstructionTable.isAllowed($0, by: known) }
    }
}

struct RandomGenerator {
    private var random: RandomSource
    private let profile: RandomProfile
    private let classes: RowClasses
    private let rows = InstructionTable.encodings
    /// Registers that bodies do not write: the loop counter and the hash.
    private let counter: Int
    private let collector: Int
    private var functionLinks: [Int] = []
    /// Registers that functions return by; 1 and 5 are what the manual calls link registers.
    private static let links = [1, 5, 6]
    /// Whether the items being made run thousands of times.
    private var isHot = false
    private var faults = 0

    /// The program of this seed.
    static func program(seed: UInt64, _ profile: RandomProfile, size: Int = 1) -> RandomProgram {
        var generator = RandomGenerator(seed: seed, profile)
        return generator.make(seed: seed, size: size)
    }

    private init(seed: UInt64, _ profile: RandomProfile) {
        random = RandomSource(seed: seed)
        self.profile = profile
        classes = RowClasses(profile)
        counter = 16 + random.below(8)
        collector = 24 + random.below(8)
    }

    private mutating func make(seed: UInt64, size: Int) -> RandomProgram {
        var functions: [[Item]] = []
        for number in 0..<4 {
            let link = number < 3 ? random.pick(Self.links) : 5
            var items = (0..<(2 + random.below(6))).map { _ in plainItem(avoiding: Self.links) }
            // The last two may call one that calls none and has another link register.
            if number >= 2, let callee = functionLinks.prefix(2).firstIndex(where: { $0 != link }) {
                items.insert(Item([.jump(Encode.jal(functionLinks[callee]), .function(callee))]), at: items.count / 2)
            }
            items.append(
                link == 1 && random.chance(50)
                    ? Item([.half(0x8082)]) : Item([Encode.jalr(0, link, 0)]))
            functions.append(items)
            functionLinks.append(link)
        }
        var segments: [Segment] = []
        for number in 0..<(5 * size) {
            isHot = number % 5 >= 3
            faults = 0
            let iterations =
                isHot ? (number % 5 == 4 ? 2400 + random.below(600) : 300 + random.below(200)) : 1 + random.below(5)
            segments.append(segment(iterations, items: isHot ? 10 + random.below(40) : 30 + random.below(60)))
        }
        return RandomProgram(
            seed: seed, extensions: profile.extensions,
            frame: ProgramFrame(
                wordSize: profile.wordSize, counter: counter, random: RandomSource(seed: random.next())),
            collector: collector,
            segments: segments, functions: functions)
    }

    private mutating func segment(_ iterations: Int, items count: Int) -> Segment {
        var items = [refresh()]
        while items.count < count { items.append(item(at: items.count)) }
        items.append(collect())
        return Segment(iterations: iterations, items: items)
    }

    private mutating func item(at index: Int) -> Item {
        switch random.below(100) {
        case 0..<36: return plainItem()
        case 36..<62: return plainItem(.float)
        case 62..<72: return accesses()
        case 72..<78: return overlapping()
        case 78..<81: return reserved()
        case 81..<91: return jump(at: index)
        case 91..<94: return csr()
        case 94..<98: return refresh()
        default:
            faults += 1
            return isHot && faults > 1 ? plainItem() : fault()
        }
    }

    // MARK: Instructions

    /// A random instruction of `row` that does not write what must not be written.
    private mutating func instruction(_ row: Int, avoiding: [Int] = []) -> EncodedInstruction {
        for _ in 0..<100_000 {
            var made = rows.random(row, using: &random)
            if rows.width(row) == 32, random.chance(25) { setNearRegisters(&made) }
            for operand in rows.operands(row) where operand.kind == "rounding" {
                set(operand, random.chance(1) && !isHot ? 5 : random.pick([0, 1, 2, 3, 4, 7, 7, 7]), in: &made)
            }
            if writes(made, counter) || writes(made, collector) { continue }
            if avoiding.contains(where: { writes(made, $0) }) { continue }
            if classes.isItself(made) { return made }
        }
        preconditionFailure("no instruction of \(rows.name(row)) may be used")
    }

    /// Small register numbers, so that instructions depend on each other.
    private mutating func setNearRegisters(_ made: inout EncodedInstruction) {
        for operand in rows.operands(made.row) where operand.kind == "x" || operand.kind == "f" {
            set(operand, 8 + random.below(4), in: &made)
        }
    }

    /// Sets the operand where the encoding has the value.
    private func set(_ operand: InstructionOperand, _ value: Int, in made: inout EncodedInstruction) {
        _ = rows.set(operand, to: Int64(value), in: &made)
    }

    /// Whether it writes x`register`.
    private func writes(_ made: EncodedInstruction, _ register: Int) -> Bool {
        if rows.writes(made, register, of: "x") { return true }
        // The result of this one is a pair of registers, of which the even one is its operand.
        return rows.name(made.row) == "amocas_d_32" && rows.writes(made, register & ~1, of: "x")
    }

    /// The distance of an access from its base, where it has one.
    private func distance(_ row: Int) -> InstructionOperand? {
        rows.operands(row).first { $0.kind == "imm" && $0.name == "imm" }
    }

    private func piece(_ made: EncodedInstruction) -> Piece {
        rows.width(made.row) == 16
            ? .half(UInt16(truncatingIfNeeded: made.word)) : .word(UInt32(truncatingIfNeeded: made.word))
    }

    private mutating func plainItem(_ kind: RowKind = .plain, avoiding: [Int] = []) -> Item {
        let row = random.pick(classes[kind])
        return Item([piece(instruction(row, avoiding: avoiding))])
    }

    /// A register that may be written.
    private mutating func register(not other: Int = 0) -> Int {
        while true {
            let candidate = 1 + random.below(31)
            if candidate != counter, candidate != collector, candidate != other { return candidate }
        }
    }

    // MARK: Memory

    /// An address in the sandbox and accesses relative to it.
    private mutating func accesses() -> Item {
        let isAligned = random.chance(70)
        let base = random.chance(40) ? 8 + random.below(8) : random.chance(15) ? 2 : register()
        var pieces = sandboxAddress(base, isAligned: isAligned)
        for _ in 0..<(1 + random.below(4)) {
            let kind: RowKind = random.pick(
                isAligned ? [.load, .store, .load, .store, .atomic] : [.load, .store])
            let row = random.pick(classes[kind])
            guard let access = access(row, base: base, isAligned: isAligned) else { continue }
            pieces.append(piece(access))
            if writes(access, base) { break }
        }
        return Item(pieces)
    }

    /// Loads and stores of all sizes of the same few bytes, through registers that hold the same address or move, sometimes with a
    /// fence or a store that faults between them.
    private mutating func overlapping() -> Item {
        let base = register()
        let other = register(not: base)
        var pieces = sandboxAddress(base, isAligned: random.chance(70))
        pieces.append(.word(Encode.addi(other, base, 0)))
        /// What has been added to each register.
        var moved = [0, 0]
        let near = random.below(512)
        for _ in 0..<(4 + random.below(8)) {
            let way = random.chance(80) ? 0 : 1
            let through = way == 0 ? base : other
            switch random.below(16) {
            case 0: pieces.append(.word(Encode.fence))
            case 1:
                let step = random.below(128) - 64
                pieces.append(.word(Encode.addi(through, through, step)))
                moved[way] += step
            case 2 where !isHot || faults == 0:
                faults += 1
                pieces.append(.word(Encode.store(profile.wordSize, register(), 0, random.below(64))))
            default:
                let row = random.pick(classes[random.chance(50) ? .load : .store])
                guard rows.width(row) == 32, let distance = distance(row) else { continue }
                var made = instruction(row, avoiding: [base, other])
                guard rows.setBase(through, in: &made) else { continue }
                set(distance, near + random.below(12) * (random.chance(70) ? 4 : 1) - moved[way], in: &made)
                pieces.append(piece(made))
            }
        }
        return Item(pieces)
    }

    /// The access of `row` relative to `base`, or nil when its encoding has another base.
    private mutating func access(_ row: Int, base: Int, isAligned: Bool) -> EncodedInstruction? {
        var made = instruction(row)
        guard rows.setBase(base, in: &made) else { return nil }
        if isAligned, let distance = distance(row), let value = rows.value(distance, of: made) {
            set(distance, Int(value) & ~7, in: &made)
        }
        return made
    }

    /// Sets `base` to the sandbox's middle and up to 2 KiB away, by a constant or by what some register holds.
    private mutating func sandboxAddress(_ base: Int, isAligned: Bool) -> [Piece] {
        let middle = (ProgramMap.sandbox + ProgramMap.sandboxSize / 2) >> 12
        let mask = isAligned ? ~7 : ~0
        if random.chance(50) {
            let offset = (random.below(4096) - 2048) & mask
            return [.word(Encode.lui(base, middle)), .word(Encode.addi(base, base, offset))]
        }
        let index = register(not: base)
        return [
            .word(Encode.andi(index, 1 + random.below(31), random.pick([0x7ff, 0x0ff, 0x03f]) & mask)),
            .word(Encode.lui(base, middle)), .word(Encode.add(base, base, index)),
        ]
    }

    /// A load-reserved and its store-conditional, or a store-conditional alone, which fails.
    private mutating func reserved() -> Item {
        let base = register()
        var pieces = sandboxAddress(base, isAligned: true)
        let store = random.pick(classes[.storeConditional])
        let load = classes[.loadReserved].first {
            InstructionTable.match($0) & 0x7000 == InstructionTable.match(store) & 0x7000
        }
        guard let load else { return plainItem() }
        if random.chance(80) {
            var first = instruction(load, avoiding: [base])
            guard rows.setBase(base, in: &first) else { return plainItem() }
            pieces.append(piece(first))
            for _ in 0..<random.below(3) {
                pieces.append(.word(Encode.add(register(not: base), random.below(32), random.below(32))))
            }
        }
        var second = instruction(store)
        guard rows.setBase(base, in: &second) else { return plainItem() }
        return Item(pieces + [piece(second)])
    }

    /// An access that faults: to the page at 0, to an address that is none, over the sandbox's end, or a write to
    /// the pool.
    private mutating func fault() -> Item {
        let base = register()
        let way = random.below(4)
        let kind: RowKind = random.pick(
            way == 3 ? [.store] : way == 2 ? [.load, .store] : [.load, .store, .atomic])
        let row = random.pick(classes[kind].filter { InstructionTable.width($0) == 32 })
        var made = instruction(row, avoiding: [base])
        guard rows.setBase(base, in: &made) else { return plainItem() }
        if let distance = distance(row) { set(distance, 0, in: &made) }
        let address: [UInt32]
        switch way {
        case 0: address = [Encode.addi(base, 0, random.below(128) * 8)]
        case 1 where profile.wordSize == .bits32: address = [Encode.lui(base, 0x60000 + random.below(0x40000))]
        case 1: address = [Encode.addi(base, 0, 1 + random.below(500)), Encode.slli(base, base, 48 + random.below(8))]
        case 2:
            // Every wider access crosses; a byte at the last address does not.
            address = [Encode.lui(base, ProgramMap.sandboxEnd >> 12), Encode.addi(base, base, -1 - random.below(8))]
        default: address = [Encode.lui(base, ProgramMap.pool >> 12), Encode.addi(base, base, random.below(256) * 8)]
        }
        return Item(address.map { .word($0) } + [piece(made)])
    }

    /// New values from the pool, at a place that depends on the loop's counter.
    private mutating func refresh() -> Item {
        let index = register()
        let base = register(not: index)
        var words = [
            Encode.slli(index, counter, 3 + random.below(3)), Encode.andi(index, index, 0x7f8),
            Encode.lui(base, ProgramMap.pool >> 12), Encode.add(base, base, index),
        ]
        for _ in 0..<(2 + random.below(5)) {
            let offset = random.below(256) * 8
            switch random.below(6) {
            case 0, 1: words.append(Encode.load(profile.wordSize, register(not: base), base, offset))
            case 2, 3, 4: words.append(Encode.fld(random.below(32), base, offset))
            default: words.append(Encode.i(0x07, 2, random.below(32), base, offset))
            }
        }
        return Item(words)
    }

    // MARK: Control

    private mutating func jump(at index: Int) -> Item {
        if random.chance(25) {
            let function = random.below(functionLinks.count)
            return Item([.jump(Encode.jal(functionLinks[function]), .function(function))])
        }
        let row = random.pick(classes[.jump])
        let name = InstructionTable.name(row)
        let target = Piece.Target.item(index + 1 + random.below(8))
        let near = Piece.Target.item(index + 1 + random.below(3))
        switch name {
        case "c_j": return Item([.shortJump(0xa001, near)])
        case "c_jal": return Item([.shortJump(0x2001, near)])
        case "c_beqz", "c_bnez":
            let half = (name == "c_beqz" ? 0xc001 : 0xe001) | UInt16(random.below(8)) << 7
            return Item([.shortBranch(half, near)])
        case "c_jr", "c_jalr":
            let base = register()
            let half = (name == "c_jr" ? 0x8002 : 0x9002) | UInt16(base) << 7
            return Item([
                .word(Encode.auipc(base)), .low(Encode.addi(base, base, 0), target, back: 1, extra: 0), .half(half),
            ])
        case "jal":
            return Item([.jump(Encode.jal(random.chance(50) ? 0 : register()), target)])
        case "jalr": return indirect(target, .item(index + 1 + random.below(8)))
        default:
            // Any registers; the distance is the assembler's.
            var made = rows.instruction(row, word: rows.match(row))
            for operand in rows.operands(row) where operand.kind == "x" { set(operand, random.below(32), in: &made) }
            return Item([.branch(UInt32(truncatingIfNeeded: made.word), target)])
        }
    }

    /// `jalr` to one of two places, which a comparison chooses; the lowest bit of the address is to be ignored.
    private mutating func indirect(_ first: Piece.Target, _ second: Piece.Target) -> Item {
        let base = register()
        let choice = register(not: base)
        let link = random.chance(40) ? 0 : random.chance(50) ? random.pick([1, 5]) : register()
        return Item([
            .word(Encode.slt(choice, random.below(32), random.below(32))), .word(Encode.slli(choice, choice, 3)),
            .word(Encode.auipc(base)), .word(Encode.add(base, base, choice)),
            .word(Encode.jalr(link, base, 12 + random.below(2))),
            .jump(Encode.jal(0), first), .word(Encode.nop), .jump(Encode.jal(0), second),
        ])
    }

    // MARK: CSRs

    /// Something with fflags, frm or fcsr, and then, nearly always, a valid rounding mode.
    private mutating func csr() -> Item {
        let row = random.pick(classes[.system])
        let isUnknown = !isHot && random.chance(3)
        var made = instruction(row)
        for operand in rows.operands(row) where operand.kind == "csr" {
            set(operand, isUnknown ? 0x800 : 1 + random.below(3), in: &made)
        }
        var pieces = [piece(made)]
        if isHot || random.chance(90) {
            let rd = random.chance(50) ? 0 : register()
            pieces.append(.word(Encode.csrrwi(rd, 2, random.below(5))))
        }
        return Item(pieces)
    }

    // MARK: Hash

    /// Folds some registers into the collector.
    private mutating func collect() -> Item {
        var words: [UInt32] = []
        for _ in 0..<8 {
            words += [Encode.rori(collector, collector, 7), Encode.add(collector, collector, 1 + random.below(31))]
        }
        let temporary = register()
        for _ in 0..<6 {
            let float = random.below(32)
            words += [
                profile.wordSize == .bits32
                    ? Encode.moveSingle(toInteger: temporary, float) : Encode.moveDouble(toInteger: temporary, float),
                Encode.rori(collector, collector, 9),
                Encode.add(collector, collector, temporary),
            ]
        }
        return Item(words)
    }
}
