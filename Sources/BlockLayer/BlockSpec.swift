// What `-blockdev` says of a node, in any of QEMU's forms. (QEMU, qemu(1), -blockdev)

import Options

public struct BlockSpec: Sendable {
    /// What lies below: a node that is there, or one that is made for this.
    public indirect enum Child: Sendable {
        case node(String)
        case made(BlockSpec)
    }

    public enum Kind: Sendable {
        case file(path: String)
        case raw(Child)
        case qcow2(Child, Backing)
        /// "raw" or "qcow2", as the first bytes say. An image with a backing file is refused.
        case probed(Child)
        /// `latency`: nanoseconds that each request takes. What is read is anything, or 0.
        case null(NullSpec)
        case throttle(Child, group: String)
        case nbd(NBDAddress)
        case copyOnRead(Child)
    }

    /// What shows where a qcow2 image has nothing of its own.
    public indirect enum Backing: Sendable {
        /// What its header names.
        case named
        case nothing
        case child(Child)
    }

    public enum ZeroDetection: String, CaseIterable, Sendable { case off, on, unmap }

    public var kind: Kind
    /// Nil: it gets a name that begins with "#".
    public var name: String?
    public var isReadOnly: Bool?
    /// It may be opened for reading alone as long as nobody writes.
    public var mayBeReadOnly = false
    /// What the guest does not need is given back to the file.
    public var unmaps = false
    public var zeroDetection = ZeroDetection.off
    public var cache = CacheMode()
    /// Requests of a raw image on the file are the kernel's, not those of threads. (aio=io_uring)
    public var usesRing = false
    public var isLocked = true
    /// Nil: what the image says.
    public var hasLazyRefcounts: Bool?
    /// Of a raw image: the part of what lies below that it is.
    public private(set) var start: UInt64 = 0
    public private(set) var length: UInt64?
    /// Lines for the user: what was asked for and is done in another way.
    public private(set) var notes: [String] = []

    public init(_ kind: Kind) { self.kind = kind }

    public static let drivers = "file, raw, qcow2, nbd, null-co, null-aio, throttle, copy-on-read"

    /// Of a node that nobody has said anything about: a file by its name.
    public init(name: String) throws(OptionError) {
        if name.hasPrefix("json:") {
            var list = try OptionList(JSON(parsing: String(name.dropFirst(5))))
            try self.init(&list)
            try list.end("this node")
        } else if NBDAddress.isName(name) {
            self.init(.nbd(try NBDAddress(name: name)))
        } else {
            do throws(BlockError) { self.init(.file(path: try localPath(name))) } catch {
                throw OptionError(error.description)
            }
        }
    }

    public init(parsing text: String) throws(OptionError) {
        var list = try OptionList(parsing: text, implied: "driver")
        try self.init(&list)
        try list.end("driver \(driver)")
    }

    /// Takes its options, and leaves those of others. `driver`: that of a list without one.
    public init(_ list: inout OptionList, driver standard: String? = nil) throws(OptionError) {
        guard let driver = list.take("driver") ?? standard else {
            throw OptionError("no driver; there are \(Self.drivers)")
        }
        self.init(.null(NullSpec()))
        name = list.take("node-name")
        if let name, !Self.isName(name) {
            throw OptionError("node-name=\(name): wanted a letter, then letters, digits, '-', '.' and '_', 31 at most")
        }
        isReadOnly = try list.takeFlag("read-only")
        mayBeReadOnly = try list.takeFlag("auto-read-only") ?? false
        unmaps =
            try list.take("discard", ["ignore": false, "off": false, "unmap": true, "on": true], "ignore or unmap")
            ?? false
        zeroDetection = try list.takeChoice("detect-zeroes", ZeroDetection.self) ?? .off
        if zeroDetection == .unmap, !unmaps { throw OptionError("detect-zeroes=unmap wants discard=unmap beside it") }
        cache.isDirect = try list.takeFlag("cache.direct") ?? false
        cache.ignoresFlushes = try list.takeFlag("cache.no-flush") ?? false
        isLocked = try !(list.takeFlag("force-share") ?? false)
        if !isLocked, isReadOnly != true { throw OptionError("force-share=on wants read-only=on beside it") }
        switch driver {
        case "file", "host_device": kind = .file(path: try fileOptions(&list))
        case "raw":
            kind = .raw(try child("file", &list))
            start = try list.takeSize("offset") ?? 0
            length = try list.takeSize("size")
            if start % 512 != 0 || (length ?? 0) % 512 != 0 {
                throw OptionError("offset and size of raw: wanted multiples of 512")
            }
        case "qcow2":
            kind = .qcow2(try child("file", &list), try backing(&list))
            hasLazyRefcounts = try list.takeFlag("lazy-refcounts")
        case "null-co", "null-aio": kind = .null(try NullSpec(&list, driver))
        case "nbd": kind = .nbd(try NBDAddress(&list))
        case "throttle":
            guard let group = list.take("throttle-group") else {
                throw OptionError("throttle wants throttle-group=ID, of an -object throttle-group")
            }
            kind = .throttle(try child("file", &list), group: group)
        case "copy-on-read": kind = .copyOnRead(try child("file", &list))
        default: throw OptionError("there is no driver '\(driver)'; there are \(Self.drivers)")
        }
    }

    private enum AIO: String, CaseIterable { case threads, native, ioUring = "io_uring" }

    /// How requests of a file are made: `aio=`. `isDirect`: they leave the page cache out.
    public mutating func takeAIO(_ list: inout OptionList, path: String, isDirect: Bool) throws(OptionError) {
        let aio = try list.takeChoice("aio", AIO.self)
        usesRing = aio == .ioUring
        if aio == .native {
            if !isDirect { throw OptionError("aio=native wants cache.direct=on beside it") }
            notes.append("aio=native is not built: threads do the requests of \(path); aio=io_uring is")
        }
    }

    private mutating func fileOptions(_ list: inout OptionList) throws(OptionError) -> String {
        guard let path = list.take("filename"), !path.isEmpty else {
            throw OptionError("driver file wants filename=FILE")
        }
        try takeAIO(&list, path: path, isDirect: cache.isDirect)
        switch try list.take("locking", ["on": "on", "off": "off", "auto": "auto"], "on, off or auto") {
        case "off": isLocked = false
        default: break
        }
        return path
    }

    private mutating func child(_ role: String, _ list: inout OptionList) throws(OptionError) -> Child {
        let reference = list.take(role)
        var nested = list.takeNested(role)
        if nested.isEmpty {
            guard let reference, !reference.isEmpty else {
                throw OptionError("no \(role); wanted \(role)=NODE, or \(role).driver=DRIVER,...")
            }
            return .node(reference)
        }
        if reference != nil { throw OptionError("\(role)=NODE goes without \(role).NAME=VALUE") }
        let spec = try BlockSpec(&nested, driver: nested.has("filename") ? "file" : nil)
        try nested.end("driver \(spec.driver)")
        notes += spec.notes
        return .made(spec)
    }

    /// What the one above is told holds for a node that was told nothing.
    public mutating func inherit(_ above: BlockSpec) {
        if isReadOnly == nil { isReadOnly = above.isReadOnly }
        if cache == CacheMode() { cache = above.cache }
        if above.mayBeReadOnly { mayBeReadOnly = true }
        if above.unmaps { unmaps = true }
        if !above.isLocked { isLocked = false }
    }

    /// Gives an image the node that it lies on. `isProbed`: its first bytes say what it is.
    public mutating func put(on below: BlockSpec, isProbed: Bool) {
        let child = Child.made(below)
        switch kind {
        case .qcow2(_, let backing): kind = .qcow2(child, backing)
        case .throttle(_, let group): kind = .throttle(child, group: group)
        case .copyOnRead: kind = .copyOnRead(child)
        default: kind = isProbed ? .probed(child) : .raw(child)
        }
        notes += below.notes
    }

    private mutating func backing(_ list: inout OptionList) throws(OptionError) -> Backing {
        let reference = list.value("backing")
        var nested = list.takeNested("backing")
        if nested.isEmpty {
            guard let reference else { return .named }
            _ = list.take("backing")
            return reference.isEmpty ? .nothing : .child(.node(reference))
        }
        var spec = try BlockSpec(&nested)
        try nested.end("driver \(spec.driver)")
        spec.isReadOnly = true
        return .child(.made(spec))
    }

    public static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, (first | 32) >= 97, (first | 32) <= 122, name.utf8.count <= 31 else {
            return false
        }
        return name.utf8.allSatisfy {
            ($0 | 32) >= 97 && ($0 | 32) <= 122 || (48...57).contains($0) || [45, 46, 95].contains($0)
        }
    }

    /// It holds bytes that may be an image of any format.
    public var isStorage: Bool {
        switch kind {
        case .file, .nbd: true
        default: false
        }
    }

    public var driver: String {
        switch kind {
        case .file: "file"
        case .raw, .probed: "raw"
        case .qcow2: "qcow2"
        case .null(let null): null.driver
        case .throttle: "throttle"
        case .nbd: "nbd"
        case .copyOnRead: "copy-on-read"
        }
    }
}
