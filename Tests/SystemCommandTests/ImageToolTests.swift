// `martlet img` against QEMU's tool: the same commands give the same output, errors and exit codes, and images that both can read.

import Glibc
import TestSupport
import Testing

@Suite struct ImageToolTests {
    private static let qemu =
        (environmentValue("XDG_CACHE_HOME") ?? (environmentValue("HOME") ?? "/root") + "/.cache")
        + "/martlet/payloads/qemu-img"

    private static func tool(_ line: String, in folder: String, qemu: Bool = false) throws -> ProcessRun {
        let program = qemu ? Self.qemu : "\(try SystemBinary.system())' 'img"
        return try runProcess("/bin/sh", ["-c", "cd '\(folder)' && exec '\(program)' \(line)"], seconds: 30)
    }

    /// Lines that differ where files are sparse in other places, or where it is another second.
    private static func comparable(_ run: ProcessRun) -> String {
        let text = "\(run.ending)\n\(run.text)\n\(run.errorText)"
        return text.split(separator: "\n").filter { line in
            !["disk size:", "file length:", "\"actual-size\"", "one  "].contains { line.contains($0) }
        }.joined(separator: "\n")
    }

    private static let script = [
        "create -f qcow2 d.qcow2 1M", "create -f raw d.raw 1M", "create -f qcow2 -b d.qcow2 -F qcow2 o.qcow2",
        "create -f qcow2 -o cluster_size=4k,lazy_refcounts=on,compat=1.1 e.qcow2 10M", "create none.raw",
        "create -f foo x 1M", "create -f qcow2 x abc", "create -f qcow2 -b d.qcow2 x", "create -q -f qcow2 q.qcow2 1G",
        "create -f qcow2 -o compat=0.10 old.qcow2 3M", "info old.qcow2", "info d.qcow2", "info d.raw",
        "info --backing-chain o.qcow2", "info missing", "info e.qcow2", "check d.qcow2", "check --output=json d.qcow2",
        "check d.raw", "convert -O qcow2 raw c.qcow2", "convert -c -O qcow2 raw c2.qcow2",
        "convert -O qcow2 -o compression_type=zstd -c raw c3.qcow2", "check c.qcow2", "check c3.qcow2", "map raw",
        "map --output=json raw", "map c.qcow2", "map --output=json c.qcow2", "map --output=json o.qcow2",
        "map c2.qcow2", "compare raw c.qcow2", "compare raw c2.qcow2", "compare c2.qcow2 c3.qcow2",
        "compare d.raw c.qcow2", "compare -s d.raw old.qcow2", "compare missing raw", "snapshot -c one d.qcow2",
        "snapshot -l d.qcow2", "info d.qcow2", "snapshot -a one d.qcow2", "snapshot -a two d.qcow2",
        "snapshot -d two d.qcow2", "snapshot -d one d.qcow2", "snapshot -l d.qcow2", "resize d.qcow2 2M",
        "resize d.qcow2 1M", "resize --shrink d.qcow2 1M", "resize d.raw +512", "resize -f raw d.raw 3M",
        "resize d.qcow2 +1k", "info d.qcow2", "measure -O qcow2 raw", "measure --size 1G -O qcow2",
        "measure --size 10G -O qcow2 -o cluster_size=4k", "measure --output=json -O raw raw", "commit o.qcow2",
        "rebase -u -b c.qcow2 -F qcow2 o.qcow2", "compare o.qcow2 c.qcow2", "rebase -b '' o.qcow2",
        "compare o.qcow2 c.qcow2", "info o.qcow2", "map o.qcow2", "", "foo", "create", "info", "compare raw",
        "info --foo", "convert raw", "check missing",
    ]

    @Test(.enabled(if: access(qemu, X_OK) == 0, "./devtool payloads fetches qemu-img"))
    func outputAndExitCodesAreQemus() throws {
        let own = try TemporaryFolder("img"), other = try TemporaryFolder("img")
        var random = SeededRandom(seed: 8)
        let bytes = (0..<1 << 20).map { $0 < 300_000 ? UInt8(truncatingIfNeeded: random.next()) : $0 < 600_000 ? 5 : 0 }
        for folder in [own.path, other.path] { try writeFile(folder + "/raw", bytes) }
        for line in Self.script {
            let run = try Self.tool(line, in: own.path), wanted = try Self.tool(line, in: other.path, qemu: true)
            #expect(Self.comparable(run) == Self.comparable(wanted), "\(line)")
        }
        // What one has made the other finds in order.
        for name in own.files where name.hasSuffix(".qcow2") {
            let check = try Self.tool("check \(name)", in: own.path, qemu: true)
            #expect(check.exit == 0, "\(name): \(check.text)")
        }
        for name in other.files where name.hasSuffix(".qcow2") {
            let check = try Self.tool("check \(name)", in: other.path)
            #expect(check.exit == 0, "\(name): \(check.text)")
            let same = try Self.tool("compare \(own.path)/\(name) \(other.path)/\(name)", in: own.path, qemu: true)
            #expect(same.exit == 0, "\(name): \(same.text)")
        }
    }

    @Test func aConvertedImageShowsTheSame() throws {
        let folder = try TemporaryFolder("img")
        let bytes = (0..<700_160).map { $0 % 90_000 < 30_000 ? 0 : UInt8(truncatingIfNeeded: $0) }
        try writeFile(folder.path + "/raw", bytes)
        for options in ["-O qcow2", "-O qcow2 -c", "-O qcow2 -o cluster_size=512", "-O qcow2 -S 0"] {
            for line in [
                "convert \(options) raw disk", "check disk", "compare raw disk", "convert -O raw disk again",
            ] {
                let run = try Self.tool(line, in: folder.path)
                #expect(run.exit == 0, "\(options): \(line): \(run.text)\(run.errorText)")
            }
            // The disk has whole sectors.
            let isSame = readFile(folder.path + "/again") == bytes + Array(repeating: 0, count: 256)
            #expect(isSame)
        }
    }
}
