// What a device is to a machine.

import BlockLayer
import CharLayer
import EventLoop
import GuestMemory
import FileShare
import HostOS
import NetLayer

/// What is known of a kind of device without making one.
public struct DeviceDescriptor: Sendable {
    public let name: String
    public let summary: String
    /// It calls nothing but interrupt lines: its accesses need no more than a leaf lock (`Domain`).
    public let isLeaf: Bool
    public let properties: [Property]

    public init(_ name: String, _ summary: String, isLeaf: Bool = false, _ properties: [Property] = []) {
        self.name = name
        self.summary = summary
        self.isLeaf = isLeaf
        self.properties = properties
    }

    /// Lines for `-device NAME,help`.
    public var help: String {
        var text = "\(name): \(summary)\n"
        for row in properties {
            let standard = row.standard.isEmpty ? "" : " (\(row.standard) unless given)"
            text += "  \(row.name)=\(row.form)  \(row.help)\(standard)\n"
        }
        return text
    }
}

public enum ResetKind: Sendable {
    /// Power has been off.
    case cold
    /// The machine begins anew, as by its reset button.
    case warm
}

/// What a machine hands to a device that it makes.
public struct DeviceContext {
    /// Its own name in the machine.
    public var name: String
    public var domain: Domain
    public var properties: Properties
    /// Where its outputs lead, in the device's order; the rest is not connected.
    public var lines: [IRQLine]
    public var dma: DMA?
    public var backend: CharBackend?
    public var disk: BlockBackend?
    public var network: NetBackend?
    public var share: Share?
    public var entropy: (any EntropySource)?
    /// How many of its kind there are before it.
    public var number = 0
    public var control: RunControl?

    public init(
        _ name: String, _ domain: Domain, _ properties: Properties, lines: [IRQLine] = [], dma: DMA? = nil,
        backend: CharBackend? = nil, control: RunControl? = nil
    ) {
        self.name = name
        self.domain = domain
        self.properties = properties
        self.lines = lines
        self.dma = dma
        self.backend = backend
        self.control = control
    }
}

/// A device. Everything in it is called with its domain's lock held.
open class Device: @unchecked Sendable {
    public final let name: String
    public final let domain: Domain
    public final let properties: Properties
    private final let lines: [IRQLine]

    /// Every device has one of its own.
    open class var descriptor: DeviceDescriptor { preconditionFailure("a device without a descriptor") }

    public required init(_ context: DeviceContext) {
        name = context.name
        domain = Self.descriptor.isLeaf ? context.domain.leaf() : context.domain
        properties = context.properties
        lines = context.lines
    }

    public final func line(_ index: Int) -> IRQLine { lines.indices.contains(index) ? lines[index] : .unconnected }

    /// Brings what registers do not say to its first state. Plain registers are reset before.
    open func reset(_ kind: ResetKind) {}

    /// What plain registers do not say.
    open func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {}

    /// After its state has been loaded: sets outputs and timers to match.
    open func hasLoaded() {}

    // MARK: for the device itself

    /// A timer whose action runs in the domain.
    public final func timer(_ clock: ClockKind, _ action: @escaping () -> Void) -> Timer {
        domain.loop.timer(clock, under: domain.lock, action)
    }

    /// Work for the loop's thread, in the domain.
    public final func bottomHalf(_ action: @escaping () -> Void) -> BottomHalf {
        BottomHalf(domain.loop, under: domain.lock, action)
    }

    public final func now(_ clock: ClockKind) -> UInt64 { domain.clocks.now(clock) }

    /// The guest has done what it must not (`-d guest_errors`).
    public final func guestError(_ text: @autoclosure () -> String) {
        if domain.diagnostics.isEnabled(.guestErrors) { domain.diagnostics.write("\(name): \(text())\n") }
    }
}

/// A device with registers in memory.
public protocol RegisterDevice: Device {
    /// Bytes of the physical address space that it takes.
    var span: UInt64 { get }
    /// Says which registers there are.
    func registers(_ map: inout RegisterMap<Self>)
}
