// Loads, stores and atomics: CPU state and guest memory. A guest address is the host address, or is looked up (`Lower+Tables.swift`).
//
// Each instruction that may fault gets a recovery point and changes no register that could hold the only copy of a global:
// loads write their result last, atomics work in rax, which the op's row keeps free.

import CodeGen
import IR

extension MemOp {
    /// All four values of two bits are cases.
    @inline(__always) var operandSize: OperandSize { unsafeBitCast(log2Size & 3, to: OperandSize.self) }
}

extension Lowering {
    // MARK: CPU state

    mutating func loadState(_ s: StepPointer, _ op: OpPointer) {
        loadValue(s.pointee.dst, op, stateAddress(op.pointee.imm))
    }

    mutating func storeState(_ s: StepPointer, _ op: OpPointer) {
        storeValue(s.pointee.a, op.pointee.a, op, stateAddress(op.pointee.imm), isGuest: false)
    }

    private mutating func stateAddress(_ offset: Int64) -> Address {
        let displacement = offset &- Int64(StateRegister.bias)
        if fits(displacement) { return Address(.rbp, Int32(truncatingIfNeeded: displacement)) }
        asm.mov(.r11, imm: displacement)
        return Address(.rbp, index: .r11)
    }

    // MARK: Guest memory

    mutating func loadGuest(_ s: StepPointer, _ op: OpPointer) {
        let m = guestAddress(s, op, op.pointee.imm, isWrite: false)
        faultPoint()
        loadValue(s.pointee.dst, op, m)
        closeAccess()
    }

    mutating func storeGuest(_ s: StepPointer, _ op: OpPointer) {
        let memOp = op.pointee.memOp
        if memOp.isBigEndian, memOp.log2Size > 0, prepareReversed(s.pointee.b, op.pointee.b, op) {
            let m = guestAddress(s, op, op.pointee.imm)
            faultPoint()
            asm.vmov(memOp.log2Size == 3 ? .qword : .dword, m, .xmm15)
            return closeAccess()
        }
        let m = guestAddress(s, op, op.pointee.imm)
        faultPoint()
        storeValue(s.pointee.b, op.pointee.b, op, m, isGuest: true)
        closeAccess()
    }

    /// The memory operand of a guest access, perhaps through r11; checks alignment when the access wants it. `isWrite`: what a misaligned
    /// one is reported as. Of an address of 32 bits the register's upper half does not count.
    private mutating func guestAddress(
        _ s: StepPointer, _ op: OpPointer, _ displacement: Int64, isWrite: Bool = true
    ) -> Address {
        if usesTables { return lookUp(s, op, displacement, isWrite: isWrite) }
        let place = s.pointee.a, t = op.pointee.a, memOp = op.pointee.memOp
        var m: Address
        var register = GPR.r11
        var isPlain = false
        let isNarrow = temps[t.i].type == .i32
        if place == Place.constant {
            let sum = value(t) &+ displacement
            let target = isNarrow ? Int64(UInt32(truncatingIfNeeded: sum)) : sum
            if fits(target), !memOp.isAligned {
                m = .low(Int32(truncatingIfNeeded: target))
            } else {
                asm.mov(.r11, imm: target)
                m = Address(.r11)
                isPlain = true
            }
        } else if isNarrow || fits(displacement) {
            let low = Int32(truncatingIfNeeded: displacement)
            m = isNarrow ? .narrow(gpr(place), low) : Address(gpr(place), low)
            if low == 0 {
                isPlain = true
                register = gpr(place)
            }
        } else {
            asm.mov(.r11, imm: displacement)
            m = Address(gpr(place), index: .r11)
        }
        if memOp.isAligned, memOp.log2Size > 0 {
            if !isPlain {
                asm.lea(.qword, .r11, m)
                m = Address(.r11)
            }
            checkAlignment(register, isNarrow: isNarrow && isPlain, memOp, isWrite: isWrite)
        }
        return m
    }

    /// Leaves with `ExitReason.misaligned` unless `register`, or its low half, is a multiple of the access's size.
    private mutating func checkAlignment(_ register: GPR, isNarrow: Bool, _ memOp: MemOp, isWrite: Bool) {
        let offset = asm.offset
        point()
        asm.test(.byte, register, imm: Int32(truncatingIfNeeded: memOp.size &- 1))
        let stub = addCold(
            isWrite ? .misalignedWrite : .misalignedRead, value: offset, register: register, isNarrow: isNarrow)
        asm.jcc(.ne, stub.label)
    }

    /// The next instruction may fault on the host. (What is looked up is there.)
    @inline(__always) private mutating func faultPoint() { if !usesTables { point() } }

    // MARK: Order

    /// x86 orders everything but a store before a later load. A locked instruction does that too, in half the time of
    /// `mfence` (which orders other kinds of memory as well).
    mutating func fence(_ op: OpPointer) {
        if op.pointee.aux & UInt16(FenceOrder.storeLoad.rawValue) == 0 { return }
        asm.lockXadd(.dword, Address(.rsp, FrameLayout.scratch), .r11)
    }

    // MARK: Values

    /// dst <- memory, as the memory op says.
    private mutating func loadValue(_ dst: UInt8, _ op: OpPointer, _ m: Address) {
        let memOp = op.pointee.memOp
        let type = op.pointee.type
        let size = memOp.operandSize
        let isReversed = memOp.isBigEndian && size != .byte
        if type.isFloat {
            let d = xmm(dst)
            asm.vmov(type.vectorMove, d, m)
            if isReversed { asm.rvm(.vpshufb, d, d, .rip(type == .f32 ? stubs.pool.reverse32 : stubs.pool.reverse64)) }
            return
        }
        let d = gpr(dst)
        if isReversed {
            if size == .word {
                asm.movzx(d, .word, m)
                asm.shift(.rol, .word, d, imm: 8)
            } else {
                asm.movbe(size, d, m)
            }
            if memOp.isSigned, size < type.operandSize { asm.movsx(type.operandSize, d, size, d) }
        } else if memOp.isSigned, size < type.operandSize {
            asm.movsx(type.operandSize, d, size, m)
        } else {
            asm.movzx(d, size, m)
        }
    }

    /// memory <- the low bytes of a register or a constant. Big-endian values that need a scratch register are the caller's
    /// (`prepareReversed`) when the address may need it too.
    private mutating func storeValue(_ place: UInt8, _ t: Temp, _ op: OpPointer, _ m: Address, isGuest: Bool) {
        let memOp = op.pointee.memOp
        let size = memOp.operandSize
        let isReversed = memOp.isBigEndian && size != .byte
        if place == Place.constant {
            if !isReversed { return asm.mov(size, m, imm: imm32(t)) }
            // Of a byte-reversed constant only 8 bytes may not fit an immediate: those came through `prepareReversed`.
            let reversed = UInt64(bitPattern: value(t)).byteSwapped &>> UInt64(64 &- 8 &* memOp.size)
            if size == .qword {
                asm.mov(.r11, imm: Int64(bitPattern: reversed))
                return asm.mov(.qword, m, .r11)
            }
            return asm.mov(size, m, imm: Int32(truncatingIfNeeded: reversed))
        }
        if op.pointee.type.isFloat {
            if isReversed { reverse(xmm(place), op.pointee.type) }
            return asm.vmov(op.pointee.type.vectorMove, m, isReversed ? .xmm15 : xmm(place))
        }
        if isReversed { asm.movbe(size, m, gpr(place)) } else { asm.mov(size, m, gpr(place)) }
    }

    /// Puts the byte-reversed value to store into xmm15 where that is not simply a `movbe`. False: nothing done.
    private mutating func prepareReversed(_ place: UInt8, _ t: Temp, _ op: OpPointer) -> Bool {
        if op.pointee.type.isFloat {
            reverse(xmm(place), op.pointee.type)
            return true
        }
        guard place == Place.constant, op.pointee.memOp.log2Size == 3 else { return false }
        asm.mov(.r11, imm: value(t).byteSwapped)
        asm.vmov(.qword, .xmm15, .r11)
        return true
    }

    private mutating func reverse(_ x: XMM, _ type: ValueType) {
        asm.vmov(.vmovaps, .xmm15, x)
        asm.rvm(.vpshufb, .xmm15, .xmm15, .rip(type == .f32 ? stubs.pool.reverse32 : stubs.pool.reverse64))
    }

    // MARK: Atomics

    /// The result is in rax, which no source shares; the old value of the result's global is elsewhere.
    mutating func readModifyWrite(_ s: StepPointer, _ op: OpPointer) {
        let memOp = op.pointee.memOp
        let size = memOp.operandSize
        let m = atomicAddress(s, op)
        let b = gpr(s.pointee.b)
        let isReversed = memOp.isBigEndian && size != .byte
        switch op.pointee.atomicOp {
        case .swap:
            asm.mov(.qword, .rax, b)
            if isReversed { reverse(.rax, size) }
            faultPoint()
            asm.xchg(size, m, .rax)
        case .add where !isReversed:
            asm.mov(.qword, .rax, b)
            faultPoint()
            asm.lockXadd(size, m, .rax)
        default:
            updateLoop(op.pointee.atomicOp, size, m, b, isReversed: isReversed)
        }
        if isReversed { reverse(.rax, size) }
        extend(.rax, memOp, op.pointee.type)
        closeAccess()
    }

    /// The memory operand of an atomic access; `scratch` is not in it.
    private mutating func atomicAddress(_ s: StepPointer, _ op: OpPointer) -> Address {
        let m = guestAddress(s, op, 0)
        guard usesTables, m.base == GPR.r10.rawValue else { return m }
        asm.alu(.add, .qword, .r11, .r10)
        return Address(.r11)
    }

    /// A register that neither the allocator nor an atomic access's memory operand uses. (The address of one is a plain register, so r11 is
    /// free after the alignment check.)
    private var scratch: GPR { usesTables ? .r10 : .r11 }

    /// rax = memory; memory = rax op b.
    private mutating func updateLoop(_ kind: AtomicOp, _ size: OperandSize, _ m: Address, _ b: GPR, isReversed: Bool) {
        faultPoint()
        asm.movzx(.rax, size, m)
        let again = asm.here()
        asm.mov(.qword, scratch, .rax)
        if isReversed { reverse(scratch, size) }
        switch kind {
        case .swap: asm.mov(.qword, scratch, b)
        case .add: asm.alu(.add, .qword, scratch, b)
        case .and: asm.alu(.and, .qword, scratch, b)
        case .or: asm.alu(.or, .qword, scratch, b)
        case .xor: asm.alu(.xor, .qword, scratch, b)
        case .smin: takeIf(.g, size, b)
        case .smax: takeIf(.l, size, b)
        case .umin: takeIf(.a, size, b)
        case .umax: takeIf(.b, size, b)
        }
        if isReversed { reverse(scratch, size) }
        faultPoint()
        asm.lockCmpxchg(size, m, scratch)
        asm.jcc(.ne, again)
    }

    /// `scratch` = b if `scratch` compares so with b.
    private mutating func takeIf(_ code: ConditionCode, _ size: OperandSize, _ b: GPR) {
        asm.alu(.cmp, size, scratch, b)
        asm.binary(.cmov(code), .qword, scratch, b)
    }

    private mutating func reverse(_ r: GPR, _ size: OperandSize) {
        if size == .word { asm.shift(.rol, .word, r, imm: 8) } else { asm.bswap(size, r) }
    }

    /// Extends the value of an access in `r` to `type`.
    private mutating func extend(_ r: GPR, _ memOp: MemOp, _ type: ValueType) {
        let size = memOp.operandSize
        if size >= type.operandSize { return }
        if memOp.isSigned { asm.movsx(type.operandSize, r, size, r) } else { asm.movzx(r, size, r) }
    }

    /// Expected in rax, result in rax.
    mutating func compareAndSwap(_ s: StepPointer, _ op: OpPointer) {
        let memOp = op.pointee.memOp
        let size = memOp.operandSize
        let m = atomicAddress(s, op)
        let isReversed = memOp.isBigEndian && size != .byte
        var new = gpr(s.pointee.c)
        if isReversed {
            asm.mov(.qword, scratch, new)
            reverse(scratch, size)
            reverse(.rax, size)
            new = scratch
        }
        faultPoint()
        asm.lockCmpxchg(size, m, new)
        if isReversed { reverse(.rax, size) }
        extend(.rax, memOp, op.pointee.type)
        closeAccess()
    }

    /// Operands and old value are in the CPU state. The instruction's registers are the row's clobbers.
    mutating func compareAndSwapPair(_ s: StepPointer, _ op: OpPointer) {
        let m = guestAddress(s, op, 0)
        let operands = Int32(truncatingIfNeeded: op.pointee.imm) &- Int32(StateRegister.bias)
        asm.mov(.qword, .rax, Address(.rbp, operands))
        asm.mov(.qword, .rdx, Address(.rbp, operands &+ 8))
        asm.mov(.qword, .rbx, Address(.rbp, operands &+ 16))
        asm.mov(.qword, .rcx, Address(.rbp, operands &+ 24))
        faultPoint()
        asm.lockCmpxchg16b(m)
        asm.mov(.qword, Address(.rbp, operands), .rax)
        asm.mov(.qword, Address(.rbp, operands &+ 8), .rdx)
        closeAccess()
    }
}
