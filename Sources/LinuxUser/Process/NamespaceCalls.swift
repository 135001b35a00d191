// unshare(2) and setns(2): some namespaces are only for processes with one thread, which a guest with one thread must be.

import CLinux
import HostOS

enum NamespaceCalls {
    static func unshare(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        beAlone(thread)
        return kernel(SYS_unshare, call.word(0))
    }

    static func setns(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if FileCalls.isReserved(thread, call.int32(0)) { throw .badf }
        beAlone(thread)
        return kernel(SYS_setns, call.word(0), call.word(1))
    }

    /// The guest's only thread becomes the host process's only one.
    private static func beAlone(_ thread: GuestThread) {
        let process = thread.process
        if thread.isSharedChild || thread.runsBeside { return }
        if process.lock.withLock({ process.threads.count <= 1 }) { process.engine.endOwnThreads() }
    }
}
