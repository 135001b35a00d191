// Socket calls whose arguments contain pointers: messages. A header is always copied, since its pointers are checked.
// (send(2), recv(2), sendmmsg(2), recvmmsg(2).)

import CLinux
import HostOS
import LinuxABI

enum SocketCalls {
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
        let limit = thread.optionalInput(call.a4, .timespec)
        _ = try Errno.check(kernel(SYS_recvmmsg, call.word(0), 0, 0, call.word(3), limit))
        var deadline: UInt64?
        if call.a4 != 0 {
            let time = try thread.loadTime(call.a4)
            let seconds = UInt64(clamping: min(time.seconds, 1 << 32))
            deadline = HostClock.monotonic() &+ seconds &* 1_000_000_000 &+ UInt64(clamping: time.nanoseconds)
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
        // struct mmsghdr: a header, then the length, to a whole number of words.
        let word = thread.words.size, lengthOffset = thread.process.guest.message.guest.size
        let entrySize = (lengthOffset + 4 + word - 1) & -word
        var done = 0
        while done < Int(count) {
            let entry = call.a1 &+ UInt64(done &* entrySize)
            var result: Int
            do throws(Errno) {
                result = try withMessage(thread, entry, receives: receives) { header in
                    thread.blocking(number, call.word(0), header, flags)
                }
                if result >= 0 {
                    try thread.store(entry &+ UInt64(lengthOffset), UInt32(truncatingIfNeeded: result))
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
        typealias F = FieldIndex.msghdr
        let layout = thread.process.guest.message, guest = layout.guest, host = layout.host
        return try withScratch(host.size &+ guest.size) { (buffer) throws(Errno) in
            guard let header = buffer.baseAddress else { return 0 }
            let given = UnsafeMutableRawBufferPointer(rebasing: buffer[host.size...])
            do throws(Errno) {
                try thread.memory.readBytes(address, into: given)
                try layout.toHost(header + host.size, header)
            } catch {
                return body(GuestThread.unusablePointer)
            }
            let nameLength = Int32(truncatingIfNeeded: host.load(F.msg_namelen, header))
            let name = host.load(F.msg_name, header)
            if name != 0 {
                let count = Int(max(0, nameLength))
                let pointer =
                    receives
                    ? thread.output(name, .socketAddress, count: count)
                    : thread.input(name, .socketAddress, count: count)
                host.store(UInt64(bitPattern: Int64(pointer)), F.msg_name, header)
            }
            let control = try ControlMessages(
                thread, host.load(F.msg_control, header), host.load(F.msg_controllen, header), receives: receives)
            defer { control.release() }
            host.store(UInt64(bitPattern: Int64(control.pointer)), F.msg_control, header)
            host.store(control.length, F.msg_controllen, header)
            let vectors = host.load(F.msg_iov, header), count = host.load(F.msg_iovlen, header)
            let result = try withVectors(thread, vectors, count: count, writes: receives) { pointer, _ in
                host.store(UInt64(bitPattern: Int64(pointer)), F.msg_iov, header)
                return body(buffer.word)
            }
            if receives && result >= 0 {
                var flags = host.load(F.msg_flags, header)
                let length = try control.store(host.load(F.msg_controllen, header), &flags)
                guest.store(host.load(F.msg_namelen, header), F.msg_namelen, header + host.size)
                guest.store(length, F.msg_controllen, header + host.size)
                guest.store(flags, F.msg_flags, header + host.size)
                for field in [F.msg_namelen, F.msg_controllen, F.msg_flags] {
                    let place = guest[field]
                    try thread.memory.writeBytes(
                        address &+ UInt64(place.offset),
                        UnsafeRawBufferPointer(start: header + host.size + place.offset, count: place.size))
                }
            }
            return result
        }
    }
}
