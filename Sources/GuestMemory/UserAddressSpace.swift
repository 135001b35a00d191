// The address space of a user-mode guest: guest addresses are host addresses (plus `guestBase`, which is zero today),
// below a limit that Martlet keeps free of its own memory. A table says what the guest has mapped; the host's mappings
// follow it, except that
//   - no guest page is executable on the host, and every accessible one is readable;
//   - pages with translated code are not writable on the host until somebody writes to them.
//
// Every change of the guest's mappings goes through here. Changes that touch translated code are reported to
// `onCodeChange` after the table has changed and outside the lock, so that the engine may take its own lock first.

import Diagnostics
import HostOS

/// A user-mode guest's memory. Usable from any thread.
public final class UserAddressSpace: CodeMemory, @unchecked Sendable {
    /// Host address = guest address + guestBase. The only place that says so.
    public static let guestBase: UInt64 = 0
    public static let pageSize: UInt64 = 4096

    /// First address past everything the guest may map.
    public let limit: UInt64
    /// Guest mappings that name no address are placed below this.
    public var placementTop: UInt64
    /// ... and not below this (mmap_min_addr).
    public let placementBottom: UInt64 = 0x1_0000

    /// The engine's: drops translations of [start, start + length). Set once, before guest code runs.
    public var onCodeChange: (@Sendable (_ start: UInt64, _ length: UInt64) -> Void)?

    /// Told of each file that is mapped to be executed: (start, length, descriptor, offset). Called under this object's lock.
    public var onExecutableFile: (@Sendable (_ start: UInt64, _ length: UInt64, _ fd: Int32, _ offset: UInt64) -> Void)?

    private let lock = Lock()
    private var table = MappingTable()  // guarded by `lock`
    private var code: CodePages  // guarded by `lock`
    private var codeFiles = CodeFiles()  // guarded by `lock`
    /// Some page that was ever in `code` is in a shared mapping.
    private var codeIsShared = false  // guarded by `lock`
    private var attachments: [UInt64: UInt64] = [:]  // System V segments: address -> length; guarded by `lock`

    public init(limit: UInt64) throws(Errno) {
        self.limit = limit
        placementTop = limit - 0x1000
        code = try CodePages(limit: limit)
    }

    // MARK: Queries

    /// All mappings, in address order.
    public var mappings: [Mapping] { lock.withLock { Array(table.entries) } }

    public func mapping(at address: UInt64) -> Mapping? { lock.withLock { table.mapping(at: address) } }

    /// True when all of [address, address + length) is mapped with `rights`.
    public func allows(_ rights: PageRights, at address: UInt64, length: UInt64) -> Bool {
        let (end, overflow) = address.addingReportingOverflow(length)
        if overflow || end > limit { return false }
        return lock.withLock { table.covers(address, end, with: rights) }
    }

    /// Where a program file goes that may lie anywhere: see `CodeFiles.usualPlaces`. Nil when nothing of it is free.
    public func usualPlace(ofFile fd: Int32, length: UInt64) -> UInt64? {
        lock.withLock { usualPlace(fd, length, isCode: true) }
    }

    public func isFree(_ start: UInt64, length: UInt64) -> Bool {
        let (end, overflow) = start.addingReportingOverflow(length)
        return !overflow && end <= limit && lock.withLock { table.isFree(start, end) }
    }

    // MARK: Changes of the map

    /// mmap(2). `flags` are the kernel's; `hint` is exact with MAP_FIXED or MAP_FIXED_NOREPLACE. Returns the guest
    /// address.
    public func map(
        _ hint: UInt64, length: UInt64, rights: PageRights, flags: Int32, fd: Int32 = -1, offset: UInt64 = 0,
        kind: MappingKind = .ordinary
    ) throws(Errno) -> UInt64 {
        guard length > 0 else { throw .inval }
        let size = try pageCeiling(length)
        let isShared = flags & 3 != HostMemory.privateCopy
        let exact = flags & (HostMemory.fixed | HostMemory.fixedNoReplace) != 0
        let only32Bit: Int32 = 0x40  // MAP_32BIT: the host has it, the guest does not
        let hostFlags = flags & ~(HostMemory.fixed | HostMemory.fixedNoReplace | only32Bit)
        if exact {
            guard hint & (Self.pageSize - 1) == 0 else { throw .inval }
            guard hint <= limit, size <= limit - hint else { throw .nomem }
        } else if size > limit {
            throw .nomem
        }
        let isFile = flags & HostMemory.anonymous == 0
        lock.lock()
        var changed: (start: UInt64, length: UInt64)?
        defer {
            lock.unlock()
            if let changed { onCodeChange?(changed.start, changed.length) }
        }
        let file = isFile && rights.contains(.execute) ? codeFiles.number(of: fd) : 0
        func place(_ address: UInt64, _ how: Int32) throws(Errno) {
            _ = try HostMemory.map(
                host(address), Int(size), hostProtection(rights), hostFlags | how, fd: fd,
                offset: Int(truncatingIfNeeded: offset))
        }
        let address: UInt64
        if exact {
            address = hint
            if table.isFree(hint, hint + size) {
                try place(hint, HostMemory.fixedNoReplace)
            } else if flags & HostMemory.fixedNoReplace != 0 {
                throw .exist
            } else {
                try reserveHoles(hint, hint + size)
                try place(hint, HostMemory.fixed)
                if forgetCode(hint, hint + size) { changed = (hint, size) }
            }
        } else {
            var wanted = hint & ~(Self.pageSize - 1)
            if hint == 0, isFile, !isShared, offset == 0 { wanted = usualPlace(fd, size, isCode: file != 0) ?? 0 }
            if wanted >= placementBottom, wanted <= limit - size, table.isFree(wanted, wanted + size),
                (try? place(wanted, HostMemory.fixedNoReplace)) != nil
            {
                address = wanted
            } else {
                address = try findGap(size) { (candidate) throws(Errno) in
                    try place(candidate, HostMemory.fixedNoReplace)
                }
            }
        }
        let kind = kind == .ordinary && isFile ? .file : kind
        table.insert(
            Mapping(
                start: address, end: address + size, rights: rights, isShared: isShared, kind: kind, codeFile: file))
        if rights.contains(.execute), isFile { onExecutableFile?(address, size, fd, offset) }
        return address
    }

    /// munmap(2). Parts that are not mapped are passed over.
    public func unmap(_ start: UInt64, length: UInt64) throws(Errno) {
        guard start & (Self.pageSize - 1) == 0, length > 0, start <= limit, length <= limit - start else {
            throw .inval
        }
        let end = start + (try pageCeiling(length))
        lock.lock()
        let hadCode = forgetCode(start, end)
        defer {
            lock.unlock()
            if hadCode { onCodeChange?(start, end - start) }
        }
        // Only what the guest mapped is unmapped: the range may contain memory of the host.
        for piece in pieces(start, end) {
            try HostMemory.unmap(host(piece.start), Int(piece.end - piece.start))
            table.remove(piece.start, piece.end)
        }
    }

    /// mprotect(2).
    public func protect(_ start: UInt64, length: UInt64, rights: PageRights) throws(Errno) {
        guard start & (Self.pageSize - 1) == 0 else { throw .inval }
        if length == 0 { return }
        guard start <= limit, length <= limit - start else { throw .nomem }
        let end = start + (try pageCeiling(length))
        lock.lock()
        var hadCode = false
        defer {
            lock.unlock()
            if hadCode { onCodeChange?(start, end - start) }
        }
        for piece in pieces(start, end) {
            if !rights.contains(.execute), forgetCode(piece.start, piece.end) { hadCode = true }
            try protectHost(piece.start, piece.end, rights)
            table.setRights(piece.start, piece.end, rights)
        }
        if !table.covers(start, end) { throw .nomem }
    }

    /// mremap(2); `flags` as the kernel's: 1 may move, 2 fixed, 4 keep the old mapping.
    public func remap(
        _ old: UInt64, oldLength: UInt64, newLength: UInt64, flags: UInt64, newAddress: UInt64
    ) throws(Errno) -> UInt64 {
        let mayMove = flags & 1 != 0, isFixed = flags & 2 != 0, keepsOld = flags & 4 != 0
        guard old & (Self.pageSize - 1) == 0, flags & ~7 == 0, newLength > 0, !isFixed || mayMove, !keepsOld || mayMove
        else { throw .inval }
        let oldSize = try pageCeiling(oldLength), newSize = try pageCeiling(newLength)
        guard old <= limit, oldSize <= limit - old else { throw .fault }
        if keepsOld && oldSize != newSize { throw .inval }
        let end = old + oldSize
        if isFixed {
            guard newAddress & (Self.pageSize - 1) == 0, newAddress <= limit, newSize <= limit - newAddress,
                newAddress >= end || newAddress + newSize <= old
            else { throw .inval }
        }
        lock.lock()
        var changes: [(start: UInt64, length: UInt64)] = []
        defer {
            lock.unlock()
            for change in changes { onCodeChange?(change.start, change.length) }
        }
        guard let source = table.mapping(at: old), source.end >= end else { throw .fault }
        if oldSize == 0 && !source.isShared { throw .inval }
        if newSize > limit { throw .nomem }
        // Moved pages keep their host protection: give code pages back their write permission first.
        if unprotectCode(old, end) { changes.append((old, oldSize)) }

        func hostRemap(_ flags: Int, _ target: UInt64) throws(Errno) {
            let result = kernel(
                25, Int(bitPattern: host(old)), Int(oldSize), Int(newSize), flags, Int(bitPattern: host(target)))
            _ = try Errno.check(result)
        }
        func record(_ address: UInt64) {
            table.insert(
                Mapping(
                    start: address, end: address + newSize, rights: source.rights, isShared: source.isShared,
                    kind: source.kind, codeFile: source.codeFile))
        }
        if !isFixed && !keepsOld && oldSize > 0 {
            if newSize <= oldSize {
                if newSize < oldSize {
                    try hostRemap(0, 0)
                    table.remove(old + newSize, end)
                }
                return old
            }
            if newSize <= limit - old, table.isFree(end, old + newSize) {
                // In place; the host may still refuse, when something of its own is there.
                do throws(Errno) {
                    try hostRemap(0, 0)
                    record(old)
                    return old
                } catch { if !mayMove { throw error } }
            }
            if !mayMove { throw .nomem }
        }
        let target: UInt64
        let moveFlags = 1 | 2 | (keepsOld ? 4 : 0)
        if isFixed {
            target = newAddress
            if forgetCode(target, target + newSize) { changes.append((target, newSize)) }
            try reserveHoles(target, target + newSize)
            try hostRemap(moveFlags, target)
        } else {
            target = try findGap(newSize) { (candidate) throws(Errno) in try self.reserve(candidate, newSize) }
            do throws(Errno) {
                try hostRemap(moveFlags, target)
            } catch {
                try? HostMemory.unmap(host(target), Int(newSize))
                throw error
            }
        }
        if !keepsOld && oldSize > 0 { table.remove(old, end) }
        record(target)
        return target
    }

    /// shmat(2) for a segment of `length` bytes.
    public func attach(segment: Int32, length: UInt64, at hint: UInt64, flags: Int32) throws(Errno) -> UInt64 {
        let size = try pageCeiling(length)
        let isReadOnly = flags & 0o10000 != 0, rounds = flags & 0o20000 != 0, replaces = flags & 0o40000 != 0
        var wanted = hint
        if rounds { wanted &= ~(Self.pageSize - 1) }
        guard wanted & (Self.pageSize - 1) == 0, wanted <= limit, size <= limit - wanted else { throw .inval }
        if replaces && wanted == 0 { throw .inval }
        lock.lock()
        var changed = false
        var address = wanted
        defer {
            lock.unlock()
            if changed { onCodeChange?(address, size) }
        }
        if wanted == 0 {
            address = try findGap(size) { (candidate) throws(Errno) in try self.reserve(candidate, size) }
        } else if table.isFree(wanted, wanted + size) {
            do throws(Errno) { try reserve(wanted, size) } catch { throw .inval }
        } else if replaces {
            try reserveHoles(wanted, wanted + size)
            changed = forgetCode(wanted, wanted + size)
        } else {
            throw .inval
        }
        // Without SHM_RND and SHM_EXEC, with SHM_REMAP over our reservation.
        let hostFlags = Int(flags & ~0o120000) | 0o40000
        let result = kernel(30, Int(segment), Int(bitPattern: host(address)), hostFlags)
        if result < 0 && result >= -4095 {
            if table.isFree(address, address + size) { try? HostMemory.unmap(host(address), Int(size)) }
            throw Errno(Int32(-result))
        }
        let rights: PageRights = isReadOnly ? .read : [.read, .write]
        let execute: PageRights = flags & 0o100000 != 0 ? .execute : []
        table.insert(Mapping(start: address, end: address + size, rights: rights.union(execute), isShared: true))
        attachments[address] = size
        return address
    }

    /// shmdt(2).
    public func detach(_ address: UInt64) throws(Errno) {
        lock.lock()
        guard let size = attachments.removeValue(forKey: address) else {
            lock.unlock()
            throw .inval
        }
        let hadCode = forgetCode(address, address + size)
        defer {
            lock.unlock()
            if hadCode { onCodeChange?(address, size) }
        }
        _ = try Errno.check(kernel(67, Int(bitPattern: host(address))))
        table.remove(address, address + size)
    }

    /// Around fork(): no other thread may be changing the table.
    public func prepareFork() { lock.lock() }
    public func finishFork() { lock.unlock() }

    // MARK: CodeMemory

    public func executableBytes(at address: UInt64) -> UnsafeRawBufferPointer? {
        guard address < limit - 1 else { return nil }
        let stop = min((address | (Self.pageSize - 1)) + 1 + Self.pageSize, limit)
        var end = lock.withLock { table.extent(from: address, upTo: stop, with: .execute) }
        guard end > address else { return nil }
        // Past the end of a mapped file there are rights but no bytes.
        let second = (address | (Self.pageSize - 1)) + 1
        if end > second, GuestCopy.load32(host(second)) == nil { end = second }
        guard GuestCopy.load32(host(address & ~(Self.pageSize - 1))) != nil else { return nil }
        return UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: host(address)), count: Int(end - address))
    }

    public func protectCode(start: UInt64, length: UInt64) {
        guard start < limit, length > 0 else { return }
        let last = min(start &+ (length - 1), limit - 1)
        lock.withLock {
            var page = start & ~(Self.pageSize - 1)
            while page <= last {
                // Pages that have just been unmapped stay unmarked: what is mapped there next is not protected.
                if !code.contains(page), let mapping = table.mapping(at: page), mapping.rights.contains(.execute) {
                    code.insert(page)
                    if mapping.isShared { codeIsShared = true }
                    if mapping.rights.contains(.write) {
                        try? HostMemory.protect(host(page), Int(Self.pageSize), HostMemory.read)
                    }
                }
                page += Self.pageSize
            }
        }
    }

    public func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution {
        guard address < limit else { return .guestFault(.unmapped) }
        return lock.withLock {
            guard let mapping = table.mapping(at: address) else { return .guestFault(.unmapped) }
            let page = address & ~(Self.pageSize - 1)
            switch access {
            case .write:
                guard mapping.rights.contains(.write) else { return .guestFault(.permission) }
                if code.contains(page) {
                    code.remove(page)
                    try? HostMemory.protect(host(page), Int(Self.pageSize), hostProtection(mapping.rights))
                    return .codeWrite(page: page, length: Self.pageSize)
                }
                return hostAllows(address, write: true) ? .retry : .guestFault(.permission)
            case .read:
                if mapping.rights.isEmpty { return .guestFault(.permission) }
                return hostAllows(address, write: false) ? .retry : .guestFault(.permission)
            case .execute: return mapping.rights.contains(.execute) ? .retry : .guestFault(.permission)
            }
        }
    }

    public func codeFile(at address: UInt64) -> Int {
        lock.withLock { Int(table.mapping(at: address)?.codeFile ?? 0) }
    }

    public func codeFileName(_ number: Int) -> String { lock.withLock { codeFiles.names[number - 1] } }

    public func hasUntrackedAliases(_ address: UInt64) -> Bool {
        lock.withLock { table.mapping(at: address)?.isShared ?? false }
    }

    public var hasCodeWithAliases: Bool { lock.withLock { codeIsShared } }

    /// Before the host kernel or a host copy writes to guest memory: makes code pages in the range writable and drops
    /// their translations.
    public func prepareWrite(_ address: UInt64, _ length: UInt64) {
        guard address < limit, length > 0 else { return }
        let end = min(address &+ min(length, limit), limit)
        lock.lock()
        guard code.first(in: address, end) != nil else { return lock.unlock() }
        let changed = unprotectCode(address & ~(Self.pageSize - 1), end)
        lock.unlock()
        if changed { onCodeChange?(address, end - address) }
    }

    // MARK: Under the lock

    /// Asks the host by an access that changes nothing: what the table allows, the host may still refuse, and retrying
    /// would then never end.
    private func hostAllows(_ address: UInt64, write: Bool) -> Bool {
        let word = host(address & ~3)
        guard let value = GuestCopy.load32(word) else { return false }
        return !write || GuestCopy.compareExchange32(word, expected: value, desired: value) != nil
    }

    @inline(__always)
    private func host(_ address: UInt64) -> UInt { UInt(truncatingIfNeeded: address &+ Self.guestBase) }

    private func pageCeiling(_ length: UInt64) throws(Errno) -> UInt64 {
        let (sum, overflow) = length.addingReportingOverflow(Self.pageSize - 1)
        if overflow { throw .nomem }
        return sum & ~(Self.pageSize - 1)
    }

    /// Guest code is only read by the host, never executed, and whatever is accessible is readable.
    private func hostProtection(_ rights: PageRights) -> Int32 {
        if rights.isEmpty { return HostMemory.none }
        return HostMemory.read | (rights.contains(.write) ? HostMemory.write : 0)
    }

    /// The mapped parts of [start, end).
    private func pieces(_ start: UInt64, _ end: UInt64) -> [Mapping] {
        var result: [Mapping] = []
        var index = table.firstIndex(endingAfter: start)
        while index < table.entries.count, table.entries[index].start < end {
            var piece = table.entries[index]
            piece.start = max(piece.start, start)
            piece.end = min(piece.end, end)
            result.append(piece)
            index += 1
        }
        return result
    }

    /// Clears code bits of pages that go away or get replaced. True when there were any.
    private func forgetCode(_ start: UInt64, _ end: UInt64) -> Bool {
        var any = false
        while let page = code.first(in: start, end) {
            code.remove(page)
            any = true
        }
        return any
    }

    /// Clears code bits of pages that stay, and gives them their write permission back. True when there were any.
    private func unprotectCode(_ start: UInt64, _ end: UInt64) -> Bool {
        var any = false
        while let page = code.first(in: start, end) {
            code.remove(page)
            any = true
            if let rights = table.mapping(at: page)?.rights, rights.contains(.write) {
                try? HostMemory.protect(host(page), Int(Self.pageSize), hostProtection(rights))
            }
        }
        return any
    }

    /// Host protection for one piece; pages with code stay read-only.
    private func protectHost(_ start: UInt64, _ end: UInt64, _ rights: PageRights) throws(Errno) {
        var at = start
        if rights.contains(.write) {
            while let page = code.first(in: at, end) {
                if page > at { try HostMemory.protect(host(at), Int(page - at), hostProtection(rights)) }
                try HostMemory.protect(host(page), Int(Self.pageSize), HostMemory.read)
                at = page + Self.pageSize
            }
        }
        if at < end { try HostMemory.protect(host(at), Int(end - at), hostProtection(rights)) }
    }

    /// Claims a free range on the host, so that a fixed mapping can replace it. Fails when the host uses it.
    private func reserve(_ start: UInt64, _ size: UInt64) throws(Errno) {
        let flags =
            HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve | HostMemory.fixedNoReplace
        _ = try HostMemory.map(host(start), Int(size), HostMemory.none, flags)
    }

    /// Claims the parts of [start, end) that the guest has not mapped.
    private func reserveHoles(_ start: UInt64, _ end: UInt64) throws(Errno) {
        var at = start
        for piece in pieces(start, end) {
            if piece.start > at { try claim(at, piece.start) }
            at = piece.end
        }
        if at < end { try claim(at, end) }
    }

    private func claim(_ start: UInt64, _ end: UInt64) throws(Errno) {
        do throws(Errno) { try reserve(start, end - start) } catch { throw .nomem }
    }

    private func usualPlace(_ fd: Int32, _ size: UInt64, isCode: Bool) -> UInt64? {
        guard isCode || CodeFiles.isProgram(fd), let name = CodeFiles.name(of: fd) else { return nil }
        return CodeFiles.usualPlaces(of: name, size: size, limit: limit).first { table.isFree($0, $0 + size) }
    }

    /// Offers free ranges from the top down until `place` accepts one; a range that the host itself occupies is passed
    /// over.
    private func findGap(_ size: UInt64, _ place: (UInt64) throws(Errno) -> Void) throws(Errno) -> UInt64 {
        var top = placementTop
        for _ in 0..<64 {
            guard let candidate = table.gap(length: size, below: top, above: placementBottom) else { throw .nomem }
            do throws(Errno) {
                try place(candidate)
                return candidate
            } catch {
                if error != .exist { throw error }
                let step = max(size, 1 << 24)
                guard candidate > step else { throw .nomem }
                top = candidate - step + size
                if top > candidate { top = candidate }
            }
        }
        throw .nomem
    }
}
