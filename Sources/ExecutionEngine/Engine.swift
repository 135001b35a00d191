// The engine: one guest architecture, one host, one code cache, any number of vCPUs.
//
// Locks: `lock` (the translation lock) guards translating, linking, invalidating and flushing. It is taken before guest
// memory's own lock, never while a vCPU counts as running generated code, so that a flush can wait for all of them.

import CodeGen
import Diagnostics
import GuestKit
import GuestMemory
import HostOS
import IR
import Synchronization
import TranslationStore

public final class Engine: @unchecked Sendable {
    public let guest: any GuestArchitecture
    public let host: any HostBackEnd
    public let memory: any CodeMemory
    /// The same, of a machine.
    let machineMemory: MachineMemory?
    /// Other code may be seen at an address without that this one has changed (`CodeMemory.hasPlaces`).
    let hasPlaces: Bool
    public let options: EngineOptions

    let lock = Lock()
    let code: CodeBuffer
    let codeMemory: ExecutableMemory
    let cache: TranslationCache
    /// Translations of earlier runs, and of this one for later ones.
    let store: Store?
    /// The files that its translations are of; nil: no translations are kept.
    let source: (any CodeSource)?
    let reader: CodeReader
    let pipeline: Pipeline
    let log: TranslationLog
    /// Made with the first translation: a process that finds all of its code on disk needs none. Guarded by `lock`.
    private(set) lazy var workspace = makeWorkspace()
    /// Where hot regions are compiled beside the vCPUs.
    private(set) var background: BackgroundCompiler?
    var vcpus: [Unmanaged<VCPU>] = []
    /// Bytes of code cache that hold the host's own stubs.
    private let stubBytes: Int
    /// Counts flushes: a translation's index means something only within one generation.
    var generation: UInt64 = 0
    public internal(set) var counters = EngineCounters()
    /// A vCPU may still go on to a block of a region that has been dropped. (A translation of one block begins with an exit check, and
    /// each vCPU has been asked to leave.) Guarded by `lock`.
    private var isUnsettled = false
    let tiering: Tiering
    /// The modes of code that is made relative (`CodeView`); nil: all code is made for where it is seen.
    let movingModes: ModeSet?
    /// What devices have written to memory since code that was made from it was dropped: blocks, offsets, bytes.
    let written = Mutex<[(ObjectIdentifier, UInt64, UInt64)]>([])
    let hasWritten = Atomic<Bool>(false)
    /// Where vCPUs stop. Guarded by `lock`.
    var stopCounts = StopCounts()
    /// Of vCPUs that are gone. Guarded by `lock`.
    private var pastJumps = JumpCounters()
    /// Of all vCPUs so far; those that run are still counting.
    public var jumpCounters: JumpCounters {
        lock.withLock {
            var sum = pastJumps
            for vcpu in vcpus { vcpu._withUnsafeGuaranteedRef { sum.add($0.jumpCounters) } }
            return sum
        }
    }

    /// Guest accesses in the code made so far, where guest addresses are looked up.
    public var lookUpCounts: LookUpCounts? { host.lookUpCounts }

    public init(
        guest: any GuestArchitecture, host: any HostBackEnd, memory: any CodeMemory, options: EngineOptions
    ) throws(Errno) {
        self.guest = guest
        self.host = host
        self.memory = memory
        machineMemory = memory as? MachineMemory
        let placeSize = memory.hasPlaces ? memory.pageSize : 0
        hasPlaces = memory.hasPlaces
        self.options = options
        let anchor = unsafeBitCast(engineFaultHandler as CodeFaultHandler, to: UInt.self)
        codeMemory = try ExecutableMemory(size: options.codeCacheSize, near: anchor)
        code = CodeBuffer(writable: codeMemory.writable, executable: codeMemory.executable, size: codeMemory.size)
        // Where instructions are counted, runs are to be the same whatever other processes there were.
        movingModes =
            memory.hasPlaces && host.makesMovingCode && !options.countsInstructions && guest.wordSize == .bits64
            ? guest.movingModes : nil
        cache = try TranslationCache(
            recordCapacity: max(options.codeCacheSize / 2, 1 << 20),
            capacity: TranslationCache.capacity(forCode: options.codeCacheSize), pageSize: memory.pageSize,
            hasPlaces: memory.hasPlaces, isRelative: movingModes != nil)
        host.configure(
            HostConfiguration(
                helpers: guest.helpers, globals: guest.globals, pcOffset: guest.pcOffset, stateSize: guest.stateSize,
                floatRules: guest.floatRules, addressing: guest is any SystemGuest ? .tables : .identity,
                isProfiled: options.isProfiled, countsInstructions: options.countsInstructions),
            code: code)
        let stubBytes = code.used
        self.stubBytes = stubBytes
        source = memory.codeSource
        store = options.store.map { [source] folder in
            Store(folder, stubBytes: stubBytes, mostRanges: Workspace.rangeLimit) {
                source?.codeFileName($0) ?? folder.program
            }
        }
        let reader = CodeReader(
            memory, leastBytes: guest.instructionAlignment, longestInstruction: guest.longestInstruction)
        self.reader = reader
        log = TranslationLog(guest: guest, options: options, reader: reader)
        tiering = Tiering(options, placeSize: placeSize, longestInstruction: guest.longestInstruction)
        pipeline = Pipeline(guest: guest, options: options, log: log, tiering: tiering, cache.pageAddresses)
        FaultRegistry.add(self)
        machineMemory?.codeAppears = { [unowned(unsafe) self] in refuseWrites(to: $0) }
        // When another thread's regions come is nobody's to say: what counts instructions does the same in each run.
        if options.compilesInBackground, tiering.countsExecutions, options.diagnostics.items.rawValue == 0,
            !options.countsInstructions
        {
            background = BackgroundCompiler(self)
        }
    }

    deinit {
        background?.stop()
        FaultRegistry.remove(self)
    }

    /// The guest may have used up the mappings that it may have.
    func makeWorkspace() -> Workspace {
        MappingReserve.withRoom {
            Workspace(guest: guest, host: host, options: options, sharesGuestLoads: !memory.hasDevices)
        }
    }

    /// A vCPU that sees the memory by `space`, or, of a guest with an MMU (`SystemGuest`), by its own. ENOMEM when the host has no room
    /// for one.
    public func makeVCPU(in space: (any AddressSpace)? = nil) throws(Errno) -> VCPU {
        let vcpu = try VCPU(self, space)
        lock.withLock {
            vcpus.append(Unmanaged.passUnretained(vcpu))
            if cache.count > 0 { vcpu.prepareAllCounters() }
        }
        return vcpu
    }

    func remove(_ vcpu: VCPU) {
        lock.withLock {
            vcpus.removeAll { $0.toOpaque() == Unmanaged.passUnretained(vcpu).toOpaque() }
            pastJumps.add(vcpu.jumpCounters)
            changeStops(from: vcpu.stops.instructions, to: [])
        }
    }

    // MARK: Invalidation

    /// Drops every translation that overlaps [start, start + length) of the memory. Any thread, not from a signal handler.
    public func invalidate(start: GuestLocation, length: UInt64) {
        lock.withLock { invalidateLocked(start: start, length: length) }
    }

    func invalidateLocked(start: GuestLocation, length: UInt64) {
        reader.forget()
        background?.invalidate(start: start, length: length)
        let victims = cache.overlapping(start, length)
        if victims.isEmpty { return }
        for index in victims { kill(index) }
        cache.forgetPages(start, length)
        requestForget()
    }

    /// Takes one translation out of use: nothing finds it or jumps to it any more. Code that runs in it leaves at its next
    /// exit check, because every vCPU is asked to forget what it remembers.
    func kill(_ index: TranslationID) {
        // One that is on several of the pages is named several times.
        if !cache[index].isValid { return }
        counters.invalidated += 1
        if cache[index].isOptimized { isUnsettled = true }
        retire(index)
        putAside(index)
        cache.deadCount += 1
    }

    /// Takes one translation out of look-up and unlinks the jumps to it; its code may still run.
    func retire(_ index: TranslationID) {
        cache.remove(index)
        unlinkAll(to: index)
    }

    /// Unlinks the jumps to a translation.
    func unlinkAll(to index: TranslationID) {
        var at = cache[index].incoming
        if at != 0 { thaw() }
        while at != 0 {
            let link = cache.links[Int(at) - 1], source = TranslationID(link.source)
            codeMemory.willWrite(at: offset(of: source))
            host.unlink(cache.code(of: source), slot: Int(link.slot))
            at = link.next
        }
        cache[index].incoming = 0
    }

    /// Takes a region out of use that is not wrong, but not worth running on.
    func drop(_ index: TranslationID) {
        retire(index)
        requestForget()
    }

    /// The instruction at a location accesses a device: from now on it is the last of its block, so that what it brings about is looked at
    /// without that it is executed alone. Under the lock.
    func endBlock(behind location: GuestLocation) {
        pipeline.deviceAccesses.insert(location)
        for index in cache.overlapping(location, 1) { drop(index) }
    }

    func requestForget() {
        for vcpu in vcpus { vcpu._withUnsafeGuaranteedRef { $0.request(EngineRequest.forget) } }
    }

    /// Returns once no vCPU is in a region that has been dropped. Holds the lock; the calling thread is outside generated code.
    private func settle() {
        guard isUnsettled else { return }
        isUnsettled = false
        for vcpu in vcpus { vcpu._withUnsafeGuaranteedRef { $0.leaveGeneratedCode() } }
    }

    /// Makes later fetches of the calling vCPU see all earlier stores (an instruction fence); with `everywhere`, those of all vCPUs.
    /// Stores through the translated page's own mapping are seen at once anyway. Pages that may have changed in other ways are compared
    /// with the bytes that their translations were made from, so that a fence of a process without such pages costs nothing.
    public func synchronizeCode(everywhere: Bool) {
        dropWritten()
        if memory.hasWatchedCode {
            lock.withLock {
                let pages = memory.pagesChangedUnseen()
                if pages.isEmpty { return }
                reader.forget()
                for page in pages { dropChanged(page: page) }
            }
        }
        if everywhere { lock.withLock { settle() } }
    }

    /// Does guest memory still hold the bytes that a translation was made from? False where they were not kept.
    private func isUnchanged(_ index: TranslationID) -> Bool {
        let place = cache[index].source
        if place == 0 { return false }
        let source = cache.sources[place]
        return reader.isUnchanged(source.ranges, source.code)
    }

    /// Drops the translations with code on a guest page whose bytes have changed.
    private func dropChanged(page start: GuestLocation) {
        let length = memory.pageSize
        background?.invalidate(start: start, length: length) { ranges, code in
            !reader.isUnchanged(ranges, code)
        }
        var hasDropped = false
        for index in cache.overlapping(start, length) where !isUnchanged(index) {
            kill(index)
            hasDropped = true
        }
        if hasDropped { requestForget() }
    }

    // MARK: Flush

    /// Empties the code cache. Holds the lock; the calling vCPU must not count as running. Waits until no vCPU runs
    /// generated code.
    func flushLocked() {
        reader.forget()
        for vcpu in vcpus { vcpu._withUnsafeGuaranteedRef { $0.request(EngineRequest.pause | EngineRequest.forget) } }
        for vcpu in vcpus { vcpu._withUnsafeGuaranteedRef { $0.waitUntilStopped() } }
        cache.flush()
        background?.flush()
        code.used = stubBytes
        thaw()
        host.flush()
        store?.flush()
        tiering.flush()
        generation &+= 1
        counters.flushes += 1
    }

    /// Empties the code cache, from any thread that is not inside `VCPU.run`.
    public func flush() { lock.withLock { flushLocked() } }

    // MARK: Threads of the engine's own

    /// Ends them: some system calls are only for processes with one thread. They start again when there is work for them.
    public func endOwnThreads() { background?.stop() }

    // MARK: Fork

    /// Code before this offset is also that of forked children, or of the parent: nobody can write it before `thaw`.
    private var sharedCode = 0
    /// Links that were not made because of that.
    private var refusedLinks = 0
    /// So many cost as much as a copy of the code.
    private static let linkPatience = 512

    /// Before fork(). The lock is held until `finishFork`, unless there is no memory for a fork.
    public func prepareFork() throws(Errno) {
        lock.lock()
        // What either process adds begins on a page of its own.
        let page = Int(HostProcess.pageSize)
        code.used = min((code.used + page - 1) & ~(page - 1), code.size)
        do throws(Errno) { try codeMemory.freeze(sharedCode..<code.used) } catch {
            lock.unlock()
            throw error
        }
        sharedCode = code.used
        background?.suspend()
    }

    /// After fork(), in both processes. They have the code so far in common, which neither changes: most children soon execute a
    /// program, and only add a little. In the child only the calling thread's vCPU goes on: the others are forgotten.
    public func finishFork(isChild: Bool, surviving vcpu: VCPU) {
        refusedLinks = 0
        if isChild { ownCode { () throws(Errno) in try codeMemory.separate(from: code.used) } }
        background?.resume(isChild: isChild)
        if isChild {
            vcpus = [Unmanaged.passUnretained(vcpu)]
            store?.beginChild(count: cache.count)
            counters = EngineCounters()
            pastJumps = JumpCounters()
            vcpu.jumpCounters = JumpCounters()
        }
        lock.unlock()
    }

    /// Makes all code this process's own, so that it may change. Holds the lock.
    private func thaw() {
        guard sharedCode > 0 else { return }
        ownCode { () throws(Errno) in try codeMemory.unshare(used: code.used) }
        sharedCode = 0
    }

    private func ownCode(_ change: () throws(Errno) -> Void) {
        do throws(Errno) { try change() } catch {
            writeStandardError("martlet: fork: cannot map the code cache: \(error.message)\n")
            HostProcess.exitGroup(1)
        }
    }

    /// Takes back the code that was made last, unless other processes have it too.
    func discard(_ compiled: CompiledRegion) {
        if compiled.entry &- UInt64(UInt(bitPattern: code.executable)) >= UInt64(sharedCode) { host.discard(compiled) }
    }

    /// Makes a slot of a translation lead to another one, which is at `pc` as the source counts addresses; false: it does not.
    func link(_ source: TranslationID, slot: Int, to target: TranslationID, pc: UInt64) -> Bool {
        guard cache.hasRoomForLink, mayPatch(source) else { return false }
        codeMemory.willWrite(at: offset(of: source))
        let code = cache.code(of: source), mode = cache[source].key.mode, key = cache[target].key
        if (mode ^ key.mode) & CodeMode.relative != 0 || pc != key.pc {
            // Who sees the source does not see the target at the same delta.
            host.leaveToLookUp(code, slot: slot, mode: mode)
            counters.refusedLinks += 1
            return false
        }
        let sets = host.isMovingReturn(code, slot: slot)
        guard let entry = entry(of: target, from: source, sets: sets), host.link(code, slot: slot, to: entry, pc: pc)
        else { return false }
        cache.addLink(source: source, slot: slot, target: target)
        return true
    }

    /// Where a link leads. Other code may be seen some day at the address of another page: only where all of the target's pages are the
    /// source's too, a vCPU that executes the source sees the target as well. Elsewhere it has to have found the target itself. `sets`: the
    /// target is entered by the pc.
    private func entry(of target: TranslationID, from source: TranslationID, sets: Bool) -> UInt64? {
        let row = cache[target]
        if !hasPlaces || isAsSure(target, as: source) { return sets ? row.entryByPC : row.entry }
        var entries = cache.guardedEntries(of: target)
        let known = sets ? entries.returns : entries.links
        if known != 0 { return known }
        let entry = host.guardedEntry(
            cache.code(of: target), translation: target.row, pc: row.key.pc, mode: row.key.mode, sets: sets)
        if sets { entries.returns = entry ?? 0 } else { entries.links = entry ?? 0 }
        cache.setGuardedEntries(of: target, entries)
        return entry
    }

    /// Where the code of a translation starts in the code buffer.
    private func offset(of index: TranslationID) -> Int {
        Int(cache[index].entry &- UInt64(UInt(bitPattern: code.executable)))
    }

    private func isAsSure(_ target: TranslationID, as source: TranslationID) -> Bool {
        let row = cache[target]
        // What it is depends on that nothing is seen in the next page.
        if tiering.mayCross(row.key.pc), row.key.rest == CodeKey.noRest { return false }
        let pages = cache.pages(of: source), own = cache.pages(of: target)
        return (0..<own.count).allSatisfy { pages.place(of: own[$0].page) == own[$0].place }
    }

    /// May the code of a translation change? Code that other processes have too is not worth a copy for a few links.
    private func mayPatch(_ source: TranslationID) -> Bool {
        guard offset(of: source) < sharedCode else { return true }
        refusedLinks += 1
        if refusedLinks < Self.linkPatience { return false }
        thaw()
        return true
    }
}

extension Engine: CodeHolder {
    public func lockCode() { lock.lock() }
    public func unlockCode() { lock.unlock() }
    public func dropCode(start: GuestLocation, length: UInt64, settles: Bool) {
        invalidateLocked(start: start, length: length)
        if settles { settle() }
    }
}

extension Engine {
    /// What a profile tells of the engine at the end, by name.
    public var profileCounters: [(name: String, value: UInt64)] {
        let c = counters
        let jumps = jumpCounters
        return [
            ("translations", UInt64(c.translations)), ("translated-instructions", UInt64(c.guestInstructions)),
            ("translated-bytes", UInt64(c.guestBytes)), ("host-bytes", UInt64(c.hostBytes)),
            ("translation-nanoseconds", c.translationTime), ("regions", UInt64(c.optimized)),
            ("region-instructions", UInt64(c.optimizedInstructions)), ("region-nanoseconds", c.optimizedTime),
            ("links", UInt64(c.links)), ("invalidated", UInt64(c.invalidated)),
            ("revived", UInt64(c.revived)), ("flushes", UInt64(c.flushes)),
            ("stored", UInt64(storeCounters?.installed ?? 0)),
            ("direct-jumps", jumps.direct), ("returns", jumps.returns),
            ("return-misses", jumps.returnMisses), ("cached-jumps", jumps.cached), ("lookups", jumps.lookups),
            ("lookup-misses", jumps.lookupMisses), ("unlinked", jumps.unlinked),
        ]
    }
}

/// What an engine has done so far in this process. Guarded by the translation lock.
public struct EngineCounters: Sendable {
    public var translations = 0
    public var guestInstructions = 0
    public var guestBytes = 0
    public var hostBytes = 0
    /// Nanoseconds spent translating, where measured (`measuresTime`).
    public var translationTime: UInt64 = 0
    public var links = 0
    /// Jumps whose target is seen at another delta (`CodeView`), so that each look-up finds it anew.
    public var refusedLinks = 0
    public var invalidated = 0
    /// Of those, the ones taken into use again because their bytes had not changed.
    public var revived = 0
    public var flushes = 0
    public var optimized = 0
    /// Of those, the ones that go over several pages of memory that has places.
    public var overPages = 0
    /// Optimized regions given up because they expected something else than what happened.
    public var dropped = 0
    /// Of the instructions and nanoseconds above, those of optimized regions.
    public var optimizedInstructions = 0
    public var optimizedTime: UInt64 = 0
    /// By origin. (`translations` and `optimized` are sums of these.)
    public var baseline = Made()
    public var optimizing = Made()
    public var background = Made()

    public struct Made: Sendable {
        public var count = 0
        /// Of those, the ones that were verified.
        public var verified = 0
    }

    subscript(_ origin: CodeOrigin) -> Made {
        get {
            switch origin {
            case .baseline: baseline
            case .optimizing: optimizing
            case .background: background
            }
        }
        set {
            switch origin {
            case .baseline: baseline = newValue
            case .optimizing: optimizing = newValue
            case .background: background = newValue
            }
        }
    }
}

/// Who made a translation: the first tier, or the optimizing one on a vCPU's thread or on the compiler's.
enum CodeOrigin { case baseline, optimizing, background }
