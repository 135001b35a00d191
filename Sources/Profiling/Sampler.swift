// Takes the samples of one thread. `take` runs in a signal handler on that thread: it allocates nothing, takes no lock, and ends with
// one write to the profile.

import CLinux
import ExecutionEngine
import GuestMemory
import HostOS

/// Where the guest's stack pointer is: its index among the globals and its offset in the CPU state.
public struct StackPointerPlace: Sendable {
    var global: Int
    var offset: Int
    public init(global: Int, offset: Int) {
        self.global = global
        self.offset = offset
    }
}

/// Lives in raw memory, used by its thread only.
struct Sampler {
    var file: Int32
    var thread: Int32
    let vcpu: Unmanaged<VCPU>
    let stackPointer: StackPointerPlace
    private var callers: CallStack
    private let line: UnsafeMutablePointer<UInt8>

    /// The longest line: letters, spaces and 16 digits for each of the numbers.
    private static let lineCapacity = (ProfileFormat.callerLimit + 5) * 17 + 16

    init(file: Int32, thread: Int32, vcpu: VCPU, stackPointer: StackPointerPlace) {
        self.file = file
        self.thread = thread
        self.vcpu = .passUnretained(vcpu)
        self.stackPointer = stackPointer
        callers = CallStack()
        line = .allocate(capacity: Self.lineCapacity)
    }

    func deallocate() {
        callers.deallocate()
        line.deallocate()
    }

    mutating func take(_ fault: FaultContext, _ periods: UInt64) {
        let seen = vcpu._withUnsafeGuaranteedRef {
            $0.observe(fault, global: stackPointer.global, at: stackPointer.offset)
        }
        let count = vcpu._withUnsafeGuaranteedRef { callers.read($0, stackPointer: seen.register) }
        var end = line
        func put(_ byte: UInt8) {
            end.pointee = byte
            end += 1
        }
        func put(hex value: UInt64) {
            var shift = value == 0 ? 0 : (63 &- value.leadingZeroBitCount) & ~3
            while shift >= 0 {
                let digit = UInt8(truncatingIfNeeded: value &>> UInt64(truncatingIfNeeded: shift)) & 15
                put(digit < 10 ? 48 &+ digit : 87 &+ digit)
                shift &-= 4
            }
        }
        let space = UInt8(ascii: " ")
        put(UInt8(ascii: "S"))
        put(space)
        put(hex: UInt64(UInt32(bitPattern: thread)))
        put(space)
        put(hex: periods)
        put(space)
        put(seen.activity.letter)
        if seen.detail != 0 { put(hex: UInt64(seen.detail)) }
        put(space)
        put(hex: seen.pc)
        for i in 0..<count {
            put(space)
            put(hex: callers.addresses[i])
        }
        put(10)
        let text = Int(bitPattern: line), length = end - line, descriptor = Int(file)
        _ = HostLimits.withoutSizeSignal { kernel(SYS_write, descriptor, text, length) }
    }
}

@c func takeSample(_ info: UnsafeMutableRawPointer, _ context: UnsafeMutableRawPointer, _ periods: UInt64) {
    guard let sampler = ThreadSlot.sampler?.assumingMemoryBound(to: Sampler.self) else { return }
    sampler.pointee.take(FaultContext(info: info, context: context), periods)
}
