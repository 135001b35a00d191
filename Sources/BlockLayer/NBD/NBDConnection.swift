// The client's side of a connection to an NBD server: requests of several threads at a time, in any order of their replies. What the server says
// is checked, and one that says wrong things is left.

import HostOS

final class NBDConnection: @unchecked Sendable {
    struct Request {
        let command: NBD.Command
        var flags: UInt16 = 0
        let offset: UInt64
        let count: UInt64
    }

    enum Trouble: Error, Equatable {
        /// The server does what it must not.
        case breach(String)
        case lost(Errno)
        /// Who asked has given up.
        case aborted
        /// The server has answered that it cannot.
        case refused(UInt32)
    }

    /// A request whose reply has not come, or not been looked at.
    private final class Pending {
        let request: Request
        let target: [UnsafeMutableRawBufferPointer]
        let extents: ((BigEndianBytes) -> Bool)?
        var read: ReadReply
        var error: UInt32 = 0, chunks = 0
        var isDone = false
        var trouble: Trouble?

        init(
            _ request: Request, _ target: [UnsafeMutableRawBufferPointer], _ extents: ((BigEndianBytes) -> Bool)?
        ) {
            self.request = request
            self.target = target
            self.extents = extents
            read = ReadReply(request.offset, target)
        }
    }

    let size: UInt64
    let flags: NBD.Flags
    private let isStructured: Bool
    /// The server's number for base:allocation; nil: it does not tell where data is.
    let context: UInt32?
    private let stream: NBDStream

    /// Who sends has it.
    private let sendLock = Lock()
    /// A leaf. Guards what follows.
    private let lock = Lock()
    private var cookie: UInt64 = 0
    private var pending: [UInt64: Pending] = [:]
    /// One of those who wait reads what comes, for all.
    private var hasReader = false
    private var failure: Trouble?
    /// Changes when a reply has come, or nobody reads.
    private let word = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)

    init(
        _ connection: HostConnection, _ export: String, name: String, patience: UInt64 = NBD.patience
    ) throws(BlockError) {
        word.initialize(to: 0)
        var handshake = NBDHandshake(NBDStream(connection: connection, patience: patience), name)
        do throws(NBDHandshake.Failure) { try handshake.run(export) } catch { throw error.blockError(name) }
        size = handshake.size
        flags = handshake.flags
        isStructured = handshake.isStructured
        context = handshake.context
        stream = NBDStream(connection: connection, patience: nil)
    }

    deinit { word.deallocate() }

    /// What has ended the connection.
    var trouble: Trouble? { lock.withLock { failure } }

    /// Gives the requests up that are under way, and those that come.
    func abort() { fail(.aborted) }

    /// Says farewell, to which there is no answer.
    func close() {
        let isGood = lock.withLock { failure == nil }
        if isGood { sendLock.withLock { try? send(Request(command: .disconnect, offset: 0, count: 0), 0, []) } }
        stream.connection.shutDown()
    }

    /// Returns when the reply has come. `extents`: takes a block status; false: it is wrong.
    func perform(
        _ request: Request, writing buffers: [UnsafeRawBufferPointer] = [],
        into target: [UnsafeMutableRawBufferPointer] = [], extents: ((BigEndianBytes) -> Bool)? = nil
    ) throws(Trouble) {
        let mine = Pending(request, target, extents)
        try begin(mine, buffers)
        while true {
            let seen = publishedWord(word)
            let (isDone, reads) = lock.withLock {
                let reads = !mine.isDone && !hasReader
                if reads { hasReader = true }
                return (mine.isDone, reads)
            }
            if isDone { break }
            if reads {
                do throws(Trouble) { try receiveChunk() } catch { fail(error) }
                lock.withLock {
                    hasReader = false
                    if failure != nil { endAll() }
                }
                changed()
            } else {
                Futex.wait(word, while: seen)
            }
        }
        if let trouble = mine.trouble { throw trouble }
    }

    private func changed() {
        lock.withLock { publishWord(word, word.pointee &+ 1) }
        Futex.wake(UInt64(UInt(bitPattern: word)), count: Int(Int32.max), isPrivate: true)
    }

    /// Nothing is asked of the server any more.
    private func fail(_ trouble: Trouble) {
        // Before others see that the connection has ended.
        lock.withLock { failure = failure ?? trouble }
        stream.connection.shutDown()
        lock.withLock {
            // Who reads may be filling a buffer, notices, and ends them.
            if !hasReader { endAll() }
        }
        changed()
    }

    /// With the lock.
    private func endAll() {
        for one in pending.values {
            one.trouble = failure
            one.isDone = true
        }
        pending = [:]
    }

    private func lost<R>(_ body: () throws(Errno) -> R) throws(Trouble) -> R {
        do throws(Errno) { return try body() } catch { throw .lost(error) }
    }

    // MARK: Sending

    private func begin(_ mine: Pending, _ buffers: [UnsafeRawBufferPointer]) throws(Trouble) {
        sendLock.lock()
        defer { sendLock.unlock() }
        let number = try lock.withLock { () throws(Trouble) -> UInt64 in
            if let failure { throw failure }
            cookie &+= 1
            pending[cookie] = mine
            return cookie
        }
        do throws(Errno) { try send(mine.request, number, buffers) } catch { fail(.lost(error)) }
    }

    private func send(_ request: Request, _ cookie: UInt64, _ buffers: [UnsafeRawBufferPointer]) throws(Errno) {
        var header = BigEndianWriter()
        header.word(NBD.requestMagic)
        header.half(request.flags)
        header.half(request.command.rawValue)
        header.long(cookie)
        header.long(request.offset)
        header.word(UInt32(request.count))
        try stream.write(header.all)
        for buffer in buffers { try stream.write(buffer) }
    }

    // MARK: Receiving. One thread at a time

    /// Takes a reply, or a part of one.
    private func receiveChunk() throws(Trouble) {
        let magic = try lost { () throws(Errno) in try stream.fields(4).word(0) }
        if magic == NBD.replyMagic { return try receiveSimple() }
        guard magic == NBD.structuredMagic, isStructured else {
            throw .breach("a reply begins with 0x\(String(magic, radix: 16))")
        }
        let fields = try lost { () throws(Errno) in try stream.fields(16) }
        let cookie = fields.long(4), one = try asked(cookie)
        let flags = fields.half(0), type = fields.half(2), count = Int(fields.word(12))
        one.chunks += 1
        // One error for each sector could be right.
        if one.chunks > 65536 { throw .breach("a reply without an end") }
        switch type {
        case NBD.Chunk.none:
            guard count == 0, flags & NBD.Chunk.done != 0 else { throw .breach("an empty chunk that is not the last") }
        case NBD.Chunk.data, NBD.Chunk.hole:
            guard one.request.command == .read else { throw .breach("data that nobody asked for") }
            try receiveData(one, type == NBD.Chunk.hole, count)
        case NBD.Chunk.blockStatus:
            guard let extents = one.extents, count >= 12, count <= 12 + 8 * 64, count % 8 == 4 else {
                throw .breach("a block status of \(count) bytes")
            }
            let status = try lost { () throws(Errno) in try stream.fields(count) }
            guard status.word(0) == context, extents(status) else { throw .breach("a block status that is wrong") }
        case _ where type & 1 << 15 != 0:
            guard (6...65536).contains(count) else { throw .breach("an error of \(count) bytes") }
            let body = try lost { () throws(Errno) in try stream.fields(count) }
            if one.error == 0 { one.error = max(1, body.word(0)) }
        default: throw .breach("a chunk of type \(type)")
        }
        if flags & NBD.Chunk.done == 0 { return }
        if one.error == 0, one.request.command == .read, one.read.missing != 0 {
            throw .breach("a reply without \(one.read.missing) bytes")
        }
        end(cookie, one.error)
    }

    private func receiveSimple() throws(Trouble) {
        let fields = try lost { () throws(Errno) in try stream.fields(12) }
        let cookie = fields.long(4), one = try asked(cookie)
        guard one.chunks == 0, !isStructured || one.request.command != .read else {
            throw .breach("a reply to something else")
        }
        if fields.word(0) == 0 {
            for buffer in one.target { try lost { () throws(Errno) in try stream.read(into: buffer) } }
        }
        end(cookie, fields.word(0))
    }

    private func asked(_ cookie: UInt64) throws(Trouble) -> Pending {
        guard let one = lock.withLock({ pending[cookie] }) else { throw .breach("a reply to something else") }
        return one
    }

    private func end(_ cookie: UInt64, _ error: UInt32) {
        lock.withLock {
            guard let one = pending.removeValue(forKey: cookie) else { return }
            if error != 0 { one.trouble = .refused(error) }
            one.isDone = true
        }
    }

    private func receiveData(_ one: Pending, _ isHole: Bool, _ count: Int) throws(Trouble) {
        guard isHole ? count == 12 : count > 8 else { throw .breach("a chunk of \(count) bytes") }
        let place = try lost { () throws(Errno) in try stream.fields(isHole ? 12 : 8) }
        let length = isHole ? UInt64(place.word(8)) : UInt64(count - 8)
        guard let parts = one.read.take(place.long(0), length) else {
            throw .breach("\(length) bytes at \(place.long(0)), which nobody asked for")
        }
        if isHole { return parts.zero() }
        for part in parts { try lost { () throws(Errno) in try stream.read(into: part) } }
    }
}

/// Where the bytes of a reply go, each of them once.
private struct ReadReply {
    private let start: UInt64
    private let buffers: [UnsafeMutableRawBufferPointer]
    /// What has not come, in order.
    private var open: [Range<UInt64>]

    init(_ start: UInt64, _ buffers: [UnsafeMutableRawBufferPointer]) {
        self.start = start
        self.buffers = buffers
        let count = buffers.reduce(0) { $0 + UInt64($1.count) }
        open = count == 0 ? [] : [start..<start + count]
    }

    var missing: UInt64 { open.reduce(0) { $0 + UInt64($1.count) } }

    /// Nil: some of it was not asked for, or has come already.
    mutating func take(_ offset: UInt64, _ count: UInt64) -> [UnsafeMutableRawBufferPointer]? {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, count > 0,
            let index = open.firstIndex(where: { $0.lowerBound <= offset && end <= $0.upperBound })
        else { return nil }
        let whole = open[index]
        let rest = [whole.lowerBound..<offset, end..<whole.upperBound].filter { !$0.isEmpty }
        open.replaceSubrange(index...index, with: rest)
        var cursor = BufferCursor(buffers)
        _ = cursor.take(Int(offset - start))
        return cursor.take(Int(count))
    }
}
