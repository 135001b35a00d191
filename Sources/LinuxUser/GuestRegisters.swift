// Where the registers that system calls, signals and program start need are in the CPU state: looked up by name once,
// then plain loads and stores.

import GuestKit
import LinuxABI

/// Offsets in the CPU state of the registers that user mode touches.
public struct GuestRegisters: Sendable {
    let general: [Int]  // by hardware number; -1 for a register that is not stored (a constant zero)
    let float: [Int]
    let pc: Int
    /// Rounding mode field of the floating-point control register, 32 bits.
    let floatRounding: Int
    let systemCallNumber: Int
    let arguments: [Int]
    let result: Int
    let stackPointer: Int
    let threadPointer: Int

    /// Nil when the guest has no register of a name that the ABI uses.
    init?(guest: any GuestArchitecture, abi: LinuxGuestABI) {
        let registers = guest.registers
        var byName: [String: Int] = [:]
        byName.reserveCapacity(registers.count)
        for register in registers { byName[register.name] = register.offset }
        general = (0..<32).map { byName["x\($0)"] ?? -1 }
        float = (0..<32).map { byName["f\($0)"] ?? -1 }
        pc = guest.pcOffset
        floatRounding = byName["frm"] ?? -1
        arguments = abi.registers.arguments.map { byName[$0] ?? -1 }
        guard let number = byName[abi.registers.number], let result = byName[abi.registers.result],
            let stack = byName[abi.registers.stackPointer], let thread = byName[abi.registers.threadPointer],
            arguments.count == 6, !arguments.contains(-1)
        else { return nil }
        systemCallNumber = number
        self.result = result
        stackPointer = stack
        threadPointer = thread
    }
}

/// A 64-bit register of a CPU state.
@inline(__always)
func loadRegister(_ state: UnsafeMutableRawPointer, _ offset: Int) -> UInt64 {
    offset < 0 ? 0 : state.load(fromByteOffset: offset, as: UInt64.self)
}

@inline(__always)
func storeRegister(_ state: UnsafeMutableRawPointer, _ offset: Int, _ value: UInt64) {
    if offset >= 0 { state.storeBytes(of: value, toByteOffset: offset, as: UInt64.self) }
}
