// Opening, closing and describing files: the calls that need more than a row. (open(2), close(2), stat(2), readlink(2),
// fcntl(2).)

import CLinux
import HostOS
import LinuxABI

enum FileCalls {
    // MARK: Opening

    static func openat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try open(thread, directory: call.int32(0), path: call.a1, flags: call.a2) { path in
            thread.blocking(Int32(SYS_openat), Int(call.int32(0)), path, call.word(2), call.word(3))
        }
    }

    /// openat2(2): struct open_how has the same layout everywhere.
    static func openat2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let flags = try thread.load(call.a2, as: UInt64.self)
        let how = thread.input(call.a2, call.a3)
        return try open(thread, directory: call.int32(0), path: call.a1, flags: flags) { path in
            thread.blocking(Int32(SYS_openat2), Int(call.int32(0)), path, how, call.word(3))
        }
    }

    private static func open(
        _ thread: GuestThread, directory: Int32, path address: UInt64, flags: UInt64, _ body: (Int) -> Int
    ) throws(Errno) -> Int {
        let raw = try GuestPaths.guestPath(thread, address)
        let file = ProcFile(raw), opened = ProcStatus.open(thread, raw, flags: flags)
        raw.release()
        if let opened { return opened }
        let isPathOnly = flags & UInt64(HostFile.pathOnly) != 0
        if let file, file != .executable, flags & 3 == 0, !isPathOnly { return file.open(thread.process, flags: flags) }
        let createsNew = flags & UInt64(HostFile.createNew) == UInt64(HostFile.createNew)
        let followLink = flags & UInt64(HostFile.noFollow) == 0 && !createsNew
        let path = try GuestPaths.hostPath(thread, address, followLink: followLink)
        defer { path.release() }
        return body(path.address)
    }

    // MARK: Descriptors of Martlet's own

    /// Descriptors that the guest cannot see, in ascending order: of the log file, the profile and Martlet's own file.
    private static func reserved(_ thread: GuestThread) -> [Int32] {
        let process = thread.process
        let all = [process.diagnostics.descriptor, process.profile?.descriptor ?? -1, process.ownFile]
        return all.filter { $0 > 2 }.sorted()
    }

    static func isReserved(_ thread: GuestThread, _ fd: Int32) -> Bool {
        let process = thread.process
        return fd > 2
            && (fd == process.diagnostics.descriptor || fd == process.profile?.descriptor || fd == process.ownFile)
    }

    static func close(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if isReserved(thread, call.int32(0)) { throw .badf }
        return kernel(SYS_close, call.word(0))
    }

    static func dup3(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if isReserved(thread, call.int32(0)) || isReserved(thread, call.int32(1)) { throw .badf }
        return kernel(SYS_dup3, call.word(0), call.word(1), call.word(2))
    }

    static func closeRange(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let first = call.uint32(0), last = call.uint32(1), flags = Int(call.uint32(2))
        guard first <= last else { return kernel(SYS_close_range, Int(first), Int(last), flags) }
        // The pieces between our own.
        var next = UInt64(first), result = 0
        for ours in reserved(thread).map({ UInt64($0) }) where ours >= next && ours <= UInt64(last) {
            if ours > next { result = kernel(SYS_close_range, Int(next), Int(ours) - 1, flags) }
            if result != 0 { return result }
            next = ours + 1
        }
        if next <= UInt64(last) { result = kernel(SYS_close_range, Int(next), Int(last), flags) }
        return result
    }

    // MARK: Status

    static func fstat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try status(thread, call.a1) { kernel(SYS_fstat, call.word(0), $0) }
    }

    static func newfstatat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.a1 == 0 {  // with AT_EMPTY_PATH, newer kernels
            return try status(thread, call.a2) { kernel(SYS_newfstatat, Int(call.int32(0)), 0, $0, call.word(3)) }
        }
        let path = try GuestPaths.hostPath(thread, call.a1, followLink: call.a3 & AT.symlinkNoFollow == 0)
        defer { path.release() }
        return try status(thread, call.a2) {
            kernel(SYS_newfstatat, Int(call.int32(0)), path.address, $0, call.word(3))
        }
    }

    private static func status(
        _ thread: GuestThread, _ address: UInt64, _ body: (_ buffer: Int) -> Int
    ) throws(Errno) -> Int {
        let layout = thread.process.guest.stat
        return try withScratch(StatLayout.host.size &+ layout.size) { (buffer) throws(Errno) in
            let result = body(buffer.word)
            if result != 0 { return result }
            let guest = UnsafeMutableRawBufferPointer(rebasing: buffer[StatLayout.host.size...])
            if let source = buffer.baseAddress, let target = guest.baseAddress {
                layout.convert(from: .host, source, to: target)
            }
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(guest))
            return 0
        }
    }

    static func readlinkat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.int32(3) <= 0 { throw .inval }
        let raw = try GuestPaths.guestPath(thread, call.a1)
        let isExecutable = ProcFile(raw) == .executable
        raw.release()
        if isExecutable {
            let text = Array(thread.process.guestPath(thread.process.executablePath).utf8.prefix(Int(call.int32(3))))
            try thread.memory.writeBytes(call.a2, text)
            return text.count
        }
        let path = try GuestPaths.hostPath(thread, call.a1, followLink: false)
        defer { path.release() }
        let buffer = thread.output(call.a2, UInt64(call.int32(3)))
        return kernel(SYS_readlinkat, Int(call.int32(0)), path.address, buffer, Int(call.int32(3)))
    }

    /// The host's directory when there is one: a program that changes to /tmp means the real one. Else the prefix's.
    static func chdir(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let raw = try GuestPaths.guestPath(thread, call.a0)
        defer { raw.release() }
        let result = kernel(SYS_chdir, raw.address)
        if result != Errno.noent.negated { return result }
        let path = try GuestPaths.hostPath(thread, call.a0, followLink: true)
        defer { path.release() }
        return kernel(SYS_chdir, path.address)
    }

    /// name_to_handle_at(2): the handle's first word is the room after its eight-byte head.
    static func nameToHandle(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let path = try GuestPaths.hostPath(thread, call.a1, followLink: call.a4 & 0x400 != 0)
        defer { path.release() }
        let room = try thread.load(call.a2, as: UInt32.self)
        let handle = thread.output(call.a2, 8 &+ UInt64(room))
        let mount = thread.output(call.a3, 8)
        return kernel(Int32(SYS_name_to_handle_at), Int(call.int32(0)), path.address, handle, mount, call.word(4))
    }

    // MARK: Vectors

    static func readv(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_readv), writes: true)
    }
    static func writev(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_writev), writes: false)
    }
    static func preadv(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_preadv), writes: true)
    }
    static func pwritev(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_pwritev), writes: false)
    }
    static func preadv2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_preadv2), writes: true)
    }
    static func pwritev2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_pwritev2), writes: false)
    }
    /// vmsplice(2) fills the vectors from a pipe's reading end, and makes the pages of theirs part of the pipe at its writing end.
    static func vmsplice(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let status = kernel(SYS_fcntl, call.word(0), 3)  // F_GETFL
        return try vectored(thread, call, Int32(SYS_vmsplice), writes: status >= 0 && status & 3 == 0)
    }

    private static func vectored(
        _ thread: GuestThread, _ call: SystemCallArguments, _ number: Int32, writes: Bool
    ) throws(Errno) -> Int {
        try withVectors(thread, call.a1, count: call.a2, writes: writes) { vectors, count in
            thread.blocking(number, call.word(0), vectors, count, call.word(3), call.word(4), call.word(5))
        }
    }

    /// process_vm_readv(2) and process_vm_writev(2): local vectors are the guest's, remote ones are checked when they
    /// are too.
    static func processRead(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try processCopy(thread, call, Int32(SYS_process_vm_readv), writesLocal: true)
    }
    static func processWrite(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try processCopy(thread, call, Int32(SYS_process_vm_writev), writesLocal: false)
    }

    private static func processCopy(
        _ thread: GuestThread, _ call: SystemCallArguments, _ number: Int32, writesLocal: Bool
    ) throws(Errno) -> Int {
        let isOwn = call.int32(0) == HostProcess.processID || call.int32(0) == thread.tid
        return try withVectors(thread, call.a1, count: call.a2, writes: writesLocal) {
            (local, localCount) throws(Errno) in
            try withVectors(thread, call.a3, count: call.a4, writes: !writesLocal && isOwn) { remote, remoteCount in
                kernel(number, Int(call.int32(0)), local, localCount, remote, remoteCount, call.word(5))
            }
        }
    }

    // MARK: fcntl and ioctl

    static func fcntl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if isReserved(thread, call.int32(0)) { throw .badf }
        func pass(_ argument: Int) -> Int { thread.blocking(Int32(SYS_fcntl), call.word(0), call.word(1), argument) }
        switch call.int32(1) {
        case 0, 1, 2, 3, 4, 8, 9, 10, 11: return pass(call.word(2))  // F_DUPFD ... F_SETFL, F_SETOWN ... F_GETSIG
        case 5, 36: return pass(thread.output(call.a2, UInt64(StructSize.flock)))  // F_GETLK, F_OFD_GETLK
        // F_SETLK, F_SETLKW, F_OFD_*
        case 6, 7, 37, 38: return pass(thread.input(call.a2, UInt64(StructSize.flock)))
        case 15: return pass(thread.input(call.a2, 8))  // F_SETOWN_EX
        case 16: return pass(thread.output(call.a2, 8))  // F_GETOWN_EX
        case 17: return pass(thread.output(call.a2, 8))  // F_GETOWNER_UIDS
        // leases, F_DUPFD_CLOEXEC, seals
        case 1024, 1025, 1026, 1027, 1028, 1030, 1031, 1032, 1033, 1034: return pass(call.word(2))
        case 1035, 1037: return pass(thread.output(call.a2, 8))  // F_GET_RW_HINT, F_GET_FILE_RW_HINT
        case 1036, 1038: return pass(thread.input(call.a2, 8))  // F_SET_RW_HINT, F_SET_FILE_RW_HINT
        default:
            reportUnimplemented(thread, "fcntl command \(call.int32(1))")
            throw .inval
        }
    }

    static func ioctl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let request = call.uint32(1)
        func pass(_ argument: Int) -> Int { thread.blocking(Int32(SYS_ioctl), call.word(0), Int(request), argument) }
        guard let argument = Ioctl.argument(request) else {
            // A number that names no argument, with a word that cannot be a pointer: harmless to hand on.
            if Ioctl.isEncodedWithoutArgument(request), call.a2 < thread.memory.placementBottom {
                return pass(call.word(2))
            }
            reportUnimplemented(thread, "ioctl request 0x\(String(request, radix: 16))")
            throw .notty
        }
        switch argument.kind {
        case .none: return pass(0)
        case .value: return pass(call.word(2))
        case .input: return pass(thread.input(call.a2, UInt64(argument.size)))
        case .output, .both: return pass(thread.output(call.a2, UInt64(argument.size)))
        case .interfaceList: return try interfaceList(thread, call)
        }
    }

    /// SIOCGIFCONF: struct ifconf is a length and a pointer to that much room, which may be null.
    private static func interfaceList(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let length = try thread.load(call.a2, as: Int32.self)
        let room = try thread.load(call.a2 &+ 8, as: UInt64.self)
        if length < 0 { throw .inval }
        var list: InlineArray<2, Int> = [Int(length), thread.optionalOutput(room, UInt64(length))]
        let result = withUnsafeMutablePointer(to: &list) {
            kernel(SYS_ioctl, call.word(0), Int(call.uint32(1)), Int(bitPattern: $0))
        }
        if result >= 0 { try thread.store(call.a2, Int32(truncatingIfNeeded: list[0])) }
        return result
    }
}
