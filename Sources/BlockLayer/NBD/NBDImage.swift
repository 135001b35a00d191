// A disk that a server has: the client's side of NBD.

import HostOS

public final class NBDImage: BlockImage, @unchecked Sendable {
    public let format = "nbd"
    public let size: UInt64
    public let isReadOnly: Bool
    private let name: String
    private let flags: NBD.Flags
    /// Nil: it was connected by somebody else, and is not connected again.
    private let address: NBDAddress?

    private typealias Request = NBDConnection.Request

    /// A leaf, but for what connects. Who connects has `connectLock` too.
    private let lock = Lock(), connectLock = Lock()
    private var current: NBDConnection
    /// When the server was lost, and when it was last looked for.
    private var lostAt: UInt64?, triedAt: UInt64 = 0
    private var isClosed = false
    /// How often requests have been given up.
    private var aborts = 0
    /// What is being connected.
    private var connecting: HostConnection?
    /// Nanoseconds between two attempts to connect again, and those that a step of one may take.
    private static let pause: UInt64 = 200_000_000, patience: UInt64 = 2_000_000_000

    public convenience init(_ address: NBDAddress, isReadOnly: Bool) throws(BlockError) {
        let connection = try Self.connectFirst(address)
        try self.init(connection, name: address.description, address, isReadOnly: isReadOnly)
    }

    private static func connectFirst(_ address: NBDAddress) throws(BlockError) -> NBDConnection {
        let end = HostClock.monotonic() &+ address.openTimeout
        while true {
            do throws(BlockError) { return try connect(address) } catch {
                // A server that says no says it again.
                if error.errno == .inval || HostClock.monotonic() >= end { throw error }
                HostThread.sleep(nanoseconds: pause)
            }
        }
    }

    /// On a connection that there is.
    convenience init(
        _ connection: HostConnection, _ export: String, name: String, isReadOnly: Bool,
        patience: UInt64 = NBD.patience
    ) throws(BlockError) {
        let connection = try NBDConnection(connection, export, name: name, patience: patience)
        try self.init(connection, name: name, nil, isReadOnly: isReadOnly)
    }

    private init(_ connection: NBDConnection, name: String, _ address: NBDAddress?, isReadOnly: Bool)
        throws(BlockError)
    {
        self.name = name
        self.address = address
        current = connection
        size = connection.size
        flags = connection.flags
        self.isReadOnly = isReadOnly || connection.flags.contains(.readOnly)
        if !isReadOnly, self.isReadOnly {
            connection.close()
            throw BlockError(.rofs, "\(name): the server lets it only be read; wanted read-only=on")
        }
    }

    /// `note`: is told of the connection while it is made.
    private static func connect(
        _ address: NBDAddress, patience: UInt64 = NBD.patience, note: (HostConnection?) -> Void = { _ in }
    ) throws(BlockError) -> NBDConnection {
        let place = try address.resolve(waits: false)
        let connection: HostConnection
        do throws(Errno) { connection = try HostConnection.connect(place, nanoseconds: patience) } catch {
            throw BlockError(error, "\(address.description): \(error.message)")
        }
        note(connection)
        defer { note(nil) }
        return try NBDConnection(connection, address.export, name: address.description, patience: patience)
    }

    // MARK: Connections that end

    /// Does a request. When the server goes meanwhile, it is asked again after it has come back within the time of `reconnect-delay`.
    private func perform(
        _ request: NBDConnection.Request, writing buffers: [UnsafeRawBufferPointer] = [],
        into target: [UnsafeMutableRawBufferPointer] = [], extents: ((BigEndianBytes) -> Bool)? = nil
    ) throws(BlockError) {
        let start = lock.withLock { aborts }
        while true {
            let connection = try connection(start)
            do throws(NBDConnection.Trouble) {
                return try connection.perform(request, writing: buffers, into: target, extents: extents)
            } catch {
                if case .lost = error, canComeBack(error) { continue }
                throw failure(error, request)
            }
        }
    }

    private func failure(_ trouble: NBDConnection.Trouble, _ request: NBDConnection.Request? = nil) -> BlockError {
        switch trouble {
        case .refused(let number):
            let errno = NBD.errno(number), what = request.map { "\($0.command) at \($0.offset): " } ?? ""
            return BlockError(errno, "\(name): \(what)\(errno.message)")
        case .lost(let errno): return BlockError(.io, "\(name): the server has gone: \(errno.message)")
        case .aborted: return BlockError(.io, "\(name): the server did not answer in time")
        case .breach(let what): return BlockError(.io, "\(name): the server breaks the protocol: \(what)")
        }
    }

    private func canComeBack(_ trouble: NBDConnection.Trouble) -> Bool {
        guard let address, !lock.withLock({ isClosed }) else { return false }
        switch trouble {
        case .lost: return address.reconnectDelay > 0
        case .aborted: return true
        case .breach, .refused: return false
        }
    }

    /// One that works. `start`: `aborts` when the request came.
    private func connection(_ start: Int) throws(BlockError) -> NBDConnection {
        let now = lock.withLock { current }
        guard let trouble = now.trouble else { return now }
        guard let address, canComeBack(trouble) else { throw failure(trouble) }
        connectLock.lock()
        defer { connectLock.unlock() }
        while true {
            // Another thread may have connected, or the request been given up, while this one waited.
            let time = HostClock.monotonic()
            let (old, isGivenUp, lost, tried) = lock.withLock {
                lostAt = lostAt ?? time
                return (current, isClosed || aborts != start, time - lostAt!, triedAt)
            }
            guard let trouble = old.trouble else { return old }
            if isGivenUp || !canComeBack(trouble) { throw failure(trouble) }
            // After the delay each request fails at once, but for one now and then that looks for the server.
            let isOver = lost >= address.reconnectDelay
            if time &- tried < Self.pause {
                if isOver { throw failure(trouble) }
                HostThread.sleep(nanoseconds: Self.pause)
                continue
            }
            let new = try? Self.connect(address, patience: Self.patience) { connecting in
                lock.withLock {
                    self.connecting = connecting
                    if aborts != start { connecting?.shutDown() }
                }
            }
            lock.withLock { triedAt = HostClock.monotonic() }
            guard let new else {
                if isOver { throw failure(trouble) }
                continue
            }
            guard new.size == size, new.flags == flags else {
                new.close()
                throw BlockError(.io, "\(name): the server has come back with another disk")
            }
            lock.withLock {
                current = new
                lostAt = nil
            }
            return new
        }
    }

    /// Requests that are under way fail. Those that come later connect anew.
    public func abort() {
        let connection = lock.withLock {
            aborts += 1
            // What comes next looks for the server at once.
            triedAt = 0
            connecting?.shutDown()
            return current
        }
        connection.abort()
    }

    // MARK: BlockImage

    private func check(_ offset: UInt64, _ count: UInt64, writes: Bool) throws(BlockError) {
        if writes, isReadOnly { throw BlockError(.rofs, "\(name): it can only be read") }
        if offset > size || count > size - offset {
            throw BlockError(.inval, "\(name): \(count) bytes at \(offset) of \(size)")
        }
    }

    public func read(at offset: UInt64, into buffers: [UnsafeMutableRawBufferPointer]) throws(BlockError) {
        var rest = BufferCursor(buffers), at = offset
        try check(offset, UInt64(rest.count), writes: false)
        while rest.count > 0 {
            let part = rest.take(min(rest.count, Int(NBD.largestRequest)))
            let count = part.reduce(0) { $0 + UInt64($1.count) }
            try perform(Request(command: .read, offset: at, count: count), into: part)
            at += count
        }
    }

    public func write(at offset: UInt64, from buffers: [UnsafeRawBufferPointer]) throws(BlockError) {
        var rest = BufferCursor(buffers), at = offset
        try check(offset, UInt64(rest.count), writes: true)
        while rest.count > 0 {
            let part = rest.take(min(rest.count, Int(NBD.largestRequest))).raw
            let count = part.reduce(0) { $0 + UInt64($1.count) }
            try perform(Request(command: .write, offset: at, count: count), writing: part)
            at += count
        }
    }

    /// In parts whose counts fit into the protocol's 32 bits.
    private func performRange(_ command: NBD.Command, _ flags: UInt16, _ offset: UInt64, _ count: UInt64)
        throws(BlockError)
    {
        var done: UInt64 = 0
        while done < count {
            let part = min(count - done, 1 << 30)
            try perform(Request(command: command, flags: flags, offset: offset + done, count: part))
            done += part
        }
    }

    public func writeZeroes(at offset: UInt64, count: UInt64, mayUnmap: Bool) throws(BlockError) {
        try check(offset, count, writes: true)
        if flags.contains(.writeZeroes) {
            return try performRange(.writeZeroes, mayUnmap ? 0 : NBD.CommandFlag.noHole, offset, count)
        }
        let zeros = [UInt8](repeating: 0, count: Int(min(count, 1 << 20)))
        var done: UInt64 = 0
        while done < count {
            let part = min(count - done, UInt64(zeros.count)), at = offset + done
            try zeros.withUnsafeBufferPointer { (zeros) throws(BlockError) in
                try write(at: at, from: [UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(zeros)[..<Int(part)])])
            }
            done += part
        }
    }

    public func discard(at offset: UInt64, count: UInt64) throws(BlockError) {
        try check(offset, count, writes: true)
        if flags.contains(.trim) { try performRange(.trim, 0, offset, count) }
    }

    public func flush() throws(BlockError) {
        if flags.contains(.flush), !isReadOnly { try perform(Request(command: .flush, offset: 0, count: 0)) }
    }

    public func resize(to size: UInt64) throws(BlockError) {
        if size != self.size { throw BlockError(.opnotsupp, "\(name): only the server can change its size") }
    }

    public func status(at offset: UInt64, count: UInt64) throws(BlockError) -> BlockExtent {
        try check(offset, count, writes: false)
        var extent = BlockExtent(count: count, isZero: false, isAllocated: true, fileOffset: offset)
        guard lock.withLock({ current }).context != nil, count > 0 else { return extent }
        let request = Request(
            command: .blockStatus, flags: NBD.CommandFlag.requestOne, offset: offset, count: min(count, 1 << 30))
        var isKnown = false
        try perform(request) { status in
            // More than what was asked for may be alike.
            extent.count = min(UInt64(status.word(4)), count)
            extent.isZero = status.word(8) & NBD.Status.zero != 0
            isKnown = true
            return extent.count > 0
        }
        return isKnown ? extent : BlockExtent(count: count, isZero: false, isAllocated: true, fileOffset: offset)
    }

    public func close() throws(BlockError) {
        defer { lock.withLock { current }.close() }
        lock.withLock { isClosed = true }
        try flush()
    }
}
