// `martlet nbd` in the background.

import Glibc
import TestSupport
import Testing

@Suite struct NBDDaemonTests {
    private static func nbd(_ options: [String]) throws -> ProcessRun {
        try runProcess(SystemBinary.system(), ["nbd"] + options, seconds: 20)
    }

    @Test func aServerInTheBackgroundTakesClientsWhenItsParentEnds() throws {
        let folder = try TemporaryFolder("nbd"), disk = folder.path + "/disk", pid = folder.path + "/pid"
        try writeFile(disk, Array(repeating: 7, count: 65536))
        let run = try Self.nbd(["--fork", "--pid-file=\(pid)", "-t", "-f", "raw", "-k", folder.path + "/s", disk])
        #expect(run.exit == 0 && run.output == [] && run.errorText == "", "\(run.ending) \(run.errorText)")
        let text = String(decoding: readFile(pid) ?? [], as: UTF8.self)
        let number = try #require(pid_t(text.dropLast()))
        defer { kill(number, SIGKILL) }
        for _ in 0..<2 {
            let info = try runProcess(
                SystemBinary.system(), ["img", "info", "nbd+unix:///?socket=\(folder.path)/s"], seconds: 20)
            #expect(info.exit == 0 && info.text.contains("64 KiB (65536 bytes)"), "\(info.text) \(info.errorText)")
        }
        kill(number, SIGTERM)
        for _ in 0..<500 where folder.files != ["disk"] { usleep(20_000) }
        #expect(folder.files == ["disk"], "\(folder.files)")
    }

    @Test func aServerThatCannotBeginIsAnError() throws {
        let folder = try TemporaryFolder("nbd")
        let options = ["--fork", "--pid-file", folder.path + "/pid", "-k", folder.path + "/s"]
        checkRefusal(try Self.nbd(options + ["/no/such/file"]), mentions: ["nbd", "/no/such/file"])
        checkRefusal(
            try Self.nbd(["--pid-file", "/no/such/file", "/dev/null"]), mentions: ["--pid-file /no/such/file"])
        #expect(folder.files == [])
    }
}
