// What this binary holds, as tables. Adding a target is a line here.

import EngineSetup
import ExecutionEngine
import GuestKit
import GuestRISCV
import Machines

/// A CPU, configured for one machine.
struct ConfiguredCPU {
    let guest: any SystemGuest
    let shape: HartShape
    /// Gives a hart its number, and where it begins.
    let start: (VCPU, _ number: Int, _ pc: UInt64) -> Void
}

/// An architecture whose machines can be run.
struct TargetRow: Sendable {
    /// As in `martlet-system-NAME`.
    let name: String
    let machines: @Sendable () -> [MachineDescription]
    /// That of a run without `-M`.
    let usualMachine: String
    /// The text of `-cpu help`.
    let cpuHelp: @Sendable () -> String
    /// Builds the CPU for a `-cpu` argument (nil: the default model), with what is around it.
    let cpu: @Sendable (String?, SystemInputs) throws(CommandError) -> ConfiguredCPU
}

let allTargets: [TargetRow] = [riscv("riscv64", .bits64), riscv("riscv32", .bits32)]

private func riscv(_ name: String, _ size: WordSize) -> TargetRow {
    TargetRow(
        name: name, machines: { MachineDescription.all }, usualMachine: "virt",
        cpuHelp: { RISCVCPUModel.help(size, .machine) },
        cpu: { (specification, inputs) throws(CommandError) in
            let cpu: RISCVCPU
            do {
                cpu =
                    try specification.map { try RISCVCPU($0, size, .machine) }
                    ?? (size == .bits32 ? .machine32 : .machine)
            } catch {
                throw CommandError("-cpu \(specification ?? ""): \(error)")
            }
            let guest = RISCVSystemGuest(cpu: cpu, inputs: inputs)
            return ConfiguredCPU(
                guest: guest, shape: shape(cpu, size),
                start: { vcpu, number, pc in
                    guest.setHart(vcpu.state, UInt64(number))
                    vcpu.programCounter = pc
                })
        })
}

private func shape(_ cpu: RISCVCPU, _ size: WordSize) -> HartShape {
    let modes: [(RISCVExtensions, Int)] = [(.sv57, 57), (.sv48, 48), (.sv39, 39), (.sv32, 32)]
    let paging = modes.first { cpu.extensions.contains($0.0) }?.1
    let blocks: [(RISCVExtensions, String)] = [(.zicboz, "cboz"), (.zicbop, "cbop"), (.zicbom, "cbom")]
    return HartShape(
        width: size == .bits32 ? .bits32 : .bits64, extensions: cpu.extensions.isaExtensions, paging: paging,
        cacheBlocks: blocks.filter { cpu.extensions.contains($0.0) }.map { ($0.1, 64) })
}
