// Translated code in a user-mode guest's memory: which pages hold it, and how changes of them are noticed.

import GuestMemory
import HostOS

extension UserAddressSpace {
    // MARK: Changes of code

    /// Takes the memory's lock for a change of the map, in at most two ranges. Where they hold translated code, the lock of its holder
    /// is taken before, the code is dropped, and no thread executes it any more: until `endChange` nobody can make or find code there.
    func beginChange(_ first: (UInt64, UInt64) = (0, 0), _ second: (UInt64, UInt64) = (0, 0)) -> CodeChange {
        lock.lock()
        if !hasCode(first) && !hasCode(second) { return CodeChange(locksHolder: false) }
        lock.unlock()
        // There may be none any more now: then the second lock was taken in vain.
        codeHolder?.lockCode()
        lock.lock()
        for range in [first, second] where hasCode(range) {
            codeHolder?.dropCode(start: GuestLocation(range.0), length: range.1 - range.0, settles: true)
        }
        return CodeChange(locksHolder: true)
    }

    func endChange(_ change: CodeChange) {
        lock.unlock()
        if change.locksHolder { codeHolder?.unlockCode() }
    }

    private func hasCode(_ range: (start: UInt64, end: UInt64)) -> Bool {
        code.first(in: range.start, range.end) != nil
    }

    /// Before the host kernel or a host copy writes to guest memory: makes code pages in the range writable and drops
    /// their translations. Another thread may execute code there at once, and protect it again.
    public func prepareWrite(_ address: UInt64, _ length: UInt64) { changing(address, length) {} }

    /// Does `body`, which changes what is in the range, while no code can be made there: translations of what was there are dropped.
    public func changing(_ address: UInt64, _ length: UInt64, _ body: () -> Void) {
        _ = writing(address, length) {
            body()
            return true
        }
    }

    /// Does `body`, a host write to the range that returns false when it fails, where translated code does not stop it.
    func writing(_ address: UInt64, _ length: UInt64, _ body: () -> Bool) -> Bool {
        guard address < limit, length > 0 else { return body() }
        let end = address &+ min(length, limit - address)
        if !lock.withLock({ hasCode((address, end)) }) { return body() }
        codeHolder?.lockCode()
        defer { codeHolder?.unlockCode() }
        let changed = allowWrites(start: GuestLocation(address), length: end - address)
        codeHolder?.dropCode(
            start: changed.lowerBound, length: changed.upperBound &- changed.lowerBound, settles: false)
        return body()
    }

    /// Clears code bits of pages that go away, get replaced or are executable no more. Under the lock.
    func forgetCode(_ start: UInt64, _ end: UInt64) {
        while let page = code.first(in: start, end) { forgetCode(page) }
    }

    private func forgetCode(_ page: UInt64) {
        code.remove(page)
        if let mapping = table.mapping(at: page) { watched.remove(page, mapping) }
    }

    /// Clears code bits of pages that stay, and gives them their write permission back. Returns the range that this was done in when there
    /// were any: [start, end) or more. Under the lock.
    func unprotectCode(_ start: UInt64, _ end: UInt64) -> Range<UInt64>? {
        var all: Range<UInt64>?
        while let page = code.first(in: start, end) {
            var changed = start..<end
            if let mapping = table.mapping(at: page), mapping.rights.contains(.write) {
                guard let whole = change(page, in: mapping, to: hostProtection(mapping.rights)) else {
                    writeStandardError("martlet: translated code stays write-protected: no mappings are left\n")
                    HostProcess.exitGroup(1)
                }
                forgetCode(whole.lowerBound, whole.upperBound)
                changed = min(start, whole.lowerBound)..<max(end, whole.upperBound)
            }
            forgetCode(page)
            all = min(all?.lowerBound ?? start, changed.lowerBound)..<max(all?.upperBound ?? end, changed.upperBound)
        }
        return all
    }

    /// Changes the host protection of a page with code, or of its whole mapping where the kernel allows no more mappings: a page with
    /// other rights than its neighbours is one. Returns what was changed; nil when not even that is possible. Under the lock.
    private func change(_ page: UInt64, in mapping: Mapping, to protection: Int32) -> Range<UInt64>? {
        for range in [page..<page + pageSize, mapping.start..<mapping.end] {
            let start = host(range.lowerBound), length = Int(range.upperBound - range.lowerBound)
            let change = { () throws(Errno) in try HostMemory.protect(start, length, protection) }
            if (try? MappingReserve.use(change)) != nil { return range }
        }
        return nil
    }

}

// A byte's location is its address.

extension UserAddressSpace: CodeMemory {
    public func codeBytes(at location: GuestLocation) -> UnsafeRawBufferPointer? {
        let address = location.rawValue
        guard address < limit else { return nil }
        let stop = min((address | (pageSize - 1)) + 1 + pageSize, limit)
        var end = lock.withLock { table.extent(from: address, upTo: stop, with: .execute) }
        guard end > address else { return nil }
        // Past the end of a mapped file there are rights but no bytes.
        let second = (address | (pageSize - 1)) + 1
        if end > second, !isReadable(second) { end = second }
        guard isReadable(address) else { return nil }
        return UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: host(address)), count: Int(end - address))
    }

    public func protectCode(start: GuestLocation, length: UInt64) -> Bool {
        let start = start.rawValue
        guard start < limit, length > 0 else { return false }
        let last = min(start &+ (length - 1), limit - 1)
        return lock.withLock {
            var page = start & ~(pageSize - 1)
            while page <= last {
                // Pages that have just been unmapped stay unmarked: what is mapped there next is not protected.
                if !code.contains(page), let mapping = table.mapping(at: page), mapping.rights.contains(.execute) {
                    var protected = page..<page + pageSize
                    if mapping.rights.contains(.write) {
                        guard let changed = change(page, in: mapping, to: HostMemory.read) else { return false }
                        protected = changed
                    }
                    for page in stride(from: protected.lowerBound, to: protected.upperBound, by: Int(pageSize)) {
                        code.insert(page)
                        watched.add(page, mapping)
                    }
                }
                page += pageSize
            }
            return true
        }
    }

    public func allowWrites(start: GuestLocation, length: UInt64) -> Range<GuestLocation> {
        let start = start.rawValue, end = start &+ length
        let changed = lock.withLock { unprotectCode(pageFloor(start), end) } ?? start..<end
        return GuestLocation(changed.lowerBound)..<GuestLocation(changed.upperBound)
    }

    public var hasWatchedCode: Bool { lock.withLock { !watched.isEmpty } }

    public func pagesChangedUnseen() -> [GuestLocation] {
        lock.withLock { watched.pages { codeFiles.mayHaveChanged($0) } }.map { GuestLocation($0) }
    }

    public var codeSource: (any CodeSource)? { self }
}

extension UserAddressSpace: CodeSource {
    public func codeFile(at location: GuestLocation) -> Int {
        lock.withLock { Int(table.mapping(at: location.rawValue)?.codeFile ?? 0) }
    }

    public func codeFileName(_ number: Int) -> String { lock.withLock { codeFiles.name(number) } }

    /// The name that an open file has there; nil when no later run could know it by a name.
    public static func codeFileName(of fd: Int32) -> String? { CodeFiles.name(of: fd) }
}

extension UserAddressSpace: AddressSpace {
    public func place(of address: UInt64) -> GuestPlace? { .same }

    public func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution {
        guard address < limit else { return .guestFault(.unmapped) }
        return lock.withLock {
            guard let mapping = table.mapping(at: address) else { return .guestFault(.unmapped) }
            let page = address & ~(pageSize - 1)
            switch access {
            case .write:
                guard mapping.rights.contains(.write) else { return .guestFault(.permission) }
                if code.contains(page) { return .codeWrite(page: GuestLocation(page), length: pageSize) }
                return isWritable(address) ? .retry : .guestFault(.permission)
            case .read:
                if mapping.rights.isEmpty { return .guestFault(.permission) }
                return isReadable(address) ? .retry : .guestFault(.permission)
            case .execute:
                guard mapping.rights.contains(.execute) else { return .guestFault(.permission) }
                return isReadable(address) ? .retry : .guestFault(.bus)
            }
        }
    }

    // What the table allows, the host may still refuse, and retrying would then never end: it is asked by an access that changes
    // nothing.

    private func isReadable(_ address: UInt64) -> Bool { GuestCopy.load32(host(address & ~3)) != nil }

    private func isWritable(_ address: UInt64) -> Bool {
        let word = host(address & ~3)
        guard let value = GuestCopy.load32(word) else { return false }
        return GuestCopy.compareExchange32(word, expected: value, desired: value) != nil
    }
}

/// A change of the map that has begun.
struct CodeChange {
    let locksHolder: Bool
}

/// Pages with code that may change without a fault, by what tells of it.
struct WatchedCode {
    /// In private mappings of files, by the file's number: the file's times tell. Each page is added once.
    private var byFile: [[UInt64]] = []
    /// In shared mappings, and in private ones of files that have no number: nothing tells.
    private var untold: Set<UInt64> = []

    var isEmpty: Bool { byFile.isEmpty && untold.isEmpty }

    /// `page`: one that is not there.
    mutating func add(_ page: UInt64, _ mapping: Mapping) {
        if isUntold(mapping) {
            untold.insert(page)
        } else if mapping.codeFile != 0 {
            let file = Int(mapping.codeFile)
            while byFile.count <= file { byFile.append([]) }
            byFile[file].append(page)
        }
    }

    /// `mapping`: the one that the page was added with.
    mutating func remove(_ page: UInt64, _ mapping: Mapping) {
        if isUntold(mapping) {
            untold.remove(page)
        } else if mapping.codeFile != 0 {
            let file = Int(mapping.codeFile)
            guard file < byFile.count, let at = byFile[file].lastIndex(of: page) else { return }
            byFile[file].swapAt(at, byFile[file].count - 1)
            byFile[file].removeLast()
        }
    }

    private func isUntold(_ mapping: Mapping) -> Bool {
        mapping.isShared || mapping.kind == .file && mapping.codeFile == 0
    }

    /// All pages that may have changed; `mayHaveChanged` is asked once for each file.
    func pages(whereFile mayHaveChanged: (Int) -> Bool) -> [UInt64] {
        var result = Array(untold)
        for (file, pages) in byFile.enumerated() where !pages.isEmpty && mayHaveChanged(file) { result += pages }
        return result
    }
}
