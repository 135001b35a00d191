// The file that Martlet was started from, to be started again for the programs that a guest executes, and to find what lies beside it.
//
// It is opened when Martlet starts, and handed to the next Martlet as an open file: paths, /proc and the root may be others by then.
// The kernel calls a program that is executed by descriptor /dev/fd/N (execveat(2)): so the new one learns of it.

import CLinux
import Glibc

public enum OwnFile {
    /// It is open here, close-on-exec, only to be named (O_PATH), at a number that guests do not meet. -1: nothing says which file it is. So it
    /// is where the kernel executed a Martlet that lies outside of the root (binfmt_misc, flag F), without /proc.
    public static let descriptor: Int32 = inherited() ?? open()

    /// At the start: a child in this process's memory opens files of its own.
    public static func keep() { _ = descriptor }

    /// An absolute path of it, or one from the folder that Martlet was started in; nil where none is known.
    public static var path: String? {
        isProcThere ? try? HostFile.readLink(link) : names().first { isOwn($0) }
    }

    public static var status: HostFile.Status? { try? HostFile.status(descriptor) }

    private static let link = "/proc/self/exe"
    private static let isProcThere = HostFile.fileSystem("/proc") == HostFile.procfs

    private static func inherited() -> Int32? {
        guard let name = executedName, name.hasPrefix("/dev/fd/"), let fd = Int32(name.dropFirst(8)),
            fd >= HostFile.lowestHigh, (try? HostFile.status(fd)) != nil
        else { return nil }
        HostFile.closeOnExec(fd)
        return fd
    }

    private static func open() -> Int32 {
        let name = isProcThere ? link : names().first { isOwn($0) }
        guard let name, let fd = try? HostFile.openForReading(name, flags: HostFile.pathOnly) else { return -1 }
        return HostFile.moveHigh(fd)
    }

    /// The name that this program was executed by (AT_EXECFN).
    private static var executedName: String? {
        UnsafePointer<CChar>(bitPattern: getauxval(31)).map { String(cString: $0) }
    }

    /// What Martlet may have been executed by. Where binfmt_misc did it, that is the first argument.
    private static func names() -> [String] {
        [executedName, startArguments?[0].map { String(cString: $0) }].compactMap { $0 }.filter { $0.contains("/") }
    }

    /// A file starts with the bytes that this program's memory starts with: the ELF header and what lies behind it, which nothing changes.
    private static func isOwn(_ name: String) -> Bool {
        let headers = getauxval(3)  // AT_PHDR
        guard let start = UnsafeRawPointer(bitPattern: headers & ~UInt(HostProcess.pageSize - 1)),
            let fd = try? HostFile.openForReading(name)
        else { return false }
        defer { HostFile.close(fd) }
        return withUnsafeTemporaryAllocation(byteCount: Int(HostProcess.pageSize), alignment: 8) { buffer in
            guard let read = buffer.baseAddress, (try? HostFile.read(fd, into: buffer, at: 0)) == buffer.count else {
                return false
            }
            return memcmp(read, start, buffer.count) == 0
        }
    }
}
