// Integer instructions: moves, arithmetic, shifts, bits (SDM volume 2, chapters 3 to 5).

extension Assembler {
    // MARK: Moves

    /// `mov d, s`; the dword form clears the upper half of d.
    @inline(__always)
    public mutating func mov(_ size: OperandSize, _ d: GPR, _ s: GPR) {
        legacy(Encoding(.none, .one, 0x88).sized(size), s.rawValue, d.rawValue)
    }

    /// `mov d, [m]`; byte and word forms keep the rest of d: see `movzx` and `movsx`.
    @inline(__always)
    public mutating func mov(_ size: OperandSize, _ d: GPR, _ m: Address) {
        legacy(Encoding(.none, .one, 0x8A).sized(size), d.rawValue, m)
    }

    /// `mov [m], s`
    @inline(__always)
    public mutating func mov(_ size: OperandSize, _ m: Address, _ s: GPR) {
        legacy(Encoding(.none, .one, 0x88).sized(size), s.rawValue, m)
    }

    /// `mov [m], imm`, sign-extended to a qword.
    @inline(__always)
    public mutating func mov(_ size: OperandSize, _ m: Address, imm: Int32) {
        legacy(Encoding(.none, .one, 0xC6).sized(size, digit: true), 0, m, imm, size.immediateBytes)
    }

    /// All 64 bits of d = imm, in the shortest way that leaves the flags alone.
    public mutating func mov(_ d: GPR, imm: Int64) {
        if imm == Int64(UInt32(truncatingIfNeeded: imm)) {
            plain(Encoding(.none, .one, 0xB8).plus(d.rawValue & 7), d.rawValue, imm, 4)
        } else if imm == Int64(Int32(truncatingIfNeeded: imm)) {
            legacy(Encoding(.none, .one, 0xC7, w: 1), 0, d.rawValue, Int32(truncatingIfNeeded: imm), 4)
        } else {
            plain(Encoding(.none, .one, 0xB8, w: 1).plus(d.rawValue & 7), d.rawValue, imm, 8)
        }
    }

    /// All 64 bits of d = 0, by `xor`: changes the flags.
    @inline(__always)
    public mutating func zero(_ d: GPR) { alu(.xor, .dword, d, d) }

    @inline(__always)
    private static func movzxRow(_ from: OperandSize) -> Encoding {
        switch from {
        case .byte: Encoding(.none, .m0F, 0xB6).with(Encoding.byteRM)
        case .word: Encoding(.none, .m0F, 0xB7)
        case .dword: Encoding(.none, .one, 0x8B)
        case .qword: Encoding(.none, .one, 0x8B, w: 1)
        }
    }

    @inline(__always)
    private static func movsxRow(_ to: OperandSize, _ from: OperandSize) -> Encoding {
        assert(to >= from && to != .byte, "movsx widens")
        return switch from {
        case .byte: Encoding(.none, .m0F, 0xBE).with(Encoding.byteRM).wide(to)
        case .word: Encoding(.none, .m0F, 0xBF).wide(to)
        case .dword: Encoding(.none, .one, to == .qword ? 0x63 : 0x8B).wide(to)
        case .qword: Encoding(.none, .one, 0x8B, w: 1)
        }
    }

    /// All 64 bits of d = s zero-extended: `movzx`, or `mov` for dword and qword.
    @inline(__always)
    public mutating func movzx(_ d: GPR, _ from: OperandSize, _ s: GPR) {
        legacy(Assembler.movzxRow(from), d.rawValue, s.rawValue)
    }

    /// All 64 bits of d = memory zero-extended: `movzx`, or `mov` for dword and qword.
    @inline(__always)
    public mutating func movzx(_ d: GPR, _ from: OperandSize, _ m: Address) {
        legacy(Assembler.movzxRow(from), d.rawValue, m)
    }

    /// d = s sign-extended to `to`: `movsx`, `movsxd`, or `mov` between equals. A dword d is cleared above.
    @inline(__always)
    public mutating func movsx(_ to: OperandSize, _ d: GPR, _ from: OperandSize, _ s: GPR) {
        legacy(Assembler.movsxRow(to, from), d.rawValue, s.rawValue)
    }

    /// d = memory sign-extended to `to`.
    @inline(__always)
    public mutating func movsx(_ to: OperandSize, _ d: GPR, _ from: OperandSize, _ m: Address) {
        legacy(Assembler.movsxRow(to, from), d.rawValue, m)
    }

    /// `movbe d, [m]`, word to qword
    @inline(__always)
    public mutating func movbe(_ size: OperandSize, _ d: GPR, _ m: Address) {
        legacy(Encoding(.none, .m0F38, 0xF0).wide(size), d.rawValue, m)
    }

    /// `movbe [m], s`, word to qword
    @inline(__always)
    public mutating func movbe(_ size: OperandSize, _ m: Address, _ s: GPR) {
        legacy(Encoding(.none, .m0F38, 0xF1).wide(size), s.rawValue, m)
    }

    /// `bswap d`, dword or qword
    @inline(__always)
    public mutating func bswap(_ size: OperandSize, _ d: GPR) {
        assert(size >= .dword, "bswap of a word is undefined")
        plain(Encoding(.none, .m0F, 0xC8).wide(size).plus(d.rawValue & 7), d.rawValue)
    }

    /// `xchg a, b`
    @inline(__always)
    public mutating func xchg(_ size: OperandSize, _ a: GPR, _ b: GPR) {
        legacy(Encoding(.none, .one, 0x86).sized(size), b.rawValue, a.rawValue)
    }

    /// `xchg [m], r`: atomic without a lock prefix.
    @inline(__always)
    public mutating func xchg(_ size: OperandSize, _ m: Address, _ r: GPR) {
        legacy(Encoding(.none, .one, 0x86).sized(size), r.rawValue, m)
    }

    /// `lea d, [m]`, word to qword
    @inline(__always)
    public mutating func lea(_ size: OperandSize, _ d: GPR, _ m: Address) {
        legacy(Encoding(.none, .one, 0x8D).wide(size), d.rawValue, m)
    }

    /// `push r64`
    public mutating func push(_ r: GPR) { plain(Encoding(.none, .one, 0x50).plus(r.rawValue & 7), r.rawValue) }
    /// `push m64`
    public mutating func push(_ m: Address) { legacy(Encoding(.none, .one, 0xFF), 6, m) }
    /// `push imm`, sign-extended to a qword
    public mutating func push(imm: Int32) {
        let short = imm == Int32(Int8(truncatingIfNeeded: imm))
        plain(Encoding(.none, .one, short ? 0x6A : 0x68), 0, Int64(imm), short ? 1 : 4)
    }
    /// `pop r64`
    public mutating func pop(_ r: GPR) { plain(Encoding(.none, .one, 0x58).plus(r.rawValue & 7), r.rawValue) }
    /// `pop m64`
    public mutating func pop(_ m: Address) { legacy(Encoding(.none, .one, 0x8F), 0, m) }

    // MARK: Arithmetic

    @inline(__always)
    private static func aluRow(_ op: ALU, _ form: UInt32) -> Encoding {
        Encoding(.none, .one, UInt32(op.rawValue) &<< 3 | form)
    }

    /// `op d, s`
    @inline(__always)
    public mutating func alu(_ op: ALU, _ size: OperandSize, _ d: GPR, _ s: GPR) {
        legacy(Assembler.aluRow(op, 0).sized(size), s.rawValue, d.rawValue)
    }

    /// `op d, [m]`
    @inline(__always)
    public mutating func alu(_ op: ALU, _ size: OperandSize, _ d: GPR, _ m: Address) {
        legacy(Assembler.aluRow(op, 2).sized(size), d.rawValue, m)
    }

    /// `op [m], s`
    @inline(__always)
    public mutating func alu(_ op: ALU, _ size: OperandSize, _ m: Address, _ s: GPR) {
        legacy(Assembler.aluRow(op, 0).sized(size), s.rawValue, m)
    }

    /// `op d, imm`; the immediate is sign-extended to a qword, and cut to a byte or word.
    public mutating func alu(_ op: ALU, _ size: OperandSize, _ d: GPR, imm: Int32) {
        let value = Assembler.cut(imm, size)
        if size != .byte && value == Int32(Int8(truncatingIfNeeded: value)) {
            legacy(Encoding(.none, .one, 0x82).sized(size, digit: true), op.rawValue, d.rawValue, value, 1)
        } else if d == .rax {
            plain(Assembler.aluRow(op, 4).sized(size), 0, Int64(value), size.immediateBytes)
        } else {
            legacy(
                Encoding(.none, .one, 0x80).sized(size, digit: true), op.rawValue, d.rawValue, value,
                size.immediateBytes)
        }
    }

    /// `op [m], imm`; the immediate is sign-extended to a qword, and cut to a byte or word.
    public mutating func alu(_ op: ALU, _ size: OperandSize, _ m: Address, imm: Int32) {
        alu(op, size, m, imm: imm, flags: 0)
    }

    @inline(__always)
    private mutating func alu(_ op: ALU, _ size: OperandSize, _ m: Address, imm: Int32, flags: UInt32) {
        let value = Assembler.cut(imm, size)
        let short = size != .byte && value == Int32(Int8(truncatingIfNeeded: value))
        let row = Encoding(.none, .one, short ? 0x82 : 0x80).sized(size, digit: true).with(flags)
        legacy(row, op.rawValue, m, value, short ? 1 : size.immediateBytes)
    }

    /// The immediate as an operand of this size sees it.
    @inline(__always)
    private static func cut(_ imm: Int32, _ size: OperandSize) -> Int32 {
        switch size {
        case .byte: Int32(Int8(truncatingIfNeeded: imm))
        case .word: Int32(Int16(truncatingIfNeeded: imm))
        case .dword, .qword: imm
        }
    }

    /// `test d, s`
    @inline(__always)
    public mutating func test(_ size: OperandSize, _ d: GPR, _ s: GPR) {
        legacy(Encoding(.none, .one, 0x84).sized(size), s.rawValue, d.rawValue)
    }

    /// `test [m], s`
    @inline(__always)
    public mutating func test(_ size: OperandSize, _ m: Address, _ s: GPR) {
        legacy(Encoding(.none, .one, 0x84).sized(size), s.rawValue, m)
    }

    /// `test d, imm`
    public mutating func test(_ size: OperandSize, _ d: GPR, imm: Int32) {
        if d == .rax {
            plain(Encoding(.none, .one, 0xA8).sized(size), 0, Int64(imm), size.immediateBytes)
        } else {
            legacy(Encoding(.none, .one, 0xF6).sized(size, digit: true), 0, d.rawValue, imm, size.immediateBytes)
        }
    }

    /// `test [m], imm`
    @inline(__always)
    public mutating func test(_ size: OperandSize, _ m: Address, imm: Int32) {
        legacy(Encoding(.none, .one, 0xF6).sized(size, digit: true), 0, m, imm, size.immediateBytes)
    }

    /// `op d` for the one-operand instructions
    @inline(__always)
    public mutating func unary(_ op: Unary, _ size: OperandSize, _ d: GPR) {
        legacy(op.row.sized(size, digit: true), op.row.digit, d.rawValue)
    }

    /// `op [m]` for the one-operand instructions
    @inline(__always)
    public mutating func unary(_ op: Unary, _ size: OperandSize, _ m: Address) {
        legacy(op.row.sized(size, digit: true), op.row.digit, m)
    }

    /// `op d, s` for imul, popcnt, lzcnt, tzcnt, cmovcc and their like
    @inline(__always)
    public mutating func binary(_ op: Binary, _ size: OperandSize, _ d: GPR, _ s: GPR) {
        legacy(op.row.wide(size), d.rawValue, s.rawValue)
    }

    /// `op d, [m]`; `cmovcc` reads the memory in any case.
    @inline(__always)
    public mutating func binary(_ op: Binary, _ size: OperandSize, _ d: GPR, _ m: Address) {
        legacy(op.row.wide(size), d.rawValue, m)
    }

    /// `imul d, s, imm`
    public mutating func imul(_ size: OperandSize, _ d: GPR, _ s: GPR, imm: Int32) {
        let value = Assembler.cut(imm, size)
        let short = value == Int32(Int8(truncatingIfNeeded: value))
        legacy(
            Encoding(.none, .one, short ? 0x6B : 0x69).wide(size), d.rawValue, s.rawValue, value,
            short ? 1 : size.immediateBytes)
    }

    /// `imul d, [m], imm`
    public mutating func imul(_ size: OperandSize, _ d: GPR, _ m: Address, imm: Int32) {
        let value = Assembler.cut(imm, size)
        let short = value == Int32(Int8(truncatingIfNeeded: value))
        legacy(
            Encoding(.none, .one, short ? 0x6B : 0x69).wide(size), d.rawValue, m, value,
            short ? 1 : size.immediateBytes)
    }

    /// Sign of rax into rdx: `cwd`, `cdq`, `cqo`
    @inline(__always)
    public mutating func signIntoRDX(_ size: OperandSize) { plain(Encoding(.none, .one, 0x99).wide(size)) }

    // MARK: Shifts

    /// `op d, imm`
    public mutating func shift(_ op: Shift, _ size: OperandSize, _ d: GPR, imm: UInt8) {
        let one = imm == 1
        legacy(
            Encoding(.none, .one, one ? 0xD0 : 0xC0).sized(size, digit: true), op.rawValue, d.rawValue, Int32(imm),
            one ? 0 : 1)
    }

    /// `op [m], imm`
    public mutating func shift(_ op: Shift, _ size: OperandSize, _ m: Address, imm: UInt8) {
        let one = imm == 1
        legacy(
            Encoding(.none, .one, one ? 0xD0 : 0xC0).sized(size, digit: true), op.rawValue, m, Int32(imm), one ? 0 : 1)
    }

    /// `op d, cl`
    @inline(__always)
    public mutating func shiftByCL(_ op: Shift, _ size: OperandSize, _ d: GPR) {
        legacy(Encoding(.none, .one, 0xD2).sized(size, digit: true), op.rawValue, d.rawValue)
    }

    /// `op [m], cl`
    @inline(__always)
    public mutating func shiftByCL(_ op: Shift, _ size: OperandSize, _ m: Address) {
        legacy(Encoding(.none, .one, 0xD2).sized(size, digit: true), op.rawValue, m)
    }

    /// `shld d, s, imm`
    @inline(__always)
    public mutating func shld(_ size: OperandSize, _ d: GPR, _ s: GPR, imm: UInt8) {
        legacy(Encoding(.none, .m0F, 0xA4).wide(size), s.rawValue, d.rawValue, Int32(imm), 1)
    }

    /// `shrd d, s, imm`
    @inline(__always)
    public mutating func shrd(_ size: OperandSize, _ d: GPR, _ s: GPR, imm: UInt8) {
        legacy(Encoding(.none, .m0F, 0xAC).wide(size), s.rawValue, d.rawValue, Int32(imm), 1)
    }

    // MARK: Bits

    /// `op d, imm`
    @inline(__always)
    public mutating func bitTest(_ op: BitTest, _ size: OperandSize, _ d: GPR, imm: UInt8) {
        legacy(Encoding(.none, .m0F, 0xBA).wide(size), op.rawValue, d.rawValue, Int32(imm), 1)
    }

    /// `op [m], imm`
    @inline(__always)
    public mutating func bitTest(_ op: BitTest, _ size: OperandSize, _ m: Address, imm: UInt8) {
        legacy(Encoding(.none, .m0F, 0xBA).wide(size), op.rawValue, m, Int32(imm), 1)
    }

    /// `op d, s`: bit s modulo the operand's size. (The memory form would reach outside the operand: not offered.)
    @inline(__always)
    public mutating func bitTest(_ op: BitTest, _ size: OperandSize, _ d: GPR, _ s: GPR) {
        legacy(Encoding(.none, .m0F, 0x83 | UInt32(op.rawValue) &<< 3).wide(size), s.rawValue, d.rawValue)
    }

    /// `setcc d8`; keeps the rest of d.
    @inline(__always)
    public mutating func set(_ condition: ConditionCode, _ d: GPR) {
        legacy(Encoding(.none, .m0F, 0x90).with(Encoding.byteRM).plus(condition.rawValue), 0, d.rawValue)
    }

    /// `setcc [m]`
    @inline(__always)
    public mutating func set(_ condition: ConditionCode, _ m: Address) {
        legacy(Encoding(.none, .m0F, 0x90).plus(condition.rawValue), 0, m)
    }

    /// `andn`, `pdep`, `pext`, `mulx`: `op d, s1, s2`
    @inline(__always)
    public mutating func bmi(_ op: BMI3, _ size: OperandSize, _ d: GPR, _ s1: GPR, _ s2: GPR) {
        vex(Assembler.bmiRow(op.row, size), d.rawValue, s1.rawValue, s2.rawValue)
    }

    /// `op d, s1, [m]`
    @inline(__always)
    public mutating func bmi(_ op: BMI3, _ size: OperandSize, _ d: GPR, _ s1: GPR, _ m: Address) {
        vex(Assembler.bmiRow(op.row, size), d.rawValue, s1.rawValue, m)
    }

    /// `shlx`, `shrx`, `sarx`, `bextr`, `bzhi`: `op d, s, count`
    @inline(__always)
    public mutating func bmi(_ op: BMIShift, _ size: OperandSize, _ d: GPR, _ s: GPR, _ count: GPR) {
        vex(Assembler.bmiRow(op.row, size), d.rawValue, count.rawValue, s.rawValue)
    }

    /// `op d, [m], count`
    @inline(__always)
    public mutating func bmi(_ op: BMIShift, _ size: OperandSize, _ d: GPR, _ m: Address, _ count: GPR) {
        vex(Assembler.bmiRow(op.row, size), d.rawValue, count.rawValue, m)
    }

    /// `blsr`, `blsmsk`, `blsi`: `op d, s`
    @inline(__always)
    public mutating func bmi(_ op: BMI2, _ size: OperandSize, _ d: GPR, _ s: GPR) {
        vex(Assembler.bmiRow(op.row, size), op.row.digit, d.rawValue, s.rawValue)
    }

    /// `op d, [m]`
    @inline(__always)
    public mutating func bmi(_ op: BMI2, _ size: OperandSize, _ d: GPR, _ m: Address) {
        vex(Assembler.bmiRow(op.row, size), op.row.digit, d.rawValue, m)
    }

    /// `rorx d, s, imm`
    @inline(__always)
    public mutating func rorx(_ size: OperandSize, _ d: GPR, _ s: GPR, imm: UInt8) {
        vex(Assembler.bmiRow(Encoding(.pF2, .m0F3A, 0xF0), size), d.rawValue, 0, s.rawValue, imm, 1)
    }

    /// `rorx d, [m], imm`
    @inline(__always)
    public mutating func rorx(_ size: OperandSize, _ d: GPR, _ m: Address, imm: UInt8) {
        vex(Assembler.bmiRow(Encoding(.pF2, .m0F3A, 0xF0), size), d.rawValue, 0, m, imm, 1)
    }

    @inline(__always)
    private static func bmiRow(_ row: Encoding, _ size: OperandSize) -> Encoding {
        assert(size >= .dword, "no byte or word form")
        return size == .qword ? row.with(Encoding.w) : row
    }

    // MARK: Atomic and system

    /// `lock op [m], s`; not cmp.
    @inline(__always)
    public mutating func lockALU(_ op: ALU, _ size: OperandSize, _ m: Address, _ s: GPR) {
        assert(op != .cmp, "cmp cannot be locked")
        legacy(Assembler.aluRow(op, 0).sized(size).with(Encoding.lock), s.rawValue, m)
    }

    /// `lock op [m], imm`; not cmp.
    public mutating func lockALU(_ op: ALU, _ size: OperandSize, _ m: Address, imm: Int32) {
        assert(op != .cmp, "cmp cannot be locked")
        alu(op, size, m, imm: imm, flags: Encoding.lock)
    }

    /// `lock op [m]`: inc, dec, not, neg
    @inline(__always)
    public mutating func lockUnary(_ op: Unary, _ size: OperandSize, _ m: Address) {
        assert(op.row.digit < 4, "only inc, dec, not and neg can be locked")
        legacy(op.row.sized(size, digit: true).with(Encoding.lock), op.row.digit, m)
    }

    /// `lock op [m], imm`: bts, btr, btc
    @inline(__always)
    public mutating func lockBitTest(_ op: BitTest, _ size: OperandSize, _ m: Address, imm: UInt8) {
        assert(op != .bt, "bt cannot be locked")
        legacy(Encoding(.none, .m0F, 0xBA).wide(size).with(Encoding.lock), op.rawValue, m, Int32(imm), 1)
    }

    /// `lock xadd [m], r`: memory += r, r = what memory was
    @inline(__always)
    public mutating func lockXadd(_ size: OperandSize, _ m: Address, _ r: GPR) {
        legacy(Encoding(.none, .m0F, 0xC0).sized(size).with(Encoding.lock), r.rawValue, m)
    }

    /// `lock cmpxchg [m], s`: if memory is rax, memory = s and ZF; else rax = memory
    @inline(__always)
    public mutating func lockCmpxchg(_ size: OperandSize, _ m: Address, _ s: GPR) {
        legacy(Encoding(.none, .m0F, 0xB0).sized(size).with(Encoding.lock), s.rawValue, m)
    }

    /// `lock cmpxchg16b [m]`: rdx:rax against memory, rcx:rbx into it; memory 16-byte aligned
    public mutating func lockCmpxchg16b(_ m: Address) {
        legacy(Encoding(.none, .m0F, 0xC7, w: 1).with(Encoding.lock), 1, m)
    }

    public mutating func lfence() { legacy(Encoding(.none, .m0F, 0xAE), 5, 0) }
    public mutating func mfence() { legacy(Encoding(.none, .m0F, 0xAE), 6, 0) }
    public mutating func sfence() { legacy(Encoding(.none, .m0F, 0xAE), 7, 0) }
    public mutating func pause() { plain(Encoding(.pF3, .one, 0x90)) }
    public mutating func ud2() { plain(Encoding(.none, .m0F, 0x0B)) }
    public mutating func int3() { plain(Encoding(.none, .one, 0xCC)) }
    public mutating func rdtsc() { plain(Encoding(.none, .m0F, 0x31)) }
    /// Copies rcx bytes from [rsi] to [rdi].
    public mutating func repMovsb() { plain(Encoding(.pF3, .one, 0xA4)) }
    /// Stores al into rcx bytes at [rdi].
    public mutating func repStosb() { plain(Encoding(.pF3, .one, 0xAA)) }
}
