// Floating-point and vector instructions, VEX-encoded: one method per operand encoding (see VectorRows.swift), and the
// few that join the two register files.

extension Assembler {
    /// `op d, s1, s2`
    @inline(__always)
    public mutating func rvm(_ op: RVM, _ d: XMM, _ s1: XMM, _ s2: XMM) {
        vex(op.row, d.rawValue, s1.rawValue, s2.rawValue)
    }

    /// `op d, s1, [m]`
    @inline(__always)
    public mutating func rvm(_ op: RVM, _ d: XMM, _ s1: XMM, _ m: Address) {
        vex(op.row, d.rawValue, s1.rawValue, m)
    }

    /// `op d, s`
    @inline(__always)
    public mutating func rm(_ op: RM, _ d: XMM, _ s: XMM) { vex(op.row, d.rawValue, 0, s.rawValue) }

    /// `op d, [m]`
    @inline(__always)
    public mutating func rm(_ op: RM, _ d: XMM, _ m: Address) { vex(op.row, d.rawValue, 0, m) }

    /// `op d, s1, s2, imm`
    @inline(__always)
    public mutating func rvmi(_ op: RVMI, _ d: XMM, _ s1: XMM, _ s2: XMM, imm: UInt8) {
        vex(op.row, d.rawValue, s1.rawValue, s2.rawValue, imm, 1)
    }

    /// `op d, s1, [m], imm`
    @inline(__always)
    public mutating func rvmi(_ op: RVMI, _ d: XMM, _ s1: XMM, _ m: Address, imm: UInt8) {
        vex(op.row, d.rawValue, s1.rawValue, m, imm, 1)
    }

    /// `op d, s, imm`
    @inline(__always)
    public mutating func rmi(_ op: RMI, _ d: XMM, _ s: XMM, imm: UInt8) {
        vex(op.row, d.rawValue, 0, s.rawValue, imm, 1)
    }

    /// `op d, [m], imm`
    @inline(__always)
    public mutating func rmi(_ op: RMI, _ d: XMM, _ m: Address, imm: UInt8) { vex(op.row, d.rawValue, 0, m, imm, 1) }

    /// `op d, s, imm`
    @inline(__always)
    public mutating func mri(_ op: MRI, _ d: XMM, _ s: XMM, imm: UInt8) {
        vex(op.row, s.rawValue, 0, d.rawValue, imm, 1)
    }

    /// `op [m], s, imm`
    @inline(__always)
    public mutating func mri(_ op: MRI, _ m: Address, _ s: XMM, imm: UInt8) { vex(op.row, s.rawValue, 0, m, imm, 1) }

    /// `op d, s1, s2, s3`
    @inline(__always)
    public mutating func rvmr(_ op: RVMR, _ d: XMM, _ s1: XMM, _ s2: XMM, _ s3: XMM) {
        vex(op.row, d.rawValue, s1.rawValue, s2.rawValue, s3.rawValue &<< 4, 1)
    }

    /// `op d, s1, [m], s3`
    @inline(__always)
    public mutating func rvmr(_ op: RVMR, _ d: XMM, _ s1: XMM, _ m: Address, _ s3: XMM) {
        vex(op.row, d.rawValue, s1.rawValue, m, s3.rawValue &<< 4, 1)
    }

    /// `op d, s, imm`
    @inline(__always)
    public mutating func vmi(_ op: VMI, _ d: XMM, _ s: XMM, imm: UInt8) {
        vex(op.row, op.row.digit, d.rawValue, s.rawValue, imm, 1)
    }

    // MARK: Moves

    /// `op d, [m]`; scalar loads clear the rest of d.
    @inline(__always)
    public mutating func vmov(_ op: VectorMove, _ d: XMM, _ m: Address) { vex(op.row, d.rawValue, 0, m) }

    /// `op [m], s`
    @inline(__always)
    public mutating func vmov(_ op: VectorMove, _ m: Address, _ s: XMM) { vex(op.row.store, s.rawValue, 0, m) }

    /// `op d, s`, by the load or the store opcode, whichever has the shorter prefix. Not vmovss or vmovsd.
    @inline(__always)
    public mutating func vmov(_ op: VectorMove, _ d: XMM, _ s: XMM) {
        assert(op.copies, "merges: use the RVM row")
        if s.rawValue < 8 || d.rawValue >= 8 {
            vex(op.row, d.rawValue, 0, s.rawValue)
        } else {
            vex(op.row.store, s.rawValue, 0, d.rawValue)
        }
    }

    @inline(__always)
    private static func integerRow(_ row: Encoding, _ size: OperandSize) -> Encoding {
        assert(size >= .dword, "no byte or word form")
        return size == .qword ? row.with(Encoding.w) : row
    }

    /// `vmovd d, r32` or `vmovq d, r64`; clears the rest of d.
    @inline(__always)
    public mutating func vmov(_ size: OperandSize, _ d: XMM, _ s: GPR) {
        vex(Assembler.integerRow(Encoding(.p66, .m0F, 0x6E), size), d.rawValue, 0, s.rawValue)
    }

    /// `vmovd r32, s` or `vmovq r64, s`
    @inline(__always)
    public mutating func vmov(_ size: OperandSize, _ d: GPR, _ s: XMM) {
        vex(Assembler.integerRow(Encoding(.p66, .m0F, 0x7E), size), s.rawValue, 0, d.rawValue)
    }

    /// `vmovd d, m32` or `vmovq d, m64`; clears the rest of d.
    @inline(__always)
    public mutating func vmov(_ size: OperandSize, _ d: XMM, _ m: Address) {
        assert(size >= .dword, "no byte or word form")
        vex(size == .qword ? Encoding(.pF3, .m0F, 0x7E) : Encoding(.p66, .m0F, 0x6E), d.rawValue, 0, m)
    }

    /// `vmovd m32, s` or `vmovq m64, s`
    @inline(__always)
    public mutating func vmov(_ size: OperandSize, _ m: Address, _ s: XMM) {
        assert(size >= .dword, "no byte or word form")
        vex(size == .qword ? Encoding(.p66, .m0F, 0xD6) : Encoding(.p66, .m0F, 0x7E), s.rawValue, 0, m)
    }

    /// `vmovq d, s`: the low qword, the rest cleared; load or store opcode as above
    @inline(__always)
    public mutating func vmovq(_ d: XMM, _ s: XMM) {
        if s.rawValue < 8 || d.rawValue >= 8 {
            vex(Encoding(.pF3, .m0F, 0x7E), d.rawValue, 0, s.rawValue)
        } else {
            vex(Encoding(.p66, .m0F, 0xD6), s.rawValue, 0, d.rawValue)
        }
    }

    // MARK: Between the register files

    /// `vpextrd`, `vpextrq`: d = element `lane` of s
    @inline(__always)
    public mutating func vpextr(_ size: OperandSize, _ d: GPR, _ s: XMM, lane: UInt8) {
        vex(Assembler.integerRow(Encoding(.p66, .m0F3A, 0x16), size), s.rawValue, 0, d.rawValue, lane, 1)
    }

    /// `vpextrd`, `vpextrq` to memory
    @inline(__always)
    public mutating func vpextr(_ size: OperandSize, _ m: Address, _ s: XMM, lane: UInt8) {
        vex(Assembler.integerRow(Encoding(.p66, .m0F3A, 0x16), size), s.rawValue, 0, m, lane, 1)
    }

    /// `vpinsrd`, `vpinsrq`: d = s1 with element `lane` = s2
    @inline(__always)
    public mutating func vpinsr(_ size: OperandSize, _ d: XMM, _ s1: XMM, _ s2: GPR, lane: UInt8) {
        vex(
            Assembler.integerRow(Encoding(.p66, .m0F3A, 0x22), size), d.rawValue, s1.rawValue, s2.rawValue, lane, 1)
    }

    /// `vpinsrd`, `vpinsrq` from memory
    @inline(__always)
    public mutating func vpinsr(_ size: OperandSize, _ d: XMM, _ s1: XMM, _ m: Address, lane: UInt8) {
        vex(Assembler.integerRow(Encoding(.p66, .m0F3A, 0x22), size), d.rawValue, s1.rawValue, m, lane, 1)
    }

    @inline(__always)
    private static func si2Row(_ t: FPType, _ size: OperandSize) -> Encoding {
        assert(t.isScalar, "a scalar conversion")
        return integerRow(RVM(t, .m0F, 0x2A).row, size)
    }

    /// `vcvtsi2ss`, `vcvtsi2sd`: d = the signed dword or qword s2, the upper part from s1
    @inline(__always)
    public mutating func vcvtsi2(_ t: FPType, _ size: OperandSize, _ d: XMM, _ s1: XMM, _ s2: GPR) {
        vex(Assembler.si2Row(t, size), d.rawValue, s1.rawValue, s2.rawValue)
    }

    /// `vcvtsi2ss`, `vcvtsi2sd` from memory
    @inline(__always)
    public mutating func vcvtsi2(_ t: FPType, _ size: OperandSize, _ d: XMM, _ s1: XMM, _ m: Address) {
        vex(Assembler.si2Row(t, size), d.rawValue, s1.rawValue, m)
    }

    /// d = s as a signed dword or qword; out of range is the most negative number, and invalid
    @inline(__always)
    public mutating func toInt(_ op: FPToInt, _ size: OperandSize, _ d: GPR, _ s: XMM) {
        vex(Assembler.integerRow(op.row, size), d.rawValue, 0, s.rawValue)
    }

    /// d = memory as a signed dword or qword
    @inline(__always)
    public mutating func toInt(_ op: FPToInt, _ size: OperandSize, _ d: GPR, _ m: Address) {
        vex(Assembler.integerRow(op.row, size), d.rawValue, 0, m)
    }

    /// `vmovmskps`, `vmovmskpd`: d = the sign bits of s
    @inline(__always)
    public mutating func vmovmsk(_ t: FPType, _ d: GPR, _ s: XMM) {
        vex(RVM(byWidthOf: t, .m0F, 0x50).row, d.rawValue, 0, s.rawValue)
    }

    /// `vpmovmskb`: d = the sign bits of the bytes of s
    @inline(__always)
    public mutating func vpmovmskb(_ d: GPR, _ s: XMM) { vex(Encoding(.p66, .m0F, 0xD7), d.rawValue, 0, s.rawValue) }

    // MARK: State

    /// `vldmxcsr [m]`
    public mutating func vldmxcsr(_ m: Address) { vex(Encoding(.none, .m0F, 0xAE), 2, 0, m) }
    /// `vstmxcsr [m]`
    public mutating func vstmxcsr(_ m: Address) { vex(Encoding(.none, .m0F, 0xAE), 3, 0, m) }
    /// `vzeroupper`
    public mutating func vzeroupper() {
        guard reserve() else { return }
        cursor = cursor.put32(0x77_F8C5, keep: 3)
    }
}
