// One virtual CPU: its state in relocatable memory, and what embedders and the engine do with it. What it does itself is in
// `CPULoop.swift`.
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
    /// An exception by the guest's own number (`GuestExit.exception`); pc is at the instruction.
    case exception(UInt32)
    /// A guest memory access that is not possible; pc is at the instruction, the state is exact.
    case memoryFault(address: UInt64, access: MemoryAccess, kind: MemoryFaultKind)
    /// The exit flag was set; it is clear again. May be spurious.
    case interrupted
    /// It waits for an interrupt. Only of a machine's vCPU.
    case wait
    /// The code cache cannot hold even one instruction.
    case outOfCodeMemory
    /// It has stopped for a debugger.
    case debug(DebugStop)
}

/// Guest state of a vCPU at some moment.
public struct VCPUCheckpoint {
    fileprivate let wasBorrowed: Bool
    fileprivate let state: [UInt8]
    fileprivate let floatFlags: UInt32
    fileprivate let floatRounding: UInt32
}

public final class VCPU: FloatEnvironment {
    public let engine: Engine
    /// What it sees at guest addresses.
    public let space: any AddressSpace
    /// The same, of a machine's vCPU.
    public let mmu: MMU?
    /// Of a machine's vCPU; set before it runs.
    public unowned(unsafe) var surroundings: (any VCPUSurroundings)?
    /// The guest's CPU state: `stateSize` bytes.
    public let state: UnsafeMutableRawPointer
    let header: UnsafeMutablePointer<VCPUHeader>
    private let allocation: UnsafeMutableRawPointer
    /// 1 while the thread runs, or is about to run, generated code.
    let running: UnsafeMutablePointer<UInt32>
    /// The host makes machine code, rather than running IR.
    let runsMachineCode: Bool
    let countsInstructions: Bool
    var count = InstructionCount()
    /// Its thread runs other vCPUs too: it leaves at the guest's hint that it waits for one of them. Set before it runs.
    public var givesWay = false
    /// Between two of the guest's hints that it waits for another hart.
    var spin = SpinWait()
    /// By global, where its value is at a recovery point.
    let recovered: UnsafeMutablePointer<RecoverySource>
    let globals: [GlobalDescriptor]
    let lookup: TranslationLookup
    /// What it remembers of where code is, unless the MMU has several.
    private let context: CodeContext
    /// The engine's generation when generated code was left last.
    var exitGeneration: UInt64 = 0
    /// Another process runs on it, in this memory: see `checkpoint`. Threads that it starts end with it.
    var isBorrowed = false
    /// The translation that a fault or side exit came from, where the host says so.
    var exitTranslation: TranslationID?
    /// The counters of entries, and of what indirect jumps did, are set: there are optimized regions.
    var countsEntries = false
    /// The translation asked for last cannot be kept.
    var mustStep = false
    /// An instruction is being executed alone (`stepOnce`), and has to be tried again.
    var isStepping = false
    var stepsAgain = false
    /// Where it stops.
    var stops = VCPUStops()
    /// A chain exit that waits for its target's translation.
    var pendingLink: (source: TranslationID, slot: Int, generation: UInt64)?

    /// `space`: nil for a vCPU of a machine, which has one of its own.
    init(_ engine: Engine, _ space: (any AddressSpace)?) throws(Errno) {
        let size = ExecutionCounters.bytes + VCPUHeader.stride + engine.guest.stateSize
        let context = try CodeContext(translations: engine.hasPlaces ? engine.cache.capacity : 0)
        let allocation = try HostMemory.reserve(size)
        self.engine = engine
        self.allocation = allocation
        self.context = context
        state = allocation + (ExecutionCounters.bytes + VCPUHeader.stride)
        header = VCPUHeader.of(state)
        header.initialize(to: VCPUHeader(jumpCache: context.jumpCache, returnStack: context.returnStack))
        header.pointee.knownTranslations = context.known?.words
        running = .allocate(capacity: 1)
        running.initialize(to: 0)
        globals = engine.guest.globals
        lookup = engine.cache.lookup
        runsMachineCode = engine.host.description != nil
        countsInstructions = engine.options.countsInstructions
        recovered = .allocate(capacity: globals.count)
        engine.host.prepare(state)
        engine.guest.reset(state)
        if let space {
            mmu = nil
            self.space = space
            return
        }
        guard let guest = engine.guest as? any SystemGuest, let memory = engine.machineMemory else {
            fatalError("a vCPU without an address space, of a guest without an MMU")
        }
        do throws(Errno) {
            let mmu = try MMU(guest, state, memory, context)
            mmu.usesEntries = runsMachineCode
            self.mmu = mmu
            self.space = mmu
            header.pointee.slowAccess = { [unowned(unsafe) mmu] in mmu.access(&$1) }
        } catch {
            try? HostMemory.unmap(UInt(bitPattern: allocation), size)
            throw error
        }
        if countsInstructions {
            mmu?.counting = DeviceCounting(
                mayTouch: { [unowned(unsafe) self] in isAtBlockEnd },
                touched: { [unowned(unsafe) self] in returnBehindInstruction() })
        }
        header.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit {
        engine.remove(self)
        header.pointee.slowAccess = { _, _ in .leave }
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

    /// To be called when `AddressSpace.place` gives other answers than before. Translations stay, and are found again. Only outside
    /// `run`, by the vCPU's thread.
    public func placesHaveChanged() { forget() }

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

    // MARK: Requests from the engine

    var engineRequests: UnsafeMutablePointer<UInt32> {
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
        var spin = SpinWait()
        while atomic(running).pointee.load(ordering: .sequentiallyConsistent) != 0 { spin.wait() }
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

    /// What it remembers of where code is, for what it executes now.
    @inline(__always) var currentContext: CodeContext { mmu?.context ?? context }

    func forget() { if let mmu { mmu.forgetCode() } else { context.forget() } }
}
