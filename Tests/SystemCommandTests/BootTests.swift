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

    @Test func debiansKernelFindsPCI() throws {
        let text = try Self.boot(
            [
                "-m", "256M", "-kernel", payloads + "/kernel", "-initrd", payloads + "/initrd", "-append",
                "console=ttyS0",
                "-device", "virtio-rng-pci,addr=5", "-drive",
                "if=virtio,format=raw,file=" + payloads + "/initrd,readonly=on",
                "-nic", "user",
            ], until: "BusyBox v", seconds: 60)
        for wanted in [
            "pci 0000:00:00.0: [1b36:0008] type 00 class 0x060000",
            "pci 0000:00:01.0: [1af4:1041] type 00 class 0x020000",
            "pci 0000:00:02.0: [1af4:1042] type 00 class 0x010000", "pci 0000:00:05.0: BAR 4 [mem 0x40000",
            "virtio-pci 0000:00:05.0: enabling device (0000 -> 0002)",
        ] { #expect(text.contains(wanted), "\(wanted)") }
    }

    /// They share the host's few processors, and wait for each other in loops.
    @Test(.long) func longBootOfSixtyFourHarts() throws {
        let text = try Self.boot(["-smp", "64", "-m", "256M"], until: "MEDELEG", seconds: 120)
        #expect(text.contains("Platform HART Count         : 64"))
    }
}
