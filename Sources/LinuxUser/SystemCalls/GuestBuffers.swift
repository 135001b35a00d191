// The few ways in which system calls reach guest memory, as short words on the thread.

import GuestMemory
import HostOS

extension GuestThread {
    /// What the host kernel gets for an address outside the guest's part of the address space: one that no program may
    /// use. The kernel itself then finds EFAULT, after the errors that it looks for first.
    static let unusablePointer = -4096

    /// The host pointer to a guest range that the host kernel reads. For the kernel only: it may be unusable. A range that
    /// begins in the guest's part may be longer than that: nothing is mapped right behind it, so the kernel cannot go on
    /// into memory of Martlet's.
    @inline(__always)
    func input(_ address: UInt64, _ length: UInt64) -> Int {
        address < memory.limit ? memory.hostAddress(address) : Self.unusablePointer
    }

    /// The host pointer to a guest range that the host kernel writes. For the kernel only, as with `input`.
    @inline(__always)
    func output(_ address: UInt64, _ length: UInt64) -> Int {
        outputPointer(address, length) ?? Self.unusablePointer
    }

    /// As `input` and `output`, but a null pointer stays null.
    func optionalInput(_ address: UInt64, _ length: UInt64) -> Int { address == 0 ? 0 : input(address, length) }
    func optionalOutput(_ address: UInt64, _ length: UInt64) -> Int { address == 0 ? 0 : output(address, length) }

    func load<T: BitwiseCopyable>(_ address: UInt64, as type: T.Type) throws(Errno) -> T {
        try memory.read(address, as: type)
    }

    func store<T: BitwiseCopyable>(_ address: UInt64, _ value: T) throws(Errno) { try memory.write(address, value) }
}

/// Calls `body` with `count` zeroed bytes of host memory, at least 16-byte aligned.
@inline(__always)
func withScratch<R>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> R
) throws(Errno) -> R {
    try withUnsafeTemporaryAllocation(byteCount: max(count, 1), alignment: 16) { (buffer) throws(Errno) in
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        return try body(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
    }
}

extension UnsafeMutableRawBufferPointer {
    /// The address as a system call takes it.
    var word: Int { Int(bitPattern: baseAddress) }
}

/// Reads a guest array of struct iovec and gives `body` a host copy in which bad ranges are unusable pointers; where the
/// array itself is bad, an unusable pointer to it, and the guest's count. `writes`: the kernel will write through it.
func withVectors<R>(
    _ thread: GuestThread, _ address: UInt64, count: UInt64, writes: Bool,
    _ body: (_ vectors: Int, _ count: Int) throws(Errno) -> R
) throws(Errno) -> R {
    // Most calls take the count as an unsigned int; those that do not find it too large (UIO_MAXIOV).
    let entries = UInt32(truncatingIfNeeded: count)
    let given = Int(truncatingIfNeeded: count)
    if entries > 1024 { return try body(GuestThread.unusablePointer, given) }
    let bytes = Int(entries) &* 16
    return try withScratch(bytes) { (buffer) throws(Errno) in
        do throws(Errno) {
            try thread.memory.readBytes(address, into: buffer)
        } catch {
            return try body(GuestThread.unusablePointer, given)
        }
        for offset in stride(from: 0, to: bytes, by: 16) {
            let base = buffer.load(fromByteOffset: offset, as: UInt64.self)
            let length = buffer.load(fromByteOffset: offset &+ 8, as: UInt64.self)
            // Negative lengths are for the kernel to find.
            if length == 0 || length > UInt64(Int64.max) { continue }
            let host = writes ? thread.output(base, length) : thread.input(base, length)
            buffer.storeBytes(of: host, toByteOffset: offset, as: Int.self)
        }
        return try body(buffer.word, given)
    }
}

/// Constants of the kernel's interface that Swift cannot import.
enum AT {
    static let currentDirectory = -100
    static let symlinkNoFollow: UInt64 = 0x100
}
