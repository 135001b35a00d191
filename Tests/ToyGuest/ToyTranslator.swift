// Instructions of the made-up machine to IR.

import GuestKit
import IR

struct ToyTranslator: ToyInstructionSet, ~Copyable {
    private let owner: UnsafeMutablePointer<TranslationUnit>
    let extensions: ToyExtensions = []

    /// Where the jump goes whose delay slot comes next.
    private enum Jump {
        case branch(holds: Temp, to: UInt64)
        case always(to: UInt64)
        case call(to: UInt64)
        case indirect(Temp, JumpHint)
    }
    private var jump: Jump?
    private var isInSlot = false

    /// The longest instruction with the longest one in its delay slot.
    private static let longest = 12

    init(unit: UnsafeMutablePointer<TranslationUnit>) { owner = unit }

    private var unit: TranslationUnit {
        unsafeAddress { UnsafePointer(owner) }
        nonmutating unsafeMutableAddress { owner }
    }
    private var ir: IRBuilder {
        _read { yield unit.ir }
        nonmutating _modify { yield &unit.ir }
    }

    mutating func translateBlock() {
        var code = unit.instructionBytes()
        var isFirst = true
        repeat {
            if unit.available < Self.longest, isCutOff(code) {
                if isFirst { return unit.missCode() }
                break
            }
            isFirst = false
            let start = unit.pc
            unit.beginInstruction()
            guard step(&code) else { return unit.exit(.exception(ToyException.illegalInstruction), at: start) }
            if jump != nil {
                let slot = unit.pc
                unit.beginDelaySlot(of: start, word: 1)
                isInSlot = true
                var behind = code
                if case .call = jump {
                    ir.mov(ToyRegister.link, word(UInt32(truncatingIfNeeded: slot &+ length(&behind))))
                }
                guard step(&code) else { return unit.exit(.exception(ToyException.illegalInstruction), at: start) }
                leave()
            }
        } while ir.isBlockOpen && !unit.isFull
        if ir.isBlockOpen { unit.jump(to: unit.pc) }
    }

    /// Translates one instruction and moves behind it.
    private mutating func step(_ code: inout InstructionBytes) -> Bool {
        let start = code.taken
        let isLegal = decode(&code, into: &self)
        unit.pc = wrapped(unit.pc &+ UInt64(max(code.taken &- start, 1)))
        return isLegal
    }

    private func length(_ code: inout InstructionBytes) -> UInt64 {
        let start = code.taken
        var nobody = ToyDisassembler(pc: 0)
        _ = decode(&code, into: &nobody)
        return UInt64(code.taken &- start)
    }

    /// Whether the next instruction, or the one in its delay slot, goes on where the bytes end.
    private func isCutOff(_ code: InstructionBytes) -> Bool {
        var code = code
        for _ in 0..<2 {
            var nobody = ToyDisassembler(pc: 0)
            _ = decode(&code, into: &nobody)
            if code.isShort { return true }
            let word = nobody.text.prefix { $0 != " " }
            if !["beq", "bne", "blt", "bge", "bltu", "bgeu", "bra", "call", "jr", "ret"].contains(word) {
                return false
            }
        }
        return false
    }

    /// Ends the block behind a delay slot.
    private mutating func leave() {
        switch jump {
        case .branch(let holds, let target):
            unit.branch(.ne, holds, ir.const(0, .i32), taken: target, next: unit.pc)
        case .always(let target): unit.jump(to: target)
        case .call(let target): unit.call(to: target, returnTo: unit.pc)
        case .indirect(let target, let hint): unit.jumpIndirect(to: target, hint)
        case nil: break
        }
    }

    // MARK: Operands

    private func wrapped(_ address: UInt64) -> UInt64 { address & 0xffff_ffff }
    private func word(_ value: UInt32) -> Temp { ir.const(Int64(Int32(bitPattern: value)), .i32) }
    private func r(_ i: Int32) -> Temp { Temp(UInt32(bitPattern: i & 7)) }
    private func address(_ base: Int32, _ offset: Int64) -> Temp { ir.zext(ir.add(r(base), ir.const(offset, .i32))) }
    private static let long = MemOp(log2Size: 2, bigEndian: true), short = MemOp(log2Size: 1, bigEndian: true)
    private static let byte = MemOp(log2Size: 0, bigEndian: true)

    // MARK: Instructions

    mutating func nop() -> Bool { true }
    mutating func sys() -> Bool { leaves(.systemCall, at: wrapped(unit.pc &+ 1)) }
    mutating func brk() -> Bool { leaves(.exception(ToyException.breakpoint), at: unit.pc) }
    private mutating func leaves(_ exit: GuestExit, at pc: UInt64) -> Bool {
        if isInSlot { return false }
        unit.exit(exit, at: pc)
        return true
    }

    mutating func beq(_ a: ToyArgs.BR) -> Bool { branch(a, .eq) }
    mutating func bne(_ a: ToyArgs.BR) -> Bool { branch(a, .ne) }
    mutating func blt(_ a: ToyArgs.BR) -> Bool { branch(a, .lt) }
    mutating func bge(_ a: ToyArgs.BR) -> Bool { branch(a, .ge) }
    mutating func bltu(_ a: ToyArgs.BR) -> Bool { branch(a, .ltu) }
    mutating func bgeu(_ a: ToyArgs.BR) -> Bool { branch(a, .geu) }
    mutating func bra(_ a: ToyArgs.BR) -> Bool { jumps(.always(to: target(a))) }
    mutating func call(_ a: ToyArgs.BR) -> Bool { jumps(.call(to: target(a))) }
    mutating func jr(_ a: ToyArgs.S) -> Bool { jumps(.indirect(ir.zext(r(a.s)), .indirect)) }
    mutating func ret() -> Bool { jumps(.indirect(ir.zext(ToyRegister.link), .return)) }

    private func target(_ a: ToyArgs.BR) -> UInt64 { wrapped(unit.pc &+ UInt64(bitPattern: a.distance)) }
    /// The condition is that before the delay slot.
    private mutating func branch(_ a: ToyArgs.BR, _ condition: Condition) -> Bool {
        let holds = ir.setcond(condition, ToyRegister.compared.0, ToyRegister.compared.1, result: .i32)
        return jumps(.branch(holds: holds, to: target(a)))
    }
    private mutating func jumps(_ to: Jump) -> Bool {
        if isInSlot { return false }
        jump = to
        return true
    }

    mutating func mov(_ a: ToyArgs.DS) -> Bool { set(a.d, r(a.s)) }
    mutating func ldi(_ a: ToyArgs.DI) -> Bool { set(a.d, ir.const(a.imm, .i32)) }
    mutating func addi(_ a: ToyArgs.DI) -> Bool { set(a.d, ir.add(r(a.d), ir.const(a.imm, .i32))) }
    mutating func add(_ a: ToyArgs.DS) -> Bool { set(a.d, ir.add(r(a.d), r(a.s))) }
    mutating func sub(_ a: ToyArgs.DS) -> Bool { set(a.d, ir.sub(r(a.d), r(a.s))) }
    mutating func and(_ a: ToyArgs.DS) -> Bool { set(a.d, ir.and(r(a.d), r(a.s))) }
    mutating func or(_ a: ToyArgs.DS) -> Bool { set(a.d, ir.or(r(a.d), r(a.s))) }
    mutating func xor(_ a: ToyArgs.DS) -> Bool { set(a.d, ir.xor(r(a.d), r(a.s))) }
    mutating func shl(_ a: ToyArgs.DS) -> Bool { set(a.d, ir.shl(r(a.d), r(a.s))) }
    mutating func mul(_ a: ToyArgs.DS) -> Bool { set(a.d, ir.mul(r(a.d), r(a.s))) }
    private mutating func set(_ d: Int32, _ value: Temp) -> Bool {
        ir.mov(r(d), value)
        return true
    }
    mutating func cmp(_ a: ToyArgs.DS) -> Bool {
        ir.mov(ToyRegister.compared.0, r(a.d))
        ir.mov(ToyRegister.compared.1, r(a.s))
        return true
    }
    /// Equal, less, less without sign, a failed system call: bits 0, 1, 2, 3.
    mutating func rdf(_ a: ToyArgs.D) -> Bool {
        let (left, right) = ToyRegister.compared
        let conditions: [Condition] = [.eq, .lt, .ltu]
        let failed = ir.ld(ToyState.offset(\.failed), MemOp(log2Size: 2), .i32)
        var flags = ir.shl(failed, word(3))
        for (bit, condition) in conditions.enumerated() {
            let holds = ir.setcond(condition, left, right, result: .i32)
            flags = ir.or(flags, ir.shl(holds, ir.const(Int64(bit), .i32)))
        }
        return set(a.d, flags)
    }

    private mutating func load(_ a: ToyArgs.M, _ access: MemOp) -> Bool {
        ir.gld(address(a.s, a.offset), 0, access, .i32, into: r(a.d))
        return true
    }
    private mutating func store(_ a: ToyArgs.M, _ access: MemOp) -> Bool {
        ir.gst(r(a.d), address(a.s, a.offset), 0, access)
        return true
    }
    mutating func ld32(_ a: ToyArgs.M) -> Bool { load(a, Self.long) }
    mutating func st32(_ a: ToyArgs.M) -> Bool { store(a, Self.long) }
    mutating func ld16(_ a: ToyArgs.M) -> Bool { load(a, Self.short) }
    mutating func st16(_ a: ToyArgs.M) -> Bool { store(a, Self.short) }
    mutating func ld8(_ a: ToyArgs.M) -> Bool { load(a, Self.byte) }
    mutating func st8(_ a: ToyArgs.M) -> Bool { store(a, Self.byte) }
    mutating func xchg(_ a: ToyArgs.DS) -> Bool {
        ir.grmw(.swap, ir.zext(r(a.s)), r(a.d), Self.long, into: r(a.d))
        return true
    }
}
