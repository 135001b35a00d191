// Guest memory in one piece, for what a device accesses often.

import GuestMemory
import HostOS

/// Bytes of guest memory that lie in one block. They stay where they are as long as the machine: what the guest has mapped there is its own
/// affair. Who writes says so with `wrote`, before the guest hears of it.
public struct DMAWindow: @unchecked Sendable {
    public let address: UInt64
    public let bytes: UnsafeMutableRawBufferPointer
    private let block: RAMBlock
    private let offset: UInt64
    private let written: DMA.Written

    init(_ address: UInt64, _ bytes: UnsafeMutableRawBufferPointer, _ block: RAMBlock, _ written: @escaping DMA.Written)
    {
        self.address = address
        self.bytes = bytes
        self.block = block
        offset = UInt64(bytes.baseAddress.map { $0 - block.base } ?? 0)
        self.written = written
    }

    /// Bytes [range) of it.
    public func part(_ range: Range<Int>) -> DMAWindow {
        DMAWindow(
            address &+ UInt64(range.lowerBound), UnsafeMutableRawBufferPointer(rebasing: bytes[range]), block, written)
    }

    public func wrote(_ range: Range<Int>) { written(block, offset + UInt64(range.lowerBound), UInt64(range.count)) }

    /// Gives its whole pages back to the host: they read as zeros until somebody writes to them.
    public func release() {
        let page = UInt(HostProcess.pageSize), start = UInt(bitPattern: bytes.baseAddress)
        let first = (start + page - 1) & ~(page - 1), end = (start + UInt(bytes.count)) & ~(page - 1)
        guard first < end else { return }
        HostMemory.release(first, Int(end - first))
        wrote(Int(first - start)..<Int(end - start))
    }

    /// An integer at an offset, least significant byte first. It is read once.
    @inline(__always) public func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, as type: T.Type) -> T {
        precondition(offset >= 0 && offset <= bytes.count - MemoryLayout<T>.size)
        return T(littleEndian: bytes.baseAddress!.loadUnaligned(fromByteOffset: offset, as: type))
    }

    @inline(__always) public func store<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _ value: T) {
        precondition(offset >= 0 && offset <= bytes.count - MemoryLayout<T>.size)
        bytes.baseAddress!.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
    }
}

extension DMA {
    /// Guest memory at [address, address + count). Nil: it is not all memory of one block, or not RAM where `writes` is set.
    public func window(_ address: UInt64, count: Int, writes: Bool) -> DMAWindow? {
        guard count >= 0, let (block, host) = map.memory(address, count: UInt64(count)), !(writes && block.isReadOnly)
        else { return nil }
        return DMAWindow(address, UnsafeMutableRawBufferPointer(start: host, count: count), block, written)
    }

    /// The same in as many pieces as there are blocks. Nil: not all of it is memory.
    public func windows(_ address: UInt64, count: Int, writes: Bool) -> [DMAWindow]? {
        if let window = window(address, count: count, writes: writes) { return [window] }
        var windows: [DMAWindow] = []
        let isMemory = pieces(address, count, writes: writes) { block, offset, part in
            let host = UnsafeMutableRawBufferPointer(start: block.base + Int(offset), count: part.count)
            windows.append(DMAWindow(address &+ UInt64(part.lowerBound), host, block, written))
        }
        return isMemory ? windows : nil
    }
}

/// Several pieces, as if they were one.
extension [DMAWindow] {
    public var byteCount: Int { reduce(0) { $0 + $1.bytes.count } }

    /// Bytes [offset, offset + count); nil: there are not so many.
    public func read(_ offset: Int = 0, count: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Swift.min(count, byteCount))
        var skip = offset
        for window in self where bytes.count < count {
            let part = window.bytes.dropFirst(skip).prefix(count - bytes.count)
            bytes += part
            skip = Swift.max(0, skip - window.bytes.count)
        }
        return bytes.count == count ? bytes : nil
    }

    /// Writes from byte `offset` on as much as there is place for; returns how much that was.
    @discardableResult
    public func write(_ bytes: some Collection<UInt8>, at offset: Int = 0) -> Int {
        var rest = bytes[...], skip = offset
        for window in self where !rest.isEmpty {
            if skip >= window.bytes.count {
                skip -= window.bytes.count
                continue
            }
            let count = Swift.min(rest.count, window.bytes.count - skip)
            UnsafeMutableRawBufferPointer(rebasing: window.bytes[skip..<skip + count])
                .copyBytes(from: rest.prefix(count))
            window.wrote(skip..<skip + count)
            rest = rest.dropFirst(count)
            skip = 0
        }
        return bytes.count - rest.count
    }

    /// The parts of it in bytes [range).
    public func part(_ range: Range<Int>) -> [DMAWindow] {
        var kept: [DMAWindow] = [], start = 0
        for window in self {
            let end = start + window.bytes.count
            let first = Swift.max(range.lowerBound, start), last = Swift.min(range.upperBound, end)
            if first < last { kept.append(window.part(first - start..<last - start)) }
            start = end
        }
        return kept
    }
}
