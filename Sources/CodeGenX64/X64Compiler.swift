// Compiles regions for one code buffer away from it, on another thread: the result is what `X64Host.install` takes.

import CodeGen
import IR

final class X64Compiler: RegionCompiler, @unchecked Sendable {
    private let lowering: UnsafeMutablePointer<Lowering>
    /// Room for one region's code, written as if it lay at the start of the code buffer.
    private let scratch: UnsafeMutableRawPointer
    private static let scratchSize = 2 << 20
    private let delta: Int
    private var exported: UnsafeMutableRawBufferPointer

    init(_ configuration: HostConfiguration, _ stubs: Stubs, _ code: CodeBuffer) {
        scratch = .allocate(byteCount: Self.scratchSize, alignment: 4096)
        delta = Int(bitPattern: code.executable) - Int(bitPattern: scratch)
        let asm = Assembler(start: scratch, end: scratch + Self.scratchSize, rxDelta: delta)
        lowering = .allocate(capacity: 1)
        lowering.initialize(to: Lowering(configuration, stubs, asm: asm))
        exported = .allocate(byteCount: 1 << 16, alignment: 16)
    }

    deinit {
        lowering.deinitialize(count: 1)
        lowering.deallocate()
        scratch.deallocate()
        exported.deallocate()
    }

    func compile(_ region: Region, _ allocation: Allocation) -> UnsafeRawBufferPointer? {
        lowering.pointee.asm.begin(start: scratch, end: scratch + Self.scratchSize, rxDelta: delta)
        guard lowering.pointee.run(region, allocation, translation: 0) else { return nil }
        let records = lowering.pointee.writer.finish()
        let head = PortableHead(
            codeSize: lowering.pointee.asm.offset, slotCount: region.slotCount,
            relocationCount: lowering.pointee.asm.relocationCount, recordBytes: records.count)
        if exported.count < head.size {
            exported.deallocate()
            exported = .allocate(byteCount: head.size * 2, alignment: 16)
        }
        guard let target = exported.baseAddress else { return nil }
        target.storeBytes(of: head, as: PortableHead.self)
        for i in 0..<region.slotCount {
            (target + head.slotsAt + i * MemoryLayout<SlotPatch>.stride)
                .storeBytes(of: SlotPatch(lowering.pointee.slots[i], at: 0), as: SlotPatch.self)
        }
        (target + head.relocationsAt).copyMemory(
            from: lowering.pointee.asm.relocations,
            byteCount: lowering.pointee.asm.relocationCount * MemoryLayout<Relocation>.stride)
        if let base = records.baseAddress {
            (target + head.recordsAt).copyMemory(from: base, byteCount: records.count)
        }
        (target + head.codeAt).copyMemory(from: scratch, byteCount: lowering.pointee.asm.offset)
        return UnsafeRawBufferPointer(start: target, count: head.size)
    }
}
