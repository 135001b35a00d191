// A disk that a server has: the client's side of NBD. What the server says is checked, and one that says wrong things is left.

import HostOS

public final class NBDImage: BlockImage, @unchecked Sendable {
    public let format = "nbd"
    public let size: UInt64
    public let isReadOnly: Bool
    private let name: String
    private let flags: NBD.Flags
    private let isStructured: Bool
    /// The server's number for base:allocation; nil: it does not tell where data is.
    private let context: UInt32?
    private let stream: NBDStream

    /// One request at a time has the connection. Guards what follows.
    private let lock = Lock()
    private var cookie: UInt64 = 0
    private var failure: BlockError?

    public convenience init(_ address: NBDAddress, isReadOnly: Bool) throws(BlockError) {
        let place = try address.resolve(waits: false)
        let connection: HostConnection
        do throws(Errno) { connection = try HostConnection.connect(place, nanoseconds: NBD.patience) } catch {
            throw BlockError(error, "\(address.description): \(error.message)")
        }
        try self.init(connection, address.export, name: address.description, isReadOnly: isReadOnly)
    }

    init(
        _ connection: HostConnection, _ export: String, name: String, isReadOnly: Bool,
        patience: UInt64 = NBD.patience
    ) throws(BlockError) {
        var handshake = NBDHandshake(NBDStream(connection: connection, patience: patience), name)
        do throws(NBDHandshake.Failure) { try handshake.run(export) } catch {
            throw error.blockError(name)
        }
        self.name = name
        size = handshake.size
        flags = handshake.flags
        isStructured = handshake.isStructured
        context = handshake.context
        stream = NBDStream(connection: connection, patience: nil)
        self.isReadOnly = isReadOnly || handshake.flags.contains(.readOnly)
        if !isReadOnly, self.isReadOnly {
            throw BlockError(.rofs, "\(name): the server lets it only be read; wanted read-only=on")
        }
    }

    // MARK: A request and its reply

    private struct Request {
        let command: NBD.Command
        var flags: UInt16 = 0
        let offset: UInt64
        let count: UInt64
    }

    private enum Trouble: Error {
        /// The server does what it must not.
        case breach(String)
        case lost(Errno)
        /// The server has answered that it cannot.
        case refused(UInt32)
    }

    private func perform(
        _ request: Request, writing buffers: [UnsafeRawBufferPointer] = [],
        into target: [UnsafeMutableRawBufferPointer] = [],
        extents: ((BigEndianBytes) -> Bool)? = nil
    ) throws(BlockError) {
        lock.lock()
        defer { lock.unlock() }
        if let failure { throw failure }
        do throws(Trouble) {
            cookie &+= 1
            try send(request, buffers)
            try receive(request, target, extents)
        } catch {
            switch error {
            case .refused(let number):
                let errno = NBD.errno(number)
                throw BlockError(errno, "\(name): \(request.command) at \(request.offset): \(errno.message)")
            case .lost(let errno):
                throw fail("the server has gone: \(errno.message)")
            case .breach(let what): throw fail("the server breaks the protocol: \(what)")
            }
        }
    }

    /// Nothing is asked of the server any more.
    private func fail(_ what: String) -> BlockError {
        let error = BlockError(.io, "\(name): \(what)")
        failure = error
        stream.connection.shutDown()
        return error
    }

    private func lost<R>(_ body: () throws(Errno) -> R) throws(Trouble) -> R {
        do throws(Errno) { return try body() } catch { throw .lost(error) }
    }

    private func send(_ request: Request, _ buffers: [UnsafeRawBufferPointer]) throws(Trouble) {
        var header = BigEndianWriter()
        header.word(NBD.requestMagic)
        header.half(request.flags)
        header.half(request.command.rawValue)
        header.long(cookie)
        header.long(request.offset)
        header.word(UInt32(request.count))
        try lost { () throws(Errno) in
            try stream.write(header.all)
            for buffer in buffers { try stream.write(buffer) }
        }
    }

    private func receive(
        _ request: Request, _ target: [UnsafeMutableRawBufferPointer], _ extents: ((BigEndianBytes) -> Bool)?
    ) throws(Trouble) {
        var read = ReadReply(request.offset, target), error: UInt32 = 0, chunks = 0
        while true {
            let magic = try lost { () throws(Errno) in try stream.fields(4).word(0) }
            if magic == NBD.replyMagic {
                let fields = try lost { () throws(Errno) in try stream.fields(12) }
                try check(fields.long(4), chunks == 0 && (!isStructured || request.command != .read))
                if fields.word(0) != 0 { throw .refused(fields.word(0)) }
                for buffer in target { try lost { () throws(Errno) in try stream.read(into: buffer) } }
                return
            }
            guard magic == NBD.structuredMagic, isStructured else {
                throw .breach("a reply begins with 0x\(String(magic, radix: 16))")
            }
            let fields = try lost { () throws(Errno) in try stream.fields(16) }
            try check(fields.long(4), true)
            let flags = fields.half(0), type = fields.half(2), count = Int(fields.word(12))
            chunks += 1
            switch type {
            case NBD.Chunk.none:
                guard count == 0, flags & NBD.Chunk.done != 0 else {
                    throw .breach("an empty chunk that is not the last")
                }
            case NBD.Chunk.data, NBD.Chunk.hole:
                guard request.command == .read else { throw .breach("data that nobody asked for") }
                try receiveData(&read, type == NBD.Chunk.hole, count)
            case NBD.Chunk.blockStatus:
                guard let extents, count >= 12, count <= 12 + 8 * 64, count % 8 == 4 else {
                    throw .breach("a block status of \(count) bytes")
                }
                let status = try lost { () throws(Errno) in try stream.fields(count) }
                guard status.word(0) == context, extents(status) else { throw .breach("a block status that is wrong") }
            case _ where type & 1 << 15 != 0:
                guard (6...65536).contains(count) else { throw .breach("an error of \(count) bytes") }
                let body = try lost { () throws(Errno) in try stream.fields(count) }
                if error == 0 { error = max(1, body.word(0)) }
                // One error for each sector could be right.
                if chunks > 65536 { throw .breach("errors without an end") }
            default: throw .breach("a chunk of type \(type)")
            }
            if flags & NBD.Chunk.done != 0 { break }
        }
        if error != 0 { throw .refused(error) }
        if request.command == .read, read.missing != 0 { throw .breach("a reply without \(read.missing) bytes") }
    }

    private func check(_ answered: UInt64, _ isExpected: Bool) throws(Trouble) {
        guard answered == cookie, isExpected else { throw .breach("a reply to something else") }
    }

    private func receiveData(_ read: inout ReadReply, _ isHole: Bool, _ count: Int) throws(Trouble) {
        guard isHole ? count == 12 : count > 8 else { throw .breach("a chunk of \(count) bytes") }
        let place = try lost { () throws(Errno) in try stream.fields(isHole ? 12 : 8) }
        let length = isHole ? UInt64(place.word(8)) : UInt64(count - 8)
        guard let parts = read.take(place.long(0), length) else {
            throw .breach("\(length) bytes at \(place.long(0)), which nobody asked for")
        }
        if isHole { return parts.zero() }
        for part in parts { try lost { () throws(Errno) in try stream.read(into: part) } }
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
        guard context != nil, count > 0 else { return extent }
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
        defer { stream.connection.shutDown() }
        try flush()
        lock.lock()
        defer { lock.unlock() }
        // There is no answer to it.
        try? send(Request(command: .disconnect, offset: 0, count: 0), [])
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
