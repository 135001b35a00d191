// Guest code to what the host makes code of, stage by stage: front end, optimizer, register allocation. It knows no engine, no code
// cache and no policy: a request says what is wanted, the reader has the bytes, and the workspace holds the result.

import CodeGen
import GuestKit
import GuestMemory
import IR
import Optimizer

/// What is to be translated, and how. A value, which refers to nothing: it may wait for the compiler's thread.
struct TranslationRequest: Sendable {
    var key: CodeKey
    /// The page of its pc, and the next one, where an instruction may go on there.
    var pages: SeenPages
    var plan: RegionPlan
    /// An optimized region, rather than a baseline translation.
    var isOptimized = false
    /// One instruction, for one execution: nothing finds it, and its bytes are not write-protected.
    var isTemporary = false
    /// The optimizer's part; nil: none.
    var level: OptimizationLevel?
    /// It counts its executions, to be made again when it is hot.
    var countsExecutions = false
}

/// What became of a request.
enum PipelineResult {
    /// The workspace holds the region, and its allocation.
    case made
    /// There is no code at the address.
    case notExecutable
    /// Nothing made from it may be kept (`CodeReader.isForOneUse`).
    case notKept
    /// Not even one instruction fits into the fixed storage.
    case tooLarge
}

/// Guarded by the translation lock, but for `prepare`.
final class Pipeline {
    private let guest: any GuestArchitecture
    private let layout: GuestLayout
    private let log: TranslationLog
    private let tiering: Tiering
    private var sampler: VerificationSampler
    /// Where code of keys with stops stops.
    var stops: Set<UInt64> = []
    private let startedOffset: Int?
    /// Where instructions are counted, those that access devices, as far as is known: each ends its block.
    var deviceAccesses: Set<GuestLocation> = []

    private let pageAddresses: PageAddresses?

    init(
        guest: any GuestArchitecture, options: EngineOptions, log: TranslationLog, tiering: Tiering,
        _ pageAddresses: PageAddresses?
    ) {
        self.pageAddresses = pageAddresses
        self.guest = guest
        self.tiering = tiering
        layout = GuestLayout(guest)
        self.log = log
        sampler = VerificationSampler(options.verification)
        startedOffset = options.countsInstructions ? VCPUHeader.offset(of: \.started) : nil
    }

    /// All stages. What is too large for some fixed storage is made smaller. `profile`: how the code has run so far, where that is known.
    /// `view`: what the vCPU sees that it is made for.
    func make(
        _ request: TranslationRequest, _ profile: (any ExecutionProfile)?, in view: CodeView,
        _ reader: CodeReader, _ workspace: Workspace
    ) -> PipelineResult {
        var request = request
        while true {
            guard decode(request, profile, in: view, reader, workspace) else {
                return reader.isForOneUse ? .notKept : .notExecutable
            }
            if !workspace.region.s.pointee.overflowed, prepare(request, workspace) { return .made }
            if request.plan.maxInstructions <= 1 && request.plan.maxBlocks == 1 { return .tooLarge }
            request.plan.maxInstructions = max(1, request.plan.maxInstructions / 2)
            request.plan.maxBlocks = max(1, request.plan.maxBlocks / 2)
        }
    }

    /// Front end: guest bytes to IR, block by block. The only stage that asks the profile. False when there is no code at the address.
    func decode(
        _ request: TranslationRequest, _ profile: (any ExecutionProfile)?, in view: CodeView,
        _ reader: CodeReader, _ workspace: Workspace
    ) -> Bool {
        let pc = request.key.pc, plan = request.plan
        workspace.pages = request.pages
        workspace.delta = view.delta
        /// The bytes at an address; in the last ones of a page, of one instruction, which may go on in the next one.
        func code(at pc: UInt64) -> UnsafeRawBufferPointer? {
            let location = workspace.pages.location(of: pc)
            if !request.isTemporary, !tiering.mayCross(pc) { return reader.bytes(at: location) }
            let rest = tiering.mayCross(pc) ? workspace.pages.known(tiering.nextPage(pc)) : nil
            return reader.instruction(at: location, rest: rest, protects: !request.isTemporary)
        }
        guard var bytes = code(at: pc) else { return false }
        let region = workspace.region
        let ranges = workspace.ranges
        region.reset(pc: pc, flags: request.key.mode)
        workspace.verifies = sampler.next()
        workspace.forgetCode()
        var unit = TranslationUnit(
            region: region, pc: pc, flags: request.key.guestMode, plan: plan, code: bytes, guest: layout,
            storage: workspace.plans, profile: profile,
            stops: request.key.hasStops && !request.isTemporary ? stops : [])
        unit.startedOffset = startedOffset
        unit.isRelative = request.key.isRelative
        if plan.maxBlocks > 1, tiering.placeSize > 0 {
            let addresses = request.key.isRelative ? pageAddresses : nil
            unit.admits = { [tiering] in workspace.takeIn($0, in: view, addresses, tiering) }
        }
        if !deviceAccesses.isEmpty {
            unit.endsBlock = { [deviceAccesses] in deviceAccesses.contains(workspace.pages.location(of: $0)) }
        }
        var used = request.pages
        var count = 0
        while unit.beginNextBlock() {
            let start = unit.pc
            if count == 0 {
                if !request.isTemporary { unit.ir.checkExit(pc) }
                if request.countsExecutions {
                    unit.ir.countExecution(pc, counter: ExecutionCounters.own)
                    unit.countsExecutions = true
                } else if plan.countsEntries {
                    unit.ir.countExecution(pc, counter: ExecutionCounters.number(entriesOf: pc))
                    unit.beginBehindEntry()
                }
            } else if let next = code(at: start) {
                bytes = next
                unit.setCode(bytes, at: start)
            } else {
                unit.missCode()
                unit.endBlock()
                continue
            }
            let isStop = unit.isAtStop
            if isStop { unit.exit(.stop, at: start) } else { guest.translateBlock(&unit) }
            unit.endBlock()
            if unit.instructionCount == 0, !isStop { return false }
            let least = UInt64(guest.instructionAlignment)
            let length = max(unit.pc &- start, least)
            let location = workspace.pages.location(of: start)
            workspace.keep(bytes, Int(length))
            let inPage = tiering.mayCross(start) ? min(length, reader.toPageEnd(location)) : length
            ranges[count] = GuestRange(start: location, end: location &+ inPage)
            count += 1
            used.add(start, of: workspace.pages)
            if inPage < length {
                let next = tiering.nextPage(start), rest = workspace.pages.location(of: next)
                ranges[count] = GuestRange(start: rest, end: rest &+ (length &- inPage))
                count += 1
                used.add(next, of: workspace.pages)
            }
        }
        workspace.pages = used
        workspace.canGrow = plan.countsEntries && unit.hasLeftOutCalls
        var length = 0
        for i in 0..<count { length += Int(ranges[i].end &- ranges[i].start) }
        region.setGuest(instructions: unit.instructionCount, length: length)
        workspace.rangeCount = count
        log.frontEnd(workspace.region, pages: workspace.pages, delta: view.delta)
        return true
    }

    /// Middle: optimizer, then register allocation. False: the region does not fit. Needs no lock.
    func prepare(_ request: TranslationRequest, _ workspace: Workspace) -> Bool {
        workspace.checkFrontEnd()
        if let level = request.level, !workspace.optimize(level) { return false }
        log.optimized(workspace.region, delta: workspace.delta)
        return workspace.allocate()
    }
}
