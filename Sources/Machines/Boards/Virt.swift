// `virt`: a board without a real one behind it, with the devices that Linux has drivers for. Its map is QEMU's, so that firmware and
// kernels made for the one run on the other.
//
// Source: QEMU, docs/system/riscv/virt.rst, and the device tree that qemu-system-riscv64 -M virt,dumpdtb= writes.

extension MachineDescription {
    /// `aclint`: the timer and software interrupts as devices of their own, with software interrupts for supervisors.
    public static func virt(aclint: Bool = false) -> MachineDescription {
        MachineDescription(
            name: "virt", summary: "a board for virtual machines",
            hartLimit: 512, ramBase: 0x8000_0000, usualRAM: 128 << 20, timerFrequency: 10_000_000,
            model: "riscv-virtio,qemu", compatible: "riscv-virtio", reset: ResetROM(base: 0x1000, size: 0xf000),
            widestPaging: 57,
            parts: [
                Part(
                    "cfi-flash", at: 0x2000_0000, size: 0x400_0000,
                    nodes: [
                        TreeRow(
                            "flash", in: .root, unit: .part,
                            [
                                .cell("bank-width", 4),
                                .otherRegisters([0x2000_0000, 0x200_0000, 0x2200_0000, 0x200_0000]),
                                .compatible(["cfi-flash"]),
                            ])
                    ]),
                Part(
                    "sifive-test", at: 0x10_0000, size: 0x1000,
                    nodes: [
                        TreeRow("test", [.registers, .compatible(["sifive,test1", "sifive,test0", "syscon"])]),
                        TreeRow("poweroff", in: .root, syscon("syscon-poweroff", 0x5555)),
                        TreeRow("reboot", in: .root, syscon("syscon-reboot", 0x7777)),
                    ]),
                Part(
                    "goldfish-rtc", at: 0x10_1000, size: 0x1000, interrupt: 11,
                    nodes: [TreeRow("rtc", [.interrupt, .registers, .compatible(["google,goldfish-rtc"])])]),
                aclint ? .aclint(at: 0x200_0000, supervisorAt: 0x2f0_0000) : .clint(at: 0x200_0000),
                Part(
                    "plic", at: 0xc00_0000, size: 0x60_0000,
                    properties: [("sources", 95), ("priorities", 7)],
                    nodes: [
                        TreeRow(
                            "plic",
                            [
                                .cell("riscv,ndev", 95), .registers,
                                .hartInterrupts([HartInput.machineExternal, HartInput.supervisorExternal]),
                                .interruptController(cells: 1), .compatible(["sifive,plic-1.0.0", "riscv,plic0"]),
                                .cell("#address-cells", 0),
                            ])
                    ]),
                Part(
                    "ns16550a", at: 0x1000_0000, size: 0x100, interrupt: 10,
                    nodes: [
                        TreeRow(
                            "serial",
                            [.interrupt, .cell("clock-frequency", 3_686_400), .registers, .compatible(["ns16550a"])])
                    ]),
            ] + virtioSlots + [
                Part(
                    "pcie-host", at: 0x3000_0000, size: 0x1000_0000, interrupt: 32,
                    properties: [
                        ("io", 0x300_0000), ("io-size", 0x1_0000), ("memory", 0x4000_0000),
                        ("memory-size", 0x4000_0000),
                    ],
                    nodes: [
                        TreeRow(
                            "pci",
                            [
                                .pciInterrupts, .pciWindows, .registers, .empty("dma-coherent"),
                                .cells("bus-range", [0, 255]), .cell("linux,pci-domain", 0),
                                .text("device_type", "pci"), .compatible(["pci-host-ecam-generic"]),
                                .cell("#size-cells", 2), .cell("#interrupt-cells", 1), .cell("#address-cells", 3),
                            ])
                    ]),
                Part(
                    "fw_cfg", at: 0x1010_0000, size: 0x18,
                    nodes: [
                        TreeRow(
                            "fw-cfg", in: .root,
                            [.empty("dma-coherent"), .registers, .compatible(["qemu,fw-cfg-mmio"])])
                    ]),
            ])
    }

    /// Places for virtio devices, the last one first: they are filled in this order.
    private static let virtioSlots = (0..<8).reversed().map { index in
        Part(
            "virtio-mmio", at: 0x1000_1000 + 0x1000 * UInt64(index), size: 0x1000, interrupt: UInt32(1 + index),
            nodes: [TreeRow("virtio_mmio", [.interrupt, .registers, .compatible(["virtio,mmio"])])])
    }

    /// A node that has a word written to the test device.
    private static func syscon(_ compatible: String, _ value: UInt32) -> [TreeRow.Content] {
        [
            .cell("value", value), .cell("offset", 0), .reference("regmap", to: "sifive-test"),
            .compatible([compatible]),
        ]
    }
}

extension Part {
    /// Source: SiFive FU540-C000 manual, chapter 9.
    static func clint(at base: UInt64) -> Part {
        Part(
            "clint", at: base, size: 0x1_0000,
            nodes: [
                TreeRow(
                    "clint",
                    [
                        .hartInterrupts([HartInput.machineSoftware, HartInput.machineTimer]), .registers,
                        .compatible(["sifive,clint0", "riscv,clint0"]),
                    ])
            ])
    }

    /// The same registers, and those for supervisors (property `supervisor`). Source: RISC-V ACLINT specification 1.0.
    static func aclint(at base: UInt64, supervisorAt supervisor: UInt64) -> Part {
        Part(
            "aclint", at: base, size: 0x1_0000, properties: [("supervisor", supervisor)],
            nodes: [
                TreeRow(
                    "mswi", unit: .address(base),
                    [
                        .interruptController(cells: 0), .hartInterrupts([HartInput.machineSoftware]),
                        .otherRegisters([base, 0x4000]), .compatible(["riscv,aclint-mswi"]),
                    ]),
                TreeRow(
                    "mtimer", unit: .address(base + 0x4000),
                    [
                        .hartInterrupts([HartInput.machineTimer]),
                        // The time, then the compare registers.
                        .otherRegisters([base + 0xbff8, 0x4008, base + 0x4000, 0x7ff8]),
                        .compatible(["riscv,aclint-mtimer"]),
                    ]),
                TreeRow(
                    "sswi", unit: .address(supervisor),
                    [
                        .interruptController(cells: 0), .hartInterrupts([HartInput.supervisorSoftware]),
                        .otherRegisters([supervisor, 0x4000]), .compatible(["riscv,aclint-sswi"]),
                    ]),
            ])
    }
}
