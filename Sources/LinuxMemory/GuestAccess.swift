// Access to guest memory from host code: copies that report EFAULT for what the guest has not mapped, and never touch
// host memory.

import HostOS

extension UserAddressSpace {
    /// Host address of a guest address that has been checked.
    @inlinable @inline(__always)
    public func hostAddress(_ address: UInt64) -> Int { Int(truncatingIfNeeded: address &+ Self.guestBase) }

    /// Throws EFAULT unless [address, address + length) lies in the guest's part of the address space. The pages may
    /// still be unmapped; the host kernel finds that out by itself.
    @inlinable
    public func checkRange(_ address: UInt64, _ length: UInt64) throws(Errno) {
        if address > limit || length > limit &- address { throw .fault }
    }

    /// The host pointer for a range that the host kernel will read.
    public func readPointer(_ address: UInt64, _ length: UInt64) throws(Errno) -> Int {
        try checkRange(address, length)
        return hostAddress(address)
    }

    /// Copies guest memory into `buffer`.
    public func readBytes(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        guard let base = buffer.baseAddress, buffer.count > 0 else { return }
        try checkRange(address, UInt64(buffer.count))
        let left = GuestCopy.copy(
            to: UInt(bitPattern: base), from: UInt(bitPattern: hostAddress(address)), count: buffer.count)
        if left != 0 { throw .fault }
    }

    public func readBytes(_ address: UInt64, count: Int) throws(Errno) -> [UInt8] {
        guard count > 0 else { return [] }
        try checkRange(address, UInt64(count))
        var bytes = [UInt8](repeating: 0, count: count)
        let left = bytes.withUnsafeMutableBytes { buffer in
            GuestCopy.copy(
                to: UInt(bitPattern: buffer.baseAddress), from: UInt(bitPattern: hostAddress(address)), count: count)
        }
        if left != 0 { throw .fault }
        return bytes
    }

    /// Copies `bytes` to guest memory.
    public func writeBytes(_ address: UInt64, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        try checkRange(address, UInt64(bytes.count))
        func copy() -> Bool {
            GuestCopy.copy(
                to: UInt(bitPattern: hostAddress(address)), from: UInt(bitPattern: base), count: bytes.count) == 0
        }
        // Perhaps only the write protection of translated code was in the way.
        if !copy(), !writing(address, UInt64(bytes.count), copy) { throw .fault }
    }

    public func writeBytes(_ address: UInt64, _ bytes: [UInt8]) throws(Errno) {
        let failure = bytes.withUnsafeBytes { buffer -> Errno? in
            do throws(Errno) { try writeBytes(address, buffer) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    /// Reads one value, at any alignment.
    public func read<T: BitwiseCopyable>(_ address: UInt64, as type: T.Type) throws(Errno) -> T {
        try withUnsafeTemporaryAllocation(byteCount: MemoryLayout<T>.size, alignment: 16) { (buffer) throws(Errno) in
            try readBytes(address, into: buffer)
            return buffer.loadUnaligned(as: T.self)
        }
    }

    /// Writes one value, at any alignment.
    public func write<T: BitwiseCopyable>(_ address: UInt64, _ value: T) throws(Errno) {
        try withUnsafeTemporaryAllocation(byteCount: MemoryLayout<T>.size, alignment: 16) { (buffer) throws(Errno) in
            buffer.storeBytes(of: value, as: T.self)
            try writeBytes(address, UnsafeRawBufferPointer(buffer))
        }
    }

    /// Atomic accesses of an aligned word; EFAULT when it cannot be reached.
    public func loadWord(_ address: UInt64) throws(Errno) -> UInt32 {
        try checkRange(address, 4)
        guard let value = GuestCopy.load32(UInt(bitPattern: hostAddress(address))) else { throw .fault }
        return value
    }

    public func storeWord(_ address: UInt64, _ value: UInt32) throws(Errno) {
        try checkRange(address, 4)
        func store() -> Bool { GuestCopy.store32(UInt(bitPattern: hostAddress(address)), value) }
        if !store(), !writing(address, 4, store) { throw .fault }
    }

    public func compareExchangeWord(_ address: UInt64, expected: UInt32, desired: UInt32) throws(Errno) -> UInt32 {
        try checkRange(address, 4)
        var seen: UInt32?
        func exchange() -> Bool {
            seen = GuestCopy.compareExchange32(
                UInt(bitPattern: hostAddress(address)), expected: expected, desired: desired)
            return seen != nil
        }
        if !exchange() { _ = writing(address, 4, exchange) }
        guard let seen else { throw .fault }
        return seen
    }

    /// A NUL-terminated string, with its NUL. ENAMETOOLONG when there is none within `max` bytes.
    public func readCString(_ address: UInt64, max: Int = HostFile.longestPath) throws(Errno) -> [UInt8] {
        var result: [UInt8] = []
        var at = address
        while result.count < max {
            let toPageEnd = Int(pageSize - (at & (pageSize - 1)))
            let chunk = min(toPageEnd, 256, max - result.count)
            let bytes = try readBytes(at, count: chunk)
            if let end = bytes.firstIndex(of: 0) {
                result.append(contentsOf: bytes[...end])
                return result
            }
            result.append(contentsOf: bytes)
            at &+= UInt64(chunk)
        }
        throw .nametoolong
    }

    /// A NUL-terminated string as text.
    public func readString(_ address: UInt64, max: Int = HostFile.longestPath) throws(Errno) -> String {
        String(decoding: try readCString(address, max: max).dropLast(), as: UTF8.self)
    }
}
