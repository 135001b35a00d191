// Waiting for several descriptors: calls that come with a signal mask of their own, and epoll's structure, which x86-64
// packs. (poll(2), select(2), epoll_ctl(2), epoll_wait(2).)

import CLinux
import HostOS
import LinuxABI

enum PollingCalls {
    static func ppoll(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let descriptors = thread.output(call.a0, UInt64(call.uint32(1)) &* 8)
        let limit = thread.optionalOutput(call.a2, 16)
        return withMask(thread, call.a3) { mask in
            thread.blocking(Int32(SYS_ppoll), descriptors, Int(call.uint32(1)), limit, mask, call.word(4))
        }
    }

    /// The sixth argument points to a mask pointer and a size.
    static func pselect6(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let count = call.int32(0)
        let bytes = (UInt64(max(0, min(count, 1 << 20))) &+ 63) / 64 &* 8
        let read = thread.optionalOutput(call.a1, bytes)
        let write = thread.optionalOutput(call.a2, bytes)
        let except = thread.optionalOutput(call.a3, bytes)
        let limit = thread.optionalOutput(call.a4, 16)
        func select(_ mask: Int) -> Int {
            thread.blocking(Int32(SYS_pselect6), Int(count), read, write, except, limit, mask)
        }
        if call.a5 == 0 { return select(0) }
        guard let pair = try? thread.load(call.a5, as: SIMD2<UInt64>.self) else {
            return select(GuestThread.unusablePointer)
        }
        return withMask(thread, pair.x) { mask in
            let host = SIMD2(mask, Int(truncatingIfNeeded: pair.y))
            return withUnsafePointer(to: host) { select(Int(bitPattern: $0)) }
        }
    }

    static func epollControl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func control(_ event: Int) -> Int {
            kernel(SYS_epoll_ctl, call.word(0), call.word(1), call.word(2), event)
        }
        if call.a3 == 0 { return control(0) }
        let layout = thread.process.guest.epollEvent
        return try withScratch(32) { (buffer) throws(Errno) in
            let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[..<layout.guest.size])
            do throws(Errno) {
                try thread.memory.readBytes(call.a3, into: guest)
            } catch {
                return control(GuestThread.unusablePointer)
            }
            if let base = buffer.baseAddress { try layout.toHost(base, base + 16) }
            return control(buffer.word &+ 16)
        }
    }

    static func epollWait(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try epollWait(thread, call) { events, count, mask in
            thread.blocking(Int32(SYS_epoll_pwait), call.word(0), events, count, call.word(3), mask, call.word(5))
        }
    }

    static func epollWait2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let limit = thread.optionalInput(call.a3, 16)
        return try epollWait(thread, call) { events, count, mask in
            thread.blocking(Int32(SYS_epoll_pwait2), call.word(0), events, count, limit, mask, call.word(5))
        }
    }

    /// At most 1024 events come back at once; the guest gets the rest with its next call. A count that the kernel
    /// refuses (EP_MAX_EVENTS) it is given as it is.
    private static func epollWait(
        _ thread: GuestThread, _ call: SystemCallArguments, _ body: (_ events: Int, _ count: Int, _ mask: Int) -> Int
    ) throws(Errno) -> Int {
        let wanted = Int(call.int32(2)), layout = thread.process.guest.epollEvent
        let isRefused = wanted <= 0 || wanted > Int(Int32.max) / layout.guest.size
        let count = isRefused ? wanted : min(wanted, 1024)
        if isRefused || call.a1 >= thread.memory.limit {
            return withMask(thread, call.a4) { body(GuestThread.unusablePointer, count, $0) }
        }
        return try withScratch(count &* layout.host.size) { (buffer) throws(Errno) in
            let result = withMask(thread, call.a4) { body(buffer.word, count, $0) }
            guard result > 0, let base = buffer.baseAddress else { return result }
            try withScratch(result &* layout.guest.size) { (converted) throws(Errno) in
                guard let target = converted.baseAddress else { return }
                for index in 0..<result {
                    try layout.toGuest(base + index &* layout.host.size, target + index &* layout.guest.size)
                }
                try thread.memory.writeBytes(call.a1, UnsafeRawBufferPointer(converted))
            }
            return result
        }
    }

    /// Gives `body` the address of a host copy of the guest's signal mask, or 0; for a bad one an unusable pointer. (In the kernel
    /// Martlet's own signals may be blocked.)
    private static func withMask(
        _ thread: GuestThread, _ address: UInt64, _ body: (_ mask: Int) -> Int
    ) -> Int {
        if address == 0 { return body(0) }
        guard let wanted = try? thread.load(address, as: UInt64.self) else { return body(GuestThread.unusablePointer) }
        return thread.waiting(with: wanted, body)
    }
}
