// Messages of 9P, one after the other, to a folder of the target's own.

import Glibc
import HostOS

@testable import FileShare

extension FuzzTarget {
    /// Messages behind their lengths (2).
    static let share = FuzzTarget(
        name: "9p", summary: "requests for the files of a folder",
        seeds: { [shareSeed] },
        run: { bytes in
            // Owners, modes and devices are kept in attributes: no input makes anything but files, folders and links.
            guard let folder = shareFolder,
                let share = try? Share(ShareSpec(path: folder, security: .mapped))
            else { return }
            let session = Session(share)
            var input = FuzzInput(bytes)
            for _ in 0..<100 where !input.isAtEnd {
                let message = input.bytes(Int(input.number(UInt16.self)))
                if let answer = session.answer(message, room: 8192) { precondition(answer.count <= 8192) }
            }
            session.reset()
            empty(folder)
        })

    private static let shareFolder: String? = {
        var template = Array("/tmp/martlet-fuzz-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        atexit { if let folder = FuzzTarget.shareFolder { rmdir(folder) } }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()

    private static func empty(_ folder: String) {
        for name in HostFile.names(in: folder) where name != "." && name != ".." {
            let inner = folder + "/" + name
            if unlink(inner) != 0 {
                empty(inner)
                rmdir(inner)
            }
        }
    }

    private static var shareSeed: [UInt8] {
        var seed = FuzzSeed()
        func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count), 0] + Array(text.utf8) }
        func add(_ kind: MessageKind, _ body: [UInt8]...) {
            let body = body.flatMap { $0 }
            seed.add(UInt16(body.count + 7))
            seed.bytes += word(UInt32(body.count + 7)) + [kind.rawValue, 1, 0] + body
        }
        let zero = word(0), one = word(1), two = word(2), long = zero + zero
        add(.version, word(8192), text("9P2000.L"))
        add(.attach, zero, word(.max), text("root"), text(""), zero)
        add(.makeFolder, zero, text("folder"), word(0o755), zero)
        add(.walk, zero, one, [1, 0], text("folder"))
        add(.create, one, text("file"), two, word(0o644), zero)
        add(.write, one, long, word(5), Array("hello".utf8))
        add(.read, one, long, word(100))
        add(.getAttributes, one, word(0x7ff), zero)
        add(.setAttributes, one, word(0x1ff), word(0o600), one, one, word(3), zero, long, long, long, long)
        add(.flushFile, one, zero)
        add(.walkAttribute, one, two, text(""))
        add(.clunk, two)
        add(.createAttribute, one, text("user.a"), word(3), zero, zero)
        add(.symbolicLink, zero, text("link"), text("folder/file"), zero)
        add(.makeNode, zero, text("node"), word(0o20644), one, two, zero)
        add(.walk, zero, two, [1, 0], text("link"))
        add(.readLink, two)
        add(.link, zero, two, text("other"))
        add(.renameAt, zero, text("node"), zero, text("name"))
        add(.walk, zero, word(4), [0, 0])
        add(.open, word(4), zero)
        add(.readFolder, word(4), long, word(4000))
        add(.unlinkAt, zero, text("name"), zero)
        add(.statistics, zero)
        add(.lock, one, [0], zero, long, long, one, text("c"))
        add(.getLock, one, [0], long, long, one, text("c"))
        add(.clunk, one)
        return seed.bytes
    }
}
