// From the name of a file to an image, and the images below it.

import HostOS
import Options

/// How an image is opened.
public struct ImageOptions: Sendable {
    /// Nil: what the first bytes say.
    public var format: String?
    public var isReadOnly = false
    public var cache = CacheMode()
    /// Others are refused what would disturb, and what they are at is not disturbed.
    public var isLocked = true
    /// Without it what the image does not hold itself reads as 0.
    public var opensBacking = true
    /// What the first bytes of a backing file say is believed, where the image above says nothing, though it names another file: a guest that has
    /// written them could see any file of the host's.
    public var believesProbes = true
    /// An image that is marked dirty is repaired before it is used, and one that is marked corrupt is not written.
    public var repairs = true
    /// Refcounts are written when the image is closed; nil: as the image says.
    public var hasLazyRefcounts: Bool?

    public init(format: String? = nil, isReadOnly: Bool = false, cache: CacheMode = CacheMode()) {
        self.format = format
        self.isReadOnly = isReadOnly
        self.cache = cache
    }
}

/// Of an image and those below it.
public let longestBackingChain = 200

/// The formats that an image can have.
public let imageFormats = ["raw", "qcow2"]

public func openImage(_ path: String, _ options: ImageOptions = ImageOptions()) throws(BlockError) -> any BlockImage {
    try openImage(path, options, above: [])
}

/// What the first bytes say, or the format that is named.
private func openStored(
    _ storage: any BlockStorage, _ options: ImageOptions, above: [FileIdentity]
) throws(BlockError) -> any BlockImage {
    let format: String
    if let named = options.format { format = named } else { format = try probedFormat(storage) }
    switch format {
    case "raw": return try RawImage(storage)
    case "qcow2":
        let isGuess = options.format == nil && above.count > 1 && !options.believesProbes
        if isGuess, let name = try QCOW2Header(storage).backingFile {
            throw BlockError(
                .inval,
                "\(storage.path): the image above does not say what it is, and it names another file, \(name); wanted a recorded format: 'martlet img rebase -u -F qcow2 -b' of the image above"
            )
        }
        return try QCOW2Image(storage, options, above: above)
    default:
        throw BlockError(
            .inval, "\(storage.path): there is no format '\(format)'; there are \(imageFormats.joined(separator: ", "))"
        )
    }
}

/// An image that `json:{...}` describes, or that is on a server. The nodes that it lies on are its own.
private func openDescribed(_ name: String, _ options: ImageOptions) throws(BlockError) -> any BlockImage {
    var spec: BlockSpec
    do throws(OptionError) { spec = try BlockSpec(name: name) } catch {
        throw BlockError(.inval, "\(name): \(error.message)")
    }
    var above = BlockSpec(.null(NullSpec()))
    above.isReadOnly = options.isReadOnly
    above.cache = options.cache
    spec.inherit(above)
    spec.isLocked = spec.isLocked && options.isLocked
    let graph = BlockGraph()
    let node = try graph.open(spec)
    if case .file = spec.kind { return try openStored(node.storage, options, above: []) }
    if spec.isStorage { return DescribedImage(try openStored(node.storage, options, above: []), graph, closes: true) }
    // An image on a file gives up that file's locks itself.
    return node.children.allSatisfy { $0.driver == "file" } ? node.image : DescribedImage(node.image, graph)
}

/// `above`: the files of the images that lie on it, as device and inode.
func openImage(_ path: String, _ options: ImageOptions, above: [FileIdentity]) throws(BlockError) -> any BlockImage {
    if path.hasPrefix("json:") || NBDAddress.isName(path) { return try openDescribed(path, options) }
    let file = try BlockFile(
        try localPath(path), isReadOnly: options.isReadOnly, cache: options.cache, isLocked: options.isLocked)
    let identity = FileIdentity(try file.status())
    if above.contains(identity) { throw BlockError(.loop, "\(path): it lies on itself as a backing file") }
    if above.count >= longestBackingChain {
        throw BlockError(.loop, "\(path): more than \(longestBackingChain) backing files lie on each other")
    }
    return try openStored(file, options, above: above + [identity])
}

/// What an image's first bytes say that it is; raw when they say nothing.
public func probedFormat(_ file: any BlockStorage) throws(BlockError) -> String {
    try file.read(at: 0, count: 4) == QCOW2Header.magic ? "qcow2" : "raw"
}

/// The path in a name such as "file:disk.img"; names of other places are refused.
public func localPath(_ name: String) throws(BlockError) -> String {
    if name.hasPrefix("file:") { return String(name.dropFirst(5)) }
    // A colon before the first slash names a protocol.
    if let colon = name.firstIndex(of: ":"), !name[..<colon].contains("/") {
        throw BlockError(
            .opnotsupp, "\(name): there is no protocol '\(name[..<colon])'; for a file of that name write ./\(name)")
    }
    return name
}

/// A backing file's name as its image has it is relative to the image's folder.
public func backingPath(_ name: String, of image: String) -> String {
    let isRelative = !name.hasPrefix("/") && !name.contains(":")
    guard isRelative, let slash = image.lastIndex(of: "/") else { return name }
    return image[...slash] + name
}
