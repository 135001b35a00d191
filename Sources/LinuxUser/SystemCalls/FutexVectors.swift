// Calls on several futexes at once: futex_waitv(2), and futex_requeue, which takes its two words in the same form
// (include/uapi/linux/futex.h, struct futex_waitv).

import CLinux
import HostOS
import LinuxABI

enum FutexVectors {
    /// struct futex_waitv: value, address of the word, flags, zero.
    private static let size = 24, wordOffset = 8
    /// FUTEX_WAITV_MAX.
    private static let most = 128

    /// futex_waitv(2). Its time limit is absolute: a call that a signal interrupts can be made again as it is.
    static func wait(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let timeout = thread.optionalInput(call.a3, .timespec)
        return try withWords(thread, call.a0, count: Int(call.uint32(1))) { words in
            thread.blocking(
                SystemCallID.futex_waitv.hostNumber, words, call.word(1), call.word(2), timeout, call.word(4))
        }
    }

    static func requeue(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try withWords(thread, call.a0, count: 2) { words in
            kernel(SystemCallID.futex_requeue.hostNumber, words, call.word(1), call.word(2), call.word(3))
        }
    }

    /// What the kernel compares with the word has the word's order; flags have the host's.
    private static func swapFutex(_ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) {
        let value = UInt32(truncatingIfNeeded: buffer.load(fromByteOffset: offset, as: UInt64.self).byteSwapped)
        buffer.storeBytes(of: UInt64(value.byteSwapped), toByteOffset: offset, as: UInt64.self)
        for field in [offset + 16, offset + 20] {
            let word = buffer.load(fromByteOffset: field, as: UInt32.self)
            buffer.storeBytes(of: word.byteSwapped, toByteOffset: field, as: UInt32.self)
        }
    }

    /// Gives `body` a copy of the array that names words of the host; what the kernel will refuse goes to it as it is.
    private static func withWords(
        _ thread: GuestThread, _ address: UInt64, count: Int, _ body: (Int) -> Int
    ) throws(Errno) -> Int {
        guard address != 0, (1...most).contains(count) else { return body(thread.optionalInput(address, 0)) }
        return try withScratch(count * size) { (buffer) throws(Errno) in
            do throws(Errno) { try thread.memory.readBytes(address, into: buffer) } catch {
                return body(GuestThread.unusablePointer)
            }
            let order = thread.words.order
            for offset in stride(from: wordOffset, to: buffer.count, by: size) {
                let word = order.swapping(buffer.load(fromByteOffset: offset, as: UInt64.self))
                buffer.storeBytes(of: thread.input(word, 4), toByteOffset: offset, as: Int.self)
                if order != LinuxTable.host.order { swapFutex(buffer, offset - wordOffset) }
            }
            return body(buffer.word)
        }
    }
}
