// An image whose server is killed while it is written.

import BlockLayer
import Glibc
import HostOS
import TestSupport
import Testing

/// What a sector may hold: the value that was flushed last, or one of those written since then.
private struct Sectors {
    static let count = 4096, size = 512
    private var flushed = [UInt32](repeating: 0, count: Sectors.count)
    private var later = [[UInt32]](repeating: [], count: Sectors.count)

    mutating func write(_ range: Range<Int>, _ value: UInt32) { for sector in range { later[sector].append(value) } }

    private(set) var flushes = 0

    mutating func flush() {
        flushes += 1
        for sector in later.indices {
            if let last = later[sector].last { flushed[sector] = last }
            later[sector] = []
        }
    }

    func allows(_ sector: Int, _ value: UInt32) -> Bool { value == flushed[sector] || later[sector].contains(value) }
}

@Suite struct KilledServerTests {
    /// Writes and flushes until the server is gone, or `limit` requests have been made. True: all have.
    private static func work(
        _ image: any BlockImage, _ sectors: inout Sectors, _ random: inout SeededRandom, limit: Int = .max
    ) -> Bool {
        var value: UInt32 = 0
        for _ in 0..<limit {
            let start = random.below(Sectors.count), end = min(Sectors.count, start + 1 + random.below(300))
            let offset = UInt64(start * Sectors.size), count = (end - start) * Sectors.size
            do {
                switch random.below(8) {
                case 0:
                    try image.flush()
                    sectors.flush()
                case 1:
                    sectors.write(start..<end, 0)
                    try image.writeZeroes(at: offset, count: UInt64(count), mayUnmap: random.below(2) == 0)
                default:
                    value += 1
                    sectors.write(start..<end, value)
                    let words = [UInt32](repeating: value, count: count / 4)
                    try words.withUnsafeBytes { try image.write(at: offset, from: [$0]) }
                }
            } catch { return false }
        }
        return true
    }

    private static func makeDisk(_ disk: String, lazy: Bool) throws {
        var creation = QCOW2Creation(size: UInt64(Sectors.count * Sectors.size))
        creation.clusterSize = 4096
        creation.hasLazyRefcounts = lazy
        let file = try BlockFile.create(disk)
        try QCOW2Image.create(file, creation)
        file.unlock()
    }

    private static func connect(_ socket: String) -> (any BlockImage)? {
        let end = HostClock.monotonic() + 10_000_000_000
        while HostClock.monotonic() < end {
            if let image = try? openImage("nbd:unix:" + socket, ImageOptions(format: "raw")) { return image }
            HostThread.sleep(nanoseconds: 1_000_000)
        }
        return nil
    }

    @Test(.seeded(61), arguments: [false, true])
    func whatWasFlushedIsThereWhenAServerIsKilledAtARandomTime(lazy: Bool) throws {
        var random = SeededRandom(seed: Seed.current), flushes = 0
        for _ in 0..<Rounds.count(8) {
            let folder = try TemporaryFolder("killed"), disk = folder.path + "/disk", socket = folder.path + "/s"
            try Self.makeDisk(disk, lazy: lazy)
            var sectors = Sectors()
            let time = UInt64(random.below(120_000_000))
            let run = try runProcess(
                try SystemBinary.system(), ["nbd", "-k", socket, "-f", "qcow2", "-t", disk], seconds: 30
            ) { server in
                let image = Self.connect(socket)
                try? HostThread.start {
                    HostThread.sleep(nanoseconds: time)
                    kill(server, SIGKILL)
                }
                if let image { _ = Self.work(image, &sectors, &random) }
            }
            #expect(run.signal == SIGKILL)
            try Self.check(disk, sectors, isLazy: lazy)
            flushes += sectors.flushes
        }
        #expect(flushes > 20, "servers are killed while they work, not before: \(flushes)")
    }

    private static let tracer = "/usr/bin/strace"
    /// What changes a file, and what makes the change last.
    private static let calls = "pwritev,pwrite64,fallocate,ftruncate,fdatasync"

    /// The server is killed where it is about to make the first such call, then the second, and so on, until it has made all of them.
    @Test(
        .seeded(62), .enabled(if: access(tracer, X_OK) == 0, "strace kills the server: it is not there"),
        arguments: [false, true])
    func whatWasFlushedIsThereWhicheverCallAServerIsKilledAt(lazy: Bool) throws {
        var kills = 0, isDone = false, number = 1
        // All of them take ten seconds.
        let step = getenv("MARTLET_LONG") == nil ? 9 : 1
        while !isDone, number < 5000 {
            var random = SeededRandom(seed: Seed.current)
            let folder = try TemporaryFolder("killed"), disk = folder.path + "/disk", socket = folder.path + "/s"
            try Self.makeDisk(disk, lazy: lazy)
            var sectors = Sectors()
            let command =
                ["-f", "-qq", "-o", "/dev/null", "-e", "trace=" + Self.calls]
                + ["-e", "inject=\(Self.calls):signal=KILL:when=\(number)", try SystemBinary.system()]
                + ["nbd", "-k", socket, "-f", "qcow2", disk]
            let run = try runProcess(Self.tracer, command, seconds: 60) { _ in
                guard let image = Self.connect(socket) else { return }
                isDone = Self.work(image, &sectors, &random, limit: 80)
                if isDone { try? image.close() }
            }
            if run.signal == SIGKILL { kills += 1 }
            #expect(run.signal == SIGKILL || isDone, "\(run.errorText)")
            try Self.check(disk, sectors, isLazy: lazy)
            number += step
        }
        #expect(isDone && kills * step > 60, "\(kills) kills")
    }

    private static func check(_ disk: String, _ sectors: Sectors, isLazy: Bool) throws {
        // Refcounts that are written lazily are counted anew when the image is opened.
        var options = ImageOptions(format: "qcow2", isReadOnly: !isLazy)
        options.repairs = isLazy
        let image = try #require(try openImage(disk, options) as? QCOW2Image)
        var lines: [String] = []
        let result = try image.check(.nothing) { lines.append($0) }
        #expect(result.corruptions == 0, "\(lines.prefix(5))")
        var words = [UInt32](repeating: 0, count: Sectors.count * Sectors.size / 4)
        try words.withUnsafeMutableBytes { try image.read(at: 0, into: [$0]) }
        let wrong = (0..<Sectors.count).first { !sectors.allows($0, words[$0 * Sectors.size / 4]) }
        #expect(wrong == nil, "sector \(wrong ?? 0) holds \(words[(wrong ?? 0) * Sectors.size / 4])")
        try image.close()
        #expect(try QemuImg.checks(disk, mayLeak: true))
    }
}
