// `martlet img` against QEMU's tool: the same commands give the same output, errors and exit codes, and images that both can read.

import Glibc
import TestSupport
import Testing

@Suite struct ImageToolTests {
    private static func tool(_ line: String, in folder: String, qemu: Bool = false) throws -> ProcessRun {
        let program = qemu ? QemuImg.path : "\(try SystemBinary.system())' 'img"
        return try runProcess("/bin/sh", ["-c", "cd '\(folder)' && exec '\(program)' \(line)"], seconds: 30)
    }

    /// Lines that differ where files are sparse in other places, or where it is another second.
    private static func comparable(_ run: ProcessRun) -> String {
        let text = "\(run.ending)\n\(run.text)\n\(run.errorText)"
        return text.split(separator: "\n").filter { line in
            !["disk size:", "file length:", "\"actual-size\"", "one  ", "Run completed"].contains { line.contains($0) }
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
        "compare d.raw c.qcow2", "compare -s d.raw old.qcow2", "compare e.qcow2 raw", "compare d.raw old.qcow2",
        "compare missing raw", "snapshot -c one d.qcow2",
        "snapshot -l d.qcow2", "info d.qcow2", "snapshot -a one d.qcow2", "snapshot -a two d.qcow2",
        "snapshot -d two d.qcow2", "snapshot -d one d.qcow2", "snapshot -l d.qcow2", "resize d.qcow2 2M",
        "resize d.qcow2 1M", "resize --shrink d.qcow2 1M", "resize d.raw +512", "resize -f raw d.raw 3M",
        "resize d.qcow2 +1k", "info d.qcow2", "measure -O qcow2 raw", "measure --size 1G -O qcow2",
        "measure --size 10G -O qcow2 -o cluster_size=4k", "measure --output=json -O raw raw", "commit o.qcow2",
        "rebase -u -b c.qcow2 -F qcow2 o.qcow2", "compare o.qcow2 c.qcow2", "rebase -b '' o.qcow2",
        "compare o.qcow2 c.qcow2", "info o.qcow2", "map o.qcow2", "", "foo", "create", "info", "compare raw",
        "info --foo", "convert raw", "check missing", "dd if=raw of=p1",
        "dd -f raw -O qcow2 bs=1k count=700 skip=3 if=raw of=p2.qcow2", "dd bs=64k skip=2 -f qcow2 if=c.qcow2 of=p3",
        "compare p1 raw", "info p2.qcow2", "map --output=json p2.qcow2", "compare -f raw p3 raw", "dd if=raw",
        "dd bs=0 if=raw of=x", "dd bs=x if=raw of=x", "dd foo=1 if=raw of=x", "dd skip=100000 if=raw of=p4",
        "dd count=x if=raw of=x", "dd if=missing of=x", "dd raw", "info p4",
        "bench -c 10 -d 4 -s 4k -f raw raw", "bench --count=7 --step-size 500k -f raw raw",
        "create -q -f qcow2 w.qcow2 1M", "bench -w -c 64 -d 4 -s 16k --pattern 5 --flush-interval 9 -f qcow2 w.qcow2",
        "check w.qcow2", "bench -w -c 8 -d 1 -o 64k -S 32k -f qcow2 --no-drain --flush-interval 2 w.qcow2",
        "convert -O raw w.qcow2 w.raw", "compare w.qcow2 w.raw", "bench -w -c 5 --flush-interval 3 -f raw raw",
        "bench -c x raw", "bench -c 0 raw", "bench -d 0 raw", "bench -d x raw", "bench -s 0 raw", "bench -o x raw",
        "bench -w --pattern 300 raw", "bench --flush-interval 5 raw", "bench --flush-interval x raw", "bench -t x raw",
        "bench -i x raw", "bench", "bench missing",
    ]

    @Test(.qemuImg)
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

/// `martlet nbd`, with Martlet and QEMU's tool as clients.
@Suite struct NBDCommandTests {
    /// Serves a file of the folder by a Unix socket while `script` runs; `NBD` in it is the export's name, `IMG` a tool.
    private static func serve(_ options: String, _ script: String, in folder: String, tool: String? = nil) throws
        -> ProcessRun
    {
        let system = try SystemBinary.system()
        let script = script.replacing("NBD", with: "nbd+unix:///x?socket=s").replacing(
            "IMG", with: tool ?? "'\(system)' img")
        let line =
            "cd '\(folder)' && { timeout 20 '\(system)' nbd -k s -x x -t \(options) & server=$!; "
            + "i=0; while [ ! -S s ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done; "
            + "{ \(script); }; status=$?; kill $server; wait $server; echo \"server $?\"; exit $status; }"
        return try runProcess("/bin/sh", ["-c", line], seconds: 30)
    }

    private static func check(tool: String?) throws {
        let folder = try TemporaryFolder("nbd")
        var random = SeededRandom(seed: 9)
        try writeFile(
            folder.path + "/raw",
            (0..<600_064).map { $0 / 100_000 % 2 == 0 ? 0 : UInt8(truncatingIfNeeded: random.next()) })
        try writeFile(folder.path + "/other", (0..<600_064).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        let system = try SystemBinary.system()
        let made = try runProcess(
            "/bin/sh", ["-c", "cd '\(folder.path)' && '\(system)' img convert -f raw -O qcow2 raw disk"], seconds: 10)
        #expect(made.exit == 0)
        let run = try serve(
            "-f qcow2 disk",
            "IMG compare -f raw -F raw NBD raw && IMG info NBD && IMG convert -n -f raw -O raw other NBD && "
                + "IMG compare -f raw -F raw NBD other", in: folder.path, tool: tool)
        #expect(run.exit == 0 && run.text.contains("server 0\n"), "\(run.text) \(run.errorText)")
        #expect(
            run.text.contains(
                "protocol type: nbd\n    file length: 586 KiB (600064 bytes)\n    disk size: unavailable\n"),
            "\(run.text)")
        for options in ["-r -f raw raw", "-s -f qcow2 disk"] {
            let run = try serve(options, "IMG convert -n -f raw -O raw raw NBD || true", in: folder.path, tool: tool)
            #expect(
                run.text.contains("server 0\n") && run.errorText.isEmpty == options.hasPrefix("-s"), "\(run.errorText)")
        }
        let same = try runProcess(
            "/bin/sh",
            ["-c", "cd '\(folder.path)' && '\(system)' img compare disk other && '\(system)' img check disk"],
            seconds: 10)
        #expect(same.exit == 0, "\(same.text)")
    }

    @Test func imagesAreServed() throws { try Self.check(tool: nil) }

    @Test(.qemuImg)
    func imagesAreServedToQemu() throws { try Self.check(tool: QemuImg.path) }

    @Test(arguments: [
        ("", "one image"), ("/no/such/file", "/no/such/file"), ("-f vmdk FILE", "qcow2"), ("-p 70000 FILE", "65536"),
        ("--nonsense FILE", "nonsense"), ("-k /no/such/folder/s FILE", "/no/such/folder"), ("-e x FILE", "number"),
        ("FILE FILE", "one image"), ("--cache=some FILE", "writeback"),
    ])
    func whatCannotBeServedIsRefusedInOneLine(_ options: String, _ mention: String) throws {
        let folder = try TemporaryFolder("nbd")
        try writeFile(folder.path + "/file", [1, 2, 3])
        let words = options.replacing("FILE", with: folder.path + "/file").split(separator: " ").map(String.init)
        checkRefusal(try runProcess(SystemBinary.system(), ["nbd"] + words, seconds: 10), mentions: [mention])
    }
}
