// The words of the NBD protocol, and how they are read and written. All numbers are big-endian.
// (NetworkBlockDevice, doc/proto.md)

import HostOS

enum NBD {
    static let magic: UInt64 = 0x4e42_444d_4147_4943, optionMagic: UInt64 = 0x4948_4156_454f_5054
    static let oldMagic: UInt64 = 0x0000_4202_8186_1253
    static let optionReplyMagic: UInt64 = 0x0003_e889_0455_65a9
    static let requestMagic: UInt32 = 0x2560_9513, replyMagic: UInt32 = 0x6744_6698
    static let structuredMagic: UInt32 = 0x668e_33ef

    enum Handshake { static let fixedNewstyle: UInt32 = 1, noZeroes: UInt32 = 2 }

    enum Option: UInt32 {
        case exportName = 1, abort, list, startTLS = 5, info, go, structuredReply, listMetaContext, setMetaContext
    }

    enum Answer {
        static let ack: UInt32 = 1, server: UInt32 = 2, info: UInt32 = 3, metaContext: UInt32 = 4
        static let unsupported: UInt32 = 1 << 31 | 1, policy: UInt32 = 1 << 31 | 2, invalid: UInt32 = 1 << 31 | 3
        static let tlsRequired: UInt32 = 1 << 31 | 5, unknown: UInt32 = 1 << 31 | 6
        static let blockSizeRequired: UInt32 = 1 << 31 | 8, tooBig: UInt32 = 1 << 31 | 9
    }

    enum Info { static let export: UInt16 = 0, name: UInt16 = 1, description: UInt16 = 2, blockSize: UInt16 = 3 }

    struct Flags: OptionSet {
        let rawValue: UInt16
        static let hasFlags = Flags(rawValue: 1), readOnly = Flags(rawValue: 2), flush = Flags(rawValue: 4)
        static let fua = Flags(rawValue: 8), trim = Flags(rawValue: 32), writeZeroes = Flags(rawValue: 64)
        static let dontFragment = Flags(rawValue: 128), multiConnection = Flags(rawValue: 256)
    }

    enum Command: UInt16 { case read = 0, write, disconnect, flush, trim, writeZeroes = 6, blockStatus }

    enum CommandFlag {
        static let fua: UInt16 = 1, noHole: UInt16 = 2, dontFragment: UInt16 = 4, requestOne: UInt16 = 8
    }

    enum Chunk {
        static let none: UInt16 = 0, data: UInt16 = 1, hole: UInt16 = 2, blockStatus: UInt16 = 5
        static let error: UInt16 = 1 << 15 | 1, errorOffset: UInt16 = 1 << 15 | 2
        static let done: UInt16 = 1
    }

    enum Status { static let hole: UInt32 = 1, zero: UInt32 = 2 }

    static let context = "base:allocation"
    /// Most bytes of one request.
    static let largestRequest: UInt64 = 32 << 20
    static let port = "10809"
    /// Nanoseconds that the other side may take for a step of the handshake.
    static let patience: UInt64 = 30_000_000_000

    /// Numbers of errors that the protocol knows.
    static func number(_ errno: Errno) -> UInt32 {
        switch errno {
        case .perm, .rofs, .acces: 1
        case .nomem: 12
        case .inval: 22
        case .nospc, .fbig: 28
        case .opnotsupp: 95
        default: 5
        }
    }

    static func errno(_ number: UInt32) -> Errno {
        [1, 5, 12, 22, 28, 75, 95].contains(number) ? Errno(Int32(number)) : .io
    }
}

/// A connection, in the protocol's words.
struct NBDStream {
    let connection: HostConnection
    /// Nanoseconds; nil: it waits for ever.
    var patience: UInt64?

    func bytes(_ count: Int) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBufferPointer { (bytes) throws(Errno) in
            try connection.read(into: UnsafeMutableRawBufferPointer(bytes), nanoseconds: patience)
        }
        return bytes
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) {
        try connection.read(into: buffer, nanoseconds: patience)
    }

    func fields(_ count: Int) throws(Errno) -> BigEndianBytes { BigEndianBytes(try bytes(count)) }

    func write(_ bytes: [UInt8]) throws(Errno) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(Errno) in
            try connection.write(UnsafeRawBufferPointer(bytes), nanoseconds: patience)
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) { try connection.write(bytes, nanoseconds: patience) }
}
