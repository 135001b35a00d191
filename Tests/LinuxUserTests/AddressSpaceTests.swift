// The user-mode address space on real host memory.

import GuestMemory
import HostOS
import LinuxMemory
import Synchronization
import Testing

private let anonymous = HostMemory.privateCopy | HostMemory.anonymous

/// Notes what it is told, and whether the page was still there at that time.
private final class NotingHolder: CodeHolder, @unchecked Sendable {
    struct Drop: Equatable {
        var start: UInt64
        var settles: Bool
        var wasMapped: Bool
    }
    private unowned let space: UserAddressSpace
    var drops: [Drop] = []
    var depth = 0
    init(_ space: UserAddressSpace) { self.space = space }
    func lockCode() { depth += 1 }
    func unlockCode() { depth -= 1 }
    func dropCode(start: GuestLocation, length: UInt64, settles: Bool) {
        let start = start.rawValue
        drops.append(Drop(start: start, settles: settles, wasMapped: GuestCopy.load32(UInt(start & ~3)) != nil))
    }
}

@Suite(.serialized) struct AddressSpaceTests {
    init() { HostSignals.start() }

    private func makeSpace() throws -> UserAddressSpace {
        let space = try UserAddressSpace(limit: 0x40_0000_0000)
        // Away from other suites' memory: they place from the top down.
        space.placementTop = 0x20_0000_0000
        return space
    }

    @Test func badAddressesGiveEFAULTInsteadOfAFault() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 4096, rights: [.read, .write], flags: anonymous)
        try space.write(page + 4088, UInt64(0x1122_3344_5566_7788))
        #expect(try space.read(page + 4088, as: UInt64.self) == 0x1122_3344_5566_7788)
        #expect(throws: Errno.fault) { try space.read(page + 4089, as: UInt64.self) }
        #expect(throws: Errno.fault) { try space.write(page + 4093, UInt64(1)) }
        #expect(throws: Errno.fault) { try space.read(0, as: UInt8.self) }
        #expect(throws: Errno.fault) { try space.read(.max - 3, as: UInt64.self) }
        #expect(throws: Errno.fault) { try space.loadWord(page + 8192) }
        try space.protect(page, length: 4096, rights: .read)
        #expect(throws: Errno.fault) { try space.write(page, UInt8(1)) }
        #expect(throws: Errno.fault) { try space.storeWord(page, 1) }
        #expect(throws: Errno.fault) { try space.compareExchangeWord(page, expected: 0, desired: 1) }
        try space.unmap(page, length: 4096)
        #expect(throws: Errno.fault) { try space.read(page, as: UInt8.self) }
    }

    /// A program file that may lie anywhere goes to the place that follows from its name; the next one, where that is taken.
    @Test func programFilesHaveUsualPlaces() throws {
        let space = try makeSpace()
        let fd = try HostFile.openForReading("/proc/self/exe")
        defer { HostFile.close(fd) }
        func map(_ hint: UInt64 = 0, offset: UInt64 = 0) throws -> UInt64 {
            try space.map(
                hint, length: 0x3000, rights: [.read, .execute], flags: HostMemory.privateCopy, fd: fd, offset: offset)
        }
        let usual = try #require(space.usualPlace(ofFile: fd, length: 0x3000))
        let first = try map()
        #expect(first == usual)
        let second = try map()
        #expect(second != first)
        #expect(try map(offset: 4096) < 0x20_0000_0000, "not the start of a file")
        let number = space.codeFile(at: GuestLocation(first))
        #expect(
            number > 0 && space.codeFile(at: GuestLocation(second)) == number
                && space.codeFile(at: GuestLocation(0)) == 0)
        #expect(space.codeFileName(number) == (try HostFile.readLink("/proc/self/exe")))
        for address in [first, second] { try space.unmap(address, length: 0x3000) }
        #expect(space.codeFile(at: GuestLocation(first)) == 0)
        #expect(try map() == usual)
        // Data of the same file is no code, wherever it lies.
        let data = try space.map(0, length: 4096, rights: .read, flags: HostMemory.privateCopy, fd: fd)
        #expect(space.codeFile(at: GuestLocation(data)) == 0)
        try space.unmap(usual, length: 0x3000)
        try space.unmap(data, length: 4096)
    }

    @Test func stringsEndAtTheirNULOrFail() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 4096, rights: [.read, .write], flags: anonymous)
        try space.writeBytes(page + 4090, Array("abc".utf8) + [0])
        #expect(try space.readCString(page + 4090) == Array("abc".utf8) + [0])
        try space.writeBytes(page + 4090, Array("abcdef".utf8))
        #expect(throws: Errno.fault) { try space.readCString(page + 4090) }
        #expect(throws: Errno.nametoolong) { try space.readCString(page + 4090, max: 4) }
        try space.unmap(page, length: 4096)
    }

    @Test func changesOfCodePagesAreReportedBeforeTheyAreMade() throws {
        let space = try makeSpace()
        let holder = NotingHolder(space)
        space.codeHolder = holder
        let page = try space.map(0, length: 8192, rights: [.read, .write, .execute], flags: anonymous)
        #expect(space.protectCode(start: GuestLocation(page + 100), length: 4))
        #expect(
            space.resolveFault(address: page + 8, access: .write) == .codeWrite(page: GuestLocation(page), length: 4096)
        )
        #expect(space.resolveFault(address: page + 4096, access: .write) == .retry)
        #expect(
            space.allowWrites(start: GuestLocation(page), length: 4096) == GuestLocation(
                page)..<GuestLocation(page + 4096))
        #expect(space.resolveFault(address: page + 8, access: .write) == .retry)
        // A host write to a protected code page reports the change and succeeds.
        #expect(space.protectCode(start: GuestLocation(page), length: 4))
        #expect(!GuestCopy.store32(UInt(page), 1))
        try space.write(page + 16, UInt32(7))
        #expect(try space.read(page + 16, as: UInt32.self) == 7)
        #expect(holder.drops == [.init(start: page, settles: false, wasMapped: true)])
        // Losing execute permission, moving, replacing and unmapping report too; a page without code does not.
        func drops(_ change: () throws -> Void) throws -> [NotingHolder.Drop] {
            holder.drops = []
            #expect(space.protectCode(start: GuestLocation(page), length: 4))
            try change()
            return holder.drops
        }
        let expected = [NotingHolder.Drop(start: page, settles: true, wasMapped: true)]
        let all: PageRights = [.read, .write, .execute]
        #expect(try drops { try space.protect(page, length: 4096, rights: [.read, .write]) } == expected)
        try space.protect(page, length: 4096, rights: all)
        #expect(try drops { try space.protect(page, length: 4096, rights: [.read, .execute]) } == [])
        try space.protect(page, length: 4096, rights: all)
        #expect(
            try drops {
                _ = try space.map(page, length: 4096, rights: all, flags: anonymous | HostMemory.fixed)
            } == expected)
        #expect(
            try drops {
                let moved = try space.remap(page, oldLength: 4096, newLength: 8192, flags: 1, newAddress: 0)
                try space.unmap(moved, length: 8192)
                _ = try space.map(page, length: 4096, rights: all, flags: anonymous | HostMemory.fixed)
            }.first == expected.first)
        #expect(try drops { try space.unmap(page, length: 4096) } == expected)
        #expect(holder.depth == 0)
        holder.drops = []
        try space.unmap(page, length: 8192)
        #expect(holder.drops == [])
        #expect(space.resolveFault(address: page, access: .read) == .guestFault(.unmapped))
    }

    /// mprotect(2) stops at the first hole, and what lies behind it stays as it is.
    @Test func protectionChangesUpToAHole() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 3 * 4096, rights: [.read, .write], flags: anonymous)
        try space.unmap(page + 4096, length: 4096)
        #expect(throws: Errno.nomem) { try space.protect(page, length: 3 * 4096, rights: .read) }
        #expect(space.mapping(at: page)?.rights == .read)
        #expect(space.mapping(at: page + 8192)?.rights == [.read, .write])
        #expect(GuestCopy.store32(UInt(page + 8192), 1))
        #expect(throws: Errno.nomem) { try space.protect(page + 4096, length: 8192, rights: .read) }
        #expect(space.mapping(at: page + 8192)?.rights == [.read, .write])
        try space.unmap(page, length: 3 * 4096)
    }

    /// Only what the guest may write and execute can get code while a system call writes to it.
    @Test func outputsAreCopiedWhereCodeMayCome() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 3 * 4096, rights: [.read, .write], flags: anonymous)
        #expect(!space.mayGetCode(page, 3 * 4096))
        try space.protect(page + 4096, length: 4096, rights: [.read, .write, .execute])
        #expect(space.mayGetCode(page, 4097) && !space.mayGetCode(page, 4096))
        #expect(space.mayGetCode(page + 8191, 1) && !space.mayGetCode(page + 8192, 4096))
        #expect(space.writableExtent(from: page, length: 1 << 40) == page + 3 * 4096)
        try space.unmap(page, length: 3 * 4096)
    }

    @Test func anAccessThatTheHostRefusesIsAFaultAndNotRetriedForever() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 4096, rights: [.read, .write], flags: anonymous)
        #expect(space.resolveFault(address: page + 4093, access: .read) == .retry)
        try HostMemory.protect(UInt(page), 4096, HostMemory.read)
        #expect(space.resolveFault(address: page + 4093, access: .read) == .retry)
        #expect(space.resolveFault(address: page + 4093, access: .write) == .guestFault(.permission))
        try HostMemory.protect(UInt(page), 4096, HostMemory.none)
        #expect(space.resolveFault(address: page, access: .read) == .guestFault(.permission))
        try space.unmap(page, length: 4096)
    }

    @Test func growingBeyondTheAddressSpaceIsOutOfMemory() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 4096, rights: [.read, .write], flags: anonymous)
        #expect(throws: Errno.nomem) {
            try space.remap(page, oldLength: 4096, newLength: 1 << 60, flags: 1, newAddress: 0)
        }
        #expect(throws: Errno.fault) {
            try space.remap(1 << 50, oldLength: 4096, newLength: 8192, flags: 1, newAddress: 0)
        }
        try space.unmap(page, length: 4096)
    }

    @Test func protectKeepsCodePagesReadOnlyOnTheHost() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 3 * 4096, rights: [.read, .execute], flags: anonymous)
        #expect(space.protectCode(start: GuestLocation(page + 4096), length: 4))
        try space.protect(page, length: 3 * 4096, rights: [.read, .write, .execute])
        #expect(GuestCopy.store32(UInt(page), 1))
        #expect(!GuestCopy.store32(UInt(page + 4096), 1))
        #expect(GuestCopy.store32(UInt(page + 8192), 1))
        try space.unmap(page, length: 3 * 4096)
    }

    @Test func executableBytesStopWhereExecutePermissionStops() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 3 * 4096, rights: [.read, .execute], flags: anonymous)
        #expect(space.codeBytes(at: GuestLocation(page + 4000))?.count == 96 + 4096)
        try space.protect(page + 4096, length: 4096, rights: .read)
        #expect(space.codeBytes(at: GuestLocation(page + 4000))?.count == 96)
        #expect(space.codeBytes(at: GuestLocation(page + 4096)) == nil)
        #expect(space.codeBytes(at: GuestLocation(0)) == nil)
        #expect(space.codeBytes(at: GuestLocation(.max)) == nil)
        try space.unmap(page, length: 3 * 4096)
    }

    @Test func fixedMappingsReplaceGuestMemoryAndNeverHostMemory() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 4 * 4096, rights: [.read, .write], flags: anonymous)
        try space.write(page + 4096, UInt32(5))
        let again = try space.map(
            page + 4096, length: 4096, rights: .read, flags: anonymous | HostMemory.fixed)
        #expect(again == page + 4096)
        #expect(try space.read(page + 4096, as: UInt32.self) == 0)
        #expect(throws: Errno.exist) {
            try space.map(page, length: 4096, rights: .read, flags: anonymous | HostMemory.fixedNoReplace)
        }
        // Something of the host's, below the limit but not in the table.
        let host = try HostMemory.map(
            UInt(page - 0x1000_0000), 4096, HostMemory.read | HostMemory.write, anonymous | HostMemory.fixedNoReplace)
        let there = UInt64(UInt(bitPattern: host))
        #expect(throws: (any Error).self) {
            try space.map(there, length: 4096, rights: .read, flags: anonymous | HostMemory.fixed)
        }
        #expect(throws: (any Error).self) {
            try space.map(there - 4096, length: 3 * 4096, rights: .read, flags: anonymous | HostMemory.fixed)
        }
        try space.unmap(there, length: 4096)
        host.storeBytes(of: 1, as: UInt32.self)  // still mapped
        #expect(throws: Errno.nomem) { try space.protect(there, length: 4096, rights: .read) }
        try HostMemory.unmap(UInt(there), 4096)
        // Beyond the limit there is no guest memory.
        #expect(throws: Errno.nomem) {
            try space.map(space.limit, length: 4096, rights: .read, flags: anonymous | HostMemory.fixed)
        }
        #expect(throws: Errno.inval) { try space.unmap(space.limit, length: 4096) }
        try space.unmap(page, length: 4 * 4096)
    }

    @Test func remapMovesContentsAndAddresses() throws {
        let space = try makeSpace()
        let page = try space.map(0, length: 2 * 4096, rights: [.read, .write], flags: anonymous)
        let blocker = try space.map(
            page + 2 * 4096, length: 4096, rights: .read, flags: anonymous | HostMemory.fixedNoReplace)
        defer { try? space.unmap(blocker, length: 4096) }
        try space.write(page + 4096, UInt32(77))
        #expect(throws: Errno.nomem) {
            try space.remap(page, oldLength: 2 * 4096, newLength: 3 * 4096, flags: 0, newAddress: 0)
        }
        let moved = try space.remap(page, oldLength: 2 * 4096, newLength: 64 * 4096, flags: 1, newAddress: 0)
        #expect(moved != page)
        #expect(try space.read(moved + 4096, as: UInt32.self) == 77)
        #expect(space.isFree(page, length: 2 * 4096))
        #expect(try space.remap(moved, oldLength: 64 * 4096, newLength: 4096, flags: 0, newAddress: 0) == moved)
        #expect(throws: Errno.fault) { try space.read(moved + 4096, as: UInt32.self) }
        #expect(throws: Errno.fault) {
            try space.remap(moved, oldLength: 2 * 4096, newLength: 4096, flags: 0, newAddress: 0)
        }
        try space.unmap(moved, length: 4096)
    }
}

@Suite(.serialized) struct SizedAccessTests {
    @Test func sizedAccessesReadWriteAndReportFaults() throws {
        HostSignals.start()
        let page = try HostMemory.map(
            0, 8192, HostMemory.read | HostMemory.write, HostMemory.privateCopy | HostMemory.anonymous)
        defer { try? HostMemory.unmap(UInt(bitPattern: page), 8192) }
        try HostMemory.protect(UInt(bitPattern: page) + 4096, 4096, HostMemory.none)
        let address = UInt64(UInt(bitPattern: page))
        let load = GuestCopy.sizedLoad, store = GuestCopy.sizedStore, exchange = GuestCopy.sizedCompareExchange
        let pattern: UInt64 = 0xf1f2_f3f4_f5f6_f7f8
        for log2 in UInt64(0)..<4 {
            let mask = log2 == 3 ? UInt64.max : (1 << (8 << log2)) - 1
            #expect(store(address, 3, .max) == 0)
            #expect(store(address, log2, pattern) == 0)
            #expect(page.load(as: UInt64.self) == pattern & mask | ~mask)
            var value: UInt64 = 0
            #expect(load(address, log2, &value) == 0)
            #expect(value == pattern & mask)
            // A failing exchange changes nothing; one that succeeds stores the low bytes.
            #expect(exchange(address, log2, 0, 1, &value) == 0)
            #expect(value == pattern & mask)
            #expect(page.load(as: UInt64.self) == pattern & mask | ~mask)
            #expect(exchange(address, log2, pattern, 0x11, &value) == 0)
            #expect(value == pattern & mask)
            #expect(page.load(as: UInt64.self) == 0x11 | ~mask)
            for bad in [UInt64(8), address + 4096, 0x8000_0000_0000_0000] {
                #expect(load(bad, log2, &value) == 11)
                #expect(store(bad, log2, 0) == 11)
                #expect(exchange(bad, log2, 0, 0, &value) == 11)
            }
        }
    }
}
