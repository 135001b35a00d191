// Every op with its operands in every kind of place (home, register, constant; dying or living on; the result's old value among
// them), on the x86-64 host against the interpreter.

import CodeGen
import IR
import TestSupport
import Testing

@Suite(.serialized, .seeded(77)) struct X64OpTests {
    enum Source: CaseIterable { case home, register, small, big }
    enum Target: CaseIterable { case temp, first, second, other }

    private let machine = TestMachine()

    init() { machine.usesMemory = false }

    private func operand(_ ir: inout IRBuilder, _ kind: Source, _ n: Int, _ type: ValueType, _ random: inout TestRandom)
        -> Temp
    {
        let x = TestMachine.x(n)
        switch kind {
        case .home: return type == .i64 ? x : ir.trunc(x)
        case .register: return type == .i64 ? ir.add(x, ir.const(3)) : ir.trunc(ir.add(x, ir.const(5)))
        case .small: return ir.const(Int64(Int8(truncatingIfNeeded: random.next())), type)
        case .big: return ir.const(Int64(bitPattern: random.integer()), type)
        }
    }

    /// Builds `op` on all combinations; it gets two operands and the target.
    private func sweep(
        _ name: String, _ type: ValueType, sourceLocation: SourceLocation = #_sourceLocation,
        _ op: (inout IRBuilder, Temp, Temp, Temp?) -> Temp
    ) {
        var random = TestRandom(Seed.current)
        for a in Source.allCases {
            for b in Source.allCases {
                for target in Target.allCases {
                    for livesOn in [false, true] {
                        machine.build { ir in
                            let block = ir.newBlock()
                            ir.begin(block)
                            let p = operand(&ir, a, 1, type, &random)
                            let q = operand(&ir, b, 2, type, &random)
                            let into: Temp? =
                                switch target {
                                case .temp: nil
                                case .first: TestMachine.x(1)
                                case .second: TestMachine.x(2)
                                case .other: TestMachine.x(3)
                                }
                            let result = op(&ir, p, q, into)
                            if livesOn {
                                let pWide = machine.region.type(p) == .i32 ? ir.sext(p) : p
                                let qWide = machine.region.type(q) == .i32 ? ir.sext(q) : q
                                ir.mov(TestMachine.x(6), pWide)
                                ir.mov(TestMachine.x(7), qWide)
                            }
                            switch machine.region.type(result) {
                            case .i64: ir.mov(TestMachine.x(5), result)
                            case .i32: ir.zext(result, into: TestMachine.x(5))
                            case .f32: ir.boxf(result, .binary32, into: TestMachine.f(5))
                            default: ir.mov(TestMachine.f(5), result)
                            }
                            ir.exitTB(17)
                        }
                        if let difference = machine.compare(&random, runs: 6) {
                            Issue.record("\(name) \(a) \(b) \(target): \(difference)", sourceLocation: sourceLocation)
                            return
                        }
                    }
                }
            }
        }
    }

    private func target(_ type: ValueType, _ into: Temp?) -> Temp? { type == .i64 ? into : nil }

    @Test(arguments: [ValueType.i64, .i32]) func binaryOps(_ type: ValueType) {
        for k in [.and, .or, .xor, .andc, .orc, .eqv, .shl, .shr, .sar, .rotl, .rotr] as [Opcode] {
            sweep("\(k)", type) { $0.binary(k, $1, $2, into: target(type, $3)) }
        }
        for k in [.add, .sub, .mul, .mulhu, .mulhs, .clmul] as [Opcode] {
            sweep("\(k)", type) { $0.binary(k, $1, $2, into: target(type, $3)) }
        }
    }

    /// Quotients of operands that front ends may give: no zero divisor, no overflow.
    @Test(arguments: [ValueType.i64, .i32]) func divisions(_ type: ValueType) {
        for k in [.divu, .remu] as [Opcode] {
            sweep("\(k)", type) { ir, a, b, into in
                ir.binary(k, a, ir.or(b, ir.const(1, type)), into: target(type, into))
            }
        }
        for k in [.divs, .rems] as [Opcode] {
            sweep("\(k)", type) { ir, a, b, into in
                ir.binary(k, ir.shr(a, ir.const(1, type)), ir.or(b, ir.const(1, type)), into: target(type, into))
            }
            // The same value twice.
            sweep("\(k) twice", type) { ir, a, _, into in
                let x = ir.or(ir.shr(a, ir.const(1, type)), ir.const(1, type))
                return ir.binary(k, x, x, into: target(type, into))
            }
        }
    }

    @Test(arguments: [ValueType.i64, .i32]) func unaryOps(_ type: ValueType) {
        for k in [.not, .neg, .clz, .ctz, .popcnt, .bswap] as [Opcode] {
            sweep("\(k)", type) { ir, a, _, into in ir.unary(k, a, into: target(type, into)) }
        }
    }

    @Test(arguments: [ValueType.i64, .i32]) func bitFields(_ type: ValueType) {
        let width = 8 * type.size
        let fields = [
            (0, 1), (0, 8), (0, 16), (0, width), (0, 31), (1, 1), (8, 8), (3, 5), (width - 1, 1), (16, 16),
            (5, width - 5), (4, 20),
        ]
        for (position, length) in fields {
            sweep("extract \(position) \(length)", type) { ir, a, _, into in
                ir.extract(a, position, length, into: target(type, into))
            }
            sweep("sextract \(position) \(length)", type) { ir, a, _, into in
                ir.sextract(a, position, length, into: target(type, into))
            }
            sweep("deposit \(position) \(length)", type) { ir, a, b, into in
                ir.deposit(a, b, position, length, into: target(type, into))
            }
        }
    }

    @Test(arguments: [ValueType.i64, .i32]) func comparisons(_ type: ValueType) {
        for condition in Condition.allCases {
            sweep("setcond \(condition)", type) { ir, a, b, into in ir.setcond(condition, a, b, into: into) }
            sweep("select \(condition)", type) { ir, a, b, into in
                ir.select(condition, a, b, TestMachine.x(1), TestMachine.x(4), into: into)
            }
            sweep("select of floats \(condition)", type) { ir, a, b, _ in
                ir.select(
                    condition, a, b, TestMachine.f(1), TestMachine.f(5),
                    into: TestMachine.f(condition.rawValue & 1 == 0 ? 1 : 2))
            }
        }
    }

    @Test func widthChanges() {
        sweep("trunc", .i64) { ir, a, _, _ in ir.trunc(a) }
        sweep("zext", .i32) { ir, a, _, into in ir.zext(a, into: into) }
        sweep("sext", .i32) { ir, a, _, into in ir.sext(a, into: into) }
        sweep("bitcast", .i64) { ir, a, _, _ in ir.bitcast(a, to: .f64) }
        sweep("bitcast", .i32) { ir, a, _, _ in ir.bitcast(a, to: .f32) }
    }

    // MARK: Floating point

    /// An op on f64 or f32 operands from homes and registers; results in its operands' globals too.
    private func sweepFloat(
        _ name: String, _ type: ValueType, sourceLocation: SourceLocation = #_sourceLocation,
        _ op: (inout IRBuilder, Temp, Temp, Temp, Temp?) -> Temp
    ) {
        var random = TestRandom(Seed.current)
        for inRegisters in [false, true] {
            for target in [nil, 1, 2, 3, 4] as [Int?] {
                machine.build { ir in
                    let block = ir.newBlock()
                    ir.begin(block)
                    func source(_ n: Int) -> Temp {
                        let f =
                            inRegisters
                            ? ir.bitcast(ir.bitcast(TestMachine.f(n), to: .i64), to: .f64) : TestMachine.f(n)
                        return type == .f64 ? f : ir.unboxf(f, .binary32)
                    }
                    let (a, b, c) = (source(1), source(2), source(3))
                    let result = op(&ir, a, b, c, target.map { TestMachine.f($0) })
                    switch machine.region.type(result) {
                    case .i64: ir.mov(TestMachine.x(5), result)
                    case .i32: ir.zext(result, into: TestMachine.x(5))
                    case .f32: ir.boxf(result, .binary32, into: TestMachine.f(5))
                    default: ir.mov(TestMachine.f(5), result)
                    }
                    ir.exitTB(17)
                }
                if let difference = machine.compare(&random, runs: 2000) {
                    Issue.record("\(name) \(type) target \(target ?? 0): \(difference)", sourceLocation: sourceLocation)
                    return
                }
            }
        }
    }

    private static let roundings: [Rounding] = [.dynamic, .nearestEven, .towardZero, .down, .up, .nearestMaxMagnitude]

    @Test(arguments: [ValueType.f64, .f32]) func floatArithmetic(_ type: ValueType) {
        func to(_ into: Temp?) -> Temp? { type == .f64 ? into : nil }
        for rounding in Self.roundings {
            for k in [.fadd, .fsub, .fmul, .fdiv] as [Opcode] {
                sweepFloat("\(k) \(rounding)", type) { ir, a, b, _, into in
                    ir.fbinary(k, a, b, rounding, into: to(into))
                }
            }
            sweepFloat("fsqrt \(rounding)", type) { ir, a, _, _, into in ir.funary(.fsqrt, a, rounding, into: to(into))
            }
            for signs in 0..<4 {
                sweepFloat("fma \(signs) \(rounding)", type) { ir, a, b, c, into in
                    ir.fma(
                        a, b, c, negateProduct: signs & 1 != 0, negateAddend: signs & 2 != 0, rounding, into: to(into))
                }
            }
            for exact in [false, true] {
                sweepFloat("fround \(rounding)", type) { ir, a, _, _, into in
                    ir.fround(a, rounding, raisesInexact: exact, into: to(into))
                }
            }
        }
        for k in [.fmin, .fmax, .fminimum, .fmaximum] as [Opcode] {
            sweepFloat("\(k)", type) { ir, a, b, _, into in ir.fbinary(k, a, b, into: to(into)) }
        }
        for k in [.fneg, .fabs] as [Opcode] {
            sweepFloat("\(k)", type) { ir, a, _, _, into in ir.funary(k, a, into: to(into)) }
        }
        for k in SignOp.allCases {
            sweepFloat("\(k)", type) { ir, a, b, _, into in ir.fcopysign(k, a, b, into: to(into)) }
        }
        for k in FloatCondition.allCases {
            sweepFloat("\(k)", type) { ir, a, b, _, _ in ir.fsetcond(k, a, b) }
        }
    }

    @Test(arguments: [ValueType.f64, .f32]) func floatConversions(_ type: ValueType) {
        for rounding in Self.roundings {
            for unsigned in [false, true] {
                for integer in [ValueType.i64, .i32] {
                    sweepFloat("ftoi \(integer) \(unsigned) \(rounding)", type) { ir, a, _, _, _ in
                        ir.ftoi(a, to: integer, unsigned: unsigned, rounding)
                    }
                    sweepFloat("itof \(integer) \(unsigned) \(rounding)", type) { ir, _, _, _, into in
                        let x = integer == .i64 ? TestMachine.x(1) : ir.trunc(TestMachine.x(1))
                        return ir.itof(x, to: type, unsigned: unsigned, rounding, into: type == .f64 ? into : nil)
                    }
                }
            }
            let from: FloatFormat = type == .f64 ? .binary64 : .binary32
            sweepFloat("fcvt to 16 \(rounding)", type) { ir, a, _, _, into in
                ir.boxf(ir.fcvt(a, from: from, to: .binary16, rounding), .binary16, into: into)
            }
            sweepFloat("fcvt across \(rounding)", type) { ir, a, _, _, into in
                type == .f64
                    ? ir.fcvt(a, from: .binary64, to: .binary32, rounding)
                    : ir.fcvt(a, from: .binary32, to: .binary64, rounding, into: into)
            }
        }
        sweepFloat("fcvt 16 to 64", .f64) { ir, a, _, _, into in
            ir.fcvt(ir.unboxf(a, .binary16), from: .binary16, to: .binary64, into: into)
        }
        sweepFloat("fcvt 16 to 32", .f32) { ir, a, _, _, _ in ir.fcvt(a, from: .binary16, to: .binary32) }
        sweepFloat("fcvt same", type) { ir, a, _, _, into in
            type == .f64
                ? ir.fcvt(a, from: .binary64, to: .binary64, into: into) : ir.fcvt(a, from: .binary32, to: .binary32)
        }
    }

    /// Every binary16 there is, to both wider formats and back in all rounding modes.
    @Test func allHalves() {
        for mode in UInt32(0)..<4 {
            machine.build { ir in
                let block = ir.newBlock()
                ir.begin(block)
                for n in 0..<4 {
                    let half = ir.unboxf(TestMachine.f(n), .binary16)
                    let double = ir.fcvt(half, from: .binary16, to: .binary64, into: TestMachine.f(4 + n))
                    let single = ir.fcvt(half, from: .binary16, to: .binary32)
                    ir.boxf(single, .binary32, into: TestMachine.f(8 + n))
                    ir.boxf(ir.fcvt(single, from: .binary32, to: .binary16), .binary16, into: TestMachine.f(12 + n))
                    ir.boxf(ir.fcvt(double, from: .binary64, to: .binary16), .binary16, into: TestMachine.f(16 + n))
                }
                ir.exitTB(17)
            }
            guard let native = machine.compile(), let reference = machine.compileInterpreter() else {
                Issue.record("not compiled")
                return
            }
            machine.rounding = mode
            for base in stride(from: 0, to: 0x10000, by: 4) {
                for n in 0..<4 {
                    machine.initialState[TestMachine.integerGlobals + n] = 0xffff_ffff_ffff_0000 | UInt64(base + n)
                }
                let text = machine.differences(machine.runX64(native), machine.runInterpreter(reference))
                if !text.isEmpty {
                    Issue.record("half \(base): \(text)")
                    return
                }
            }
        }
    }

    @Test func flagsAndRoundingAreTheGuests() {
        var random = TestRandom(Seed.current)
        for value in [0, 1, 2, 3, 4, 5, 7, 8, 31, 255, -1] as [Int64] {
            machine.build { ir in
                let block = ir.newBlock()
                ir.begin(block)
                ir.fpSetFlags(ir.const(value))
                ir.fpGetFlags(into: TestMachine.x(1))
                // Mode 4 is for software: no op here depends on it.
                ir.fpSetRounding(ir.const(value == 4 ? 0 : value))
                ir.fbinary(.fadd, TestMachine.f(1), TestMachine.f(2), into: TestMachine.f(3))
                ir.fpGetFlags(into: TestMachine.x(2))
                ir.exitTB(17)
            }
            let difference = machine.compare(&random, runs: 200)
            #expect(difference == nil)
        }
    }
}
