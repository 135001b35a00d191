// The address space of a user-mode guest: guest addresses are host addresses (plus `guestBase`, which is zero today),
// below a limit that Martlet keeps free of its own memory. A table says what the guest has mapped; the host's mappings
// follow it, except that
//   - no guest page is executable on the host, and every accessible one is readable;
//   - pages with translated code are not writable on the host until somebody writes to them.
//
// Every change of the guest's mappings goes through here. A change that touches translated code takes the lock of who holds the code
// before the memory's own, and has the code dropped before it becomes visible (`beginChange`).

import CLinux
import GuestMemory
import HostOS
import Synchronization

/// A user-mode guest's memory. Usable from any thread.
public final class UserAddressSpace: @unchecked Sendable {
    /// Host address = guest address + guestBase. The only place that says so.
    public static let guestBase: UInt64 = 0
    /// Bytes of a page of the guest: a power of two, and no less than the host's.
    public let pageSize: UInt64

    /// First address past everything the guest may map.
    public let limit: UInt64
    /// Guest mappings that name no address are placed below this.
    public var placementTop: UInt64
    /// ... and not below this (mmap_min_addr).
    public let placementBottom: UInt64 = 0x1_0000

    /// Who keeps translations of the guest's code. Set once, before guest code runs.
    public var codeHolder: (any CodeHolder)?

    /// Told of each file that is mapped to be executed: (start, length, descriptor, offset). Called under this object's lock.
    public var onExecutableFile: (@Sendable (_ start: UInt64, _ length: UInt64, _ fd: Int32, _ offset: UInt64) -> Void)?

    /// The guest's limits of memory.
    public let limits = MemoryLimits()

    let lock = Lock()
    var table = MappingTable()  // guarded by `lock`
    var code: CodePages  // guarded by `lock`
    var codeFiles = CodeFiles()  // guarded by `lock`
    var watched = WatchedCode()  // guarded by `lock`
    private var attachments: [UInt64: UInt64] = [:]  // System V segments: address -> length; guarded by `lock`
    /// Some mapping was ever writable and executable: system calls may be asked to write to pages with code. Set under `lock`.
    private let writableCode = Atomic<Bool>(false)

    public init(limit: UInt64, pageSize: UInt64 = HostProcess.pageSize) throws(Errno) {
        self.limit = limit
        self.pageSize = pageSize
        placementTop = limit - pageSize
        code = try CodePages(limit: limit, pageSize: pageSize)
        // A wall: what the kernel writes on behalf of the guest ends here at the latest.
        let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve | HostMemory.fixedNoReplace
        _ = try? HostMemory.map(UInt(limit), Int(pageSize), HostMemory.none, flags)
    }

    // MARK: Pages

    /// The offset of an address or of a size in its page.
    @inlinable public func pageOffset(_ value: UInt64) -> UInt64 { value & (pageSize &- 1) }

    /// An address or a size, down to a whole page.
    @inlinable public func pageFloor(_ value: UInt64) -> UInt64 { value & ~(pageSize &- 1) }

    /// An address or a size, up to a whole page, modulo 2^64.
    @inlinable public func pageCeiling(_ value: UInt64) -> UInt64 { pageFloor(value &+ (pageSize &- 1)) }

    // MARK: Queries

    /// All mappings, in address order.
    public var mappings: [Mapping] { lock.withLock { table.entries } }

    public func mapping(at address: UInt64) -> Mapping? { lock.withLock { table.mapping(at: address) } }

    /// True when all of [address, address + length) is mapped with `rights`.
    public func allows(_ rights: PageRights, at address: UInt64, length: UInt64) -> Bool {
        let (end, overflow) = address.addingReportingOverflow(length)
        if overflow || end > limit { return false }
        return lock.withLock { table.covers(address, end, with: rights) }
    }

    /// Where a program file goes that may lie anywhere: see `CodeFiles.usualPlaces`. Nil when nothing of it is free.
    public func usualPlace(ofFile fd: Int32, length: UInt64) -> UInt64? {
        lock.withLock { CodeFiles.name(of: fd).flatMap { usualPlace($0, length) } }
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
        let size = try wholePages(length)
        let isShared = flags & 3 != HostMemory.privateCopy
        let exact = flags & (HostMemory.fixed | HostMemory.fixedNoReplace) != 0
        let only32Bit: Int32 = 0x40  // MAP_32BIT: the host has it, the guest does not
        let hostFlags = flags & ~(HostMemory.fixed | HostMemory.fixedNoReplace | only32Bit)
        if exact {
            guard hint & (pageSize - 1) == 0 else { throw .inval }
            guard hint <= limit, size <= limit - hint else { throw .nomem }
        } else if size > limit {
            throw .nomem
        }
        let isFile = flags & HostMemory.anonymous == 0
        let change = exact ? beginChange((hint, hint + size)) : beginChange()
        defer { endChange(change) }
        try limits.admit(
            size, rights, isShared: isShared, kind: kind, replacing: exact ? hint..<hint + size : nil, in: table
        )
        let file = isFile && rights.contains(.execute) ? codeFiles.number(of: fd) : 0
        func place(_ address: UInt64, _ how: Int32) throws(Errno) {
            _ = try HostMemory.map(
                host(address), Int(size), hostProtection(rights), hostFlags | how, fd: fd,
                offset: Int(truncatingIfNeeded: offset))
            if isFile { try fillLastPage(address, size, rights, isShared: isShared, fd: fd, offset: offset) }
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
                forgetCode(hint, hint + size)
            }
        } else {
            var wanted = hint & ~(pageSize - 1)
            if hint == 0, isFile, !isShared, offset == 0 { wanted = usualPlace(fd, size, of: file) ?? 0 }
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
        if isFile, isShared, rights.contains(.write) { noteWritableFile(fd) }
        noteRights(rights)
        return address
    }

    /// munmap(2). Parts that are not mapped are passed over.
    public func unmap(_ start: UInt64, length: UInt64) throws(Errno) {
        guard start & (pageSize - 1) == 0, length > 0, start <= limit, length <= limit - start else {
            throw .inval
        }
        let end = start + (try wholePages(length))
        let change = beginChange((start, end))
        defer { endChange(change) }
        // Only what the guest mapped is unmapped: the range may contain memory of the host.
        for piece in table.pieces(start, end) {
            try HostMemory.unmap(host(piece.start), Int(piece.end - piece.start))
            forgetCode(piece.start, piece.end)
            table.remove(piece.start, piece.end)
        }
    }

    /// mprotect(2).
    public func protect(_ start: UInt64, length: UInt64, rights: PageRights) throws(Errno) {
        guard start & (pageSize - 1) == 0 else { throw .inval }
        if length == 0 { return }
        guard start <= limit, length <= limit - start else { throw .nomem }
        let end = start + (try wholePages(length))
        let change = rights.contains(.execute) ? beginChange() : beginChange((start, end))
        defer { endChange(change) }
        // As far as there is no hole.
        let mapped = table.extent(from: start, upTo: end)
        for piece in table.pieces(start, mapped) {
            try limits.admitMapping(count: table.count)
            if rights.contains(.write), !piece.rights.contains(.write), !piece.isShared {
                try limits.admitData(piece.end - piece.start, in: table)
            }
            if !rights.contains(.execute) { forgetCode(piece.start, piece.end) }
            try protectHost(piece.start, piece.end, rights)
            table.setRights(piece.start, piece.end, rights)
        }
        noteRights(rights)
        if mapped < end { throw .nomem }
    }

    /// mremap(2); `flags` as the kernel's: 1 may move, 2 fixed, 4 keep the old mapping.
    public func remap(
        _ old: UInt64, oldLength: UInt64, newLength: UInt64, flags: UInt64, newAddress: UInt64
    ) throws(Errno) -> UInt64 {
        let mayMove = flags & 1 != 0, isFixed = flags & 2 != 0, keepsOld = flags & 4 != 0
        guard old & (pageSize - 1) == 0, flags & ~7 == 0, newLength > 0, !isFixed || mayMove, !keepsOld || mayMove
        else { throw .inval }
        let oldSize = try wholePages(oldLength), newSize = try wholePages(newLength)
        guard old <= limit, oldSize <= limit - old else { throw .fault }
        if keepsOld && oldSize != newSize { throw .inval }
        let end = old + oldSize
        if isFixed {
            guard newAddress & (pageSize - 1) == 0, newAddress <= limit, newSize <= limit - newAddress,
                newAddress >= end || newAddress + newSize <= old
            else { throw .inval }
        }
        let change = beginChange((old, end), isFixed ? (newAddress, newAddress + newSize) : (old, old))
        defer { endChange(change) }
        guard let source = table.mapping(at: old), source.end >= end else { throw .fault }
        if oldSize == 0 && !source.isShared { throw .inval }
        if newSize > limit { throw .nomem }
        let growth = keepsOld ? newSize : newSize - min(oldSize, newSize)
        if growth > 0 {
            try limits.admit(
                growth, source.rights, isShared: source.isShared, kind: source.kind,
                replacing: isFixed ? newAddress..<newAddress + newSize : nil, in: table)
        }
        // Moved pages keep their host protection: give code pages back their write permission first.
        if let changed = unprotectCode(old, end) {
            codeHolder?.dropCode(
                start: GuestLocation(changed.lowerBound), length: changed.upperBound - changed.lowerBound,
                settles: false)
        }

        func hostRemap(_ flags: Int, _ target: UInt64) throws(Errno) {
            let result = kernel(
                SYS_mremap, Int(bitPattern: host(old)), Int(oldSize), Int(newSize), flags, Int(bitPattern: host(target))
            )
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
            try reserveHoles(target, target + newSize)
            try hostRemap(moveFlags, target)
            forgetCode(target, target + newSize)
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
        let size = try wholePages(length)
        let isReadOnly = flags & 0o10000 != 0, rounds = flags & 0o20000 != 0, replaces = flags & 0o40000 != 0
        var wanted = hint
        if rounds { wanted &= ~(pageSize - 1) }
        guard wanted & (pageSize - 1) == 0, wanted <= limit, size <= limit - wanted else { throw .inval }
        if replaces && wanted == 0 { throw .inval }
        let change = wanted == 0 ? beginChange() : beginChange((wanted, wanted + size))
        defer { endChange(change) }
        try limits.admit(size, [], isShared: true, in: table)
        var address = wanted
        if wanted == 0 {
            address = try findGap(size) { (candidate) throws(Errno) in try self.reserve(candidate, size) }
        } else if table.isFree(wanted, wanted + size) {
            do throws(Errno) { try reserve(wanted, size) } catch { throw .inval }
        } else if replaces {
            try reserveHoles(wanted, wanted + size)
        } else {
            throw .inval
        }
        // Without SHM_RND and SHM_EXEC, with SHM_REMAP over our reservation.
        let hostFlags = Int(flags & ~0o120000) | 0o40000
        let result = kernel(SYS_shmat, Int(segment), Int(bitPattern: host(address)), hostFlags)
        if Errno.isFailure(result) {
            if table.isFree(address, address + size) { try? HostMemory.unmap(host(address), Int(size)) }
            throw Errno(Int32(-result))
        }
        forgetCode(address, address + size)
        let rights: PageRights = isReadOnly ? .read : [.read, .write]
        let execute: PageRights = flags & 0o100000 != 0 ? .execute : []
        table.insert(Mapping(start: address, end: address + size, rights: rights.union(execute), isShared: true))
        noteRights(rights.union(execute))
        attachments[address] = size
        return address
    }

    /// shmdt(2).
    public func detach(_ address: UInt64) throws(Errno) {
        guard let size = lock.withLock({ attachments[address] }) else { throw .inval }
        let change = beginChange((address, address + size))
        defer { endChange(change) }
        guard attachments.removeValue(forKey: address) != nil else { throw .inval }
        _ = try Errno.check(kernel(SYS_shmdt, Int(bitPattern: host(address))))
        forgetCode(address, address + size)
        table.remove(address, address + size)
    }

    /// Could a page of [address, address + length) get translated code while a system call writes to it?
    public func mayGetCode(_ address: UInt64, _ length: UInt64) -> Bool {
        guard writableCode.load(ordering: .acquiring), length > 0, address < limit else { return false }
        let end = address &+ min(length, limit - address)
        return lock.withLock { table.contains([.write, .execute], in: address, end) }
    }

    /// One past the last address that is writable without a hole from `address` on.
    public func writableExtent(from address: UInt64, length: UInt64) -> UInt64 {
        guard address < limit else { return address }
        let end = address &+ min(length, limit - address)
        return lock.withLock { table.extent(from: address, upTo: end, with: .write) }
    }

    private func noteRights(_ rights: PageRights) {
        if rights.isSuperset(of: [.write, .execute]) { writableCode.store(true, ordering: .releasing) }
    }

    /// A shared mapping that may be written was made of a file.
    private func noteWritableFile(_ fd: Int32) {
        if let status = try? HostFile.status(fd) { codeFiles.noteWritable(status) }
    }

    /// Around fork(): no other thread may be changing the table.
    public func prepareFork() { lock.lock() }
    public func finishFork() { lock.unlock() }

    // MARK: Under the lock

    @inline(__always)
    func host(_ address: UInt64) -> UInt { UInt(truncatingIfNeeded: address &+ Self.guestBase) }

    /// ENOMEM for a length that comes to nothing.
    private func wholePages(_ length: UInt64) throws(Errno) -> UInt64 {
        let size = pageCeiling(length)
        if size < length { throw .nomem }
        return size
    }

    /// Guest code is only read by the host, never executed, and whatever is accessible is readable.
    func hostProtection(_ rights: PageRights) -> Int32 {
        if rights.isEmpty { return HostMemory.none }
        return HostMemory.read | (rights.contains(.write) ? HostMemory.write : 0)
    }

    /// Host protection for one piece; pages with code stay read-only.
    private func protectHost(_ start: UInt64, _ end: UInt64, _ rights: PageRights) throws(Errno) {
        var at = start
        if rights.contains(.write) {
            while let page = code.first(in: at, end) {
                if page > at { try HostMemory.protect(host(at), Int(page - at), hostProtection(rights)) }
                try HostMemory.protect(host(page), Int(pageSize), HostMemory.read)
                at = page + pageSize
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
        for piece in table.pieces(start, end) {
            if piece.start > at { try claim(at, piece.start) }
            at = piece.end
        }
        if at < end { try claim(at, end) }
    }

    private func claim(_ start: UInt64, _ end: UInt64) throws(Errno) {
        do throws(Errno) { try reserve(start, end - start) } catch { throw .nomem }
    }

    /// `file`: its number, if it has one.
    private func usualPlace(_ fd: Int32, _ size: UInt64, of file: UInt32) -> UInt64? {
        if file != 0 { return usualPlace(codeFiles.name(Int(file)), size) }
        return CodeFiles.isProgram(fd) ? CodeFiles.name(of: fd).flatMap { usualPlace($0, size) } : nil
    }

    private func usualPlace(_ name: String, _ size: UInt64) -> UInt64? {
        CodeFiles.usualPlaces(of: name, size: size, limit: limit).first { table.isFree($0, $0 + size) }
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
