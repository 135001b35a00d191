// Folders that tests keep their files in.

import Glibc
import HostOS

/// Makes a new empty folder, whose name holds `name`; the caller removes it.
public func makeTemporaryFolder(_ name: String) throws -> String {
    var template = Array("/tmp/martlet-\(name)-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SpawnError(description: "mkdtemp: errno \(errno)") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Removes a folder with all that is in it.
public func removeFolder(_ path: String) {
    for name in HostFile.names(in: path) where name != "." && name != ".." {
        let inner = path + "/" + name
        if unlink(inner) != 0 { removeFolder(inner) }
    }
    rmdir(path)
}

/// A folder that goes with its owner, and the files in it. It must hold no folders.
public struct TemporaryFolder: ~Copyable {
    public let path: String

    public init(_ name: String) throws { path = try makeTemporaryFolder(name) }

    deinit {
        for file in files { unlink(path + "/" + file) }
        rmdir(path)
    }

    /// The names of the files in it, in order.
    public var files: [String] { HostFile.names(in: path).sorted() }
}
