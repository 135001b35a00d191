// Waiting for several descriptors: calls that come with a signal mask of their own, and epoll's structure, which x86-64
// packs. (poll(2), select(2), epoll_ctl(2), epoll_wait(2).)

import CLinux
import HostOS
import LinuxABI

enum PollingCalls {
    static func ppoll(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let descriptors = thread.output(call.a0, UInt64(call.uint32(1)) &* 8)
        let limit = thread.optionalOutput(call.a2, 16)
        return try withMask(thread, call.a3, size: call.a4) { mask in
            thread.blocking(Int32(SYS_ppoll), descriptors, Int(call.uint32(1)), limit, mask, 8)
        }
    }

    /// The sixth argument points to a mask pointer and a size.
    static func pselect6(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let count = call.int32(0)
        if count < 0 { throw .inval }
        let bytes = (UInt64(min(count, 1 << 20)) &+ 63) / 64 &* 8
        let read = thread.optionalOutput(call.a1, bytes)
        let write = thread.optionalOutput(call.a2, bytes)
        let except = thread.optionalOutput(call.a3, bytes)
        let limit = thread.optionalOutput(call.a4, 16)
        var maskAddress: UInt64 = 0, maskSize: UInt64 = 8
        if call.a5 != 0 {
            maskAddress = try thread.load(call.a5, as: UInt64.self)
            maskSize = try thread.load(call.a5 &+ 8, as: UInt64.self)
        }
        return try withMask(thread, maskAddress, size: maskSize) { mask in
            let pair: InlineArray<2, Int> = [mask, 8]
            return withUnsafePointer(to: pair) {
                thread.blocking(
                    Int32(SYS_pselect6), Int(count), read, write, except, limit, mask == 0 ? 0 : Int(bitPattern: $0))
            }
        }
    }

    static func epollControl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a3 == 0 { return kernel(SYS_epoll_ctl, call.word(0), call.word(1), call.word(2), 0) }
        let layout = thread.process.guest.epollEvent
        return try withScratch(32) { (buffer) throws(Errno) in
            try thread.memory.readBytes(call.a3, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<layout.size]))
            if let base = buffer.baseAddress {
                let event = layout.load(base)
                EpollEventLayout.host.store(event, base + 16)
            }
            return kernel(SYS_epoll_ctl, call.word(0), call.word(1), call.word(2), buffer.word &+ 16)
        }
    }

    static func epollWait(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try epollWait(thread, call) { events, count, mask in
            thread.blocking(Int32(SYS_epoll_pwait), call.word(0), events, count, call.word(3), mask, 8)
        }
    }

    static func epollWait2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let limit = thread.optionalInput(call.a3, 16)
        return try epollWait(thread, call) { events, count, mask in
            thread.blocking(Int32(SYS_epoll_pwait2), call.word(0), events, count, limit, mask, 8)
        }
    }

    /// At most 1024 events come back at once; the guest gets the rest with its next call.
    private static func epollWait(
        _ thread: GuestThread, _ call: SystemCallArguments, _ body: (_ events: Int, _ count: Int, _ mask: Int) -> Int
    ) throws(Errno) -> Int {
        let wanted = call.int32(2)
        if wanted <= 0 { throw .inval }
        let count = Int(min(wanted, 1024))
        let layout = thread.process.guest.epollEvent
        try thread.memory.checkRange(call.a1, UInt64(count &* layout.size))
        return try withScratch(count &* EpollEventLayout.host.size) { (buffer) throws(Errno) in
            let result = try withMask(thread, call.a4, size: call.a5) { body(buffer.word, count, $0) }
            guard result > 0, let base = buffer.baseAddress else { return result }
            try withScratch(result &* layout.size) { (converted) throws(Errno) in
                guard let target = converted.baseAddress else { return }
                for index in 0..<result {
                    let event = EpollEventLayout.host.load(base + index &* EpollEventLayout.host.size)
                    layout.store(event, target + index &* layout.size)
                }
                try thread.memory.writeBytes(call.a1, UnsafeRawBufferPointer(converted))
            }
            return result
        }
    }

    /// Gives `body` the address of a host copy of the guest's signal mask, or 0. (In the kernel Martlet's own signals may be blocked.)
    private static func withMask(
        _ thread: GuestThread, _ address: UInt64, size: UInt64, _ body: (_ mask: Int) -> Int
    ) throws(Errno) -> Int {
        if address == 0 { return body(0) }
        if size != 8 { throw .inval }
        let wanted = try thread.load(address, as: UInt64.self)
        return thread.waiting(with: wanted, body)
    }
}
