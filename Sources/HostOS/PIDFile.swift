// A file with the number of a process, by which others find it.

import CLinux
import Glibc

/// The file is there, complete, as long as its process is; the process has it locked (F_OFD_SETLK), so that another one that is to write the same
/// file is refused. What a process that was killed has left is replaced.
public final class PIDFile: Sendable {
    public enum Failure: Error, Equatable {
        /// Another process that runs has it.
        case held
        /// Something that is no plain file has that name.
        case notAFile
        case failed(Errno)
    }

    private let path: String
    private let descriptor: Int32

    /// Writes the calling process's number.
    public init(_ path: String) throws(Failure) {
        self.path = path
        let temporary = "\(path).\(HostProcess.processID)"
        descriptor = try Self.trying { () throws(Errno) in try HostDisk.open(temporary, [.writes, .creates]) }
        do throws(Failure) {
            let text = Array("\(HostProcess.processID)\n".utf8)
            guard text.withUnsafeBytes({ writeAll(descriptor, $0) }) else { throw .failed(.io) }
            if try !Self.trying({ () throws(Errno) in try HostDisk.lockAlone(descriptor, byte: 0) }) { throw .held }
            while try !Self.place(temporary, path) {}
        } catch {
            Self.remove(temporary)
            HostFile.close(descriptor)
            throw error
        }
    }

    private static func trying<R>(_ body: () throws(Errno) -> R) throws(Failure) -> R {
        do throws(Errno) { return try body() } catch { throw .failed(error) }
    }

    /// Gives the new file its name. False: somebody else has changed what has it meanwhile.
    private static func place(_ new: String, _ path: String) throws(Failure) -> Bool {
        let noReplace = 1  // RENAME_NOREPLACE
        let status = withPath(new) { from in
            withPath(path) { kernel(SYS_renameat2, Int(AT_FDCWD), from, Int(AT_FDCWD), $0, noReplace) }
        }
        if status == 0 { return true }
        guard status == -Int(EEXIST) else { throw .failed(Errno(Int32(-status))) }
        guard let there = try? HostFile.status(path: path) else { return false }
        guard there.isRegular else { throw .notAFile }
        let old: Int32
        do throws(Errno) { old = try HostDisk.open(path, .writes) } catch {
            if error == .noent { return false }
            throw .failed(error)
        }
        defer { HostFile.close(old) }
        // Who has the lock may replace the file. Of two who want to only one gets it, and the other finds a new file then.
        if try !trying({ () throws(Errno) in try HostDisk.lockAlone(old, byte: 0) }) { throw .held }
        let now = try? HostFile.status(path: path), mine = try trying { () throws(Errno) in try HostFile.status(old) }
        guard let now, now.device == mine.device, now.inode == mine.inode else { return false }
        _ = try trying { () throws(Errno) in
            try Errno.check(withPath(new) { from in withPath(path) { kernel(SYS_rename, from, $0) } })
        }
        return true
    }

    private static func remove(_ path: String) { _ = unlink(path) }

    /// The process ends.
    public func remove() {
        Self.remove(path)
        HostFile.close(descriptor)
    }
}
