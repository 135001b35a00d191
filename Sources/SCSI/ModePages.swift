// Parameters of a unit: pages that MODE SENSE shows, and MODE SELECT changes as far as they can be changed. (SPC-4, 6.11 and 7.5)

import BlockLayer
import SystemKit

/// A page: its number, its bytes behind number and length, and which bits of them can be changed.
struct ModePage {
    let number: UInt8
    let bytes: [UInt8]
    var changeable: [UInt8]

    init(_ number: UInt8, _ bytes: [UInt8], changeable: [Int: UInt8] = [:]) {
        self.number = number
        self.bytes = bytes
        self.changeable = bytes.indices.map { changeable[$0] ?? 0 }
    }

    /// As it is sent.
    func sent(_ bytes: [UInt8]) -> [UInt8] { [number, UInt8(bytes.count)] + bytes }

    static let cachingNumber: UInt8 = 0x08
    static let keepsWrites: UInt8 = 4

    /// SBC-3, 6.5.5: whether writes are kept.
    static func caching(_ keeps: Bool) -> ModePage {
        ModePage(
            cachingNumber, [keeps ? keepsWrites : 0] + Array(repeating: 0, count: 17), changeable: [0: keepsWrites])
    }
    /// SPC-4, 7.5.8: commands may be carried out in any order.
    static let control = ModePage(0x0a, [0, 0x10] + Array(repeating: 0, count: 8))
    /// SBC-3, 6.5.8: nothing is tried again.
    static let errorRecovery = ModePage(0x01, Array(repeating: 0, count: 10))
}

extension SCSIUnit {
    private enum Page { static let all: UInt8 = 0x3f, subpages: UInt8 = 0xff }
    private enum Control { static let current: UInt8 = 0, changeable: UInt8 = 1, standard: UInt8 = 2 }
    private static let descriptorSize = 8

    private var usualPages: [ModePage] {
        let keeps = properties.text("write-cache") != "off"
        return modePages.map { $0.number == ModePage.cachingNumber ? .caching(keeps) : $0 }
    }

    func modeSense(_ task: SCSITask, isLong: Bool) {
        let control = task.block[2] >> 6, number = task.block[2] & 0x3f, subpage = task.block[3]
        guard control <= Control.standard else { return task.fail(.savingNotSupported) }
        guard subpage == 0 || subpage == Page.subpages else { return task.fail(.invalidField) }
        let pages = (control == Control.standard ? usualPages : modePages).filter {
            number == Page.all || $0.number == number
        }
        if pages.isEmpty { return task.fail(.invalidField) }
        let withoutDescriptor = task.block[1] & 8 != 0
        var body = AnswerBytes()
        if !withoutDescriptor {
            body.add(UInt32(min(disk.blocks, 0xff_ffff)))
            body.add(UInt32(disk.blockSize))
        }
        for page in pages { body.bytes += page.sent(control == Control.changeable ? page.changeable : page.bytes) }
        var answer = AnswerBytes()
        let descriptors = withoutDescriptor ? 0 : Self.descriptorSize
        if isLong {
            answer.add(UInt16(6 + body.bytes.count))
            answer.bytes += [0, deviceParameter, 0, 0]
            answer.add(UInt16(descriptors))
        } else {
            answer.bytes += [UInt8(clamping: 3 + body.bytes.count), 0, deviceParameter, UInt8(descriptors)]
        }
        task.answer(answer.bytes + body.bytes)
    }

    func modeSelect(_ task: SCSITask, isLong: Bool) {
        let pageFormat: UInt8 = 0x10, saves: UInt8 = 1
        guard task.block[1] & pageFormat != 0, task.block[1] & saves == 0 else { return task.fail(.invalidField) }
        let count = task.block.dataLength
        if count == 0 { return task.end() }
        guard let list = task.parameters(count) else { return }
        let header = isLong ? 8 : 4
        guard count >= header else { return task.fail(.parameterListLength) }
        let descriptors = isLong ? Int(list[6]) << 8 | Int(list[7]) : Int(list[3])
        guard descriptors == 0 || descriptors == Self.descriptorSize, header + descriptors <= count else {
            return task.fail(.invalidParameter)
        }
        var rest = list[(header + descriptors)...], keepsWrites = disk.keepsWrites
        while let number = rest.first {
            guard let page = modePages.first(where: { $0.number == number }) else {
                return task.fail(.invalidParameter)
            }
            guard rest.count >= 2 + page.bytes.count else { return task.fail(.parameterListLength) }
            let given = rest.dropFirst(2).prefix(page.bytes.count)
            let isFitting = zip(given, zip(page.bytes, page.changeable)).allSatisfy { ($0 ^ $1.0) & ~$1.1 == 0 }
            guard rest[rest.startIndex + 1] == page.bytes.count, isFitting else { return task.fail(.invalidParameter) }
            if number == ModePage.cachingNumber { keepsWrites = given.first! & ModePage.keepsWrites != 0 }
            rest = rest.dropFirst(2 + page.bytes.count)
        }
        let hasKept = disk.keepsWrites && !keepsWrites
        disk.keepsWrites = keepsWrites
        if hasKept { submit(.flush, task) } else { task.end() }
    }

    /// SBC-3, 6.5.1
    private var deviceParameter: UInt8 {
        let protected: UInt8 = 0x80, canForce: UInt8 = 0x10
        return (isReadOnly ? protected : 0) | (canForceWrites ? canForce : 0)
    }
}
