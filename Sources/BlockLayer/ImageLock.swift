// Locks by which programs that use an image refuse each other, as QEMU has them: what a program does with a file, and what it
// does not let others do, are single bytes of the file, locked for reading by its open file description.
// (Seen in the system calls of QEMU 10's tools.)

import HostOS

struct ImageLock {
    /// What can be done with an image. The raw value is the place of its bytes.
    enum Right: Int, CaseIterable {
        case read = 0, write = 1, resize = 3
        /// As messages of QEMU's call it.
        var name: String { self == .read ? "consistent read" : "\(self)" }
    }

    /// First bytes of what a program does, and of what it lets nobody else do.
    private static let done = 100, refused = 200

    /// Takes the locks of one who reads, or of one who also writes. A file system without such locks gives none.
    static func take(_ descriptor: Int32, _ path: String, writes: Bool) throws(BlockError) {
        let own: [Right] = writes ? [.read, .write, .resize] : [.read]
        let denied: [Right] = [.write, .resize]
        for byte in own.map({ done + $0.rawValue }) + denied.map({ refused + $0.rawValue }) {
            do throws(Errno) {
                if try !HostDisk.lock(descriptor, byte: byte) { return }
            } catch { throw conflict(path, writes ? .write : .read) }
        }
        for right in own where HostDisk.isLockedByOthers(descriptor, byte: refused + right.rawValue) {
            throw conflict(path, right)
        }
        for right in denied where HostDisk.isLockedByOthers(descriptor, byte: done + right.rawValue) {
            throw conflict(path, right)
        }
    }

    static func release(_ descriptor: Int32) {
        for right in Right.allCases {
            HostDisk.unlock(descriptor, byte: done + right.rawValue)
            HostDisk.unlock(descriptor, byte: refused + right.rawValue)
        }
    }

    private static func conflict(_ path: String, _ right: Right) -> BlockError {
        BlockError(.again, "\(path): another program uses the image: there is no \"\(right.name)\" lock to get")
    }
}
