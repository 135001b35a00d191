// Optimized regions compiled on a thread of their own, while the vCPUs go on with the translations they have.
//
//   vCPU, under the translation lock:     front end -> a free workspace -> waiting
//   compiler's thread, without a lock:    optimizer -> allocator -> host code away from the code cache
//   compiler's thread, under the lock:    install, unless the guest code has changed or the cache was flushed meanwhile
//
// Everything but the workspace being compiled is guarded by the engine's translation lock. The thread is started at the first hot
// region: a short process has none.

import CodeGen
import GuestMemory
import HostOS
import IR
import Synchronization

final class BackgroundCompiler: @unchecked Sendable {
    /// A hot region on its way.
    private struct Job {
        var workspace: Workspace
        var request: TranslationRequest
        /// The translation to be replaced, and the generation that its number is of.
        var old: TranslationID
        var generation: UInt64
        /// The guest code has changed.
        var isStale = false
    }

    /// What became of a hot translation that was handed over.
    enum Reply {
        /// It is being compiled, or will be: look again after some more executions.
        case pending
        /// This one is for the caller to compile.
        case refused
    }

    /// Executions until a hot translation asks again for its region.
    static let patience: UInt32 = 256
    private static let workspaceLimit = 3

    /// The engine waits for the thread before it goes: `stop`.
    private unowned(unsafe) let engine: Engine
    private let compiler: any RegionCompiler
    private var free: [Workspace] = []
    private var workspaceCount = 0
    private var waiting: [Job] = []
    private var current: Job?
    /// Regions that did not fit: the caller makes smaller ones.
    private var tooLarge: Set<TranslationID> = []
    /// Held while the thread compiles: fork waits for it, so that no allocator of memory is caught in the middle.
    private let compiling = Lock()
    /// Changes with each job and at the end; the thread sleeps on it.
    private let signal: UnsafeMutablePointer<UInt32>
    private var hasThread = false
    private var isStopping = false
    /// The thread's number once it is at its end.
    private let ended: UnsafeMutablePointer<UInt32>

    /// Nil for a host that cannot compile away from its code buffer.
    init?(_ engine: Engine) {
        guard let compiler = engine.host.makeCompiler() else { return nil }
        self.engine = engine
        self.compiler = compiler
        signal = .allocate(capacity: 1)
        signal.initialize(to: 0)
        ended = .allocate(capacity: 1)
        ended.initialize(to: 0)
    }

    deinit {
        signal.deallocate()
        ended.deallocate()
    }

    // MARK: For vCPUs, under the translation lock

    /// Hands over the hot translation `old`; the request is for what takes its place.
    func take(_ old: TranslationID, _ request: TranslationRequest, _ profile: CountedProfile) -> Reply {
        if isPending(old) { return startThread() ? .pending : .refused }
        if tooLarge.remove(old) != nil { return .refused }
        guard let workspace = freeWorkspace() else { return .pending }
        guard
            engine.pipeline.decode(request, profile, in: profile.view, engine.reader, workspace),
            !workspace.region.s.pointee.overflowed,
            startThread()
        else {
            free.append(workspace)
            return .refused
        }
        waiting.append(Job(workspace: workspace, request: request, old: old, generation: engine.generation))
        wake()
        return .pending
    }

    /// Guest code in [start, start + length) has changed, or, with `isChanged`, may have: that is asked about the bytes of a region.
    func invalidate(
        start: GuestLocation, length: UInt64,
        where isChanged: (UnsafeBufferPointer<GuestRange>, UnsafeRawBufferPointer) -> Bool = { _, _ in true }
    ) {
        func check(_ job: inout Job) {
            let blocks = job.workspace.blocks
            guard !job.isStale,
                blocks.contains(where: { $0.start &- start < length || start &- $0.start < $0.end &- $0.start })
            else { return }
            job.isStale = job.workspace.keptCode.map { isChanged(blocks, $0) } ?? true
        }
        for i in waiting.indices { check(&waiting[i]) }
        if current != nil { check(&current!) }
    }

    /// Code that stops somewhere is to stop elsewhere.
    func stopsChanged() {
        for i in waiting.indices where waiting[i].request.key.hasStops { waiting[i].isStale = true }
        if current?.request.key.hasStops == true { current?.isStale = true }
    }

    /// Translations have new numbers from now on.
    func flush() { tooLarge.removeAll(keepingCapacity: true) }

    /// Before fork(): the thread stands still until `resume`.
    func suspend() { compiling.lock() }

    /// After fork(). The child has no such thread: it starts its own when it needs one.
    func resume(isChild: Bool) {
        compiling.unlock()
        guard isChild else { return }
        hasThread = false
        isStopping = false
        ended.pointee = 0
        if !waiting.isEmpty { waiting.removeAll() }
        // What the parent's thread was working on is in an unknown state, and stays so.
        if current != nil {
            workspaceCount -= 1
            current = nil
        }
    }

    /// Ends the thread and waits until the kernel has forgotten it; the next hot region starts it again. Not under the translation
    /// lock.
    func stop() {
        var spin = SpinWait()
        while true {
            let (isRunning, isOurs) = engine.lock.withLock {
                let isOurs = hasThread && !isStopping
                if isOurs {
                    isStopping = true
                    wake()
                }
                return (hasThread, isOurs)
            }
            guard isRunning else { return }
            if isOurs { break }
            spin.wait()
        }
        while publishedWord(ended) == 0 { spin.wait() }
        HostThread.waitUntilGone(Int32(bitPattern: ended.pointee))
        engine.lock.withLock {
            ended.pointee = 0
            isStopping = false
            hasThread = false
        }
    }

    private func isPending(_ old: TranslationID) -> Bool {
        func matches(_ job: Job) -> Bool { job.old == old && job.generation == engine.generation && !job.isStale }
        return waiting.contains(where: matches) || current.map(matches) ?? false
    }

    private func freeWorkspace() -> Workspace? {
        if let workspace = free.popLast() { return workspace }
        guard workspaceCount < Self.workspaceLimit else { return nil }
        workspaceCount += 1
        return engine.makeWorkspace()
    }

    private func startThread() -> Bool {
        if hasThread { return true }
        // Guest signals are for the guest's threads.
        hasThread = (try? HostThread.start("compiler", blocksSignals: true) { self.run() }) != nil
        return hasThread
    }

    private func wake() {
        publishWord(signal, signal.pointee &+ 1)
        Futex.wake(UInt64(UInt(bitPattern: signal)), isPrivate: true)
    }

    // MARK: The thread

    private func run() {
        HostThread.setName(HostThread.ownName)
        while true {
            let seen = publishedWord(signal)
            engine.lock.lock()
            if isStopping {
                engine.lock.unlock()
                publishWord(ended, UInt32(bitPattern: HostProcess.threadID))
                return
            }
            let job = waiting.isEmpty ? nil : waiting.removeFirst()
            current = job
            engine.lock.unlock()
            guard let job else {
                Futex.wait(signal, while: seen)
                continue
            }
            compile(job)
        }
    }

    private func compile(_ job: Job) {
        let start = engine.options.measuresTime ? HostClock.monotonic() : 0
        compiling.lock()
        let workspace = job.workspace
        var code: UnsafeRawBufferPointer?
        if engine.pipeline.prepare(job.request, workspace) {
            code = compiler.compile(workspace.region, workspace.allocation)
        }
        compiling.unlock()
        let time = engine.options.measuresTime ? HostClock.monotonic() &- start : 0
        engine.lock.withLock {
            if let code {
                install(code, time)
            } else if job.generation == engine.generation {
                tooLarge.insert(job.old)
            }
            free.append(workspace)
            current = nil
        }
    }

    private func install(_ code: UnsafeRawBufferPointer, _ time: UInt64) {
        guard let job = current, !job.isStale, job.generation == engine.generation,
            engine.cache[job.old].isValid
        else { return }
        var made = job.workspace.made(job.request, .background, .exported(code))
        made.time = time
        made.start = engine.options.measuresTime ? HostClock.monotonic() : 0
        _ = engine.admit(made, replacing: job.old)
    }
}
