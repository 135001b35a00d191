// A server of exports: it waits for clients, each of which gets a thread.

import HostOS

public final class NBDServer: @unchecked Sendable {
    private let exports: [NBDExport]
    private let listener: Int32
    private let path: String?
    /// Clients at a time; 0: any number.
    private let mostClients: Int

    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var clients: [HostConnection] = []
    private var served = 0
    private var isEnding = false
    private let changes: WakeFile

    public init(_ exports: [NBDExport], at address: NBDAddress, mostClients: Int) throws(BlockError) {
        self.exports = exports
        self.mostClients = mostClients
        if case .unix(let path) = address.place { self.path = path } else { path = nil }
        // A socket that nobody listens to any more is in the way.
        if let path, HostSocket.isLeft(path) { HostSocket.remove(path) }
        let place = try address.resolve(waits: true)
        do throws(Errno) {
            changes = try WakeFile()
            listener = try HostSocket.listen(place)
        } catch { throw BlockError(error, "\(address.description): \(error.message)") }
    }

    deinit { HostFile.close(listener) }

    /// That of IPv4 that it listens to.
    public var port: UInt16? { HostSocket.port(listener) }

    /// Ends it. Any thread, and a handler of signals.
    public func end() {
        lock.withLock {
            isEnding = true
            for client in clients { client.shutDown() }
        }
        changes.set()
    }

    /// Serves until `end`, until `stop` is readable, or until the last client has gone unless it `persists`. Nobody is served any more when
    /// it returns.
    public func run(persists: Bool, until stop: Int32? = nil) {
        defer { if let path { HostSocket.remove(path) } }
        while true {
            let (count, isOver) = lock.withLock {
                (clients.count, isEnding || !persists && served > 0 && clients.isEmpty)
            }
            if isOver, count == 0 { return }
            let hasRoom = !isOver && (mostClients == 0 || count < mostClients)
            var entries = [
                PollEntry(changes.descriptor, .readable), PollEntry(listener, hasRoom ? .readable : []),
                PollEntry(isOver ? -1 : stop ?? -1, .readable),
            ]
            _ = HostPoll.wait(&entries, nanoseconds: 1_000_000_000)
            if entries[0].found.contains(.readable) { changes.clear() }
            if entries[2].found.contains(.readable) { end() }
            guard hasRoom, entries[1].found.contains(.readable) else { continue }
            guard let fd = HostSocket.accept(listener) else {
                // There may be no descriptor left: whoever waits is there still.
                var nothing: [PollEntry] = []
                _ = HostPoll.wait(&nothing, nanoseconds: 100_000_000)
                continue
            }
            if path == nil { HostSocket.sendAtOnce(fd) }
            serve(HostConnection(owning: fd))
        }
    }

    private func serve(_ client: HostConnection) {
        lock.withLock { clients.append(client) }
        let body = { [self] in
            NBDSession.run(client, exports)
            lock.withLock {
                clients.removeAll { $0 === client }
                served += 1
            }
            changes.set()
        }
        // Without a thread for it, it is not served.
        do throws(Errno) { try HostThread.start(blocksSignals: true, body) } catch {
            lock.withLock { clients.removeAll { $0 === client } }
        }
    }
}
