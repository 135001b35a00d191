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
    /// Of the first six; -1 for one that is on the stack.
    let arguments: [Int]
    let result: Int
    /// Bytes above the stack pointer where arguments are that have no register, in order.
    let stackArguments: [Int]
    let hasStackArguments: Bool
    /// Where a failed call says so; nil when its result is negative.
    let errorFlag: (register: Int, clear: UInt64, set: UInt64)?
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
        let convention = abi.convention
        var arguments: [Int] = [], onStack: [Int] = []
        for source in convention.arguments {
            switch source {
            case .register(let name):
                guard let offset = byName[name], onStack.isEmpty else { return nil }
                arguments.append(offset)
            case .stack(let offset): onStack.append(offset)
            }
        }
        while arguments.count < 6 { arguments.append(-1) }
        self.arguments = arguments
        stackArguments = onStack
        hasStackArguments = !onStack.isEmpty
        switch convention.errors {
        case .negative: errorFlag = nil
        case .flag(let name, let clear, let set):
            guard let register = byName[name] else { return nil }
            errorFlag = (register, clear, set)
        }
        guard let number = byName[convention.number], let result = byName[convention.result],
            let stack = byName[convention.stackPointer],
            let thread = byName[convention.threadPointer ?? convention.stackPointer],
            let link = byName[layout.returnAddress], arguments.count + onStack.count >= 6
        else { return nil }
        systemCallNumber = number
        self.result = result
        stackPointer = stack
        threadPointer = convention.threadPointer == nil ? -1 : thread
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
