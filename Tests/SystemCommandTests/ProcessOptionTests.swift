// What a machine is called, what its firmware is told, and the process that it is.

import Glibc
import TestSupport
import Testing

@Suite struct FirmwareItemTests {
    private static func item(_ key: UInt16, count: Int, _ options: [String]) throws -> [UInt8] {
        let run = try SystemBinary.run(
            ["-bios", "none", "-kernel", "FILE", "-monitor", "none", "-serial", "stdio"] + options,
            file: MachineProgram.firmwareItem(key, count: count).raw)
        #expect(run.exit == 0 && run.errorText == "", "\(run.ending) \(run.errorText)")
        return run.output
    }

    /// Numbers and sizes of files by their names.
    private static func files(_ options: [String]) throws -> [String: (key: UInt16, count: Int)] {
        let bytes = try item(0x19, count: 4 + 64 * 16, options)
        var files: [String: (key: UInt16, count: Int)] = [:]
        for index in 0..<Int(bytes[3]) {
            let row = Array(bytes[(4 + 64 * index)..<(68 + 64 * index)])
            files[String(decoding: row[8...].prefix { $0 != 0 }, as: UTF8.self)] = (
                UInt16(row[4]) << 8 | UInt16(row[5]), row[..<4].reduce(0) { $0 << 8 | Int($1) }
            )
        }
        return files
    }

    private static func file(_ name: String, _ options: [String]) throws -> [UInt8]? {
        guard let row = try files(options)[name] else { return nil }
        return try item(row.key, count: row.count, options)
    }

    @Test func firmwareIsToldTheUUID() throws {
        let uuid = ["-uuid", "12345678-9ABC-def0-1234-567890abcdef"]
        #expect(
            try Self.item(2, count: 16, uuid) == [
                0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x12, 0x34, 0x56, 0x78, 0x90, 0xab, 0xcd, 0xef,
            ])
        #expect(try Self.item(2, count: 16, []) == Array(repeating: 0, count: 16))
    }

    @Test func firmwareIsToldHowToBoot() throws {
        #expect(try Self.item(0xe, count: 2, []) == [0, 0])
        #expect(try Self.item(0xe, count: 2, ["-boot", "dc,menu=on"]) == [1, 0])
        #expect(try Self.file("etc/boot-fail-wait", []) == [0xff, 0xff, 0xff, 0xff])
        let options = ["-boot", "reboot-timeout=300,splash-time=5", "-boot", "strict=on"]
        #expect(try Self.file("etc/boot-fail-wait", options) == [0x2c, 1, 0, 0])
        #expect(try Self.file("etc/boot-menu-wait", options) == [5, 0])
        // Without a device that has a place there is no order.
        #expect(try Self.files(options)["bootorder"] == nil)
        let order = try Self.file("bootorder", options + ["-device", "virtio-net-pci,addr=3,bootindex=7"])
        #expect(
            order.map { String(decoding: $0, as: UTF8.self) }
                == "/pci@ffffffffffffffff/ethernet@3/ethernet-phy@0\nHALT\0")
    }

    @Test func firmwareGetsAPicture() throws {
        let folder = try TemporaryFolder("splash"), path = folder.path + "/p"
        let picture: [UInt8] = [0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]
        try writeFile(path, picture)
        #expect(try Self.file("bootsplash.jpg", ["-boot", "splash=\(path)"]) == picture)
        var map = Array("BM".utf8) + [UInt8](repeating: 0, count: 60)
        map[28] = 24
        try writeFile(path, map)
        #expect(try Self.file("bootsplash.bmp", ["-boot", "splash=\(path)"]) == map)
    }
}

@Suite struct ProcessOptionTests {
    private static let bare = ["-bios", "none", "-kernel", "FILE", "-monitor", "none", "-serial", "none"]

    private static func wait(_ condition: () -> Bool) -> Bool {
        for _ in 0..<500 where !condition() { usleep(20_000) }
        return condition()
    }

    private static func text(_ path: String) -> String { String(decoding: readFile(path) ?? [], as: UTF8.self) }

    @Test func theMonitorShowsNameAndUUID() throws {
        let run = try SystemBinary.run(
            typing: "\\001cinfo name\\ninfo uuid\\nquit\\n",
            "-S -bios none -kernel FILE -name guest=a,,b,process=x -uuid 12345678-9ABC-def0-1234-567890abcdef",
            file: MachineProgram.idle.raw)
        #expect(run.exit == 0 && run.text.contains("\r\na,b\r\n"), "\(run.ending) \(run.text)")
        #expect(run.text.contains("\r\n12345678-9abc-def0-1234-567890abcdef\r\n"))
    }

    @Test func theProcessAndItsThreadsHaveNames() throws {
        for isNamed in [false, true] {
            let options = ["-name", "m,process=bird,debug-threads=\(isNamed ? "on" : "off")", "-smp", "2"]
            let run = try SystemBinary.run(options + Self.bare, file: MachineProgram.idle.raw) { child in
                func names() -> [String] {
                    let tasks = try? runProcess(
                        "/bin/sh", ["-c", "cat /proc/\(child)/task/*/comm"], seconds: 5)
                    return (tasks?.text ?? "").split(separator: "\n").map(String.init)
                }
                let wanted = isNamed ? "CPU 1/TCG" : "bird"
                #expect(Self.wait { names().count > 2 && names().contains(wanted) }, "\(names())")
                #expect(names().contains("CPU 0/TCG") == isNamed)
                #expect(Self.text("/proc/\(child)/comm") == "bird\n")
                kill(child, SIGTERM)
            }
            #expect(run.signal == SIGTERM, "\(run.ending) \(run.errorText)")
        }
    }

    @Test func theProcesssNumberIsInItsFileWhileItRuns() throws {
        let folder = try TemporaryFolder("pid"), path = folder.path + "/pid"
        // What a process that was killed has left.
        try writeFile(path, Array("99999999\n".utf8))
        let run = try SystemBinary.run(["-pidfile", path] + Self.bare, file: MachineProgram.idle.raw) { child in
            #expect(Self.wait { Self.text(path) == "\(child)\n" }, "\(Self.text(path))")
            if let other = try? SystemBinary.run(["-pidfile", path] + Self.bare, file: MachineProgram.idle.raw) {
                checkRefusal(other, mentions: ["-pidfile \(path)", "another process"])
            }
            #expect(Self.text(path) == "\(child)\n" && folder.files == ["pid"], "\(folder.files)")
            kill(child, SIGTERM)
        }
        #expect(run.signal == SIGTERM && folder.files == [], "\(run.ending) \(folder.files)")
        // Nothing stays of a machine that cannot be made.
        let bad = try SystemBinary.run(["-pidfile", path, "-chardev", "file,id=a,path=/no/such/file"] + Self.bare)
        #expect(bad.exit == 1 && folder.files == [], "\(bad.ending) \(folder.files)")
    }

    @Test func actionsSayWhatBecomesOfAMachine() throws {
        let serial = ["-bios", "none", "-kernel", "FILE", "-monitor", "none", "-serial", "stdio"]
        let boots = MachineProgram.threeBoots("boot\n").raw
        let once = try SystemBinary.run(["-action", "reboot=shutdown,panic=none"] + serial, file: boots)
        #expect(once.text == "boot\n" && once.exit == 0, "\(once.ending) \(once.text)")
        let thrice = try SystemBinary.run(["-no-reboot", "-action", "reboot=reset"] + serial, file: boots)
        #expect(thrice.text == "boot\nboot\nboot\n" && thrice.exit == 0, "\(thrice.ending) \(thrice.text)")
        let stopped = try SystemBinary.run(
            ["-action", "shutdown=pause"] + serial, file: MachineProgram.virt("end\n", finish: 0x5555).raw
        ) {
            child in
            usleep(700_000)
            kill(child, SIGTERM)
        }
        #expect(stopped.text == "end\n" && stopped.signal == SIGTERM, "\(stopped.ending) \(stopped.text)")
    }

    // MARK: Daemons

    /// The machine goes on, and its files are there, when who has started it is told that it stands.
    @Test func aDaemonStandsWhenItsParentEnds() throws {
        let folder = try TemporaryFolder("daemon"), pid = folder.path + "/pid", out = folder.path + "/out"
        let options = [
            "-daemonize", "-pidfile", pid, "-bios", "none", "-kernel", "FILE", "-serial", "file:\(out)", "-monitor",
            "unix:\(folder.path)/monitor,server,nowait",
        ]
        let run = try SystemBinary.run(options, file: MachineProgram.talking("hello\n").raw)
        #expect(run.exit == 0 && run.output == [] && run.errorText == "", "\(run.ending) \(run.errorText)")
        let number = try #require(pid_t(Self.text(pid).dropLast()))
        defer { kill(number, SIGKILL) }
        #expect(folder.files.contains("monitor") && kill(number, 0) == 0)
        #expect(Self.wait { Self.text(out) == "hello\n" }, "\(Self.text(out))")
        #expect(getsid(number) == number)
        kill(number, SIGTERM)
        #expect(Self.wait { !folder.files.contains("pid") })
    }

    @Test func aDaemonThatCannotStandIsAnError() throws {
        let folder = try TemporaryFolder("daemon")
        let run = try SystemBinary.run(
            ["-daemonize", "-pidfile", folder.path + "/pid", "-bios", "none", "-serial", "file:/no/such/file"])
        checkRefusal(run, mentions: ["/no/such/file"])
        #expect(folder.files == [])
    }
}
