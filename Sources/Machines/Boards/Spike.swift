// `spike`: the machine of the RISC-V simulator Spike. It talks to the host through two words (HTIF) and has no interrupt controller.
//
// Source: QEMU, docs/system/target-riscv.rst, and the device tree that qemu-system-riscv64 -M spike,dumpdtb= writes.

extension MachineDescription {
    public static let spike = MachineDescription(
        name: "spike", summary: "the machine of the simulator Spike",
        hartLimit: 8, ramBase: 0x8000_0000, usualRAM: 128 << 20, timerFrequency: 10_000_000,
        model: "ucbbar,spike-bare,qemu", compatible: "ucbbar,spike-bare-dev",
        reset: ResetROM(base: 0x1000, size: 0xf000), widestPaging: 48,
        parts: [
            .clint(at: 0x200_0000),
            Part(
                "htif", at: 0x100_0000, size: 0x1000, properties: [("fromhost", 0), ("tohost", 8)],
                nodes: [TreeRow("htif", in: .root, unit: TreeRow.Unit.none, [.registers, .compatible(["ucb,htif0"])])]),
        ])
}
