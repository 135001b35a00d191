// What changes where paths lead, and namespaces: chroot(2), pivot_root(2), mount(2), umount(2), unshare(2), setns(2). Some namespaces
// are only for processes with one thread, which a guest with one thread must be.

import CLinux
import HostOS

enum NamespaceCalls {
    static func chroot(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.process.keepStoreFolder()
        return try withFolder(thread, call.a0) { kernel(SYS_chroot, $0) }
    }

    static func pivotRoot(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.process.keepStoreFolder()
        return try withFolder(thread, call.a0) { new throws(Errno) in
            try withFolder(thread, call.a1) { kernel(SYS_pivot_root, new, $0) }
        }
    }

    /// mount(2): source, type and data are strings to all file systems.
    static func mount(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let source = thread.optionalInput(call.a0, 1), type = thread.optionalInput(call.a2, 1)
        let data = thread.optionalInput(call.a4, 1)
        return try withFolder(thread, call.a1) { kernel(SYS_mount, source, $0, type, call.word(3), data) }
    }

    static func unmount(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        try withFolder(thread, call.a0) { kernel(SYS_umount2, $0, call.word(1)) }
    }

    /// Mounts, and what /proc tells of them, are the host's: so are the folders, where it has them, as for chdir(2). Else the prefix's.
    private static func withFolder(
        _ thread: GuestThread, _ address: UInt64, _ body: (_ path: Int) throws(Errno) -> Int
    ) throws(Errno) -> Int {
        let path = GuestPaths.guestPath(thread, address)
        defer { path.release() }
        let result = try body(path.address)
        if result != Errno.noent.negated { return result }
        try GuestPaths.translate(path, as: nil, thread.process, followLink: true)
        return try body(path.address)
    }

    static func unshare(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        beAlone(thread)
        if call.a0 & CloneRequest.newMounts != 0 { thread.process.keepStoreFolder() }
        return kernel(SYS_unshare, call.word(0))
    }

    static func setns(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if FileCalls.isReserved(thread, call.int32(0)) { throw .badf }
        beAlone(thread)
        thread.process.keepStoreFolder()
        return kernel(SYS_setns, call.word(0), call.word(1))
    }

    /// The guest's only thread becomes the host process's only one.
    private static func beAlone(_ thread: GuestThread) {
        let process = thread.process
        if thread.isSharedChild || thread.runsBeside { return }
        if process.lock.withLock({ process.threads.count <= 1 }) { process.engine.endOwnThreads() }
    }
}
