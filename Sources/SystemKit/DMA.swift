// What a device does with guest memory: it reaches RAM, and reads ROM, but no other device. So a device never enters another, nor itself.

import GuestMemory

public struct DMA: Sendable {
    /// Told of what has been written, after it has been written and before the guest hears of it: bytes [offset, offset + count) of a block.
    /// It may wait for a lock of the engine's: who writes holds no leaf lock, and is no vCPU that counts as running.
    public typealias Written = @Sendable (_ block: RAMBlock, _ offset: UInt64, _ count: UInt64) -> Void

    public let map: PhysicalMap
    let written: Written

    public init(_ map: PhysicalMap, written: @escaping Written = { _, _, _ in }) {
        self.map = map
        self.written = written
    }

    /// A device has changed memory that is its own, by the block.
    public func wrote(_ block: RAMBlock, _ offset: UInt64, _ count: UInt64) { written(block, offset, count) }

    /// Copies guest memory at `address`. False: not all of it is memory; the buffer holds anything then.
    public func read(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        pieces(address, buffer.count, writes: false) { block, offset, part in
            buffer.baseAddress?.advanced(by: part.lowerBound)
                .copyMemory(from: block.base + Int(truncatingIfNeeded: offset), byteCount: part.count)
        }
    }

    /// Copies to guest memory at `address`. False: not all of it is RAM, and nothing has been written.
    public func write(_ address: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool {
        guard pieces(address, buffer.count, writes: true, { _, _, _ in }) else { return false }
        return pieces(address, buffer.count, writes: true) { block, offset, part in
            guard let source = buffer.baseAddress else { return }
            (block.base + Int(truncatingIfNeeded: offset))
                .copyMemory(from: source + part.lowerBound, byteCount: part.count)
            written(block, offset, UInt64(part.count))
        }
    }

    /// Reads an integer as it lies in memory, least significant byte first. It is read once.
    public func load<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as type: T.Type) -> T? {
        var value: T = 0
        let isMemory = withUnsafeMutableBytes(of: &value) { read(address, into: $0) }
        return isMemory ? T(littleEndian: value) : nil
    }

    public func store<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, _ value: T) -> Bool {
        withUnsafeBytes(of: value.littleEndian) { write(address, from: $0) }
    }

    /// Writes zeros. False: not all of it is RAM, and nothing has been written.
    public func fill(_ address: UInt64, count: Int) -> Bool {
        guard pieces(address, count, writes: true, { _, _, _ in }) else { return false }
        return pieces(address, count, writes: true) { block, offset, part in
            (block.base + Int(truncatingIfNeeded: offset)).initializeMemory(
                as: UInt8.self, repeating: 0, count: part.count)
            written(block, offset, UInt64(part.count))
        }
    }

    public func bytes(_ address: UInt64, count: Int) -> [UInt8]? {
        guard pieces(address, count, writes: false, { _, _, _ in }) else { return nil }
        var bytes = [UInt8](repeating: 0, count: count)
        return bytes.withUnsafeMutableBytes { read(address, into: $0) } ? bytes : nil
    }

    public func store(_ address: UInt64, bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { write(address, from: $0) } }

    /// Calls `body` for each block's part of [address, address + count): the block, the offset in it, and which of the bytes. False: there
    /// is none for some of them.
    func pieces(
        _ address: UInt64, _ count: Int, writes: Bool, _ body: (RAMBlock, UInt64, Range<Int>) -> Void
    ) -> Bool {
        guard count >= 0, count == 0 || !address.addingReportingOverflow(UInt64(count - 1)).overflow else {
            return false
        }
        var done = 0
        while done < count {
            let at = address &+ UInt64(done)
            guard let range = map.find(at), case .memory(let block) = range.content, !(writes && block.isReadOnly)
            else { return false }
            let offset = range.offset(of: at), end = min(block.size, range.blockOffset &+ range.size)
            guard offset < end else { return false }
            let part = Int(min(UInt64(count - done), end &- offset))
            body(block, offset, done..<done + part)
            done += part
        }
        return true
    }
}
