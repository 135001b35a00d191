// The real-time clock of Android's Goldfish platform (GOLDFISH-VIRTUAL-HARDWARE: nanoseconds since 1970, and one alarm).

import EventLoop
import SystemKit

public final class GoldfishRTC: Device, RegisterDevice, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "goldfish-rtc", "real-time clock",
            [
                Property(
                    "clock", .choice(["host", "rt", "vm"]), "host",
                    "what drives it: the host's wall clock, its time since it was started, or the machine's"),
                Property(
                    "base", .number(0...UInt64.max), "\(hostTime)",
                    "seconds since 1970 at the start; \(hostTime): as the host's clock"),
            ])
    }

    /// The `base` of a clock that begins with the host's time.
    public static let hostTime = UInt64.max

    private let clock: ClockKind
    /// What the guest's time is ahead of the clock by.
    private var offset: UInt64 = 0
    /// The halves that the guest reads and writes after the other.
    private var latchedTime: UInt32 = 0
    private var timeHigh: UInt32 = 0
    fileprivate var alarmHigh: UInt32 = 0
    fileprivate var enabled: UInt32 = 0
    /// In the guest's time; nil: none is set.
    private var alarm: UInt64?
    private var pending = false
    private var bell: Timer!

    public required init(_ context: DeviceContext) {
        clock = ["rt": .realtime, "vm": .virtual][context.properties.text("clock")] ?? .host
        super.init(context)
        let base = context.properties.number("base")
        if base != Self.hostTime {
            offset = base &* 1_000_000_000 &- now(clock)
        } else if clock != .host {
            offset = now(.host) &- now(clock)
        }
        bell = timer(clock) { [unowned self] in update() }
    }

    public var span: UInt64 { 0x1000 }

    public func registers(_ map: inout RegisterMap<GoldfishRTC>) {
        // Reading the low half keeps the high one for the next read.
        map.computed(0x00, "TIME_LOW", read: { d, _ in d.latch() }, write: { d, _, v in d.setTime(low: UInt32(v)) })
        map.computed(
            0x04, "TIME_HIGH", read: { d, _ in UInt64(d.latchedTime) }, write: { d, _, v in d.timeHigh = UInt32(v) })
        map.computed(
            0x08, "ALARM_LOW", read: { d, _ in (d.alarm ?? 0) & 0xffff_ffff },
            write: { d, _, v in d.setAlarm(UInt64(d.alarmHigh) &<< 32 | v) })
        map.stored(0x0c, "ALARM_HIGH", \.alarmHigh)
        map.stored(0x10, "IRQ_ENABLED", \.enabled, mask: 1) { $0.update() }
        map.computed(0x14, "CLEAR_ALARM", write: { d, _, _ in d.setAlarm(nil) })
        map.computed(0x18, "ALARM_STATUS", read: { d, _ in d.alarm == nil ? 0 : 1 })
        map.computed(
            0x1c, "CLEAR_INTERRUPT",
            write: { d, _, _ in
                d.pending = false
                d.update()
            })
    }

    public override func reset(_ kind: ResetKind) {
        // It has a battery: the time goes on.
        latchedTime = 0
        timeHigh = 0
        pending = false
        setAlarm(nil)
    }

    public override func snapshot(_ s: inout SnapshotCoder) throws(SnapshotError) {
        // The offset from a clock that has gone on meanwhile, so that the guest's time is right again.
        try s.field(&offset)
        try s.field(&latchedTime)
        try s.field(&timeHigh)
        try s.field(&pending)
        var isSet = alarm != nil, time = alarm ?? 0
        try s.field(&isSet)
        try s.field(&time)
        alarm = isSet ? time : nil
    }

    public override func hasLoaded() { update() }

    private var time: UInt64 { now(clock) &+ offset }

    private func latch() -> UInt64 {
        let time = time
        latchedTime = UInt32(truncatingIfNeeded: time &>> 32)
        return time & 0xffff_ffff
    }

    private func setTime(low: UInt32) {
        offset = (UInt64(timeHigh) &<< 32 | UInt64(low)) &- now(clock)
        update()
    }

    private func setAlarm(_ time: UInt64?) {
        alarm = time
        update()
    }

    /// Rings when it is time; sets the line, and the bell for later.
    private func update() {
        if let due = alarm, due <= time {
            alarm = nil
            pending = true
        }
        line(0).set(pending && enabled != 0)
        guard let due = alarm else { return bell.disarm() }
        bell.arm(at: due &- offset)
    }
}
