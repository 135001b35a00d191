// What changes where paths lead, and namespaces: chroot(2), pivot_root(2), unshare(2), setns(2). Some namespaces are only for processes
// with one thread, which a guest with one thread must be.

import CLinux
import HostOS

enum NamespaceCalls {
    static func chroot(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let path = try GuestPaths.hostPath(thread, call.a0, followLink: true)
        defer { path.release() }
        thread.process.keepOwnFile()
        return kernel(SYS_chroot, path.address)
    }

    static func pivotRoot(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let new = try GuestPaths.hostPath(thread, call.a0, followLink: true)
        defer { new.release() }
        let old = try GuestPaths.hostPath(thread, call.a1, followLink: true)
        defer { old.release() }
        thread.process.keepOwnFile()
        return kernel(SYS_pivot_root, new.address, old.address)
    }

    static func unshare(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        beAlone(thread)
        if call.a0 & CloneRequest.newMounts != 0 { thread.process.keepOwnFile() }
        return kernel(SYS_unshare, call.word(0))
    }

    static func setns(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if FileCalls.isReserved(thread, call.int32(0)) { throw .badf }
        beAlone(thread)
        thread.process.keepOwnFile()
        return kernel(SYS_setns, call.word(0), call.word(1))
    }

    /// The guest's only thread becomes the host process's only one.
    private static func beAlone(_ thread: GuestThread) {
        let process = thread.process
        if thread.isSharedChild || thread.runsBeside { return }
        if process.lock.withLock({ process.threads.count <= 1 }) { process.engine.endOwnThreads() }
    }
}
