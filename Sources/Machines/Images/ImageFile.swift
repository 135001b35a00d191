// Files that a machine is started with. They may be anything, and of any size: the bytes are read once, up to a limit, and all that looks
// at them works on the copy.

import HostOS

struct ImageFile {
    /// As the user named it.
    let path: String
    /// What it is for, as `kernel`.
    let role: String
    var bytes: [UInt8]

    /// No file that a machine is started with is as large.
    private static let largest: UInt64 = 4 << 30

    /// Reads a whole file of at most `limit` bytes.
    init(_ path: String, role: String, limit: UInt64) throws(MachineError) {
        let limit = min(limit, Self.largest)
        self.path = path
        self.role = role
        let size: UInt64
        do throws(Errno) { (bytes, size) = try Self.read(path, limit: limit) } catch {
            let reason = error == .acces ? "it cannot be read, or is no regular file" : error.message
            throw MachineError("\(role) \(path): \(reason)")
        }
        if size == 0 { throw refuse("the file is empty") }
        if size > limit {
            throw refuse("its \(readableSize(size)) are more than the \(readableSize(limit)) that there are for it")
        }
    }

    /// The bytes and the size of a file; of one that is larger than `limit`, the size alone.
    private static func read(_ path: String, limit: UInt64) throws(Errno) -> (bytes: [UInt8], size: UInt64) {
        let fd = try HostFile.openProgram(path)
        defer { HostFile.close(fd) }
        let status = try HostFile.status(fd)
        if status.isDirectory { throw .isdir }
        let size = UInt64(max(0, status.size))
        if size > limit { return ([], size) }
        var failure: Errno?
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, filled in
            do throws(Errno) {
                filled = try HostFile.read(fd, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            } catch { failure = error }
        }
        if let failure { throw failure }
        return (bytes, UInt64(bytes.count))
    }

    init(_ path: String, role: String, bytes: [UInt8]) {
        self.path = path
        self.role = role
        self.bytes = bytes
    }

    func refuse(_ reason: String) -> MachineError { MachineError("\(role) \(path): \(reason)") }

    /// A little-endian number that is known to lie in the file.
    func number<T: FixedWidthInteger & UnsignedInteger>(_ at: Int, as type: T.Type = T.self) -> T {
        bytes.withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: T.self)) }
    }

    /// Is [offset, offset + count) in the file?
    func contains(_ offset: UInt64, _ count: UInt64) -> Bool {
        let size = UInt64(bytes.count)
        return offset <= size && count <= size - offset
    }
}
