// A logical unit: what all kinds have in common. (SPC-4)

import BlockLayer
import SystemKit

open class SCSIUnit: Device, @unchecked Sendable {
    /// Codes of commands.
    enum Code {
        static let testReady: UInt8 = 0x00, requestSense: UInt8 = 0x03, inquiry: UInt8 = 0x12, startStop: UInt8 = 0x1b
        static let preventRemoval: UInt8 = 0x1e, reportUnits: UInt8 = 0xa0
        static let modeSelect6: UInt8 = 0x15, modeSense6: UInt8 = 0x1a, modeSelect10: UInt8 = 0x55
        static let modeSense10: UInt8 = 0x5a
        static let readCapacity: UInt8 = 0x25, serviceActionIn: UInt8 = 0x9e
        static let read6: UInt8 = 0x08, read10: UInt8 = 0x28, read12: UInt8 = 0xa8, read16: UInt8 = 0x88
        static let write6: UInt8 = 0x0a, write10: UInt8 = 0x2a, write12: UInt8 = 0xaa, write16: UInt8 = 0x8a
        static let writeVerify10: UInt8 = 0x2e, writeVerify12: UInt8 = 0xae, writeVerify16: UInt8 = 0x8e
        static let verify10: UInt8 = 0x2f, verify12: UInt8 = 0xaf, verify16: UInt8 = 0x8f
        static let flush10: UInt8 = 0x35, flush16: UInt8 = 0x91
        static let writeSame10: UInt8 = 0x41, writeSame16: UInt8 = 0x93, unmap: UInt8 = 0x42
        static let readContents: UInt8 = 0x43, configuration: UInt8 = 0x46, eventStatus: UInt8 = 0x4a
        static let discInformation: UInt8 = 0x51
    }

    typealias Command = @Sendable (SCSIUnit, SCSITask) -> Void

    /// One of a kind of units.
    static func own<Unit: SCSIUnit>(_ body: @escaping @Sendable (Unit, SCSITask) -> Void) -> Command {
        { unit, task in
            guard let unit = unit as? Unit else { preconditionFailure("a command of other units") }
            body(unit, task)
        }
    }

    /// Those that every unit obeys.
    static let commonCommands: [UInt8: Command] = [
        Code.testReady: { $0.testReady($1) }, Code.requestSense: { $0.requestSense($1) },
        Code.inquiry: { $0.inquiry($1) }, Code.startStop: { $1.end() },
        Code.preventRemoval: { $1.end() },
        Code.modeSense6: { $0.modeSense($1, isLong: false) }, Code.modeSense10: { $0.modeSense($1, isLong: true) },
        Code.modeSelect6: { $0.modeSelect($1, isLong: false) }, Code.modeSelect10: { $0.modeSelect($1, isLong: true) },
        Code.readCapacity: { $0.readCapacity($1) }, Code.serviceActionIn: { $0.serviceActionIn($1) },
        Code.read6: { $0.read($1) }, Code.read10: { $0.read($1) }, Code.read12: { $0.read($1) },
        Code.read16: { $0.read($1) },
        Code.verify10: { $0.verify($1) }, Code.verify12: { $0.verify($1) }, Code.verify16: { $0.verify($1) },
        Code.flush10: { $0.flush($1) }, Code.flush16: { $0.flush($1) },
    ]

    /// Which standard it follows, and the form of what INQUIRY says. (SPC-4, 6.6.2)
    static let version: UInt8 = 5, responseFormat: UInt8 = 2
    /// Bytes of a serial number.
    static let longestSerial = 36

    static func commonProperties(product: String, blockSize: Int) -> [Property] {
        DiskAccess.properties(blockSize: blockSize) + [
            Property("channel", .number(0...0), "0", "the adapter has one"),
            Property("scsi-id", .numberOrNone(0...255), "", "its target; the first free one unless given"),
            Property("lun", .numberOrNone(0...SCSIBus.mostUnits - 1), "", "its number in the target"),
            Property("serial", .text, "", "its serial number: \(longestSerial) bytes at most"),
            Property("device_id", .text, "", "what it is called; the serial number, or the drive's name, unless given"),
            Property("wwn", .number(0...UInt64.max), "0", "a name that no other device of the world has; 0: none"),
            Property("vendor", .text, "QEMU", "its maker, 8 bytes at most"),
            Property("product", .text, product, "what its maker calls it, 16 bytes at most"),
            Property("ver", .text, "2.5+", "its revision, 4 bytes at most"),
            .bootIndex,
        ]
    }

    /// What is wrong with a combination of properties.
    public static func check(_ properties: Properties) -> String? {
        if let wrong = DiskAccess.check(properties) { return wrong }
        for (name, limit) in [
            ("serial", longestSerial), ("device_id", 255), ("vendor", 8), ("product", 16), ("ver", 4),
        ]
        where properties.text(name).utf8.count > limit {
            return "\(name)=\(properties.text(name)): wanted \(limit) bytes at most"
        }
        return nil
    }

    /// What it is. (SPC-4, 6.6.2, peripheral device type)
    var peripheralType: UInt8 { preconditionFailure("a unit of no kind") }
    var isRemovable: Bool { false }
    var isReadOnly: Bool { disk.isReadOnly }
    /// A write can say that it is to stay.
    var canForceWrites: Bool { false }
    var commands: [UInt8: Command] { preconditionFailure("a unit of no kind") }
    var modePages: [ModePage] { preconditionFailure("a unit of no kind") }
    /// Pages of vital product data besides those of every unit.
    var productPages: [UInt8: () -> [UInt8]] { [:] }

    private(set) var disk: DiskAccess!
    public internal(set) var address = SCSIAddress(target: 0, unit: 0)
    /// What it says once, before it obeys again.
    var attention: Sense?
    /// Commands that are obeyed before it is said. (SAM-5, 5.14)
    var attentiveCommands: Set<UInt8> { [Code.inquiry, Code.requestSense] }
    /// Its size is another one.
    public var sizeChanged: () -> Void = {}

    public required init(_ context: DeviceContext) {
        super.init(context)
        disk = DiskAccess(context) { [unowned self] in
            attention = .capacityChanged
            sizeChanged()
        }
    }

    /// Where it is on its adapter, for firmware.
    public var bootName: String {
        "channel@0/disk@\(String(address.target, radix: 16)),\(String(address.unit, radix: 16))"
    }

    /// Ends what is under way, and forgets what it was to say.
    public func cancelAll() { disk.backend.cancelAll() }

    /// It has been reset.
    open func wasReset(_ why: Sense) {
        disk.keepsWrites = properties.text("write-cache") != "off"
        attention = why
    }

    func begin(_ task: SCSITask) {
        let code = task.block.code
        if let attention, !attentiveCommands.contains(code) {
            self.attention = nil
            return task.fail(attention)
        }
        guard let command = commands[code] else { return task.fail(.invalidOperation) }
        command(self, task)
    }

    // MARK: commands

    /// Why there are no blocks; nil: there are.
    var absence: Sense? { disk.blocks > 0 ? nil : .notPresent }

    private func testReady(_ task: SCSITask) { if let absence { task.fail(absence) } else { task.end() } }

    private func requestSense(_ task: SCSITask) {
        let wantsDescriptors = task.block[1] & 1 != 0, sense = attention ?? .none
        attention = nil
        task.answer(wantsDescriptors ? sense.descriptorBytes : sense.bytes)
    }

    // MARK: INQUIRY

    private func inquiry(_ task: SCSITask) {
        let limit = Int(task.block.number(3..<5)), page = task.block[2]
        guard task.block[1] & 1 != 0 else {
            return page == 0 ? task.answer(identity, limit: limit) : task.fail(.invalidField)
        }
        guard let contents = allProductPages[page] else { return task.fail(.invalidField) }
        let bytes = contents()
        var answer = AnswerBytes(bytes: [peripheralType, page])
        answer.add(UInt16(bytes.count))
        task.answer(answer.bytes + bytes, limit: limit)
    }

    private var identity: [UInt8] {
        let removable: UInt8 = 0x80, queuesCommands: UInt8 = 2
        var answer = AnswerBytes(
            bytes: [
                peripheralType, isRemovable ? removable : 0, Self.version, Self.responseFormat, 31, 0, 0,
                queuesCommands,
            ])
        answer.add(properties.text("vendor"), width: 8)
        answer.add(properties.text("product"), width: 16)
        answer.add(properties.text("ver"), width: 4)
        return answer.bytes
    }

    private var serial: String { properties.text("serial") }

    private var allProductPages: [UInt8: () -> [UInt8]] {
        var pages = productPages
        pages[0x83] = { [unowned self] in designators }
        if !serial.isEmpty { pages[0x80] = { [unowned self] in Array(serial.utf8) } }
        let numbers = [0] + pages.keys.sorted()
        pages[0] = { numbers }
        return pages
    }

    /// Names of the unit. (SPC-4, 7.8.6)
    private var designators: [UInt8] {
        let binary: UInt8 = 1, text: UInt8 = 2, ofVendor: UInt8 = 0, worldWide: UInt8 = 3
        let given =
            [properties.text("device_id"), String(serial.prefix(20)), disk.backend.name].first { !$0.isEmpty } ?? ""
        let name = Array(given.utf8.prefix(255))
        var answer = AnswerBytes()
        if !name.isEmpty { answer.bytes += [text, ofVendor, 0, UInt8(name.count)] + name }
        if properties.number("wwn") != 0 {
            answer.bytes += [binary, worldWide, 0, 8]
            answer.add(properties.number("wwn"))
        }
        return answer.bytes
    }
}
