// Control messages of sendmsg(2) and recvmsg(2): records that begin with a long and two ints (cmsg(3)). Where longs are the
// host's they pass as they are; else each record is copied into one of the host's form, or back.

import HostOS
import LinuxABI

/// The control messages of one message, in the host's form.
struct ControlMessages {
    private let thread: GuestThread
    private let address: UInt64
    /// Bytes that the guest has, or has room for.
    private let guestLength: UInt64
    private let buffer: UnsafeMutableRawBufferPointer?
    /// For the kernel.
    let pointer: Int
    let length: UInt64

    /// Records longer than this are none that a kernel knows.
    private static let limit: UInt64 = 1 << 16
    private static let hostHead = 16

    init(_ thread: GuestThread, _ address: UInt64, _ length: UInt64, receives: Bool) throws(Errno) {
        self.thread = thread
        self.address = address
        guestLength = length
        if address == 0 || length == 0 || thread.words.areHosts || length > Self.limit {
            buffer = nil
            pointer = address == 0 ? 0 : receives ? thread.output(address, length) : thread.input(address, length)
            self.length = length
            return
        }
        // A record grows by four bytes of its head at most, and four of padding; the smallest has twelve.
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(length) * 2 + 32, alignment: 16)
        room.initializeMemory(as: UInt8.self, repeating: 0)
        var used = Self.room(for: length, thread.words)
        if !receives {
            do throws(Errno) { used = try Self.toHost(thread, address, Int(length), room) } catch {
                room.deallocate()
                throw error
            }
        }
        buffer = room
        pointer = room.word
        self.length = UInt64(used)
    }

    func release() { buffer?.deallocate() }

    /// How much of the host's form may come back where the guest has `length` bytes: a record of the same content.
    private static func room(for length: UInt64, _ words: Words) -> Int {
        let head = words.size == 8 ? 16 : 12
        return Int(length) < head ? Int(length) : Int(length) + hostHead - head
    }

    private static func aligned(_ length: Int, _ size: Int) -> Int { (length + size - 1) & -size }

    /// Writes the guest's records to `target`; returns the bytes that they have there.
    private static func toHost(
        _ thread: GuestThread, _ address: UInt64, _ length: Int, _ target: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        let words = thread.words, bytes = try thread.memory.readBytes(address, count: length), head = words.size + 8
        var at = 0, used = 0
        while at + head <= length {
            let size = words.loadWord(bytes, at: at)
            // The kernel refuses what is shorter than its head or reaches behind the end.
            guard size >= UInt64(head), size <= UInt64(length - at) else { throw .inval }
            let content = Int(size) - head
            let level = words.load(bytes, at: at + words.size, as: Int32.self)
            let type = words.load(bytes, at: at + words.size + 4, as: Int32.self)
            target.storeBytes(of: hostHead + content, toByteOffset: used, as: Int.self)
            target.storeBytes(of: level, toByteOffset: used + 8, as: Int32.self)
            target.storeBytes(of: type, toByteOffset: used + 12, as: Int32.self)
            for index in 0..<content { target[used + hostHead + index] = bytes[at + head + index] }
            swapInts(target, used + hostHead, content, level, type, words)
            used += aligned(hostHead + content, 8)
            at += aligned(Int(size), words.size)
        }
        return used
    }

    /// Stores the `used` bytes that the kernel has written. Returns what they have with the guest; what finds no room is cut
    /// off, and `flags` say so.
    func store(_ used: UInt64, _ flags: inout UInt64) throws(Errno) -> UInt64 {
        guard let buffer, let base = buffer.baseAddress else { return used }
        let words = thread.words, head = words.size + 8, truncated: UInt64 = 8  // MSG_CTRUNC
        var result = [UInt8](repeating: 0, count: Int(guestLength))
        var at = 0, there = 0
        while at + Self.hostHead <= Int(used) {
            let size = (base + at).loadUnaligned(as: Int.self)
            guard size >= Self.hostHead, size <= Int(used) - at else { break }
            let content = min(size - Self.hostHead, result.count - there - head)
            if content < 0 {
                flags |= truncated
                break
            }
            if content < size - Self.hostHead { flags |= truncated }
            let level = (base + at + 8).loadUnaligned(as: Int32.self),
                type = (base + at + 12).loadUnaligned(as: Int32.self)
            Self.swapInts(buffer, at + Self.hostHead, size - Self.hostHead, level, type, words)
            words.storeWord(UInt64(head + content), &result, at: there)
            words.store(level, &result, at: there + words.size)
            words.store(type, &result, at: there + words.size + 4)
            for index in 0..<content { result[there + head + index] = buffer[at + Self.hostHead + index] }
            there = min(there + Self.aligned(head + content, words.size), result.count)
            at += Self.aligned(size, 8)
        }
        try thread.memory.writeBytes(address, Array(result[..<there]))
        return UInt64(there)
    }

    /// Descriptors (SCM_RIGHTS), credentials (SCM_CREDENTIALS), and of the internet protocols single numbers are ints.
    private static func swapInts(
        _ buffer: UnsafeMutableRawBufferPointer, _ start: Int, _ count: Int, _ level: Int32, _ type: Int32,
        _ words: Words
    ) {
        let isOfSocket = level == 1
        guard words.order != LinuxTable.host.order, isOfSocket && (1...4).contains(type) || !isOfSocket && count == 4
        else { return }
        for at in stride(from: start, through: start + count - 4, by: 4) {
            let value = buffer.loadUnaligned(fromByteOffset: at, as: UInt32.self)
            buffer.storeBytes(of: value.byteSwapped, toByteOffset: at, as: UInt32.self)
        }
    }
}
