// The devices that a host adapter reaches: targets, and their logical units. (SAM-5, 4)

import SystemKit

/// Where a logical unit is.
public struct SCSIAddress: Hashable, Comparable, Sendable {
    public let target: UInt8
    public let unit: UInt16

    public init(target: UInt8, unit: UInt16) { (self.target, self.unit) = (target, unit) }

    public static func < (a: SCSIAddress, b: SCSIAddress) -> Bool { (a.target, a.unit) < (b.target, b.unit) }
}

public final class SCSIBus {
    public static let mostUnits: UInt64 = 16384

    public private(set) var units: [SCSIAddress: SCSIUnit] = [:]

    public init() {}

    /// Gives a unit the address that it asks for, or one that is free: another target's, unless it names its own.
    public func add(_ unit: SCSIUnit) throws(SCSIError) {
        let target = unit.properties.numberOrNone("scsi-id"), number = unit.properties.numberOrNone("lun")
        let places: [SCSIAddress]
        switch (target, number) {
        case (let target?, let number?): places = [SCSIAddress(target: UInt8(target), unit: UInt16(number))]
        case (let target?, nil):
            places = (0..<UInt16(Self.mostUnits)).map { SCSIAddress(target: UInt8(target), unit: $0) }
        case (nil, let number): places = (0...255).map { SCSIAddress(target: $0, unit: UInt16(number ?? 0)) }
        }
        guard let place = places.first(where: { units[$0] == nil }) else {
            throw SCSIError(
                places.count == 1
                    ? "scsi-id=\(places[0].target),lun=\(places[0].unit): another device has it"
                    : "there is no place left on the bus")
        }
        unit.address = place
        units[place] = unit
    }

    public func hasTarget(_ target: UInt8) -> Bool { units.keys.contains { $0.target == target } }

    /// Begins a command. It may have ended when this returns.
    public func begin(_ task: SCSITask, at place: SCSIAddress) {
        guard hasTarget(place.target) else { return task.end(.noTarget) }
        if task.block.code == SCSIUnit.Code.reportUnits { return reportUnits(task, of: place.target) }
        if let unit = units[place] { return unit.begin(task) }
        // Of a unit that is not there these say so. (SPC-4, 5.11)
        switch task.block.code {
        case SCSIUnit.Code.inquiry where task.block[1] & 1 == 0:
            let nothing: UInt8 = 0x7f
            task.answer(
                [nothing, 0, SCSIUnit.version, SCSIUnit.responseFormat, 31] + Array(repeating: 0, count: 31),
                limit: Int(task.block.number(3..<5)))
        case SCSIUnit.Code.requestSense: task.answer(Sense.noSuchUnit.bytes)
        default: task.fail(.noSuchUnit)
        }
    }

    /// REPORT LUNS. (SPC-4, 6.33)
    private func reportUnits(_ task: SCSITask, of target: UInt8) {
        let wellKnownOnly: UInt8 = 1, all: UInt8 = 2, selection = task.block[2]
        guard selection <= all, task.block.dataLength >= 16 else { return task.fail(.invalidField) }
        let found = selection == wellKnownOnly ? [] : units.keys.filter { $0.target == target }.sorted()
        var answer = AnswerBytes()
        answer.add(UInt32(8 * found.count))
        answer.add(zeros: 4)
        for place in found {
            // Numbers from 256 on say how they are to be read. (SAM-5, 4.7.7)
            answer.add(place.unit < 256 ? place.unit : place.unit | 0x4000)
            answer.add(zeros: 6)
        }
        task.answer(answer.bytes)
    }
}

/// Why a device does not fit on a bus.
public struct SCSIError: Error, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}
