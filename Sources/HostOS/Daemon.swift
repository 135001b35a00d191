// A process that goes on when who has started it has ended.

import CLinux
import Glibc

public enum HostDaemon {
    /// Where the child tells its parent that it stands; -1: it is no daemon, or has told.
    nonisolated(unsafe) private static var door: Int32 = -1

    /// Goes on in a child with a session of its own. Returns nil in the child. The parent waits until the child says `stand`, or has ended: then its
    /// exit status is returned there, 128 and the signal's number after a signal. To be called before there are other threads.
    public static func detach() throws(Errno) -> Int32? {
        let (reading, writing) = try HostFile.pipe()
        let pid: Int32
        do throws(Errno) { pid = try HostProcess.fork() } catch {
            HostFile.close(reading)
            HostFile.close(writing)
            throw error
        }
        if pid == 0 {
            HostFile.close(reading)
            _ = kernel(SYS_setsid)
            // Out of the way of standard input and output, which may be closed.
            door = HostFile.moveHigh(writing)
            return nil
        }
        HostFile.close(writing)
        defer { HostFile.close(reading) }
        var entries = [PollEntry(reading, .readable)]
        while !HostPoll.wait(&entries, nanoseconds: nil) {}
        var word: UInt8 = 0
        let count = withUnsafeMutablePointer(to: &word) { kernel(SYS_read, Int(reading), Int(bitPattern: $0), 1) }
        return count == 1 ? 0 : HostProcess.wait(for: pid)
    }

    /// The daemon stands: its parent ends, and standard input and output are nobody's any more. Does nothing elsewhere.
    public static func stand() {
        if door < 0 { return }
        if let null = try? HostStream.open("/dev/null") {
            for fd in 0...2 { _ = kernel(SYS_dup2, Int(null), fd) }
            if null > 2 { HostFile.close(null) }
        }
        _ = withUnsafePointer(to: UInt8(1)) { kernel(SYS_write, Int(door), Int(bitPattern: $0), 1) }
        HostFile.close(door)
        door = -1
    }
}
