// The guest bytes that new translations were made from: to be written to disk, when memory may hold others, and to know again a
// translation that was dropped with its page (Dormant.swift).

import GuestMemory
import HostOS

/// Per translation a count of ranges and of bytes, the ranges, the bytes; each at a multiple of 8.
struct SourceTable {
    private struct Head {
        var rangeCount: UInt32
        var byteCount: UInt32
    }

    private let arena: UnsafeMutableRawPointer
    private let capacity: Int
    private var used = 8

    init(capacity: Int) throws(Errno) {
        arena = try HostMemory.reserve(capacity)
        self.capacity = capacity
    }

    /// Adds an entry and returns its place; 0 when there is no room.
    mutating func add(_ ranges: UnsafeBufferPointer<GuestRange>, _ code: UnsafeRawBufferPointer) -> UInt32 {
        let rangesSize = ranges.count * MemoryLayout<GuestRange>.stride
        let size = (MemoryLayout<Head>.stride + rangesSize + code.count + 7) & ~7
        guard code.count > 0, used + size <= capacity, let first = ranges.baseAddress, let bytes = code.baseAddress
        else {
            return 0
        }
        let start = arena + used
        start.storeBytes(of: Head(rangeCount: UInt32(ranges.count), byteCount: UInt32(code.count)), as: Head.self)
        (start + MemoryLayout<Head>.stride).copyMemory(from: first, byteCount: rangesSize)
        (start + MemoryLayout<Head>.stride + rangesSize).copyMemory(from: bytes, byteCount: code.count)
        defer { used += size }
        return UInt32(used / 8)
    }

    mutating func removeAll() { used = 8 }

    /// The ranges of an entry, and their bytes one after the other.
    subscript(_ place: UInt32) -> (ranges: UnsafeBufferPointer<GuestRange>, code: UnsafeRawBufferPointer) {
        let start = arena + Int(place) * 8
        let head = start.load(as: Head.self)
        let first = (start + MemoryLayout<Head>.stride).assumingMemoryBound(to: GuestRange.self)
        let ranges = UnsafeBufferPointer(start: UnsafePointer(first), count: Int(head.rangeCount))
        return (ranges, UnsafeRawBufferPointer(start: first + ranges.count, count: Int(head.byteCount)))
    }
}
