// Random regions do the same before and after: run by the interpreter, they leave equal globals, CPU state, guest
// memory, flags and exits, also where a guest access faults in the middle.

import CodeGen
import CodeGenInterpreter
import Glibc
import IR
import TestSupport
import Testing

@testable import Optimizer

/// A vCPU that runs regions from given states.
final class Runner {
    static let stateSize = 256
    static let memorySize = 96
    /// The first page is not there.
    static let access = GuestAccess(
        load: { $0 < 4096 ? 11 : GuestAccess.direct.load($0, $1, $2) },
        store: { $0 < 4096 ? 11 : GuestAccess.direct.store($0, $1, $2) },
        compareExchange: { $0 < 4096 ? 11 : GuestAccess.direct.compareExchange($0, $1, $2, $3, $4) },
        compareExchangePair: { $0 < 4096 ? 11 : GuestAccess.direct.compareExchangePair($0, $1) })
    let memory = UnsafeMutableRawPointer.allocate(byteCount: VCPUHeader.stride + stateSize, alignment: 64)
    /// Guest memory: addresses are host addresses.
    /// They have 32 bits.
    let guest = mmap(
        nil, memorySize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_32BIT), -1, 0)!
    let code: CodeBuffer
    let cache: UnsafeMutablePointer<JumpCacheEntry>
    let host: InterpreterHost
    var state: UnsafeMutableRawPointer { memory + VCPUHeader.stride }

    init(access: GuestAccess = Runner.access) {
        host = InterpreterHost(access: access)
        let size = 4 << 20
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        code = CodeBuffer(writable: bytes, executable: UnsafeRawPointer(bytes), size: size)
        cache = .allocate(capacity: JumpCache.bothCount)
        cache.initialize(repeating: JumpCacheEntry(pc: JumpCache.noPC, code: 0), count: JumpCache.bothCount)
        host.configure(
            HostConfiguration(helpers: caseHelpers, globals: caseGlobals, pcOffset: 96, stateSize: Self.stateSize),
            code: code)
    }

    deinit {
        memory.deallocate()
        munmap(guest, Self.memorySize)
        code.writable.deallocate()
        cache.deallocate()
    }

    struct Outcome: Equatable {
        var exit: UInt64
        var exitPC: UInt64
        var flags: UInt32
        var state: [UInt8]
        var guest: [UInt8]
    }

    func run(_ region: Region, seed: UInt64) throws -> Outcome {
        var random = TestRandom(seed)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: VCPUHeader.stride + Self.stateSize)
        let header = VCPUHeader.of(state)
        header.initialize(to: VCPUHeader(jumpCache: cache, returnStack: cache))
        header.pointee.delta = 0x7f_a5c3_0000
        for i in 0..<6 { state.storeBytes(of: random.interesting(), toByteOffset: 8 * i, as: UInt64.self) }
        state.storeBytes(of: random.interesting(), toByteOffset: 48, as: UInt64.self)
        for i in 0..<4 { state.storeBytes(of: random.floatBits(), toByteOffset: 56 + 8 * i, as: UInt64.self) }
        for i in 0..<4 { state.storeBytes(of: random.next(), toByteOffset: 128 + 8 * i, as: UInt64.self) }
        // a5 is a guest address, sometimes a bad one.
        let address = random.below(8) == 0 ? 0 : UInt64(UInt(bitPattern: guest))
        state.storeBytes(of: address, toByteOffset: 40, as: UInt64.self)
        for i in 0..<Self.memorySize {
            guest.storeBytes(of: UInt8(truncatingIfNeeded: random.next()), toByteOffset: i, as: UInt8.self)
        }
        code.used = 0
        let compiled = try #require(host.compile(region, translation: 1))
        let exit = host.enter(state, compiled.entry)
        return Outcome(
            exit: exit.raw, exitPC: exit.reason == ExitReason.fault ? header.pointee.exitPC : 0,
            flags: header.pointee.fpFlags,
            state: [UInt8](UnsafeRawBufferPointer(start: state, count: Self.stateSize)),
            guest: [UInt8](UnsafeRawBufferPointer(start: guest, count: Self.memorySize)))
    }
}

struct TestRandom {
    private var s: UInt64
    init(_ seed: UInt64) { s = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9abc_def1 }
    mutating func next() -> UInt64 {
        s ^= s << 13
        s ^= s >> 7
        s ^= s << 17
        return s
    }
    mutating func below(_ n: Int) -> Int { Int(next() >> 11) % n }
    mutating func interesting() -> UInt64 {
        switch below(6) {
        case 0: UInt64(below(4))
        case 1: UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: next())))
        case 2: next() & 0xffff_ffff
        case 3: 1 << UInt64(below(64))
        case 4: UInt64(bitPattern: -Int64(below(100)))
        default: next()
        }
    }
    mutating func floatBits() -> UInt64 {
        switch below(4) {
        case 0: 0xffff_ffff_0000_0000 | UInt64(Float(below(100)).bitPattern)
        case 1: Double(below(1000)).bitPattern
        case 2: 0xffff_ffff_7fc0_0000
        default: next()
        }
    }
    mutating func pick<T>(_ items: [T]) -> T { items[below(items.count)] }
}

/// Builds regions: idioms that rules look for, in blocks with branches, loops of a few turns and exits in the middle.
struct RegionGenerator {
    var random: TestRandom
    var ir: IRBuilder
    let hasLoops: Bool
    /// Values assigned on every path to here.
    var integers: [Temp] = []
    var words: [Temp] = []
    var doubles: [Temp] = []
    var singles: [Temp] = []
    var locals: [Temp] = []
    var pc: UInt64 = 0x1000
    /// How many of four ops are accesses, before any other is chosen.
    var accessShare = 0

    init(_ region: Region, seed: UInt64, hasLoops: Bool) {
        random = TestRandom(seed)
        ir = IRBuilder(region: region)
        self.hasLoops = hasLoops
    }

    static let a = (0..<5).map { Temp($0) }
    static let base = Temp(5)
    static let w = [Temp(6), Temp(7)]
    static let f = (8..<12).map { Temp($0) }

    mutating func constant(_ type: ValueType = .i64) -> Temp {
        let value: Int64 =
            switch random.below(8) {
            case 0: 0
            case 1: 1
            case 2: -1
            case 3: Int64(1) << Int64(random.below(63))
            case 4: (Int64(1) << Int64(random.below(63))) - 1
            case 5: Int64(random.below(64))
            default: Int64(bitPattern: random.interesting())
            }
        return ir.const(value, type)
    }
    mutating func x() -> Temp {
        random.below(4) == 0 ? constant() : random.pick(random.below(2) == 0 ? Self.a : integers)
    }
    mutating func w() -> Temp { random.below(4) == 0 ? constant(.i32) : random.pick(words) }
    mutating func amount() -> Temp { random.below(3) == 0 ? x() : ir.const(Int64(random.below(64))) }
    mutating func target() -> Temp? {
        random.below(2) == 0 ? random.pick(Self.a) : random.below(6) == 0 && !locals.isEmpty ? random.pick(locals) : nil
    }
    mutating func keep(_ t: Temp) { if t.i >= 12 && !locals.contains(t) { integers.append(t) } }
    mutating func keepWord(_ t: Temp) { if t.i >= 12 { words.append(t) } }

    mutating func binary() {
        let logic: [Opcode] = [
            .and, .or, .xor, .andc, .orc, .eqv, .add, .add, .sub, .mul, .mulhu, .mulhs, .rotl, .rotr, .clmul,
        ]
        keep(ir.binary(random.pick(logic), x(), x(), into: target()))
    }
    mutating func shift() { keep(ir.binary(random.pick([.shl, .shr, .sar]), x(), amount(), into: target())) }
    mutating func shiftPair() {
        let t = ir.shl(x(), ir.const(Int64(random.below(64))))
        keep(ir.binary(random.pick([.shr, .sar]), t, ir.const(Int64(random.below(64))), into: target()))
    }
    mutating func field() {
        let position = random.below(64)
        let length = random.below(3) == 0 && position <= 32 ? 32 : 1 + random.below(64 - position)
        let p = random.below(2) == 0 && position + length <= 64 ? 0 : position
        keep(
            random.below(2) == 0
                ? ir.extract(x(), p, length, into: target()) : ir.sextract(x(), p, length, into: target()))
    }
    mutating func word() {
        let opcodes: [Opcode] = [.add, .sub, .mul, .and, .or, .xor, .shl, .shr, .sar, .rotl, .mulhu, .mulhs]
        keepWord(ir.binary(random.pick(opcodes), w(), w(), into: random.below(3) == 0 ? random.pick(Self.w) : nil))
    }
    mutating func width() {
        switch random.below(4) {
        case 0: keepWord(ir.trunc(x(), into: random.below(4) == 0 ? random.pick(Self.w) : nil))
        case 1: keep(ir.sext(w(), into: target()))
        case 2: keep(ir.zext(w(), into: target()))
        default: keep(ir.sextract(ir.add(x(), constant()), 0, 32, into: target()))
        }
    }
    mutating func unary() {
        keep(ir.unary(random.pick([.not, .neg, .clz, .ctz, .popcnt, .bswap]), x(), into: target()))
    }
    mutating func compare() {
        let condition = random.pick(Condition.allCases)
        switch random.below(5) {
        case 0: keep(ir.setcond(condition, x(), x(), into: target()))
        case 1: keep(ir.select(condition, x(), x(), x(), x(), into: target()))
        case 2: keep(ir.setcond(random.pick([.eq, .ne]), ir.setcond(condition, x(), x()), ir.const(0), into: target()))
        case 3:
            keep(
                ir.select(
                    condition, w(), w(), ir.const(Int64(random.below(2))), ir.const(Int64(random.below(2))),
                    into: target()))
        default: keepWord(ir.setcond(condition, w(), w(), result: .i32))
        }
    }
    /// What a guest does to registers that hold words.
    mutating func extend() {
        let x = random.pick(Self.a)
        keep(random.below(2) == 0 ? ir.sextract(x, 0, 32, into: target()) : ir.extract(x, 0, 32, into: target()))
    }
    mutating func divide() {
        // Neither by zero nor overflowing.
        let n = ir.shr(x(), ir.const(1))
        let d =
            random.below(2) == 0 ? ir.const(Int64(1 + random.below(40))) : ir.or(ir.shr(x(), ir.const(1)), ir.const(1))
        keep(ir.binary(random.pick([.divu, .remu, .divs, .rems]), n, d, into: target()))
    }
    mutating func float() {
        switch random.below(9) {
        case 0: singles.append(ir.unboxf(random.pick(Self.f), .binary32))
        case 1: ir.boxf(random.pick(singles), .binary32, into: random.pick(Self.f))
        case 2, 3:
            singles.append(
                ir.fbinary(random.pick([.fadd, .fsub, .fmul, .fmin]), random.pick(singles), random.pick(singles)))
        case 4:
            ir.fbinary(
                random.pick([.fadd, .fmul, .fdiv]), random.pick(Self.f), random.pick(Self.f), into: random.pick(Self.f))
        case 5: keep(ir.bitcast(random.pick(Self.f), to: .i64, into: target()))
        case 6: ir.bitcast(x(), to: .f64, into: random.pick(Self.f))
        case 7:
            switch random.below(3) {
            case 0: ir.fpSetFlags(x())
            case 1: keep(ir.delta(into: target()))
            default: keep(ir.fpGetFlags(into: target()))
            }
        default:
            let s = random.pick(singles)
            ir.boxf(ir.fbinary(.fmul, s, s), .binary32, into: random.pick(Self.f))
            singles.append(ir.unboxf(random.pick(Self.f), .binary32))
        }
    }
    mutating func memory() {
        let kinds: [MemOp] = [.u8, .s8, .u16, .s16, .u32, .s32, .u64]
        let m = random.pick(kinds)
        let at = Int64(random.below(48))
        var address = Self.base
        if random.below(3) == 0 { address = ir.trunc(address) }
        let type: ValueType = ir.region.type(address)
        if random.below(2) == 0 { address = ir.add(address, ir.const(Int64(random.below(8)), type)) }
        switch random.below(7) {
        case 0, 1: keep(ir.gld(address, at, m, into: target()))
        case 2: ir.gst(x(), address, at, m)
        // Mostly one place in the CPU state, so that loads and stores meet.
        case 3, 4: keep(ir.ld(128, random.below(3) == 0 ? m : .u64, into: target()))
        default: ir.st(x(), 128 + 4 * random.below(3), m)
        }
    }
    /// A word put together from bytes, which are loaded in any order.
    mutating func bytesOfWord() {
        let at = Int64(random.below(48))
        let first = random.below(4)
        for k in 0..<4 {
            let i = (first + k) % 4
            ir.insnStart(pc)
            pc += 4
            ir.gld(Self.base, at + Int64(i), .u8, into: Self.a[i])
        }
        for i in 1..<4 {
            ir.shl(Self.a[i], ir.const(Int64(8 * i)), into: Self.a[i])
            ir.or(Self.a[0], Self.a[i], into: Self.a[0])
        }
    }
    mutating func call() {
        let kind = random.below(3)
        keep(
            kind == 0
                ? ir.call(HelperID(0), caseHelpers[0], x(), x(), into: target())
                : ir.call(HelperID(kind), caseHelpers[kind], x(), into: target()))
    }

    mutating func op() {
        if random.below(4) == 0 {
            ir.insnStart(pc)
            pc += 4
        }
        if accessShare > 0, random.below(4) < accessShare { return memory() }
        switch random.below(24) {
        case 0...3: binary()
        case 4, 5: shift()
        case 6: shiftPair()
        case 7, 8: field()
        case 9, 10: word()
        case 11, 12: width()
        case 13: unary()
        case 14, 15: compare()
        case 16: random.below(2) == 0 ? divide() : extend()
        case 17, 18: float()
        case 19, 20: memory()
        case 21: random.below(3) == 0 ? call() : unary()
        case 22: random.below(3) == 0 ? bytesOfWord() : ir.mov(random.pick(Self.a), x())
        default: if let local = locals.last { ir.mov(random.below(2) == 0 ? local : random.pick(locals), x()) }
        }
    }

    mutating func generate(blocks: Int, ops: Int) {
        var ids: [BlockID] = []
        for i in 0..<blocks {
            ids.append(ir.newBlock(guestPC: UInt64(0x1000 + 64 * i), isCold: i > 0 && random.below(8) == 0))
        }
        let counter = ir.local(.i64)
        ir.begin(ids[0])
        if random.below(2) == 0 { ir.checkExit(0x1000) }
        ir.insnStart(0x1000)
        ir.mov(counter, ir.const(0))
        integers = [ir.add(Self.a[0], ir.const(3))]
        words = Self.w
        singles = [ir.unboxf(Self.f[0], .binary32)]
        for _ in 0..<2 {
            let local = ir.local(.i64)
            ir.mov(local, x())
            locals.append(local)
            integers.append(local)
        }
        for i in 0..<blocks {
            if i > 0 { ir.begin(ids[i]) }
            let marks = (integers.count, words.count, singles.count)
            for _ in 0..<(1 + random.below(ops)) { op() }
            end(i, ids, counter)
            // What the entry assigned, all others may use.
            if i == 0 { continue }
            integers.removeLast(integers.count - marks.0)
            words.removeLast(words.count - marks.1)
            singles.removeLast(singles.count - marks.2)
        }
    }

    mutating func end(_ i: Int, _ ids: [BlockID], _ counter: Temp) {
        let isLast = i == ids.count - 1
        let forward = isLast ? nil : ids[i + 1 + random.below(ids.count - i - 1)]
        switch random.below(isLast ? 3 : 10) {
        case 0: ir.exitTB(16 + random.below(4))
        case 1: ir.gotoTB(0x8000 + UInt64(i))
        case 2: ir.lookupAndGoto(ir.and(x(), ir.const(-2)), .indirect)
        case 3 where hasLoops && i > 0, 4 where hasLoops && i > 0:
            // Back at most five times in all.
            let back = ids[1 + random.below(i)]
            let latch = ir.newBlock()
            ir.add(counter, ir.const(1), into: counter)
            ir.brcond(.ltu, counter, ir.const(5), latch, forward!)
            ir.begin(latch)
            ir.checkExit(0x1000)
            ir.region.blocks[back.i].isLoopHeader = true
            ir.br(back)
        case 5: ir.br(forward!)
        case 6:
            ir.brcond(
                random.pick([.ne, .eq]), ir.setcond(random.pick(Condition.allCases), x(), x()), ir.const(0), ids[i + 1],
                forward!)
        default: ir.brcond(random.pick(Condition.allCases), x(), x(), ids[i + 1], forward!)
        }
    }
}

func copy(_ region: Region, _ other: Region) {
    other.reset(pc: 0x1000)
    let (s, t) = (region.s.pointee, other.s)
    t.pointee.ops.update(from: s.ops, count: s.opCount)
    t.pointee.temps.update(from: s.temps, count: s.tempCount)
    t.pointee.blocks.update(from: s.blocks, count: s.blockCount)
    t.pointee.opCount = s.opCount
    t.pointee.tempCount = s.tempCount
    t.pointee.blockCount = s.blockCount
    t.pointee.slotCount = s.slotCount
}

private func compare(
    count: Int, level: OptimizationLevel, _ memoryModel: MemoryModel, blocks: Int, ops: Int, hasLoops: Bool,
    disabled: Set<String> = []
) throws {
    let runner = Runner()
    let region = Region.allocate(globals: caseGlobals)
    let optimized = Region.allocate(globals: caseGlobals)
    defer {
        region.deallocate()
        optimized.deallocate()
    }
    let storage = OptimizerStorage(
        region: region, globals: caseGlobals, helpers: caseHelpers, disabled: disabled, sharesGuestLoads: true,
        memoryModel: memoryModel, verifies: true)
    var before = 0
    var after = 0
    for round in 0..<Rounds.count(count) {
        let seed = Seed.current &+ UInt64(round)
        region.reset(pc: 0x1000)
        var generator = RegionGenerator(region, seed: seed, hasLoops: hasLoops)
        generator.generate(blocks: blocks, ops: ops)
        try #require(region.verify(globals: caseGlobals, helpers: caseHelpers) == [], "round \(round)")
        copy(region, optimized)
        if let failure = Optimizer.run(optimized, storage, level: level) {
            Issue.record(
                """
                round \(round): pass \(failure.pass): \(failure.problems)
                \(region.print(globals: caseGlobals, helpers: caseHelpers))
                \(optimized.print(globals: caseGlobals, helpers: caseHelpers))
                """)
            return
        }
        before += region.opCount
        after += optimized.opCount
        for k in 0..<4 {
            let expected = try runner.run(region, seed: seed &* 7 &+ UInt64(k))
            let found = try runner.run(optimized, seed: seed &* 7 &+ UInt64(k))
            if expected != found {
                Issue.record(
                    """
                    round \(round), state \(k)
                    \(region.print(globals: caseGlobals, helpers: caseHelpers))
                    \(optimized.print(globals: caseGlobals, helpers: caseHelpers))
                    exits \(expected.exit) \(found.exit), pc \(expected.exitPC) \(found.exitPC)
                    flags \(expected.flags) \(found.flags)
                    state bytes \((0..<Runner.stateSize).filter { expected.state[$0] != found.state[$0] })
                    """)
                return
            }
        }
    }
    #expect(after < before)
}

@Suite struct RandomRegionTests {
    @Test(.seeded(1)) func straightCodeDoesTheSameAtBaseline() throws {
        try compare(count: 600, level: .baseline, .weak, blocks: 1, ops: 40, hasLoops: false)
    }
    @Test(.seeded(1000)) func branchesDoTheSameAtBaseline() throws {
        try compare(count: 500, level: .baseline, .weak, blocks: 6, ops: 10, hasLoops: false)
    }
    @Test(.seeded(2000)) func loopsDoTheSameAtBaseline() throws {
        try compare(count: 400, level: .baseline, .weak, blocks: 6, ops: 10, hasLoops: true)
    }
    @Test(.seeded(3000), arguments: MemoryModel.allCases) func loopsDoTheSameAtFullLevel(_ model: MemoryModel) throws {
        try compare(count: 600, level: .full, model, blocks: 7, ops: 12, hasLoops: true)
    }
    @Test(.seeded(4000), arguments: Pass.allCases, MemoryModel.allCases)
    func eachPassCanBeLeftOut(_ pass: Pass, _ model: MemoryModel) throws {
        try compare(count: 60, level: .full, model, blocks: 5, ops: 12, hasLoops: true, disabled: [pass.rawValue])
    }
}
