// Martlet's own file, started where little is there: no /proc, nothing but two files, no environment, closed descriptors, any user.

import Glibc
import HostOS
import TestSupport
import Testing

/// A root with Martlet, linked as it is for release, and one guest program. Gone with the object.
private final class SmallRoot {
    enum Proc: String, CaseIterable { case none, empty, dangling, itself }

    private let folder: TemporaryFolder
    let path: String

    init(_ proc: Proc) throws {
        folder = try TemporaryFolder("start-test")
        path = folder.path
        chmod(path, 0o755)
        // By another program: a child of another test must not have the files open.
        let from = [try Workspace.requireStatic(), Workspace.guestFolder + "/c/executions"]
        let copy = try runProcess("/bin/cp", from + [path])
        try #require(copy.exit == 0, "\(copy.errorText)")
        rename("\(path)/martlet-static", "\(path)/martlet")
        switch proc {
        case .none: break
        case .empty: mkdir("\(path)/proc", 0o755)
        case .dangling: symlink("/nowhere", "\(path)/proc")
        case .itself: symlink("proc", "\(path)/proc")
        }
    }

    /// Files and folders of the root, with what is in /home.
    var names: [String] {
        ["", "/home", "/dev"].flatMap { below in HostFile.names(in: path + below).map { below + "/" + $0 } }.sorted()
    }

    func enter(_ command: String, before: String = ":", options: String = "") throws -> ProcessRun {
        let asRoot = geteuid() == 0 ? "" : "unshare -r "
        return try runProcess(
            "/bin/sh", ["-c", "\(before); exec \(asRoot)env -i HOME=/ /usr/sbin/chroot \(options) \(path) \(command)"])
    }
}

@Suite struct StartTests {
    private static let expected = "fork: 23\nvfork: 23\nnot there: 24\n"

    @Test(arguments: SmallRoot.Proc.allCases) fileprivate func aProgramRunsWhereNothingElseIs(_ proc: SmallRoot.Proc)
        throws
    {
        let root = try SmallRoot(proc), before = root.names
        for command in ["/martlet /executions", "/martlet run ./executions", "./martlet -E OTHER=x /executions"] {
            let run = try root.enter(command)
            #expect(run.text == Self.expected && run.exit == 0, "\(command): \(run.errorText)")
        }
        #expect(root.names == before, "nothing is left behind")
    }

    /// A prefix is looked into without /proc as well.
    @Test func programsFindFilesUnderThePrefix() throws {
        let root = try SmallRoot(.none)
        mkdir("\(root.path)/prefix", 0o755)
        rename("\(root.path)/executions", "\(root.path)/prefix/executions")
        let run = try root.enter("/martlet -L /prefix -0 /executions /prefix/executions")
        #expect(run.text == Self.expected && run.exit == 0, "\(run.errorText)")
    }

    @Test func aProgramRunsWithoutDescriptors() throws {
        let root = try SmallRoot(.none)
        for closed in ["<&-", "<&- 2>&-", "2>&-"] {
            let run = try root.enter("/martlet /executions", before: "exec \(closed)")
            #expect(run.text == Self.expected && run.exit == 0, "\(closed): \(run.errorText)")
        }
        let run = try root.enter("/martlet /executions", before: "exec <&- >&- 2>&-")
        #expect(run.text == "" && run.exit == 0)
    }

    @Test(.enabled(if: geteuid() == 0, "only root becomes another user")) func anyUserRunsPrograms() throws {
        let root = try SmallRoot(.none), before = root.names
        let run = try root.enter("/martlet /executions", options: "--userspec=12345:12345")
        #expect(run.text == Self.expected && run.exit == 0, "\(run.errorText)")
        #expect(root.names == before)
    }

    /// A guest makes a folder its root: programs that it executes find the translations of before, and leave none in the root.
    @Test(.enabled(if: geteuid() == 0, "only root changes its root")) func theFolderOfTranslationsStaysOutside() throws
    {
        let root = try SmallRoot(.none), cache = try TemporaryFolder("start-test-cache"), before = root.names
        func run() throws -> ProcessRun {
            try runProcess(
                try Workspace.requireStatic(), ["-stats", Workspace.guestFolder + "/c/executions", root.path],
                adding: ["MARTLET_CACHE_DIR=\(cache.path)"])
        }
        let first = try run()
        #expect(first.text == Self.expected && first.exit == 0, "\(first.errorText)")
        let files = HostFile.names(in: cache.path + "/translations").filter { $0.hasSuffix(".translations") }
        #expect(files.count == 2, "of the program outside, and of the one in the root")
        let second = try run()
        // The two programs in the root, and the one outside.
        #expect(
            second.errorText.split(separator: "\n").filter { $0.hasPrefix("disk cache: 0 ") }.count == 0,
            "\(second.errorText)")
        #expect(root.names == before)
    }

    /// All flags of binfmt_misc, in a user namespace with a binfmt_misc of its own (Linux 6.7).
    @Test(.enabled(if: hasOwnBinfmt, "the kernel has no binfmt_misc for user namespaces")) func everyFlagOfBinfmtWorks()
        throws
    {
        let root = try SmallRoot(.none), mounts = try TemporaryFolder("start-test-binfmt")
        // The interpreter lies outside of the root; only flag F finds it there.
        let inside = "/usr/sbin/chroot \(root.path)"
        let magic = #"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00"#
        let mask = #"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"#
        for bits in 0..<16 {
            let flags = zip("POCF", 0...).filter { bits >> $1 & 1 != 0 }.map { String($0.0) }.joined()
            let script = """
                mount -t binfmt_misc none \(mounts.path) || exit 99
                printf '%s' ':m:M::\(magic):\(mask):\(try Workspace.requireStatic()):\(flags)' > \(mounts.path)/register || exit 98
                cd \(root.path)
                ./executions
                exec -a 'another name' ./executions show 'two words' &
                wait $!
                \(flags.contains("F") ? inside + " /executions" : "echo no chroot")
                """
            let run = try runProcess("/usr/bin/unshare", ["-Urmpf", "--mount-proc", "/bin/bash", "-c", script])
            let name = flags.contains("P") ? "another name" : root.path + "/executions"
            let end = flags.contains("F") ? Self.expected : "no chroot\n"
            #expect(run.text == Self.expected + "\(name) two words\n" + end, "flags \(flags): \(run.errorText)")
        }
    }
}

private let hasOwnBinfmt: Bool = {
    let script = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"
    return (try? runProcess("/usr/bin/unshare", ["-Urmpf", "--mount-proc", "/bin/sh", "-c", script]))?.exit == 0
}()
