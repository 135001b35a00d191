// The one door into the code cache. Whoever made a region - a vCPU's thread, the compiler's, an earlier run - hands it over here: only
// here it gets its number, its counter, its place in the code buffer, and becomes something that look-ups find.

import CodeGen
import GuestMemory
import HostOS
import IR

/// What a translation is found by.
struct CodeKey: Hashable {
    /// What tells the code at this pc from other code that vCPUs see there: how far behind it its bytes lie (`AddressSpace.place`).
    var place = GuestPlace.same
    var pc: UInt64
    /// What of the CPU state it was made for (`GuestArchitecture.mode`).
    var mode: UInt64
    /// Where the next page lies, for an instruction that may go on there: `noRest` for others, and where nothing can be executed there.
    var rest = noRest
    static let noRest = GuestPlace(1)

    /// A bit above those of the guest's modes: the code stops where vCPUs are to stop (`Engine+Stops.swift`).
    static let stops: UInt64 = 1 << 16
    var hasStops: Bool { mode & Self.stops != 0 }
    /// What of it is the guest's own.
    var guestMode: UInt64 { mode & ~(Self.stops | CodeMode.relative) }
    /// Its pc and place are those of a `CodeView` with another delta for each address space.
    var isRelative: Bool { mode & CodeMode.relative != 0 }

    /// Where its bytes lie in the memory.
    var location: GuestLocation { place.location(of: pc) }
}

/// Where a vCPU goes on.
struct CodeSite {
    /// The address as the vCPU sees it.
    var pc: UInt64
    /// What its code is found by.
    var key: CodeKey
    /// What the vCPU sees from there.
    var view: CodeView

    /// As jump cache and return stack have it.
    @inline(__always) var word: UInt64 { KeyedPC.word(pc, mode: key.mode) }
}

/// A region on its way into the code cache. What it points to is valid until the next one is made.
struct MadeRegion {
    /// What its code is made of.
    enum Body {
        /// IR with an allocation: the host compiles it where it will be.
        case region(Region, Allocation)
        /// What `HostBackEnd.export` or a `RegionCompiler` wrote.
        case exported(UnsafeRawBufferPointer)
        /// A translation that is in the cache and out of use.
        case dormant(TranslationID)
    }

    var key: CodeKey
    /// Whoever executes it sees these pages where they lie now.
    var pages: SeenPages
    var body: Body
    /// The guest bytes that it was made from: where they lie in the memory, and, where they can be kept, what they are.
    var ranges: UnsafeBufferPointer<GuestRange>
    var code: UnsafeRawBufferPointer?
    var isOptimized: Bool
    /// Look-ups find it.
    var isFindable = true
    /// It would be larger if calls were followed further.
    var canGrow = false
    /// The number of its counter in an exported body that was made under another number.
    var storedCounter: Int?
    /// Who has made it just now; nil: an earlier run, or this one some time ago.
    var origin: CodeOrigin?
    var isVerified = false
    /// As `Workspace.delta`.
    var delta: UInt64 = 0
    /// Where it is seen by the vCPU that asked for it.
    var seenPC: UInt64 { key.pc &+ delta }
    /// Guest instructions and bytes.
    var instructions = 0, guestBytes = 0
    /// Nanoseconds that it took until `start`, when what is still going on began.
    var time: UInt64 = 0, start: UInt64 = 0
}

extension Workspace {
    /// The region that the pipeline has left here.
    func made(_ request: TranslationRequest, _ origin: CodeOrigin, _ body: MadeRegion.Body? = nil) -> MadeRegion {
        MadeRegion(
            key: request.key, pages: pages, body: body ?? .region(region, allocation), ranges: blocks, code: keptCode,
            isOptimized: request.isOptimized, isFindable: !request.isTemporary, canGrow: canGrow, origin: origin,
            isVerified: verifies, delta: delta, instructions: region.s.pointee.guestInstructions,
            guestBytes: region.s.pointee.guestLength)
    }
}

extension Engine {
    /// Takes a region into the code cache: its number there, nil when there is no room or it is no region. `old`: the translation that
    /// it takes the place of. Holds the lock.
    func admit(_ made: MadeRegion, replacing old: TranslationID? = nil) -> TranslationID? {
        guard let index = cache.next else { return nil }
        if made.key.isRelative {
            for i in 0..<made.pages.count { cache.pageAddresses?.give(made.pages[i]) }
        }
        if case .dormant(let index) = made.body {
            cache.restore(index, on: made.ranges)
            return index
        }
        let counter =
            made.isOptimized ? ExecutionCounters.number(entriesOf: made.key.pc) : ExecutionCounters.number(index.row)
        codeMemory.willWrite(at: code.used)
        guard let compiled = place(made, index, counter) else { return nil }
        for vcpu in vcpus {
            vcpu._withUnsafeGuaranteedRef { $0.prepareCounter(counter, isOptimized: made.isOptimized) }
        }
        guard cache.add(made, compiled, counter: counter) != nil else {
            discard(compiled)
            return nil
        }
        account(made, compiled)
        if let old { retire(old) }
        return index
    }

    /// Host code for a translation with that number.
    private func place(_ made: MadeRegion, _ index: TranslationID, _ counter: Int) -> CompiledRegion? {
        switch made.body {
        case .region(let region, let allocation): host.compile(region, allocation, translation: index.row)
        case .exported(let bytes):
            host.install(
                bytes, translation: index.row, counterShift: made.storedCounter.map { counter - $0 } ?? 0,
                isForExport: store != nil && made.code != nil)
        case .dormant: nil
        }
    }

    private func account(_ made: MadeRegion, _ compiled: CompiledRegion) {
        options.codeListener?(compiled.entry, compiled.codeSize, made.seenPC)
        // A short program that installs its code would pay for most of a large page that it does not use.
        if made.origin != nil || code.used > LargePages.size { codeMemory.makeLargePages(used: code.used) }
        guard let origin = made.origin else { return }
        let time = made.time &+ (options.measuresTime ? HostClock.monotonic() &- made.start : 0)
        counters.translations += 1
        counters.guestInstructions += made.instructions
        counters.guestBytes += made.guestBytes
        counters.hostBytes += compiled.codeSize
        counters.translationTime &+= time
        counters[origin].count += 1
        if made.isVerified { counters[origin].verified += 1 }
        if made.isOptimized {
            counters.optimized += 1
            if made.pages.count > 1 { counters.overPages += 1 }
            counters.optimizedInstructions += made.instructions
            tiering.noteOptimized(instructions: made.instructions)
            counters.optimizedTime &+= time
        }
        log.region(made, compiled)
        log.hostCode(compiled, at: made.seenPC)
    }
}
