// Random regions: straight-line code and control flow with loops, globals and temps in registers and at home, more live values
// than registers, guest memory, atomics, helper calls in the middle; every op the hosts know.

import CodeGen
import IR

struct RegionGenerator {
    var random: TestRandom
    var floats = true
    var opsPerBlock = 12
    var blocks = 4
    var checksExit = true
    private var builder: IRBuilder
    private let machine: TestMachine
    /// Values assigned on every path to here.
    private var integers: [Temp] = []
    private var words: [Temp] = []
    private var doubles: [Temp] = []
    private var singles: [Temp] = []
    private var locals: [Temp] = []
    private(set) var opCount = 0
    /// By block: may be branched back to.
    private var headers: [Bool] = []

    init(_ machine: TestMachine, seed: UInt64) {
        self.machine = machine
        random = TestRandom(seed)
        builder = IRBuilder(region: machine.region)
    }

    /// Fills the machine's region.
    mutating func generate() {
        machine.region.reset(pc: 0x1000)
        builder = IRBuilder(region: machine.region)
        integers = (0..<TestMachine.integerGlobals).map { TestMachine.x($0) }
        doubles = (0..<TestMachine.floatGlobals).map { TestMachine.f($0) }
        words = (0..<TestMachine.wordGlobals).map { TestMachine.w($0) }
        singles = []
        locals = []
        // Loop counters are locals that nothing else assigns.
        var ids: [BlockID] = []
        headers = (0..<blocks).map { i in i > 0 && random.chance(30) }
        for i in 0..<blocks {
            ids.append(builder.newBlock(guestPC: 0x1000 &+ UInt64(4 * i), isCold: i > 0 && random.chance(15)))
        }
        for i in 0..<blocks { machine.region.blocks[ids[i].i].isLoopHeader = headers[i] }
        let counter = builder.local(.i64)
        builder.begin(ids[0])
        builder.mov(counter, builder.const(Int64(random.below(4))))
        for _ in 0..<random.below(4) {
            let local = builder.local(.i64)
            builder.mov(local, integer())
            locals.append(local)
            integers.append(local)
        }
        words.append(builder.trunc(integer()))
        if floats { singles.append(builder.unboxf(double(), .binary32)) }
        for i in 0..<blocks {
            if i > 0 { builder.begin(ids[i]) }
            let marks = (integers.count, words.count, doubles.count, singles.count)
            if checksExit, machine.region.blocks[ids[i].i].isLoopHeader || random.chance(30) {
                builder.checkExit(0x1000 &+ UInt64(64 * i))
            }
            builder.insnStart(0x1000 &+ UInt64(64 * i))
            for k in 1..<(2 + random.below(opsPerBlock)) {
                if random.chance(30) { builder.insnStart(0x1000 &+ UInt64(64 * i + 2 * k)) }
                op()
            }
            terminate(i, ids, counter)
            // What the entry block assigned, all others may use.
            if i > 0 {
                integers.removeLast(integers.count - marks.0)
                words.removeLast(words.count - marks.1)
                doubles.removeLast(doubles.count - marks.2)
                singles.removeLast(singles.count - marks.3)
            }
        }
        opCount = machine.region.opCount
    }

    // MARK: Operands

    private mutating func integer() -> Temp {
        random.chance(15) ? builder.const(Int64(bitPattern: random.integer())) : random.pick(integers)
    }
    private mutating func word() -> Temp {
        random.chance(15) ? builder.const(Int64(bitPattern: random.integer()), .i32) : random.pick(words)
    }
    private mutating func double() -> Temp { random.pick(doubles) }
    private mutating func single() -> Temp { random.pick(singles) }

    /// Where an i64 result goes: nil is a new temp.
    private mutating func integerTarget() -> Temp? {
        if random.chance(50) { return TestMachine.x(random.below(TestMachine.integerGlobals)) }
        if !locals.isEmpty, random.chance(20) { return random.pick(locals) }
        return nil
    }
    /// The same for an i32 result.
    private mutating func wordTarget() -> Temp? {
        random.chance(50) ? TestMachine.w(random.below(TestMachine.wordGlobals)) : nil
    }
    private mutating func doubleTarget() -> Temp? {
        random.chance(60) ? TestMachine.f(random.below(TestMachine.floatGlobals)) : nil
    }
    private mutating func keep(_ t: Temp) {
        switch machine.region.type(t) {
        case .i64: if !integers.contains(t) { integers.append(t) }
        case .i32: if !words.contains(t) { words.append(t) }
        case .f64: if !doubles.contains(t) { doubles.append(t) }
        default: singles.append(t)
        }
    }

    // MARK: Ops

    private static let binaries: [Opcode] = [
        .and, .or, .xor, .andc, .orc, .eqv, .shl, .shr, .sar, .rotl, .rotr, .add, .sub, .mul, .mulhu, .mulhs, .clmul,
        .add, .sub,
    ]
    private static let unaries: [Opcode] = [.not, .neg, .clz, .ctz, .popcnt, .bswap]

    private mutating func op() {
        let choice = random.below(floats ? 34 : 18)
        let isWide = random.chance(70)
        switch choice {
        case 0...5:
            let k = random.pick(Self.binaries)
            keep(
                isWide
                    ? builder.binary(k, integer(), integer(), into: integerTarget())
                    : builder.binary(k, word(), word(), into: wordTarget())
            )
        case 6:
            let k = random.pick(Self.unaries)
            keep(
                isWide
                    ? builder.unary(k, integer(), into: integerTarget()) : builder.unary(k, word(), into: wordTarget()))
        case 7: divide(isWide)
        case 8:
            let width = isWide ? 64 : 32
            let position = random.below(width)
            let length = 1 + random.below(width - position)
            let from = isWide ? integer() : word()
            let into = isWide ? integerTarget() : wordTarget()
            switch random.below(3) {
            case 0: keep(builder.extract(from, position, length, into: into))
            case 1: keep(builder.sextract(from, position, length, into: into))
            default: keep(builder.deposit(from, isWide ? integer() : word(), position, length, into: into))
            }
        case 9:
            let condition = random.pick(Condition.allCases)
            keep(
                isWide
                    ? builder.setcond(condition, integer(), integer(), into: integerTarget())
                    : random.chance(50)
                        ? builder.setcond(condition, word(), word())
                        : builder.setcond(condition, word(), word(), result: .i32, into: wordTarget()))
        case 10:
            let condition = random.pick(Condition.allCases)
            let (a, b) = random.chance(70) ? (integer(), integer()) : (word(), word())
            switch random.below(floats ? 4 : 2) {
            case 0: keep(builder.select(condition, a, b, integer(), integer(), into: integerTarget()))
            case 1: keep(builder.select(condition, a, b, word(), word(), into: wordTarget()))
            case 2: keep(builder.select(condition, a, b, double(), double(), into: doubleTarget()))
            default: keep(builder.select(condition, a, b, single(), single()))
            }
        case 11:
            switch random.below(3) {
            case 0: keep(builder.trunc(integer(), into: wordTarget()))
            case 1: keep(builder.zext(word(), into: integerTarget()))
            default: keep(builder.sext(word(), into: integerTarget()))
            }
        case 12: mov()
        case 13: call()
        case 14: stateAccess()
        case 15, 16: guestAccess()
        case 17: atomic()
        default: float()
        }
    }

    private mutating func mov() {
        if floats, random.chance(30) {
            builder.mov(TestMachine.f(random.below(TestMachine.floatGlobals)), double())
        } else if random.chance(30) {
            builder.mov(TestMachine.w(random.below(TestMachine.wordGlobals)), word())
        } else if let target = integerTarget() {
            builder.mov(target, integer())
        }
    }

    /// Divisors are not zero, and signed dividends not negative.
    private mutating func divide(_ isWide: Bool) {
        let type: ValueType = isWide ? .i64 : .i32
        let a = isWide ? integer() : word()
        let b = builder.or(isWide ? integer() : word(), builder.const(1, type))
        let into = isWide ? integerTarget() : wordTarget()
        switch random.below(4) {
        case 0: keep(builder.binary(.divu, a, b, into: into))
        case 1: keep(builder.binary(.remu, a, b, into: into))
        case 2: keep(builder.binary(.divs, builder.shr(a, builder.const(1, type)), b, into: into))
        default: keep(builder.binary(.rems, builder.shr(a, builder.const(1, type)), b, into: into))
        }
    }

    private mutating func call() {
        let helpers = TestMachine.helpers
        switch random.below(4) {
        case 0, 1:
            keep(
                builder.call(HelperID(0), helpers[0], integer(), integer(), integer(), integer(), into: integerTarget())
            )
        case 2: keep(builder.call(HelperID(1), helpers[1], integer(), integer(), into: integerTarget()))
        default: keep(builder.call(HelperID(2), helpers[2], integer(), into: integerTarget()))
        }
    }

    private mutating func memOp(_ limit: UInt8) -> MemOp {
        MemOp(log2Size: UInt8(random.below(Int(limit) + 1)), signed: random.chance(40), bigEndian: random.chance(15))
    }

    private mutating func stateAccess() {
        let isWide = random.chance(70)
        let op = memOp(isWide ? 3 : 2)
        let offset = TestMachine.freeOffset + 8 * random.below(16)
        if random.chance(50) {
            keep(builder.ld(offset, op, isWide ? .i64 : .i32, into: isWide ? integerTarget() : wordTarget()))
        } else {
            builder.st(isWide ? integer() : word(), offset, op)
        }
    }

    /// An address in the machine's memory, a multiple of 8, and a displacement.
    private mutating func address() -> (Temp, Int64) {
        let base = Int64(Int(bitPattern: machine.memory))
        let displacement: Int64 = random.chance(50) ? 0 : Int64(8 * random.below(16))
        if random.chance(25) { return narrowAddress(base) }
        switch random.below(4) {
        case 0: return (builder.const(base + Int64(8 * random.below(1000))), displacement)
        case 1:
            let index = builder.and(integer(), builder.const(0x1ff8 &- 0x800))
            return (index, base + displacement)
        default:
            let index = builder.and(integer(), builder.const(0x1ff8 &- 0x800))
            return (builder.add(index, builder.const(base)), displacement)
        }
    }

    /// An address of 32 bits; the displacement may lead around 4 GiB.
    private mutating func narrowAddress(_ base: Int64) -> (Temp, Int64) {
        let displacement =
            random.chance(50) ? Int64(8 * random.below(16)) : Int64(Int32(truncatingIfNeeded: random.next())) & ~7
        if random.chance(20) {
            return (builder.const(base + Int64(8 * random.below(900)) &- displacement, .i32), displacement)
        }
        let index = builder.and(word(), builder.const(0x1ff8 &- 0x800, .i32))
        return (builder.add(index, builder.const(base &- displacement, .i32)), displacement)
    }

    private mutating func guestAccess() {
        let (a, displacement) = address()
        let unaligned: Int64 = random.chance(20) ? Int64(random.below(8)) : 0
        if floats, random.chance(30) {
            let isReversed = random.chance(15)
            if random.chance(50) {
                let op = MemOp(log2Size: 3, bigEndian: isReversed)
                if random.chance(50) {
                    keep(builder.gld(a, displacement, op, .f64, into: doubleTarget()))
                } else {
                    builder.gst(double(), a, displacement, op)
                }
            } else {
                let op = MemOp(log2Size: 2, bigEndian: isReversed)
                if random.chance(50) {
                    keep(builder.gld(a, displacement, op, .f32))
                } else {
                    builder.gst(single(), a, displacement, op)
                }
            }
            return
        }
        let isWide = random.chance(70)
        var op = memOp(isWide ? 3 : 2)
        if random.chance(20) {
            op = MemOp(log2Size: op.log2Size, signed: op.isSigned, bigEndian: op.isBigEndian, aligned: true)
        }
        if random.chance(50) {
            keep(
                builder.gld(
                    a, displacement + (op.isAligned ? 0 : unaligned), op, isWide ? .i64 : .i32,
                    into: isWide ? integerTarget() : wordTarget()))
        } else {
            builder.gst(isWide ? integer() : word(), a, displacement + (op.isAligned ? 0 : unaligned), op)
        }
    }

    private mutating func atomic() {
        var (a, displacement) = address()
        a = builder.add(a, builder.const(displacement, machine.region.type(a)))
        let isWide = random.chance(70)
        var op = memOp(isWide ? 3 : 2)
        if random.chance(50) {
            op = MemOp(log2Size: op.log2Size, signed: op.isSigned, bigEndian: op.isBigEndian, aligned: true)
        }
        let into = isWide ? integerTarget() : wordTarget()
        if random.chance(30) {
            var expected = isWide ? integer() : word()
            // Often what is there.
            if random.chance(70) { expected = builder.gld(a, 0, op, isWide ? .i64 : .i32) }
            keep(builder.gcas(a, expected: expected, new: isWide ? integer() : word(), op, into: into))
        } else {
            keep(builder.grmw(random.pick(AtomicOp.allCases), a, isWide ? integer() : word(), op, into: into))
        }
        if random.chance(10) { builder.fence(FenceOrder(rawValue: UInt8(random.below(16)))) }
    }

    // MARK: Floating point

    private mutating func rounding() -> Rounding {
        random.chance(75) ? .dynamic : random.pick([.nearestEven, .towardZero, .down, .up])
    }

    private mutating func float() {
        let isDouble = random.chance(60)
        let into = isDouble ? doubleTarget() : nil
        switch random.below(17) {
        case 0...3:
            let k = random.pick([.fadd, .fsub, .fmul, .fdiv] as [Opcode])
            keep(
                isDouble
                    ? builder.fbinary(k, double(), double(), rounding(), into: into)
                    : builder.fbinary(k, single(), single(), rounding()))
        case 4:
            let k = random.pick([.fsqrt, .fneg, .fabs] as [Opcode])
            let r = k == .fsqrt ? rounding() : .dynamic
            keep(isDouble ? builder.funary(k, double(), r, into: into) : builder.funary(k, single(), r))
        case 5, 6:
            let p = random.chance(50), q = random.chance(50), r = rounding()
            keep(
                isDouble
                    ? builder.fma(double(), double(), double(), negateProduct: p, negateAddend: q, r, into: into)
                    : builder.fma(single(), single(), single(), negateProduct: p, negateAddend: q, r))
        case 7:
            let k = random.pick([.fmin, .fmax, .fminimum, .fmaximum] as [Opcode])
            keep(isDouble ? builder.fbinary(k, double(), double(), into: into) : builder.fbinary(k, single(), single()))
        case 8:
            let k = random.pick(SignOp.allCases)
            keep(
                isDouble
                    ? builder.fcopysign(k, double(), double(), into: into) : builder.fcopysign(k, single(), single()))
        case 9:
            let k = random.pick(FloatCondition.allCases)
            keep(
                isDouble
                    ? builder.fsetcond(k, double(), double(), into: integerTarget())
                    : builder.fsetcond(k, single(), single()))
        case 10:
            let r = rounding(), exact = random.chance(50)
            keep(
                isDouble
                    ? builder.fround(double(), r, raisesInexact: exact, into: into)
                    : builder.fround(single(), r, raisesInexact: exact))
        case 11: convert()
        case 12:
            let to: ValueType = random.chance(60) ? .i64 : .i32
            let from = isDouble ? double() : single()
            keep(
                builder.ftoi(
                    from, to: to, unsigned: random.chance(50), rounding(),
                    into: to == .i64 ? integerTarget() : wordTarget()))
        case 13:
            let from = random.chance(60) ? integer() : word()
            keep(builder.itof(from, to: isDouble ? .f64 : .f32, unsigned: random.chance(50), rounding(), into: into))
        case 14:
            if random.chance(50) {
                keep(builder.boxf(single(), random.chance(70) ? .binary32 : .binary16, into: doubleTarget()))
            } else {
                keep(builder.unboxf(double(), .binary32))
            }
        case 15:
            switch random.below(4) {
            case 0: keep(builder.bitcast(integer(), to: .f64, into: doubleTarget()))
            case 1: keep(builder.bitcast(word(), to: .f32))
            case 2: keep(builder.bitcast(double(), to: .i64, into: integerTarget()))
            default: keep(builder.bitcast(single(), to: .i32, into: wordTarget()))
            }
        default:
            switch random.below(5) {
            case 0: builder.fpSetFlags(integer())
            case 2: keep(builder.delta(into: integerTarget()))
            case 1:
                builder.fpSetRounding(
                    random.chance(50) ? builder.and(integer(), builder.const(3)) : builder.const(Int64(random.below(4)))
                )
            default: keep(builder.fpGetFlags(into: integerTarget()))
            }
        }
    }

    /// The upper bits of a binary16's temp are unspecified: such values are used at once, as what they are.
    private mutating func convert() {
        let r = rounding()
        switch random.below(6) {
        case 0: keep(builder.fcvt(double(), from: .binary64, to: .binary32, r))
        case 1: keep(builder.fcvt(single(), from: .binary32, to: .binary64, r, into: doubleTarget()))
        case 2:
            keep(
                builder.boxf(builder.fcvt(double(), from: .binary64, to: .binary16, r), .binary16, into: doubleTarget())
            )
        case 3:
            keep(
                builder.boxf(builder.fcvt(single(), from: .binary32, to: .binary16, r), .binary16, into: doubleTarget())
            )
        case 4:
            keep(
                builder.fcvt(
                    builder.unboxf(double(), .binary16), from: .binary16, to: .binary64, r, into: doubleTarget()))
        default: keep(builder.fcvt(single(), from: .binary16, to: .binary32, r))
        }
    }

    // MARK: Ends of blocks

    private mutating func terminate(_ i: Int, _ ids: [BlockID], _ counter: Temp) {
        let isLast = i == blocks - 1
        // Back to any block but the first, a few times.
        let candidates = (0...i).filter { headers[$0] }
        if !candidates.isEmpty, random.chance(60) {
            let header = ids[random.pick(candidates)]
            let next = isLast ? builder.newBlock() : ids[i + 1]
            builder.sub(counter, builder.const(1), into: counter)
            builder.brcond(.gt, counter, builder.const(0), header, next)
            if isLast {
                builder.begin(next)
                leave()
            }
            return
        }
        if isLast || random.chance(10) { return leave() }
        let next = ids[i + 1]
        switch random.below(4) {
        case 0: builder.br(next)
        case 1:
            // A way out of its own.
            let out = builder.newBlock(isCold: random.chance(50))
            let condition = random.pick(Condition.allCases)
            builder.brcond(condition, integer(), integer(), random.chance(50) ? out : next, next)
            builder.begin(out)
            leave()
        default:
            let other = ids[i + 1 + random.below(blocks - i - 1)]
            let condition = random.pick(Condition.allCases)
            if random.chance(70) {
                builder.brcond(condition, integer(), integer(), other, next)
            } else {
                builder.brcond(condition, word(), word(), next, other)
            }
        }
    }

    private mutating func leave() {
        let pc = TestMachine.pcGlobal
        switch random.below(3) {
        case 0:
            if random.chance(50) { builder.pushReturn(0x4_0000_0000 &+ random.next() & 0xffff_fff0) }
            builder.gotoTB(0x2000 &+ UInt64(16 * random.below(100)))
        case 1:
            builder.mov(pc, builder.const(Int64(0x3000 + 4 * random.below(1000))))
            builder.exitTB(16 + random.below(20))
        default:
            let target = builder.and(integer(), builder.const(-2))
            builder.lookupAndGoto(target, random.pick([.indirect, .call, .return]))
        }
    }
}
