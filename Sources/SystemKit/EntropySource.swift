// Where devices get random bytes from.

import EventLoop
import HostOS

/// Everything is called with the lock of the device's domain held.
public protocol EntropySource: AnyObject {
    /// Writes random bytes to the beginning of `buffer`; returns how many. 0: there are none now, and `more` follows.
    func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int
    /// Called when there are more.
    var more: () -> Void { get set }
}

/// The host's own.
public final class HostEntropy: EntropySource {
    public var more: () -> Void = {}

    public init() {}

    public func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        HostProcess.fillRandom(buffer)
        return buffer.count
    }
}

/// A file, a device or a pipe. When a file has ended nothing more comes.
public final class EntropyFile: EntropySource {
    public var more: () -> Void = {}
    private let stream: HostStream
    private var source: Source!

    public init(_ path: String, _ domain: Domain) throws(Errno) {
        stream = HostStream(owning: try HostFile.openForReading(path, flags: HostFile.withoutWaiting))
        source = domain.loop.watch(stream.descriptor, []) { [unowned self] _ in
            source.interest = []
            domain.lock.withLock { more() }
        }
    }

    deinit {
        source?.cancel()
        stream.close()
    }

    public func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        do throws(Errno) { return try stream.read(into: buffer) } catch {
            if error == .again { source.interest = .readable }
            return 0
        }
    }
}
