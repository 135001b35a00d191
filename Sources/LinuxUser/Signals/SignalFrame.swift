// The signal frame of riscv64: what a handler finds on its stack and rt_sigreturn takes back.
//
//      0     siginfo_t                     128 bytes
//      128   ucontext: flags, link         16
//      144     stack: sp, flags, size      24
//      168     signal mask, padding        8 + 120
//      304     pc, x1 ... x31              256 (sigcontext is 16-byte aligned)
//      560     f0 ... f31, fcsr            264 of 528; the rest, with the end marker of extensions, is zero
//
// Source: Linux arch/riscv/include/uapi/asm/{ucontext,sigcontext,ptrace}.h, arch/riscv/kernel/signal.c.

import GuestMemory
import HostOS

enum SignalFrame {
    static let size = 1088
    static let info = 0, context = 128, stack = 144, mask = 168, registers = 304, float = 560, floatControl = 816

    /// li a7, 139 (rt_sigreturn); ecall: what `ra` points to in a handler.
    static let trampolineCode: [UInt8] = [0x93, 0x08, 0xb0, 0x08, 0x73, 0x00, 0x00, 0x00]

    /// Copies the CPU state into a frame buffer.
    static func save(_ thread: GuestThread, _ frame: UnsafeMutableRawBufferPointer) {
        let registers = thread.process.registers, state = thread.state
        frame.storeBytes(of: thread.pc, toByteOffset: Self.registers, as: UInt64.self)
        for number in 1..<32 {
            let value = loadRegister(state, registers.general[number])
            frame.storeBytes(of: value, toByteOffset: Self.registers + 8 * number, as: UInt64.self)
        }
        for number in 0..<32 {
            let value = loadRegister(state, registers.float[number])
            frame.storeBytes(of: value, toByteOffset: float + 8 * number, as: UInt64.self)
        }
        frame.storeBytes(of: thread.floatControl, toByteOffset: floatControl, as: UInt32.self)
    }

    /// Puts a frame's registers back into the CPU state.
    static func restore(_ thread: GuestThread, _ frame: UnsafeRawBufferPointer) {
        let registers = thread.process.registers, state = thread.state
        thread.pc = frame.loadUnaligned(fromByteOffset: Self.registers, as: UInt64.self)
        for number in 1..<32 {
            let value = frame.loadUnaligned(fromByteOffset: Self.registers + 8 * number, as: UInt64.self)
            storeRegister(state, registers.general[number], value)
        }
        for number in 0..<32 {
            let value = frame.loadUnaligned(fromByteOffset: float + 8 * number, as: UInt64.self)
            storeRegister(state, registers.float[number], value)
        }
        thread.floatControl = frame.loadUnaligned(fromByteOffset: floatControl, as: UInt32.self)
    }
}
