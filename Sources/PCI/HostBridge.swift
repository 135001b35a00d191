// The function by which a root bus begins. It has nothing but its name: the windows are the machine's.

import SystemKit

public final class HostBridge: PCIFunction, RegisterDevice, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("gpex-root", "bridge from the machine to its PCI bus")
    }

    /// As drivers know it from other machines.
    private static let identity = PCIIdentity(
        vendor: 0x1b36, device: 0x0008, classCode: 0x0600, subsystemVendor: 0x1af4, subsystem: 0x1100)

    public required init(_ context: DeviceContext) {
        super.init(context)
        identify(Self.identity)
    }

    public var span: UInt64 { 0 }
    public func registers(_ map: inout RegisterMap<HostBridge>) {}
}
