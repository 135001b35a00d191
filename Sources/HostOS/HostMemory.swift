// Host mappings, and code memory under write-xor-execute: one memory file seen through a writable and an executable
// view.

import CLinux
import Glibc

/// Thin typed mmap(2) family. Addresses are host addresses.
public enum HostMemory {
    public static let none: Int32 = 0, read: Int32 = 1, write: Int32 = 2, execute: Int32 = 4
    public static let shared: Int32 = 0x01, privateCopy: Int32 = 0x02, fixed: Int32 = 0x10, anonymous: Int32 = 0x20
    public static let noReserve: Int32 = 0x4000, fixedNoReplace: Int32 = 0x100000

    @inlinable
    public static func map(
        _ address: UInt, _ length: Int, _ protection: Int32, _ flags: Int32, fd: Int32 = -1, offset: Int = 0
    ) throws(Errno) -> UnsafeMutableRawPointer {
        let result = try Errno.check(
            kernel(SYS_mmap, Int(bitPattern: address), length, Int(protection), Int(flags), Int(fd), offset))
        guard let pointer = UnsafeMutableRawPointer(bitPattern: result) else { throw .nomem }
        return pointer
    }

    /// Where the C library's heap ends that it has from brk(2).
    public static var heapEnd: UInt64 { UInt64(UInt(bitPattern: sbrk(0))) }

    @inlinable
    public static func unmap(_ address: UInt, _ length: Int) throws(Errno) {
        _ = try Errno.check(kernel(SYS_munmap, Int(bitPattern: address), length))
    }

    @inlinable
    public static func protect(_ address: UInt, _ length: Int, _ protection: Int32) throws(Errno) {
        _ = try Errno.check(kernel(SYS_mprotect, Int(bitPattern: address), length, Int(protection)))
    }

    /// Anonymous zeroed memory, committed on first touch; `unmap` with the same length gives all of it back. Long pieces start where a
    /// large page can.
    public static func reserve(_ length: Int) throws(Errno) -> UnsafeMutableRawPointer {
        let flags = privateCopy | anonymous | noReserve
        return try MappingReserve.use { () throws(Errno) in
            if length < LargePages.size { return try map(0, length, read | write, flags) }
            return try placeAligned(length, read | write)
        }
    }

    /// Memory that starts where a large page can. Without rights it is to be replaced by what shall be there.
    static func placeAligned(_ length: Int, _ rights: Int32 = none) throws(Errno) -> UnsafeMutableRawPointer {
        let page = Int(HostProcess.pageSize)
        let whole = (length + page - 1) & ~(page - 1)
        let flags = privateCopy | anonymous | noReserve
        /// Keeps what begins at `start` of so many bytes at `room`.
        func keep(_ start: UInt, of room: UInt, _ size: Int) -> UnsafeMutableRawPointer? {
            let before = Int(start - room), behind = size - before - whole
            if before > 0 { try? unmap(room, before) }
            if behind > 0 { try? unmap(start + UInt(whole), behind) }
            return UnsafeMutableRawPointer(bitPattern: start)
        }
        // The kernel puts large pages' worth of memory where one can start (Linux 6.7), or directly below what it has placed last.
        let rounded = Int(LargePages.aligned(UInt(whole)))
        let first = UInt(bitPattern: try map(0, rounded, rights, flags))
        if LargePages.aligned(first) == first, let kept = keep(first, of: first, rounded) { return kept }
        try? unmap(first, rounded)
        let room = UInt(bitPattern: try map(0, whole + LargePages.size, rights, flags))
        guard let kept = keep(LargePages.aligned(room), of: room, whole + LargePages.size) else { throw .nomem }
        return kept
    }

    private static let dontNeed = 4

    /// Unmaps pages that a mapping has of a file for now: the next access maps them again.
    static func letGo(_ start: UnsafeRawPointer, _ length: Int) {
        _ = kernel(SYS_madvise, Int(bitPattern: start), length, dontNeed)
    }

    /// Gives whole pages of anonymous memory back: they read as zeros from now on.
    public static func release(_ address: UInt, _ length: Int) {
        _ = kernel(SYS_madvise, Int(bitPattern: address), length, dontNeed)
    }
}

/// Memory for generated code: `writable` and `executable` are two views of the same bytes; no page is ever both.
///
/// Both views are shared mappings of a memory file, which a forked child and its parent have in common. No process may write what
/// another executes, not even one that has been taken over: before a fork `freeze` takes the writable view of all code away, and the
/// file is sealed, so that no writable view can be made of it again. Who wants to change frozen code copies it (`unshare`).
public final class ExecutableMemory: @unchecked Sendable {
    public let size: Int
    public let writable: UnsafeMutableRawPointer
    public let executable: UnsafeRawPointer
    private var largePages: LargePages
    private var written: MappedPieces

    /// `near`: place the executable view within reach of rel32 calls to that address when the address space allows.
    public init(size requested: Int, near: UInt? = nil) throws(Errno) {
        let page = Int(HostProcess.pageSize)
        size = (max(requested, page) + page - 1) & ~(page - 1)
        let pages = try SharedPages(size: size)
        writable = try Self.mapWritable(pages, size)
        largePages = LargePages(writable, size: size)
        written = MappedPieces(writable, size: size, pieceSize: LargePages.size, limit: 4)
        pages.seal()
        do {
            executable = UnsafeRawPointer(try Self.mapExecutable(pages, size, near))
        } catch {
            try? HostMemory.unmap(UInt(bitPattern: writable), size)
            throw error
        }
    }

    deinit {
        try? HostMemory.unmap(UInt(bitPattern: writable), size)
        try? HostMemory.unmap(UInt(bitPattern: executable), size)
    }

    /// True when a rel32 displacement reaches `address` from anywhere in the executable view.
    public func reaches(_ address: UInt) -> Bool {
        let start = UInt(bitPattern: executable), end = start + UInt(size), limit: UInt = 0x7fff_0000
        return address >= start ? address - start < limit : end - address < limit
    }

    /// Before fork(): these bytes, whole pages, stay executable, and nobody can write them any more.
    public func freeze(_ bytes: Range<Int>) throws(Errno) {
        if bytes.isEmpty { return }
        _ = try HostMemory.map(
            UInt(bitPattern: writable) + UInt(bytes.lowerBound), bytes.count, HostMemory.none,
            HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve | HostMemory.fixed)
    }

    /// In a forked child: the bytes from `shared` on, a multiple of the page size, are its own from now on, and empty. Those before are
    /// also the parent's: neither may change them before it calls `unshare`.
    public func separate(from shared: Int) throws(Errno) {
        guard shared < size else { return }
        try mapOver(try SharedPages(size: size), from: shared)
    }

    /// Replaces both views, at their addresses, by a copy of the first `used` bytes that no other process has. Threads may run in them;
    /// none may write.
    public func unshare(used: Int) throws(Errno) {
        let pages = try SharedPages(size: size)
        try pages.fill(UnsafeRawBufferPointer(start: executable, count: min(used, size)))
        try mapOver(pages, from: 0)
    }

    private func mapOver(_ pages: borrowing SharedPages, from start: Int) throws(Errno) {
        func map(_ view: UInt, _ rights: Int32) throws(Errno) {
            _ = try MappingReserve.use { () throws(Errno) in
                try pages.map(view + UInt(start), size - start, rights, HostMemory.fixed, offset: start)
            }
        }
        try map(UInt(bitPattern: writable), HostMemory.read | HostMemory.write)
        pages.seal()
        try map(UInt(bitPattern: executable), HostMemory.read | HostMemory.execute)
    }

    /// Call as code grows. A small page costs two faults, one for each view.
    @inline(__always) public func makeLargePages(used: Int) { largePages.grow(to: used) }

    /// Call before what lies at an offset is written: only what was written last stays mapped there.
    @inline(__always) public func willWrite(at offset: Int) { written.use(at: offset) }

    /// At a multiple of a large page.
    private static func mapWritable(_ pages: borrowing SharedPages, _ size: Int) throws(Errno)
        -> UnsafeMutableRawPointer
    {
        let start = UInt(bitPattern: try HostMemory.placeAligned(size))
        do throws(Errno) {
            return try pages.map(start, size, HostMemory.read | HostMemory.write, HostMemory.fixed)
        } catch {
            try? HostMemory.unmap(start, size)
            throw error
        }
    }

    private static func mapExecutable(
        _ pages: borrowing SharedPages, _ size: Int, _ near: UInt?
    ) throws(Errno) -> UnsafeMutableRawPointer {
        let protection = HostMemory.read | HostMemory.execute
        if let near {
            let step: UInt = 32 << 20, span = UInt(size)
            // Below the target first: above it grows the host's heap.
            for distance in 1..<UInt(48) {
                let gap = distance &* step
                guard gap &+ span < 0x7000_0000 else { break }
                for hint in [near &- gap &- span, near &+ gap] {
                    let address = hint & ~UInt(LargePages.size - 1)
                    guard address > 1 << 32, address < 1 << 47 else { continue }
                    if let found = try? pages.map(address, size, protection, HostMemory.fixedNoReplace) {
                        if UInt(bitPattern: found) == address { return found }
                        try? HostMemory.unmap(UInt(bitPattern: found), size)
                    }
                }
            }
        }
        return try pages.map(0, size, protection)
    }
}
