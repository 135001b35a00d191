// A folder of the host's that guests see, and who its files seem to belong to.

import HostOS

/// How owners and modes are kept. (QEMU's -fsdev, security_model)
public enum SecurityModel: String, CaseIterable, Sendable {
    /// As the host has them; that an owner cannot be set is no error.
    case none
    /// As the host has them.
    case passthrough
    /// In extended attributes of the files, which are the emulator's user's: any user can have files of root and devices.
    case mapped = "mapped-xattr"
}

public struct ShareSpec: Sendable {
    public var path: String
    public var security: SecurityModel
    public var isReadOnly: Bool
    /// Modes of new files and folders on the host, with `mapped`.
    public var fileMode: UInt32
    public var folderMode: UInt32

    public init(
        path: String, security: SecurityModel, isReadOnly: Bool = false, fileMode: UInt32 = 0o600,
        folderMode: UInt32 = 0o700
    ) {
        self.path = path
        self.security = security
        self.isReadOnly = isReadOnly
        self.fileMode = fileMode
        self.folderMode = folderMode
    }
}

/// The folder, opened. Its root is left by no name: `..` of it is itself, and links are the guest's to follow.
public final class Share: @unchecked Sendable {
    public let spec: ShareSpec
    let root: HostNode
    private let device: UInt64

    public init(_ spec: ShareSpec) throws(Errno) {
        self.spec = spec
        root = try HostNode(folder: spec.path)
        device = try root.status().device
        // Each file that a guest knows takes a descriptor.
        HostLimits.raise(HostLimits.descriptors)
    }

    enum Kind {
        static let mask: UInt32 = 0o170000, folder: UInt32 = 0o040000, file: UInt32 = 0o100000, link: UInt32 = 0o120000
        static func has(_ mode: UInt32, _ kind: UInt32) -> Bool { mode & mask == kind }
    }

    /// Names of the attributes that `mapped` keeps, as QEMU's.
    private enum Kept {
        static let user = "user.virtfs.uid", group = "user.virtfs.gid", mode = "user.virtfs.mode",
            special = "user.virtfs.rdev"
    }

    /// What a guest sees of a node.
    func status(_ node: HostNode) throws(Errno) -> HostNode.Status {
        var status = try node.status()
        guard spec.security == .mapped, !Kind.has(status.mode, Kind.link) else { return status }
        func kept<T: FixedWidthInteger>(_ name: String, _ type: T.Type) -> T? {
            guard let bytes = try? node.attribute(name), bytes.count == T.bitWidth / 8 else { return nil }
            return bytes.reversed().reduce(0) { $0 << 8 | T($1) }
        }
        if let user = kept(Kept.user, UInt32.self) { status.user = user }
        if let group = kept(Kept.group, UInt32.self) { status.group = group }
        if let mode = kept(Kept.mode, UInt32.self) { status.mode = mode }
        if let special = kept(Kept.special, UInt64.self) { status.special = special }
        return status
    }

    func identity(_ status: HostNode.Status) -> Identity {
        var kind: UInt8 = 0
        if Kind.has(status.mode, Kind.folder) { kind = Identity.folder }
        if Kind.has(status.mode, Kind.link) { kind = Identity.link }
        // Inodes of another file system that is mounted in the folder are told apart by its device's number.
        let path = status.device == device ? status.inode : status.inode ^ (status.device << 40 | 1 << 63)
        let version = UInt32(truncatingIfNeeded: status.modified.seconds) ^ UInt32(truncatingIfNeeded: status.size << 8)
        return Identity(kind: kind, version: version, path: path)
    }

    /// Folders in each other, at most: a path has 4096 bytes.
    private static let deepest = 2048

    /// `..` of a folder. A folder may have been moved out of the shared one since the guest came to know it: it has none then.
    func parent(of node: HostNode) throws(Errno) -> HostNode {
        let top = try root.status()
        func isSame(_ a: HostNode.Status, _ b: HostNode.Status) -> Bool { a.inode == b.inode && a.device == b.device }
        var status = try node.status()
        if isSame(status, top) { return root }
        let parent = try node.child("..")
        var folder = parent
        for _ in 0..<Self.deepest {
            let above = try folder.status()
            if isSame(above, top) { return parent }
            // The host's root is its own.
            if isSame(above, status) { break }
            status = above
            folder = try folder.child("..")
        }
        throw .noent
    }

    private func keep(
        _ node: HostNode, user: UInt32? = nil, group: UInt32? = nil, mode: UInt32? = nil, special: UInt64? = nil
    )
        throws(Errno)
    {
        func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
            (0..<T.bitWidth / 8).map { UInt8(truncatingIfNeeded: value &>> T(8 * $0)) }
        }
        if let user { try node.setAttribute(Kept.user, bytes(user)) }
        if let group { try node.setAttribute(Kept.group, bytes(group)) }
        if let mode { try node.setAttribute(Kept.mode, bytes(mode)) }
        if let special { try node.setAttribute(Kept.special, bytes(special)) }
    }

    // MARK: extended attributes of the guest's

    /// With `mapped` those that it keeps are not the guest's, nor are those that mean something to the host, such as access control lists.
    func isGuests(_ name: String) -> Bool {
        spec.security != .mapped || name.hasPrefix("user.") && !name.hasPrefix("user.virtfs")
    }

    func attribute(_ node: HostNode, _ name: String) throws(Errno) -> [UInt8] {
        guard isGuests(name) else { throw Errno(61) }  // ENODATA
        return try node.attribute(name)
    }

    func attributeNames(_ node: HostNode) throws(Errno) -> [UInt8] {
        let names = try node.attributeNames()
        if spec.security != .mapped { return names }
        return Array(
            names.split(separator: 0).filter { isGuests(String(decoding: $0, as: UTF8.self)) }.map { $0 + [0] }.joined()
        )
    }

    // MARK: changes

    func setOwner(_ node: HostNode, user: UInt32?, group: UInt32?) throws(Errno) {
        switch spec.security {
        case .mapped: try keep(node, user: user, group: group)
        case .passthrough: try node.setOwner(user: user, group: group)
        case .none: try? node.setOwner(user: user, group: group)
        }
    }

    func setMode(_ node: HostNode, _ mode: UInt32) throws(Errno) {
        guard spec.security == .mapped else { return try node.setMode(mode & 0o7777) }
        try keep(node, mode: try status(node).mode & Kind.mask | mode & 0o7777)
    }

    /// Makes a folder, a device, a pipe or a file by its mode; the owner is the guest's `user`.
    func make(_ name: String, in folder: HostNode, mode: UInt32, special: UInt64 = 0, user: UInt32, group: UInt32)
        throws(Errno) -> HostNode
    {
        let isFolder = Kind.has(mode, Kind.folder), isMapped = spec.security == .mapped
        if isFolder {
            try folder.makeFolder(name, mode: isMapped ? spec.folderMode : mode & 0o7777)
        } else if isMapped {
            try folder.makeNode(name, mode: Kind.file | spec.fileMode, special: 0)
        } else {
            try folder.makeNode(name, mode: mode, special: special)
        }
        return try finish(
            name, folder, mode: mode, special: isFolder ? nil : special, user: user, group: group, isFolder: isFolder)
    }

    /// Makes a file and opens it.
    func create(
        _ name: String, in folder: HostNode, _ flags: HostContents.Flags, mode: UInt32, user: UInt32, group: UInt32
    ) throws(Errno) -> (HostNode, HostContents) {
        let contents = try folder.create(name, flags, mode: spec.security == .mapped ? spec.fileMode : mode & 0o7777)
        let node = try finish(name, folder, mode: Kind.file | mode & 0o7777, special: nil, user: user, group: group)
        return (node, contents)
    }

    /// With `mapped` a link is a file of the host's with its target in it.
    func makeLink(_ name: String, in folder: HostNode, to target: String, user: UInt32, group: UInt32) throws(Errno)
        -> HostNode
    {
        guard spec.security == .mapped else {
            try folder.makeLink(name, to: target)
            let node = try folder.child(name)
            try setOwner(node, user: user, group: group)
            return node
        }
        let contents = try folder.create(name, HostContents.Flags(rawValue: 1), mode: spec.fileMode)
        return try finish(name, folder, mode: Kind.link | 0o777, special: nil, user: user, group: group) {
            () throws(Errno) in _ = try contents.write(at: 0, Array(target.utf8)[...])
        }
    }

    func target(of node: HostNode) throws(Errno) -> [UInt8] {
        let own = try node.status()
        if Kind.has(own.mode, Kind.link) { return try node.target() }
        guard Kind.has(try status(node).mode, Kind.link), own.size <= 4096 else { throw .inval }
        return Array(try node.open([]).read(at: 0, count: Int(own.size)))
    }

    /// Gives what has been made its owner and mode; where that fails, it goes again.
    private func finish(
        _ name: String, _ folder: HostNode, mode: UInt32, special: UInt64?, user: UInt32, group: UInt32,
        isFolder: Bool = false,
        fill: () throws(Errno) -> Void = {}
    ) throws(Errno) -> HostNode {
        do throws(Errno) {
            let node = try folder.child(name)
            try fill()
            if spec.security == .mapped {
                try keep(node, user: user, group: group, mode: mode, special: special)
            } else {
                try setOwner(node, user: user, group: group)
                // The creation mask has taken bits away, and a new owner does.
                try node.setMode(mode & 0o7777)
            }
            return node
        } catch {
            try? folder.remove(name, isFolder: isFolder)
            throw error
        }
    }
}
