// Disks whose medium is changed while the machine runs.

import HostOS

/// What a device has from which a medium is taken. Called by the loop's thread.
public struct MediumDoor {
    /// The guest keeps the medium.
    public var isLocked: () -> Bool
    /// Another medium is there, or none any more.
    public var changed: () -> Void

    public init(isLocked: @escaping () -> Bool, changed: @escaping () -> Void) {
        self.isLocked = isLocked
        self.changed = changed
    }
}

/// What may be done with the next medium.
public enum MediumAccess: String, CaseIterable, Sendable {
    /// What could be done with the last one.
    case retain
    case readOnly = "read-only", readWrite = "read-write"
}

/// In place of a medium: there is nothing to read.
final class NoMedium: BlockImage, Sendable {
    let format = "none"
    let size: UInt64 = 0
    let isReadOnly = true

    private var failure: BlockError { BlockError(.nomedium, "there is no medium") }

    func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) { throw failure }
    func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) { throw failure }
    func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) { throw failure }
    func discard(at offset: UInt64, count: UInt64) throws(BlockError) { throw failure }
    func flush() throws(BlockError) {}
    func resize(to size: UInt64) throws(BlockError) { throw failure }
    func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent { throw failure }
    func close() throws(BlockError) {}
}

extension BlockBackend {
    /// One without a medium.
    public convenience init(emptyNamed name: String, user: String) {
        self.init(Self.nothing, name: name, user: user)
    }

    static var nothing: BlockNode { BlockNode(NoMedium(), name: "") }

    public var isEmpty: Bool { node.image is NoMedium }

    /// A medium can be taken out: no device has it, or one that gives it back.
    public var isRemovable: Bool { device == nil || door != nil }
}
