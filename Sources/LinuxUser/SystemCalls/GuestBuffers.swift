// The few ways in which system calls reach guest memory, as short words on the thread.

import HostOS
import LinuxABI
import LinuxMemory

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

    // MARK: Structures

    /// The same for `count` elements that the kernel reads, in the host's form: the guest's own bytes where they are alike.
    @inline(__always)
    func input(_ address: UInt64, _ content: Content, count: Int = 1) -> Int {
        process.contents.areNeeded
            ? converted(address, content, count, reads: true, writes: false)
            : input(address, UInt64(content.size) &* UInt64(truncatingIfNeeded: count))
    }

    /// For `count` elements that the kernel writes. `reads`: and reads before.
    @inline(__always)
    func output(_ address: UInt64, _ content: Content, count: Int = 1, reads: Bool = false) -> Int {
        process.contents.areNeeded
            ? converted(address, content, count, reads: reads, writes: true)
            : output(address, UInt64(content.size) &* UInt64(truncatingIfNeeded: count))
    }

    func optionalInput(_ address: UInt64, _ content: Content, count: Int = 1) -> Int {
        address == 0 ? 0 : input(address, content, count: count)
    }

    func optionalOutput(_ address: UInt64, _ content: Content, count: Int = 1, reads: Bool = false) -> Int {
        address == 0 ? 0 : output(address, content, count: count, reads: reads)
    }

    @inline(never)
    func converted(_ address: UInt64, _ content: Content, _ count: Int, reads: Bool, writes: Bool) -> Int {
        guard let conversion = process.contents[content] else {
            let length = UInt64(content.size) &* UInt64(truncatingIfNeeded: count)
            return writes ? output(address, length) : input(address, length)
        }
        let argument = ConvertedArgument(self, address, count, conversion, reads: reads, writes: writes)
        guard let argument else { return Self.unusablePointer }
        convertedArguments.append(argument)
        hasArgumentsToFinish = true
        return argument.pointer
    }

    // MARK: Numbers

    /// A number in the guest's byte order.
    func load<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as type: T.Type) throws(Errno) -> T {
        words.order.swapping(try memory.read(address, as: type))
    }

    func store<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, _ value: T) throws(Errno) {
        try memory.write(address, words.order.swapping(value))
    }

    /// struct __kernel_timespec: 64 bits each in every ABI, of which the nanoseconds use only a word.
    func loadTime(_ address: UInt64) throws(Errno) -> (seconds: Int64, nanoseconds: Int64) {
        let pair = try memory.read(address, as: SIMD2<UInt64>.self)
        return (Int64(bitPattern: words.order.swapping(pair.x)), words.signed(words.order.swapping(pair.y)))
    }

    /// Two numbers of 64 bits, stored at once.
    @inline(__always)
    func storePair(_ address: UInt64, _ first: Int64, _ second: Int64) throws(Errno) {
        try memory.write(address, SIMD2(words.order.swapping(first), words.order.swapping(second)))
    }

    /// A long or a pointer of the guest's, extended with zeros.
    func loadWord(_ address: UInt64) throws(Errno) -> UInt64 {
        words.size == 8 ? try load(address, as: UInt64.self) : UInt64(try load(address, as: UInt32.self))
    }

    func storeWord(_ address: UInt64, _ value: UInt64) throws(Errno) {
        if words.size == 8 { try store(address, value) } else { try store(address, UInt32(truncatingIfNeeded: value)) }
    }

    /// Several, one after the other.
    func loadWords<let count: Int>(_ address: UInt64) throws(Errno) -> InlineArray<count, UInt64> {
        var result = InlineArray<count, UInt64>(repeating: 0)
        for index in 0..<count { result[index] = try loadWord(address &+ UInt64(index &* words.size)) }
        return result
    }

    func storeWords(_ address: UInt64, _ values: [UInt64]) throws(Errno) {
        try memory.writeBytes(address, words.bytes(values))
    }
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

extension GuestThread {
    /// struct file_handle, whose first two words are ints, from a host's copy; not `isWhole`: the first of them.
    func storeHandle(_ address: UInt64, _ handle: UnsafeMutableRawBufferPointer, isWhole: Bool) throws(Errno) {
        for offset in [0, 4] {
            let value = handle.load(fromByteOffset: offset, as: UInt32.self)
            handle.storeBytes(of: words.order.swapping(value), toByteOffset: offset, as: UInt32.self)
        }
        try memory.writeBytes(address, UnsafeRawBufferPointer(rebasing: handle[..<(isWhole ? handle.count : 4)]))
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
    let words = thread.words, guestBytes = Int(entries) &* 2 &* words.size
    return try withScratch(Int(entries) &* 16) { (buffer) throws(Errno) in
        do throws(Errno) {
            try thread.memory.readBytes(address, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<guestBytes]))
        } catch {
            return try body(GuestThread.unusablePointer, given)
        }
        if !words.areHosts { widenVectors(buffer, Int(entries), words) }
        for offset in stride(from: 0, to: buffer.count, by: 16) {
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

/// Makes the host's struct iovec, two longs each, of the guest's in the same place. A length that is negative there stays so.
private func widenVectors(_ buffer: UnsafeMutableRawBufferPointer, _ count: Int, _ words: Words) {
    guard let base = buffer.baseAddress else { return }
    for index in (0..<count).reversed() {
        let at = index &* 2 &* words.size
        let address = words.loadWord(base, at: at), length = words.signed(words.loadWord(base, at: at &+ words.size))
        buffer.storeBytes(of: address, toByteOffset: 16 &* index, as: UInt64.self)
        buffer.storeBytes(of: length, toByteOffset: 16 &* index &+ 8, as: Int64.self)
    }
}

/// Constants of the kernel's interface that Swift cannot import.
enum AT {
    static let currentDirectory = -100
    static let symlinkNoFollow: UInt64 = 0x100
}
