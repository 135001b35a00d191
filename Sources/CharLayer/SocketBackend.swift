// A back end on a socket: one peer at a time, and the next when that has gone. What is said while nobody listens is lost.

import CLinux
import EventLoop
import HostOS

public final class SocketBackend: CharBackend, @unchecked Sendable {
    /// Time that a client waits for its first connection where it does not try again.
    private static let longestConnect: UInt64 = 10_000_000_000

    private let loop: EventLoop
    private let options: SocketOptions
    private let address: HostSocketAddress
    /// A leaf; guards `stream`.
    private let lock = Lock()
    private var stream: StreamBackend?
    // The loop's thread's.
    private var listener: Int32?
    private var source: Source?
    private var timer: Timer!

    public init(_ loop: EventLoop, _ options: SocketOptions) throws(CharSpecError) {
        self.loop = loop
        self.options = options
        address = try options.address.resolve(waits: options.isServer)
        super.init()
        timer = loop.timer(.realtime) { [weak self] in self?.connect() }
        if options.isServer {
            try listen()
        } else if options.reconnects != nil {
            connect()
        } else {
            try connectNow()
        }
    }

    deinit {
        timer.disarm()
        source?.cancel()
        if let listener {
            HostFile.close(listener)
            if case .unix(let path) = options.address { HostSocket.remove(path) }
        }
        stream?.close()
    }

    public var isConnected: Bool { lock.withLock { stream != nil } }

    public override var awaited: String? { options.waits && !isConnected ? options.address.description : nil }

    /// The port that it waits at.
    var port: UInt16? { listener.flatMap(HostSocket.port) }

    // MARK: getting a peer

    private func listen() throws(CharSpecError) {
        do throws(Errno) {
            // A socket that a process has left behind is in the way.
            if case .unix(let path) = options.address, HostSocket.isLeft(path) { HostSocket.remove(path) }
            let fd = try HostSocket.listen(address)
            listener = fd
            source = loop.watch(fd, .readable) { [unowned self] _ in accept() }
        } catch { throw .cannotOpen(options.address.description, reason: error.message) }
    }

    private func accept() {
        guard let listener, let fd = HostSocket.accept(listener) else { return }
        source?.interest = []
        use(fd)
    }

    /// Waits for the connection: there is none to try later.
    private func connectNow() throws(CharSpecError) {
        do throws(Errno) {
            let fd = try HostSocket.open(address.family)
            do throws(Errno) {
                if try !HostSocket.connect(fd, address) {
                    var entries = [PollEntry(fd, .writable)]
                    guard HostPoll.wait(&entries, nanoseconds: Self.longestConnect) else { throw Errno.timedOut }
                    try HostSocket.finish(fd)
                }
            } catch {
                HostFile.close(fd)
                throw error
            }
            use(fd)
        } catch { throw .cannotOpen(options.address.description, reason: error.message) }
    }

    /// Begins to connect; where that fails, tries again later.
    private func connect() {
        guard let fd = try? HostSocket.open(address.family) else { return retry() }
        do throws(Errno) {
            if try HostSocket.connect(fd, address) { return use(fd) }
        } catch {
            HostFile.close(fd)
            return retry()
        }
        source = loop.watch(fd, .writable) { [unowned self] _ in
            source?.cancel()
            source = nil
            do throws(Errno) {
                try HostSocket.finish(fd)
                use(fd)
            } catch {
                HostFile.close(fd)
                retry()
            }
        }
    }

    private func retry() {
        guard let time = options.reconnects else { return }
        timer.arm(at: loop.clocks.now(.realtime) + time * 1_000_000)
    }

    // MARK: a peer

    private func use(_ fd: Int32) {
        if options.sendsAtOnce, !address.isUnix { HostSocket.sendAtOnce(fd) }
        let file = HostStream(owning: fd)
        let stream = StreamBackend(loop, input: file, output: file)
        lock.withLock { self.stream = stream }
        deliver(.connected)
        stream.attach(self)
    }

    private func drop() {
        let old = lock.withLock {
            defer { stream = nil }
            return stream
        }
        old?.close()
        // Who waits for room would wait for ever.
        tellOutputHasRoom()
        if options.isServer { source?.interest = .readable } else { retry() }
        if !options.isServer, options.reconnects == nil { deliver(.ended) }
    }

    public override func send(_ byte: UInt8) -> Bool { lock.withLock { stream }?.send(byte) ?? true }
    public override func inputHasRoom() { lock.withLock { stream }?.inputHasRoom() }
    public override func flush() { stream?.flush() }
}

extension SocketBackend: CharFrontEnd {
    public func receive(_ bytes: ArraySlice<UInt8>) { deliver(bytes) }
    public func outputHasRoom() { tellOutputHasRoom() }
    public func receive(_ event: CharEvent) { if event == .ended { drop() } }
}
