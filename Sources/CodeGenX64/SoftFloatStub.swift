// The way from generated code to SoftFloat, for the operations that the FPU cannot do exactly: a stub that keeps every
// register, so that the allocator sees no call.

import CodeGen

@c(martlet_x64_soft_float)
func evaluateSoftFloat(_ state: UnsafeMutableRawPointer, _ word: UInt64) {
    let header = VCPUHeader.of(state)
    header.pointee.softOperands[3] = FloatOperation(word: word).evaluate(
        header.pointee.softOperands[0], header.pointee.softOperands[1], header.pointee.softOperands[2],
        dynamic: header.pointee.fpRounding, flags: &header.pointee.fpFlags)
}

extension Stubs {
    /// Entered by `call` with rsp a multiple of 16 before it.
    static func emitSoftFloat(_ asm: inout Assembler) {
        let saved: [GPR] = [.rax, .rcx, .rdx, .rsi, .rdi, .r8, .r9, .r10]
        let frame: Int32 = 16 * 16 + 8
        for r in saved { asm.push(r) }
        asm.alu(.sub, .qword, .rsp, imm: frame)
        for x in XMM.allCases { asm.vmov(.vmovups, Address(.rsp, 16 * Int32(x.rawValue)), x) }
        asm.lea(.qword, .rdi, Address(.rbp, -Int32(StateRegister.bias)))
        asm.mov(.qword, .rsi, .r11)
        let target = unsafeBitCast(
            evaluateSoftFloat as @convention(c) (UnsafeMutableRawPointer, UInt64) -> Void, to: UInt.self)
        asm.call(to: target, scratch: .rax)
        for x in XMM.allCases { asm.vmov(.vmovups, x, Address(.rsp, 16 * Int32(x.rawValue))) }
        asm.alu(.add, .qword, .rsp, imm: frame)
        for r in saved.reversed() { asm.pop(r) }
        asm.ret()
    }
}
