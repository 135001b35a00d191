// `martlet binfmt`: what it prints, and what the kernel does with it, in a user namespace with a binfmt_misc of its own.

import Glibc
import TestSupport
import Testing

@Suite struct BinfmtTests {
    private func binfmt(_ words: String...) throws -> ProcessRun {
        try runProcess(try Workspace.requireMartlet(), ["binfmt"] + words, seconds: 10)
    }

    private func refusal(_ words: [String], mentions: String) throws {
        let run = try runProcess(try Workspace.requireMartlet(), ["binfmt"] + words, seconds: 10)
        #expect(run.ending == "[exit 1]" && run.text == "", "\(run.ending) \(run.text)")
        #expect(run.errorText.hasPrefix("martlet: ") && run.errorText.split(separator: "\n").count == 1)
        #expect(run.errorText.contains(mentions), "\(run.errorText)")
    }

    /// Magic and mask are those that Debian's qemu-user packages register; only the ABI's version, unused bytes, type and machine are
    /// compared behind the class and byte order, and any OSABI is taken.
    private static let anyOSABI = #"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff"#
    private static let patterns = [
        (
            "riscv64", #"\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00"#,
            anyOSABI + #"\xfe\xff\xff\xff"#
        ),
        (
            "riscv32", #"\x7f\x45\x4c\x46\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00"#,
            anyOSABI + #"\xfe\xff\xff\xff"#
        ),
        (
            "moxie", #"\x7f\x45\x4c\x46\x01\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xdf"#,
            anyOSABI + #"\xff\xfe\xff\xff"#
        ),
    ]

    @Test(arguments: patterns) func printsTheLineOfAGuest(_ guest: String, _ magic: String, _ mask: String) throws {
        let run = try binfmt("--print", guest, "--interpreter", "/usr/bin/martlet-\(guest)", "--flags", "OF")
        #expect(run.text == ":martlet-\(guest):M::\(magic):\(mask):/usr/bin/martlet-\(guest):OF\n", "\(run.errorText)")
    }

    @Test func printsAllGuestsInTurn() throws {
        let all = try binfmt("--print").text.split(separator: "\n")
        #expect(all.map { $0.prefix { $0 != "M" } } == Self.patterns.map { ":martlet-\($0.0):" })
        #expect(try binfmt("--print", "all").text.split(separator: "\n") == all)
    }

    @Test func theUsualInterpreterIsALinkBesideItself() throws {
        let line = try binfmt("--print", "--prefix", "mine", "riscv64").text
        #expect(line.hasPrefix(":mine-riscv64:M::"), "\(line)")
        let interpreter = line.split(separator: ":").dropLast().last ?? ""
        #expect(interpreter.hasPrefix("/") && interpreter.contains("/martlet"), "\(line)")
    }

    @Test func printsFilesOfOtherPrograms() throws {
        let systemd = try binfmt("--print", "--systemd", "riscv64").text
        #expect(systemd.split(separator: "\n").map { $0.prefix(1) } == ["#", ":"])
        let debian = try binfmt("--print", "--debian", "--flags", "CF", "--interpreter", "/m", "riscv64").text
        #expect(
            debian == """
                package martlet
                interpreter /m
                magic \(Self.patterns[0].1)
                offset 0
                mask \(Self.patterns[0].2)
                credentials yes
                fix_binary yes
                preserve no

                """)
    }

    @Test func refusals() throws {
        try refusal([], mentions: "--print, --register")
        try refusal(["--print", "vax"], mentions: "there is no guest 'vax'")
        try refusal(["--print", "--status"], mentions: "--print is asked for already")
        try refusal(["--print", "--flags", "X"], mentions: "--flags X: wanted some of the letters")
        try refusal(["--print", "--prefix", "a/b"], mentions: "--prefix a/b: wanted a name")
        try refusal(["--print", "--debian"], mentions: "of one guest")
        try refusal(["--nothing"], mentions: "unknown option '--nothing'")
    }

    // MARK: In the kernel

    /// Since Linux 6.7 a user namespace may have a binfmt_misc of its own: nothing of the host's changes.
    private static let lacking: String? = {
        let mount = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"
        let run = try? runProcess(
            "/bin/sh", ["-c", "exec unshare -Ur --mount --pid --fork sh -c '\(mount)'"], seconds: 10)
        guard let run, run.exit == 0 else {
            let reason = "no binfmt_misc in a user namespace here: \(run?.errorText ?? "no unshare")"
            print("BinfmtTests: programs by their names: skipped: \(reason)")
            return reason
        }
        return nil
    }()

    /// Runs a script in such a namespace, in a folder with the smallest program of each guest. $M is Martlet.
    private func script(_ text: String) throws -> ProcessRun {
        let folder = try makeTemporaryFolder("binfmt")
        defer { _ = try? runProcess("/bin/rm", ["-r", folder], seconds: 10) }
        for guest in ElfGuest.all { try writeFile(folder + "/" + guest.testDescription, ElfImage(guest).bytes) }
        try writeFile(folder + "/script", Array("cd \(folder)\n\(text)\n".utf8))
        let line = "exec unshare -Ur --mount --pid --fork sh \(folder)/script"
        return try runProcess(
            "/bin/sh", ["-c", line], adding: ["M=\(try Workspace.requireMartlet())", "MARTLET_CACHE_DIR=\(folder)"],
            seconds: 60)
    }

    @Test(.enabled(if: lacking == nil)) func theKernelRunsProgramsByTheirNames() throws {
        let run = try script(
            """
            $M binfmt --status 2>&1
            $M binfmt --register --mount >/dev/null && $M binfmt --status >/dev/null; echo status $?
            for guest in riscv64 riscv32 moxie; do ./$guest; echo $guest $?; done
            PATH=. ; riscv64 -version; echo by a name that is no path $?
            chmod 111 riscv64; ./riscv64; echo unreadable $?
            """)
        #expect(run.text.hasPrefix("martlet: binfmt: /proc/sys/fs/binfmt_misc is not mounted"), "\(run.text)")
        #expect(
            run.text.split(separator: "\n").dropFirst() == [
                "status 0", "riscv64 7", "riscv32 7", "moxie 7", "by a name that is no path 7", "unreadable 7",
            ], "\(run.text) \(run.errorText)")
    }

    @Test(.enabled(if: lacking == nil), arguments: ["", "F", "O", "OCF", "PF", "P"])
    func theKernelRunsProgramsWithAnyFlags(_ flags: String) throws {
        let run = try script(
            """
            ln -s $M martlet-riscv64
            $M binfmt --mount --register --flags "\(flags)" --interpreter martlet-riscv64 riscv64
            ./riscv64 -L x; echo $?
            """)
        #expect(run.text.hasSuffix("/martlet-riscv64\n7\n"), "\(run.text) \(run.errorText)")
    }

    @Test(.enabled(if: lacking == nil)) func entriesComeAndGo() throws {
        let run = try script(
            """
            $M binfmt --mount --register riscv64 | cut -d, -f1
            $M binfmt --register riscv64
            $M binfmt --register --flags OF riscv64 2>&1 | cut -c1-53
            $M binfmt --register --flags OF --force riscv64 | cut -d, -f1
            $M binfmt --register --prefix other riscv64 | cut -d, -f1
            $M binfmt --status riscv64 | cut -d, -f1,3
            $M binfmt --status >/dev/null; echo $?
            $M binfmt --unregister --prefix other
            $M binfmt --unregister
            $M binfmt --unregister
            $M binfmt --unregister riscv64 2>&1
            $M binfmt --register --interpreter /nowhere riscv64 2>&1
            """)
        #expect(
            run.text == """
                martlet-riscv64: registered
                martlet-riscv64: registered already
                martlet: binfmt: martlet-riscv64 is registered alread
                martlet-riscv64: registered
                other-riscv64: registered
                martlet-riscv64: enabled, flags OF
                  the same programs: other-riscv64: enabled, flags POF
                1
                other-riscv64: removed
                martlet-riscv64: removed
                nothing is registered
                martlet: binfmt: martlet-riscv64 is not registered
                martlet: binfmt: /nowhere: no executable file; --interpreter names another one

                """, "\(run.errorText)")
    }

    /// Nobody may write to the kernel's files: the host's own, seen by a mount of this test's.
    @Test(.enabled(if: getuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0)) func onlyRootRegisters() throws {
        let folder = try TemporaryFolder("nobody")
        let line = """
            mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 99
            exec setpriv --reuid 65534 --clear-groups $M binfmt --register riscv64 --prefix \(folder.path.dropFirst(5))
            """
        let run = try runProcess(
            "/bin/sh", ["-c", "exec unshare --mount sh -c '\(line)'"], adding: ["M=\(try Workspace.requireMartlet())"],
            seconds: 10)
        if run.exit == 99 { return print("BinfmtTests: onlyRootRegisters: skipped: \(run.errorText)") }
        #expect(run.ending == "[exit 1]" && run.text == "", "\(run.ending) \(run.text)")
        #expect(run.errorText.hasPrefix("martlet: binfmt: cannot register "), "\(run.errorText)")
        #expect(run.errorText.hasSuffix("; this needs root\n"), "\(run.errorText)")
    }
}
