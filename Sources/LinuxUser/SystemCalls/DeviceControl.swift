// ioctl(2): which argument goes to the host kernel as it is, and the few structures that need more.

import CLinux
import HostOS
import LinuxABI

enum DeviceControl {
    static func ioctl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let request = call.uint32(1)
        func pass(_ argument: Int) -> Int { thread.blocking(Int32(SYS_ioctl), call.word(0), Int(request), argument) }
        if request & 0xffff == ProcMapQuery.number,
            thread.process.procDescriptors.standIn(call.int32(0))?.hasSuffix("/maps") == true
        {
            return try ProcMapQuery.answer(thread, call.a2)
        }
        guard let argument = Ioctl.argument(request) else {
            // A number that names no argument, with a word that cannot be a pointer: harmless to hand on.
            if Ioctl.isEncodedWithoutArgument(request), call.a2 < thread.memory.placementBottom {
                return pass(call.word(2))
            }
            _ = try Errno.check(kernel(SYS_fcntl, call.word(0), 1, 0))  // F_GETFD: is there such a descriptor?
            reportUnimplemented(thread, "ioctl request 0x\(String(request, radix: 16))")
            throw .notty
        }
        switch argument.kind {
        case .none: return pass(0)
        case .value: return pass(call.word(2))
        case .input: return pass(thread.input(call.a2, UInt64(argument.size)))
        case .output, .both: return pass(thread.output(call.a2, UInt64(argument.size)))
        case .interfaceList: return try interfaceList(thread, call)
        case .interfaceData:
            // struct ifreq: a name of 16 bytes, then here a pointer to data of the request's own form.
            let data = (try? thread.load(call.a2 &+ 16, as: UInt64.self)) ?? 0
            if thread.optionalOutput(data, 4096) == GuestThread.unusablePointer { throw .fault }
            return pass(thread.output(call.a2, UInt64(argument.size)))
        case .loopInformation: return try loopInformation(thread, call)
        }
    }

    /// SIOCGIFCONF: struct ifconf is a length and a pointer to that much room, which may be null.
    private static func interfaceList(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ argument: Int) -> Int { kernel(SYS_ioctl, call.word(0), Int(call.uint32(1)), argument) }
        guard let length = try? thread.load(call.a2, as: Int32.self),
            let room = try? thread.load(call.a2 &+ 8, as: UInt64.self)
        else { return pass(GuestThread.unusablePointer) }
        var list: InlineArray<2, Int> = [
            Int(length) & 0xffff_ffff, thread.optionalOutput(room, UInt64(max(0, length))),
        ]
        let result = withUnsafeMutablePointer(to: &list) { pass(Int(bitPattern: $0)) }
        if result >= 0 { try thread.store(call.a2, Int32(truncatingIfNeeded: list[0])) }
        return result
    }

    /// LOOP_SET_STATUS and LOOP_GET_STATUS.
    private static func loopInformation(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ argument: Int) -> Int { kernel(SYS_ioctl, call.word(0), Int(call.uint32(1)), argument) }
        let layout = thread.process.guest.loopInformation
        return try withScratch(layout.host.size &+ layout.guest.size) { (buffer) throws(Errno) in
            let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[layout.host.size...])
            guard let ours = buffer.baseAddress, let theirs = guest.baseAddress else { return 0 }
            if call.uint32(1) == 0x4c02 {
                do throws(Errno) {
                    try thread.memory.readBytes(call.a2, into: guest)
                } catch {
                    return pass(GuestThread.unusablePointer)
                }
                try layout.toHost(theirs, ours)
                return pass(buffer.word)
            }
            let result = pass(buffer.word)
            if result < 0 { return result }
            try layout.toGuest(ours, theirs)
            try thread.memory.writeBytes(call.a2, UnsafeRawBufferPointer(guest))
            return result
        }
    }
}
