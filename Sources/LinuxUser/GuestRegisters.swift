// Where the registers that system calls, signals and program start need are in the CPU state: looked up by name once,
// then plain loads and stores.

import ExecutionEngine
import GuestKit
import LinuxABI
import Synchronization

/// The registers of one system call: offsets in the CPU state. A value of numbers alone, so that a call costs no reference
/// counts.
struct CallRegisters: BitwiseCopyable, Sendable {
    let number: Int
    /// Of the first six; -1 for one that is on the stack.
    let arguments: InlineArray<6, Int>
    let result: Int
    /// Registers have 64 bits, all arguments are there, and a result that is negative tells an error: nothing needs a second
    /// look.
    let arePlain: Bool
}

/// Offsets in the CPU state of the registers that user mode touches. Registers hold numbers of the host's byte order.
public final class GuestRegisters: Sendable {
    /// 64 bits, whatever the guest's width.
    let pc: Int
    /// Bytes of an integer register: 4 or 8.
    let size: Int
    /// Where a signal handler's return address goes.
    let returnAddress: Int
    let call: CallRegisters
    /// Bytes above the stack pointer where arguments are that have no register, in order.
    let stackArguments: [Int]
    /// Where a failed call says so; nil when its result is negative.
    let errorFlag: (register: Int, clear: UInt64, set: UInt64)?
    let stackPointer: Int
    let threadPointer: Int
    private let guest: any GuestArchitecture
    private let abi: LinuxGuestABI
    private let madeFrame = AtomicLazyReference<FrameRegisters>()

    /// Nil when the guest has no register of a name that the ABI uses.
    init?(guest: any GuestArchitecture, abi: LinuxGuestABI) {
        self.guest = guest
        self.abi = abi
        let registers = guest.registers
        func register(_ name: String) -> RegisterDescriptor? { registers.first { $0.name == name } }
        func offset(_ name: String) -> Int? { register(name)?.offset }
        pc = guest.pcOffset
        let convention = abi.convention
        var arguments: [Int] = [], onStack: [Int] = []
        for source in convention.arguments {
            switch source {
            case .register(let name):
                guard let offset = offset(name), onStack.isEmpty else { return nil }
                arguments.append(offset)
            case .stack(let offset): onStack.append(offset)
            }
        }
        while arguments.count < 6 { arguments.append(-1) }
        stackArguments = onStack
        switch convention.errors {
        case .negative: errorFlag = nil
        case .flag(let name, let clear, let set):
            guard let register = offset(name) else { return nil }
            errorFlag = (register, clear, set)
        }
        guard let number = offset(convention.number), let result = offset(convention.result),
            let stack = offset(convention.stackPointer),
            let thread = offset(convention.threadPointer ?? convention.stackPointer),
            let link = offset(abi.signalFrame.returnAddress), arguments.count + onStack.count >= 6
        else { return nil }
        size = register(convention.stackPointer)?.size ?? 8
        call = CallRegisters(
            number: number, arguments: InlineArray { arguments[$0] }, result: result,
            arePlain: size == 8 && abi.words.size == 8 && onStack.isEmpty && errorFlag == nil
                && abi.table.hasHostErrors)
        stackPointer = stack
        threadPointer = convention.threadPointer == nil ? -1 : thread
        returnAddress = link
    }

    /// The registers of a signal frame. Made for the first one: most programs have none.
    var frame: RegisterCopies {
        if let made = madeFrame.load() { return made.copies }
        return madeFrame.storeIfNil(
            FrameRegisters(RegisterCopies(abi.signalFrame.registers, of: guest.registers))
        ).copies
    }

    /// The registers of each set of a core file.
    var core: (general: RegisterCopies, others: [RegisterCopies]) {
        func copies(_ set: RegisterSetLayout) -> RegisterCopies { RegisterCopies(set.registers, of: guest.registers) }
        return (copies(abi.core.general), abi.core.others.map { copies($0.layout) })
    }

    /// An integer register, extended with zeros; 0 for a negative offset.
    @inline(__always)
    func load(_ state: UnsafeMutableRawPointer, _ offset: Int) -> UInt64 {
        if size == 4 { return offset < 0 ? 0 : UInt64(state.load(fromByteOffset: offset, as: UInt32.self)) }
        return loadRegister(state, offset)
    }

    @inline(__always)
    func store(_ state: UnsafeMutableRawPointer, _ offset: Int, _ value: UInt64) {
        if size == 8 { return storeRegister(state, offset, value) }
        if offset >= 0 {
            state.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: offset, as: UInt32.self)
        }
    }
}

private final class FrameRegisters: Sendable {
    let copies: RegisterCopies
    init(_ copies: RegisterCopies) { self.copies = copies }
}

/// The registers of a record in guest memory: of a signal frame, or of a set in a core file.
struct RegisterCopies: Sendable {
    private var plain: [RegisterCopy] = []
    private var computed: [(register: RegisterDescriptor, place: Int, size: Int)] = []

    /// Slots of registers that the guest does not have are left out.
    init(_ slots: [SignalFrameLayout.Slot], of registers: [RegisterDescriptor]) {
        for slot in slots {
            guard let register = registers.first(where: { $0.name == slot.register }) else { continue }
            if let offset = register.offset {
                plain.append(
                    RegisterCopy(state: offset, stateSize: register.size, frame: slot.offset, frameSize: slot.size))
            } else {
                computed.append((register, slot.offset, slot.size))
            }
        }
    }

    func save(_ vcpu: VCPU, _ record: UnsafeMutableRawPointer, _ words: Words) {
        for copy in plain { copy.save(vcpu.state, record, words) }
        for (register, place, size) in computed {
            Words(size: size, order: words.order).storeWord(register.read(vcpu.state, vcpu), record, at: place)
        }
    }

    func restore(_ vcpu: VCPU, _ record: UnsafeRawPointer, _ words: Words) {
        for copy in plain { copy.restore(vcpu.state, record, words) }
        for (register, place, size) in computed {
            register.write(vcpu.state, vcpu, Words(size: size, order: words.order).loadWord(record, at: place))
        }
    }
}

/// A register and its place in a record in guest memory.
struct RegisterCopy: BitwiseCopyable, Sendable {
    var state: Int, stateSize: Int
    var frame: Int, frameSize: Int

    func save(_ state: UnsafeRawPointer, _ record: UnsafeMutableRawPointer, _ words: Words) {
        let at = state + self.state
        let value = stateSize == 4 ? UInt64(at.load(as: UInt32.self)) : at.load(as: UInt64.self)
        Words(size: frameSize, order: words.order).storeWord(value, record, at: frame)
    }

    func restore(_ state: UnsafeMutableRawPointer, _ record: UnsafeRawPointer, _ words: Words) {
        let value = Words(size: frameSize, order: words.order).loadWord(record, at: frame)
        if stateSize == 4 {
            state.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: self.state, as: UInt32.self)
        } else {
            storeRegister(state, self.state, value)
        }
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
