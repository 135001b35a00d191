// Real firmware and kernels on many harts. Without what `./devtool payloads` fetches these tests do nothing.

import Glibc
import TestSupport
import Testing

private let payloads =
    (environmentValue("XDG_CACHE_HOME") ?? (environmentValue("HOME") ?? "/root") + "/.cache") + "/martlet/payloads"

@Suite(.enabled(if: access(payloads + "/initrd", R_OK) == 0, "./devtool payloads fetches them"))
struct BootTests {
    /// Runs a machine until its console has said a text. Returns what it has said. `console`: options with "LOG" for the file of that.
    private static func boot(
        _ options: [String], console: [String] = ["-serial", "file:LOG"], until wanted: String, seconds: Int
    ) throws -> String {
        let folder = try TemporaryFolder("boot")
        let log = folder.path + "/log"
        func text() -> String { String(decoding: readFile(log) ?? [], as: UTF8.self) }
        let run = try runProcess(
            SystemBinary.system(),
            ["riscv64", "-bios", payloads + "/firmware64.bin", "-monitor", "none"]
                + console.map { $0.replacing("LOG", with: log) } + options,
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

    private static let virtioConsole = ["-device", "virtio-serial", "-device", "virtconsole,chardev=c"]

    @Test func debiansKernelHasItsConsoleOnVirtio() throws {
        let text = try Self.boot(
            [
                "-m", "256M", "-kernel", payloads + "/kernel", "-initrd", payloads + "/initrd", "-append",
                "console=hvc0",
            ], console: ["-serial", "null", "-chardev", "file,id=c,path=LOG"] + Self.virtioConsole, until: "BusyBox v",
            seconds: 60)
        #expect(text.contains("Run /init as init process"))
    }

    /// A program of the guest's and one of the host's talk by a port, while the console is typed to.
    @Test func portsCarryLinesBothWays() throws {
        let folder = try TemporaryFolder("boot")
        let log = folder.path + "/log", pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe + ".in", 0o600) == 0 && mkfifo(pipe + ".out", 0o600) == 0)
        let machine = """
            (until grep -q 'martlet:~' \(log) 2>/dev/null; do sleep 0.1; done
            printf 'cat /sys/class/virtio-ports/vport0p1/name; read x </dev/vport0p1; echo got $x\\r'
            printf 'echo from the guest >/dev/vport0p1; poweroff -f\\r') |
            \(try SystemBinary.system()) riscv64 -m 256M -bios \(payloads)/firmware64.bin -kernel \(payloads)/kernel \
            -initrd \(payloads)/initrd -append console=hvc0 -chardev stdio,id=c,logfile=\(log) \
            \(Self.virtioConsole.joined(separator: " ")) \
            -chardev pipe,id=a,path=\(pipe) -device virtserialport,chardev=a,name=org.agent &
            echo from the host >\(pipe).in; read answer <\(pipe).out; wait; echo "answer: $answer"
            """
        let run = try runProcess("/bin/sh", ["-c", machine], seconds: 60)
        #expect(run.exit == 0, "\(run.ending) \(run.errorText) \(run.text.suffix(1000))")
        for wanted in ["\r\norg.agent", "\r\ngot from the host", "answer: from the guest"] {
            #expect(run.text.contains(wanted), "\(wanted): \(run.text.suffix(1000))")
        }
    }

    @Test func debiansKernelUsesDisksOnSCSI() throws {
        let folder = try TemporaryFolder("boot")
        let log = folder.path + "/log", disk = folder.path + "/disk", disc = folder.path + "/disc"
        try writeFile(disk, Array(repeating: 0, count: 4 << 20))
        try writeFile(disc, Array(repeating: UInt8(ascii: "d"), count: 1 << 20))
        let machine = """
            (until grep -q 'martlet:~' \(log) 2>/dev/null; do sleep 0.1; done
            printf 'while [ ! -b /dev/sda ]; do sleep 0.1; done; dmesg | grep " scsi [0-9]"\\r'
            printf 'echo written >/dev/sda; sync; blkdiscard -o 1M -l 1M /dev/sda && echo discarded\\r'
            printf 'poweroff -f\\r') |
            \(try SystemBinary.system()) riscv64 -m 256M -bios \(payloads)/firmware64.bin -kernel \(payloads)/kernel \
            -initrd \(payloads)/initrd-modules -append 'console=ttyS0 quiet load=virtio_scsi,sd_mod' \
            -chardev stdio,id=c,logfile=\(log) -serial chardev:c -device virtio-scsi-pci,id=s,num_queues=2 \
            -drive if=none,id=d,format=raw,discard=unmap,file=\(disk) -device scsi-hd,bus=s.0,drive=d,scsi-id=3,lun=2 \
            -drive if=scsi,media=cdrom,index=5,format=raw,file=\(disc)
            """
        let run = try runProcess("/bin/sh", ["-c", machine], seconds: 60)
        #expect(run.exit == 0, "\(run.ending) \(run.errorText) \(run.text.suffix(1000))")
        for wanted in [
            "scsi 0:0:3:2: Direct-Access     QEMU     QEMU HARDDISK", "scsi 0:0:5:0: CD-ROM", "\r\ndiscarded",
        ] {
            #expect(run.text.contains(wanted), "\(wanted): \(run.text.suffix(1000))")
        }
        #expect(readFile(disk)?.prefix(8) == Array("written\n".utf8)[...])
    }

    /// A connection of the guest's to a port that only it sees.
    @Test func aPortOfTheGuestsLeadsToACharacterDevice() throws {
        let folder = try TemporaryFolder("boot")
        let log = folder.path + "/log", pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe + ".in", 0o600) == 0 && mkfifo(pipe + ".out", 0o600) == 0)
        let machine = """
            (until grep -q 'martlet:~' \(log) 2>/dev/null; do sleep 0.1; done
            printf 'ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up\\r'
            printf '(echo from the guest; sleep 3) | timeout 3 nc 10.0.2.100 1234\\r'; sleep 4; printf 'poweroff -f\\r') |
            \(try SystemBinary.system()) riscv64 -m 256M -bios \(payloads)/firmware64.bin -kernel \(payloads)/kernel \
            -initrd \(payloads)/initrd-modules -append 'console=ttyS0 quiet load=virtio_net net.ifnames=0' \
            -chardev stdio,id=c,logfile=\(log) -serial chardev:c -chardev pipe,id=p,path=\(pipe) \
            -nic user,guestfwd=tcp:10.0.2.100:1234-chardev:p &
            echo from the host >\(pipe).in; read answer <\(pipe).out; wait; echo "answer: $answer"
            """
        let run = try runProcess("/bin/sh", ["-c", machine], seconds: 60)
        #expect(run.exit == 0, "\(run.ending) \(run.errorText) \(run.text.suffix(1000))")
        for wanted in ["\r\nfrom the host", "answer: from the guest"] {
            #expect(run.text.contains(wanted), "\(wanted): \(run.text.suffix(1000))")
        }
    }

    @Test func debiansKernelGivesMemoryBack() throws {
        let folder = try TemporaryFolder("boot")
        let log = folder.path + "/log"
        let machine = """
            (until grep -q 'martlet:~' \(log) 2>/dev/null; do sleep 0.1; done
            printf 'balloon 150\\n'; for i in 1 2 3 4 5 6; do sleep 0.5; printf 'info balloon\\n'; done
            printf 'balloon 400\\n'; for i in 1 2 3 4; do sleep 0.5; printf 'info balloon\\n'; done; printf 'quit\\n') |
            \(try SystemBinary.system()) riscv64 -m 256M -bios \(payloads)/firmware64.bin -kernel \(payloads)/kernel \
            -initrd \(payloads)/initrd-modules -append 'console=ttyS0 quiet load=virtio_balloon' -serial file:\(log) \
            -monitor stdio -device virtio-balloon-pci,guest-stats-polling-interval=1,free-page-reporting=on
            """
        let run = try runProcess("/bin/sh", ["-c", machine], seconds: 60)
        #expect(run.exit == 0, "\(run.ending) \(run.errorText) \(run.text.suffix(1000))")
        let given = run.text.firstRange(of: "balloon: actual=150"),
            taken = run.text.firstRange(of: "balloon: actual=256")
        #expect(given != nil && taken != nil && given!.upperBound < taken!.lowerBound, "\(run.text.suffix(1000))")
        #expect(run.text.contains("stat-total-memory="))
    }

    /// It finds what is on PCI, reads a disk, and powers off.
    @Test func uBootReadsADiskOnPCI() throws {
        let folder = try TemporaryFolder("boot")
        let log = folder.path + "/log", disk = folder.path + "/disk"
        try writeFile(disk, Array("martlet's disk".utf8) + Array(repeating: 0, count: 4096 - 14))
        // What is typed before it asks is lost.
        let machine = """
            (until grep -q autoboot \(log) 2>/dev/null; do sleep 0.1; done; printf '\\r'
            until grep -q '=> ' \(log); do sleep 0.1; done
            printf 'pci\\rvirtio scan\\rvirtio read 0x84000000 0 8\\rmd.b 0x84000000 0x10\\r\\rpoweroff\\r') |
            \(try SystemBinary.system()) riscv64 -m 256M -bios \(payloads)/firmware64.bin -kernel \(payloads)/u-boot.bin \
            -chardev stdio,id=c,logfile=\(log) -serial chardev:c -drive file=\(disk),format=raw
            """
        let run = try runProcess("/bin/sh", ["-c", machine], seconds: 60)
        #expect(run.exit == 0, "\(run.ending) \(run.errorText) \(run.text.suffix(1000))")
        for wanted in [
            "Flash: 32 MiB", "00.01.00   0x1af4     0x1042", "8 blocks read: OK", "martlet's disk", "poweroff ...",
        ] { #expect(run.text.contains(wanted), "\(wanted)") }
    }

    @Test(.enabled(if: access(payloads + "/uefi-code.fd", R_OK) == 0, "./devtool payloads fetches it"))
    func firmwareInFlashStartsTheKernel() throws {
        let folder = try TemporaryFolder("boot")
        let variables = folder.path + "/variables"
        try writeFile(variables, readFile(payloads + "/uefi-vars.fd") ?? [])
        let text = try Self.boot(
            [
                "-m", "512M", "-drive", "if=pflash,unit=0,format=raw,readonly=on,file=\(payloads)/uefi-code.fd",
                "-drive", "if=pflash,unit=1,format=raw,file=" + variables, "-kernel", payloads + "/kernel",
                "-initrd", payloads + "/initrd", "-append", "console=ttyS0",
            ], until: "BusyBox v", seconds: 90)
        #expect(text.contains("EFI stub: Booting Linux Kernel") && text.contains("efi: EFI v2.7"))
        #expect(readFile(variables) != readFile(payloads + "/uefi-vars.fd"), "it keeps its variables")
    }

    @Test(.enabled(if: access(payloads + "/uefi-code.fd", R_OK) == 0, "./devtool payloads fetches it"))
    func firmwareTriesDisksInTheirOrder() throws {
        let folder = try TemporaryFolder("boot")
        try writeFile(folder.path + "/disk", Array(repeating: 0, count: 1 << 20))
        let drive = "if=none,format=raw,readonly=on,file=\(folder.path)/disk,id="
        let text = try Self.boot(
            [
                "-m", "256M", "-drive", "if=pflash,unit=0,format=raw,readonly=on,file=\(payloads)/uefi-code.fd",
                "-drive", drive + "a", "-drive", drive + "b", "-drive", drive + "c",
                "-device", "virtio-blk-pci,drive=a,addr=7,bootindex=1",
                "-device", "virtio-blk-pci,drive=b,addr=9,bootindex=0", "-device", "virtio-blk-pci,drive=c,addr=b",
            ], until: "UEFI Interactive Shell", seconds: 60)
        let tried = text.prefix(upTo: text.firstRange(of: "UEFI Interactive Shell")?.lowerBound ?? text.startIndex)
        let first = tried.firstRange(of: "Pci(0x9"), second = tried.firstRange(of: "Pci(0x7")
        #expect(first != nil && second != nil && first!.lowerBound < second!.lowerBound, "\(tried.suffix(1000))")
        #expect(!tried.contains("Pci(0xB"))
    }

    /// They share the host's few processors, and wait for each other in loops.
    @Test(.long) func longBootOfSixtyFourHarts() throws {
        let text = try Self.boot(["-smp", "64", "-m", "256M"], until: "MEDELEG", seconds: 120)
        #expect(text.contains("Platform HART Count         : 64"))
    }
}
