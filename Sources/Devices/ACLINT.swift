// Timer and software interrupts of harts (RISC-V Advanced Core Local Interruptor Specification 1.0; SiFive's CLINT before it).

import EventLoop
import SystemKit

/// Outputs, in this order: the software interrupts of all harts, then the timer interrupts of all; each device has those that it drives.
public final class ACLINT: Device, RegisterDevice, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "aclint", "core-local interrupts", isLeaf: true,
            [
                Property("part", .choice(["clint", "mswi", "mtimer", "sswi"]), "clint", "which registers it has"),
                Property("harts", .number(1...4095), "1", "how many harts"),
                Property("frequency", .number(1...1_000_000_000), "10000000", "ticks of the timer in a second"),
            ])
    }

    /// Which registers there are, and where.
    private enum Part: String { case clint, mswi, mtimer, sswi }

    private let part: Part
    private let harts: Int
    private let frequency: UInt64
    fileprivate var softwarePending: [UInt32]
    private var compare: [UInt64]
    /// What the timer is ahead of the virtual clock by, in ticks: it begins at 0 with each reset, and software may set it.
    private var offset: UInt64 = 0
    /// Told each time that changes, since what harts call time is this timer.
    public var timeMoved: ((_ ahead: UInt64) -> Void)?
    private var alarms: [Timer] = []

    public required init(_ context: DeviceContext) {
        part = Part(rawValue: context.properties.text("part")) ?? .clint
        harts = Int(context.properties.number("harts"))
        frequency = context.properties.number("frequency")
        softwarePending = Array(repeating: 0, count: harts)
        compare = Array(repeating: .max, count: harts)
        super.init(context)
        guard hasTimer else { return }
        alarms = (0..<harts).map { hart in timer(.virtual) { [unowned self] in update(hart) } }
    }

    private var hasTimer: Bool { part == .clint || part == .mtimer }
    private var hasSoftware: Bool { part == .clint || part == .mswi }

    public var span: UInt64 {
        switch part {
        case .clint: 0x10000
        case .mtimer: 0x8000
        case .mswi, .sswi: 0x4000
        }
    }

    public func registers(_ map: inout RegisterMap<ACLINT>) {
        map.sizes = [.word, .double]
        if hasSoftware {
            map.stored(0, "MSIP", \.softwarePending, count: harts, mask: 1) { device, hart in
                device.line(hart).set(device.softwarePending[hart] != 0)
            }
        }
        if part == .sswi {
            // An edge: the bit in the hart's register is cleared by the hart.
            map.computed(
                0, "SETSSIP", count: harts, read: { _, _ in 0 },
                write: { device, hart, value in if value & 1 != 0 { device.line(hart).set(true) } })
        }
        guard hasTimer else { return }
        map.computed(
            part == .clint ? 0x4000 : 0, "MTIMECMP", width: 8, count: harts,
            read: { device, hart in device.compare[hart] },
            write: { device, hart, value in
                device.compare[hart] = value
                device.update(hart)
            })
        map.computed(
            part == .clint ? 0xbff8 : 0x7ff8, "MTIME", width: 8, read: { device, _ in device.time },
            write: { device, _, value in
                device.set(offset: value &- device.ticks)
            })
    }

    public override func reset(_ kind: ResetKind) {
        for hart in 0..<harts {
            compare[hart] = .max
            if hasSoftware { line(hart).set(false) }
        }
        set(offset: 0 &- ticks)
    }

    public override func snapshot(_ s: inout SnapshotCoder) throws(SnapshotError) {
        try s.field(&compare)
        guard hasTimer else { return }
        // What it shows: the virtual clock that it is counted from may be another one by then.
        var time = time
        try s.field(&time)
        if s.isLoading { offset = time &- ticks }
    }

    public override func hasLoaded() {
        for hart in 0..<harts where hasSoftware { line(hart).set(softwarePending[hart] != 0) }
        set(offset: offset)
    }

    // MARK: time

    /// Ticks of the virtual clock.
    private var ticks: UInt64 {
        let product = now(.virtual).multipliedFullWidth(by: frequency)
        return UInt64(1_000_000_000).dividingFullWidth(product).quotient
    }

    private var time: UInt64 { ticks &+ offset }

    private func set(offset ticks: UInt64) {
        guard hasTimer else { return }
        offset = ticks
        timeMoved?(ticks)
        for hart in 0..<harts { update(hart) }
    }

    /// Sets a hart's line, and the alarm for the moment at which it changes.
    private func update(_ hart: Int) {
        guard hasTimer else { return }
        let now = time, due = now >= compare[hart]
        line(part == .clint ? harts + hart : hart).set(due)
        alarms[hart].arm(at: due ? .max : deadline(ticks, in: compare[hart] &- now))
    }

    /// The virtual time at which so many more ticks have gone by; `.max`: never.
    private func deadline(_ ticks: UInt64, in more: UInt64) -> UInt64 {
        let (sum, overflow) = ticks.addingReportingOverflow(more)
        if overflow { return .max }
        // Rounded up: not a moment too early.
        let (high, low) = sum.multipliedFullWidth(by: 1_000_000_000)
        if high >= frequency { return .max }
        let (quotient, remainder) = frequency.dividingFullWidth((high, low))
        return remainder > 0 ? quotient &+ 1 : quotient
    }
}
