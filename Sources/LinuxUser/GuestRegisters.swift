// Where the registers that system calls, signals and program start need are in the CPU state: looked up by name once,
// then plain loads and stores.

import GuestKit
import LinuxABI

/// Offsets in the CPU state of the registers that user mode touches.
public struct GuestRegisters: Sendable {
    let pc: Int
    /// Rounding mode of the floating-point control register, 32 bits; -1 when there is none.
    let floatRounding: Int
    /// Where a signal handler's return address goes.
    let returnAddress: Int
    /// The registers of a signal frame: offsets in the CPU state and in the frame.
    let frame: [(state: Int, frame: Int)]
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
        let layout = abi.signalFrame
        pc = guest.pcOffset
        floatRounding = layout.floatControl.flatMap { byName[$0.roundingRegister] } ?? -1
        frame = layout.registers.compactMap { slot in byName[slot.register].map { ($0, slot.offset) } }
        arguments = abi.registers.arguments.map { byName[$0] ?? -1 }
        guard let number = byName[abi.registers.number], let result = byName[abi.registers.result],
            let stack = byName[abi.registers.stackPointer], let thread = byName[abi.registers.threadPointer],
            let link = byName[layout.returnAddress],
            arguments.count == 6, !arguments.contains(-1)
        else { return nil }
        systemCallNumber = number
        self.result = result
        stackPointer = stack
        threadPointer = thread
        returnAddress = link
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
