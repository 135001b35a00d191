// What `./devtool payloads` has fetched: real firmware and kernels. Without it these tests do nothing.

import HostOS
import TestSupport
import Testing

@testable import Machines

enum Payloads {
    static let folder =
        (environmentValue("XDG_CACHE_HOME") ?? (environmentValue("HOME") ?? "/root") + "/.cache") + "/martlet/payloads"

    static func have(_ name: String) -> Bool { HostFile.exists(folder + "/" + name) }
}

@Suite(.enabled(if: Payloads.have("kernel"), "./devtool payloads fetches them")) struct PayloadTests {
    private func plan(
        _ width: HartWidth = .bits64, firmware: String, kernel: String?, initrd: String? = nil, ram: UInt64 = 512 << 20
    ) throws -> BootPlan {
        func path(_ name: String) -> String { Payloads.folder + "/" + name }
        var request = BootRequest()
        request.firmware = .file(path(firmware))
        request.kernel = kernel.map(path)
        request.initrd = initrd.map(path)
        let hart = HartShape(width: width, extensions: ["i"], paging: nil)
        return try BootPlan(.virt(), MachineShape(hart: hart, hartCount: 1, ramSize: ram), request)
    }

    /// The addresses are QEMU's for the same files (monitor: xp at 0x1000; `/chosen` of dumpdtb).
    @Test(arguments: ["firmware64.bin", "firmware64.elf"]) func debiansKernelHasItsPlace(firmware: String) throws {
        let plan = try plan(firmware: firmware, kernel: "kernel", initrd: "initrd")
        let ranges = plan.placement.ranges
        #expect(ranges[0].start == 0x8000_0000)
        #expect(ranges.suffix(3).map(\.start) == [0x8020_0000, 0x9020_0000, 0x9fe0_0000])
        // More than the file: the kernel's own variables lie behind it.
        let kernel = try #require(plan.pieces.first { $0.address == 0x8020_0000 })
        #expect(kernel.size > UInt64(kernel.bytes.count) && kernel.bytes.count > 16 << 20)
        #expect(plan.start == 0x1000)
    }

    @Test func debiansKernelInLittleRAMIsOneLine() throws {
        #expect(throws: MachineError.self) { try plan(firmware: "firmware64.bin", kernel: "kernel", ram: 31 << 20) }
        _ = try plan(firmware: "firmware64.bin", kernel: "kernel", initrd: "initrd", ram: 64 << 20)
    }

    @Test func otherPayloadsHaveTheirs() throws {
        for kernel in ["u-boot.bin", "u-boot.elf"] {
            let plan = try plan(firmware: "firmware64.bin", kernel: kernel)
            #expect(plan.placement.ranges.contains { $0.start == 0x8020_0000 }, "\(kernel)")
        }
        for firmware in ["firmware32.bin", "firmware32.elf"] {
            let plan = try plan(.bits32, firmware: firmware, kernel: nil)
            #expect(plan.placement.ranges[0].start == 0x8000_0000, "\(firmware)")
        }
        #expect(throws: MachineError.self) { try plan(.bits32, firmware: "firmware64.elf", kernel: nil) }
    }
}
