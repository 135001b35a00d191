// Socket calls whose arguments contain pointers: messages. struct msghdr, struct mmsghdr and control messages are the
// same on every 64-bit Linux, so a message is checked and copied, never converted. (send(2), recv(2), sendmmsg(2),
// recvmmsg(2).)

import CLinux
import HostOS
import LinuxABI

enum SocketCalls {
    // struct msghdr: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48; 56 bytes.

    static func sendmsg(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try withMessage(thread, call.a1, receives: false) { header in
            thread.blocking(Int32(SYS_sendmsg), call.word(0), header, call.word(2))
        }
    }

    static func recvmsg(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try withMessage(thread, call.a1, receives: true) { header in
            thread.blocking(Int32(SYS_recvmsg), call.word(0), header, call.word(2))
        }
    }

    /// One message after the other; stops at the first that fails, as the kernel does.
    static func sendmmsg(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        // With no message the kernel looks at the other arguments only.
        _ = try Errno.check(kernel(SYS_sendmmsg, call.word(0), 0, 0, call.word(3)))
        return messages(thread, call, receives: false, until: nil)
    }

    /// Messages one by one: the first as `flags` say, later ones without waiting when MSG_WAITFORONE is set. The time
    /// limit is looked at between messages only, which is what the kernel does too (recvmmsg(2), BUGS).
    static func recvmmsg(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let limit = thread.optionalInput(call.a4, 16)
        _ = try Errno.check(kernel(SYS_recvmmsg, call.word(0), 0, 0, call.word(3), limit))
        var deadline: UInt64?
        if call.a4 != 0 {
            let time = try thread.load(call.a4, as: SIMD2<UInt64>.self)
            deadline = HostClock.monotonic() &+ min(time.x, 1 << 32) &* 1_000_000_000 &+ time.y
        }
        return messages(thread, call, receives: true, until: deadline)
    }

    private static func messages(
        _ thread: GuestThread, _ call: SystemCallArguments, receives: Bool, until deadline: UInt64?
    ) -> Int {
        let count = min(call.uint32(2), 1024)
        let waitForOne = 0x1_0000, dontWait = 0x40
        var flags = receives ? call.word(3) & ~waitForOne : call.word(3)
        let number = receives ? Int32(SYS_recvmsg) : Int32(SYS_sendmsg)
        var done = 0
        while done < Int(count) {
            let entry = call.a1 &+ UInt64(done &* StructSize.mmsghdr)
            var result: Int
            do throws(Errno) {
                result = try withMessage(thread, entry, receives: receives) { header in
                    thread.blocking(number, call.word(0), header, flags)
                }
                if result >= 0 {
                    try thread.store(entry &+ UInt64(StructSize.msghdr), UInt32(truncatingIfNeeded: result))
                }
            } catch {
                result = error.negated
            }
            if result < 0 { return done > 0 ? done : result }
            done &+= 1
            if receives && call.word(3) & waitForOne != 0 { flags |= dontWait }
            if let deadline, HostClock.monotonic() >= deadline { break }
        }
        return done
    }

    /// Gives `body` a host copy of a guest message header in which bad ranges are unusable pointers, or such a pointer for
    /// a header that cannot be read; after a successful receive the header's results go back to the guest.
    private static func withMessage(
        _ thread: GuestThread, _ address: UInt64, receives: Bool, _ body: (_ header: Int) -> Int
    ) throws(Errno) -> Int {
        try withScratch(StructSize.msghdr) { (header) throws(Errno) in
            do throws(Errno) {
                try thread.memory.readBytes(address, into: header)
            } catch {
                return body(GuestThread.unusablePointer)
            }
            func range(_ pointer: Int, _ length: UInt64) {
                let guest = header.load(fromByteOffset: pointer, as: UInt64.self)
                if guest == 0 { return }
                let host = receives ? thread.output(guest, length) : thread.input(guest, length)
                header.storeBytes(of: host, toByteOffset: pointer, as: Int.self)
            }
            range(0, UInt64(max(0, header.load(fromByteOffset: 8, as: Int32.self))))
            range(32, header.load(fromByteOffset: 40, as: UInt64.self))
            let vectors = header.load(fromByteOffset: 16, as: UInt64.self)
            let count = header.load(fromByteOffset: 24, as: UInt64.self)
            let result = try withVectors(thread, vectors, count: count, writes: receives) { host, _ in
                header.storeBytes(of: host, toByteOffset: 16, as: Int.self)
                return body(header.word)
            }
            if receives && result >= 0 {
                try thread.store(address &+ 8, header.load(fromByteOffset: 8, as: UInt32.self))
                try thread.store(address &+ 40, header.load(fromByteOffset: 40, as: UInt64.self))
                try thread.store(address &+ 48, header.load(fromByteOffset: 48, as: UInt32.self))
            }
            return result
        }
    }
}
