// Compiled regions that move: to another place of the code buffer, to another buffer, to another process.
//
// Two code buffers begin with the same stubs, at the same offsets, when build and guest are the same; only the table of helper
// addresses in them differs. So code depends on its place through the distances to the stubs alone, and on the engine through its
// index in chain exits. An exported region:
//
//     PortableHead
//     slots          SlotPatch each, offsets from the region's start; as in the code, not linked
//     relocations    Relocation each; a displacement is as if the region lay at the buffer's start
//     records
//     code

import CodeGen

/// The counts of an exported region.
struct PortableHead: BitwiseCopyable {
    var codeSize: UInt32
    var slotCount: UInt32
    var relocationCount: UInt32
    var recordBytes: UInt32
    /// Of relative code, the pc that it was made for; 1, which no instruction has, for other code.
    var movingPC: UInt64
    static let noPC: UInt64 = 1

    static let stride = 24
    var slotsAt: Int { Self.stride }
    var relocationsAt: Int { slotsAt + Int(slotCount) * MemoryLayout<SlotPatch>.stride }
    var recordsAt: Int { relocationsAt + Int(relocationCount) * MemoryLayout<Relocation>.stride }
    var codeAt: Int { recordsAt + Int(recordBytes) }
    var size: Int { codeAt + Int(codeSize) }

    init(codeSize: Int, slotCount: Int, relocationCount: Int, recordBytes: Int, movingPC: UInt64) {
        self.movingPC = movingPC
        self.codeSize = UInt32(codeSize)
        self.slotCount = UInt32(slotCount)
        self.relocationCount = UInt32(relocationCount)
        self.recordBytes = UInt32(recordBytes)
    }

    init(_ compiled: CompiledRegion) {
        self.init(
            codeSize: compiled.codeSize, slotCount: compiled.slotCount, relocationCount: compiled.relocationCount,
            recordBytes: compiled.records.count, movingPC: MovingEntry.pc(compiled.movingEntry) ?? Self.noPC)
    }
}

/// Puts the parts of an exported region where they belong.
struct PortableWriter {
    private let head: PortableHead
    private let target: UnsafeMutableRawPointer

    /// Nil when there is no room of just the region's size.
    init?(_ head: PortableHead, _ bytes: UnsafeMutableRawBufferPointer) {
        guard let target = bytes.baseAddress, bytes.count == head.size else { return nil }
        self.head = head
        self.target = target
        target.storeBytes(of: head, as: PortableHead.self)
    }

    /// The copy of the code.
    var code: UnsafeMutableRawPointer { target + head.codeAt }

    func put(_ patch: SlotPatch, slot i: Int) {
        (target + head.slotsAt + i * MemoryLayout<SlotPatch>.stride).storeBytes(of: patch, as: SlotPatch.self)
    }

    func put(_ relocation: Relocation, number i: Int) {
        (target + head.relocationsAt + i * MemoryLayout<Relocation>.stride)
            .storeBytes(of: relocation, as: Relocation.self)
    }

    func put(records: UnsafeRawBufferPointer) {
        if let base = records.baseAddress { (target + head.recordsAt).copyMemory(from: base, byteCount: records.count) }
    }

    func put(code start: UnsafeRawPointer) { code.copyMemory(from: start, byteCount: Int(head.codeSize)) }
}

extension X64Host {
    public func exportedSize(_ compiled: CompiledRegion) -> Int? { PortableHead(compiled).size }

    public func export(_ compiled: CompiledRegion, to bytes: UnsafeMutableRawBufferPointer) {
        let writer = PortableWriter(PortableHead(compiled), bytes)
        guard let code, let writer else { return }
        let start = Int(compiled.entry &- UInt64(UInt(bitPattern: code.executable)))
        writer.put(records: compiled.records)
        writer.put(code: code.executable + start)
        for i in 0..<compiled.slotCount {
            var patch = patches[compiled.firstSlot + i]
            if patch.field != 0 {
                patch = patch.moved(by: -start)
                patch.reset(writer.code)
            }
            writer.put(patch, slot: i)
        }
        for i in 0..<compiled.relocationCount {
            let relocation = relocations[compiled.firstRelocation + i]
            if relocation.kind == .displacement {
                writer.code.add(UInt32(truncatingIfNeeded: start), at: relocation.offset)
            }
            writer.put(relocation, number: i)
        }
    }

    public func install(
        _ exported: UnsafeRawBufferPointer, translation: Int, counterShift: Int, isForExport: Bool
    ) -> CompiledRegion? {
        guard let code, exported.count >= PortableHead.stride, let source = exported.baseAddress else { return nil }
        let head = source.loadUnaligned(as: PortableHead.self)
        let size = Int(head.codeSize)
        let isRelative = head.movingPC != PortableHead.noPC
        let start = nextStart(code, isRelative: isRelative)
        guard head.size == exported.count, size > 0, start + size <= code.size else { return nil }
        let target = code.writable + start
        target.copyMemory(from: source + head.codeAt, byteCount: size)

        let firstSlot = patches.count
        for i in 0..<Int(head.slotCount) {
            let patch = (source + head.slotsAt + i * MemoryLayout<SlotPatch>.stride).loadUnaligned(as: SlotPatch.self)
            guard patch.fits(size) else { return drop(slots: firstSlot) }
            patches.append(patch.field == 0 ? patch : patch.moved(by: start))
            if patch.field != 0, !patch.isCache {
                writeSlotStub(code, patch.moved(by: start), translation: translation, slot: i)
            }
        }
        let movingEntry = writeHead(code, start, movingPC: isRelative ? head.movingPC : nil)
        let firstRelocation = relocations.count
        let index = UInt32(truncatingIfNeeded: translation &<< 8)
        for i in 0..<Int(head.relocationCount) {
            let relocation = (source + head.relocationsAt + i * MemoryLayout<Relocation>.stride)
                .loadUnaligned(as: Relocation.self)
            guard relocation.offset + 4 <= size else { return drop(slots: firstSlot, relocations: firstRelocation) }
            switch relocation.kind {
            case .displacement: target.add(UInt32(truncatingIfNeeded: -start), at: relocation.offset)
            case .translation:
                let slot = target.loadUnaligned(fromByteOffset: relocation.offset, as: UInt32.self) & 0xff
                target.storeBytes(of: index | slot, toByteOffset: relocation.offset, as: UInt32.self)
            case .counter: target.add(UInt32(truncatingIfNeeded: counterShift &* 4), at: relocation.offset)
            case nil: return drop(slots: firstSlot, relocations: firstRelocation)
            }
            if isForExport { relocations.append(relocation) }
        }
        code.used = start + size
        return CompiledRegion(
            entry: UInt64(UInt(bitPattern: code.executable + start)), movingEntry: movingEntry, codeSize: size,
            firstSlot: firstSlot, slotCount: Int(head.slotCount), firstRelocation: firstRelocation,
            relocationCount: relocations.count - firstRelocation,
            records: UnsafeRawBufferPointer(start: source + head.recordsAt, count: Int(head.recordBytes)))
    }

    /// Takes back what a region that is none had added.
    private func drop(slots: Int, relocations first: Int? = nil) -> CompiledRegion? {
        patches.removeLast(patches.count - slots)
        if let first { relocations.removeLast(relocations.count - first) }
        return nil
    }
}

extension SlotPatch {
    /// The same slot when its region lies `distance` bytes further on.
    func moved(by distance: Int) -> SlotPatch {
        func place(_ offset: UInt32) -> UInt32 { UInt32(truncatingIfNeeded: Int(offset) &+ distance) }
        var result = self
        result.field = place(field)
        result.stub = place(stub)
        if isCache {
            result.missField = place(missField)
            result.miss = place(miss)
            result.word = place(word)
        }
        return result
    }

    /// Everything lies inside of a region of that size, aligned as patching wants it, and the kind is one. (Offsets are from the region's
    /// start.)
    func fits(_ size: Int) -> Bool {
        func isField(_ offset: UInt32) -> Bool { offset & 3 == 0 && Int(offset) + 4 <= size }
        guard SlotKind(rawValue: kind) != nil else { return false }
        if field == 0 { return true }
        guard isField(field), Int(stub) + (isCache ? 1 : SlotStub.size) <= size else { return false }
        return !isCache || isField(missField) && Int(miss) < size && word & 7 == 0 && Int(word) + 8 <= size
    }

    /// Undoes links in a copy of the region's code at `copy`.
    func reset(_ copy: UnsafeMutableRawPointer) {
        copy.storeBytes(of: stub &- field &- 4, toByteOffset: Int(field), as: UInt32.self)
        guard isCache else { return }
        copy.storeBytes(of: stub &- missField &- 4, toByteOffset: Int(missField), as: UInt32.self)
        copy.storeBytes(of: JumpCache.noPC, toByteOffset: Int(word), as: UInt64.self)
    }
}

extension UnsafeMutableRawPointer {
    /// Adds to the unaligned word at `offset`.
    fileprivate func add(_ value: UInt32, at offset: Int) {
        storeBytes(
            of: loadUnaligned(fromByteOffset: offset, as: UInt32.self) &+ value, toByteOffset: offset, as: UInt32.self)
    }
}
