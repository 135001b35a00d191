// Large pages for memory that fills from its start: tables and code caches that turn out large.

import CLinux

/// Puts each 2 MiB of a mapping on one page once an eighth of it is in use: from there on it saves faults, and places in the TLB.
/// Where the kernel does not do that, small pages stay.
public struct LargePages: @unchecked Sendable {
    public static let size = 2 << 20
    /// `MADV_COLLAPSE`, Linux 6.1.
    private static let collapse = 25

    private let start: UnsafeMutableRawPointer
    private let length: Int
    /// Bytes in use at which the next large page is made.
    private var next = size / 8

    /// `start`: a multiple of `size`.
    public init(_ start: UnsafeMutableRawPointer, size: Int) {
        self.start = start
        length = size
    }

    static func aligned(_ address: UInt) -> UInt { (address + UInt(size) - 1) & ~UInt(size - 1) }

    /// The first `used` bytes are in use.
    @inline(__always) public mutating func grow(to used: Int) {
        if used >= next { make(used) }
    }

    @inline(never) private mutating func make(_ used: Int) {
        let page = used & ~(Self.size - 1)
        next = page + Self.size + Self.size / 8
        guard page + Self.size <= length else { return }
        if kernel(SYS_madvise, Int(bitPattern: start + page), Self.size, Self.collapse) != 0 { next = .max }
    }
}
