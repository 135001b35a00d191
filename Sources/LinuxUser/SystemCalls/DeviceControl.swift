// ioctl(2): which argument goes to the host kernel as it is, and the few structures that need more.

import CLinux
import HostOS
import LinuxABI

enum DeviceControl {
    static func ioctl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let request = thread.words.areHosts ? call.uint32(1) : Ioctl.hostRequest(call.uint32(1))
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
        let needsConversion = !thread.words.areHosts
        switch argument.kind {
        case .none: return pass(0)
        case .value: return pass(call.word(2))
        case .input, .output, .both:
            if needsConversion, let convert = converted(thread, call.a2, request, argument) { return pass(convert) }
            if needsConversion, InterfaceRequest.isOne(request) {
                return try InterfaceRequest.perform(thread, call.a2, request) { pass($0) }
            }
            return pass(
                argument.kind == .input
                    ? thread.input(call.a2, UInt64(argument.size)) : thread.output(call.a2, UInt64(argument.size)))
        case .interfaceList: return try interfaceList(thread, call)
        case .interfaceData where needsConversion:
            reportUnimplemented(thread, "ioctl request 0x\(String(request, radix: 16)) with a pointer to data")
            throw .opnotsupp
        case .interfaceData:
            // struct ifreq: a name of 16 bytes, then here a pointer to data of the request's own form.
            let data = (try? thread.load(call.a2 &+ 16, as: UInt64.self)) ?? 0
            if thread.optionalOutput(data, HostProcess.pageSize) == GuestThread.unusablePointer { throw .fault }
            return pass(thread.output(call.a2, UInt64(argument.size)))
        case .loopInformation: return try loopInformation(thread, call)
        }
    }

    /// The host's form of a structure whose numbers are not the host's; nil for one whose bytes are alike, or not known.
    private static func converted(
        _ thread: GuestThread, _ address: UInt64, _ request: UInt32, _ argument: IoctlArgument
    ) -> Int? {
        let content: Content, count: Int
        switch request {
        case 0x5401...0x5404, 0x5456, 0x5457: (content, count) = (.terminal, 1)  // TCGETS, TCSETS*, TIOC*LCKTRMIOS
        case 0x5405...0x5408: (content, count) = (.oldTerminal, 1)  // TCGETA, TCSETA*
        case 0x802c_542a, 0x402c_542b...0x402c_542d: (content, count) = (.terminal2, 1)  // TCGETS2, TCSETS*2
        case 0x5413, 0x5414: (content, count) = (.int16, 4)  // TIOCGWINSZ, TIOCSWINSZ
        case 0x1260, 0x1263, 0x1265: (content, count) = (.long, 1)  // BLKGETSIZE, BLKRAGET, BLKFRAGET
        case 0x8008_1272, 0x5460: (content, count) = (.uint64, 1)  // BLKGETSIZE64, FIOQSIZE
        case 0x1277, 0x127d, 0x127f: (content, count) = (.uint64, 2)  // BLKDISCARD, BLKSECDISCARD, BLKZEROOUT
        // FS_IOC_*FLAGS, FS_IOC_*VERSION, BLKBSZ*: their numbers say a long, the kernel means an int.
        case 0x8008_6601, 0x4008_6602, 0x8008_7601, 0x4008_7602, 0x8008_1270, 0x4008_1271:
            (content, count) = (.int32, 1)
        case _ where argument.size == 4: (content, count) = (.int32, 1)
        default: return nil
        }
        return argument.kind == .input
            ? thread.input(address, content, count: count)
            : thread.output(address, content, count: count, reads: argument.kind == .both)
    }

    /// SIOCGIFCONF: struct ifconf is a length and a pointer to that much room, which may be null.
    private static func interfaceList(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func pass(_ argument: Int) -> Int { kernel(SYS_ioctl, call.word(0), Int(call.uint32(1)), argument) }
        guard let length = try? thread.load(call.a2, as: Int32.self),
            let room = try? thread.loadWord(call.a2 &+ UInt64(thread.words.size))
        else { return pass(GuestThread.unusablePointer) }
        if !thread.words.areHosts {
            let (result, bytes) = try InterfaceRequest.list(thread, Int(length), room) { pass($0) }
            if result >= 0 { try thread.store(call.a2, Int32(truncatingIfNeeded: bytes)) }
            return result
        }
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
