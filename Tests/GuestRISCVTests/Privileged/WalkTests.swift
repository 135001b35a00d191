// Walks of page tables and memory protection against the models in TranslationModel.swift, and at chosen places.

import GuestKit
import GuestMemory
import TestSupport
import Testing

@testable import GuestRISCV

/// RAM of a few pages and a ROM behind it.
private final class Memory {
    static let base: UInt64 = 0x8000_0000
    static let size = 16 * 4096
    static let rom: UInt64 = 0x1000
    let map = PhysicalMap()
    let bytes: UnsafeMutableRawPointer
    private let romBytes: UnsafeMutableRawPointer
    private let chunks: UnsafeMutablePointer<UInt64>

    init() {
        bytes = .allocate(byteCount: Self.size, alignment: 4096)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size)
        romBytes = .allocate(byteCount: 4096, alignment: 4096)
        romBytes.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
        chunks = .allocate(capacity: 16)
        chunks.initialize(repeating: 0, count: 16)
        let ram = RAMBlock("ram", base: bytes, size: UInt64(Self.size), isReadOnly: false, codeChunks: chunks)
        let rom = RAMBlock("rom", base: romBytes, size: 4096, isReadOnly: true, codeChunks: chunks)
        _ = map.add(PhysicalRange("rom", start: Self.rom, size: 4096, .memory(rom)))
        _ = map.add(PhysicalRange("ram", start: Self.base, size: UInt64(Self.size), .memory(ram)))
    }
    deinit {
        bytes.deallocate()
        romBytes.deallocate()
        chunks.deallocate()
    }

    /// Page-table entries of four or eight bytes.
    func store(entries: [UInt64: UInt64], size: UInt64) {
        for (address, value) in entries {
            let place = bytes + Int(address - Self.base)
            if size == 4 {
                place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
            } else {
                place.storeBytes(of: value, as: UInt64.self)
            }
        }
    }
    func holds(entries: [UInt64: UInt64], size: UInt64) -> Bool {
        entries.allSatisfy { address, value in
            let place = bytes + Int(address - Self.base)
            return (size == 4 ? UInt64(place.load(as: UInt32.self)) : place.load(as: UInt64.self)) == value
        }
    }
    func clear() { bytes.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size) }
    func store(_ value: UInt64, at address: UInt64) {
        bytes.storeBytes(of: value, toByteOffset: Int(address - Self.base), as: UInt64.self)
    }
    func load(_ address: UInt64) -> UInt64 {
        bytes.load(fromByteOffset: Int(address - Self.base), as: UInt64.self)
    }
    func storeROM(_ value: UInt64, at offset: Int) {
        romBytes.storeBytes(of: value, toByteOffset: offset, as: UInt64.self)
    }
}

extension PrivilegedHart {
    fileprivate func walk(_ address: UInt64, _ access: MemoryAccess, _ index: Int, _ memory: Memory) -> Walk {
        guest.walk(state, address, access, index: index, memory.map)
    }
    /// All of memory to S and U mode.
    fileprivate func openMemory() {
        self[Number.pmpaddr0 + 15] = .max
        if guest.wordSize == .bits32 { self[0x3a3] = 0x1f << 24 } else { self[0x3a2] = 0x1f << 56 }
    }
}

extension Walk {
    fileprivate var mapping: PageMapping? {
        if case .page(let mapping) = self { mapping } else { nil }
    }
    fileprivate var fault: UInt32? {
        if case .fault(let code) = self { code } else { nil }
    }
}

@Suite struct WalkTests {
    private static let kinds: [(levels: Int, mode: UInt64)] = [(3, 8), (4, 9), (5, 10), (2, 0)]

    private func chance(_ percent: Int, _ random: inout SeededRandom) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    /// A page-table entry that is often what a walk can go on with.
    private func entry(isLeaf: Bool, level: Int, isNarrow: Bool, _ random: inout SeededRandom) -> UInt64 {
        var page = Memory.base >> 12 + UInt64.random(in: 0..<16, using: &random)
        if isLeaf && chance(90, &random) {
            let alignment: UInt64 = 1 << UInt64(level * (isNarrow ? 10 : 9))
            page = page / alignment * alignment
        }
        if chance(4, &random) { page = UInt64.random(in: 0..<(isNarrow ? 1 << 22 : 1 << 44), using: &random) }
        var value = page << 10 | 1
        if isLeaf {
            value |= [0x2, 0x6, 0x8, 0xa, 0xe].randomElement(using: &random)!
            if chance(50, &random) { value |= 0x10 }
            if chance(70, &random) { value |= 0x40 }
            if chance(60, &random) { value |= 0x80 }
        }
        if chance(10, &random) { value |= 0x20 }
        if chance(6, &random) { value ^= 1 << UInt64.random(in: 0..<10, using: &random) }
        if isNarrow { return value & 0xffff_ffff }
        if chance(8, &random) { value |= 1 << UInt64.random(in: 54..<64, using: &random) }
        if isLeaf && level == 0 && chance(20, &random) { value = (value | 1 << 63) & ~(0xf << 10) | 8 << 10 }
        return value
    }

    @Test(.seeded(8)) func randomPageTablesAreWalkedAsTheModelDoes() throws {
        var random = SeededRandom(seed: Seed.current)
        let memory = Memory()
        var pages = 0
        var faults: Set<UInt32> = []
        for (levels, mode) in Self.kinds {
            let isNarrow = levels == 2
            for (hasContiguous, specification) in [(true, "max"), (false, "max,svnapot=off")] {
                if isNarrow && !hasContiguous { continue }
                let one = try PrivilegedHart(specification, isNarrow ? .bits32 : .bits64)
                for _ in 0..<Rounds.count(400) {
                    var model = TranslationModel(
                        range: Memory.base..<Memory.base + UInt64(Memory.size), isNarrow: isNarrow, levels: levels)
                    model.hasContiguous = hasContiguous && !isNarrow
                    model.root = Memory.base + UInt64.random(in: 0..<16, using: &random) * 4096
                    // Fill the path of one address; others mostly find nothing.
                    var address = UInt64.random(in: 0 ... .max, using: &random)
                    if isNarrow {
                        address &= 0xffff_ffff
                    } else {
                        let unused = UInt64(64 - 12 - 9 * levels)
                        let extended = UInt64(bitPattern: Int64(bitPattern: address << unused) >> Int64(unused))
                        if chance(95, &random) { address = extended }
                    }
                    var table = model.root
                    let leafLevel = chance(60, &random) ? 0 : Int.random(in: 0..<levels, using: &random)
                    for level in (leafLevel..<levels).reversed() {
                        let bits = isNarrow ? 10 : 9
                        let index = address >> UInt64(12 + level * bits) & (isNarrow ? 0x3ff : 0x1ff)
                        let value = entry(isLeaf: level == leafLevel, level: level, isNarrow: isNarrow, &random)
                        let place = table + index * (isNarrow ? 4 : 8)
                        guard place >= Memory.base, place + 8 <= Memory.base + UInt64(Memory.size) else { break }
                        model.entries[place] = value
                        table = (isNarrow ? value >> 10 : (value & ~(0x3ff << 54)) >> 10) << 12
                    }
                    model.isUser = chance(50, &random)
                    model.sum = chance(50, &random)
                    model.mxr = chance(50, &random)
                    model.setsBits = chance(50, &random)
                    model.hasMemoryTypes = !isNarrow && chance(50, &random)
                    if chance(30, &random) {
                        model.protection = randomProtection(&random)
                    }
                    // The hart in the same condition; its accesses come from U or S mode, or from M mode with MPRV.
                    one.guest.reset(one.state)
                    if let protection = model.protection { one.set(protection) } else { one.openMemory() }
                    let environment =
                        (model.setsBits ? Environment.adue : 0) | (model.hasMemoryTypes ? Environment.pbmte : 0)
                    one[Number.menvcfg] = environment
                    if isNarrow { one[0x31a] = environment >> 32 }
                    one[Number.satp] = isNarrow ? 1 << 31 | model.root >> 12 : mode << 60 | model.root >> 12
                    var index = model.isUser ? MMUIndex.user : MMUIndex.supervisor
                    var status = (model.sum ? MStatus.sum : 0) | (model.mxr ? MStatus.mxr : 0)
                    let access = [MemoryAccess.read, .write, .execute].randomElement(using: &random)!
                    if access != .execute && chance(30, &random) {
                        index = MMUIndex.machine
                        status |= MStatus.mprv | (model.isUser ? 0 : 1 << 11)
                    }
                    one[Number.mstatus] = status
                    memory.clear()
                    memory.store(entries: model.entries, size: model.entrySize)

                    let expected = model.translate(address, access)
                    let found = one.walk(address, access, index, memory)
                    let note = "\(levels) levels, \(String(address, radix: 16)), \(access)"
                    switch (found, expected) {
                    case (.fault(let code), .fault(let wanted)):
                        #expect(code == wanted, "\(note)")
                        faults.insert(code)
                    case (.page(let mapping), .page(let physical, let leafBits, let isGlobal)):
                        pages += 1
                        #expect(mapping.physical == physical, "\(note)")
                        #expect(mapping.leafBits == UInt8(leafBits) && mapping.isGlobal == isGlobal, "\(note)")
                        // What else may be done needs no change of the tables.
                        for other in [MemoryAccess.read, .write, .execute] where mapping.isUniform {
                            if index == MMUIndex.machine && other == .execute { continue }
                            var again = model
                            again.setsBits = false
                            let isPossible = again.translate(address, other) == expected
                            #expect((mapping.rights.rawValue & other.right != 0) == isPossible, "\(note), \(other)")
                        }
                    default: Issue.record("\(note): \(found), expected \(expected)")
                    }
                    #expect(memory.holds(entries: model.entries, size: model.entrySize), "\(note)")
                }
            }
        }
        #expect(pages > 200 && faults.isSuperset(of: [1, 5, 7, 12, 13, 15]))
    }

    // MARK: Chosen cases

    /// Sv39, one leaf of 2 MiB at address 0 that maps RAM's first, and all of memory open.
    private func simple(_ flags: UInt64) -> (PrivilegedHart, Memory) {
        let one = PrivilegedHart()
        let memory = Memory()
        one.openMemory()
        one[Number.satp] = 8 << 60 | Memory.base >> 12
        memory.store((Memory.base + 4096) >> 2 | 1, at: Memory.base)
        memory.store(Memory.base >> 2 | flags, at: Memory.base + 4096)
        return (one, memory)
    }

    @Test func machineModeSeesPhysicalAddresses() {
        let (one, memory) = simple(0xcf)
        for index in [MMUIndex.machine, MMUIndex.machineFetch] {
            for address in [0, Memory.base, .max] as [UInt64] {
                #expect(one.walk(address, .read, index, memory).mapping?.physical == address)
            }
        }
        // MPRV is for loads and stores.
        one[Number.mstatus] = MStatus.mprv | 1 << 11
        #expect(one.walk(0x123, .read, MMUIndex.machine, memory).mapping?.physical == Memory.base + 0x123)
        #expect(one.walk(0x123, .execute, MMUIndex.machineFetch, memory).mapping?.physical == 0x123)
        one.privilege = .machine
        #expect(one.guest.fetchIndex(one.state) == MMUIndex.machineFetch)
    }

    @Test func pageGetsItsRightToBeWrittenWhenItIsDirty() {
        let (one, memory) = simple(0x4f)  // accessed, not dirty
        #expect(one.walk(0, .read, MMUIndex.supervisor, memory).mapping?.rights == [.read, .execute])
        #expect(memory.load(Memory.base + 4096) & 0xff == 0x4f)
        #expect(one.walk(0, .write, MMUIndex.supervisor, memory).mapping?.rights == [.read, .write, .execute])
        #expect(memory.load(Memory.base + 4096) & 0xff == 0xcf)
        #expect(one.walk(0, .read, MMUIndex.supervisor, memory).mapping?.rights == [.read, .write, .execute])
    }

    @Test func hartsWithoutHardwareUpdateFaultInstead() throws {
        let (one, memory) = simple(0x0f)
        one[Number.menvcfg] = 0
        #expect(one.walk(0, .read, MMUIndex.supervisor, memory).fault == Cause.loadPageFault)
        for (specification, faults) in [("rv64,svadu=off", false), ("rv64,svadu=off,svade=on", true)] {
            memory.store(Memory.base >> 2 | 0x0f, at: Memory.base + 4096)
            let other = try PrivilegedHart(specification)
            other.openMemory()
            other[Number.satp] = one[Number.satp]
            #expect((other.walk(0, .read, MMUIndex.supervisor, memory).fault != nil) == faults)
        }
    }

    @Test func tablesMustBeInMemory() {
        let (one, memory) = simple(0xcf)
        for (root, isWritten) in [(0x9000_0000, false), (Memory.rom, true)] as [(UInt64, Bool)] {
            one[Number.satp] = 8 << 60 | root >> 12
            memory.storeROM(0xf | 0x2000_0000, at: 0)  // a leaf in the root that was not accessed
            #expect(one.walk(0, .execute, MMUIndex.supervisor, memory).fault == Cause.fetchAccessFault)
            memory.storeROM(0xcf | 0x2000_0000, at: 0)
            #expect((one.walk(0, .read, MMUIndex.supervisor, memory).fault == nil) == isWritten)
        }
    }

    @Test func lastEntriesOfMemoryAreReached() {
        let (one, memory) = simple(0xcf)
        let last = Memory.base + UInt64(Memory.size) - 4096
        one[Number.satp] = 8 << 60 | last >> 12
        memory.store(0x2000_00cf, at: last + 4088)
        #expect(one.walk(.max, .read, MMUIndex.supervisor, memory).mapping?.physical == 0xbfff_ffff)
    }

    /// Two harts set bits in an entry while a third rewrites it: its writes are never lost.
    @Test func settingBitsNeverUndoesAnothersWrite() async {
        let (one, memory) = simple(0x0f)
        let place = Memory.base + 4096
        let shared = Shared(value: (one, memory))
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                let (one, memory) = shared.value
                for _ in 0..<20000 { _ = one.walk(0, .write, MMUIndex.supervisor, memory) }
            }
            group.addTask {
                let (_, memory) = shared.value
                for i in 0..<20000 {
                    let flags: UInt64 = i & 1 == 0 ? 0 : 0x0f
                    memory.store(Memory.base >> 2 | flags, at: place)
                    // A lost update would bring the valid bit back.
                    if flags == 0 { #expect(memory.load(place) & 1 == 0) }
                }
            }
        }
    }

    // MARK: Protection

    private func randomProtection(_ random: inout SeededRandom) -> ProtectionModel {
        var model = ProtectionModel(configuration: [], address: [])
        for _ in 0..<16 {
            var configuration = UInt8.random(in: 0...255, using: &random) & 0x9f
            if configuration & 3 == 2 { configuration ^= 2 }
            if chance(40, &random) { configuration &= 0x80 }
            if chance(80, &random) { configuration &= 0x1f }
            let size: UInt64 = 1 << UInt64.random(in: 0..<17, using: &random)
            var address = (Memory.base + UInt64.random(in: 0..<UInt64(Memory.size), using: &random)) >> 2
            if configuration >> 3 & 3 == 3 { address = address & ~size & ~(size - 1) | (size - 1) }
            if chance(3, &random) { address = 0xffff_ffff }
            model.configuration.append(configuration)
            model.address.append(address)
        }
        return model
    }

    @Test(.seeded(9)) func protectionFollowsTheModelAtEveryBorder() {
        var random = SeededRandom(seed: Seed.current)
        let one = PrivilegedHart()
        let memory = Memory()
        for _ in 0..<Rounds.count(60) {
            let model = randomProtection(&random)
            one.guest.reset(one.state)
            one.set(model)
            var places: [UInt64] = [0, Memory.base, .max]
            for i in 0..<16 {
                let ones = model.address[i] ^ (model.address[i] + 1)
                for border in [model.address[i], model.address[i] & ~ones, (model.address[i] | ones) + 1] {
                    let byte = border << 2
                    places += [byte &- 1, byte, byte &+ 3, byte &+ 4]
                }
            }
            for place in places.shuffled(using: &random).prefix(60) {
                for index in [MMUIndex.user, MMUIndex.machine] {
                    for access in [MemoryAccess.read, .write, .execute] {
                        let isMachine = index == MMUIndex.machine
                        let mapping = one.walk(place, access, index, memory).mapping
                        #expect((mapping != nil) == model.allows(place, access, isMachine: isMachine))
                        if let mapping, !mapping.isUniform {
                            for count in [2, 4, 8] as [UInt64] where place & 0xfff <= 4096 - count {
                                let isAllowed = model.allows(place, access, count: count, isMachine: isMachine)
                                #expect((mapping.reach >= count) == isAllowed)
                            }
                        }
                        guard let mapping, mapping.isUniform else { continue }
                        // Nothing on the page differs.
                        let page = place & ~0xfff
                        for other in stride(from: page, to: page &+ 4096, by: 1024) {
                            for offset in [UInt64(0), 1020] {
                                #expect(model.allows(other &+ offset, access, isMachine: isMachine))
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func lockedEntriesKeepTheirRegisters() {
        let one = PrivilegedHart()
        one[Number.pmpaddr0] = 0x100
        one[Number.pmpaddr0 + 1] = 0x200
        one[Number.pmpcfg0] = 0x8f << 8 | 0x0f  // the second is locked, a range from the first on
        one[Number.pmpaddr0] = 0x110
        one[Number.pmpaddr0 + 1] = 0x210
        one[Number.pmpcfg0] = 0
        #expect(one[Number.pmpaddr0] == 0x100 && one[Number.pmpaddr0 + 1] == 0x200)
        #expect(one[Number.pmpcfg0] == 0x8f00)
        one[Number.pmpcfg0] = 0x1a  // writing without reading
        #expect(one[Number.pmpcfg0] == 0x8f18)
    }

    @Test func withoutEntriesMachineModeAloneReachesMemory() throws {
        let one = PrivilegedHart()
        let memory = Memory()
        #expect(one.walk(Memory.base, .read, MMUIndex.machine, memory).fault == nil)
        #expect(one.walk(Memory.base, .read, MMUIndex.supervisor, memory).fault == Cause.loadAccessFault)
        let without = try PrivilegedHart("rv64,pmp=off")
        #expect(without.walk(Memory.base, .read, MMUIndex.supervisor, memory).fault == nil)
    }
}

extension PrivilegedHart {
    fileprivate func set(_ protection: ProtectionModel) {
        let isNarrow = guest.wordSize == .bits32
        for i in 0..<16 { self[Number.pmpaddr0 + i] = protection.address[i] }
        let step = isNarrow ? 4 : 8
        for i in stride(from: 0, to: 16, by: step) {
            var value: UInt64 = 0
            for k in 0..<step { value |= UInt64(protection.configuration[i + k]) << UInt64(8 * k) }
            self[0x3a0 + i / 4] = value
        }
    }
}

/// Handed to tasks that share it on purpose.
private struct Shared<T>: @unchecked Sendable { let value: T }
