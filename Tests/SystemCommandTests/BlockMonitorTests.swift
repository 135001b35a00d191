// Disks as the monitor shows and changes them.

import Glibc
import TestSupport
import Testing

@Suite struct BlockMonitorTests {
    /// Types lines into the monitor of a machine with a disk `d`, a qcow2 image of 1 MiB on a raw one. A line "sleep" waits a while.
    private static func run(_ lines: [String], in folder: String, _ options: String = "", drive: String = "") throws
        -> String
    {
        let system = try SystemBinary.system(), tool = "'\(system)' img"
        let typed = lines.map { $0 == "sleep" ? "sleep 0.3;" : "echo '\($0)';" }.joined(separator: " ")
        let machine =
            "'\(system)' riscv64 -S -bios none -serial none -monitor stdio -drive file=top,format=qcow2,if=none,id=d\(drive) "
            + "-device virtio-blk-device,drive=d,id=disk \(options)"
        let script =
            "cd '\(folder)' && head -c 1048576 /dev/zero | tr '\\0' x > base && "
            + "\(tool) create -q -f qcow2 -b base -F raw top && { \(typed) echo quit; } | \(machine) 2>&1"
        let run = try runProcess("/bin/sh", ["-c", script], seconds: 20)
        #expect(run.exit == 0, "\(run.ending) \(run.text)")
        return String(decoding: run.output.filter { $0 != 13 }, as: UTF8.self)
    }

    @Test func disksAreShown() throws {
        let folder = try TemporaryFolder("hmp")
        let text = try Self.run(
            ["info block", "info blockstats", "info block -n", "info block -v none", "info block-jobs"],
            in: folder.path,
            drive: ",throttling.bps-total=1M,cache=none,node-name=n")
        for line in [
            "d (n): top (qcow2)\n    Attached to:      disk\n    Cache mode:       writeback, direct\n"
                + "    Backing file:     base (chain depth: 1)\n    I/O throttling:   bps=1048576 bps_rd=0 bps_wr=0 bps_max=0 "
                + "bps_rd_max=0 bps_wr_max=0 iops=0 iops_rd=0 iops_wr=0 iops_max=0 iops_rd_max=0 iops_wr_max=0 iops_size=0 group=d\n",
            "d: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0 flush_operations=0 wr_total_time_ns=0 ",
            "#block001: top (file)\n    Cache mode:       writeback, direct\n", "Error: Cannot find device 'none'",
            "No active jobs\n",
        ] { #expect(text.contains(line), "no '\(line)' in: \(text)") }
    }

    @Test func disksAreChanged() throws {
        let folder = try TemporaryFolder("hmp")
        let text = try Self.run(
            [
                "block_resize d 2M", "drive_mirror d copy", "sleep", "info block-jobs", "block_job_complete d", "sleep",
                "info block -v", "block_stream d 64K", "sleep", "info block-jobs", "block_resize d 4M",
                "block_job_pause d",
                "info block-jobs", "block_job_cancel d", "sleep", "drive_backup -f d full raw", "sleep", "commit d",
            ], in: folder.path)
        for line in [
            "Type mirror, device d: Completed 2097152 of 2097152 bytes, speed limit 0 bytes/s, ready\n",
            "): copy (qcow2)\n", "virtual size: 2 MiB (2097152 bytes)\n", "backing file: \(folder.path)/base\n",
            "image: \(folder.path)/base\nfile format: raw\n",
            "Streaming device d: Completed ", " bytes, speed limit 65536 bytes/s, paused\n",
        ] { #expect(text.contains(line), "no '\(line)' in: \(text)") }
        #expect(readFile(folder.path + "/full")?.count == 2 << 20)
        let errors = text.split(separator: "\n").filter { $0.contains("Error") }
        #expect(errors == ["Error: Node 'd' is busy: block device is in use by block job: stream"], "\(text)")
    }

    @Test func mediaAreTakenOutAndPutIn() throws {
        let folder = try TemporaryFolder("hmp")
        try writeFile(folder.path + "/disc", Array(repeating: 7, count: 65536))
        let text = try Self.run(
            [
                "info block cd", "block_resize cd 1M", "eject cd", "change cd disc raw", "info block cd",
                "change cd /no/such/file", "change cd top qcow2", "eject cd", "change cd disc raw read-write",
                "info block cd", "eject -f cd", "info block cd",
            ], in: folder.path, "-drive if=none,id=cd,media=cdrom")
        let empty = "cd: [not inserted]\n    Removable device: not locked, tray closed\n"
        func full(_ more: String) -> String {
            "): disc (raw\(more))\n    Removable device: not locked, tray closed\n    Cache mode:       writeback\n"
        }
        #expect(text.ranges(of: empty).count == 2, "\(text)")
        for line in [full(", read-only"), full(""), "Device 'cd' has no medium", "/no/such/file", "another program"] {
            #expect(text.contains(line), "no '\(line)' in: \(text)")
        }
    }

    @Test func anEmptyDriveForDiscsIsSomethingToFill() throws {
        let folder = try TemporaryFolder("hmp")
        try writeFile(folder.path + "/disc", Array(repeating: 7, count: 65536))
        let text = try Self.run(
            ["info block cd", "change cd disc raw", "info block cd"], in: folder.path,
            "-drive if=scsi,id=cd,media=cdrom")
        for line in ["cd: [not inserted]\n    Attached to:      ", "Removable device", "): disc (raw, read-only)\n"] {
            #expect(text.contains(line), "no '\(line)' in: \(text)")
        }
    }

    @Test func aFlashsDiskIsADiskThatKeepsItsSize() throws {
        let folder = try TemporaryFolder("hmp"), image = folder.path + "/flash"
        let made = try runProcess(
            SystemBinary.system(), ["img", "create", "-q", "-f", "qcow2", image, "32M"], seconds: 10)
        #expect(made.exit == 0, "\(made.errorText)")
        let text = try Self.run(
            [
                "info block pflash1", "block_resize pflash1 64M", "eject pflash1", "drive_mirror pflash1 copy", "sleep",
                "block_job_complete pflash1", "sleep", "info block pflash1",
            ],
            in: folder.path, "-drive if=pflash,unit=1,format=qcow2,file=flash")
        for line in [
            ": flash (qcow2)\n    Attached to:      flash1\n", "'pflash1' cannot have another size",
            "Device 'pflash1' is not removable", ": copy (qcow2)\n    Attached to:      flash1\n",
        ] { #expect(text.contains(line), "no '\(line)' in: \(text)") }
    }

    @Test(arguments: [
        ("block_resize e 1M", "Cannot find device 'e'"), ("block_resize d 2x", "'2x' is no size"),
        ("block_resize d", "usage: block_resize DEVICE SIZE"), ("block_resize d 1 2", "'2' is too much"),
        ("commit e", "Cannot find device"), ("eject d", "Device 'd' is not removable"),
        ("change d file", "Device 'd' is not removable"), ("block_job_cancel d", "Block job 'd' not found"),
        ("block_job_resume d", "not found"), ("drive_mirror d /no/such/file", "/no/such/file"),
        ("drive_mirror d x vmdk", "qcow2"), ("block_stream d 1 nothing", "'nothing' is not below 'd'"),
        ("drive_backup -c d x raw", "only qcow2"), ("drive_mirror -c d x", "Cannot find device '-c'"),
        ("eject cd", "Cannot find device 'cd'"), ("change d", "usage: change"), ("change vnc x", "no display"),
        ("change d file raw write", "wanted retain"), ("ringbuf_read r 5", "Device 'r' not found"),
        ("block_resize flash 1M", "Cannot find device"),
        ("drive_mirror -n d base raw", "another program"),
    ])
    func whatIsWrongIsSaid(_ line: String, _ mention: String) throws {
        let folder = try TemporaryFolder("hmp")
        let text = try Self.run([line], in: folder.path)
        #expect(text.contains("Error: ") && text.contains(mention), "\(text)")
    }
}
