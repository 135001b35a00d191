// Messages of 9P2000.L: integers least significant byte first, texts with their length (2) before them.
//
//     size (4), type (1), tag (2) | what the type says
//
// Source: Plan 9 manual, section 5; the diod project's protocol.md for 9P2000.L.

import HostOS

/// What a request asks for. An answer's number is one more.
enum MessageKind: UInt8 {
    case statistics = 8, open = 12, create = 14, symbolicLink = 16, makeNode = 18, rename = 20, readLink = 22
    case getAttributes = 24, setAttributes = 26, walkAttribute = 30, createAttribute = 32, readFolder = 40, flushFile =
        50
    case lock = 52, getLock = 54, link = 70, makeFolder = 72, renameAt = 74, unlinkAt = 76, version = 100
    case authenticate = 102, attach = 104, flush = 108, walk = 110, read = 116, write = 118, clunk = 120, remove = 122

    /// The answer that says what went wrong.
    static let error: UInt8 = 7
}

/// Reads a request. What is not there reads as an error.
struct MessageReader {
    private let bytes: ArraySlice<UInt8>
    private var at: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    mutating func number<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(Errno) -> T {
        let count = T.bitWidth / 8
        guard bytes.endIndex - at >= count else { throw .inval }
        defer { at += count }
        return (0..<count).reduce(0) { $0 | T(truncatingIfNeeded: bytes[at + $1]) &<< T(8 * $1) }
    }

    mutating func data(_ count: Int) throws(Errno) -> ArraySlice<UInt8> {
        guard count <= bytes.endIndex - at else { throw .inval }
        defer { at += count }
        return bytes[at..<at + count]
    }

    /// A text without zeros, which file names and paths do not have.
    mutating func text() throws(Errno) -> String {
        let bytes = try data(Int(number(UInt16.self)))
        guard !bytes.contains(0) else { throw .inval }
        // Names of files are bytes; what is no UTF-8 is refused rather than changed.
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .inval }
        return text
    }

    /// A name of something in a folder.
    mutating func name() throws(Errno) -> String {
        let name = try text()
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else { throw .inval }
        return name
    }
}

struct MessageWriter {
    private(set) var bytes: [UInt8]

    /// `kind`: the number of the answer.
    init(_ kind: UInt8, tag: UInt16) { bytes = [0, 0, 0, 0, kind, UInt8(tag & 255), UInt8(tag >> 8)] }

    mutating func add<T: FixedWidthInteger>(_ value: T) {
        for index in 0..<T.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: value &>> T(8 * index))) }
    }

    mutating func add(text: [UInt8]) {
        add(UInt16(text.count))
        bytes += text
    }

    mutating func add(data: some Collection<UInt8>) {
        add(UInt32(data.count))
        bytes += data
    }

    mutating func add(_ identity: Identity) {
        add(identity.kind)
        add(identity.version)
        add(identity.path)
    }

    /// The message, with its size filled in.
    var finished: [UInt8] {
        var bytes = bytes
        for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: bytes.count >> (8 * index)) }
        return bytes
    }
}

/// What the protocol calls a qid: two are equal when they are the same file.
struct Identity {
    static let size = 13
    static let folder: UInt8 = 0x80, link: UInt8 = 2
    var kind: UInt8
    var version: UInt32
    var path: UInt64
}
