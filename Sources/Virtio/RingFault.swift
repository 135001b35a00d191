// The ways in which a driver's rings can be wrong. None of them harms anything but the device itself, which stops and says that it
// needs a reset. (Virtio 1.2, 2.1.2)

/// What a device has found in a virtqueue that no driver may do.
public enum RingFault: Error, Equatable, CustomStringConvertible {
    /// Part of the queue, or a table, is not memory, or not in one piece.
    case notMemory(String, UInt64)
    case misaligned(String, UInt64)
    /// More buffers are offered than the queue has places.
    case tooManyOffered(UInt16)
    case noSuchDescriptor(UInt16)
    /// A chain has more descriptors than the queue, or goes in a circle.
    case chainTooLong
    case readableBehindWritable
    case indirect(String)
    case tooManyBytes
    /// The chain does not hold what the device's requests consist of.
    case badRequest(String)

    public var description: String {
        switch self {
        case .notMemory(let what, let address): "\(what) at 0x\(String(address, radix: 16)) is not memory in one piece"
        case .misaligned(let what, let address): "\(what) at 0x\(String(address, radix: 16)) is not aligned"
        case .tooManyOffered(let count): "\(count) buffers are offered at once, more than there are places"
        case .noSuchDescriptor(let index): "there is no descriptor \(index)"
        case .chainTooLong: "a chain has more descriptors than the queue"
        case .readableBehindWritable: "a buffer to read follows one to write"
        case .indirect(let what): "indirect table: \(what)"
        case .tooManyBytes: "a chain has more than 2^32 bytes"
        case .badRequest(let what): "bad request: \(what)"
        }
    }
}
