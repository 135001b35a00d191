// Translations for the cpu loop: found, taken into use again, read from disk, or made. Everything here holds the translation lock.

import CodeGen
import GuestMemory
import HostOS

/// What became of a request to translate.
enum TranslationResult {
    case done(TranslationID)
    /// There is no code at the address.
    case notExecutable
    /// Nothing made from it may be kept (`CodeReader.isForOneUse`).
    case notKept
    /// The code cache is full.
    case full
}

extension Engine {
    /// What there is for a key.
    enum Supply {
        case code(TranslationID)
        case notExecutable
        case notKept
        /// The code cache cannot hold even one instruction.
        case noRoom
    }

    /// What code is found by at an address of a view, for a mode with all its bits; nil: none is seen there.
    @inline(__always) func key(_ pc: UInt64, _ mode: UInt64, in view: CodeView) -> CodeKey? {
        guard hasPlaces else { return CodeKey(pc: pc, mode: mode) }
        return view.place(of: pc).map { key(pc, mode, at: $0, in: view) }
    }

    /// The same where the place is known.
    @inline(__always) private func key(_ pc: UInt64, _ mode: UInt64, at place: GuestPlace, in view: CodeView) -> CodeKey
    {
        var key = CodeKey(place: place, pc: pc, mode: mode)
        if tiering.mayCross(pc) { key.rest = view.place(of: tiering.nextPage(pc)) ?? CodeKey.noRest }
        return key
    }

    /// The same at an address as a vCPU sees it, by the view that it is best seen in. `context`: of the vCPU, for code that may be relative.
    @inline(__always) func site(
        _ pc: UInt64, _ mode: UInt64, in space: any AddressSpace, _ context: CodeContext?
    ) -> CodeSite? {
        var view = CodeView(space: space), mode = mode
        guard hasPlaces else { return CodeSite(pc: pc, key: CodeKey(pc: pc, mode: mode), view: view) }
        guard let place = space.place(of: pc) else { return nil }
        if let context, isMoving(mode) { mode |= relate(pc, place, &view, context) }
        return CodeSite(pc: pc, key: key(pc &- view.delta, mode, at: view.moved(place), in: view), view: view)
    }

    private func isMoving(_ mode: UInt64) -> Bool {
        movingModes.map { mode & CodeKey.stops == 0 && $0.contains(mode) } ?? false
    }

    /// The bit of relative code, and its view; 0 for code that is made for where it is seen.
    private func relate(
        _ pc: UInt64, _ place: GuestPlace, _ view: inout CodeView, _ context: CodeContext
    ) -> UInt64 {
        guard let addresses = cache.pageAddresses else { return 0 }
        let page = pc & ~(memory.pageSize &- 1), location = place.location(of: page)
        if let address = addresses.find(location) {
            view.delta = page &- address
        } else if addresses.isFull {
            return 0
        } else {
            let near = context.delta(near: page).map { page &- $0 }
            view.delta = page &- (near ?? addresses.last(location) ?? lowAddress(ofPageAt: location))
        }
        return CodeMode.relative
    }

    private func lowAddress(ofPageAt location: GuestLocation) -> UInt64 {
        guard let bytes = memory.codeBytes(at: location) else { return 0 }
        return ExecutionEngine.lowAddress(
            ofPage: UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(memory.pageSize))))
    }

    /// The translation of a key that is in look-up.
    func find(_ key: CodeKey, in view: CodeView) -> TranslationID? {
        hasPlaces ? cache.find(key, in: view) : cache.find(key)
    }

    /// The translation of a key, for a vCPU that sees what is in `view`. `hasFlushed` is set when the code cache was emptied for it.
    func supply(_ key: CodeKey, in view: CodeView, _ hasFlushed: inout Bool) -> Supply {
        if let index = find(key, in: view) ?? revive(key, in: view) { return .code(index) }
        installStored(at: key, in: view)
        if let index = find(key, in: view) { return .code(index) }
        func flush() {
            flushLocked()
            hasFlushed = true
        }
        if cache.isMostlyDead || cache.pageAddresses?.isFull == true { flush() }
        var request = tiering.first(key)
        var isAlone = false
        while true {
            switch translate(request, in: view) {
            case .done(let index): return .code(index)
            case .notExecutable: return .notExecutable
            case .notKept: return .notKept
            case .full:
                if !isAlone {
                    flush()
                    isAlone = true
                } else if request.plan.maxInstructions == 1 {
                    return .noRoom
                } else {
                    // Not even alone in the cache: less.
                    request.plan = .init(maxBlocks: 1, maxInstructions: max(1, request.plan.maxInstructions / 4))
                }
            }
        }
    }

    /// Makes a translation and takes it into the code cache, in the place of `old`.
    func translate(
        _ request: TranslationRequest, _ profile: CountedProfile? = nil, in view: CodeView,
        replacing old: TranslationID? = nil
    ) -> TranslationResult {
        let start = options.measuresTime ? HostClock.monotonic() : 0
        let workspace = workspace
        switch pipeline.make(request, profile, in: view, reader, workspace) {
        case .notExecutable: return .notExecutable
        case .notKept: return .notKept
        case .tooLarge: return .full
        case .made:
            var made = workspace.made(request, request.isOptimized ? .optimizing : .baseline)
            made.start = start
            return admit(made, replacing: old).map { .done($0) } ?? .full
        }
    }

    /// Translation `old` is hot: what takes its place is made now, or, where the vCPU may wait for it, by the compiler's thread. The old
    /// one stays correct code, so nothing has to be forgotten: incoming jumps are unlinked and find the new one. Returns the executions
    /// until it asks again.
    func replace(_ old: TranslationID, _ profile: CountedProfile, mayWait: Bool, _ hasFlushed: inout Bool) -> UInt32 {
        profile.learn(old)
        let row = cache[old]
        guard let request = tiering.replacement(of: row) else { return tiering.patience(row) }
        if mayWait, let background, vcpus.count < options.processors, background.take(old, request, profile) == .pending
        {
            return BackgroundCompiler.patience
        }
        if case .full = translate(request, profile, in: profile.view, replacing: old) {
            flushLocked()
            hasFlushed = true
        }
        return tiering.patience(row)
    }

    /// The indirect jump at `site` of an optimized region does not go where the region expects it to, time and again: another takes
    /// its place, which knows where it goes now, once the code is hot again. Returns how often the next one may be wrong.
    func drop(_ region: TranslationID, site: UInt64, _ profile: CountedProfile) -> UInt32 {
        let patience = tiering.patienceAfterDrop(at: site)
        let row = cache[region]
        if row.isValid, row.isOptimized {
            counters.dropped += 1
            profile.learnAgain(site)
            drop(region)
        }
        return patience
    }
}
