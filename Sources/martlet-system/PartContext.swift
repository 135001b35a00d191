// From the rows of a board to its devices: one way for each kind.

import CharLayer
import Devices
import EngineSetup
import Machines
import PCI
import SystemKit
import Virtio

/// What devices are connected to while a board is filled.
final class PartContext {
    private let description: MachineDescription
    private let board: Board
    private let hartLines: [HartLines]
    private let backends: CharBackends
    private let serial: [CharSpec]
    private let plan: BootPlan
    /// The real-time clock's properties.
    private let clock: String
    private let timeMoved: (UInt64) -> Void
    private var serialCount = 0
    private var controller: PLIC?
    /// In the order in which they are filled.
    private(set) var virtioSlots: [VirtioMMIO] = []
    private(set) var bus: PCIBus?
    private(set) var firmwareConfig: FirmwareConfig?
    private let windows: [PCIWindowPlace]
    private let flash: FlashBanks

    init(
        description: MachineDescription, windows: [PCIWindowPlace], board: Board, hartLines: [HartLines],
        backends: CharBackends,
        serial: [CharSpec], plan: BootPlan, flash: FlashBanks, clock: String,
        timeMoved: @escaping (_ ahead: UInt64) -> Void
    ) {
        self.description = description
        self.windows = windows
        self.board = board
        self.hartLines = hartLines
        self.backends = backends
        self.serial = serial
        self.plan = plan
        self.flash = flash
        self.clock = clock
        self.timeMoved = timeMoved
    }

    /// Inputs of a hart (Privileged ISA, mcause).
    private enum Input {
        static let supervisorSoftware = 1, machineSoftware = 3, machineTimer = 7
        static let supervisorExternal = 9, machineExternal = 11
    }

    private typealias Maker = @Sendable (PartContext, Part) throws -> Void

    private static let makers: [String: Maker] = [
        "clint": { try $0.addTimer($1, "clint", at: $1.base, [Input.machineSoftware, Input.machineTimer]) },
        "aclint": { context, part in
            try context.addTimer(part, "mswi", at: part.base, [Input.machineSoftware])
            try context.addTimer(part, "mtimer", at: part.base + 0x4000, [Input.machineTimer])
            let supervisor = part.properties.first { $0.name == "supervisor" }?.value ?? 0
            try context.addTimer(part, "sswi", at: supervisor, [Input.supervisorSoftware])
        },
        "plic": { context, part in
            let lines = context.hartLines.flatMap {
                [$0.line(Input.machineExternal), $0.line(Input.supervisorExternal)]
            }
            var properties = part.properties.map { "\($0.name)=\($0.value)" }
            properties.append("contexts=\(lines.count)")
            context.controller = try context.board.add(
                PLIC.self, "plic", at: part.base, lines: lines, properties.joined(separator: ","))
        },
        "ns16550a": { context, part in
            let backend = try context.nextSerial()
            try context.board.add(NS16550A.self, "serial", at: part.base, lines: context.lines(part)) {
                $0.backend = backend
            }
        },
        "goldfish-rtc": { context, part in
            try context.board.add(
                GoldfishRTC.self, "rtc", at: part.base, lines: context.lines(part), context.clock)
        },
        "virtio-mmio": { context, part in
            let slot = try context.board.add(
                VirtioMMIO.self, "virtio-mmio-bus.\(part.interrupt.map { $0 - 1 } ?? 0)", at: part.base,
                lines: context.lines(part))
            context.virtioSlots.append(slot)
        },
        "cfi-flash": { try $0.flash.add(to: $0.board, at: $1.base) },
        "pcie-host": { try $0.addBus($1) },
        "sifive-test": { try $0.board.add(TestFinisher.self, "test", at: $1.base) },
        "fw_cfg": { context, part in
            let device = try context.board.add(FirmwareConfig.self, "fw_cfg", at: part.base)
            device.set(FirmwareConfig.Key.harts, UInt16(context.hartLines.count))
            context.firmwareConfig = device
            if let handed = context.plan.handed { context.hand(handed, to: device) }
        },
        "htif": { context, part in
            let backend = try context.nextSerial()
            let properties = part.properties.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
            // Where a program has the words, they take the place of its memory.
            let isMoved = context.plan.hostWords != nil
            try context.board.add(HTIF.self, "htif", at: part.base, properties, coversMemory: isMoved) {
                $0.backend = backend
            }
        },
    ]

    /// Those with a serial port.
    static let serialDevices: Set = ["ns16550a", "htif"]

    func add(_ part: Part) throws {
        guard let make = Self.makers[part.device] else {
            throw CommandError("machine \(description.name): there is no device '\(part.device)'")
        }
        try make(self, part)
    }

    private func lines(_ part: Part) -> [IRQLine] {
        guard let controller, let input = part.interrupt else { return [] }
        return [IRQLine(controller, Int(input))]
    }

    /// Outputs are in the order of harts, kind by kind.
    private func addTimer(_ part: Part, _ kind: String, at address: UInt64, _ inputs: [Int]) throws {
        let lines = inputs.flatMap { input in hartLines.map { $0.line(input) } }
        let device = try board.add(
            ACLINT.self, kind, at: address, lines: lines,
            "part=\(kind),harts=\(hartLines.count),frequency=\(description.timerFrequency)")
        device.timeMoved = timeMoved
    }

    private func hand(_ images: HandedKernel, to device: FirmwareConfig) {
        typealias Key = FirmwareConfig.Key
        func set(_ sizeKey: UInt16, _ dataKey: UInt16, _ bytes: [UInt8]) {
            device.set(sizeKey, UInt32(clamping: bytes.count))
            device.set(dataKey, bytes)
        }
        set(Key.kernelSize, Key.kernelData, images.kernel)
        if let initrd = images.initrd { set(Key.initrdSize, Key.initrdData, initrd) }
        if let arguments = images.arguments { set(Key.commandLineSize, Key.commandLine, Array(arguments.utf8) + [0]) }
    }

    /// Interrupts of the bus lead to the part's input and those behind it.
    private func addBus(_ part: Part) throws {
        guard let controller, let first = part.interrupt else { return }
        let bus = PCIBus("pcie.0", lines: (0..<4).map { IRQLine(controller, Int(first) + $0) })
        try board.place(ECAMWindow(bus), "pcie-ecam", at: part.base, size: part.size)
        for window in windows {
            let (space, name): (PCISpace, String) =
                switch window.kind {
                case .io: (.io, "pcie-io")
                case .memory32: (.memory, "pcie-memory")
                case .memory64: (.memory, "pcie-memory-high")
                }
            try board.place(
                PCIWindow(bus, space, base: window.target), name, at: window.base, size: window.size)
        }
        try board.add(HostBridge.self, board.context("gpex-root", Properties(HostBridge.descriptor))) { bridge, _ in
            try bus.add(bridge)
        }
        self.bus = bus
    }

    private func nextSerial() throws -> CharBackend? {
        defer { serialCount += 1 }
        return try backends.make(
            serialCount < serial.count ? serial[serialCount] : .null, label: "serial\(serialCount)")
    }
}
