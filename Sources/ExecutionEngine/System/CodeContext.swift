// What a vCPU remembers of where code is while one set of page tables and one privilege are in use: a switch between two sets forgets
// nothing.

import CodeGen
import GuestMemory
import HostOS

final class CodeContext {
    let jumpCache: UnsafeMutablePointer<JumpCacheEntry>
    /// There is something in the second level.
    private var usesSecondLevel = false
    let returnStack: UnsafeMutablePointer<JumpCacheEntry>
    /// The translations that are in the jump cache, or were: `VCPUHeader.knownTranslations`.
    let known: KnownTranslations?
    /// The view that code is fetched by.
    var view: UInt64 = 0
    /// Where the pages lie that it remembers code of. (A process's pages lie where they are seen.)
    var pages = CodePages()
    /// At which deltas it has met relative code.
    private var deltas = SeenDeltas()
    private var lastPage: UInt64 = 1
    private var lastDelta: UInt64 = 0

    /// `translations`: how many it may know; 0 where code lies at its address for good.
    init(translations: Int) throws(Errno) {
        known = translations > 0 ? try KnownTranslations(capacity: translations) : nil
        jumpCache = try HostMemory.reserve(JumpCache.bytes).bindMemory(
            to: JumpCacheEntry.self, capacity: JumpCache.bothCount)
        returnStack = .allocate(capacity: ReturnStack.count)
        JumpCache.finishEmptying(jumpCache)
        forgetReturns()
    }

    deinit {
        try? HostMemory.unmap(UInt(bitPattern: jumpCache), JumpCache.bytes)
        returnStack.deallocate()
        known?.deallocate()
    }

    /// Puts the code that is found at a place into the jump cache. `entry`: where it is entered by the pc.
    @inline(__always) func remember(_ site: CodeSite, _ entry: UInt64, _ translation: TranslationID) {
        let new = JumpCacheEntry(pc: site.word, code: entry), place = jumpCache + JumpCache.index(site.word)
        // What has its place to itself needs no other.
        if place.pointee.pc != 0, place.pointee.pc != JumpCache.noPC, place.pointee.pc != new.pc {
            usesSecondLevel = true
            jumpCache[JumpCache.secondIndex(site.word)] = new
        }
        place.pointee = new
        known?.insert(translation, site.view.delta)
        if site.key.isRelative { note(site.pc, site.view.delta) }
    }

    private func note(_ pc: UInt64, _ delta: UInt64) {
        let page = pc & ~4095
        if page == lastPage, delta == lastDelta { return }
        lastPage = page
        lastDelta = delta
        deltas.note(page, delta)
    }

    /// At which delta relative code at `pc` is best seen that has no address yet; nil: there is no other near.
    func delta(near pc: UInt64) -> UInt64? { deltas.delta(near: pc) }

    /// The next look-up of a key finds the best there is.
    func forget(_ key: UInt64) {
        for index in [JumpCache.index(key), JumpCache.secondIndex(key)] where jumpCache[index].pc == key {
            jumpCache[index] = JumpCacheEntry(pc: JumpCache.noPC, code: 0)
        }
    }

    func forget() {
        let count = usesSecondLevel ? JumpCache.bothCount : JumpCache.count
        usesSecondLevel = false
        jumpCache.update(repeating: JumpCacheEntry(pc: 0, code: 0), count: count)
        JumpCache.finishEmptying(jumpCache)
        forgetReturns()
        known?.removeAll()
    }

    /// The page of an address may be another one from now on.
    func forget(page: UInt64) {
        if !pages.mayHold(page) { return }
        pages.forget()
        forget()
    }

    /// All pages may be others from now on.
    func forgetPages() {
        if pages.isEmpty { return }
        pages.forget()
        forget()
        forgetDeltas()
    }

    /// Another process's code is not near that of this one.
    func forgetDeltas() {
        deltas.forget()
        lastPage = 1
    }

    private func forgetReturns() {
        returnStack.update(repeating: JumpCacheEntry(pc: JumpCache.noPC, code: 0), count: ReturnStack.count)
    }
}

/// A set of translations as generated code reads it: word n is that of translation n (`VCPUHeader.knownTranslations`).
struct KnownTranslations {
    let words: UnsafeMutablePointer<UInt64>
    let capacity: Int
    /// Those inserted since it was empty, while they are few; more are not listed.
    private let listed: UnsafeMutablePointer<UInt32>
    private static let listLimit = 8192
    private let count: UnsafeMutablePointer<Int>
    /// Words in use.
    private let used: UnsafeMutablePointer<Int>

    init(capacity: Int) throws(Errno) {
        self.capacity = capacity
        words = try HostMemory.reserve(capacity * 8).bindMemory(to: UInt64.self, capacity: capacity)
        listed = .allocate(capacity: Self.listLimit)
        count = .allocate(capacity: 1)
        count.initialize(to: 0)
        used = .allocate(capacity: 1)
        used.initialize(to: 0)
    }

    func deallocate() {
        try? HostMemory.unmap(UInt(bitPattern: words), capacity * 8)
        listed.deallocate()
        count.deallocate()
        used.deallocate()
    }

    @inline(__always) func insert(_ id: TranslationID, _ delta: UInt64) {
        if words[id.row] == 0 {
            if count.pointee < Self.listLimit { listed[count.pointee] = UInt32(truncatingIfNeeded: id.row) }
            count.pointee &+= 1
            used.pointee = max(used.pointee, id.row &+ 1)
        }
        words[id.row] = delta | 1
    }

    func removeAll() {
        if count.pointee <= Self.listLimit {
            for i in 0..<count.pointee { words[Int(listed[i])] = 0 }
        } else {
            words.update(repeating: 0, count: used.pointee)
        }
        count.pointee = 0
        used.pointee = 0
    }
}

/// Where the pages lie that code was fetched from lately.
struct CodePages: ~Copyable {
    private struct Entry {
        var page: UInt64
        var place: GuestPlace
    }
    private static var count: Int { 256 }
    private static var none: UInt64 { 1 }
    private let entries: UnsafeMutablePointer<Entry>
    /// A bit for each hash of a page that has been entered since everything was forgotten.
    private let seen: UnsafeMutablePointer<UInt64>
    private static var seenWords: Int { 64 }
    /// Pages that are not in every address space have been entered.
    private(set) var hasLocalPages = false
    private(set) var isEmpty = true
    private var largeLeaves = LargeLeaves()

    init() {
        entries = .allocate(capacity: Self.count)
        entries.initialize(repeating: Entry(page: Self.none, place: .same), count: Self.count)
        seen = .allocate(capacity: Self.seenWords)
        seen.initialize(repeating: 0, count: Self.seenWords)
    }

    deinit {
        entries.deallocate()
        seen.deallocate()
    }

    /// By the address of a page.
    @inline(__always) func find(_ page: UInt64) -> GuestPlace? {
        let entry = entries + Int(truncatingIfNeeded: page &>> 12 & 255)
        return entry.pointee.page == page ? entry.pointee.place : nil
    }

    /// Enters a page. `isLasting`: it may be found again without another walk. `leafBits`: log2 of the bytes that the page tables map with it.
    mutating func enter(_ page: UInt64, _ place: GuestPlace, leafBits: UInt8, isGlobal: Bool, isLasting: Bool) {
        if isLasting { entries[Int(truncatingIfNeeded: page &>> 12 & 255)] = Entry(page: page, place: place) }
        let (word, bit) = Self.hash(page)
        seen[word] |= bit
        largeLeaves.note(page, leafBits: UInt64(leafBits))
        if !isGlobal { hasLocalPages = true }
        isEmpty = false
    }

    /// May the page, or one that the same leaf of the page tables maps, have been entered?
    func mayHold(_ page: UInt64) -> Bool {
        if largeLeaves.mayHold(page) { return true }
        let (word, bit) = Self.hash(page)
        return seen[word] & bit != 0
    }

    mutating func forget() {
        if isEmpty { return }
        entries.update(repeating: Entry(page: Self.none, place: .same), count: Self.count)
        seen.update(repeating: 0, count: Self.seenWords)
        hasLocalPages = false
        isEmpty = true
        largeLeaves = LargeLeaves()
    }

    private static func hash(_ page: UInt64) -> (word: Int, bit: UInt64) {
        let mixed = ((page &>> 12) &* 0x9E37_79B9_7F4A_7C15) &>> 52
        return (Int(mixed &>> 6), 1 &<< (mixed & 63))
    }
}
