// How a socket gets its peers, one at a time: others connect to it, or it connects, and again when one has gone.

import EventLoop
import HostOS

/// It belongs to the loop's thread.
public final class SocketDoor: @unchecked Sendable {
    /// Time that a client waits for its first connection where it does not try again.
    private static let longestConnect: UInt64 = 10_000_000_000

    private let loop: EventLoop
    private let options: SocketOptions
    private let address: HostSocketAddress
    private let found: (Int32) -> Void
    private var listener: Int32?
    private var source: Source?
    private var timer: Timer!

    /// `found`: takes the connection to a peer over.
    public init(_ loop: EventLoop, _ options: SocketOptions, found: @escaping (Int32) -> Void) throws(CharSpecError) {
        self.loop = loop
        self.options = options
        self.found = found
        address = try options.address.resolve(waits: options.isServer)
        timer = loop.timer(.realtime) { [weak self] in self?.connect() }
    }

    deinit { close() }

    /// Begins.
    public func open() throws(CharSpecError) {
        if options.isServer {
            try listen()
        } else if options.reconnects != nil {
            connect()
        } else {
            try connectNow()
        }
    }

    /// The connection has ended, and is closed.
    public func peerHasGone() {
        if options.isServer { source?.interest = .readable } else { retry() }
    }

    /// No peer is found any more.
    public func close() {
        timer.disarm()
        source?.cancel()
        source = nil
        guard let listener else { return }
        HostFile.close(listener)
        self.listener = nil
        if case .unix(let path) = options.address { HostSocket.remove(path) }
    }

    /// The port that it waits at.
    public var port: UInt16? { listener.flatMap(HostSocket.port) }

    private func use(_ fd: Int32) {
        if options.sendsAtOnce, !address.isUnix { HostSocket.sendAtOnce(fd) }
        found(fd)
    }

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
}
