// An ABI whose pages are larger than the host's: calls on the address space go by them.

import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

@Suite struct PageSizeTests {
    private static let page: UInt64 = 0x4000
    private static let half: UInt64 = 0x2000

    private func fixture() throws -> SystemCallFixture {
        var abi = LinuxGuestABI.riscv64
        abi.convention.pageSize = Self.page
        return try SystemCallFixture(abi: abi)
    }

    /// Two pages to be read, mapped by a call.
    private func map(_ guest: SystemCallFixture) throws -> UInt64 {
        let address = guest.call(.mmap, 0, Self.page + 1, 1, 0x22, .max, 0)
        try #require(address > 0)
        return UInt64(address)
    }

    @Test func mappingsHaveWholePages() throws {
        let guest = try fixture(), page = Self.page
        let address = try map(guest)
        defer { guest.call(.munmap, address, 2 * page) }
        let whole = try #require(guest.memory.mapping(at: address))
        #expect(address % page == 0 && whole.start == address && whole.end == address + 2 * page)
        #expect(isError(guest.call(.mmap, 0, page, 3, 0x22, .max, Self.half), .inval))
        #expect(isError(guest.call(.munmap, address + Self.half, page), .inval))
        #expect(isError(guest.call(.mprotect, address + Self.half, page, 1), .inval))
        #expect(guest.call(.mprotect, address, 1, 0) == 0)
        #expect(guest.memory.mapping(at: address + page - 1)?.rights == [])
        #expect(guest.memory.mapping(at: address + page)?.rights == .read)
        #expect(guest.call(.mprotect, address, 1, 1) == 0)
        #expect(isError(guest.call(.mremap, address + Self.half, page, page, 0), .inval))
        #expect(guest.call(.mremap, address, 2 * page, 1, 0) == Int(address))
        #expect(guest.memory.mapping(at: address)?.end == address + page)
    }

    @Test func theHeapGrowsByPages() throws {
        let guest = try fixture(), page = Self.page
        let address: UInt64 = 0x5_0000_0000  // far below where other tests have their memory
        guest.process.breakStart = address
        guest.process.breakEnd = address
        #expect(guest.call(.brk, address + Self.half) == Int(address + Self.half))
        #expect(guest.memory.mapping(at: address + page - 1)?.kind == .heap)
        #expect(guest.memory.mapping(at: address)?.end == address + page)
        #expect(guest.call(.brk, address) == Int(address))
        #expect(guest.memory.isFree(address, length: page))
    }

    @Test func sealsCoverPages() throws {
        let guest = try fixture(), page = Self.page
        let address = try map(guest)
        #expect(isError(guest.call(.mseal, address + Self.half, page, 0), .inval))
        #expect(guest.call(.mseal, address, 1, 0) == 0)
        #expect(isError(guest.call(.mprotect, address, page, 1), .perm))
        #expect(isError(guest.call(.munmap, address, 1), .perm))
        #expect(guest.call(.munmap, address + page, 1) == 0)
        try guest.memory.unmap(address, length: page)
    }

    @Test func limitsOfStructuresAreAPage() throws {
        let guest = try fixture()
        let structure = guest.room(Int(Self.page))
        #expect(isError(guest.call(.clone3, structure, Self.page + 1), .tooBig))
        // It is looked at: no signal has that number.
        try guest.memory.write(structure + 32, UInt64(1000))
        #expect(isError(guest.call(.clone3, structure, Self.page), .inval))
    }
}
