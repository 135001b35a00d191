// Images of disks, and the two sides of a connection to one.

import Glibc
import HostOS

@testable import BlockLayer

extension FuzzTarget {
    /// The input is a file.
    static let qcow2 = FuzzTarget(
        name: "qcow2", summary: "files of qcow2 images: opened, checked, read, written, repaired",
        seeds: { try [2, 3].flatMap { try qcow2Seeds(version: $0) } },
        run: { bytes in
            readImage(bytes)
            writeImage(bytes)
        })

    private static func qcow2Seeds(version: UInt32) throws -> [[UInt8]] {
        var seeds: [[UInt8]] = []
        var creation = QCOW2Creation(size: 60_000)
        creation.clusterSize = 512
        creation.version = version
        let file = MemoryStorage([])
        try QCOW2Image.create(file, creation)
        seeds.append(file.bytes)
        let image = try QCOW2Image(file)
        try image.write(at: 1000, Array(repeating: 7, count: 6000))
        try image.createSnapshot("one", seconds: 0, nanoseconds: 0)
        try image.write(at: 3000, Array(repeating: 9, count: 1000))
        try image.writeZeroes(at: 5120, count: 2048, mayUnmap: false)
        for cluster in 20..<24 {
            try Array(repeating: UInt8(cluster), count: 512).withUnsafeBytes {
                try image.writeCompressed(at: UInt64(cluster * 512), $0)
            }
        }
        try image.close()
        seeds.append(file.bytes)
        return seeds
    }

    private static let imageOptions: ImageOptions = {
        var options = ImageOptions(format: "qcow2")
        options.opensBacking = false
        return options
    }()

    private static func readImage(_ bytes: [UInt8]) {
        guard let image = try? QCOW2Image(MemoryStorage(bytes, isReadOnly: true), imageOptions) else { return }
        _ = try? image.check(.nothing) { _ in }
        var at: UInt64 = 0
        for _ in 0..<64 where at < image.size {
            guard let extent = try? image.status(at: at, count: image.size - at) else { break }
            precondition(extent.count > 0 && extent.count <= image.size - at)
            at += extent.count
        }
        for offset in [0, image.size / 2, image.size - min(image.size, 8192)] {
            _ = try? image.bytes(offset, count: Int(min(image.size - offset, 8192)))
        }
    }

    private static func writeImage(_ bytes: [UInt8]) {
        var options = imageOptions
        for repairs in [true, false] {
            options.repairs = repairs
            guard let image = try? QCOW2Image(MemoryStorage(bytes), options) else { continue }
            if !repairs { _ = try? image.check(.all) { _ in } }
            for offset in [0, 3000, image.size / 2] where image.size >= 4000 && offset <= image.size - 4000 {
                _ = try? image.write(at: offset, Array(repeating: 1, count: 2000))
                _ = try? image.writeZeroes(at: offset + 2000, count: 1500, mayUnmap: true)
                _ = try? image.discard(at: offset + 100, count: 1500)
            }
            _ = try? image.createSnapshot("new", seconds: 1, nanoseconds: 2)
            if let snapshot = image.snapshots.first {
                _ = try? image.applySnapshot(snapshot)
                _ = try? image.deleteSnapshot(snapshot)
            }
            _ = try? image.resize(to: image.size &+ 10_000)
            _ = try? image.close()
        }
    }

    // MARK: NBD

    private static let patience: UInt64 = 200_000_000

    /// The input is what the client says.
    static let nbdServer = FuzzTarget(
        name: "nbd-server", summary: "what a client of the NBD server says",
        seeds: {
            // The client's words of each step, as its own code says them.
            let image = try RawImage(MemoryStorage(Array(repeating: 3, count: 65536)))
            return [
                try recorded { client in
                    let disk = try NBDImage(client, "", name: "seed", isReadOnly: false)
                    _ = try disk.bytes(0, count: 100)
                    try disk.write(at: 512, Array(repeating: 1, count: 64))
                    try disk.writeZeroes(at: 0, count: 512, mayUnmap: true)
                    try disk.discard(at: 0, count: 512)
                    _ = try disk.status(at: 0, count: 1000)
                    try disk.flush()
                    try disk.close()
                } with: {
                    NBDSession.run($0, [NBDExport(name: "", image: image, isReadOnly: false)])
                }
            ]
        },
        run: { bytes in
            guard let (server, client) = try? HostConnection.pair(),
                let image = try? RawImage(MemoryStorage(Array(repeating: 3, count: 65536)))
            else { return }
            let done = speak(bytes, client)
            NBDSession.run(server, [NBDExport(name: "", image: image, isReadOnly: false)], patience: patience)
            server.shutDown()
            done.wait()
        })

    /// The input is what the server says.
    static let nbdClient = FuzzTarget(
        name: "nbd-client", summary: "what an NBD server says",
        seeds: {
            let image = try RawImage(MemoryStorage(Array(repeating: 3, count: 8192)))
            return [
                try recorded { server in
                    NBDSession.run(server, [NBDExport(name: "", image: image, isReadOnly: false)])
                } with: { client in
                    use(client)
                }
            ]
        },
        run: { bytes in
            guard let (server, client) = try? HostConnection.pair() else { return }
            let done = speak(bytes, server)
            use(client)
            client.shutDown()
            done.wait()
        })

    private static func use(_ connection: HostConnection) {
        guard
            let disk = try? NBDImage(connection, "", name: "fuzz", isReadOnly: false, patience: patience)
        else { return }
        _ = try? disk.bytes(0, count: Int(min(disk.size, 512)))
        if disk.size >= 4096 {
            if let extent = try? disk.status(at: 0, count: 4096) {
                precondition(extent.count > 0 && extent.count <= 4096)
            }
            _ = try? disk.write(at: 0, Array(repeating: 1, count: 64))
            _ = try? disk.writeZeroes(at: 0, count: 4096, mayUnmap: true)
            _ = try? disk.bytes(512, count: 3000)
        }
        _ = try? disk.flush()
        _ = try? disk.close()
    }

    /// Says bytes, then nothing more, and hears all that comes, on a thread of its own.
    private static func speak(_ bytes: [UInt8], _ connection: HostConnection) -> Ending {
        let ending = Ending()
        ending.start {
            bytes.withUnsafeBytes { try? connection.write($0, nanoseconds: 1_000_000_000) }
            shutdown(connection.descriptor, Int32(SHUT_WR))
            hear(connection) { _ in }
        }
        return ending
    }

    private static func hear(_ connection: HostConnection, _ body: ([UInt8]) -> Void) {
        var bytes: [UInt8] = [0]
        while bytes.withUnsafeMutableBytes({ (try? connection.read(into: $0)) != nil }) { body(bytes) }
    }

    /// What one side says to another in a conversation.
    private static func recorded(
        _ side: @escaping @Sendable (HostConnection) throws -> Void,
        with other: @escaping @Sendable (HostConnection) -> Void
    ) throws -> [UInt8] {
        let (near, nearEnd) = try HostConnection.pair(), (far, farEnd) = try HostConnection.pair()
        let said = Said(), endings = [Ending(), Ending(), Ending()]
        endings[0].start {
            other(far)
            far.shutDown()
        }
        endings[1].start {
            hear(nearEnd) { bytes in
                said.bytes += bytes
                bytes.withUnsafeBytes { try? farEnd.write($0, nanoseconds: 1_000_000_000) }
            }
            farEnd.shutDown()
        }
        endings[2].start {
            hear(farEnd) { bytes in bytes.withUnsafeBytes { try? nearEnd.write($0, nanoseconds: 1_000_000_000) } }
            nearEnd.shutDown()
        }
        defer {
            near.shutDown()
            for ending in endings { ending.wait() }
        }
        try side(near)
        near.shutDown()
        endings[1].wait()
        return said.bytes
    }
}

private final class Said: @unchecked Sendable {
    var bytes: [UInt8] = []
}

/// The end of a thread that a test has started.
private final class Ending: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }
    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func start(_ body: @escaping @Sendable () -> Void) {
        do throws(Errno) {
            try HostThread.start {
                body()
                sem_post(self.semaphore)
            }
        } catch { sem_post(semaphore) }
    }

    /// It may be awaited again.
    func wait() {
        while sem_wait(semaphore) != 0 {}
        sem_post(semaphore)
    }
}

extension BlockImage {
    fileprivate func bytes(_ offset: UInt64, count: Int) throws(BlockError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 512)
        defer { buffer.deallocate() }
        try read(at: offset, into: [UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count))])
        return Array(buffer.prefix(count))
    }

    fileprivate func write(at offset: UInt64, _ bytes: [UInt8]) throws(BlockError) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(BlockError) in
            try write(at: offset, from: [UnsafeRawBufferPointer(bytes)])
        }
    }
}
