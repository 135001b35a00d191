// How a client and a server agree: the client's side.

import HostOS

struct NBDHandshake {
    enum Failure: Error {
        case lost(Errno)
        case refused(String)

        func blockError(_ name: String) -> BlockError {
            switch self {
            case .lost(let errno):
                BlockError(errno == .timedout ? .timedout : .io, "\(name): the server has gone: \(errno.message)")
            case .refused(let what): BlockError(.inval, "\(name): \(what)")
            }
        }
    }

    private let stream: NBDStream
    private let name: String
    private(set) var size: UInt64 = 0
    private(set) var flags: NBD.Flags = []
    private(set) var isStructured = false
    private(set) var context: UInt32?
    private static let longestAnswer = 65536, mostAnswers = 1000

    init(_ stream: NBDStream, _ name: String) { (self.stream, self.name) = (stream, name) }

    private func io<R>(_ body: () throws(Errno) -> R) throws(Failure) -> R {
        do throws(Errno) { return try body() } catch { throw .lost(error) }
    }

    mutating func run(_ export: String) throws(Failure) {
        guard export.utf8.count <= 4096 else { throw .refused("the export's name is longer than 4096 bytes") }
        let greeting = try io { () throws(Errno) in try stream.fields(16) }
        guard greeting.long(0) == NBD.magic else { throw .refused("there is no NBD server") }
        if greeting.long(8) == NBD.oldMagic {
            throw .refused("the server is of the old style; wanted one of the fixed new style")
        }
        guard greeting.long(8) == NBD.optionMagic else { throw .refused("there is no NBD server") }
        let offered = UInt32(try io { () throws(Errno) in try stream.fields(2) }.half(0))
        guard offered & NBD.Handshake.fixedNewstyle != 0 else {
            throw .refused("the server is of the plain new style; wanted one of the fixed new style")
        }
        var answer = BigEndianWriter()
        answer.word(offered & (NBD.Handshake.fixedNewstyle | NBD.Handshake.noZeroes))
        try io { () throws(Errno) in try stream.write(answer.all) }
        isStructured = try ask(.structuredReply) { _, _ in }
        if isStructured { try askContext(export) }
        if try !go(export) { try chooseByName(export, hasZeroes: offered & NBD.Handshake.noZeroes == 0) }
        guard size <= UInt64(Int64.max) else { throw .refused("the server says that the disk has \(size) bytes") }
    }

    private func send(_ option: NBD.Option, _ body: [UInt8]) throws(Failure) {
        var request = BigEndianWriter()
        request.long(NBD.optionMagic)
        request.word(option.rawValue)
        request.word(UInt32(body.count))
        request.bytes(body)
        try io { () throws(Errno) in try stream.write(request.all) }
    }

    /// Sends an option, and takes its answers until the last. False: the server does not know it.
    private func ask(
        _ option: NBD.Option, _ body: [UInt8] = [], _ take: (UInt32, BigEndianBytes) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        try send(option, body)
        for _ in 0..<Self.mostAnswers {
            let head = try io { () throws(Errno) in try stream.fields(20) }
            guard head.long(0) == NBD.optionReplyMagic, head.word(8) == option.rawValue else {
                throw .refused("the server breaks the protocol: it answers something else")
            }
            let type = head.word(12), count = Int(head.word(16))
            guard count <= Self.longestAnswer else {
                throw .refused("the server breaks the protocol: an answer of \(count) bytes")
            }
            let fields = try io { () throws(Errno) in try stream.fields(count) }
            if type == NBD.Answer.ack { return true }
            if type & 1 << 31 == 0 {
                try take(type, fields)
                continue
            }
            let text = String(decoding: fields.bytes.prefix(200).filter { $0 >= 32 }, as: UTF8.self)
            let reason = text.isEmpty ? "" : ": \(text)"
            switch type {
            case NBD.Answer.unsupported: return false
            case NBD.Answer.tlsRequired: throw .refused("the server wants TLS, which is not supported\(reason)")
            case NBD.Answer.unknown: throw .refused("the server has no such export\(reason)")
            case NBD.Answer.blockSizeRequired:
                throw .refused("the server wants requests of whole blocks, which is not supported\(reason)")
            default: throw .refused("the server refuses \(option)\(reason)")
            }
        }
        throw .refused("the server breaks the protocol: it answers without an end")
    }

    private mutating func askContext(_ export: String) throws(Failure) {
        var body = BigEndianWriter()
        body.word(UInt32(export.utf8.count))
        body.bytes(Array(export.utf8))
        body.word(1)
        body.word(UInt32(NBD.context.utf8.count))
        body.bytes(Array(NBD.context.utf8))
        var found: UInt32?
        _ = try ask(.setMetaContext, body.all) { (type, fields) throws(Failure) in
            guard type == NBD.Answer.metaContext, fields.bytes.count >= 4 else { return }
            if fields.bytes[4...].elementsEqual(NBD.context.utf8) { found = fields.word(0) }
        }
        context = found
    }

    private mutating func go(_ export: String) throws(Failure) -> Bool {
        var body = BigEndianWriter()
        body.word(UInt32(export.utf8.count))
        body.bytes(Array(export.utf8))
        body.half(0)
        var facts: (size: UInt64, flags: UInt16)?
        let isKnown = try ask(.go, body.all) { (type, fields) throws(Failure) in
            guard type == NBD.Answer.info, fields.bytes.count >= 2, fields.half(0) == NBD.Info.export else { return }
            guard fields.bytes.count == 12 else { throw .refused("the server breaks the protocol: its export's facts") }
            facts = (fields.long(2), fields.half(10))
        }
        if !isKnown { return false }
        guard let facts else { throw .refused("the server breaks the protocol: nothing about its export") }
        (size, flags) = (facts.size, NBD.Flags(rawValue: facts.flags))
        return true
    }

    private mutating func chooseByName(_ export: String, hasZeroes: Bool) throws(Failure) {
        try send(.exportName, Array(export.utf8))
        let facts = try io { () throws(Errno) in try stream.fields(10) }
        (size, flags) = (facts.long(0), NBD.Flags(rawValue: facts.half(8)))
        if hasZeroes { _ = try io { () throws(Errno) in try stream.bytes(124) } }
    }
}
