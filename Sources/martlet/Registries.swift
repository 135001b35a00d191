// What this binary holds, as tables. Adding a guest or a host is a line here.

import EngineSetup
import GuestKit
import GuestMoxie
import GuestRISCV
import LinuxABI
import LinuxUser

/// A guest for one configured CPU model.
struct ConfiguredGuest: Sendable {
    let architecture: any GuestArchitecture
    let abi: LinuxGuestABI
    /// AT_HWCAP.
    let hardwareCapabilities: UInt64
}

/// A guest architecture that can be chosen.
struct GuestRow: Sendable {
    /// As in `martlet-NAME` and `qemu-NAME`.
    let name: String
    /// What its programs' files say they are for.
    let elf: ELFTarget
    /// The text of `-cpu help`.
    let cpuHelp: @Sendable () -> String
    /// Builds the guest for a `-cpu` argument (nil: the default model).
    let make: @Sendable (String?) throws(CommandError) -> ConfiguredGuest
}

let allGuests: [GuestRow] = [
    riscv("riscv64", .bits64, .standard, LinuxGuestABI.riscv64(isa:)),
    riscv("riscv32", .bits32, .standard32, LinuxGuestABI.riscv32(isa:)),
    GuestRow(
        name: "moxie",
        elf: ELFTarget(machine: 223, words: Words(size: 4, order: .big)),
        cpuHelp: { "Moxie has one CPU model: any\n" },
        make: { (specification) throws(CommandError) in
            guard specification == nil || specification == "any" else {
                throw CommandError("-cpu \(specification ?? ""): Moxie has one CPU model: any")
            }
            return ConfiguredGuest(architecture: MoxieGuest(), abi: .moxie, hardwareCapabilities: 0)
        }),
]

private func riscv(
    _ name: String, _ wordSize: WordSize, _ standard: RISCVCPU, _ abi: @escaping @Sendable (String) -> LinuxGuestABI
) -> GuestRow {
    GuestRow(
        name: name,
        elf: ELFTarget(machine: 243, words: Words(size: wordSize.bytes, order: .little)),
        cpuHelp: { RISCVCPUModel.help(wordSize) },
        make: { (specification) throws(CommandError) in
            do {
                let cpu = try specification.map { try RISCVCPU($0, wordSize) } ?? standard
                return ConfiguredGuest(
                    architecture: RISCVGuest(cpu: cpu, inputs: .host), abi: abi(cpu.isaString),
                    hardwareCapabilities: cpu.hardwareCapabilities)
            } catch {
                throw CommandError("\(error)")
            }
        })
}
