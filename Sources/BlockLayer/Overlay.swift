// An image above another one that keeps what a run writes, and is gone when the run is.

import HostOS

extension BlockGraph {
    /// A qcow2 image above a node, in a file that has no name any more.
    public func openOverlay(on base: BlockNode, named name: String?) throws(BlockError) -> BlockNode {
        let file = try Self.temporaryFile()
        let size = (base.size + 511) & ~511
        try QCOW2Image.create(file, QCOW2Creation(size: size))
        let image = try QCOW2Image(file, backing: base)
        var spec = BlockSpec(.qcow2(.node(base.name), .named))
        spec.name = name
        spec.unmaps = true
        spec.cache = file.cache
        let below = try add(RawImage(file, format: "file"), BlockSpec(.file(path: file.path)), fileName: file.path)
        try base.use(.reads, by: "an overlay")
        return try add(image, spec, fileName: file.path, on: [below])
    }

    private static func temporaryFile() throws(BlockError) -> BlockFile {
        let folder = HostProcess.variable("TMPDIR") ?? "/var/tmp"
        var bytes = [UInt8](repeating: 0, count: 8)
        bytes.withUnsafeMutableBytes { HostProcess.fillRandom($0) }
        let path = "\(folder)/martlet." + bytes.map { String($0, radix: 16) }.joined()
        do throws(Errno) { HostFile.close(try HostFile.createPrivate(path)) } catch {
            throw BlockError(
                error, "\(path): a temporary file cannot be made: \(error.message); TMPDIR names another folder")
        }
        defer { HostFile.remove(path) }
        return try BlockFile(path, isReadOnly: false, cache: CacheMode(ignoresFlushes: true))
    }
}
