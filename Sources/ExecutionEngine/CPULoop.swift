// The cpu loop.
//
//   run: requests -> look up (jump cache, table, translate) -> enter generated code -> handle its exit -> again

import CodeGen
import Diagnostics
import GuestKit
import GuestMemory
import HostOS

extension VCPU {
    /// Runs guest code until something needs the embedder.
    public func run() -> VCPUExit {
        while true {
            // An exit that waits for its target's translation has left generated code for good.
            if pendingLink != nil {
                if let site, let exit = translate(site) { return exit }
                // Nothing can be executed there, and the exception's handler is not the target.
                pendingLink = nil
            }
            atomic(running).pointee.store(1, ordering: .sequentiallyConsistent)
            if header.pointee.exitRequest != 0, !handleRequests() { return .interrupted }
            if mustReturnForCount() {
                atomic(running).pointee.store(0, ordering: .releasing)
                return .interrupted
            }

            let site = site
            guard let site, let entry = lookUp(site) else {
                atomic(running).pointee.store(0, ordering: .releasing)
                if let exit = site.map(translate) ?? fetchFault() { return exit }
                if mustStep {
                    mustStep = false
                    if let exit = reachStop() { return exit }
                }
                continue
            }
            if engine.options.diagnostics.items.rawValue != 0 { logExecution(site.pc) }
            if let result = handle(enter(entry)) { return result }
        }
    }

    /// Runs generated code; `running` is set. What its exit says of translations is taken up before `running` is cleared: from
    /// then on another thread may flush them.
    func enter(_ entry: UInt64) -> ExitValue {
        setActivity(.generatedCode)
        let exit = engine.host.enter(state, entry)
        setActivity(.engine)
        switch exit.reason {
        case ExitReason.sideExit, ExitReason.hot, ExitReason.fault, ExitReason.misaligned: recover()
        default: break
        }
        if countsInstructions { settleCount(exit) }
        exitGeneration = engine.generation
        atomic(running).pointee.store(0, ordering: .releasing)
        return exit
    }

    /// Serves the engine's requests. False when the embedder should look (always: the flag may have been set for both).
    func handleRequests() -> Bool {
        atomic(requestFlag).pointee.store(0, ordering: .sequentiallyConsistent)
        let requests = atomic(engineRequests).pointee.exchange(0, ordering: .sequentiallyConsistent)
        atomic(running).pointee.store(0, ordering: .sequentiallyConsistent)
        if requests & EngineRequest.pause != 0 { engine.lock.withLock {} }
        if requests & EngineRequest.written != 0 { engine.dropWritten() }
        if requests & EngineRequest.forget != 0 { forget() }
        if requests & EngineRequest.stops != 0 { takeGuestStops() }
        if requests & EngineRequest.covers != 0 { mmu?.forgetEntries() }
        return false
    }

    /// What the vCPU is to run next; nil where nothing can be executed.
    var site: CodeSite? { engine.site(programCounter, mode, in: space, currentContext) }

    /// What its translations are made for.
    var mode: UInt64 { engine.guest.mode(state) | stops.keyBit }

    private func lookUp(_ site: CodeSite) -> UInt64? {
        let cached = header.pointee.jumpCache + JumpCache.index(site.word)
        if cached.pointee.pc == site.word { return cached.pointee.code }
        guard let index = engine.hasPlaces ? lookup.find(site.key, in: site.view) : lookup.find(site.key) else {
            return nil
        }
        let entry = lookup[index].entryByPC
        currentContext.remember(site, entry, index)
        return entry
    }

    /// The slow path of look-up, under the lock: finds or makes the translation, links the exit that led here.
    private func translate(_ site: CodeSite) -> VCPUExit? {
        engine.lock.lock()
        defer { engine.lock.unlock() }
        // Another vCPU may have given its page an address.
        let site = site.key.isRelative ? self.site ?? site : site
        setActivity(engine.tiering.optimizesAtOnce(site.key.pc) ? .optimizing : .translating)
        defer { setActivity(.engine) }
        var hasFlushed = false
        let supply = engine.supply(site.key, in: site.view, &hasFlushed)
        if hasFlushed { forget() }
        defer { pendingLink = nil }
        switch supply {
        case .code(let index):
            link(to: index)
            currentContext.remember(site, lookup[index].entryByPC, index)
            return nil
        case .notExecutable: return fetchFault()
        case .notKept:
            mustStep = true
            return nil
        case .noRoom: return .outOfCodeMemory
        }
    }

    /// The translation at pc is hot, or a region expects something else than what happens.
    private func optimize() {
        guard let site else { return }
        let key = site.key
        engine.lock.lock()
        defer { engine.lock.unlock() }
        if let source = exitTranslation, exitGeneration == engine.generation {
            let row = engine.cache[source], delta = delta(of: row), jump = site.pc &- delta
            if row.key.pc != jump {
                let profile = CountedProfile(self, mode: row.key.mode, in: CodeView(space: space, delta: delta))
                let patience = engine.drop(source, site: jump, profile)
                let offset = ExecutionCounters.offset(entriesOf: jump)
                return state.storeBytes(of: patience, toByteOffset: offset, as: UInt32.self)
            }
        }
        // Whatever led here: what is looked up next is the best there is.
        currentContext.forget(site.word)
        let old = engine.find(key, in: site.view)
        if let hot = exitTranslation, exitGeneration == engine.generation, hot != old {
            // Another one is better here, or this one is out of use and none is seen.
            engine.unlinkAll(to: hot)
            return setCounter(hot, engine.tiering.patience(engine.cache[hot]))
        }
        guard let old else { return }
        setActivity(.optimizing)
        defer { setActivity(.engine) }
        let profile = CountedProfile(self, mode: key.mode, in: site.view)
        var hasFlushed = false
        let patience = engine.replace(old, profile, mayWait: !isBorrowed, &hasFlushed)
        if hasFlushed { forget() }
        setCounter(old, patience)
    }

    private func setCounter(_ translation: TranslationID, _ count: UInt32) {
        let counter = Int(engine.cache[translation].counter)
        state.storeBytes(of: count, toByteOffset: ExecutionCounters.offset(ofNumber: counter), as: UInt32.self)
    }

    private func link(to target: TranslationID) {
        guard let link = pendingLink, link.generation == engine.generation, engine.options.chaining,
            engine.cache[link.source].isValid
        else { return }
        // An in-line cache has been left with the delta of its own code.
        let pc =
            engine.host.target(engine.cache.code(of: link.source), slot: link.slot)
            ?? programCounter &- delta(of: engine.cache[link.source])
        if engine.link(link.source, slot: link.slot, to: target, pc: pc) { engine.counters.links += 1 }
    }

    // MARK: Exits

    func handle(_ exit: ExitValue) -> VCPUExit? {
        var access: MemoryAccess { header.pointee.faultIsWrite != 0 ? .write : .read }
        switch exit.reason {
        case ExitReason.chain:
            header.pointee.jumps.unlinked &+= 1
            if engine.options.chaining { pendingLink = (TranslationID(exit.translation), exit.slot, exitGeneration) }
            return nil
        case ExitReason.lookup:
            return nil
        case ExitReason.sideExit:
            return isShortOfBudget ? stepOnce() : nil
        case ExitReason.hot:
            optimize()
            return nil
        case ExitReason.fault:
            return resolveFault(header.pointee.exitValue, access)
        case ExitReason.helperFault:
            header.pointee.exitReason = 0
            header.pointee.faultSignal = 0
            return resolveFault(header.pointee.exitValue, access)
        case ExitReason.misaligned:
            return memoryFault(header.pointee.exitValue, access, .misaligned)
        default:
            header.pointee.exitReason = 0
            return handleGuest(exit)
        }
    }

    private func handleGuest(_ exit: ExitValue) -> VCPUExit? {
        switch GuestExit(word: exit.raw) {
        case .systemCall: return .systemCall
        case .exception(let code): return raise(code)
        case .instructionFence:
            engine.synchronizeCode(everywhere: false)
            return nil
        case .stateChanged:
            if let mmu { settle(mmu) }
            return nil
        case .wait: return .wait
        case .stop: return reachStop()
        case .stepped: return nil
        case .yield:
            if countsInstructions {
                count.givesWay = true
                return .interrupted
            }
            if givesWay { return .interrupted }
            spin.wait()
            return nil
        case nil: fatalError("generated code left with 0x\(String(exit.raw, radix: 16)), which means nothing")
        }
    }

    private func logExecution(_ pc: UInt64) {
        let diagnostics = engine.options.diagnostics
        if diagnostics.isEnabled(.execution, at: pc) { diagnostics.write("Trace: [0x\(String(pc, radix: 16))]\n") }
        if diagnostics.isEnabled(.cpuState, at: pc) {
            diagnostics.write(dump(withFloat: diagnostics.isEnabled(.fpuState)))
        }
    }
}
