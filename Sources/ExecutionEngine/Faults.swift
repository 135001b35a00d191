// Guest accesses that are not possible, and stores to pages with translated code.

import CodeGen
import GuestMemory
import HostOS

extension VCPU {
    /// There was no code at the pc, or not all of an instruction. Nil when there is now.
    func fetchFault() -> VCPUExit? {
        // To stop at an address comes before what may be there.
        if let stop = stopHere() { return take(stop) }
        // An instruction that starts on the last executable bytes misses its rest.
        let pc = programCounter
        var address = pc
        if let key = site?.key, let bytes = engine.memory.codeBytes(at: key.location) {
            address &+=
                engine.hasPlaces ? min(UInt64(bytes.count), engine.tiering.nextPage(pc) &- pc) : UInt64(bytes.count)
        }
        return switch space.resolveFault(address: address, access: .execute) {
        case .guestFault(let kind): memoryFault(address, .execute, kind)
        case .retry, .codeWrite: nil
        }
    }

    func resolveFault(_ address: UInt64, _ access: MemoryAccess) -> VCPUExit? {
        if header.pointee.faultSignal == FaultRegistry.busSignal {
            return memoryFault(address, access, .bus)
        }
        if let hit = mmu?.takeHit() { return take(hit) }
        switch space.resolveFault(address: address, access: access) {
        case .retry:
            guard let mmu, mmu.mustStep else { return nil }
            mmu.mustStep = false
            if let key = site?.key { engine.lock.withLock { engine.endBlock(behind: key.location) } }
            return stepAgain()
        case .guestFault(let kind): return memoryFault(address, access, kind)
        case .codeWrite(let page, let length):
            engine.lock.withLock {
                let changed = engine.memory.allowWrites(start: page, length: length)
                engine.invalidateLocked(
                    start: changed.lowerBound, length: changed.upperBound &- changed.lowerBound)
            }
            forget()
            // Translated as usual, the instruction could protect that page again: its block, or its region, may have code there.
            return stepAgain()
        }
    }

    /// Executes the instruction at pc alone, from a translation for one use that protects nothing.
    func stepOnce() -> VCPUExit? {
        let wasStepping = isStepping
        isStepping = true
        defer { isStepping = wasStepping }
        // A page that it stores to may become code again each time, by other vCPUs: requests are served now and then.
        for _ in 0..<64 {
            stepsAgain = false
            let exit = tryStep(mayFlush: true)
            if exit != nil || !stepsAgain { return exit }
        }
        return nil
    }

    /// The same when what kept it from being done is out of the way, perhaps in the middle of a try.
    private func stepAgain() -> VCPUExit? {
        if !isStepping { return stepOnce() }
        stepsAgain = true
        return nil
    }

    private func tryStep(mayFlush: Bool) -> VCPUExit? {
        guard let site = engine.site(programCounter, mode, in: space, nil) else { return fetchFault() }
        engine.lock.lock()
        let result = engine.translate(engine.tiering.once(site.key), in: site.view)
        guard case .done(let index) = result else {
            if case .full = result {
                engine.flushLocked()
                forget()
            }
            engine.lock.unlock()
            if case .notExecutable = result { return fetchFault() }
            return mayFlush ? tryStep(mayFlush: false) : .outOfCodeMemory
        }
        let entry = engine.cache[index].entry
        let generation = engine.generation
        atomic(running).pointee.store(1, ordering: .sequentiallyConsistent)
        engine.lock.unlock()
        let exit = enter(entry)
        // Its exits are not worth linking, but its faults count.
        let outcome = exit.reason == ExitReason.chain ? nil : handle(exit)
        engine.lock.withLock {
            // Nothing refers to it: when nothing came after it, its room is free again.
            if engine.generation == generation, let compiled = engine.cache.removeLast(index) {
                engine.discard(compiled)
            }
        }
        return outcome
    }
}
