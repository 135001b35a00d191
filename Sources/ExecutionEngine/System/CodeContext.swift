// What a vCPU remembers of where code is while one set of page tables and one privilege are in use: a switch between two sets forgets
// nothing.

import CodeGen
import GuestMemory
import HostOS

final class CodeContext {
    let jumpCache: UnsafeMutablePointer<JumpCacheEntry>
    let returnStack: UnsafeMutablePointer<JumpCacheEntry>
    /// The view that code is fetched by.
    var view: UInt64 = 0
    /// Where the pages lie that it remembers code of. (A process's pages lie where they are seen.)
    var pages = CodePages()

    init() throws(Errno) {
        jumpCache = try HostMemory.reserve(JumpCache.bytes).bindMemory(
            to: JumpCacheEntry.self, capacity: JumpCache.count)
        returnStack = .allocate(capacity: ReturnStack.count)
        JumpCache.finishEmptying(jumpCache)
        forgetReturns()
    }

    deinit {
        try? HostMemory.unmap(UInt(bitPattern: jumpCache), JumpCache.bytes)
        returnStack.deallocate()
    }

    func forget() {
        jumpCache.update(repeating: JumpCacheEntry(pc: 0, code: 0), count: JumpCache.count)
        JumpCache.finishEmptying(jumpCache)
        forgetReturns()
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
    }

    private func forgetReturns() {
        returnStack.update(repeating: JumpCacheEntry(pc: JumpCache.noPC, code: 0), count: ReturnStack.count)
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
