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

    init(_ configuration: HostConfiguration, _ stubs: Stubs, _ tally: LookUpTally, _ code: CodeBuffer) {
        // To lie like the code buffer, which starts with a page.
        scratch = .allocate(byteCount: Self.scratchSize, alignment: 4096)
        delta = Int(bitPattern: code.executable) - Int(bitPattern: scratch)
        let asm = Assembler(start: scratch, end: scratch + Self.scratchSize, rxDelta: delta)
        lowering = .allocate(capacity: 1)
        lowering.initialize(to: Lowering(configuration, stubs, tally, asm: asm))
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
            relocationCount: lowering.pointee.asm.relocationCount, recordBytes: records.count,
            movingPC: lowering.pointee.isRelative ? lowering.pointee.regionPC : PortableHead.noPC)
        if exported.count < head.size {
            exported.deallocate()
            exported = .allocate(byteCount: head.size * 2, alignment: 16)
        }
        let bytes = UnsafeMutableRawBufferPointer(rebasing: exported[..<head.size])
        guard let writer = PortableWriter(head, bytes) else { return nil }
        for i in 0..<region.slotCount { writer.put(SlotPatch(lowering.pointee.slots[i], at: 0), slot: i) }
        for i in 0..<lowering.pointee.asm.relocationCount {
            writer.put(lowering.pointee.asm.relocations[i], number: i)
        }
        writer.put(records: records)
        writer.put(code: scratch)
        return UnsafeRawBufferPointer(bytes)
    }
}
