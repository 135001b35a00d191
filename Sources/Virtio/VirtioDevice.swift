// A virtio device, whatever connects it to the machine: what it and its driver agree on, its queues, and its configuration.
//
// Source: OASIS, Virtual I/O Device (VIRTIO) 1.2.

import EventLoop
import SystemKit

/// Bits of a device's and a driver's features that are not of one kind of device. (Chapter 6)
public enum Feature {
    static let indirect: UInt64 = 1 << 28, events: UInt64 = 1 << 29
    static let version1: UInt64 = 1 << 32, packed: UInt64 = 1 << 34
}

/// How far driver and device are. (2.1)
public struct VirtioStatus: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    static let acknowledge = VirtioStatus(rawValue: 1), driver = VirtioStatus(rawValue: 2)
    static let driverOK = VirtioStatus(rawValue: 4), featuresOK = VirtioStatus(rawValue: 8)
    static let needsReset = VirtioStatus(rawValue: 0x40), failed = VirtioStatus(rawValue: 0x80)
    /// Those that a driver sets.
    static let drivers: VirtioStatus = [.acknowledge, .driver, .driverOK, .featuresOK, .failed]
}

/// What all kinds have in common. A kind overrides what is marked `open`. All of it is called in the device's domain.
open class VirtioDevice: Device, @unchecked Sendable {
    /// Number of the kind (chapter 5).
    open class var kind: UInt32 { preconditionFailure("a virtio device of no kind") }
    /// What firmware calls it on its transport, if it can be booted from.
    open class var bootName: String? { nil }
    /// What other devices can be plugged into it.
    open class var bus: VirtioBus? { nil }
    /// Takes a device of a kind that belongs on its bus, before the machine runs.
    open func plug(_ device: Device) throws(PlugError) { preconditionFailure("a device without a bus") }
    /// How many places each queue has at most, by what was chosen; powers of two.
    open class func queueLimits(_ properties: Properties) -> [UInt16] { [] }
    /// The same, where what the device is connected to counts.
    open class func queueLimits(_ context: DeviceContext) -> [UInt16] { queueLimits(context.properties) }
    /// Feature bits 0 to 23 and above 40, of the kind.
    open var kindFeatures: UInt64 { 0 }
    /// The kind's configuration as it is now, least significant byte first.
    open var configuration: [UInt8] { [] }
    /// The driver has written a byte of it.
    open func configure(_ offset: Int, _ value: UInt8) {}
    /// The driver is ready: queues can be used.
    open func started() {}
    /// The device is reset, or stops for good: what is under way ends before this returns, and touches no guest memory after that.
    open func stopped() {}
    /// The driver has offered buffers.
    open func notified(_ queue: VirtQueue) throws(RingFault) {}

    /// Properties that all kinds have.
    public static let commonProperties = [
        Property("packed", .flag, "off", "queues may have the packed layout"),
        Property("event_idx", .flag, "on", "driver and device say by place when they want to hear from each other"),
        Property("indirect_desc", .flag, "on", "buffers may have tables of descriptors of their own"),
    ]

    public final let dma: DMA
    weak var transport: (any VirtioTransport)?
    final let queues: [VirtQueue]
    private(set) final var status: VirtioStatus = []
    private final var accepted: UInt64 = 0
    /// By queue; made when they are needed.
    private final var goingOn: [BottomHalf] = []
    /// Counts changes of the configuration.
    private(set) final var generation: UInt8 = 0

    public required init(_ context: DeviceContext) {
        guard let dma = context.dma else { preconditionFailure("a virtio device without memory") }
        self.dma = dma
        let limits = Self.queueLimits(context)
        queues = limits.enumerated().map { VirtQueue($0.offset, limit: $0.element) }
        super.init(context)
    }

    // MARK: for the kind

    /// The driver has agreed to a feature.
    public final func has(_ feature: UInt64) -> Bool { accepted & feature == feature }

    public final func queue(_ index: Int) -> VirtQueue { queues[index] }

    /// Takes buffers until there are no more; then the driver notifies of the next one. After as many as the queue has places others come
    /// first, and the loop goes on: a driver can offer buffers as fast as they are taken.
    public final func takeAll(_ queue: VirtQueue, _ body: (Chain) throws(RingFault) -> Void) throws(RingFault) {
        queue.quiet()
        for _ in 0..<queue.limit {
            guard let chain = try queue.next() else { return }
            try body(chain)
        }
        serveLater(queue.index)
    }

    private func serveLater(_ index: Int) {
        if goingOn.isEmpty {
            goingOn = queues.map { queue in bottomHalf { [unowned self] in serve(queue.index) } }
        }
        goingOn[index].schedule()
    }

    /// Gives a buffer back of which the device has written so many bytes, and tells the driver if it wants to know.
    public final func giveBack(_ chain: Chain, to queue: VirtQueue, written: Int) {
        guard queue.isReady else { return }
        queue.giveBack(chain, written: written)
        tell(queue)
    }

    public final func tell(_ queue: VirtQueue) {
        if queue.isReady, queue.wantsInterrupt() { transport?.interrupt(queue) }
    }

    /// The kind's configuration has changed.
    public final func changeConfiguration() {
        generation &+= 1
        if status.contains(.driverOK) { transport?.configurationChanged() }
    }

    /// The driver has done what it must not: the device does nothing more until it is reset.
    public final func fail(_ fault: RingFault) {
        guestError(fault.description)
        if status.contains(.needsReset) { return }
        status.insert(.needsReset)
        for queue in queues { queue.stop() }
        stopped()
        if status.contains(.driverOK) { transport?.configurationChanged() }
    }

    // MARK: for the transport

    final var features: UInt64 {
        var bits = kindFeatures | Feature.version1
        if properties.flag("packed") { bits |= Feature.packed }
        if properties.flag("event_idx") { bits |= Feature.events }
        if properties.flag("indirect_desc") { bits |= Feature.indirect }
        return bits
    }

    final func notify(_ index: Int) {
        guard queues.indices.contains(index) else { return guestError("there is no queue \(index)") }
        if domain.isThreaded { serveLater(index) } else { serve(index) }
    }

    private func serve(_ index: Int) {
        let queue = queues[index]
        guard queue.isReady, status.contains(.driverOK), !status.contains(.needsReset) else { return }
        do throws(RingFault) { try notified(queue) } catch { fail(error) }
    }

    /// The driver has accepted features: takes effect when it says so in the status.
    final func accept(_ bits: UInt64) {
        if status.contains(.featuresOK) { return guestError("features are chosen after they have been agreed on") }
        accepted = bits
    }

    final var acceptedFeatures: UInt64 { accepted }

    final func setStatus(_ value: UInt8) {
        let wanted = VirtioStatus(rawValue: value)
        if value == 0 { return resetDevice() }
        let before = status
        status.formUnion(wanted.intersection(.drivers))
        if status.contains(.featuresOK), !before.contains(.featuresOK), !agrees {
            guestError("features 0x\(String(accepted, radix: 16)) cannot be agreed on")
            status.remove(.featuresOK)
        }
        if status.contains(.driverOK), !before.contains(.driverOK) { started() }
    }

    private var agrees: Bool { accepted & ~features == 0 && accepted & Feature.version1 != 0 }

    final func resetDevice() {
        stopped()
        for queue in queues { queue.reset() }
        status = []
        accepted = 0
    }

    final func enable(_ queue: VirtQueue) {
        guard status.contains(.featuresOK), !status.contains(.needsReset) else {
            return guestError("queue \(queue.index) is enabled before features have been agreed on")
        }
        start(queue)
    }

    private func start(_ queue: VirtQueue) {
        let rings = RingFeatures(
            indirect: has(Feature.indirect), events: has(Feature.events), packed: has(Feature.packed))
        do throws(RingFault) { try queue.start(dma, rings) } catch { fail(error) }
    }

    /// Sets a queue's count of places.
    final func setSize(_ queue: VirtQueue, _ size: UInt64) {
        let isPower = size.nonzeroBitCount == 1 || has(Feature.packed) && size > 0
        guard isPower, size <= UInt64(queue.limit), !queue.isReady else {
            return guestError("queue \(queue.index) cannot have \(size) places")
        }
        queue.place.size = UInt16(size)
    }

    public final override func reset(_ kind: ResetKind) { resetDevice() }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        var status = status.rawValue
        try coder.field(&status)
        try coder.field(&accepted)
        try coder.field(&generation)
        if coder.isLoading { self.status = VirtioStatus(rawValue: status) }
        for queue in queues {
            var isReady = queue.isReady
            try coder.field(&isReady)
            try coder.field(&queue.place.size, in: 1...queue.limit)
            try coder.field(&queue.place.descriptors)
            try coder.field(&queue.place.driver)
            try coder.field(&queue.place.device)
            guard isReady else { continue }
            if coder.isLoading { start(queue) }
            try queue.code(&coder)
        }
    }
}
