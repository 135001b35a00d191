// A machine that has been put together, and its run. The main thread turns the event loop; harts have threads of their own.

import BlockLayer
import CharLayer
import Devices
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
import PCI
import SystemKit

final class SystemMachine {
    private let description: MachineDescription
    private let shape: MachineShape
    private let plan: BootPlan
    private let cpu: ConfiguredCPU
    private let line: SystemCommandLine
    private let seed: (UInt64) -> [UInt8]
    private let control: RunControl
    private let board: Board
    /// RAM and ROM alone: what images are written to.
    private let bootMap = PhysicalMap()
    private let engine: Engine
    private let harts: HartSet
    private let backends: CharBackends
    private var disks: Disks?
    private var objects: Objects?
    private var networks: Networks?
    private var bus: PCIBus?
    private var balloon: (any BalloonControl)?
    private var blockCommands: BlockCommands?
    private var monitors: [Monitor] = []
    private var resets: UInt64 = 0

    init(
        _ description: MachineDescription, _ shape: MachineShape, _ plan: BootPlan, _ cpu: ConfiguredCPU,
        line: SystemCommandLine, diagnostics: Diagnostics, seed: @escaping (UInt64) -> [UInt8]
    ) throws {
        self.description = description
        self.shape = shape
        self.plan = plan
        self.cpu = cpu
        self.line = line
        self.seed = seed
        let instructionClock = line.counting.map { InstructionClock(shift: $0.shift) }
        let clocks = Clocks(counted: instructionClock?.reading)
        let control = RunControl(try EventLoop(clocks: clocks))
        control.endsAtReset = line.process.endsAtReset
        control.staysAtShutdown = line.process.staysAtShutdown
        self.control = control
        // Before there are other threads.
        try control.endAtSignals()
        // Devices write to memory when the engine is there.
        let written = WrittenMemory()
        board = Board(control, diagnostics: diagnostics) { written.note($0, $1, $2) }
        let memory = MachineMemory(board.map)
        var options = line.accelerator.engineOptions(diagnostics)
        options.countsInstructions = line.counting != nil
        options.store = DiskCache.options(
            line.accelerator, options, folder: DiskCache.folder(line.accelerator.diskCache),
            guest: "machine \(cpu.guest.name)", cpu: line.cpu, program: "machine")
        options.store?.forgetsUnused = true
        engine = try Engine(
            guest: cpu.guest, host: try AcceleratorOptions.host(options.tier), memory: memory, options: options)
        written.engine = engine
        let threads = line.accelerator.threads.flatMap(HartThreads.init(rawValue:)) ?? .multi
        harts = HartSet(
            threads: threads, nanosecondsPerTick: 1_000_000_000 / UInt64(description.timerFrequency),
            counted: instructionClock.map { clock in
                CountedTime(
                    clock: clock, sleeps: line.counting?.sleeps ?? true,
                    followsHost: line.counting?.followsHost ?? false, isAligned: line.counting?.isAligned ?? false,
                    deadline: { [loop = control.loop] in loop.deadline(.virtual) },
                    runTimers: { [loop = control.loop] in loop.runTimers(.virtual) },
                    isHeld: { control.hasRequest }, hostTime: { clocks.now(.virtualRealtime) })
            },
            now: { clocks.now(.virtual) },
            failed: {
                writeStandardError("martlet: \($0)\n")
                control.requestShutdown(.guest(status: 1))
            })
        backends = CharBackends(control.loop, say: { writeStandardOutput($0 + "\n") }) { control.finish(.user) }
        for (id, device) in line.character.devices { try backends.add(id, device) }
        try addMemory()
        for _ in 0..<shape.hartCount { _ = harts.add(try engine.makeVCPU()) }
        try addParts()
        try addMonitors()
    }

    // MARK: Putting it together

    private func addMemory() throws {
        let ram = try block("ram", shape.ramSize, isReadOnly: false)
        try board.add(ram, at: description.ramBase)
        _ = bootMap.add(PhysicalRange("ram", start: description.ramBase, size: ram.size, .memory(ram)))
        if let reset = description.reset {
            let rom = try block("mrom", reset.size, isReadOnly: true)
            try board.add(rom, at: reset.base)
            _ = bootMap.add(PhysicalRange("mrom", start: reset.base, size: rom.size, .memory(rom)))
        }
    }

    private func block(_ name: String, _ size: UInt64, isReadOnly: Bool) throws -> RAMBlock {
        guard size <= 1 << 46 else { throw CommandError("-m: the host has no addresses for that much RAM") }
        let pages = Int(size / PhysicalMap.pageSize)
        do throws(Errno) {
            let base = try HostMemory.reserve(Int(size))
            let chunks = try HostMemory.reserve(max(8 * pages, Int(PhysicalMap.pageSize)))
            return RAMBlock(
                name, base: base, size: size, isReadOnly: isReadOnly,
                codeChunks: chunks.bindMemory(to: UInt64.self, capacity: pages))
        } catch {
            throw CommandError("-m: the host has no memory for \(size >> 20) MiB of RAM: \(error.message)")
        }
    }

    private func addParts() throws {
        let lines = harts.harts.map { hart in
            HartLines(hart.vcpu.interruptLines) { hart.kick() }
        }
        let disks = try Disks(line.block)
        self.disks = disks
        let flash = FlashBanks(
            disks: try line.flashDrives().map { name in try name.map { try disks.take($0) } },
            makeMemory: { [unowned self] in try block($0, $1, isReadOnly: true) },
            hidden: { [engine] in engine.coverChanged() })
        let parts = PartContext(
            description: description, windows: description.pciWindows(for: shape), board: board, hartLines: lines,
            backends: backends,
            serial: line.character.serial, plan: plan, flash: flash,
            clock: line.clock.start(isCounted: line.counting != nil),
            timeMoved: { [harts] in harts.moveTime(ahead: $0) })
        // What interrupts lead to comes before what raises them.
        for part in description.parts where part.device == "plic" { try parts.add(part) }
        for part in description.parts where part.device != "plic" { try parts.add(part) }
        let commands = BlockCommands(disks.graph, control.loop) { disks.backends.map(\.backend) }
        commands.failed = { job, error in writeStandardError("martlet: job '\(job.id)': \(error)\n") }
        blockCommands = commands
        let networks = try Networks(line.networks, board, backends)
        self.networks = networks
        let objects = try Objects(
            line.objects, board, networks, startTime: line.clock.startTime(isCounted: line.counting != nil))
        self.objects = objects
        var added = AddedDevices(
            board, slots: parts.virtioSlots, bus: parts.bus, disks: disks, networks: networks,
            shares: Shares(line.shares), objects: objects, backends: backends)
        try added.add(line.devices, globals: line.globals, machine: description.name)
        bus = parts.bus
        balloon = added.balloon
        try addFirmwareFiles(to: parts.firmwareConfig, bootOrder: added.bootOrder)
    }

    private func addFirmwareFiles(to device: FirmwareConfig?, bootOrder: [String]) throws {
        guard let device else {
            if line.firmwareFiles.isEmpty { return }
            throw CommandError("-fw_cfg: machine \(description.name) has no place for it")
        }
        device.set(FirmwareConfig.Key.uuid, line.process.uuid.bytes)
        try line.boot.add(to: device, devices: bootOrder)
        for file in line.firmwareFiles { try file.add(to: device) }
    }

    private func addMonitors() throws {
        for (number, spec) in line.character.monitors.enumerated() {
            guard let backend = try backends.make(spec, label: "compat_monitor\(number)") else { continue }
            monitors.append(Monitor(board, backend, sources: sources(), isShared: !backend.hasFocus))
        }
    }

    /// Lets those connect whom the command line says to wait for. False: something else was asked for meanwhile.
    private func waitForPeers() -> Bool {
        for name in backends.awaited { writeStandardError("martlet: waiting for a connection to \(name)\n") }
        control.loop.run { control.hasRequest || control.end != nil || backends.awaited.isEmpty }
        return backends.awaited.isEmpty
    }

    // MARK: Running

    func run() throws -> RunCause {
        control.actions = RunActions(
            start: { [harts, weak self] in
                harts.resume()
                self?.disks?.retry()
            }, stop: { [harts] in harts.stop() },
            reset: { [unowned self] _ in
                do { try reset(.warm) } catch {
                    writeStandardError("martlet: reset: \(error)\n")
                    control.finish(.guest(status: 1))
                }
            })
        try reset(.cold)
        try harts.start()
        let isReady = waitForPeers()
        HostDaemon.stand()
        if isReady, !line.startsStopped { control.start() }
        let cause = control.run()
        control.stop()
        backends.flush()
        blockCommands?.endAll()
        objects?.end()
        disks?.close()
        HostTerminal.restore()
        engine.saveTranslations()
        return cause
    }

    /// Brings everything to its first state. No hart runs.
    private func reset(_ kind: ResetKind) throws {
        if resets > 0 { engine.invalidate(start: GuestLocation(0), length: .max) }
        board.reset(kind)
        for hart in harts.harts {
            hart.vcpu.reset()
            cpu.start(hart.vcpu, hart.number, plan.starts[hart.number] ?? plan.start)
        }
        try plan.write(to: bootMap, seed: seed(resets))
        resets += 1
    }

    // MARK: For the monitor

    private func sources() -> MonitorSources {
        var sources = MonitorSources()
        let info = SystemInfo(engine: engine, harts: harts, control: control)
        sources.info = info.rows
        let process = line.process
        sources.info.append(("name", "the machine's name", { process.name.guest }))
        sources.info.append(("uuid", "the machine's UUID", { process.uuid.text }))
        if let bus { sources.info.append(("pci", "functions on the PCI bus, and where they answer", { bus.text })) }
        if let objects, !objects.threads.isEmpty {
            sources.info.append(("iothreads", "threads of devices", { objects.threadText }))
        }
        sources.block = blockCommands
        sources.network = networks
        sources.balloon = balloon
        sources.character = { [backends] in backends.named($0) }
        sources.readPhysical = { [board] address, count in board.dma.bytes(address, count: count) }
        sources.readVirtual = { [board] address, count in
            info.whileStopped { info.read(address, count: count, board.map) }
        }
        sources.disassemble = { [cpu] bytes, address in
            bytes.withUnsafeBytes {
                guard $0.count > 0 else { return nil }
                let (text, length) = cpu.guest.disassemble($0, at: address)
                return (text, length)
            }
        }
        sources.register = { name in info.whileStopped { info.register(name) } }
        return sources
    }
}

/// What devices have written to memory, for the engine: code may have been made from it.
private final class WrittenMemory: @unchecked Sendable {
    weak var engine: Engine?

    func note(_ block: RAMBlock, _ offset: UInt64, _ count: UInt64) {
        engine?.memoryWritten(block, offset: offset, count: count)
    }
}
