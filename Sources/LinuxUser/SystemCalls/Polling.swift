// Waiting for several descriptors: calls that come with a signal mask of their own, and epoll's structure, which x86-64
// packs. (poll(2), select(2), epoll_ctl(2), epoll_wait(2).)

import CLinux
import HostOS
import LinuxABI

enum PollingCalls {
    static func ppoll(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let descriptors = thread.output(call.a0, .pollDescriptors, count: Int(call.uint32(1)), reads: true)
        let limit = thread.optionalOutput(call.a2, .timespec, reads: true)
        return withMask(thread, call.a3) { mask in
            thread.blocking(
                Int32(SYS_ppoll), descriptors, Int(call.uint32(1)), limit, mask, thread.hostSetSize(call.a4))
        }
    }

    /// The sixth argument points to a mask pointer and a size.
    static func pselect6(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let count = call.int32(0)
        let read = thread.descriptorSet(call.a1, count), write = thread.descriptorSet(call.a2, count)
        let except = thread.descriptorSet(call.a3, count)
        let limit = thread.optionalOutput(call.a4, .timespec, reads: true)
        func select(_ mask: Int) -> Int {
            thread.blocking(Int32(SYS_pselect6), Int(count), read, write, except, limit, mask)
        }
        if call.a5 == 0 { return select(0) }
        guard let pair: InlineArray<2, UInt64> = try? thread.loadWords(call.a5) else {
            return select(GuestThread.unusablePointer)
        }
        return withMask(thread, pair[0]) { mask in
            let host = SIMD2(mask, thread.hostSetSize(pair[1]))
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
            thread.blocking(
                Int32(SYS_epoll_pwait), call.word(0), events, count, call.word(3), mask, thread.hostSetSize(call.a5))
        }
    }

    static func epollWait2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let limit = thread.optionalInput(call.a3, .timespec)
        return try epollWait(thread, call) { events, count, mask in
            thread.blocking(
                Int32(SYS_epoll_pwait2), call.word(0), events, count, limit, mask, thread.hostSetSize(call.a5))
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
        guard let wanted = try? thread.loadSignals(address) else { return body(GuestThread.unusablePointer) }
        return thread.waiting(with: wanted, body)
    }
}

extension GuestThread {
    /// A set of descriptors below `count` that the kernel reads and writes: longs.
    func descriptorSet(_ address: UInt64, _ count: Int32) -> Int {
        let bits = Int(max(0, min(count, 1 << 20)))
        if words.areHosts { return optionalOutput(address, UInt64((bits + 63) / 64 * 8)) }
        // The same bits in longs of another size or order; the host's last long may reach behind the guest's.
        let longs = (bits + 8 * words.size - 1) / (8 * words.size)
        return optionalOutput(address, .bitSet, count: longs, reads: true)
    }

    /// The size of a set of signals as the host has it, where the guest's is right; else one that is wrong there too.
    func hostSetSize(_ size: UInt64) -> Int {
        size == signalSetSize ? 8 : size == 8 ? 0 : Int(truncatingIfNeeded: size)
    }
}
