// What one translation needs on its way from guest code to host code: a region, its allocation, and the passes' scratch storage.
// Used by one thread at a time, over and over.

import CodeGen
import Diagnostics
import GuestKit
import GuestMemory
import HostOS
import IR
import Optimizer

final class Workspace: @unchecked Sendable {
    let region: Region
    let allocation: Allocation
    /// Made with the first region that is optimized: a short process has none. As for the workspace itself, the guest may have used up the
    /// mappings that it may have.
    private lazy var optimizer = MappingReserve.withRoom { makeOptimizer() }
    let plans: PlanStorage
    /// Guest bytes of the region's blocks.
    let ranges: UnsafeMutablePointer<GuestRange>
    var rangeCount = 0
    /// The pages that these lie in.
    var pages = SeenPages(CodeKey(pc: 0, mode: 0), size: 0)
    /// How far behind its addresses the vCPU sees it that asked for it.
    var delta: UInt64 = 0
    /// The region would be larger if calls were followed further.
    var canGrow = false
    var blocks: UnsafeBufferPointer<GuestRange> { UnsafeBufferPointer(start: ranges, count: rangeCount) }
    /// The bytes of those blocks, one after the other (`SourceTable`), unless they are too many.
    private let code: UnsafeMutableRawPointer
    private var codeCount = 0
    private var keepsCode = false
    /// The region being made is verified after each stage.
    var verifies = false
    private let plant: (@Sendable (TranslationStage, Region, Allocation) -> Void)?
    private static let codeLimit = 16 << 10
    /// A block may be one instruction in two pages.
    static let rangeLimit = 2 * PlanStorage.blockLimit
    private let guest: any GuestArchitecture
    private let disabledPasses: [String]
    private let sharesGuestLoads: Bool
    private let host: HostDescription?
    private var allocator: Allocator?
    private let helpers: UnsafeMutablePointer<HelperEffects>

    /// - Parameter sharesGuestLoads: guest memory has no devices (`CodeMemory.hasDevices`).
    init(guest: any GuestArchitecture, host: any HostBackEnd, options: EngineOptions, sharesGuestLoads: Bool) {
        self.guest = guest
        self.host = host.description
        region = Region.allocate(globals: guest.globals)
        region.markEachInstruction(options.diagnostics.items.rawValue != 0 || options.isProfiled)
        allocation = Allocation.allocate(
            stepCapacity: region.s.pointee.opCapacity * 4, tempCapacity: region.s.pointee.tempCapacity)
        if let description = host.description {
            allocator = Allocator(description, region: region, allocation: allocation)
        }
        disabledPasses = options.disabledPasses
        self.sharesGuestLoads = sharesGuestLoads
        plans = PlanStorage.allocate()
        ranges = .allocate(capacity: Self.rangeLimit)
        code = .allocate(byteCount: Self.codeLimit, alignment: 8)
        helpers = .allocate(capacity: max(guest.helpers.count, 1))
        for (i, helper) in guest.helpers.enumerated() { (helpers + i).initialize(to: helper.effects) }
        plant = options.plant
    }

    private func makeOptimizer() -> OptimizerStorage {
        let optimizer = OptimizerStorage(
            region: region, globals: guest.globals, helpers: guest.helpers, disabled: Set(disabledPasses),
            sharesGuestLoads: sharesGuestLoads, memoryModel: guest.memoryModel)
        if let plant {
            optimizer.afterPass = { [allocation] pass, region in plant(.pass(pass), region, allocation) }
        }
        return optimizer
    }

    var keptCode: UnsafeRawBufferPointer? { keepsCode ? UnsafeRawBufferPointer(start: code, count: codeCount) : nil }

    /// May the code at an address be taken into the region? Its page is, if the vCPU sees code there.
    func takeIn(_ pc: UInt64, in view: CodeView, _ addresses: PageAddresses?, _ tiering: Tiering) -> Bool {
        pages.take(pc, in: view, addresses)
            && (!tiering.mayCross(pc) || pages.take(tiering.nextPage(pc), in: view, addresses))
    }

    /// Before a region is built.
    func forgetCode() {
        codeCount = 0
        keepsCode = true
    }

    /// Notes the guest bytes of the next block.
    func keep(_ bytes: UnsafeRawBufferPointer, _ count: Int) {
        guard keepsCode else { return }
        guard count <= bytes.count, codeCount + count <= Self.codeLimit, let base = bytes.baseAddress else {
            return keepsCode = false
        }
        (code + codeCount).copyMemory(from: base, byteCount: count)
        codeCount += count
    }

    /// Checks the region as the front end built it, if it is one to be verified. One that has outgrown its storage is not complete.
    func checkFrontEnd() {
        plant?(.frontEnd, region, allocation)
        if !verifies || region.s.pointee.overflowed { return }
        let problems = region.verify(globals: guest.globals, helpers: guest.helpers)
        if !problems.isEmpty { fail(.frontEnd, problems) }
    }

    /// Optimizes the region. False: it has outgrown its storage.
    func optimize(_ level: OptimizationLevel) -> Bool {
        optimizer.verifies = verifies
        if let failure = Optimizer.run(region, optimizer, level: level) {
            fail(.pass(failure.pass), failure.problems)
        }
        return !region.s.pointee.overflowed
    }

    /// Gives the region's values their registers. False: it does not fit.
    func allocate() -> Bool {
        guard let host, allocator != nil else { return true }
        guard allocator!.run(helpers) else { return false }
        plant?(.allocator, region, allocation)
        if verifies {
            let problems = AllocationChecker.check(region, allocation, host, helpers: guest.helpers)
            if !problems.isEmpty { fail(.allocator, problems) }
        }
        return true
    }

    private func fail(_ stage: TranslationStage, _ problems: [String]) -> Never {
        VerificationFailure(
            stage: stage, pc: region.s.pointee.guestPC &+ delta, problems: problems,
            region: region.print(globals: guest.globals, helpers: guest.helpers)
        ).endProcess()
    }
}
