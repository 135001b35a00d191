// Accesses that a vCPU stops at. A page with watched bytes has no entry in the look-up tables, so that each access to it asks here.

import CodeGen
import GuestKit
import GuestMemory

struct Watches {
    fileprivate(set) var ofDebugger: [StopPoint] = []
    fileprivate(set) var ofGuest: [StopPoint] = []
    fileprivate(set) var isEmpty = true
    /// Accesses are made whatever stops at them.
    var isPassing = false
    /// What the access has come to that generated code was left for.
    fileprivate var hit: StopHit?

    fileprivate var all: [StopPoint] { ofDebugger + ofGuest }
}

extension MMU {
    /// Replaces what is watched by the stops among these that are for accesses.
    func watch(_ ofDebugger: [StopPoint], ofGuest: [StopPoint]) {
        let old = watches.all
        watches.ofDebugger = ofDebugger.filter { !$0.kinds.isDisjoint(with: .accesses) }
        watches.ofGuest = ofGuest.filter { !$0.kinds.isDisjoint(with: .accesses) }
        watches.isEmpty = watches.all.isEmpty
        for stop in watches.all where !old.contains(stop) { forgetEntries(on: stop) }
    }

    private func forgetEntries(on stop: StopPoint) {
        let size = TLBEntry.pageSize
        let first = stop.address & ~(size &- 1)
        let pages = ((stop.address &- first) &+ (stop.length &- 1)) / size &+ 1
        for table in tables {
            if pages > 64 { table.empty() } else { for i in 0..<pages { table.forget(first &+ i &* size) } }
        }
    }

    /// Has the page of an address watched bytes?
    func isWatched(_ address: UInt64) -> Bool {
        if watches.isEmpty { return false }
        let page = address & ~(TLBEntry.pageSize &- 1)
        return watches.all.contains { $0.touches(page, size: TLBEntry.pageSize) }
    }

    /// Does the vCPU stop instead of making an access? Then `takeHit` says why. What the guest watches comes first: its exception is raised
    /// before the access.
    func stops(_ access: SlowAccess) -> Bool {
        if watches.isPassing { return false }
        let size = access.memOp.size
        func isMeant(_ stop: StopPoint) -> Bool {
            stop.touches(access.address, size: UInt64(size)) && !stop.kinds.isDisjoint(with: access.stopKinds)
        }
        for stop in watches.ofGuest where isMeant(stop) {
            guard let number = guest.exception(at: stop, size: size, state) else { continue }
            watches.hit = .guest(number, address: access.address)
            return true
        }
        guard let stop = watches.ofDebugger.first(where: isMeant) else { return false }
        watches.hit = .debugger(.watchpoint(stop, address: access.address, isWrite: access.isWrite))
        return true
    }

    func takeHit() -> StopHit? {
        if watches.isEmpty { return nil }
        defer { watches.hit = nil }
        return watches.hit
    }
}

extension SlowAccess {
    fileprivate var stopKinds: StopPoint.Kinds {
        switch kind {
        case .load: .load
        case .store: .store
        case .readModifyWrite, .compareAndSwap, .compareAndSwapPair: .accesses
        }
    }
}
