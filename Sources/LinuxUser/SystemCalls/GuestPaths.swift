// File names: how a path that the guest names becomes a path of the host.
//
//   relative               as it is (relative to the host's current directory or to a descriptor)
//   /proc/self/exe         the guest's executable, by whatever name (`ProcFile`)
//   /proc, /sys, /dev ...  as it is: they belong to the running kernel, not to the guest's tree
//   other absolute paths   under the -L prefix when something with that name exists there, else as it is
//
// Symbolic links inside the prefix, absolute ones too, are resolved inside the prefix (openat2 with RESOLVE_IN_ROOT),
// so that a Debian tree's alternatives work. No descriptor stays open between calls: guests close descriptors they do
// not know.

import CLinux
import HostOS

/// A path in host memory, owned until `release`.
struct HostPath {
    /// `GuestPaths.capacity` bytes, NUL-terminated.
    let bytes: UnsafeMutablePointer<UInt8>
    /// False for a pointer that the guest cannot read: the name is empty then.
    var isReadable = true
    /// What the host kernel gets. It finds out itself that a name is unreadable or too long, after the errors that it
    /// looks for first.
    var address: Int { isReadable ? Int(bitPattern: bytes) : GuestThread.unusablePointer }
    func release() { bytes.deallocate() }
}

enum GuestPaths {
    /// PATH_MAX, and room for a prefix before it.
    static let capacity = 8192
    private static var maximum: Int { HostFile.longestPath }

    /// Reads a path from guest memory without translating it. Of a name that is too long as much as shows that it is.
    static func guestPath(_ thread: GuestThread, _ address: UInt64) -> HostPath {
        var path = HostPath(bytes: .allocate(capacity: capacity))
        path.bytes[maximum] = 0
        var done = 0
        while done < maximum {
            let at = address &+ UInt64(done)
            let memory = thread.memory
            let chunk = min(Int(memory.pageSize &- memory.pageOffset(at)), 128, maximum &- done)
            let part = UnsafeMutableRawBufferPointer(start: path.bytes + done, count: chunk)
            do throws(Errno) {
                try memory.readBytes(at, into: part)
            } catch {
                path.bytes[0] = 0
                path.isReadable = false
                return path
            }
            if part.contains(0) { break }
            done &+= chunk
        }
        return path
    }

    /// Reads a path from guest memory and translates it. `directory`: the descriptor that a relative one starts from.
    /// `followLink`: the call follows a link in the last component.
    static func hostPath(
        _ thread: GuestThread, _ address: UInt64, from directory: Int32, followLink: Bool
    ) throws(Errno) -> HostPath {
        let path = guestPath(thread, address)
        let file = followLink ? ProcFile(path, from: directory) : nil
        do throws(Errno) { try translate(path, as: file, thread.process, followLink: followLink) } catch {
            path.release()
            throw error
        }
        return path
    }

    /// Translates a path that has been found to lead to `file`, or to none that is emulated.
    static func translate(
        _ path: HostPath, as file: ProcFile?, _ process: GuestProcess, followLink: Bool
    ) throws(Errno) {
        if followLink, let program = file?.program(process) { return replace(path, program) }
        try translate(path, prefix: process.prefix, followLink: followLink)
    }

    /// Translates a path that Martlet itself uses on behalf of the guest: programs to execute, the interpreter.
    /// `process`: whose /proc/self/exe is meant, where there is one already.
    static func hostPath(
        _ guest: String, prefix: String?, process: GuestProcess? = nil, followLink: Bool = true
    ) throws(Errno) -> String {
        if guest.utf8.count >= maximum { return guest }
        let path = HostPath(bytes: .allocate(capacity: capacity))
        defer { path.release() }
        replace(path, guest)
        if let process, followLink,
            let program = ProcFile(path, from: Int32(AT.currentDirectory))?.program(process)
        {
            return program
        }
        try translate(path, prefix: prefix, followLink: followLink)
        return String(cString: path.bytes)
    }

    private static func translate(_ path: HostPath, prefix: String?, followLink: Bool) throws(Errno) {
        if path.bytes[0] != slash { return }
        if begins(path, "/proc") || begins(path, "/sys") || begins(path, "/dev") { return }
        if let prefix, !prefix.isEmpty { _ = try resolve(path, under: prefix, followLink: followLink) }
    }

    private static let slash = UInt8(ascii: "/")

    static func length(_ path: HostPath) -> Int {
        var count = 0
        while path.bytes[count] != 0 { count &+= 1 }
        return count
    }

    /// True for `directory` itself and for everything below it.
    static func begins(_ path: HostPath, _ directory: StaticString) -> Bool {
        let count = directory.utf8CodeUnitCount
        for index in 0..<count where path.bytes[index] != directory.utf8Start[index] { return false }
        return path.bytes[count] == 0 || path.bytes[count] == slash
    }

    static func replace(_ path: HostPath, _ text: String) {
        if text.utf8.count >= maximum { return }
        var end = 0
        for byte in text.utf8 {
            path.bytes[end] = byte
            end &+= 1
        }
        path.bytes[end] = 0
    }

    /// Replaces an absolute path by its place under `prefix` when there is something with that name; false otherwise. An error where
    /// that cannot be found out: the host's file of that name is another one.
    static func resolve(_ path: HostPath, under prefix: String, followLink: Bool) throws(Errno) -> Bool {
        let directory = withPath(prefix) { prefix in
            HostLimits.opening {
                kernel(
                    SYS_openat, AT.currentDirectory, prefix,
                    HostFile.closeOnExec | HostFile.directoryOnly | HostFile.pathOnly)
            }
        }
        if directory < 0 {
            try checkScarcity(directory)
            return false
        }
        defer { _ = kernel(SYS_close, directory) }
        let flags = HostFile.pathOnly | HostFile.closeOnExec | (followLink ? 0 : HostFile.noFollow)
        let how: InlineArray<3, UInt64> = [UInt64(flags), 0, resolveInRoot]
        let found = withUnsafePointer(to: how) { how in
            HostLimits.opening { kernel(SYS_openat2, directory, path.address, Int(bitPattern: how), 24) }
        }
        if found < 0 {
            try checkScarcity(found)
            if found == Errno.nosys.negated || found == Errno.perm.negated {
                return concatenate(path, under: prefix, followLink: followLink)
            }
            return false
        }
        defer { _ = kernel(SYS_close, found) }
        // What the kernel found, by its real name.
        let count = withPath("/proc/self/fd/\(found)") {
            kernel(SYS_readlinkat, AT.currentDirectory, $0, path.address, capacity &- 1)
        }
        // Where there is no /proc nothing tells the name.
        if count <= 0 { return concatenate(path, under: prefix, followLink: followLink) }
        path.bytes[count] = 0
        return true
    }

    /// Throws results that say nothing of the file: EMFILE, ENFILE, ENOMEM.
    private static func checkScarcity(_ result: Int) throws(Errno) {
        for error in [Errno.mfile, .nfile, .nomem] where result == error.negated { throw error }
    }

    /// Without openat2 or /proc: plain concatenation; absolute links lead out of the prefix.
    private static func concatenate(_ path: HostPath, under prefix: String, followLink: Bool) -> Bool {
        let text = prefix + String(cString: path.bytes)
        if text.utf8.count >= maximum { return false }
        let flags = followLink ? 0 : Int(AT.symlinkNoFollow)
        return withScratchStat { stat in
            if withPath(text, { kernel(SYS_newfstatat, AT.currentDirectory, $0, stat, flags) }) != 0 { return false }
            replace(path, text)
            return true
        }
    }

    private static func withScratchStat(_ body: (Int) -> Bool) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 16) { body(Int(bitPattern: $0.baseAddress)) }
    }

    private static let resolveInRoot: UInt64 = 0x10  // RESOLVE_IN_ROOT
}
