// Guest code to host code: the pipeline, stage by stage, in one readable function. One translator per engine; its scratch storage
// is reused from translation to translation, under the translation lock.

import CodeGen
import Diagnostics
import GuestKit
import GuestMemory
import HostOS
import IR
import Optimizer

/// What became of a request to translate.
enum TranslationResult {
    case done(Int)
    /// There is no code at the address.
    case notExecutable
    /// The host cannot write-protect its page: nothing made from it may be kept.
    case unprotected
    /// The code cache is full.
    case full
}

final class Translator {
    let guest: any GuestArchitecture
    let host: any HostBackEnd
    let options: EngineOptions
    /// Made with the first translation: a process that finds all of its code on disk needs none.
    private(set) lazy var workspace = Workspace(guest: guest, host: host, options: options)
    /// Where the bytes of the stored translation are that was compared last.
    private let matched: UnsafeMutablePointer<GuestRange>
    private var matchedCount = 0
    var matchedRanges: UnsafeBufferPointer<GuestRange> { UnsafeBufferPointer(start: matched, count: matchedCount) }
    private let measuresTime: Bool
    private let isLogging: Bool
    private var sampler: VerificationSampler
    /// Copies of the code pages translated from lately, by page number, then room for what does not fit in. Another thread may
    /// unmap the originals at any time. They are write-protected, so that every change comes through `forgetWindows`.
    private let copies: UnsafeMutableRawPointer
    private let windows: UnsafeMutablePointer<UInt64>
    private static let pageSize = 4096
    private static let windowCount = 8
    private static let longestInstruction = 16
    private static let scratch = windowCount * pageSize
    private static let noPage: UInt64 = 1
    /// The code asked for last could not be write-protected.
    private var isUnprotected = false

    init(guest: any GuestArchitecture, host: any HostBackEnd, options: EngineOptions) {
        self.guest = guest
        self.host = host
        self.options = options
        matched = .allocate(capacity: PlanStorage.blockLimit)
        measuresTime = options.measuresTime
        isLogging = options.diagnostics.items.rawValue != 0
        sampler = VerificationSampler(options.verification)
        copies = .allocate(byteCount: Self.scratch + Self.pageSize + Self.longestInstruction, alignment: 16)
        windows = .allocate(capacity: Self.windowCount)
        windows.update(repeating: Self.noPage, count: Self.windowCount)
    }

    /// Translates the code at `pc`. With `isTemporary` the translation is one instruction, for one execution: nothing finds it,
    /// and its page is not write-protected.
    func translate(
        _ engine: Engine, pc: UInt64, flags: UInt64, plan: RegionPlan, optimize: Bool, isTemporary: Bool = false,
        profile: Profile? = nil
    ) -> TranslationResult {
        guard let index = engine.cache.nextIndex else { return .full }
        let workspace = workspace
        let region = workspace.region
        let start = measuresTime ? HostClock.monotonic() : 0
        var plan = plan
        while true {
            guard build(engine, index, pc, flags, plan, optimize, isTemporary, profile, workspace) else {
                return isUnprotected ? .unprotected : .notExecutable
            }
            if isLogging { log(engine, .ops, pc) }
            let failed = region.s.pointee.overflowed || !prepare(engine, optimize, pc)
            if !failed {
                guard let compiled = host.compile(region, workspace.allocation, translation: index) else {
                    return .full
                }
                let counter =
                    optimize ? ExecutionCounters.number(entriesOf: pc) : ExecutionCounters.number(index)
                engine.prepareCounter(counter, isOptimized: optimize)
                guard
                    let added = engine.cache.add(
                        pc: pc, flags: flags, compiled, ranges: workspace.blocks, code: workspace.keptCode,
                        counter: counter,
                        isOptimized: optimize, isFindable: !isTemporary, canGrow: workspace.canGrow)
                else { return .full }
                account(
                    engine, workspace, compiled, measuresTime ? HostClock.monotonic() &- start : 0,
                    optimize ? .optimizing : .baseline)
                if isLogging { logHost(engine, compiled, pc) }
                return .done(added)
            }
            // Too large for some fixed storage: a smaller region always fits.
            if plan.maxInstructions <= 1 && plan.maxBlocks == 1 { return .full }
            plan.maxInstructions = max(1, plan.maxInstructions / 2)
            plan.maxBlocks = max(1, plan.maxBlocks / 2)
        }
    }

    /// The front end's part of an optimized region: false when there is no code at `pc`, or too much.
    func buildRegion(
        _ engine: Engine, pc: UInt64, flags: UInt64, plan: RegionPlan, profile: Profile, into workspace: Workspace
    ) -> Bool {
        build(engine, 0, pc, flags, plan, true, false, profile, workspace)
            && !workspace.region.s.pointee.overflowed
    }

    /// Front end: guest bytes to IR, block by block. False when there is no code at `pc`.
    private func build(
        _ engine: Engine, _ index: Int, _ pc: UInt64, _ flags: UInt64, _ plan: RegionPlan, _ optimize: Bool,
        _ isTemporary: Bool, _ profile: Profile?, _ workspace: Workspace
    ) -> Bool {
        guard var bytes = code(engine, at: pc, isTemporary: isTemporary) else { return false }
        let region = workspace.region
        let ranges = workspace.ranges
        region.reset(pc: pc, flags: flags)
        workspace.verifies = sampler.next()
        workspace.forgetCode()
        var unit = TranslationUnit(
            region: region, pc: pc, flags: flags, plan: plan, code: bytes, pcOffset: guest.pcOffset,
            storage: workspace.plans,
            profile: profile)
        var count = 0
        while unit.beginNextBlock() {
            let start = unit.pc
            if count == 0 {
                if !isTemporary { unit.ir.checkExit(pc) }
                if !optimize, !isTemporary, engine.countsExecutions {
                    let counter = ExecutionCounters.number(index)
                    unit.ir.countExecution(pc, counter: counter)
                    unit.counter = counter
                } else if plan.countsEntries {
                    unit.ir.countExecution(pc, counter: ExecutionCounters.number(entriesOf: pc))
                    unit.beginBehindEntry()
                }
            } else if let next = code(engine, at: start, isTemporary: isTemporary) {
                bytes = next
                unit.setCode(bytes, at: start)
            } else {
                unit.missCode()
                unit.endBlock()
                continue
            }
            guest.translateBlock(&unit)
            unit.endBlock()
            if unit.instructionCount == 0 { return false }
            ranges[count] = GuestRange(start: start, end: max(unit.pc, start &+ 2))
            workspace.keep(bytes, Int(ranges[count].end &- start))
            count += 1
        }
        region.s.pointee.guestInstructions = unit.instructionCount
        workspace.canGrow = plan.countsEntries && unit.hasLeftOutCalls
        var length = 0
        for i in 0..<count { length += Int(ranges[i].end &- ranges[i].start) }
        region.s.pointee.guestLength = length
        workspace.rangeCount = count
        return true
    }

    /// Does guest memory hold the bytes that a stored translation was made from? Write-protects them as for translating; where
    /// they are is in `matchedRanges` then.
    func matches(_ engine: Engine, _ stored: StoredTranslation) -> Bool {
        let count = Int(stored.row.rangeCount)
        guard count <= PlanStorage.blockLimit else { return false }
        for i in 0..<count {
            let range = stored.range(i)
            matched[i] = GuestRange(start: range.start, end: range.start &+ range.count)
        }
        matchedCount = count
        return holds(engine, matchedRanges, stored.code)
    }

    /// Does guest memory hold these bytes in these ranges? Write-protects them as for translating.
    func holds(_ engine: Engine, _ ranges: UnsafeBufferPointer<GuestRange>, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var expected = bytes
        for range in ranges {
            let length = Int(range.end &- range.start)
            guard let bytes = code(engine, at: range.start, isTemporary: false), bytes.count >= length,
                expected.count >= length, areEqual(bytes, expected, length)
            else { return false }
            expected = UnsafeRawBufferPointer(rebasing: expected[length...])
        }
        return true
    }

    /// A copy of the code bytes at `pc`, write-protected before they are read: to the end of the page, and a little beyond when an
    /// instruction may cross it.
    private func code(_ engine: Engine, at pc: UInt64, isTemporary: Bool) -> UnsafeRawBufferPointer? {
        isUnprotected = false
        let pageSize = UInt64(Self.pageSize)
        let longest = UInt64(Self.longestInstruction)
        let page = pc & ~(pageSize - 1)
        let toPageEnd = page &+ pageSize &- pc
        if isTemporary {
            guard let bytes = engine.memory.executableBytes(at: pc) else { return nil }
            return copy(bytes, count: min(bytes.count, Self.longestInstruction), to: Self.scratch)
        }
        if toPageEnd >= longest {
            let slot = Int(truncatingIfNeeded: page / pageSize) & (Self.windowCount - 1)
            let window = copies + slot * Self.pageSize
            if windows[slot] != page, let bytes = engine.memory.executableBytes(at: page), bytes.count >= Self.pageSize
            {
                guard protect(engine, page, pageSize) else { return nil }
                if let copied = copy(bytes, count: Self.pageSize, to: slot * Self.pageSize),
                    copied.count == Self.pageSize
                {
                    windows[slot] = page
                } else {
                    windows[slot] = Self.noPage
                }
            }
            if windows[slot] == page {
                return UnsafeRawBufferPointer(start: window + Int(pc - page), count: Int(toPageEnd))
            }
        }
        guard let bytes = engine.memory.executableBytes(at: pc) else { return nil }
        let length = min(UInt64(bytes.count), toPageEnd >= longest ? toPageEnd : toPageEnd &+ longest)
        guard protect(engine, pc, length) else { return nil }
        return copy(bytes, count: Int(length), to: Self.scratch)
    }

    private func protect(_ engine: Engine, _ start: UInt64, _ length: UInt64) -> Bool {
        isUnprotected = !engine.memory.protectCode(start: start, length: length)
        return !isUnprotected
    }

    /// Does guest memory still hold the bytes that a translation was made from? False where they were not kept.
    func isUnchanged(_ engine: Engine, _ index: Int) -> Bool {
        let place = engine.cache.rows[index].source
        if place == 0 { return false }
        let source = engine.cache.sources[place]
        return isUnchanged(engine, source.ranges, source.code)
    }

    /// Does guest memory hold these bytes in these ranges, whatever was copied from it before?
    func isUnchanged(
        _ engine: Engine, _ ranges: UnsafeBufferPointer<GuestRange>, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        var expected = bytes
        for range in ranges {
            var at = range.start
            while at < range.end {
                guard let bytes = engine.memory.executableBytes(at: at) else { return false }
                let count = min(bytes.count, Int(range.end &- at), Self.pageSize)
                guard expected.count >= count, let now = copy(bytes, count: count, to: Self.scratch),
                    now.count == count, areEqual(now, expected, count)
                else { return false }
                expected = UnsafeRawBufferPointer(rebasing: expected[count...])
                at &+= UInt64(count)
            }
        }
        return true
    }

    /// Guest bytes in memory of our own; nil when they have gone meanwhile.
    private func copy(_ bytes: UnsafeRawBufferPointer, count: Int, to offset: Int) -> UnsafeRawBufferPointer? {
        let target = copies + offset
        let missing = GuestCopy.copy(
            to: UInt(bitPattern: target), from: UInt(bitPattern: bytes.baseAddress), count: count)
        return count - missing >= guest.instructionAlignment
            ? UnsafeRawBufferPointer(start: target, count: count - missing) : nil
    }

    /// Pages translated from may have changed.
    func forgetWindows() { windows.update(repeating: Self.noPage, count: Self.windowCount) }

    /// Middle: optimizer, then register allocation.
    private func prepare(_ engine: Engine, _ optimize: Bool, _ pc: UInt64) -> Bool {
        workspace.checkFrontEnd()
        // What will be optimized when it is hot is not worth a pass before that.
        if (optimize || !engine.countsExecutions) && options.optimizeOnly.contains(pc) {
            guard workspace.optimize(optimize ? .full : .baseline) else { return false }
        }
        if isLogging { log(engine, .optimizedOps, pc) }
        return workspace.allocate()
    }

    /// Counts a translation that took `time` nanoseconds.
    func account(
        _ engine: Engine, _ workspace: Workspace, _ compiled: CompiledRegion, _ time: UInt64, _ origin: CodeOrigin
    ) {
        let region = workspace.region
        engine.codeMemory.makeLargePages(used: engine.code.used)
        engine.counters.translations += 1
        engine.counters.guestInstructions += region.s.pointee.guestInstructions
        engine.counters.guestBytes += region.s.pointee.guestLength
        engine.counters.hostBytes += compiled.codeSize
        engine.counters.translationTime &+= time
        engine.counters[origin].count += 1
        if workspace.verifies { engine.counters[origin].verified += 1 }
        if origin != .baseline {
            engine.counters.optimized += 1
            engine.counters.optimizedInstructions += region.s.pointee.guestInstructions
            engine.counters.optimizedTime &+= time
            if isLogging { logRegion(region, compiled) }
        }
        options.codeListener?(compiled.entry, compiled.codeSize, region.s.pointee.guestPC)
    }

    // MARK: Logging

    private func log(_ engine: Engine, _ item: LogItem, _ pc: UInt64) {
        let diagnostics = options.diagnostics
        if item == .ops, diagnostics.isEnabled(.guestCode, at: pc) { diagnostics.write(guestListing(engine, pc)) }
        guard diagnostics.isEnabled(item, at: pc) else { return }
        let title = item == .ops ? "OP" : "OP after optimization"
        diagnostics.write("\(title):\n" + workspace.region.print(globals: guest.globals, helpers: guest.helpers) + "\n")
    }

    private func guestListing(_ engine: Engine, _ pc: UInt64) -> String {
        let region = workspace.region
        var text = "----------------\nIN: 0x" + String(pc, radix: 16) + "\n"
        for b in 0..<region.blockCount {
            let block = region.blocks[b]
            for i in Int(block.start)..<Int(block.end) where region.ops[i].opcode == .insnStart {
                let at = UInt64(bitPattern: region.ops[i].imm)
                guard let original = engine.memory.executableBytes(at: at),
                    let bytes = copy(
                        original, count: min(original.count, Self.longestInstruction), to: Self.scratch)
                else { continue }
                let (line, length) = guest.disassemble(bytes, at: at)
                var hex = ""
                for k in 0..<min(length, bytes.count) {
                    let byte = String(bytes[length - 1 - k], radix: 16)
                    hex += (byte.utf8.count < 2 ? "0" : "") + byte
                }
                let pad = String(repeating: " ", count: max(1, 18 - hex.utf8.count))
                text += "0x" + String(at, radix: 16) + ":  " + hex + pad + line + "\n"
            }
        }
        return text + "\n"
    }

    private func logRegion(_ region: Region, _ compiled: CompiledRegion) {
        let pc = region.s.pointee.guestPC
        guard options.diagnostics.isEnabled(.regions, at: pc) else { return }
        options.diagnostics.write(
            "region 0x\(String(pc, radix: 16)): \(region.s.pointee.guestInstructions) instructions, "
                + "\(compiled.codeSize) bytes of host code\n")
    }

    private func logHost(_ engine: Engine, _ compiled: CompiledRegion, _ pc: UInt64) {
        guard options.diagnostics.isEnabled(.hostCode, at: pc), compiled.codeSize > 0,
            let start = UnsafeRawPointer(bitPattern: UInt(compiled.entry))
        else { return }
        let bytes = UnsafeRawBufferPointer(start: start, count: compiled.codeSize)
        let body = options.disassembleHost?(bytes, compiled.entry) ?? "(no host disassembler)\n"
        options.diagnostics.write("OUT: [size=\(compiled.codeSize)]\n" + body + "\n")
    }
}
