// Resource limits as values, and what works without files and mappings.

import CLinux
import Glibc
import LinuxMemory
import Testing

@testable import HostOS

@Suite(.serialized) struct LimitsTests {
    /// What the guest sets is what it reads back, and there is room for Martlet above it.
    @Test func descriptorLimitsLeadBack() {
        for hard in (0...3000).map({ UInt64($0) }) + [1 << 20, .max - 1, .max] {
            let guest = ResourceLimit(soft: hard / 2, hard: hard), host = HostLimits.hostDescriptors(guest)
            #expect(host.soft == guest.soft && host.hard >= guest.hard)
            if hard < .max - 8 { #expect(HostLimits.guestDescriptors(host) == guest) }
            if hard > 24, hard < .max - 8 { #expect(host.hard == hard + 8) }
        }
        #expect(
            HostLimits.guestDescriptors(ResourceLimit(soft: 64, hard: 64)) == ResourceLimit(soft: 56, hard: 56))
    }

    @Test func memoryLimitsAreHandedOnAsText() {
        let values = MemoryLimitValues(
            data: .infinite, stack: ResourceLimit(soft: 8 << 20, hard: .max),
            addressSpace: ResourceLimit(soft: 1, hard: 2))
        #expect(MemoryLimitValues(values.text) == values)
        for text in ["", "1:2", "1:2,3:4,5:6,7:8", "1:2,3:4,5:x", "-1:2,3:4,5:6"] {
            #expect(MemoryLimitValues(text) == nil, "\(text)")
        }
        #expect(values[7] == nil && values[9]?.hard == 2)
    }

    @Test func growthBeyondALimitIsRefused() throws {
        let limits = MemoryLimits()
        limits.values.addressSpace.soft = 100
        limits.values.data.soft = 50
        var table = MappingTable()
        for mapping in [
            Mapping(start: 0, end: 40, rights: .read), Mapping(start: 40, end: 60, rights: [.read, .write]),
            Mapping(start: 60, end: 70, rights: [.read, .write], isShared: true),
            Mapping(start: 1000, end: 9000, rights: [.read, .write], kind: .stack),
        ] {
            table.insert(mapping)
        }
        func admits(_ growth: UInt64, _ rights: PageRights, isShared: Bool = false, _ range: Range<UInt64>? = nil)
            -> Bool
        {
            (try? limits.admit(growth, rights, isShared: isShared, replacing: range, in: table)) != nil
        }
        #expect(admits(30, .read) && !admits(31, .read) && !admits(.max, .read))
        #expect(admits(30, .read, isShared: true) && !admits(31, [.read, .write]))
        #expect(admits(60, .read, 10..<40) && !admits(61, .read, 10..<40))
        limits.values.addressSpace.soft = 1000
        #expect(admits(30, [.read, .write]) && !admits(31, [.read, .write]))
        #expect(admits(31, [.read, .write], isShared: true) && admits(31, .read))
    }

    /// The same bytes at every place, whether the pages are a file or not.
    @Test(arguments: [false, true]) func sharedPagesAreTheSameEverywhere(_ mayBeFile: Bool) throws {
        let size = 64 << 10, access = HostMemory.read | HostMemory.write
        func view() throws -> [UnsafeMutableRawPointer] {
            let pages = try SharedPages(size: size, mayBeFile: mayBeFile)
            try [UInt8](repeating: 7, count: 100).withUnsafeBytes { bytes in try pages.fill(bytes) }
            let first = try pages.map(0, size, access)
            let second = try pages.map(0, size, HostMemory.read)
            let place = try HostMemory.reserve(size)
            let third = try pages.map(
                UInt(bitPattern: place), 4096, HostMemory.read, HostMemory.fixed, offset: 8192)
            #expect(throws: Errno.exist) {
                try pages.map(UInt(bitPattern: place), size, access, HostMemory.fixedNoReplace)
            }
            return [first, second, third]
        }
        let views = try view()
        #expect(views[1].load(as: UInt8.self) == 7)
        views[0].storeBytes(of: 42, toByteOffset: 8192, as: Int.self)
        #expect(views[1].load(fromByteOffset: 8192, as: Int.self) == 42 && views[2].load(as: Int.self) == 42)
        views[0].storeBytes(of: 43, toByteOffset: size - 8, as: Int.self)
        #expect(views[1].load(fromByteOffset: size - 8, as: Int.self) == 43)
        for (view, length) in zip(views, [size, size, size]) { try HostMemory.unmap(UInt(bitPattern: view), length) }
    }

    /// Other threads may run in what is replaced: there is no moment at which nothing is there.
    @Test(arguments: [false, true]) func pagesAreReplacedInOneStep(_ mayBeFile: Bool) throws {
        HostSignals.start()
        let size = 64 << 10, place = UInt(bitPattern: try HostMemory.reserve(size))
        let words = UnsafeMutablePointer<UInt32>.allocate(capacity: 2)  // to end; what was missed, plus 1 at the end
        words.initialize(repeating: 0, count: 2)
        func replace() throws {
            let pages = try SharedPages(size: size, mayBeFile: mayBeFile)
            try [UInt8](repeating: 7, count: size).withUnsafeBytes { bytes in try pages.fill(bytes) }
            _ = try pages.map(place, size, HostMemory.read, HostMemory.fixed)
        }
        try replace()
        let shared = UInt(bitPattern: words)
        try HostThread.start {
            let words = UnsafeMutablePointer<UInt32>(bitPattern: shared)!
            var missed: UInt32 = 0
            while publishedWord(words) == 0 {
                for page in 0..<UInt(size >> 12) where GuestCopy.load32(place + page << 12) != 0x0707_0707 {
                    missed += 1
                }
            }
            publishWord(words + 1, missed + 1)
        }
        for _ in 0..<2000 { try replace() }
        publishWord(words, 1)
        let end = HostClock.monotonic() + 20_000_000_000
        var spin = SpinWait()
        while publishedWord(words + 1) == 0, HostClock.monotonic() < end { spin.wait() }
        #expect(publishedWord(words + 1) == 1, "replaced pages were missing, or the thread did not end")
    }

    /// In a child of its own: the limit binds the whole process.
    @Test func writesOfMartletsOwnRaiseNoSignal() throws {
        let pid = try HostProcess.fork()
        if pid == 0 {
            let name: StaticString = "limits-test"
            let fd = Int32(kernel(SYS_memfd_create, Int(bitPattern: name.utf8Start), 0))
            try? HostLimits.set(HostLimits.fileSize, ResourceLimit(soft: 4, hard: 4))
            let fits = writeAll(fd, "1234"), isBeyond = !writeAll(fd, "5")
            var failed = false
            do {
                try [UInt8](repeating: 0, count: 4).withUnsafeBytes { try HostFile.write(fd, $0, at: 2) }
            } catch { failed = (error as? Errno) == .fbig }
            HostProcess.exitGroup(fits && isBeyond && failed ? 0 : 1)
        }
        var status: Int32 = -1
        waitpid(pid, &status, 0)
        #expect(status == 0)
    }
}
