// Host memory faults in generated code. The handler only saves the registers and leaves generated code; the cpu loop does the
// rest outside signal context. Which engine a fault belongs to is found by host address: the one process-wide table of this target,
// because signal dispatch is process-wide.

import CodeGen
import HostOS
import Synchronization

/// One engine's code range, as the signal handler sees it.
private struct Range {
    var start: UInt64 = 0
    var end: UInt64 = 0
    var exit: UInt64 = 0
    var stateRegister = 0
    var stateBias = 0
    var registers = RegisterCounts(general: 0, float: 0)
}

private let rangeLimit = 64
nonisolated(unsafe) private var ranges: InlineArray<64, Range> = .init(repeating: Range())
private let rangesLock = Lock()

enum FaultRegistry {
    static let busSignal: UInt32 = 7

    /// Registers an engine, until `remove`. A host whose code cannot fault has nothing to register.
    static func add(_ engine: Engine) {
        HostSignals.setCodeFaultHandler(engineFaultHandler)
        if engine.host.faultExitAddress == 0 { return }
        rangesLock.withLock {
            for i in 0..<rangeLimit where ranges[i].end == 0 {
                let start = UInt64(UInt(bitPattern: engine.code.executable))
                ranges[i].start = start
                ranges[i].exit = engine.host.faultExitAddress
                ranges[i].stateRegister = engine.host.stateRegister
                ranges[i].stateBias = engine.host.stateBias
                ranges[i].registers = engine.host.registerCounts
                // A range without an end contains nothing: this comes last, and goes first.
                ranges[i].end = start + UInt64(engine.code.size)
                return
            }
            fatalError("more than \(rangeLimit) engines in one process")
        }
    }

    static func remove(_ engine: Engine) {
        let start = UInt64(UInt(bitPattern: engine.code.executable))
        rangesLock.withLock {
            for i in 0..<rangeLimit where ranges[i].start == start && ranges[i].end != 0 {
                ranges[i].end = 0
                ranges[i].start = 0
            }
        }
    }
}

@c func engineFaultHandler(_ info: UnsafeMutableRawPointer, _ context: UnsafeMutableRawPointer) -> Bool {
    let fault = FaultContext(info: info, context: context)
    let address = UInt64(fault.programCounter)
    for i in 0..<rangeLimit {
        let range = ranges[i]
        guard address >= range.start, address < range.end else { continue }
        let base = UInt(
            truncatingIfNeeded: fault[register: range.stateRegister] &- UInt64(bitPattern: Int64(range.stateBias)))
        guard let state = UnsafeMutableRawPointer(bitPattern: base) else { return false }
        let header = VCPUHeader.of(state)
        for r in 0..<range.registers.general { header.pointee.savedRegisters[r] = fault[register: r] }
        for r in 0..<range.registers.float {
            if let vector = fault.vectorRegister(r) {
                header.pointee.savedRegisters[Int(floatRegisterBase) &+ r] = vector.load(as: UInt64.self)
            }
        }
        header.pointee.sideExitAddress = address
        header.pointee.exitValue = fault.faultAddress
        header.pointee.faultIsWrite = fault.isWrite ? 1 : 0
        header.pointee.faultSignal = UInt32(bitPattern: fault.signal)
        fault.programCounter = UInt(range.exit)
        return true
    }
    return false
}
