// Who called the guest's current function: the return addresses on the vCPU's shadow return stack, as far as the guest's own stack
// confirms them.
//
// The shadow stack alone may be wrong: it keeps what a longjmp has left, and after deep recursion its oldest entries are of calls
// that have returned. A call that is still active has its return address in the guest's stack, older ones higher up, unless it is
// the newest, which may still be in a register.

import ExecutionEngine
import HostOS

struct CallStack {
    /// Return addresses, newest first.
    let addresses: UnsafeMutablePointer<UInt64>
    private let words: UnsafeMutablePointer<UInt64>
    /// Words of the guest's stack that are searched. What lies beyond is believed.
    static let wordCount = 4096

    init() {
        addresses = .allocate(capacity: ProfileFormat.callerLimit)
        words = .allocate(capacity: Self.wordCount)
    }

    func deallocate() {
        addresses.deallocate()
        words.deallocate()
    }

    /// Fills `addresses`; returns their number. Async-signal-safe.
    func read(_ vcpu: VCPU, stackPointer: UInt64) -> Int {
        let count = vcpu.returnAddresses(into: addresses, capacity: ProfileFormat.callerLimit)
        if count == 0 { return 0 }
        // Fails softly where the stack ends.
        let bytes = Self.wordCount * 8
        let missing = GuestCopy.copy(
            to: UInt(bitPattern: words), from: UInt(truncatingIfNeeded: stackPointer & ~7), count: bytes)
        return Self.confirm(
            addresses, count, on: UnsafeBufferPointer(start: words, count: (bytes &- missing) / 8),
            isWhole: missing != 0)
    }

    /// Keeps the addresses that are on the stack in their order. `isWhole`: `stack` reaches to the stack's end.
    static func confirm(
        _ addresses: UnsafeMutablePointer<UInt64>, _ count: Int, on stack: UnsafeBufferPointer<UInt64>, isWhole: Bool
    ) -> Int {
        // Frames in registers, or below a stack pointer that is not quite up to date.
        let trusted = 3
        var lowest = UInt64.max
        var highest: UInt64 = 0
        for i in 0..<count {
            lowest = min(lowest, addresses[i])
            highest = max(highest, addresses[i])
        }
        var kept = 0
        var next = 0
        for word in stack where word >= lowest && word <= highest {
            var found = next
            while found < count, addresses[found] != word { found &+= 1 }
            if found == count { continue }
            if kept == 0, found <= trusted { kept = found }
            addresses[kept] = word
            kept &+= 1
            next = found &+ 1
            if next == count { break }
        }
        if next == 0 { return isWhole ? min(count, 1) : count }
        if !isWhole {
            while next < count {
                addresses[kept] = addresses[next]
                kept &+= 1
                next &+= 1
            }
        }
        return kept
    }
}
