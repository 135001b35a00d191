// Breakpoints, watchpoints and single steps: what a debugger asks of a vCPU, and what becomes of a stop that it reaches. All of it belongs to
// the vCPU's thread, outside `run`.

import CodeGen
import GuestKit
import GuestMemory

extension VCPU {
    // MARK: For debuggers

    /// Has `run` return `.debug` at a stop: before the instruction at a breakpoint, behind the one that has accessed watched bytes. It does
    /// so again as long as the pc is at a breakpoint: `step` goes on. False: it can watch no memory, since it has no MMU.
    public func insert(_ stop: StopPoint) -> Bool {
        if mmu == nil, !stop.kinds.isDisjoint(with: .accesses) { return false }
        changeStops { $0.ofDebugger.append(stop) }
        return true
    }

    /// Takes back an `insert`. False: there was none.
    public func remove(_ stop: StopPoint) -> Bool {
        guard let index = stops.ofDebugger.firstIndex(of: stop) else { return false }
        changeStops { $0.ofDebugger.remove(at: index) }
        return true
    }

    public func removeAllStops() {
        if !stops.ofDebugger.isEmpty { changeStops { $0.ofDebugger = [] } }
    }

    /// Executes the instruction at the pc, breakpoint or not, and returns `.debug`: with the pc at the instruction that comes next, which
    /// is a handler's first where it has raised an exception. Other exits are what they are of `run`. No interrupt is taken but one that
    /// the instruction itself lets in.
    public func step() -> VCPUExit {
        if header.pointee.exitRequest != 0 { _ = handleRequests() }
        pendingLink = nil
        if let stop = guestStopHere() { return take(stop) ?? .debug(.step) }
        while true {
            switch pass({ stepOnce() }) {
            case nil where stepsAgain: _ = handleRequests()
            // Whoever waits may go on at any time.
            case nil, .wait: return .debug(.step)
            case let exit?: return exit
            }
        }
    }

    // MARK: Changes

    private func changeStops(_ change: (inout VCPUStops) -> Void) {
        let old = stops.instructions
        change(&stops)
        let new = stops.instructions
        stops.keyBit = new.isEmpty ? 0 : CodeKey.stops
        pendingLink = nil
        if old != new { engine.lock.withLock { engine.changeStops(from: old, to: new) } }
        mmu?.watch(stops.ofDebugger, ofGuest: stops.ofGuest)
    }

    /// Asks the guest where it has the vCPU stop now.
    func takeGuestStops() {
        guard let mmu else { return }
        let new = mmu.guest.stops(state)
        if new != stops.ofGuest { changeStops { $0.ofGuest = new } }
    }

    // MARK: Stops

    /// The pc is at an instruction that some vCPU stops at.
    func reachStop() -> VCPUExit? {
        if let stop = stopHere() { return take(stop) }
        return pass { stepOnce() }
    }

    /// The stop at the pc, if it is one of this vCPU's in its present mode.
    func stopHere() -> StopHit? {
        if stops.keyBit == 0 || stops.isPassing { return nil }
        let pc = programCounter
        if stops.ofDebugger.contains(where: { $0.kinds.contains(.execute) && $0.address == pc }) {
            return .debugger(.breakpoint)
        }
        return guestStopHere()
    }

    private func guestStopHere() -> StopHit? {
        guard let mmu, stops.keyBit != 0 else { return nil }
        let pc = programCounter
        for stop in stops.ofGuest where stop.kinds.contains(.execute) && stop.address == pc {
            if let number = mmu.guest.exception(at: stop, size: 0, state) { return .guest(number, address: pc) }
        }
        return nil
    }

    /// What a stop leads to; nil: the vCPU goes on.
    func take(_ hit: StopHit) -> VCPUExit? {
        switch hit {
        case .guest(let number, let address):
            if let mmu { enterHandler(number, value: address, mmu) }
            return nil
        case .debugger(let stop):
            guard case .watchpoint = stop else { return .debug(stop) }
            // A debugger sees what the access has done, where it has been made.
            stops.hasTrapped = false
            mmu?.watches.isPassing = true
            let exit = pass { stepOnce() }
            mmu?.watches.isPassing = false
            if exit == nil, stepsAgain { return nil }
            return stops.hasTrapped ? exit : exit ?? .debug(stop)
        }
    }

    private func pass(_ body: () -> VCPUExit?) -> VCPUExit? {
        let wasPassing = stops.isPassing
        stops.isPassing = true
        defer { stops.isPassing = wasPassing }
        return body()
    }
}
