// The file that Martlet is started from, to be started again for the programs that a guest executes. That is /proc/self/exe, unless the
// guest changes what its paths lead to: before it does, the file is opened, and descriptors need no path. The new Martlet gets the
// descriptor, and learns of it from the kernel, which calls a program executed by descriptor /dev/fd/N (execveat(2)).

import CLinux
import HostOS

extension GuestProcess {
    /// Before the guest changes its root or its mounts.
    func keepOwnFile() {
        lock.withLock {
            if ownFile >= 0 { return }
            guard let fd = try? HostFile.openForReading("/proc/self/exe", flags: HostFile.pathOnly) else { return }
            ownFile = HostFile.moveHigh(fd)
        }
    }

    /// At the start: the descriptor that this Martlet was executed by, if another one has done that.
    func findOwnFile() {
        guard let name = HostProcess.executableName, name.hasPrefix("/dev/fd/"), let fd = Int32(name.dropFirst(8)),
            fd >= HostFile.lowestHigh, (try? HostFile.status(fd)) != nil
        else { return }
        HostFile.closeOnExec(fd)
        ownFile = fd
    }
}
