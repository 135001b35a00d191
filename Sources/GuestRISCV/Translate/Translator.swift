// The translator: guest instructions of one basic block to IR. This file has the instruction loop and the plumbing that the
// chapters in this folder share; each chapter is an extension with one function per instruction, called by the generated
// decoder. A function returns false when its operands make the instruction illegal, before it has emitted anything.
//
// Width of the integer registers is a value, `xlen`: chapters say `word(n)` for constants and
// `narrow`/`wide` between registers and 64-bit values, and never name i32 or i64 for a register.

import GuestKit
import IR

struct RISCVTranslator: RISCVInstructionSet, ~Copyable {
    /// The caller's, for as long as the translator exists.
    private let owner: UnsafeMutablePointer<TranslationUnit>
    let extensions: RISCVExtensions
    let xlen: ValueType
    let roundingClass: RoundingClass
    /// Nil in user mode.
    let system: SystemTranslation?
    /// The mode's number in memory accesses.
    let mmuIndex: UInt8
    /// The instruction being translated; known in a machine only.
    var instruction: UInt32 = 0
    /// FS is known not to be Off, and to be Dirty (Privileged.swift).
    var isFloatOn = false
    var isFloatDirty = false
    /// Bytes of the instruction being translated.
    var length: UInt64 = 4
    /// f32 values known to be in registers (see Float.swift).
    var singles = KnownSingles()
    /// Bit i: f`i` was boxed from `singles[i]`, so that its low half is that value's bits, also where it is no valid box
    /// of anything that was read.
    var boxedSingles: UInt32 = 0

    init(
        unit: UnsafeMutablePointer<TranslationUnit>, extensions: RISCVExtensions, xlen: ValueType,
        roundingClass: RoundingClass, system: SystemTranslation? = nil
    ) {
        owner = unit
        self.extensions = extensions
        self.xlen = xlen
        self.roundingClass = roundingClass
        self.system = system
        mmuIndex = system?.mmuIndex ?? 0
    }

    /// Translates instructions, at least one, until the block has ended or is full.
    mutating func translateBlock() {
        var isFirst = true
        repeat {
            var code = unit.instructionBytes()
            let bytes = code.reaches(2) ? InstructionTable.length(code.peek(2, InstructionTable.layout)) : 2
            if !code.reaches(bytes) {
                if isFirst { return unit.missCode() }
                break
            }
            isFirst = false
            unit.beginInstruction()
            length = UInt64(truncatingIfNeeded: bytes)
            if system != nil {
                instruction = UInt32(truncatingIfNeeded: code.peek(bytes, InstructionTable.layout))
            }
            let isLegal = (system == nil || mayUseFloat()) && decode(&code, into: &self)
            if !isLegal { illegal() } else if system != nil { noteFloatWrites() }
            unit.pc = next
        } while ir.isBlockOpen && !unit.isFull
        if ir.isBlockOpen { unit.jump(to: unit.pc) }
    }

    // MARK: Shared by all chapters

    var unit: TranslationUnit {
        unsafeAddress { UnsafePointer(owner) }
        nonmutating unsafeMutableAddress { owner }
    }

    var ir: IRBuilder {
        @inline(__always) _read { yield unit.ir }
        @inline(__always) nonmutating _modify { yield &unit.ir }
    }

    /// Address of the instruction after this one.
    var next: UInt64 { unit.wrapped(unit.pc &+ length) }

    /// Width of the integer registers in bits.
    var bits: Int { xlen == .i64 ? 64 : 32 }

    /// The address of code, as wide as a register, as the vCPU sees it.
    func codeAddress(_ address: UInt64) -> Temp {
        xlen == .i64 ? unit.seenAddress(of: address) : word(Int64(bitPattern: address))
    }

    /// A constant as wide as a register.
    @inline(__always) func word(_ value: Int64) -> Temp { ir.const(value, xlen) }

    /// The value of x`i`.
    @inline(__always) func x(_ i: Int32) -> Temp { i == 0 ? word(0) : Global.x(i) }

    /// Gives x`rd` the value that `make` computes into its second argument. Nothing is computed for x0: only for results
    /// that have no other effect.
    @inline(__always)
    func set(_ rd: Int32, _ make: (_ ir: IRBuilder, _ into: Temp) -> Temp) -> Bool {
        if rd != 0 { _ = make(ir, Global.x(rd)) }
        return true
    }

    /// Where an instruction with effects of its own (a load, say) puts the value for x`rd`.
    @inline(__always) func destination(_ rd: Int32) -> Temp? { rd == 0 ? nil : Global.x(rd) }

    /// Copies `value` to x`rd`.
    @inline(__always) func move(_ rd: Int32, _ value: Temp) {
        if rd != 0 { ir.mov(Global.x(rd), value) }
    }

    /// A register's value as 64 bits, zero-extended.
    func wide(_ value: Temp) -> Temp { xlen == .i64 ? value : ir.zext(value) }
    /// The low bits of a 64-bit value, as wide as a register.
    func narrow(_ value: Temp, into: Temp? = nil) -> Temp {
        guard xlen == .i64 else { return ir.trunc(value, into: into) }
        guard let into else { return value }
        ir.mov(into, value)
        return into
    }
    /// The low 32 bits of a register as an i32.
    func low32(_ value: Temp) -> Temp { xlen == .i64 ? ir.trunc(value) : value }
    /// An i32 as a register value, sign-extended.
    func signExtended(_ value: Temp, into: Temp? = nil) -> Temp {
        if xlen == .i64 { return ir.sext(value, into: into) }
        guard let into else { return value }
        ir.mov(into, value)
        return into
    }

    /// Base and displacement of a guest access to x`rs1` + `offset`.
    @inline(__always) func address(_ rs1: Int32, _ offset: Int64 = 0) -> (base: Temp, displacement: Int64) {
        (x(rs1), offset)
    }

    /// Calls a helper; its result, of 64 bits. Of its descriptor only what it does counts here, not whose function it is.
    func call(_ helper: Helper, _ a: Temp = .none, _ b: Temp = .none, _ c: Temp = .none, _ d: Temp = .none) -> Temp {
        ir.call(helper.id, helper.descriptor(.none), a, b, c, d)
    }
    /// The same, as wide as a register, into one.
    func call(_ helper: Helper, _ a: Temp = .none, into: Temp) -> Temp {
        if xlen == .i64 { return ir.call(helper.id, helper.descriptor(.none), a, into: into) }
        return narrow(call(helper, a), into: into)
    }

    /// A guest access by the present mode.
    @inline(__always) func guest(_ access: MemOp) -> MemOp {
        MemOp(rawValue: access.rawValue | UInt16(mmuIndex) &<< 8)
    }

    /// An access as wide as a register.
    var wordAccess: MemOp { xlen == .i64 ? .u64 : .u32 }
}
