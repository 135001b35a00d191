// Real firmware and kernels on many harts. Without what `./devtool payloads` fetches these tests do nothing.

import Glibc
import TestSupport
import Testing

private let payloads =
    (environmentValue("XDG_CACHE_HOME") ?? (environmentValue("HOME") ?? "/root") + "/.cache") + "/martlet/payloads"

@Suite(.enabled(if: access(payloads + "/initrd", R_OK) == 0, "./devtool payloads fetches them"))
struct BootTests {
    /// Runs a machine until its serial port has said a text. Returns what it has said.
    private static func boot(_ options: [String], until wanted: String, seconds: Int) throws -> String {
        let folder = try TemporaryFolder("boot")
        let log = folder.path + "/log"
        func text() -> String { String(decoding: readFile(log) ?? [], as: UTF8.self) }
        let run = try runProcess(
            SystemBinary.system(),
            ["riscv64", "-bios", payloads + "/firmware64.bin", "-serial", "file:" + log, "-monitor", "none"] + options,
            seconds: seconds + 20
        ) { child in
            let end = time(nil) + seconds
            while time(nil) < end, !text().contains(wanted) { usleep(50_000) }
            kill(child, SIGTERM)
        }
        #expect(run.signal == SIGTERM && run.errorText == "", "\(run.ending) \(run.errorText)")
        #expect(text().contains(wanted), "\(text().suffix(1000))")
        return text()
    }

    @Test func debiansKernelUsesEightHarts() throws {
        let text = try Self.boot(
            [
                "-smp", "8,sockets=2", "-m", "512M", "-kernel", payloads + "/kernel", "-initrd", payloads + "/initrd",
                "-append", "console=ttyS0",
            ], until: "BusyBox v", seconds: 60)
        #expect(text.contains("Brought up 1 node, 8 CPUs"))
    }

    /// They share the host's few processors, and wait for each other in loops.
    @Test(.long) func longBootOfSixtyFourHarts() throws {
        let text = try Self.boot(["-smp", "64", "-m", "256M"], until: "MEDELEG", seconds: 120)
        #expect(text.contains("Platform HART Count         : 64"))
    }
}
