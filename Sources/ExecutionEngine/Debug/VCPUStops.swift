// Where a vCPU stops, and what it has come to.

import GuestKit

/// Why a vCPU has stopped for its debugger.
public enum DebugStop: Equatable, Sendable {
    /// The pc is at a breakpoint.
    case breakpoint
    /// The instruction before the pc, or the system call at it, has accessed watched bytes.
    case watchpoint(StopPoint, address: UInt64, isWrite: Bool)
    /// One instruction has been executed, or has entered its exception's handler.
    case step
}

/// A stop that has been reached.
enum StopHit {
    /// One of the guest's own: its exception, and the address that was executed or accessed.
    case guest(UInt32, address: UInt64)
    case debugger(DebugStop)
}

/// Belongs to the vCPU's thread.
struct VCPUStops {
    var ofDebugger: [StopPoint] = []
    var ofGuest: [StopPoint] = []
    /// What keys of its code have in their mode: `CodeKey.stops` where it has to stop at instructions.
    var keyBit: UInt64 = 0
    /// The instruction at the pc is executed whatever stops there.
    var isPassing = false
    /// An exception's handler has been entered.
    var hasTrapped = false

    /// Addresses of instructions.
    var instructions: Set<UInt64> {
        Set((ofDebugger + ofGuest).lazy.filter { $0.kinds.contains(.execute) }.map(\.address))
    }
}
