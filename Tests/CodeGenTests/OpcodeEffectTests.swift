// The effects in the op table are what ops do: each opcode is run by the interpreter in several situations, and what it was seen to
// do must be what its row says, no less and, where a run can show it, no more. The x86-64 host must give the ops that may stop, and
// no others, a recovery record.

import CodeGen
import CodeGenInterpreter
import CodeGenX64
import HostOS
import IR
import TestSupport
import Testing

/// One op as text, with the globals of `Bench`; the result goes to a0, w0, f0 or s0. a3 is an address in guest memory.
private func sample(_ opcode: Opcode) -> String {
    let name = "\(opcode.row.name)"
    return switch opcode {
    case .mov: "a0 = mov.i64 a1"
    case .bitcast: "a0 = bitcast.i64 f1"
    case .and, .or, .xor, .andc, .orc, .eqv, .shl, .shr, .sar, .rotl, .rotr, .add, .sub, .mul, .mulhu, .mulhs, .divu,
        .divs, .remu, .rems, .clmul:
        "a0 = \(name).i64 a1, a2"
    case .not, .clz, .ctz, .popcnt, .bswap, .neg: "a0 = \(name).i64 a1"
    case .extract, .sextract: "a0 = \(name).i64 a1, 1, 20"
    case .deposit: "a0 = deposit.i64 a1, a2, 8, 16"
    case .setcond: "a0 = setcond.gtu.i64 a1, a2"
    case .select: "a0 = select.gtu.i64 a1, a2, a2, a1"
    case .trunc: "w0 = trunc a1"
    case .zext, .sext: "a0 = \(name) w1"
    case .br: "br block1"
    case .brcond: "brcond.gtu.i64 a1, a2, block1, block2"
    case .call: "a0 = call may_exit(w, a2)"
    case .ld: "a0 = ld.i64.u64 [136]"
    case .st: "st.i64.u64 [136], a1"
    case .gld: "a0 = gld.i64.u64 [a3]"
    case .gst: "gst.i64.u64 [a3], a1"
    case .grmw: "a0 = grmw.add.i64.u64 [a3], a1"
    case .gcas: "a0 = gcas.i64.u64 [a3], 0x77, a1"
    case .gcas128: "gcas128.u128.al [a3], [144]"
    case .fence: "fence"
    case .fadd, .fsub, .fmul, .fdiv, .fmin, .fmax, .fminimum, .fmaximum: "f0 = \(name).f64 f1, f2"
    case .fsqrt, .fneg, .fabs: "f0 = \(name).f64 f1"
    case .fma: "f0 = fma.f64 f1, f2, f1"
    case .fcopysign: "f0 = fcopysign.negated.f64 f1, f2"
    case .fsetcond: "a0 = fsetcond.slt.f64 f1, f2"
    case .fround: "f0 = fround.f64.inexact f1"
    case .fcvt: "s0 = fcvt.from64.to32 f1"
    case .ftoi: "a0 = ftoi.f64.rne f1"
    case .itof: "s0 = itof.f32 a1"
    case .boxf: "f0 = boxf.b32 s1"
    case .unboxf: "s0 = unboxf.b32 f1"
    case .delta: "a0 = delta"
    case .fpGetFlags: "a0 = fp_get_flags"
    case .fpSetFlags: "fp_set_flags a1"
    case .fpSetRounding: "fp_set_rounding 1"
    case .insnStart: "insn_start 0x1004"
    case .checkExit: "check_exit 0x1004"
    case .countExecution: "count_execution 7, 0x1004"
    case .countInstructions: "count_insns 7, 0x1004"
    case .pushReturn: "push_return 0, 0x1004"
    case .popReturn: "pop_return a1"
    case .gotoTB: "goto_tb 0, 0x2000"
    case .exitTB: "exit_tb 40"
    case .lookupAndGoto: "lookup_and_goto a1"
    case .gotoCached: "goto_cached 0, -1, a1"
    }
}

/// The sample between an op before it, so that it is not at the region's head, and ends with reasons of their own.
private func sampleRegion(_ opcode: Opcode) throws -> Region {
    let isTerminator = opcode.row.effects.contains(.terminator)
    // The helper's first argument is what it leaves with: a number that differs from run to run.
    let line = sample(opcode).replacing("(w, ", with: "(%40, ")
    let text =
        "block0:\n  insn_start 0x1000\n  a2 = add.i64 a2, 0\n  %40 = zext w2\n  \(line)\n"
        + (isTerminator ? "" : "  exit_tb 16\n") + "block1:\n  exit_tb 16\nblock2:\n  exit_tb 17\n"
    let region = try Region.parse(
        "region 0x1000 flags 0 slots 1\n" + text, globals: Bench.globals, helpers: Bench.helpers)
    #expect(region.verify(globals: Bench.globals, helpers: Bench.helpers) == [], "\(opcode)")
    return region
}

/// What the op finds.
private struct Situation {
    /// Chooses operands.
    var operands = 0
    /// Fills memory and CPU state that is no operand.
    var filling: UInt8 = 0x11
    var hasMemory = true
    var requestsExit = false
    var counter: UInt32 = 9
    /// The reason with which the helper leaves.
    var helperExit: UInt64 = 0
}

/// What was seen after a run.
private struct Seen {
    var exit: UInt32
    var globals: [String: UInt64]
    var state: [UInt8]
    var memory: [UInt8]
    var flags: UInt32
    var rounding: UInt32
}

private final class Laboratory {
    static let size = 64
    let bench = Bench()
    let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    let result: String

    init(_ opcode: Opcode) { result = String(sample(opcode).prefix(2)) }
    deinit { memory.deallocate() }

    static let integers: [(UInt64, UInt64)] = [
        (0x0123_4567_89ab_cdef, 0x1d), (0xfedc_ba98_7654_3210, 0x8000_0000_0000_0007), (24, 0x1_0000_0003),
    ]
    /// A quotient that is not exact, a signaling NaN beside a number, numbers with fractions.
    static let doubles: [(UInt64, UInt64)] = [
        ((1.0 / 3).bitPattern, 3.0.bitPattern), (0x7ff0_0000_0000_0001, 1.0.bitPattern),
        ((-2.5).bitPattern, 1e-30.bitPattern),
    ]

    /// What there is before a run, seen as after one.
    func prepare(_ situation: Situation) -> Seen {
        let (a, b) = Self.integers[situation.operands]
        let (x, y) = Self.doubles[situation.operands]
        for i in 0..<Bench.stateSize {
            bench.state.storeBytes(of: situation.filling, toByteOffset: i, as: UInt8.self)
        }
        for i in 0..<Self.size { memory.storeBytes(of: situation.filling, toByteOffset: i, as: UInt8.self) }
        // What `gcas` expects, once; what `gcas128` stores.
        for i in 160..<176 { bench.state.storeBytes(of: 0xab, toByteOffset: i, as: UInt8.self) }
        if situation.operands == 0 { memory.storeBytes(of: 0x77, as: UInt64.self) }
        let address = situation.hasMemory ? UInt64(UInt(bitPattern: memory)) : 0
        for (name, value) in ["a0": 0x5555_5555_5555, "a1": a, "a2": b, "a3": address, "f0": 0x6666, "f1": x, "f2": y] {
            bench[name] = value
        }
        for (name, value) in [
            "w0": 0x5555, "w1": a & 0xffff_ffff, "w2": situation.helperExit, "s0": 0x66, "s1": a >> 32,
        ] {
            bench[name] = value
        }
        bench.header.pointee.exitReason = 0
        bench.header.pointee.exitRequest = situation.requestsExit ? 1 : 0
        bench.header.pointee.returnStackTop = 0
        bench.state.storeBytes(
            of: situation.counter, toByteOffset: ExecutionCounters.offset(ofNumber: 7), as: UInt32.self)
        bench.host.setFloatFlags(bench.state, UInt32(situation.filling & 6))
        bench.host.setRounding(bench.state, 0)
        return look(exit: 0)
    }

    func look(exit: UInt32) -> Seen {
        var globals: [String: UInt64] = [:]
        for global in Bench.globals where global.name != "pc" { globals[global.name] = bench[global.name] }
        return Seen(
            exit: exit, globals: globals,
            state: (Bench.scratch..<Bench.stateSize).map { bench.state.load(fromByteOffset: $0, as: UInt8.self) },
            memory: (0..<Self.size).map { memory.load(fromByteOffset: $0, as: UInt8.self) },
            flags: bench.host.floatFlags(bench.state), rounding: bench.header.pointee.fpRounding)
    }

    func run(_ region: Region, _ situation: Situation) throws -> (before: Seen, after: Seen) {
        bench.code.used = 0
        let compiled = try #require(bench.host.compile(region, translation: 1))
        let before = prepare(situation)
        return (before, look(exit: bench.enter(compiled).reason))
    }
}

private let situations: [Situation] =
    (0..<3).map { Situation(operands: $0) } + [
        Situation(hasMemory: false), Situation(requestsExit: true), Situation(counter: 1),
        Situation(helperExit: 50),
    ]

@Test(arguments: Opcode.allCases) func opsDoWhatTheirRowsSay(_ opcode: Opcode) throws {
    let laboratory = Laboratory(opcode)
    let region = try sampleRegion(opcode)
    defer { region.deallocate() }
    let row = opcode.row
    var seen: OpEffects = []
    var hasResult = false
    for situation in situations {
        let (before, after) = try laboratory.run(region, situation)
        var others = after.globals
        if others[laboratory.result] != before.globals[laboratory.result] { hasResult = true }
        others[laboratory.result] = before.globals[laboratory.result]
        #expect(others == before.globals, "\(opcode) changes a global that is not its result")
        if after.state != before.state { seen.insert(.writesState) }
        if after.memory != before.memory { seen.insert(.writesMemory) }
        if after.rounding != before.rounding { seen.insert(.fpControl) }
        if after.flags != before.flags {
            // Ops that compute add flags.
            seen.insert(
                after.flags & before.flags == before.flags && !row.effects.contains(.fpControl) ? .fpFlags : .fpControl)
        }
        switch after.exit {
        case 16, 17: break
        case ExitReason.fault: seen.insert(.fault)
        case ExitReason.sideExit, ExitReason.hot: seen.insert(.stops)
        default: seen.insert(opcode == .call ? .helper : .exit)
        }
    }
    // What else the result depends on.
    let first = try laboratory.run(region, Situation(filling: 0x11)).after
    let second = try laboratory.run(region, Situation(filling: 0x22)).after
    let third = try laboratory.run(region, Situation(operands: 1, filling: 0x11)).after
    let fourth = try laboratory.run(region, Situation(operands: 1, filling: 0x22)).after
    let result = laboratory.result
    if hasResult, first.globals[result] != second.globals[result] || third.globals[result] != fourth.globals[result] {
        seen.insert(.readsMemory)
    }
    if opcode == .gcas128, first.state[144 - Bench.scratch] == 0x77 { seen.insert(.readsMemory) }
    // A helper may do more than this one.
    let shown: OpEffects =
        opcode == .call
        ? [.fault, .exit, .stops, .helper, .fpFlags, .readsMemory]
        : [.fault, .exit, .stops, .helper, .writesState, .writesMemory, .fpFlags, .fpControl, .readsMemory]
    #expect(seen.intersection(shown) == row.effects.intersection(shown), "\(opcode)")
    #expect(hasResult == row.hasResult, "\(opcode)")
    // What does anything but give a result stays.
    if !seen.subtracting([.readsMemory, .exit]).isEmpty { #expect(OpcodeTable.shared[opcode].hasEffects, "\(opcode)") }
    // What leaves has the state looked at.
    if !seen.isDisjoint(with: .needState) { #expect(OpcodeTable.shared[opcode].looksAtState, "\(opcode)") }
    // Atomics and fences order; a helper may.
    let ordering: Set<Opcode> = [.grmw, .gcas, .gcas128, .fence, .call]
    #expect(row.effects.contains(.orders) == ordering.contains(opcode), "\(opcode)")
}

@Test(.seeded(77), arguments: Opcode.allCases) func operandsOfCommutativeOpsMayBeSwapped(_ opcode: Opcode) throws {
    let laboratory = Laboratory(opcode)
    let region = try sampleRegion(opcode)
    defer { region.deallocate() }
    let position = try #require(
        (0..<region.opCount).first { region.ops[$0].opcode == opcode && $0 > 0 || opcode == .insnStart })
    let op = region.ops[position]
    guard opcode.row.sources == 2, opcode.row.effects.subtracting(.commutative).isEmpty, op.type == .i64 else { return }
    var differs = false
    for operands in 0..<3 {
        region.ops[position] = op
        let straight = try laboratory.run(region, Situation(operands: operands)).after.globals["a0"]
        region.ops[position].a = op.b
        region.ops[position].b = op.a
        let swapped = try laboratory.run(region, Situation(operands: operands)).after.globals["a0"]
        if straight != swapped { differs = true }
    }
    #expect(differs != opcode.row.effects.contains(.commutative), "\(opcode)")
}

@Test func opsThatMayStopHaveRecoveryRecordsAndOthersHaveNone() throws {
    let memory = try ExecutableMemory(size: 1 << 20)
    let host = X64Host()
    let code = CodeBuffer(writable: memory.writable, executable: memory.executable, size: memory.size)
    host.configure(
        HostConfiguration(
            helpers: Bench.helpers, globals: Bench.globals, pcOffset: Bench.pcOffset, stateSize: Bench.stateSize),
        code: code)
    let helpers = Bench.helpers.map(\.effects)
    for opcode in Opcode.allCases {
        let region = try sampleRegion(opcode)
        let allocation = Allocation.allocate(stepCapacity: 1 << 12, tempCapacity: 8192)
        defer {
            region.deallocate()
            allocation.deallocate()
        }
        var allocator = Allocator(host.description!, region: region, allocation: allocation)
        #expect(helpers.withUnsafeBufferPointer { allocator.run($0.baseAddress!) }, "\(opcode)")
        let compiled = try #require(host.compile(region, allocation, translation: 1))
        let records = compiled.records
        let hasRecord = withUnsafeTemporaryAllocation(of: RecoverySource.self, capacity: Bench.globals.count) {
            sources in
            (1..<compiled.codeSize).contains {
                RecoveryReader.find(
                    records, pc: 0x1000, offset: $0, globalCount: Bench.globals.count, sources: sources.baseAddress!
                )
                    != nil
            }
        }
        #expect(hasRecord == OpcodeTable.shared[opcode].has(.recoverable), "\(opcode)")
    }
}
