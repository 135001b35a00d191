// Opening, closing and describing files: the calls that need more than a row. (open(2), close(2), stat(2), readlink(2),
// fcntl(2).)

import CLinux
import HostOS
import LinuxABI

enum FileCalls {
    // MARK: Opening

    static func openat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try open(thread, directory: call.int32(0), path: call.a1, flags: call.a2, mode: call.word(3)) { path in
            thread.blocking(Int32(SYS_openat), Int(call.int32(0)), path, call.word(2), call.word(3))
        }
    }

    /// openat2(2): struct open_how has the same layout everywhere, but for the order of bytes. A name with restrictions on how it is resolved is the
    /// kernel's to judge as it is.
    static func openat2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let table = thread.process.guest.table
        var flags = (try? thread.load(call.a2, as: UInt64.self)) ?? 0
        if !table.isHosts(.open) { flags = UInt64(table.toHost(UInt32(truncatingIfNeeded: flags), .open)) }
        let onlyCached: UInt64 = 0x20  // RESOLVE_CACHED
        let resolve = ((try? thread.load(call.a2 &+ 16, as: UInt64.self)) ?? 0) & ~onlyCached
        func open(_ how: Int) throws(Errno) -> Int {
            try self.open(thread, directory: call.int32(0), path: call.a1, flags: flags, isRestricted: resolve != 0) {
                path in
                thread.blocking(Int32(SYS_openat2), Int(call.int32(0)), path, how, call.word(3))
            }
        }
        let isHosts = thread.words.order == LinuxTable.host.order && table.isHosts(.open)
        if isHosts || call.a3 < 24 || call.a3 > HostProcess.pageSize { return try open(thread.input(call.a2, call.a3)) }
        return try withScratch(Int(call.a3)) { (how) throws(Errno) in
            do throws(Errno) { try thread.memory.readBytes(call.a2, into: how) } catch {
                return try open(GuestThread.unusablePointer)
            }
            for at in stride(from: 0, through: how.count - 8, by: 8) {
                let value = how.load(fromByteOffset: at, as: UInt64.self)
                how.storeBytes(of: thread.words.order.swapping(value), toByteOffset: at, as: UInt64.self)
            }
            how.storeBytes(of: flags, as: UInt64.self)
            return try open(how.word)
        }
    }

    private static func open(
        _ thread: GuestThread, directory: Int32, path address: UInt64, flags: UInt64, mode: Int? = nil,
        isRestricted: Bool = false, _ body: (Int) -> Int
    ) throws(Errno) -> Int {
        let path = GuestPaths.guestPath(thread, address)
        defer { path.release() }
        if ProcFolders.isNamed(path) { thread.process.listsProc = true }
        let found = isRestricted ? nil : ProcFile(path, from: directory)
        let isProgram = found?.program(thread.process) != nil
        if !isRestricted, found == nil || isProgram {
            let createsNew = flags & UInt64(HostFile.createNew) == UInt64(HostFile.createNew)
            let followLink = flags & UInt64(HostFile.noFollow) == 0 && !createsNew
            try GuestPaths.translate(path, as: found, thread.process, followLink: followLink)
            if !followLink || found != nil { return body(path.address) }
            if let mode, let fd = openWithoutMagicLinks(thread, directory, path, Int(flags), mode) { return fd }
            let fd = body(path.address)
            // By a link from elsewhere to a process's exe.
            guard fd >= 0, ProcPath.isOwnProgram(fd), ProcPath.hasMagicLink(path, from: directory) else { return fd }
            _ = kernel(SYS_close, fd)
            GuestPaths.replace(path, linkedProgram(thread, directory, path))
            return body(path.address)
        }
        let fd = body(path.address)
        let isPathOnly = flags & UInt64(HostFile.pathOnly) != 0, isWriteOnly = flags & 3 == 1
        guard fd >= 0, !isPathOnly, let file = found ?? ProcFile(open: fd), !isWriteOnly || file == .memory else {
            return fd
        }
        return thread.process.procDescriptors.substitute(fd, file, thread, flags: flags)
    }

    /// openat(2) by way of openat2(2), which costs no more and can tell that a link of the kind that /proc has was on the
    /// way; nil when one was, and when the host does not have the call or does not allow it. Flags and mode are what the
    /// kernel makes of openat's (fs/open.c, build_open_how).
    private static func openWithoutMagicLinks(
        _ thread: GuestThread, _ directory: Int32, _ path: HostPath, _ flags: Int, _ mode: Int
    ) -> Int? {
        let pathFlags = HostFile.pathOnly | HostFile.directoryOnly | HostFile.noFollow | HostFile.closeOnExec
        let known = flags & HostFile.pathOnly != 0 ? pathFlags : 0x7f_ffc3
        let creating = 0x40_0040  // O_CREAT, O_TMPFILE
        let how = SIMD4(flags & known, flags & known & creating != 0 ? mode & 0o7777 : 0, ProcPath.noMagicLinks, 0)
        let fd = withUnsafePointer(to: how) {
            thread.blocking(Int32(SYS_openat2), Int(directory), path.address, Int(bitPattern: $0), 24)
        }
        let isUnsure = fd == Errno.loop.negated || fd == Errno.nosys.negated || fd == Errno.perm.negated
        return isUnsure ? nil : fd
    }

    // MARK: Descriptors of Martlet's own

    /// Descriptors that the guest cannot see: of the log file, the profile, Martlet's own file and the folder of translations.
    private static func all(_ thread: GuestThread) -> InlineArray<4, Int32> {
        let process = thread.process
        return [
            process.diagnostics.descriptor, process.profile?.descriptor ?? -1, OwnFile.descriptor,
            process.storeDescriptor.load(ordering: .relaxed),
        ]
    }

    /// The same in ascending order.
    static func reserved(_ thread: GuestThread) -> [Int32] {
        let all = all(thread)
        return all.indices.map { all[$0] }.filter { $0 > 2 }.sorted()
    }

    static func isReserved(_ thread: GuestThread, _ fd: Int32) -> Bool {
        let all = all(thread)
        return fd > 2 && all.indices.contains { all[$0] == fd }
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
        try status(thread, call.a1) { buffer in
            let result = kernel(SYS_fstat, call.word(0), buffer)
            return result == 0 ? realStatus(thread, call.int32(0), nil, buffer) : result
        }
    }

    static func newfstatat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        // How the C library makes fstat(3): no name, and a descriptor.
        let emptyPath: UInt32 = 0x1000
        if call.uint32(3) == emptyPath, call.int32(0) >= 0, (try? thread.load(call.a1, as: UInt8.self)) == 0 {
            return try fstat(thread, SystemCallArguments(number: call.number, call.a0, call.a2))
        }
        let path = try namedFile(thread, call.int32(0), call.a1, flags: call.a3)
        defer { path?.release() }
        return try status(thread, call.a2) { buffer in
            let result = kernel(SYS_newfstatat, Int(call.int32(0)), path?.address ?? 0, buffer, call.word(3))
            return result == 0 ? realStatus(thread, call.int32(0), path, buffer) : result
        }
    }

    /// struct statx is the same everywhere, but for the order of bytes.
    static func statx(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let path = try namedFile(thread, call.int32(0), call.a1, flags: call.a2)
        defer { path?.release() }
        return try withScratch(StructSize.statx) { (buffer) throws(Errno) in
            var result = kernel(
                SYS_statx, Int(call.int32(0)), path?.address ?? 0, call.word(2), call.word(3), buffer.word)
            if result != 0 { return result }
            // stx_ino 32, stx_dev_major 136, stx_dev_minor 140.
            let major = UInt64(buffer.load(fromByteOffset: 136, as: UInt32.self))
            let minor = UInt64(buffer.load(fromByteOffset: 140, as: UInt32.self))
            let device = minor & 0xff | major &<< 8 | (minor & ~0xff) &<< 12
            let inode = buffer.load(fromByteOffset: 32, as: UInt64.self)
            if let name = realName(thread, call.int32(0), path, device, inode) {
                result = withPath(name) {
                    kernel(SYS_statx, AT.currentDirectory, $0, call.word(2), call.word(3), buffer.word)
                }
            }
            guard result == 0 else { return result }
            if thread.words.order == LinuxTable.host.order {
                try thread.memory.writeBytes(call.a4, UnsafeRawBufferPointer(buffer))
            } else if let statx = StructConversion(thread.process.guest.table, .statx), let base = buffer.baseAddress {
                var converted = [UInt8](repeating: 0, count: statx.guest.size)
                try statx.toGuest(base, &converted)
                try thread.memory.writeBytes(call.a4, converted)
            }
            return 0
        }
    }

    /// Nil for a null pointer, which newer kernels take with AT_EMPTY_PATH.
    private static func namedFile(
        _ thread: GuestThread, _ directory: Int32, _ address: UInt64, flags: UInt64
    ) throws(Errno) -> HostPath? {
        if address == 0 { return nil }
        return try GuestPaths.hostPath(thread, address, from: directory, followLink: flags & AT.symlinkNoFollow == 0)
    }

    /// Replaces the host's status in `buffer` where the guest must see that of another file.
    private static func realStatus(_ thread: GuestThread, _ directory: Int32, _ path: HostPath?, _ buffer: Int) -> Int {
        if path == nil, !thread.process.procDescriptors.hasStandIns { return 0 }
        guard let raw = UnsafeRawPointer(bitPattern: buffer) else { return 0 }
        let (device, inode) = HostFile.identity(ofStatus: raw)
        guard let name = realName(thread, directory, path, device, inode) else { return 0 }
        return withPath(name) { kernel(SYS_newfstatat, AT.currentDirectory, $0, buffer, 0) }
    }

    /// The name of the file that the guest must see in place of what the kernel has found: the file of /proc that a
    /// stand-in stands for, or the guest's program where a link from elsewhere to a process's exe leads to Martlet's.
    private static func realName(
        _ thread: GuestThread, _ directory: Int32, _ path: HostPath?, _ device: UInt64, _ inode: UInt64
    ) -> String? {
        if thread.process.procDescriptors.isStandInDevice(device) {
            guard let path, path.bytes[0] != 0 else { return thread.process.procDescriptors.standIn(directory) }
            return ProcPath.withFile(path, from: directory, followLink: true) {
                ProcPath.withName($0) { ProcDescriptors.realName($0) }
            }
        }
        if let path, ProcPath.isOwnProgram(device, inode), ProcPath.hasMagicLink(path, from: directory) {
            return linkedProgram(thread, directory, path)
        }
        return nil
    }

    /// The program that a link from elsewhere leads to by way of /proc: the guest's own unless links name another
    /// process's.
    private static func linkedProgram(_ thread: GuestThread, _ directory: Int32, _ path: HostPath) -> String {
        let process = thread.process, target = HostPath(bytes: .allocate(capacity: GuestPaths.capacity))
        defer { target.release() }
        GuestPaths.replace(target, String(cString: path.bytes))
        let mostLinks = 8
        for _ in 0..<mostLinks {
            if let program = ProcFile(target, from: directory)?.program(process) { return program }
            let next = HostPath(bytes: .allocate(capacity: GuestPaths.capacity))
            defer { next.release() }
            let count = kernel(
                SYS_readlinkat, Int(directory), target.address, next.address, GuestPaths.capacity &- 1)
            // A relative one begins at the link's own folder, not here.
            guard count > 0, next.bytes[0] == UInt8(ascii: "/") else { break }
            for index in 0..<count { target.bytes[index] = next.bytes[index] }
            target.bytes[count] = 0
        }
        return process.executablePath
    }

    private static func status(
        _ thread: GuestThread, _ address: UInt64, _ body: (_ buffer: Int) -> Int
    ) throws(Errno) -> Int {
        let layout = thread.process.guest.stat
        let hostSize = layout.hostSize, guestSize = layout.guestSize
        return try withUnsafeTemporaryAllocation(byteCount: hostSize &+ guestSize, alignment: 16) {
            (buffer) throws(Errno) in
            guard let source = buffer.baseAddress else { return 0 }
            let result = body(Int(bitPattern: source))
            if result != 0 { return result }
            let target = source + hostSize
            try layout.toGuest(source, target)
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(start: target, count: guestSize))
            return 0
        }
    }

    static func readlinkat(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let size = call.int32(3)
        if size <= 0 { throw .inval }
        let path = GuestPaths.guestPath(thread, call.a1)
        defer { path.release() }
        let file = ProcFile(path, from: call.int32(0))
        if let program = file?.program(thread.process) {
            return try store(thread, call.a2, thread.process.guestPath(program), size)
        }
        try GuestPaths.translate(path, as: file, thread.process, followLink: false)
        let result = kernel(
            SYS_readlinkat, Int(call.int32(0)), path.address, thread.output(call.a2, UInt64(size)), Int(size))
        guard result > 0, thread.process.procDescriptors.hasStandIns else { return result }
        let real = realLink(call.int32(0), path)
        return try real.map { (text) throws(Errno) in try store(thread, call.a2, text, size) } ?? result
    }

    private static func store(
        _ thread: GuestThread, _ address: UInt64, _ text: String, _ size: Int32
    ) throws(Errno) -> Int {
        let bytes = Array(text.utf8.prefix(Int(size)))
        try thread.memory.writeBytes(address, bytes)
        return bytes.count
    }

    /// What a link leads to that leads to a stand-in.
    private static func realLink(_ directory: Int32, _ path: HostPath) -> String? {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: HostFile.longestPath) { buffer in
            let count = kernel(
                SYS_readlinkat, Int(directory), path.address, Int(bitPattern: buffer.baseAddress), buffer.count)
            return count > 0 ? ProcDescriptors.realName(.init(rebasing: buffer[..<count])) : nil
        }
    }

    /// The host's directory when there is one: a program that changes to /tmp means the real one. Else the prefix's.
    static func chdir(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let path = GuestPaths.guestPath(thread, call.a0)
        defer { path.release() }
        let result = kernel(SYS_chdir, path.address)
        if result != Errno.noent.negated { return result }
        try GuestPaths.translate(path, as: nil, thread.process, followLink: true)
        return kernel(SYS_chdir, path.address)
    }

    /// name_to_handle_at(2): the handle's first word is the room after its eight-byte head.
    static func nameToHandle(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let path = try GuestPaths.hostPath(thread, call.a1, from: call.int32(0), followLink: call.a4 & 0x400 != 0)
        defer { path.release() }
        let room = (try? thread.load(call.a2, as: UInt32.self)) ?? 0
        func name(_ handle: Int) -> Int {
            // With AT_HANDLE_MNT_ID_UNIQUE the mount's number has 64 bits.
            let mount = thread.output(call.a3, call.a4 & 1 == 0 ? .int32 : .uint64)
            return kernel(
                Int32(SYS_name_to_handle_at), Int(call.int32(0)), path.address, handle, mount, call.word(4))
        }
        if thread.words.order == LinuxTable.host.order { return name(thread.output(call.a2, 8 &+ UInt64(room))) }
        return try withScratch(8 &+ Int(min(room, largestHandle))) { (buffer) throws(Errno) in
            buffer.storeBytes(of: room, as: UInt32.self)
            let result = name(buffer.word)
            try thread.storeHandle(call.a2, buffer, isWhole: result == 0)
            return result
        }
    }

    /// More than the kernel's MAX_HANDLE_SZ: it refuses what is cut off here.
    private static let largestHandle: UInt32 = 4096

    static func openByHandle(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func open(_ handle: Int) -> Int {
            thread.blocking(Int32(SYS_open_by_handle_at), call.word(0), handle, call.word(2))
        }
        if thread.words.order == LinuxTable.host.order { return open(thread.input(call.a1, 136)) }
        let size = try thread.load(call.a1, as: UInt32.self)
        return try withScratch(8 &+ Int(min(size, largestHandle))) { (buffer) throws(Errno) in
            try thread.memory.readBytes(call.a1, into: buffer)
            for offset in [0, 4] {
                let value = thread.words.load(UnsafeRawPointer(buffer.baseAddress!), at: offset, as: UInt32.self)
                buffer.storeBytes(of: value, toByteOffset: offset, as: UInt32.self)
            }
            return open(buffer.word)
        }
    }

    // MARK: From file to file

    // Files of a process in /proc cannot be spliced, their stand-ins could: the kernel is given the real file, for its
    // own errors.

    static func sendfile(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let offset = thread.optionalOutput(call.a2, .uint64, reads: true)
        return withRealFile(thread, call.int32(1)) { from in
            thread.blocking(Int32(SYS_sendfile), call.word(0), from, offset, call.word(3))
        }
    }

    static func splice(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try fromFileToFile(thread, call, Int32(SYS_splice))
    }

    static func copyFileRange(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try fromFileToFile(thread, call, Int32(SYS_copy_file_range))
    }

    private static func fromFileToFile(
        _ thread: GuestThread, _ call: SystemCallArguments, _ number: Int32
    ) throws(Errno) -> Int {
        let fromOffset = thread.optionalOutput(call.a1, .uint64, reads: true)
        let toOffset = thread.optionalOutput(call.a3, .uint64, reads: true)
        return withRealFile(thread, call.int32(0)) { from in
            thread.blocking(number, from, fromOffset, call.word(2), toOffset, call.word(4), call.word(5))
        }
    }

    private static func withRealFile(_ thread: GuestThread, _ fd: Int32, _ body: (Int) -> Int) -> Int {
        guard let name = thread.process.procDescriptors.standIn(fd), name != "/proc/cpuinfo",
            let real = try? HostFile.openForReading(name)
        else { return body(Int(fd)) }
        defer { HostFile.close(real) }
        return body(Int(real))
    }

    // MARK: Vectors

    static func readv(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_readv), writes: true)
    }
    static func writev(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, call, Int32(SYS_writev), writes: false)
    }
    static func preadv(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, withPosition(call, thread.words), Int32(SYS_preadv), writes: true)
    }
    static func pwritev(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, withPosition(call, thread.words), Int32(SYS_pwritev), writes: false)
    }
    static func preadv2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, withPosition(call, thread.words), Int32(SYS_preadv2), writes: true)
    }
    static func pwritev2(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try vectored(thread, withPosition(call, thread.words), Int32(SYS_pwritev2), writes: false)
    }

    /// The position comes in two longs, the low half first in every byte order (fs/read_write.c, pos_from_hilo).
    private static func withPosition(_ call: SystemCallArguments, _ words: Words) -> SystemCallArguments {
        if words.size == 8 { return call }
        var call = call
        call.a3 = call.a4 &<< 32 | call.a3 & words.mask
        return call
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

    // MARK: fcntl

    static func fcntl(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if isReserved(thread, call.int32(0)) { throw .badf }
        func pass(_ argument: Int) -> Int { thread.blocking(Int32(SYS_fcntl), call.word(0), call.word(1), argument) }
        let table = thread.process.guest.table
        switch call.int32(1) {
        case 0, 1, 2, 8, 9: return pass(call.word(2))  // F_DUPFD, F_GETFD, F_SETFD, F_SETOWN, F_GETOWN
        case 3: return pass(0).mapResult { Int(table.fromHost(UInt32($0), .open)) }  // F_GETFL
        case 4: return pass(table.isHosts(.open) ? call.word(2) : Int(table.toHost(call.uint32(2), .open)))  // F_SETFL
        case 10: return pass(Int(table.hostSignal(call.int32(2)) ?? -1))  // F_SETSIG
        case 11: return pass(0).mapResult { Int(table.signal(Int32($0))) }  // F_GETSIG
        case 5, 36: return pass(thread.output(call.a2, .lock, reads: true))  // F_GETLK, F_OFD_GETLK
        case 6, 7, 37, 38: return pass(thread.input(call.a2, .lock))  // F_SETLK, F_SETLKW, F_OFD_*
        case 15: return pass(thread.input(call.a2, .int32Pair))  // F_SETOWN_EX
        case 16, 17: return pass(thread.output(call.a2, .int32Pair))  // F_GETOWN_EX, F_GETOWNER_UIDS
        // leases, F_DUPFD_CLOEXEC, seals
        case 1024, 1025, 1026, 1027, 1028, 1030, 1031, 1032, 1033, 1034: return pass(call.word(2))
        case 1035, 1037: return pass(thread.output(call.a2, .uint64))  // F_GET_RW_HINT, F_GET_FILE_RW_HINT
        case 1036, 1038: return pass(thread.input(call.a2, .uint64))  // F_SET_RW_HINT, F_SET_FILE_RW_HINT
        default:
            _ = try Errno.check(kernel(SYS_fcntl, call.word(0), 1, 0))  // F_GETFD: is there such a descriptor?
            reportUnimplemented(thread, "fcntl command \(call.int32(1))")
            throw .inval
        }
    }
}
