// What -device says of devices.

import TestSupport
import Testing

@Suite struct DeviceHelpTests {
    private static let buses = ["virtio-serial-pci", "virtio-scsi-pci"]
    private static let plugged = ["virtconsole", "virtserialport", "scsi-hd", "scsi-cd"]

    @Test func allDevicesAreListed() throws {
        let run = try SystemBinary.run(["-device", "help"])
        #expect(run.exit == 0 && run.errorText == "")
        for name in Self.buses + Self.plugged + ["virtio-balloon-device", "virtio-blk-pci", "loader"] {
            #expect(run.text.contains("\n  \(name) "), "\(name)")
        }
    }

    @Test(arguments: buses + plugged + ["virtio-balloon", "virtio-scsi-device"])
    func everyPropertyHasHelp(_ name: String) throws {
        let run = try SystemBinary.run(["-device", name + ",help"])
        #expect(run.exit == 0 && run.errorText == "" && run.text.hasPrefix(name))
        let rows = run.text.split(separator: "\n").dropFirst()
        #expect(rows.count > 2 && rows.allSatisfy { $0.contains("=") && $0.contains("  ") && !$0.contains("( unless") })
    }
}
