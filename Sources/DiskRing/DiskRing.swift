// Calls on files that the kernel does by itself, and whose ends are found later. (io_uring(7), by liburing)

import CURing
import HostOS

/// Not for several threads at a time.
public final class DiskRing {
    public enum Call: Sendable { case read, write, flush }
    public enum Submission: Sendable { case begun, full }

    /// Readable when a call has ended that has not been taken.
    public let descriptor: Int32
    /// Most calls that are begun and not taken: as many ends have room.
    public static let capacity = 128
    private let ring: UnsafeMutablePointer<io_uring>

    public init() throws(Errno) {
        ring = .allocate(capacity: 1)
        ring.initialize(to: io_uring())
        let status = clx_ring_open(ring, UInt32(Self.capacity))
        guard status >= 0 else {
            ring.deallocate()
            throw Errno(-status)
        }
        descriptor = status
    }

    /// No call is under way.
    deinit {
        clx_ring_close(ring)
        ring.deallocate()
    }

    /// `vectors` and what they lead to stay until the call has ended. `takesLong`: the caller does not wait for any part of it, not even for
    /// bytes that are in the page cache.
    public func submit(
        _ call: Call, _ file: Int32, _ vectors: UnsafeBufferPointer<IOVector>, at offset: UInt64, token: UInt64,
        takesLong: Bool
    ) throws(Errno) -> Submission {
        let kind =
            switch call {
            case .read: CLX_RING_READ
            case .write: CLX_RING_WRITE
            case .flush: CLX_RING_FLUSH
            }
        let status = clx_ring_submit(
            ring, kind, file, vectors.baseAddress, UInt32(vectors.count), offset, token, takesLong ? 1 : 0)
        if status < 0 { throw Errno(-status) }
        return status == 0 ? .begun : .full
    }

    /// A call that has ended: what it was submitted by, and bytes or minus an errno.
    public func take() -> (token: UInt64, result: Int)? {
        var token: UInt64 = 0, result: Int32 = 0
        return clx_ring_take(ring, &token, &result) == 1 ? (token, Int(result)) : nil
    }
}

public typealias IOVector = iovec
