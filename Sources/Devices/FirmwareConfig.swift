// fw_cfg: numbered items and named files that a machine hands to its firmware (QEMU's documentation, specs/fw_cfg.rst). Big-endian
// where it has numbers of its own.

import SystemKit

public final class FirmwareConfig: Device, RegisterDevice, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor("fw_cfg", "items and files for the firmware")
    }

    /// Items with numbers of their own; files follow from `firstFile` on.
    public enum Key {
        public static let signature: UInt16 = 0, features: UInt16 = 1, uuid: UInt16 = 2, harts: UInt16 = 5
        public static let bootMenu: UInt16 = 0xe
        public static let kernelAddress: UInt16 = 7, kernelSize: UInt16 = 8, initrdAddress: UInt16 = 0xa
        public static let initrdSize: UInt16 = 0xb, kernelData: UInt16 = 0x11, initrdData: UInt16 = 0x12
        public static let commandLineSize: UInt16 = 0x14, commandLine: UInt16 = 0x15
        public static let directory: UInt16 = 0x19, firstFile: UInt16 = 0x20
    }
    private enum Feature { static let interface: UInt32 = 1, dma: UInt32 = 2 }
    private enum Control {
        static let error: UInt32 = 1, read: UInt32 = 2, skip: UInt32 = 4, select: UInt32 = 8, write: UInt32 = 16
    }
    /// Items without a file's flag bits.
    private static let keyMask: UInt16 = 0x3fff
    private static let nameLength = 56
    private static let dmaSignature: UInt64 = 0x5145_4d55_2043_4647  // "QEMU CFG"

    private let dma: DMA?
    private var items: [UInt16: [UInt8]] = [:]
    private var files: [(name: String, key: UInt16)] = []
    // What is read next.
    private var selected: UInt16 = 0
    private var position: UInt32 = 0
    private var addressHigh: UInt32 = 0

    public required init(_ context: DeviceContext) {
        dma = context.dma
        super.init(context)
        items[Key.signature] = Array("QEMU".utf8)
        let features = Feature.interface | (dma != nil ? Feature.dma : 0)
        items[Key.features] = withUnsafeBytes(of: features.littleEndian) { Array($0) }
    }

    // MARK: for the machine, before it runs

    public func set(_ key: UInt16, _ bytes: [UInt8]) { items[key & Self.keyMask] = bytes }

    /// Numbers of the items that are not files have their least significant byte first.
    public func set<T: FixedWidthInteger & BitwiseCopyable>(_ key: UInt16, _ value: T) {
        set(key, withUnsafeBytes(of: value.littleEndian) { Array($0) })
    }

    /// A file; one of the same name is replaced. False: the name is too long, or there is no number left.
    @discardableResult
    public func set(file name: String, _ bytes: [UInt8]) -> Bool {
        guard !name.isEmpty, name.utf8.count < Self.nameLength else { return false }
        if let old = files.first(where: { $0.name == name }) {
            items[old.key] = bytes
            return true
        }
        let key = Key.firstFile + UInt16(files.count)
        guard key <= Self.keyMask else { return false }
        files.append((name, key))
        items[key] = bytes
        items[Key.directory] = directory
        return true
    }

    /// Count; then size, number, two bytes of nothing and the name of each, by name.
    private var directory: [UInt8] {
        var bytes = bigEndian(UInt32(files.count))
        for file in files.sorted(by: { $0.name < $1.name }) {
            bytes += bigEndian(UInt32(clamping: items[file.key]?.count ?? 0))
            bytes += bigEndian(file.key) + [0, 0]
            let name = Array(file.name.utf8)
            bytes += name + Array(repeating: 0, count: Self.nameLength - name.count)
        }
        return bytes
    }

    private func bigEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    // MARK: registers

    public var span: UInt64 { 0x18 }

    public func registers(_ map: inout RegisterMap<FirmwareConfig>) {
        map.sizes = .any
        // Bytes come in the order of memory, however many at once.
        map.computed(0x0, "DATA", width: 1, count: 8, read: { d, _ in UInt64(d.nextByte()) })
        map.computed(
            0x8, "SELECTOR", width: 2, write: { d, _, v in d.select(UInt16(truncatingIfNeeded: v).byteSwapped) })
        map.computed(
            0x10, "DMA_HIGH",
            read: { _, _ in UInt64(UInt32(truncatingIfNeeded: Self.dmaSignature &>> 32).byteSwapped) },
            write: { d, _, v in d.addressHigh = UInt32(truncatingIfNeeded: v).byteSwapped })
        map.computed(
            0x14, "DMA_LOW", read: { _, _ in UInt64(UInt32(truncatingIfNeeded: Self.dmaSignature).byteSwapped) },
            write: { d, _, v in d.transfer(UInt32(truncatingIfNeeded: v).byteSwapped) })
    }

    public override func reset(_ kind: ResetKind) {
        select(0)
        addressHigh = 0
    }

    public override func snapshot(_ s: inout SnapshotCoder) throws(SnapshotError) {
        try s.field(&selected, in: 0...Self.keyMask)
        try s.field(&position)
        try s.field(&addressHigh)
    }

    private func select(_ key: UInt16) {
        selected = key & Self.keyMask
        position = 0
    }

    private func nextByte() -> UInt8 {
        guard let item = items[selected], Int(position) < item.count else { return 0 }
        defer { position += 1 }
        return item[Int(position)]
    }

    /// Carries out the command at an address, and says there how it went.
    ///
    ///     control (4) | length (4) | address (8), big-endian
    private func transfer(_ low: UInt32) {
        let place = UInt64(addressHigh) &<< 32 | UInt64(low)
        addressHigh = 0
        guard let dma, let control = dma.load(place, as: UInt32.self)?.byteSwapped,
            let length = dma.load(place &+ 4, as: UInt32.self)?.byteSwapped,
            let address = dma.load(place &+ 8, as: UInt64.self)?.byteSwapped
        else { return guestError("no DMA command at 0x\(String(place, radix: 16))") }
        if control & Control.select != 0 { select(UInt16(truncatingIfNeeded: control &>> 16)) }
        var isRight = true
        if control & Control.read != 0 {
            isRight = give(dma, address, length)
        } else if control & Control.write != 0 {
            // No item can be written.
            isRight = false
        } else if control & Control.skip != 0 {
            skip(length)
        }
        _ = dma.store(place, (isRight ? 0 : Control.error).byteSwapped)
    }

    private func skip(_ length: UInt32) {
        let (sum, overflow) = position.addingReportingOverflow(length)
        position = overflow ? .max : sum
    }

    /// Copies the next bytes of the item; behind its end there are zeros.
    private func give(_ dma: DMA, _ address: UInt64, _ length: UInt32) -> Bool {
        let item = items[selected] ?? [], start = min(Int(position), item.count)
        let bytes = item[start..<start + min(Int(length), item.count - start)]
        guard dma.store(address, bytes: Array(bytes)) else { return false }
        skip(UInt32(bytes.count))
        return dma.fill(address &+ UInt64(bytes.count), count: Int(length) - bytes.count)
    }
}
