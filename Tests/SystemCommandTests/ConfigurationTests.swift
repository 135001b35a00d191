// Options in a file, and properties of all devices of a kind.

import TestSupport
import Testing

@Suite struct ConfigurationTests {
    private static func run(_ configuration: String, _ options: String = "", typing lines: String) throws -> String {
        let run = try SystemBinary.run(
            typing: "\\001c\(lines)\\nquit\\n", "-S -bios none -readconfig FILE \(options)",
            file: Array(configuration.utf8))
        #expect(run.exit == 0, "\(run.ending) \(run.text) \(run.errorText)")
        return String(decoding: run.output.filter { $0 != 13 }, as: UTF8.self)
    }

    @Test func optionsOfAFileMakeAMachine() throws {
        let text = try Self.run(
            """
            # a machine
            [machine]
              type = "virt"
              aclint = "on"
            [memory]
              size = "256"
            [smp-opts]
              cpus = "2"
            [name]
              guest = "a,b"
            [drive "d"]
              file = "json:{'driver': 'null-co', 'size': 65536}"
              if = "none"
            [device "disk"]
              drive = "d"
              driver = "virtio-blk-device"
            [chardev "ring"]
              size = "64"
              backend = "ringbuf"
            [netdev "n"]
              type = "hubport"
              hubid = "0"
            [object "o"]
              qom-type = "rng-builtin"
            [global]
              driver = "virtio-rng-device"
              property = "rng"
              value = "o"
            """, typing: "info name\\ninfo block\\ninfo mtree\\ninfo cpus\\nringbuf_write ring x\\nringbuf_read ring 9")
        for part in [
            "\na,b\n", "\nd (#block", "Attached to:      disk", "000000008fffffff", "hart 1",
            "sswi", "\nx\n",
        ] { #expect(text.contains(part), "no '\(part)' in: \(text)") }
    }

    @Test(arguments: [
        ("[nonsense]", ["line 1", "nonsense", "device"]), ("\na = \"b\"", ["line 2", "'a'", "[GROUP]"]),
        ("[device \"x\"\na = \"b\"", ["line 1", "[GROUP \"ID\"]"]), ("[device \"\"]", ["line 1"]),
        ("[device]\ndriver = virtio", ["line 2", "NAME = \"VALUE\""]),
        ("# c\n\n[device \"x\"]\n driver = \"nonsense\"", ["line 3", "[device \"x\"]", "nonsense"]),
        ("[memory]\n nonsense = \"5\"", ["line 1", "[memory]", "nonsense"]),
        ("[machine]\n type = \"nonsense\"", ["nonsense", "virt, spike"]),
    ]) func whatIsWrongInAFileIsSaidWithItsLine(_ text: String, _ mentions: [String]) throws {
        let run = try SystemBinary.run(["-bios", "none", "-readconfig", "FILE"], file: Array(text.utf8))
        checkRefusal(run, mentions: mentions + (mentions[0].hasPrefix("line") ? ["-readconfig", "/file"] : []))
    }

    @Test func aFileWithoutAnEndIsRefused() throws {
        checkRefusal(try SystemBinary.run(["-readconfig", "/dev/zero"]), mentions: ["/dev/zero", "large"])
    }

    // MARK: -global

    @Test func aGlobalPropertyHoldsForWhatIsNotToldAnother() throws {
        let text = try Self.run(
            """
            [netdev "m"]
            type = "hubport"
            hubid = "0"
            [netdev "n"]
            type = "hubport"
            hubid = "0"
            [device "a"]
            driver = "virtio-net-pci"
            netdev = "m"
            [device "b"]
            driver = "virtio-net-device"
            netdev = "n"
            mac = "52:54:00:00:00:08"
            """,
            "-global virtio-net-pci.mac=52:54:00:00:00:06 -global virtio-net-device.mac=52:54:00:00:00:07",
            typing: "info network")
        #expect(text.contains("52:54:00:00:00:07") && text.contains("52:54:00:00:00:08"), "\(text)")
        #expect(!text.contains("52:54:00:00:00:06"), "of two the last counts: \(text)")
    }

    @Test func aGlobalPropertyOfAnUnknownKindIsSaid() throws {
        let run = try SystemBinary.run(
            typing: "\\001cquit\\n", "-S -bios none -global nonsense.a=b -global ide-hd.x=y", file: [])
        #expect(run.exit == 0)
        let lines = run.errorText.split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains("-global nonsense.a=b") && lines[1].contains("'ide-hd'"))
    }
}
