// A few RISC-V encodings (Unprivileged ISA, "RV32/64G Instruction Set Listings"), enough for small test programs in memory.

/// Instruction words by name. Registers are numbers.
enum RV {
    static func r(_ f7: UInt32, _ rs2: Int, _ rs1: Int, _ f3: UInt32, _ rd: Int, _ op: UInt32) -> UInt32 {
        f7 << 25 | UInt32(rs2) << 20 | UInt32(rs1) << 15 | f3 << 12 | UInt32(rd) << 7 | op
    }
    static func i(_ imm: Int, _ rs1: Int, _ f3: UInt32, _ rd: Int, _ op: UInt32) -> UInt32 {
        precondition(imm >= -2048 && imm < 2048)
        return UInt32(truncatingIfNeeded: imm & 0xfff) << 20 | UInt32(rs1) << 15 | f3 << 12 | UInt32(rd) << 7 | op
    }
    private static func s(_ imm: Int, _ rs2: Int, _ rs1: Int, _ f3: UInt32, _ op: UInt32) -> UInt32 {
        let u = UInt32(truncatingIfNeeded: imm & 0xfff)
        return (u >> 5) << 25 | UInt32(rs2) << 20 | UInt32(rs1) << 15 | f3 << 12 | (u & 31) << 7 | op
    }
    private static func b(_ offset: Int, _ rs2: Int, _ rs1: Int, _ f3: UInt32) -> UInt32 {
        precondition(offset >= -4096 && offset < 4096)
        let u = UInt32(truncatingIfNeeded: offset)
        return (u >> 12 & 1) << 31 | (u >> 5 & 63) << 25 | UInt32(rs2) << 20 | UInt32(rs1) << 15 | f3 << 12
            | (u >> 1 & 15) << 8 | (u >> 11 & 1) << 7 | 0x63
    }

    static func addi(_ rd: Int, _ rs1: Int, _ imm: Int) -> UInt32 { i(imm, rs1, 0, rd, 0x13) }
    static func add(_ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 { r(0, rs2, rs1, 0, rd, 0x33) }
    static func sub(_ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 { r(0x20, rs2, rs1, 0, rd, 0x33) }
    static func xor(_ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 { r(0, rs2, rs1, 4, rd, 0x33) }
    static func mul(_ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 { r(1, rs2, rs1, 0, rd, 0x33) }
    static func beq(_ rs1: Int, _ rs2: Int, _ offset: Int) -> UInt32 { b(offset, rs2, rs1, 0) }
    static func bne(_ rs1: Int, _ rs2: Int, _ offset: Int) -> UInt32 { b(offset, rs2, rs1, 1) }
    static func bltu(_ rs1: Int, _ rs2: Int, _ offset: Int) -> UInt32 { b(offset, rs2, rs1, 6) }
    static func jal(_ rd: Int, _ offset: Int) -> UInt32 {
        precondition(offset >= -(1 << 20) && offset < 1 << 20)
        let u = UInt32(truncatingIfNeeded: offset)
        return (u >> 20 & 1) << 31 | (u >> 1 & 0x3ff) << 21 | (u >> 11 & 1) << 20 | (u >> 12 & 0xff) << 12
            | UInt32(rd) << 7 | 0x6f
    }
    static func j(_ offset: Int) -> UInt32 { jal(0, offset) }
    /// The bytes of instructions in memory.
    static func bytes(_ words: [UInt32]) -> [UInt8] {
        words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    }
    static func jalr(_ rd: Int, _ rs1: Int, _ offset: Int = 0) -> UInt32 { i(offset, rs1, 0, rd, 0x67) }
    static let ret = jalr(0, 1)
    static func ld(_ rd: Int, _ rs1: Int, _ imm: Int = 0) -> UInt32 { i(imm, rs1, 3, rd, 0x03) }
    static func lw(_ rd: Int, _ rs1: Int, _ imm: Int = 0) -> UInt32 { i(imm, rs1, 2, rd, 0x03) }
    static func fld(_ rd: Int, _ rs1: Int, _ imm: Int = 0) -> UInt32 { i(imm, rs1, 3, rd, 0x07) }
    static func sd(_ rs2: Int, _ rs1: Int, _ imm: Int = 0) -> UInt32 { s(imm, rs2, rs1, 3, 0x23) }
    static func sw(_ rs2: Int, _ rs1: Int, _ imm: Int = 0) -> UInt32 { s(imm, rs2, rs1, 2, 0x23) }
    static func fsd(_ rs2: Int, _ rs1: Int, _ imm: Int = 0) -> UInt32 { s(imm, rs2, rs1, 3, 0x27) }
    static func faddD(_ rd: Int, _ rs1: Int, _ rs2: Int) -> UInt32 { r(1, rs2, rs1, 7, rd, 0x53) }
    static func lrD(_ rd: Int, _ rs1: Int) -> UInt32 { r(0x08, 0, rs1, 3, rd, 0x2f) }
    static func amoaddD(_ rd: Int, _ rs2: Int, _ rs1: Int) -> UInt32 { r(0, rs2, rs1, 3, rd, 0x2f) }
    static func amocasQ(_ rd: Int, _ rs2: Int, _ rs1: Int) -> UInt32 { r(0x14, rs2, rs1, 4, rd, 0x2f) }
    static let ecall: UInt32 = 0x0000_0073
    static let ebreak: UInt32 = 0x0010_0073
    static let fenceI: UInt32 = 0x0000_100f
    static let pause: UInt32 = 0x0100_000f
    static let illegal: UInt32 = 0x0000_0000
    /// custom-0: no meaning in RISC-V; `HelperGuest` gives it one.
    static func custom(_ n: Int) -> UInt32 { UInt32(n) << 20 | 0x0b }
}

/// Straight-line integer code over x5...x15, ended by an `ecall`, and what it computes.
struct StraightLine {
    private enum Kind: Int, CaseIterable { case add, sub, xor, mul, addi }
    private var steps: [(kind: Kind, rd: Int, rs1: Int, rs2: Int)] = []

    init(count: Int, seed: UInt64) {
        var random = TestRandom(state: seed)
        for _ in 0..<count {
            let kind = Kind.allCases[Int(random.next() % 5)]
            // Every result depends on all before: nothing is dead.
            let rd = random.register()
            var other = random.register()
            while other == rd { other = random.register() }
            steps.append((kind, rd, rd, other))
        }
    }

    var words: [UInt32] {
        steps.map { step in
            switch step.kind {
            case .add: RV.add(step.rd, step.rs1, step.rs2)
            case .sub: RV.sub(step.rd, step.rs1, step.rs2)
            case .xor: RV.xor(step.rd, step.rs1, step.rs2)
            case .mul: RV.mul(step.rd, step.rs1, step.rs2)
            case .addi: RV.addi(step.rd, step.rs1, step.rs2 * 7 - 50)
            }
        } + [RV.ecall]
    }

    /// Applies the code to x0...x31.
    func run(_ x: inout [UInt64]) {
        for step in steps {
            let a = x[step.rs1], b = x[step.rs2]
            x[step.rd] =
                switch step.kind {
                case .add: a &+ b
                case .sub: a &- b
                case .xor: a ^ b
                case .mul: a &* b
                case .addi: a &+ UInt64(bitPattern: Int64(step.rs2 * 7 - 50))
                }
        }
    }
}

/// Numbers that repeat from run to run (SplitMix64).
struct TestRandom: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z &>> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z &>> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z &>> 31
    }
    mutating func register() -> Int { 5 + Int(next() % 11) }
}
