// A back end that keeps the last bytes of what is said, until somebody looks.

import HostOS

public final class RingBackend: CharBackend, @unchecked Sendable {
    public static let usualSize = 1 << 16, largestSize: UInt64 = 1 << 30

    private let size: Int
    /// A leaf; guards what follows.
    private let lock = Lock()
    /// Grows up to `size`; then the oldest byte gives way to the next.
    private var bytes: [UInt8] = []
    /// Where the oldest byte is, and how many there are.
    private var first = 0, count = 0

    public init(size: Int) {
        self.size = size
        super.init()
    }

    public override func send(_ byte: UInt8) -> Bool {
        lock.withLock {
            if bytes.count < size, first + count == bytes.count {
                bytes.append(byte)
                count += 1
                return
            }
            bytes[(first + count) % bytes.count] = byte
            if count < bytes.count { count += 1 } else { first = (first + 1) % bytes.count }
        }
        return true
    }

    /// Takes the oldest bytes, at most so many.
    public func take(_ most: Int) -> [UInt8] {
        lock.withLock {
            let taken = (0..<min(most, count)).map { bytes[(first + $0) % bytes.count] }
            count -= taken.count
            first = count == 0 ? 0 : (first + taken.count) % bytes.count
            return taken
        }
    }
}
