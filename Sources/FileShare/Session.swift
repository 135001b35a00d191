// A guest's session with a share: it answers one request after the other.
//
// Source: as for messages. What a guest sends is checked here; a request that makes no sense is answered by an error.

import HostOS

public final class Session {
    /// Most bytes of a message, both ways.
    public static let longestMessage = 512 << 10
    private static let shortestMessage = 4096
    private static let headerSize = 7
    /// Files that a guest may know at a time.
    private static let mostFiles = 1 << 16
    /// Most bytes of an attribute (xattr(7)), and most names in one walk (walk(5)).
    private static let longestAttribute = 1 << 16, mostNames = 16
    /// Bytes of all attributes that a guest reads and writes at a time.
    private static let mostAttributeBytes = 1 << 20

    private let share: Share
    private var longest = Session.longestMessage
    private var files: [UInt32: File] = [:]
    private var isNegotiated = false
    /// Bytes of attributes that are kept, and will be.
    private var attributeBytes = 0

    /// What a guest's number stands for (a fid).
    private final class File {
        let node: HostNode
        /// Who the guest says it is; new files belong to that user.
        let user: UInt32
        var contents: HostContents?
        var attribute: Attribute?
        init(_ node: HostNode, user: UInt32) {
            self.node = node
            self.user = user
        }
    }

    /// An extended attribute that is read, or that is set when the guest has written all of it.
    private struct Attribute {
        var name: String
        var value: [UInt8]
        /// Of one that is written: bytes that there will be, and flags.
        var pending: (count: Int, flags: UInt32)?
        var size: Int { pending?.count ?? value.count }
    }

    public init(_ share: Share) { self.share = share }

    /// The guest's driver begins anew.
    public func reset() {
        files = [:]
        attributeBytes = 0
        isNegotiated = false
        longest = Self.longestMessage
    }

    /// The answer to a request, of `room` bytes at most. Nil: the request has no header, or there is no room for any answer.
    public func answer(_ request: [UInt8], room: Int) -> [UInt8]? {
        guard request.count >= Self.headerSize, room >= Self.headerSize + 4 else { return nil }
        var reader = MessageReader(request[...])
        guard let size: UInt32 = try? reader.number(), let number: UInt8 = try? reader.number(),
            let tag: UInt16 = try? reader.number()
        else { return nil }
        do throws(Errno) {
            guard Int(size) == request.count || Int(size) < request.count && Int(size) >= Self.headerSize else {
                throw .inval
            }
            guard let kind = MessageKind(rawValue: number) else { throw .opnotsupp }
            guard isNegotiated || kind == .version, request.count <= longest else { throw .inval }
            var reader = MessageReader(request[Self.headerSize..<Int(size)])
            var answer = MessageWriter(number + 1, tag: tag)
            try serve(kind, &reader, &answer, room: min(room, longest))
            guard answer.bytes.count <= room else { throw .msgsize }
            return answer.finished
        } catch {
            var answer = MessageWriter(MessageKind.error, tag: tag)
            answer.add(UInt32(error.rawValue))
            return answer.finished
        }
    }

    private func serve(_ kind: MessageKind, _ r: inout MessageReader, _ a: inout MessageWriter, room: Int) throws(Errno)
    {
        switch kind {
        case .version: try version(&r, &a)
        case .authenticate: throw .opnotsupp
        case .attach: try attach(&r, &a)
        // Requests are answered in order: what is to be given up has been answered.
        case .flush: break
        case .walk: try walk(&r, &a)
        case .read: try read(&r, &a, room)
        case .write: try write(&r, &a)
        case .clunk: try clunk(r.number())
        case .remove, .rename:
            // Those who get this use unlinkat and renameat.
            if kind == .remove { try clunk(r.number()) }
            throw .opnotsupp
        case .statistics: try statistics(&r, &a)
        case .open: try open(&r, &a)
        case .create: try create(&r, &a)
        case .symbolicLink: try symbolicLink(&r, &a)
        case .makeNode, .makeFolder: try make(kind, &r, &a)
        case .readLink: a.add(text: try share.target(of: file(&r).node))
        case .getAttributes: try getAttributes(&r, &a)
        case .setAttributes: try setAttributes(&r)
        case .walkAttribute: try walkAttribute(&r, &a)
        case .createAttribute: try createAttribute(&r)
        case .readFolder: try readFolder(&r, &a, room)
        case .flushFile:
            let file = try file(&r), dataOnly: UInt32 = (try? r.number()) ?? 0
            guard let contents = file.contents else { throw .badf }
            try contents.flush(dataOnly: dataOnly != 0)
        // Locks are among the guest's own processes, which it keeps itself.
        case .lock:
            _ = try file(&r)
            a.add(UInt8(0))
        case .getLock: try getLock(&r, &a)
        case .link:
            let folder = try file(&r), target = try file(&r)
            try mayWrite()
            try folder.node.link(r.name(), to: target.node)
        case .renameAt:
            let from = try file(&r), name = try r.name(), to = try file(&r)
            try mayWrite()
            try from.node.move(name, to: to.node, as: r.name())
        case .unlinkAt:
            let folder = try file(&r), name = try r.name(), flags: UInt32 = try r.number()
            try mayWrite()
            try folder.node.remove(name, isFolder: flags & 0x200 != 0)
        }
    }

    // MARK: files by number

    private func file(_ r: inout MessageReader) throws(Errno) -> File {
        guard let file = files[try r.number()] else { throw .badf }
        return file
    }

    private func add(_ number: UInt32, _ file: File) throws(Errno) {
        guard files.count < Self.mostFiles else { throw .mfile }
        files[number] = file
    }

    private func newNumber(_ r: inout MessageReader) throws(Errno) -> UInt32 {
        let number: UInt32 = try r.number()
        guard number != .max, files[number] == nil else { throw .inval }
        return number
    }

    private func mayWrite() throws(Errno) { if share.spec.isReadOnly { throw .rofs } }

    private func identity(_ node: HostNode) throws(Errno) -> Identity { share.identity(try share.status(node)) }

    private func clunk(_ number: UInt32) throws(Errno) {
        guard let file = files.removeValue(forKey: number) else { throw .badf }
        guard let attribute = file.attribute else { return }
        attributeBytes -= attribute.size
        guard let pending = attribute.pending else { return }
        guard attribute.value.count == pending.count else { throw .io }
        // An empty value takes the attribute away.
        if pending.count == 0 { return try file.node.removeAttribute(attribute.name) }
        try file.node.setAttribute(attribute.name, attribute.value, flags: pending.flags)
    }

    // MARK: requests

    private func version(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let size: UInt32 = try r.number(), name = try r.text()
        reset()
        guard Int(size) >= Self.shortestMessage else { throw .inval }
        longest = min(Int(size), Self.longestMessage)
        isNegotiated = name == "9P2000.L"
        a.add(UInt32(longest))
        a.add(text: Array((isNegotiated ? "9P2000.L" : "unknown").utf8))
    }

    private func attach(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let number = try newNumber(&r), _: UInt32 = try r.number()
        _ = try r.text()
        _ = try r.text()
        let user: UInt32 = try r.number()
        a.add(try identity(share.root))
        try add(number, File(share.root, user: user == .max ? 0 : user))
    }

    private func walk(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let from = try file(&r), number: UInt32 = try r.number(), count: UInt16 = try r.number()
        guard Int(count) <= Self.mostNames else { throw .inval }
        var node = from.node, identities: [Identity] = []
        for index in 0..<count {
            do throws(Errno) {
                let name = try r.text()
                guard !name.utf8.contains(UInt8(ascii: "/")), !name.isEmpty else { throw .noent }
                if name == ".." {
                    node = try share.parent(of: node)
                } else if name != "." {
                    node = try node.child(name)
                }
                identities.append(try identity(node))
            } catch {
                // As far as it goes; with the first name that is an error.
                if index == 0 { throw error }
                break
            }
        }
        if identities.count == count {
            // A file that is open may be walked from: it may have no name any more.
            guard from.attribute == nil, number != .max else { throw .inval }
            if let other = files[number], other !== from { throw .inval }
            try add(number, File(node, user: from.user))
        }
        a.add(UInt16(identities.count))
        for identity in identities { a.add(identity) }
    }

    private func statistics(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let system = try file(&r).node.fileSystem()
        a.add(UInt32(truncatingIfNeeded: system.kind))
        a.add(UInt32(truncatingIfNeeded: system.blockSize))
        for value in [system.blocks, system.free, system.available, system.files, system.freeFiles, system.identity] {
            a.add(value)
        }
        a.add(UInt32(truncatingIfNeeded: system.longestName))
    }

    private func flags(_ r: inout MessageReader) throws(Errno) -> HostContents.Flags {
        let flags = HostContents.Flags(rawValue: Int32(bitPattern: try r.number())).intersection(.known)
        if !flags.isDisjoint(with: [.accessMode, .truncate]) { try mayWrite() }
        return flags
    }

    private func open(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let file = try file(&r), flags = try flags(&r)
        guard file.contents == nil, file.attribute == nil else { throw .inval }
        let status = try share.status(file.node)
        guard Share.Kind.has(status.mode, Share.Kind.file) || Share.Kind.has(status.mode, Share.Kind.folder) else {
            throw .nxio
        }
        file.contents = try file.node.open(flags)
        a.add(share.identity(status))
        a.add(UInt32(0))
    }

    private func create(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let number: UInt32 = try r.number()
        guard let folder = files[number], folder.contents == nil, folder.attribute == nil else { throw .badf }
        let name = try r.name(), flags = try flags(&r), mode: UInt32 = try r.number(), group: UInt32 = try r.number()
        try mayWrite()
        let (node, contents) = try share.create(
            name, in: folder.node, flags, mode: mode, user: folder.user, group: group)
        let file = File(node, user: folder.user)
        file.contents = contents
        a.add(try identity(node))
        a.add(UInt32(0))
        // The number is the new file's from now on.
        files[number] = file
    }

    private func symbolicLink(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let folder = try file(&r), name = try r.name(), target = try r.text(), group: UInt32 = try r.number()
        try mayWrite()
        a.add(try identity(share.makeLink(name, in: folder.node, to: target, user: folder.user, group: group)))
    }

    private func make(_ kind: MessageKind, _ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let folder = try file(&r), name = try r.name()
        var mode: UInt32 = try r.number(), special: UInt64 = 0
        if kind == .makeFolder {
            mode = Share.Kind.folder | mode & 0o7777
        } else {
            let major: UInt32 = try r.number(), minor: UInt32 = try r.number()
            // As the host's kernel joins them (makedev(3)).
            special = UInt64(minor & 0xff) | UInt64(major & 0xfff) << 8 | UInt64(minor & ~0xff) << 12
            guard !Share.Kind.has(mode, Share.Kind.folder), !Share.Kind.has(mode, Share.Kind.link) else { throw .inval }
        }
        let group: UInt32 = try r.number()
        try mayWrite()
        a.add(
            try identity(
                share.make(name, in: folder.node, mode: mode, special: special, user: folder.user, group: group)))
    }

    private func getAttributes(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let status = try share.status(file(&r).node)
        // All but when it was made, its generation and its version.
        a.add(UInt64(0x7ff))
        a.add(share.identity(status))
        for value in [status.mode, status.user, status.group] { a.add(value) }
        for value in [status.links, status.special, status.size, status.blockSize, status.blocks] { a.add(value) }
        for time in [status.accessed, status.modified, status.changed, HostNode.Time()] {
            a.add(UInt64(bitPattern: time.seconds))
            a.add(UInt64(bitPattern: time.nanoseconds))
        }
        a.add(UInt64(0))
        a.add(UInt64(0))
    }

    private enum Valid {
        static let mode: UInt32 = 1, user: UInt32 = 2, group: UInt32 = 4, size: UInt32 = 8, accessed: UInt32 = 0x10
        static let modified: UInt32 = 0x20, accessedGiven: UInt32 = 0x80, modifiedGiven: UInt32 = 0x100
    }

    private func setAttributes(_ r: inout MessageReader) throws(Errno) {
        let node = try file(&r).node, valid: UInt32 = try r.number(), mode: UInt32 = try r.number()
        let user: UInt32 = try r.number(), group: UInt32 = try r.number(), size: UInt64 = try r.number()
        try mayWrite()
        func time(_ is: UInt32, _ isGiven: UInt32) throws(Errno) -> HostNode.NewTime {
            let seconds: Int64 = try r.number(), nanoseconds: Int64 = try r.number()
            if valid & `is` == 0 { return .kept }
            if valid & isGiven == 0 { return .now }
            guard 0..<1_000_000_000 ~= nanoseconds else { throw .inval }
            return .at(HostNode.Time(seconds: seconds, nanoseconds: nanoseconds))
        }
        let accessed = try time(Valid.accessed, Valid.accessedGiven)
        let modified = try time(Valid.modified, Valid.modifiedGiven)
        if valid & (Valid.user | Valid.group) != 0 {
            try share.setOwner(
                node, user: valid & Valid.user != 0 ? user : nil, group: valid & Valid.group != 0 ? group : nil)
        }
        // A new owner takes bits of the mode away.
        if valid & Valid.mode != 0 { try share.setMode(node, mode) }
        if valid & Valid.size != 0 { try node.setSize(size) }
        if valid & (Valid.accessed | Valid.modified) != 0 { try node.setTimes(accessed: accessed, modified: modified) }
    }

    // MARK: extended attributes

    private func walkAttribute(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let from = try file(&r), number = try newNumber(&r), name = try r.text()
        let value = try name.isEmpty ? share.attributeNames(from.node) : share.attribute(from.node, name)
        let file = File(from.node, user: from.user)
        let attribute = Attribute(name: name, value: value)
        file.attribute = attribute
        guard files.count < Self.mostFiles else { throw .mfile }
        try countBytes(attribute)
        try add(number, file)
        a.add(UInt64(value.count))
    }

    private func createAttribute(_ r: inout MessageReader) throws(Errno) {
        let file = try file(&r), name = try r.text(), size: UInt64 = try r.number(), flags: UInt32 = try r.number()
        try mayWrite()
        guard file.contents == nil, file.attribute == nil, !name.isEmpty else { throw .inval }
        guard share.isGuests(name) else { throw .perm }
        guard size <= UInt64(Self.longestAttribute) else { throw .nospc }
        let attribute = Attribute(name: name, value: [], pending: (Int(size), flags & 3))
        try countBytes(attribute)
        file.attribute = attribute
    }

    private func countBytes(_ attribute: Attribute) throws(Errno) {
        guard attributeBytes + attribute.size <= Self.mostAttributeBytes else { throw .nospc }
        attributeBytes += attribute.size
    }

    // MARK: contents

    private func read(_ r: inout MessageReader, _ a: inout MessageWriter, _ room: Int) throws(Errno) {
        let file = try file(&r), offset: UInt64 = try r.number(), wanted: UInt32 = try r.number()
        let most = min(Int(wanted), room - Self.headerSize - 4)
        if let attribute = file.attribute {
            guard attribute.pending == nil else { throw .inval }
            return a.add(data: attribute.value.dropFirst(Int(clamping: offset)).prefix(most))
        }
        guard let contents = file.contents else { throw .badf }
        a.add(data: try contents.read(at: offset, count: most))
    }

    private func write(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        let file = try file(&r), offset: UInt64 = try r.number(), count: UInt32 = try r.number()
        let bytes = try r.data(Int(count))
        if var attribute = file.attribute, let pending = attribute.pending {
            // One after the other.
            guard offset == UInt64(attribute.value.count), attribute.value.count + bytes.count <= pending.count else {
                throw .inval
            }
            attribute.value += bytes
            file.attribute = attribute
            return a.add(count)
        }
        guard let contents = file.contents, file.attribute == nil else { throw .badf }
        try mayWrite()
        a.add(UInt32(try contents.write(at: offset, bytes)))
    }

    private func readFolder(_ r: inout MessageReader, _ a: inout MessageWriter, _ room: Int) throws(Errno) {
        let file = try file(&r), place: UInt64 = try r.number(), wanted: UInt32 = try r.number()
        guard let contents = file.contents else { throw .badf }
        let most = min(Int(wanted), room - Self.headerSize - 4)
        var list = MessageWriter(0, tag: 0)
        let start = list.bytes.count
        var next = place, isFull = false
        while !isFull {
            let entries = try contents.entries(from: next)
            if entries.isEmpty { break }
            for entry in entries {
                let size = Identity.size + 8 + 1 + 2 + entry.name.count
                if list.bytes.count - start + size > most {
                    isFull = true
                    break
                }
                // DT_DIR and DT_LNK; the rest of the identity is what the entry says.
                let kind: UInt8 = entry.kind == 4 ? Identity.folder : entry.kind == 10 ? Identity.link : 0
                list.add(Identity(kind: kind, version: 0, path: entry.inode))
                list.add(entry.next)
                list.add(entry.kind)
                list.add(text: entry.name)
                next = entry.next
            }
        }
        // Not even one fits.
        if isFull, list.bytes.count == start { throw .inval }
        a.add(data: list.bytes[start...])
    }

    private func getLock(_ r: inout MessageReader, _ a: inout MessageWriter) throws(Errno) {
        _ = try file(&r)
        let _: UInt8 = try r.number(), start: UInt64 = try r.number(), length: UInt64 = try r.number()
        let process: UInt32 = try r.number(), client = try r.text()
        a.add(UInt8(2))  // Nobody has it.
        a.add(start)
        a.add(length)
        a.add(process)
        a.add(text: Array(client.utf8))
    }
}
