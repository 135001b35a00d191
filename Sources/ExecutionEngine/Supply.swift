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

    /// What code is found by that a vCPU sees at an address; nil: it sees none.
    @inline(__always) func key(_ pc: UInt64, _ mode: UInt64, in space: any AddressSpace) -> CodeKey? {
        guard hasPlaces else { return CodeKey(pc: pc, mode: mode) }
        guard let place = space.place(of: pc) else { return nil }
        var key = CodeKey(place: place, pc: pc, mode: mode)
        if tiering.mayCross(pc) { key.rest = space.place(of: tiering.nextPage(pc)) ?? CodeKey.noRest }
        return key
    }

    /// The translation of a key that is in look-up.
    func find(_ key: CodeKey, in space: any AddressSpace) -> TranslationID? {
        hasPlaces ? cache.find(key, in: space) : cache.find(key)
    }

    /// The translation of a key, for a vCPU that sees what is in `space`. `hasFlushed` is set when the code cache was emptied for it.
    func supply(_ key: CodeKey, in space: any AddressSpace, _ hasFlushed: inout Bool) -> Supply {
        if let index = find(key, in: space) ?? revive(key, in: space) { return .code(index) }
        installStored(at: key, in: space)
        if let index = find(key, in: space) { return .code(index) }
        func flush() {
            flushLocked()
            hasFlushed = true
        }
        if cache.isMostlyDead { flush() }
        var request = tiering.first(key)
        var isAlone = false
        while true {
            switch translate(request, in: space) {
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
        _ request: TranslationRequest, _ profile: CountedProfile? = nil, in space: any AddressSpace,
        replacing old: TranslationID? = nil
    ) -> TranslationResult {
        let start = options.measuresTime ? HostClock.monotonic() : 0
        let workspace = workspace
        switch pipeline.make(request, profile, in: space, reader, workspace) {
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
        if case .full = translate(request, profile, in: profile.space, replacing: old) {
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
