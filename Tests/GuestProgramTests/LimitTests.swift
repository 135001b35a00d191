// Martlet itself under the limits that a shell may give it (ulimit): programs run, or one line says why not.

import Glibc
import TestSupport
import Testing

@Suite struct LimitTests {
    private func shell(_ limits: String, _ arguments: String, user: Bool = false) throws -> ProcessRun {
        let martlet = try Workspace.requireMartlet()
        // Hard limits bind everybody but the superuser.
        let other = user && geteuid() == 0 ? "setpriv --reuid 54321 --clear-groups " : ""
        // Other tests run beside this one, and what they open may be inherited.
        let closing = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-"
        return try runProcess("/bin/sh", ["-c", "\(closing); \(limits); exec \(other)\(martlet) \(arguments)"])
    }

    private var hello: String { Workspace.guestFolder + "/c/hello" }

    @Test(arguments: [0, 1, 100], [false, true]) func programsRunWithSmallFiles(_ blocks: Int, _ isUser: Bool) throws {
        let run = try shell("ulimit -f \(blocks)", "\(Workspace.guestFolder)/c/processes", user: isUser)
        let expectation = GuestProgram.all.first { $0.name == "c/processes" }?.expectation
        #expect(run.text + run.ending + "\n" == expectation)
        #expect(run.errorText.isEmpty)
    }

    /// The store cannot be written; the program does not notice.
    @Test func aStoreThatIsTooLargeForTheLimitIsNoError() throws {
        let folder = try makeTemporaryFolder("limits")
        defer { removeFolder(folder) }
        let run = try shell("ulimit -f 1", "-accel tcg,cache=\(folder) \(hello)")
        #expect(run.ending == "[exit 0]" && run.errorText.isEmpty)
        let again = try shell("ulimit -f 1", "-stats -accel tcg,cache=\(folder) \(hello)")
        #expect(again.ending == "[exit 0]" && again.errorText.contains("File too large"))
    }

    /// A log stops growing.
    @Test func aLogThatIsTooLargeForTheLimitIsNoError() throws {
        let folder = try makeTemporaryFolder("limits")
        defer { removeFolder(folder) }
        let run = try shell("ulimit -f 1", "-d in_asm -D \(folder)/log \(hello)")
        #expect(run.ending == "[exit 0]" && run.errorText.isEmpty)
        #expect(readFile(folder + "/log")?.count == 512)
    }

    @Test(arguments: [400_000, 600_000, 1_500_000], [false, true])
    func programsRunInASmallAddressSpace(_ kilobytes: Int, _ isUser: Bool) throws {
        let run = try shell("ulimit -v \(kilobytes)", hello, user: isUser)
        #expect(run.ending == "[exit 0]", "\(run.errorText)")
        #expect(run.errorText.isEmpty)
    }

    @Test(arguments: [20_000, 60_000, 100_000, 200_000])
    func anAddressSpaceThatIsTooSmallIsOneLine(_ kilobytes: Int) throws {
        let run = try shell("ulimit -v \(kilobytes)", hello, user: true)
        #expect(run.exit != nil, "no signal: \(run.ending)")
        #expect(run.exit == 0 || run.errorText.split(separator: "\n").count == 1, "\(run.errorText)")
    }

    /// The guest comes to its end of memory before Martlet does.
    @Test(arguments: ["memory", "threads", "children"]) func noMemoryIsTheGuestsToNotice(_ kind: String) throws {
        let run = try shell("ulimit -v 1200000", "\(Workspace.guestFolder)/c/exhaust \(kind)", user: true)
        #expect(run.ending == "[exit 0]")
        #expect(run.text.contains("\(kind): right") && run.errorText.isEmpty, "\(run.text)\(run.errorText)")
    }

    @Test(arguments: [16, 64], [false, true]) func programsRunWithFewDescriptors(_ count: Int, _ isUser: Bool)
        throws
    {
        let run = try shell("ulimit -n \(count)", "\(Workspace.guestFolder)/c/processes", user: isUser)
        let expectation = GuestProgram.all.first { $0.name == "c/processes" }?.expectation
        #expect(run.text + run.ending + "\n" == expectation)
        #expect(run.errorText.isEmpty)
    }

    /// With all descriptors in use a path leads to the prefix's file, not to the host's of that name.
    @Test(arguments: [("/etc/passwd", "5\n"), ("/etc/only-here", "5\n"), ("/etc/link", "5\n"), ("/etc/none", "-2\n")])
    func pathsLeadToThePrefixWithoutDescriptors(_ path: String, _ size: String) throws {
        let folder = try makeTemporaryFolder("limits")
        defer { removeFolder(folder) }
        let made = try runProcess(
            "/bin/sh",
            [
                "-c",
                "cd \(folder); mkdir etc; printf 12345 >etc/passwd; printf 54321 >etc/only-here; ln -s /etc/passwd etc/link",
            ])
        #expect(made.ending == "[exit 0]")
        let run = try shell(":", "-L \(folder) \(Workspace.guestFolder)/c/limitfiles look \(path)")
        #expect(run.text == size && run.errorText.isEmpty)
    }

    private func removeFolder(_ path: String) { _ = try? runProcess("/bin/rm", ["-rf", path]) }
}
