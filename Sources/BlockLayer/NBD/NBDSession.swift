// One client of the server: what it may ask for, and what it gets. What it says is checked, and one that says wrong things is left.

import HostOS

/// What a server shows.
public struct NBDExport: Sendable {
    public let name: String
    public let image: any BlockImage
    public let isReadOnly: Bool
    public let description: String

    public init(name: String, image: any BlockImage, isReadOnly: Bool, description: String = "") {
        self.name = name
        self.image = image
        self.isReadOnly = isReadOnly || image.isReadOnly
        self.description = description
    }

    var flags: NBD.Flags {
        var flags: NBD.Flags = [.hasFlags, .flush, .fua, .dontFragment, .multiConnection]
        flags.formUnion(isReadOnly ? .readOnly : [.trim, .writeZeroes])
        return flags
    }
}

struct NBDSession {
    /// The client is left, without a word more.
    private enum End: Error { case lost, wrong }

    private var stream: NBDStream
    private let exports: [NBDExport]
    private let workers = NBDWorkers(), buffers = NBDBuffers()
    /// Who sends a reply, or a part of one, has it.
    private let sendLock = Lock()
    private var isStructured = false
    /// The export for which the client wants to know where data is.
    private var contextName: String?
    private static let longestOption = 8192, mostOptions = 1000, contextNumber: UInt32 = 1, mostExtents = 256

    /// `patience`: nanoseconds that the client may take for a step of the handshake.
    static func run(_ connection: HostConnection, _ exports: [NBDExport], patience: UInt64 = NBD.patience) {
        var session = NBDSession(stream: NBDStream(connection: connection, patience: patience), exports: exports)
        do throws(End) {
            guard let export = try session.agree() else { return }
            session.stream.patience = nil
            try session.serve(export)
        } catch { connection.shutDown() }
    }

    private init(stream: NBDStream, exports: [NBDExport]) {
        self.stream = stream
        self.exports = exports
    }

    private func io<R>(_ body: () throws(Errno) -> R) throws(End) -> R {
        do throws(Errno) { return try body() } catch { throw .lost }
    }

    // MARK: Handshake

    private mutating func agree() throws(End) -> NBDExport? {
        var greeting = BigEndianWriter()
        greeting.long(NBD.magic)
        greeting.long(NBD.optionMagic)
        greeting.half(UInt16(NBD.Handshake.fixedNewstyle | NBD.Handshake.noZeroes))
        try io { () throws(Errno) in try stream.write(greeting.all) }
        let client = try io { () throws(Errno) in try stream.fields(4) }.word(0)
        guard client & ~(NBD.Handshake.fixedNewstyle | NBD.Handshake.noZeroes) == 0 else { throw .wrong }
        for _ in 0..<Self.mostOptions {
            let head = try io { () throws(Errno) in try stream.fields(16) }
            let number = head.word(8), count = Int(head.word(12))
            guard head.long(0) == NBD.optionMagic, count <= Self.longestOption else { throw .wrong }
            let body = try io { () throws(Errno) in try stream.fields(count) }
            guard let option = NBD.Option(rawValue: number) else {
                try reply(number, NBD.Answer.unsupported)
                continue
            }
            switch option {
            case .exportName:
                let name = String(decoding: body.bytes, as: UTF8.self)
                guard let export = exports.first(where: { $0.name == name }) else { throw .wrong }
                var facts = BigEndianWriter()
                facts.long(export.image.size)
                facts.half(export.flags.rawValue)
                if client & NBD.Handshake.noZeroes == 0 { facts.bytes(Array(repeating: 0, count: 124)) }
                try io { () throws(Errno) in try stream.write(facts.all) }
                return export
            case .abort:
                try reply(number, NBD.Answer.ack)
                return nil
            case .list: try list(number, body)
            case .startTLS: try reply(number, NBD.Answer.unsupported, text: "TLS is not supported")
            case .structuredReply:
                guard count == 0 else { try reply(number, NBD.Answer.invalid); continue }
                isStructured = true
                try reply(number, NBD.Answer.ack)
            case .info, .go:
                if let export = try inform(number, body), option == .go { return export }
            case .listMetaContext, .setMetaContext: try agreeOnContext(number, body, sets: option == .setMetaContext)
            }
        }
        throw .wrong
    }

    private func reply(_ option: UInt32, _ type: UInt32, _ body: [UInt8] = []) throws(End) {
        var answer = BigEndianWriter()
        answer.long(NBD.optionReplyMagic)
        answer.word(option)
        answer.word(type)
        answer.word(UInt32(body.count))
        answer.bytes(body)
        try io { () throws(Errno) in try stream.write(answer.all) }
    }

    private func reply(_ option: UInt32, _ type: UInt32, text: String) throws(End) {
        try reply(option, type, Array(text.utf8))
    }

    private func list(_ option: UInt32, _ body: BigEndianBytes) throws(End) {
        guard body.bytes.isEmpty else { return try reply(option, NBD.Answer.invalid) }
        for export in exports {
            var row = BigEndianWriter()
            row.word(UInt32(export.name.utf8.count))
            row.bytes(Array(export.name.utf8))
            row.bytes(Array(export.description.utf8))
            try reply(option, NBD.Answer.server, row.all)
        }
        try reply(option, NBD.Answer.ack)
    }

    /// The name at the front, and where it ends.
    private func name(_ body: BigEndianBytes) -> (name: String, end: Int)? {
        guard body.bytes.count >= 4 else { return nil }
        let count = Int(body.word(0))
        guard count <= body.bytes.count - 4 else { return nil }
        return (String(decoding: body.bytes[4..<4 + count], as: UTF8.self), 4 + count)
    }

    private func inform(_ option: UInt32, _ body: BigEndianBytes) throws(End) -> NBDExport? {
        guard let (name, end) = name(body), body.bytes.count >= end + 2,
            body.bytes.count == end + 2 + 2 * Int(body.half(end))
        else {
            try reply(option, NBD.Answer.invalid)
            return nil
        }
        guard let export = exports.first(where: { $0.name == name }) else {
            try reply(option, NBD.Answer.unknown, text: "there is no export '\(name)'")
            return nil
        }
        let wanted = (0..<Int(body.half(end))).map { body.half(end + 2 + 2 * $0) }
        func info(_ type: UInt16, _ fill: (inout BigEndianWriter) -> Void) throws(End) {
            var row = BigEndianWriter()
            row.half(type)
            fill(&row)
            try reply(option, NBD.Answer.info, row.all)
        }
        if wanted.contains(NBD.Info.name) { try info(NBD.Info.name) { $0.bytes(Array(export.name.utf8)) } }
        if wanted.contains(NBD.Info.description), !export.description.isEmpty {
            try info(NBD.Info.description) { $0.bytes(Array(export.description.utf8)) }
        }
        try info(NBD.Info.blockSize) {
            $0.word(1)
            $0.word(4096)
            $0.word(UInt32(NBD.largestRequest))
        }
        try info(NBD.Info.export) {
            $0.long(export.image.size)
            $0.half(export.flags.rawValue)
        }
        try reply(option, NBD.Answer.ack)
        return export
    }

    private mutating func agreeOnContext(_ option: UInt32, _ body: BigEndianBytes, sets: Bool) throws(End) {
        if sets { contextName = nil }
        guard isStructured || !sets, let (name, end) = name(body), body.bytes.count >= end + 4 else {
            return try reply(option, NBD.Answer.invalid)
        }
        guard exports.contains(where: { $0.name == name }) else { return try reply(option, NBD.Answer.unknown) }
        var at = end + 4, isWanted = !sets && body.word(end) == 0
        for _ in 0..<body.word(end) {
            guard body.bytes.count >= at + 4, Int(body.word(at)) <= body.bytes.count - at - 4 else {
                return try reply(option, NBD.Answer.invalid)
            }
            let query = body.bytes[at + 4..<at + 4 + Int(body.word(at))]
            at += 4 + query.count
            if query.elementsEqual(NBD.context.utf8) || !sets && query.elementsEqual("base:".utf8) { isWanted = true }
        }
        guard at == body.bytes.count else { return try reply(option, NBD.Answer.invalid) }
        if isWanted {
            if sets { contextName = name }
            var row = BigEndianWriter()
            row.word(sets ? Self.contextNumber : 0)
            row.bytes(Array(NBD.context.utf8))
            try reply(option, NBD.Answer.metaContext, row.all)
        }
        try reply(option, NBD.Answer.ack)
    }

    // MARK: Requests

    private struct Request {
        let command: NBD.Command?
        let flags: UInt16
        let cookie: UInt64
        let offset: UInt64
        let count: UInt64
    }

    private func serve(_ export: NBDExport) throws(End) {
        defer { workers.end() }
        while true {
            let head = try io { () throws(Errno) in try stream.fields(28) }
            guard head.word(0) == NBD.requestMagic else { throw .wrong }
            let request = Request(
                command: NBD.Command(rawValue: head.half(6)), flags: head.half(4), cookie: head.long(8),
                offset: head.long(16), count: UInt64(head.word(24)))
            if request.command == .disconnect { return }
            // What a write sends would have to be read, to find the next request.
            if request.command == .write, request.count > NBD.largestRequest { throw .wrong }
            let hasData = request.command == .write || request.command == .read && request.count <= NBD.largestRequest
            let count = hasData ? Int(request.count) : 0
            workers.reserve(count)
            let memory = buffers.take(count), buffer = UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
            // A client that goes while it sends has asked for nothing.
            let isWhole = request.command != .write || (try? stream.read(into: buffer)) != nil
            workers.submit(count) { [self] in
                defer { buffers.giveBack(memory) }
                if !isWhole { return }
                do throws(End) { try answer(request, export, buffer) } catch { stream.connection.shutDown() }
            }
            if !isWhole { throw .lost }
        }
    }

    /// By any thread.
    private func answer(
        _ request: Request, _ export: NBDExport, _ buffer: UnsafeMutableRawBufferPointer
    ) throws(End) {
        do throws(BlockError) { try perform(request, export, UnsafeRawBufferPointer(buffer)) } catch {
            return try fail(request, error.errno)
        }
        switch request.command {
        case .read: try sendData(request, export, buffer)
        case .blockStatus: try sendStatus(request, export)
        default: try done(request)
        }
    }

    private func send(_ head: BigEndianWriter, _ data: UnsafeRawBufferPointer? = nil) throws(End) {
        sendLock.lock()
        defer { sendLock.unlock() }
        try io { () throws(Errno) in
            try stream.write(head.all)
            if let data { try stream.write(data) }
        }
    }

    /// All but the sending of what is asked for.
    private func perform(
        _ request: Request, _ export: NBDExport, _ buffer: UnsafeRawBufferPointer
    ) throws(BlockError) {
        func refuse(_ errno: Errno) -> BlockError { BlockError(errno, "") }
        guard let command = request.command else { throw refuse(.inval) }
        let image = export.image, range = (at: request.offset, count: request.count)
        if command != .flush, range.at > image.size || range.count > image.size - range.at {
            throw refuse(command == .write || command == .writeZeroes ? .nospc : .inval)
        }
        switch command {
        case .write, .trim, .writeZeroes: if export.isReadOnly { throw refuse(.perm) }
        case .read: if range.count > NBD.largestRequest || range.count == 0 { throw refuse(.inval) }
        case .blockStatus: if contextName != export.name || range.count == 0 { throw refuse(.inval) }
        case .flush, .disconnect: break
        }
        switch command {
        case .write:
            try image.write(at: range.at, from: [buffer])
        case .trim: try image.discard(at: range.at, count: range.count)
        case .writeZeroes:
            try image.writeZeroes(
                at: range.at, count: range.count, mayUnmap: request.flags & NBD.CommandFlag.noHole == 0)
        case .flush: try image.flush()
        default: return
        }
        if request.flags & NBD.CommandFlag.fua != 0 { try image.flush() }
    }

    private func chunk(_ request: Request, _ type: UInt16, isLast: Bool, count: Int) -> BigEndianWriter {
        var head = BigEndianWriter()
        head.word(NBD.structuredMagic)
        head.half(isLast ? NBD.Chunk.done : 0)
        head.half(type)
        head.long(request.cookie)
        head.word(UInt32(count))
        return head
    }

    private func simple(
        _ request: Request, _ error: UInt32, _ data: UnsafeRawBufferPointer? = nil
    ) throws(End) {
        var head = BigEndianWriter()
        head.word(NBD.replyMagic)
        head.word(error)
        head.long(request.cookie)
        try send(head, data)
    }

    private func done(_ request: Request) throws(End) { try simple(request, 0) }

    private func fail(_ request: Request, _ errno: Errno) throws(End) {
        guard isStructured, request.command == .read || request.command == .blockStatus else {
            return try simple(request, NBD.number(errno))
        }
        var head = chunk(request, NBD.Chunk.error, isLast: true, count: 6)
        head.word(NBD.number(errno))
        head.half(0)
        try send(head)
    }

    private func sendData(
        _ request: Request, _ export: NBDExport, _ all: UnsafeMutableRawBufferPointer
    ) throws(End) {
        if !isStructured || request.flags & NBD.CommandFlag.dontFragment != 0 {
            do throws(BlockError) { try export.image.read(at: request.offset, into: [all]) } catch {
                return try fail(request, error.errno)
            }
            let data = UnsafeRawBufferPointer(all)
            if !isStructured { return try simple(request, 0, data) }
            var head = chunk(request, NBD.Chunk.data, isLast: true, count: all.count + 8)
            head.long(request.offset)
            return try send(head, data)
        }
        var at = request.offset
        let end = request.offset + request.count
        while at < end {
            let part: UnsafeMutableRawBufferPointer?, count: UInt64
            do throws(BlockError) {
                let extent = try export.image.status(at: at, count: end - at)
                count = extent.count
                part = extent.isZero ? nil : UnsafeMutableRawBufferPointer(rebasing: all[..<Int(count)])
                if let part { try export.image.read(at: at, into: [part]) }
            } catch { return try fail(request, error.errno) }
            var head = chunk(
                request, part == nil ? NBD.Chunk.hole : NBD.Chunk.data, isLast: at + count == end,
                count: part == nil ? 12 : Int(count) + 8)
            head.long(at)
            if part == nil { head.word(UInt32(count)) }
            try send(head, part.map { UnsafeRawBufferPointer($0) })
            at += count
        }
    }

    private func sendStatus(_ request: Request, _ export: NBDExport) throws(End) {
        var rows: [(count: UInt64, flags: UInt32)] = [], at = request.offset
        let end = request.offset + request.count
        do throws(BlockError) {
            while at < end {
                let extent = try export.image.status(at: at, count: end - at)
                let flags = extent.isZero ? NBD.Status.hole | NBD.Status.zero : 0
                if rows.last?.flags == flags {
                    rows[rows.count - 1].count += extent.count
                } else {
                    if rows.count == (request.flags & NBD.CommandFlag.requestOne != 0 ? 1 : Self.mostExtents) { break }
                    rows.append((extent.count, flags))
                }
                at += extent.count
            }
        } catch { return try fail(request, error.errno) }
        var head = chunk(request, NBD.Chunk.blockStatus, isLast: true, count: 4 + 8 * rows.count)
        head.word(Self.contextNumber)
        for row in rows {
            head.word(UInt32(row.count))
            head.word(row.flags)
        }
        try send(head)
    }
}
