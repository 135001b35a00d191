// A hart of a machine, as privileged code of this target sees it: the state behind a pointer, and what its guest was configured with.

import GuestKit
import IR

/// What the functions below the guest's object need of it: fixed, shared by all harts.
struct SystemConfiguration {
    let extensions: RISCVExtensions
    let inputs: SystemInputs
    let csrs: CSRTable
    /// Bits of mstatus that can be written.
    let writableStatus: UInt64

    init(_ extensions: RISCVExtensions, _ inputs: SystemInputs) {
        self.extensions = extensions
        self.inputs = inputs
        csrs = CSRTable(CSRRows(extensions).rows)
        writableStatus = MStatus.writable(extensions)
    }

    /// Width of registers.
    var isNarrow: Bool { extensions.contains(.rv32) }
    var hasSupervisor: Bool { extensions.contains(.s) }
    var hasUser: Bool { extensions.contains(.u) }
    /// All bits of a register.
    var wordMask: UInt64 { isNarrow ? 0xffff_ffff : .max }
    /// The highest bit of a register: in causes, of interrupts; in mstatus, SD.
    var topBit: UInt64 { isNarrow ? 1 << 31 : 1 << 63 }
    /// Bits of an exception's program counter that may be set (IALIGN).
    var epcMask: UInt64 { wordMask & (extensions.contains(.zca) ? ~1 : ~3) }
}

/// A hart. As cheap to make as the pointer.
struct Hart {
    let state: UnsafeMutableRawPointer
    private let pointer: UnsafeMutablePointer<PrivilegedState>

    @inline(__always) init(_ state: UnsafeMutableRawPointer) {
        self.state = state
        pointer = (state + Self.start).assumingMemoryBound(to: PrivilegedState.self)
    }

    /// Where `PrivilegedState` begins: a constant, which the offset of a field named by a key path is not for whoever asks by a function.
    @inline(__always) static var start: Int {
        MemoryLayout<RISCVMachineState>.offset(of: \.privileged).unsafelyUnwrapped
    }

    var p: PrivilegedState {
        @inline(__always) unsafeAddress { UnsafePointer(pointer) }
        @inline(__always) nonmutating unsafeMutableAddress { pointer }
    }

    /// Set by `reset`, which comes before everything else.
    @inline(__always) var configuration: UnsafePointer<SystemConfiguration> { p.configuration.unsafelyUnwrapped }

    var privilege: Privilege { Privilege(rawValue: UInt8(truncatingIfNeeded: p.privilege)) ?? .machine }

    /// The part of the state that user mode has, too.
    var user: RISCVState {
        @inline(__always) unsafeAddress { UnsafePointer(state.assumingMemoryBound(to: RISCVState.self)) }
        @inline(__always) nonmutating unsafeMutableAddress { state.assumingMemoryBound(to: RISCVState.self) }
    }

    // MARK: What is around it

    /// Ticks of the machine's timer.
    var time: UInt64 { configuration.pointee.inputs.time(state, 0, 0, 0, 0) }
    func viewsChanged() { _ = configuration.pointee.inputs.viewsChanged(state, 0, 0, 0, 0) }
    func deadlineChanged() {
        if configuration.pointee.inputs.deadlineChanged(state, 0, 0, 0, 0) != 0 { p.outcome = Outcome.leave }
    }
    func stopsChanged() { _ = configuration.pointee.inputs.stopsChanged(state, 0, 0, 0, 0) }
    func flush(_ kind: UInt64 = 0, address: UInt64 = 0, space: UInt64 = 0) {
        _ = configuration.pointee.inputs.flush(state, kind, address, space, 0)
    }
}
