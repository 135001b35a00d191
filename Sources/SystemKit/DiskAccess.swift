// A disk as a device shows it to the guest: the image that `drive=` names, and what is chosen about it. Devices of all kinds have it in common.

import BlockLayer
import Diagnostics
import EventLoop

public final class DiskAccess {
    /// Those of all devices that show a disk.
    public static func properties(blockSize: Int = 512) -> [Property] {
        [
            Property("drive", .drive, "", "the image: an identifier of -drive or -blockdev"),
            Property(
                "werror", .choice(["auto"] + ErrorAction.allCases.map(\.rawValue)), "auto",
                "what becomes of writes that fail"),
            Property(
                "rerror", .choice(["auto", "report", "ignore", "stop"]), "auto", "what becomes of reads that fail"),
            Property("logical_block_size", .number(512...32768), "\(blockSize)", "bytes of a block, a power of two"),
            Property(
                "physical_block_size", .number(512...32768), "\(blockSize)", "bytes that are best written at once"),
            Property(
                "write-cache", .choice(["auto", "on", "off"]), "auto", "what is written is kept until a flush"),
        ]
    }

    /// What is wrong with a combination of properties.
    public static func check(_ properties: Properties) -> String? {
        properties.firstNoPowerOfTwo(["logical_block_size", "physical_block_size"])
    }

    public let backend: BlockBackend
    public let blockSize: UInt64
    /// At least a block.
    public let physicalBlockSize: UInt64
    /// What is written may be kept until a flush.
    public var keepsWrites: Bool
    private let name: String
    private let diagnostics: Diagnostics

    /// `sizeChanged` is called with the domain's lock held.
    public init(_ context: DeviceContext, sizeChanged: @escaping () -> Void) {
        guard let backend = context.disk else { preconditionFailure("a disk without an image") }
        let properties = context.properties, domain = context.domain
        self.backend = backend
        blockSize = properties.number("logical_block_size")
        physicalBlockSize = max(properties.number("physical_block_size"), blockSize)
        keepsWrites = properties.text("write-cache") != "off"
        name = context.name
        diagnostics = domain.diagnostics
        if let action = ErrorAction(rawValue: properties.text("werror")) { backend.onWriteError = action }
        if let action = ErrorAction(rawValue: properties.text("rerror")) { backend.onReadError = action }
        backend.device = context.name
        backend.stopMachine = { [control = context.control] in control?.requestStop(.ioError) }
        backend.sizeChanged = { domain.lock.withLock(sizeChanged) }
        backend.attach(domain.loop, under: domain.lock)
    }

    public var size: UInt64 { backend.image.size }
    public var blocks: UInt64 { size / blockSize }
    public var isReadOnly: Bool { backend.image.isReadOnly }

    /// Where on the disk so many units of `unit` bytes from the one at `start` are; nil: not on it, or in parts of blocks.
    public func place(_ start: UInt64, unit: UInt64, bytes: UInt64) -> UInt64? {
        let (offset, overflow) = start.multipliedReportingOverflow(by: unit)
        guard !overflow, offset % blockSize == 0, bytes % blockSize == 0, offset <= size, bytes <= size - offset else {
            return nil
        }
        return offset
    }

    /// Begins a request. What changes the disk has come to stay when it ends, where nothing is kept or where it `mustStay`.
    public func submit(
        _ operation: BlockOperation, mustStay: Bool = false, _ ended: @escaping (BlockError?) -> Void
    ) {
        let flushes = operation.changes && (mustStay || !keepsWrites)
        backend.submit(operation) { [self] error in
            if let error { diagnostics.write("\(name): \(error)\n") }
            if flushes, error == nil { return submit(.flush, ended) }
            ended(error)
        }
    }
}
