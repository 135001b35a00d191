// One run of a machine: board, harts, engine and back ends, put together from the command line's wishes.

import CharLayer
import Diagnostics
import EngineSetup
import EventLoop
import ExecutionEngine
import GuestKit
import GuestMemory
import Harts
import HostOS
import Machines
import Monitor
import SystemKit

struct SystemRun {
    let target: TargetRow
    let line: SystemCommandLine
    let diagnostics: Diagnostics

    func run() throws(CommandError) -> Int32 {
        try line.checkIdentifiers()
        try checkCounting()
        var machine = try machine()
        try checkSerial(machine)
        let cpu = try target.cpu(line.cpu, line.counting == nil ? EngineInputs.system : EngineInputs.counted)
        let shape = MachineShape(
            hart: cpu.shape, hartCount: line.topology.harts, ramSize: line.memory.size ?? machine.usualRAM)
        let inFlash = try line.flashDrives()[0] != nil
        let plan: BootPlan
        do throws(MachineError) {
            try machine.check(shape)
            try line.topology.check(machine)
            try line.memory.check(shape.ramSize)
            plan = try BootPlan(machine, shape, request(cpu.shape.width, inFlash: inFlash))
            if let path = line.machineProperties.first(where: { $0.name == "dumpdtb" })?.value {
                try write(plan.treeBlob(seed: seed(0)), to: path)
                return 0
            }
        } catch { throw CommandError(error.description) }
        if let words = plan.hostWords { machine.moveHostInterface(to: words) }
        HostSignals.start()
        line.process.name.apply()
        let pidFile = try PIDFile.make(line.process.pidFile, "-pidfile")
        let cause: RunCause
        do {
            defer { pidFile?.remove() }
            cause = try SystemMachine(
                machine, shape, plan, cpu, line: line, diagnostics: diagnostics, seed: seed
            ).run()
        } catch let error as CommandError {
            throw error
        } catch let error as Errno {
            throw CommandError("the machine cannot be made: \(error.message)")
        } catch {
            throw CommandError("\(error)")
        }
        if case .signal(let signal) = cause { HostSignals.dieBy(signal) }
        return cause.status
    }

    private func machine() throws(CommandError) -> MachineDescription {
        let name = line.machine ?? target.usualMachine
        guard var machine = target.machines().first(where: { $0.name == name }) else {
            let names = target.machines().map(\.name).joined(separator: ", ")
            throw CommandError("-M \(name): there is no such machine; there are \(names)")
        }
        let known = name == "virt" ? ["aclint", "acpi"] + SystemCommandLine.flashProperties : []
        for (property, value) in line.machineProperties where property != "dumpdtb" {
            guard known.contains(property) else {
                let names = (["dumpdtb"] + known).joined(separator: ", ")
                throw CommandError("-M \(name): it has no property '\(property)'; wanted \(names)")
            }
            switch (property, value) {
            case ("aclint", "on"), ("aclint", "off"): machine = .virt(aclint: value == "on")
            case ("aclint", _): throw CommandError("-M \(name),aclint=\(value): wanted on or off")
            case ("acpi", "off"), ("acpi", "auto"): break
            case ("acpi", _):
                throw CommandError("-M \(name),acpi=\(value): there are no such tables; wanted off or auto")
            default: break
            }
        }
        return machine
    }

    private func checkCounting() throws(CommandError) {
        guard line.counting != nil else { return }
        if line.accelerator.threads == "multi" {
            throw CommandError("-accel tcg,thread=multi: with -icount all harts share a thread; wanted thread=single")
        }
        if line.accelerator.background == true {
            throw CommandError("-accel tcg,background=on: with -icount code is compiled in turn; wanted background=off")
        }
    }

    /// Output that nothing would ever come to is refused. A monitor beside the ports is none.
    private func checkSerial(_ machine: MachineDescription) throws(CommandError) {
        let count = machine.parts.count { PartContext.serialDevices.contains($0.device) }
        let isLost = line.character.serial.dropFirst(count).contains {
            $0 != .none && $0 != .null && !$0.isShared
        }
        if isLost {
            throw CommandError(
                "-serial: machine \(machine.name) has \(count) of them, not \(line.character.serial.count)")
        }
        do {
            try CharBackends.check(
                line.character.devices,
                uses: line.character.serial
                    + (line.devices.flatMap(\.characterDevices) + line.networks.flatMap(\.characterDevices))
                    + line.character.monitors)
        } catch { throw CommandError("\(error)") }
    }

    private func request(_ width: HartWidth, inFlash: Bool) throws(MachineError) -> BootRequest {
        var request = BootRequest()
        request.firmware = Firmware(option: line.firmware)
        request.kernel = line.kernel
        request.initrd = line.initrd
        request.arguments = line.arguments
        request.tree = line.tree
        request.loaders = line.loaders
        request.startsInFlash = inFlash
        let executable = OwnFile.path
        let cache = HostProcess.variable("XDG_CACHE_HOME") ?? HostProcess.variable("HOME").map { $0 + "/.cache" }
        request.firmwareFiles = Firmware.usualFiles(width, executable: executable, cache: cache)
        return request
    }

    private func write(_ bytes: [UInt8], to path: String) throws(MachineError) {
        do throws(Errno) { try HostFile.write(bytes, to: path) } catch {
            throw MachineError("-M dumpdtb=\(path): \(error.message)")
        }
    }

    /// Bytes for the kernel's random numbers, other ones at each reset. All runs are the same where instructions are counted.
    private var seed: @Sendable (_ resets: UInt64) -> [UInt8] {
        let fixed = line.seed ?? (line.counting == nil ? nil : 0)
        return { resets in
            var bytes = [UInt8](repeating: 0, count: Chosen.seedSize)
            guard let fixed else {
                bytes.withUnsafeMutableBytes { HostProcess.fillRandom($0) }
                return bytes
            }
            var state = fixed &+ resets &* 0x9E37_79B9_7F4A_7C15
            for i in bytes.indices {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes[i] = UInt8(truncatingIfNeeded: state >> 56)
            }
            return bytes
        }
    }
}
