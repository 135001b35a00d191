// A cable that is a stream of bytes between two machines. Before each frame stands its length: four bytes, the most significant first.

import CharLayer
import EventLoop
import HostOS

public final class StreamNetwork: NetBackend, @unchecked Sendable {
    public enum Place: Sendable {
        case socket(SocketOptions)
        /// A socket that is connected, which becomes the back end's own.
        case descriptor(Int32)
    }

    /// Who sends a longer one sends no frames.
    private static let longest = 4096 + 65536
    private static let prefix = 4
    /// Bytes that wait for a peer who does not read. Frames that come then are lost.
    private static let capacity = 1 << 20
    /// Bytes that are read at once.
    private static let share = 1 << 16

    private let place: Place
    private var loop: EventLoop?
    private var lock: Lock!
    private var door: SocketDoor?
    // Of the peer. Guarded by `lock`.
    private var stream: HostStream?
    private var source: Source?
    private var output: [UInt8] = []
    /// How much of `output` has been written.
    private var written = 0
    private var input: [UInt8] = []
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: share, alignment: 16)

    public init(name: String, _ place: Place) {
        self.place = place
        super.init(name: name)
    }

    deinit {
        stop()
        buffer.deallocate()
    }

    public override func start(_ loop: EventLoop, under lock: Lock) throws(NetError) {
        self.loop = loop
        self.lock = lock
        switch place {
        case .descriptor(let fd):
            guard HostSocket.kind(fd) == .stream else { throw NetError("descriptor \(fd) is no socket of streams") }
            HostFile.closeOnExec(fd)
            use(fd)
        case .socket(let options):
            do throws(CharSpecError) {
                let door = try SocketDoor(loop, options) { [unowned self] in use($0) }
                self.door = door
                try door.open()
            } catch { throw NetError("\(error)") }
        }
    }

    public override func stop() {
        door?.close()
        close()
    }

    public override var summary: String {
        let state = stream == nil ? "" : ",connected"
        return switch place {
        case .descriptor(let fd): "type=stream,fd=\(fd)\(state)"
        case .socket(let options):
            "type=stream,\(options.isServer ? "server=on," : "")\(options.address)\(state)"
        }
    }

    /// The port that it waits at.
    public var port: UInt16? { door?.port }

    private func use(_ fd: Int32) {
        HostFile.stopWaiting(fd)
        lock.withLock {
            stream = HostStream(owning: fd)
            source = loop?.watch(fd, .readable) { [unowned self] found in
                lock.withLock { found.contains(.writable) ? flush() : read() }
            }
        }
    }

    private func close() {
        source?.cancel()
        stream?.close()
        (source, stream, input, output, written) = (nil, nil, [], [], 0)
    }

    private func drop() {
        close()
        door?.peerHasGone()
    }

    // MARK: out

    public override func send(_ frame: UnsafeRawBufferPointer) {
        guard stream != nil else { return }
        if output.count - written + Self.prefix + frame.count > Self.capacity {
            flush()
            if stream == nil || output.count - written + Self.prefix + frame.count > Self.capacity { return }
        }
        withUnsafeBytes(of: UInt32(frame.count).bigEndian) { output += $0 }
        output += frame
    }

    public override func hasSent() { flush() }

    private func flush() {
        guard let stream, let source else { return }
        while written < output.count {
            do throws(Errno) {
                written += try output.withUnsafeBytes { bytes in
                    Result { () throws(Errno) in
                        try stream.write(UnsafeRawBufferPointer(rebasing: bytes[written...]))
                    }
                }.get()
            } catch {
                if error != .again { return drop() }
                output.removeFirst(written)
                written = 0
                source.interest = [.readable, .writable]
                return
            }
        }
        output.removeAll(keepingCapacity: true)
        written = 0
        source.interest = .readable
    }

    // MARK: in

    private func read() {
        guard let stream else { return }
        do throws(Errno) {
            let count = try stream.read(into: buffer)
            if count == 0 { return drop() }
            input += buffer[..<count]
        } catch {
            if error != .again { drop() }
            return
        }
        var start = 0
        while input.count - start >= Self.prefix {
            let length = input[start..<(start + Self.prefix)].reduce(0) { $0 << 8 | Int($1) }
            if length > Self.longest { return drop() }
            let end = start + Self.prefix + length
            if input.count < end { break }
            input.withUnsafeBytes { bytes in
                deliver(UnsafeRawBufferPointer(rebasing: bytes[(start + Self.prefix)..<end]))
            }
            start = end
        }
        input.removeFirst(start)
    }
}
