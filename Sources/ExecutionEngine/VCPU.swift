// One virtual CPU: its state in relocatable memory, and the cpu loop.
//
//   run: requests -> flags -> look up (jump cache, table, translate) -> enter generated code -> handle its exit -> again
//
// A vCPU belongs to one host thread. Other threads may only set requests and wait for it to stop running generated code.

import CodeGen
import Diagnostics
import GuestKit
import GuestMemory
import HostOS
import IR
import Synchronization

/// Why `VCPU.run` returned.
public enum VCPUExit: Sendable {
    /// A system call instruction; pc is after it.
    case systemCall
    /// A breakpoint instruction; pc is at it.
    case breakpoint
    /// An illegal instruction; pc is at it.
    case illegalInstruction
    /// A guest memory access that is not possible; pc is at the instruction, the state is exact.
    case memoryFault(address: UInt64, access: MemoryAccess, kind: MemoryFaultKind)
    /// The exit flag was set; it is clear again. May be spurious.
    case interrupted
    /// The code cache cannot hold even one instruction.
    case outOfCodeMemory
}

/// Guest state of a vCPU at some moment.
public struct VCPUCheckpoint {
    fileprivate let wasBorrowed: Bool
    fileprivate let state: [UInt8]
    fileprivate let floatFlags: UInt32
    fileprivate let floatRounding: UInt32
}

public final class VCPU {
    public let engine: Engine
    /// The guest's CPU state: `stateSize` bytes.
    public let state: UnsafeMutableRawPointer
    let header: UnsafeMutablePointer<VCPUHeader>
    private let allocation: UnsafeMutableRawPointer
    /// 1 while the thread runs, or is about to run, generated code.
    private let running: UnsafeMutablePointer<UInt32>
    private var lastFlags: UInt64 = 0
    /// The host makes machine code, rather than running IR.
    let runsMachineCode: Bool
    /// Registers by global at a recovery point.
    private let recovered: UnsafeMutablePointer<UInt8>
    private let globals: [GlobalDescriptor]
    private let lookup: TranslationLookup
    /// The engine's generation when generated code was left last.
    private var exitGeneration: UInt64 = 0
    /// Another process runs on it, in this memory: see `checkpoint`. Threads that it starts end with it.
    private var isBorrowed = false
    /// The translation that a fault or side exit came from, where the host says so.
    private var exitTranslation: Int?
    /// The counters of entries, and of what indirect jumps did, are set: there are optimized regions.
    private var countsEntries = false
    /// The translation asked for last cannot be kept.
    private var mustStep = false
    /// A chain exit that waits for its target's translation.
    private var pendingLink: (source: Int, slot: Int, generation: UInt64)?

    init(_ engine: Engine) throws(Errno) {
        let size = ExecutionCounters.bytes + VCPUHeader.stride + engine.guest.stateSize
        let allocation = try HostMemory.reserve(size), jumpCache: UnsafeMutableRawPointer
        do throws(Errno) { jumpCache = try HostMemory.reserve(JumpCache.bytes) } catch {
            try? HostMemory.unmap(UInt(bitPattern: allocation), size)
            throw error
        }
        self.engine = engine
        self.allocation = allocation
        state = allocation + (ExecutionCounters.bytes + VCPUHeader.stride)
        header = VCPUHeader.of(state)
        let returnStack = UnsafeMutablePointer<JumpCacheEntry>.allocate(capacity: ReturnStack.count)
        header.initialize(
            to: VCPUHeader(
                jumpCache: jumpCache.bindMemory(to: JumpCacheEntry.self, capacity: JumpCache.count),
                returnStack: returnStack))
        running = .allocate(capacity: 1)
        running.initialize(to: 0)
        globals = engine.guest.globals
        lookup = engine.cache.lookup
        runsMachineCode = engine.host.description != nil
        recovered = .allocate(capacity: globals.count)
        engine.guest.reset(state)
        JumpCache.finishEmptying(header.pointee.jumpCache)
        forgetReturns()
    }

    deinit {
        engine.remove(self)
        try? HostMemory.unmap(UInt(bitPattern: header.pointee.jumpCache), JumpCache.bytes)
        header.pointee.returnStack.deallocate()
        running.deallocate()
        recovered.deallocate()
        let size = ExecutionCounters.bytes + VCPUHeader.stride + engine.guest.stateSize
        try? HostMemory.unmap(UInt(bitPattern: allocation), size)
    }

    // MARK: For embedders

    public var programCounter: UInt64 {
        get { state.load(fromByteOffset: engine.guest.pcOffset, as: UInt64.self) }
        set { state.storeBytes(of: newValue, toByteOffset: engine.guest.pcOffset, as: UInt64.self) }
    }

    /// Makes `run` return `.interrupted` soon. Async-signal-safe; any thread.
    public func requestExit() { header.pointee.exitRequest = 1 }

    /// The flag that `requestExit` sets: for signal handlers.
    public var requestFlag: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(header).advanced(by: MemoryLayout<VCPUHeader>.offset(of: \.exitRequest)!)
            .assumingMemoryBound(to: UInt32.self)
    }

    /// Makes the CPU state, and the floating-point flags and rounding that live in the host, equal to another vCPU's.
    public func copyState(from other: VCPU) {
        state.copyMemory(from: other.state, byteCount: engine.guest.stateSize)
        floatFlags = other.floatFlags
        floatRounding = other.floatRounding
    }

    /// A copy of what the guest sees of this vCPU, to go back to after a child process has used it in this memory. Only outside
    /// `run`.
    public func checkpoint() -> VCPUCheckpoint {
        defer { isBorrowed = true }
        return VCPUCheckpoint(
            wasBorrowed: isBorrowed,
            state: Array(UnsafeRawBufferPointer(start: state, count: engine.guest.stateSize)), floatFlags: floatFlags,
            floatRounding: floatRounding)
    }

    /// Another process runs on it from now on, in this memory.
    public func lend() { isBorrowed = true }

    /// Its thread has gone, wherever it was.
    public func abandon() {
        atomic(running).pointee.store(0, ordering: .releasing)
        pendingLink = nil
    }

    /// Goes back to a checkpoint, whatever became of the thread that ran meanwhile.
    public func restore(_ checkpoint: VCPUCheckpoint) {
        abandon()
        isBorrowed = checkpoint.wasBorrowed
        checkpoint.state.withUnsafeBytes {
            state.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(state), byteCount: $0.count)
        }
        floatFlags = checkpoint.floatFlags
        floatRounding = checkpoint.floatRounding
    }

    /// Accrued floating-point flags, in the numbering of the IR. Only outside `run`.
    public var floatFlags: UInt32 {
        get { engine.host.floatFlags(state) }
        set { engine.host.setFloatFlags(state, newValue) }
    }
    /// Dynamic rounding mode, in the numbering of the IR. Only outside `run`.
    public var floatRounding: UInt32 {
        get { header.pointee.fpRounding }
        set { engine.host.setRounding(state, newValue) }
    }

    /// How jumps between translations have found their targets so far.
    public var jumpCounters: JumpCounters {
        get { header.pointee.jumps }
        set { header.pointee.jumps = newValue }
    }

    // MARK: Counters

    /// Sets the counter of a translation that will be there when nothing has used it yet: memory is committed for those in use only.
    /// Holds the translation lock.
    func prepareCounter(_ number: Int, isOptimized: Bool) {
        if isOptimized {
            if !countsEntries { fillCounters(from: ExecutionCounters.count, engine.options.expansionThreshold) }
            countsEntries = true
        } else {
            let counter = state + ExecutionCounters.offset(ofNumber: number)
            if counter.load(as: UInt32.self) == 0 { counter.storeBytes(of: firstCount, as: UInt32.self) }
        }
    }

    /// Sets the counters of all translations there may be: for a vCPU that starts with many.
    func prepareAllCounters() {
        fillCounters(from: 0, firstCount)
        fillCounters(from: ExecutionCounters.count, engine.options.expansionThreshold)
        countsEntries = true
    }

    private var firstCount: UInt32 { max(engine.options.hotThreshold, 1) }

    private func fillCounters(from number: Int, _ value: UInt32) {
        (state + ExecutionCounters.offset(ofNumber: number)).initializeMemory(
            as: UInt32.self, repeating: value, count: ExecutionCounters.count)
    }

    // MARK: Requests from the engine

    private var engineRequests: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(header).advanced(by: MemoryLayout<VCPUHeader>.offset(of: \.engineRequests)!)
            .assumingMemoryBound(to: UInt32.self)
    }

    func request(_ bits: UInt32) {
        atomic(engineRequests).pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent)
        atomic(requestFlag).pointee.store(1, ordering: .sequentiallyConsistent)
    }

    /// Returns once the vCPU is outside generated code. It cannot enter again: the caller holds the translation lock, and a
    /// pause request makes it take that lock first.
    func waitUntilStopped() {
        while atomic(running).pointee.load(ordering: .sequentiallyConsistent) != 0 { HostThread.yield() }
    }

    /// Returns once the vCPU is outside the generated code that it is in now, if any. Under the translation lock.
    func leaveGeneratedCode() {
        // One that enters from now on sees the request to forget first.
        if atomic(running).pointee.load(ordering: .sequentiallyConsistent) == 0 { return }
        request(EngineRequest.pause)
        waitUntilStopped()
    }

    /// Does what the engine asked for, between two system calls that the flag would end. Only outside `run`.
    public func serveRequests() { _ = handleRequests() }

    private func forget() {
        header.pointee.jumpCache.update(repeating: JumpCacheEntry(pc: 0, code: 0), count: JumpCache.count)
        JumpCache.finishEmptying(header.pointee.jumpCache)
        forgetReturns()
    }

    private func forgetReturns() {
        header.pointee.returnStack.update(
            repeating: JumpCacheEntry(pc: JumpCache.noPC, code: 0), count: ReturnStack.count)
    }

    // MARK: The cpu loop

    /// Runs guest code until something needs the embedder.
    public func run() -> VCPUExit {
        while true {
            // An exit that waits for its target's translation has left generated code for good.
            if pendingLink != nil, let exit = translate(programCounter, engine.guest.translationFlags(state)) {
                return exit
            }
            atomic(running).pointee.store(1, ordering: .sequentiallyConsistent)
            if header.pointee.exitRequest != 0, !handleRequests() { return .interrupted }

            let pc = programCounter
            let flags = engine.guest.translationFlags(state)
            if flags != lastFlags {
                forget()
                lastFlags = flags
            }
            guard let entry = lookUp(pc, flags) else {
                atomic(running).pointee.store(0, ordering: .releasing)
                if let exit = translate(pc, flags) { return exit }
                if mustStep {
                    mustStep = false
                    if let exit = stepOnce() { return exit }
                }
                continue
            }
            if engine.options.diagnostics.items.rawValue != 0 { logExecution(pc) }
            if let result = handle(enter(entry)) { return result }
        }
    }

    /// Runs generated code; `running` is set. What its exit says of translations is taken up before `running` is cleared: from
    /// then on another thread may flush them.
    private func enter(_ entry: UInt64) -> ExitValue {
        setActivity(.generatedCode)
        let exit = engine.host.enter(state, entry)
        setActivity(.engine)
        switch exit.reason {
        case ExitReason.sideExit, ExitReason.hot, ExitReason.fault, UInt32(GuestExit.misaligned.rawValue): recover()
        default: break
        }
        exitGeneration = engine.generation
        atomic(running).pointee.store(0, ordering: .releasing)
        return exit
    }

    /// Serves the engine's requests. False when the embedder should look (always: the flag may have been set for both).
    private func handleRequests() -> Bool {
        atomic(requestFlag).pointee.store(0, ordering: .sequentiallyConsistent)
        let requests = atomic(engineRequests).pointee.exchange(0, ordering: .sequentiallyConsistent)
        atomic(running).pointee.store(0, ordering: .sequentiallyConsistent)
        if requests & EngineRequest.pause != 0 { engine.lock.withLock {} }
        if requests & EngineRequest.forget != 0 { forget() }
        return false
    }

    private func lookUp(_ pc: UInt64, _ flags: UInt64) -> UInt64? {
        let cached = header.pointee.jumpCache + JumpCache.index(pc)
        if cached.pointee.pc == pc { return cached.pointee.code }
        guard let index = lookup.find(pc, flags) else { return nil }
        let entry = lookup.rows[index].entry
        remember(pc, entry)
        return entry
    }

    /// Puts the code of a pc into the jump cache.
    @inline(__always) private func remember(_ pc: UInt64, _ entry: UInt64) {
        header.pointee.jumpCache[JumpCache.index(pc)] = JumpCacheEntry(pc: pc, code: entry)
    }

    /// The slow path of look-up, under the lock: translates, links the exit that led here.
    private func translate(_ pc: UInt64, _ flags: UInt64) -> VCPUExit? {
        engine.lock.lock()
        defer { engine.lock.unlock() }
        setActivity(engine.optimizesAtOnce(pc) ? .optimizing : .translating)
        defer { setActivity(.engine) }
        var attempts = 0
        var plan = engine.plan(for: pc)
        while true {
            var index = lookup.find(pc, flags)
            if index == nil, attempts == 0 {
                index = engine.revive(pc, flags)
                if index == nil {
                    engine.installStored(at: pc, flags)
                    index = lookup.find(pc, flags)
                }
            }
            if index == nil {
                if engine.cache.isMostlyDead {
                    engine.flushLocked()
                    forget()
                }
                switch engine.translator.translate(
                    engine, pc: pc, flags: flags, plan: plan, optimize: engine.optimizesAtOnce(pc))
                {
                case .done(let new): index = new
                case .notExecutable:
                    pendingLink = nil
                    return fetchFault(pc)
                case .unprotected:
                    pendingLink = nil
                    mustStep = true
                    return nil
                case .full:
                    pendingLink = nil
                    if attempts == 0 {
                        engine.flushLocked()
                        forget()
                    } else if plan.maxInstructions == 1 {
                        return .outOfCodeMemory
                    } else {
                        // Not even alone in the cache: try less.
                        plan = RegionPlan(maxBlocks: 1, maxInstructions: plan.maxInstructions / 4)
                        plan.maxInstructions = max(1, plan.maxInstructions)
                    }
                    attempts += 1
                    continue
                }
            }
            if let index {
                link(to: index)
                remember(pc, lookup.rows[index].entry)
            }
            pendingLink = nil
            return nil
        }
    }

    /// The translation at pc is hot: an optimized region takes its place, or a larger one, now or when it has been compiled. The old
    /// translation stays correct code, so nothing has to be forgotten: incoming jumps are unlinked and find the new one.
    private func optimize() {
        let pc = programCounter
        let flags = engine.guest.translationFlags(state)
        engine.lock.lock()
        defer { engine.lock.unlock() }
        if let source = exitTranslation, exitGeneration == engine.generation, engine.cache.rows[source].pc != pc {
            return drop(source, site: pc)
        }
        setActivity(.optimizing)
        defer { setActivity(.engine) }
        guard let old = engine.cache.find(pc, flags) else { return }
        let row = engine.cache.rows + old
        let profile = Profile(engine: engine, flags: flags, state: state)
        header.pointee.jumpCache[JumpCache.index(pc)] = JumpCacheEntry(pc: JumpCache.noPC, code: 0)
        profile.learn(old)
        if engine.options.optimizeOnly.contains(pc), !row.pointee.isOptimized || row.pointee.canGrow {
            if let background = engine.background, !isBorrowed, engine.vcpus.count < engine.options.processors,
                background.take(old, pc: pc, flags: flags, profile: profile) == .pending
            {
                return setCounter(old, BackgroundCompiler.patience)
            }
            optimize(old, pc, flags, profile)
        }
        if row.pointee.isOptimized { return setCounter(old, engine.options.expansionThreshold) }
        setCounter(old, max(engine.options.hotThreshold, 1))
    }

    private func optimize(_ old: Int, _ pc: UInt64, _ flags: UInt64, _ profile: Profile) {
        switch engine.translator.translate(
            engine, pc: pc, flags: flags, plan: engine.plan(toReplace: old), optimize: true, profile: profile)
        {
        case .done: engine.retire(old)
        case .notExecutable, .unprotected: return
        case .full:
            engine.flushLocked()
            forget()
        }
    }

    /// The indirect jump at `site` of an optimized region does not go where the region expects it to, time and again: another takes
    /// its place, which knows where it goes now, once the code is hot again. Each time that happens the region may be wrong for longer.
    private func drop(_ region: Int, site: UInt64) {
        let patience = UInt64(engine.options.expansionThreshold) << UInt64(engine.noteDrop(site: site))
        let offset = ExecutionCounters.offset(entriesOf: site)
        state.storeBytes(of: UInt32(min(patience, 1 << 30)), toByteOffset: offset, as: UInt32.self)
        let row = engine.cache.rows[region]
        guard row.isValid, row.isOptimized else { return }
        engine.counters.dropped += 1
        Profile(engine: engine, flags: row.flags, state: state).learnAgain(site)
        engine.drop(region)
    }

    private func setCounter(_ translation: Int, _ count: UInt32) {
        let counter = Int(engine.cache.rows[translation].counter)
        state.storeBytes(of: count, toByteOffset: ExecutionCounters.offset(ofNumber: counter), as: UInt32.self)
    }

    private func link(to target: Int) {
        guard let link = pendingLink, link.generation == engine.generation, engine.options.chaining,
            engine.cache.rows[link.source].isValid, engine.cache.hasRoomForLink, engine.mayLink(link.source)
        else { return }
        let row = engine.cache.rows + target
        guard
            engine.host.link(
                engine.cache.compiled[link.source], slot: link.slot, to: row.pointee.entry, pc: row.pointee.pc)
        else { return }
        engine.cache.addLink(source: link.source, slot: link.slot, target: target)
        engine.counters.links += 1
    }

    /// There was no code at `pc`, or not all of an instruction. Nil when there is now.
    private func fetchFault(_ pc: UInt64) -> VCPUExit? {
        // An instruction that starts on the last executable bytes misses its rest.
        let address = engine.memory.executableBytes(at: pc).map { pc &+ UInt64($0.count) } ?? pc
        return switch engine.memory.resolveFault(address: address, access: .execute) {
        case .guestFault(let kind): .memoryFault(address: address, access: .execute, kind: kind)
        case .retry, .codeWrite: nil
        }
    }

    // MARK: Exits

    private func handle(_ exit: ExitValue) -> VCPUExit? {
        switch exit.reason {
        case ExitReason.chain:
            header.pointee.jumps.unlinked &+= 1
            if engine.options.chaining { pendingLink = (exit.translation, exit.slot, exitGeneration) }
            return nil
        case ExitReason.lookup:
            return nil
        case ExitReason.sideExit:
            return nil
        case ExitReason.hot:
            optimize()
            return nil
        case ExitReason.fault:
            return resolveFault(header.pointee.exitValue, header.pointee.faultIsWrite != 0 ? .write : .read)
        default:
            header.pointee.exitReason = 0
            return handleGuest(GuestExit(rawValue: Int(exit.reason)))
        }
    }

    private func handleGuest(_ reason: GuestExit?) -> VCPUExit? {
        switch reason {
        case .systemCall: return .systemCall
        case .breakpoint: return .breakpoint
        case .illegalInstruction, nil: return .illegalInstruction
        case .instructionFence:
            engine.synchronizeCode(everywhere: false)
            return nil
        case .yield:
            HostThread.yield()
            return nil
        case .misaligned:
            return .memoryFault(address: header.pointee.exitValue, access: .write, kind: .misaligned)
        case .misalignedFetch:
            return .memoryFault(address: programCounter, access: .execute, kind: .misaligned)
        case .helperFault:
            let value = header.pointee.exitValue
            return resolveFault(value & ~(1 << 63), value >> 63 != 0 ? .write : .read)
        }
    }

    private func resolveFault(_ address: UInt64, _ access: MemoryAccess) -> VCPUExit? {
        if header.pointee.faultSignal == FaultRegistry.busSignal {
            return .memoryFault(address: address, access: access, kind: .bus)
        }
        switch engine.memory.resolveFault(address: address, access: access) {
        case .retry: return nil
        case .guestFault(let kind): return .memoryFault(address: address, access: access, kind: kind)
        case .codeWrite(let page, let length):
            engine.lock.withLock {
                let changed = engine.memory.allowWrites(start: page, length: length)
                engine.invalidateLocked(
                    start: changed.lowerBound, length: changed.upperBound - changed.lowerBound)
            }
            forget()
            // Translated as usual, the instruction could protect that page again: its block, or its region, may have code there.
            return stepOnce()
        }
    }

    /// Executes the instruction at pc alone, from a translation for one use that protects nothing.
    private func stepOnce() -> VCPUExit? {
        engine.lock.lock()
        let result = engine.translator.translate(
            engine, pc: programCounter, flags: engine.guest.translationFlags(state),
            plan: RegionPlan(maxBlocks: 1, maxInstructions: 1), optimize: false, isTemporary: true)
        guard case .done(let index) = result else {
            if case .full = result {
                engine.flushLocked()
                forget()
            }
            engine.lock.unlock()
            return nil
        }
        let entry = engine.cache.rows[index].entry
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

    /// Writes dirty globals back from the registers saved at a fault or side exit, and sets pc.
    private func recover() {
        let address = header.pointee.sideExitAddress
        // A host that keeps every global at home reports no address.
        if address == 0 {
            programCounter = header.pointee.exitPC
            exitTranslation = nil
            return
        }
        guard let index = engine.cache.containing(address) else {
            fatalError("exit at host address 0x\(String(address, radix: 16)), which no translation owns")
        }
        exitTranslation = index
        let row = engine.cache.rows + index
        let records = engine.cache.compiled[index].records
        guard
            let pc = RecoveryReader.find(
                records, pc: row.pointee.pc, offset: Int(address &- row.pointee.entry), globalCount: globals.count,
                registers: recovered)
        else {
            fatalError(
                "no recovery record at host address 0x\(String(address, radix: 16)) of the translation of 0x\(String(row.pointee.pc, radix: 16))"
            )
        }
        for (i, global) in globals.enumerated() where recovered[i] != 0 {
            let number = Int(recovered[i]) - 1
            let value = header.pointee.savedRegisters[number >= 32 ? number - 16 : number]
            if global.type.size == 4 {
                state.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: global.offset, as: UInt32.self)
            } else {
                state.storeBytes(of: value, toByteOffset: global.offset, as: UInt64.self)
            }
        }
        programCounter = pc
    }

    private func logExecution(_ pc: UInt64) {
        let diagnostics = engine.options.diagnostics
        if diagnostics.isEnabled(.execution, at: pc) { diagnostics.write("Trace: [0x\(String(pc, radix: 16))]\n") }
        if diagnostics.isEnabled(.cpuState, at: pc) {
            diagnostics.write(engine.dump(state, withFloat: diagnostics.isEnabled(.fpuState)))
        }
    }
}
