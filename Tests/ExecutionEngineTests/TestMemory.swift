// Guest memory for tests: host memory at its own address.
//
//     base                                     code: pages that were translated are write-protected
//     + TestMemory.codeSize                    data
//     + codeSize + dataSize                    a page without access
//     + codeSize + dataSize + 4096             a page past the end of its file: SIGBUS
//
// All of it is a file mapped twice: `write` goes through the second mapping, which is never protected.

import CLinux
import GuestMemory
import HostOS

final class TestMemory: CodeMemory, CodeSource, AddressSpace, @unchecked Sendable {
    static let codeSize: UInt64 = 1 << 19, dataSize: UInt64 = 1 << 16

    let base: UInt64
    /// The file that code comes from at an offset from the base.
    var files: @Sendable (UInt64) -> String = { _ in "program" }
    private var names: [String] = []
    func codeFile(at location: GuestLocation) -> Int {
        let name = files(location.rawValue &- base)
        return lock.withLock {
            if !names.contains(name) { names.append(name) }
            return (names.firstIndex(of: name) ?? 0) + 1
        }
    }
    func codeFileName(_ number: Int) -> String { lock.withLock { names[number - 1] } }
    private let alias: UnsafeMutableRawPointer
    // Guarded by `lock`.
    private let lock = Lock()
    private var protected: Set<UInt64> = []
    private var lazy: Set<UInt64> = []
    private(set) var codeWrites = 0
    private(set) var retries = 0

    var data: UInt64 { base + Self.codeSize }
    var guardPage: UInt64 { data + Self.dataSize }
    var busPage: UInt64 { guardPage + 4096 }
    private static var fileSize: Int { Int(codeSize + dataSize) }
    private static var mappedSize: Int { fileSize + 8192 }

    /// `isLow`: at an address below 2^31.
    init(isLow: Bool = false) throws {
        let name: StaticString = "engine-test"
        let fd = try Errno.check(kernel(SYS_memfd_create, Int(bitPattern: name.utf8Start), 0))
        defer { _ = kernel(SYS_close, fd) }
        _ = try Errno.check(kernel(SYS_ftruncate, fd, Self.fileSize))
        let access = HostMemory.read | HostMemory.write
        var low: UnsafeMutableRawPointer?
        if isLow {
            for candidate in stride(from: UInt(0x2000_0000), to: 0x6000_0000, by: 0x100_0000) where low == nil {
                let flags = HostMemory.shared | HostMemory.fixedNoReplace
                low = try? HostMemory.map(candidate, Self.mappedSize, access, flags, fd: Int32(fd))
            }
        }
        let view = try low ?? HostMemory.map(0, Self.mappedSize, access, HostMemory.shared, fd: Int32(fd))
        base = UInt64(UInt(bitPattern: view))
        alias = try HostMemory.map(0, Self.fileSize, access, HostMemory.shared, fd: Int32(fd))
        try HostMemory.protect(UInt(guardPage), 4096, 0)
    }

    deinit {
        try? HostMemory.unmap(UInt(base), Self.mappedSize)
        try? HostMemory.unmap(UInt(bitPattern: alias), Self.fileSize)
    }

    // MARK: For tests

    /// Writes instruction words at `offset` from the base, unseen by the engine.
    func write(_ words: [UInt32], at offset: Int) {
        for (i, word) in words.enumerated() {
            alias.storeBytes(of: word, toByteOffset: offset + 4 * i, as: UInt32.self)
        }
    }

    func write(bytes: [UInt8], at offset: Int) {
        for (i, byte) in bytes.enumerated() { alias.storeBytes(of: byte, toByteOffset: offset + i, as: UInt8.self) }
    }

    /// A word of the data area.
    subscript(data offset: Int) -> UInt64 {
        get { alias.load(fromByteOffset: Int(Self.codeSize) + offset, as: UInt64.self) }
        set { alias.storeBytes(of: newValue, toByteOffset: Int(Self.codeSize) + offset, as: UInt64.self) }
    }

    /// Makes the first access to a page fault, to be retried.
    func makeLazy(_ page: UInt64) throws {
        lock.withLock { _ = lazy.insert(page) }
        try HostMemory.protect(UInt(page), 4096, 0)
    }

    // MARK: CodeMemory

    /// Set before there is an engine.
    var pageSize: UInt64 = 4096

    /// Set before there is an engine.
    var hasPlaces = false
    func place(of address: UInt64) -> GuestPlace? { .same }

    func contains(code address: UInt64) -> Bool { address &- base < Self.codeSize }

    func codeBytes(at location: GuestLocation) -> UnsafeRawBufferPointer? {
        let address = location.rawValue
        guard contains(code: address) else { return nil }
        return UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: UInt(address)), count: Int(data - address))
    }

    func protectCode(start: GuestLocation, length: UInt64) -> Bool {
        let start = start.rawValue
        return lock.withLock {
            var page = start & ~4095
            while page < start + max(length, 1) {
                if contains(code: page), protected.insert(page).inserted {
                    try? HostMemory.protect(UInt(page), 4096, HostMemory.read)
                }
                page += 4096
            }
            return true
        }
    }

    func allowWrites(start: GuestLocation, length: UInt64) -> Range<GuestLocation> {
        lock.withLock {
            for page in protected where page &- start.rawValue < length {
                protected.remove(page)
                try? HostMemory.protect(UInt(page), 4096, HostMemory.read | HostMemory.write)
                codeWrites += 1
            }
            return start..<start &+ length
        }
    }

    func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution {
        lock.withLock {
            let page = address & ~4095
            if access == .execute, !contains(code: address) { return .guestFault(.unmapped) }
            if contains(code: address) {
                if protected.contains(page) { return .codeWrite(page: GuestLocation(page), length: 4096) }
                retries += 1
                return .retry
            }
            if lazy.remove(page) != nil {
                try? HostMemory.protect(UInt(page), 4096, HostMemory.read | HostMemory.write)
                retries += 1
                return .retry
            }
            return .guestFault(page == guardPage ? .permission : .unmapped)
        }
    }

    /// The first 64 KiB of code are said to have no other mapping.
    var hasWatchedCode: Bool { true }
    var codeSource: (any CodeSource)? { self }
    func pagesChangedUnseen() -> [GuestLocation] {
        lock.withLock { protected.filter { $0 &- base >= 0x1_0000 } }.map { GuestLocation($0) }
    }
}

/// Code pages of a test memory as one vCPU sees them. (Loads and stores see the memory itself.)
final class View: AddressSpace, @unchecked Sendable {
    private let memory: TestMemory
    /// By page of code: the page that is seen there, or none. Others show themselves. Used by the vCPU's thread.
    var shown: [UInt64: UInt64?] = [:]

    init(_ memory: TestMemory) {
        self.memory = memory
        memory.hasPlaces = true
    }

    func place(of address: UInt64) -> GuestPlace? {
        guard memory.contains(code: address) else { return nil }
        let page = (address &- memory.base) / memory.pageSize
        guard let other = shown[page] else { return .same }
        return other.map { GuestPlace(($0 &- page) &* memory.pageSize) }
    }

    func resolveFault(address: UInt64, access: MemoryAccess) -> FaultResolution {
        if access == .execute, place(of: address) == nil { return .guestFault(.unmapped) }
        return memory.resolveFault(address: address, access: access)
    }
}
