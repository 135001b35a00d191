// What this binary holds, as tables. Adding a guest or a host is a line here.

import CodeGen
import CodeGenInterpreter
import CodeGenX64
import GuestKit
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
    /// The text of `-cpu help`.
    let cpuHelp: @Sendable () -> String
    /// Builds the guest for a `-cpu` argument (nil: the default model).
    let make: @Sendable (String?) throws(CommandError) -> ConfiguredGuest
}

let allGuests: [GuestRow] = [
    GuestRow(
        name: "riscv64",
        cpuHelp: { RISCVCPUModel.help(.bits64) },
        make: { (specification) throws(CommandError) in
            do {
                let cpu = try specification.map { try RISCVCPU($0) } ?? .standard
                return ConfiguredGuest(
                    architecture: RISCVGuest(cpu: cpu, inputs: .host), abi: .riscv64(isa: cpu.isaString),
                    hardwareCapabilities: cpu.hardwareCapabilities)
            } catch {
                throw CommandError("\(error)")
            }
        })
]
