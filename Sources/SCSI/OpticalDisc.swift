// A drive for discs that can be read. (MMC-6)

import BlockLayer
import SystemKit

public final class OpticalDisc: SCSIUnit, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "scsi-cd", "a disc on a SCSI adapter, to read", commonProperties(product: "QEMU CD-ROM", blockSize: 2048))
    }

    private static let discCommands: [UInt8: Command] = [
        Code.readContents: own { (drive: OpticalDisc, task) in drive.readContents(task) },
        Code.configuration: own { (drive: OpticalDisc, task) in drive.configuration(task) },
        Code.eventStatus: own { (drive: OpticalDisc, task) in drive.eventStatus(task) },
        Code.startStop: own { (drive: OpticalDisc, task) in drive.startStop(task) },
        Code.preventRemoval: own { (drive: OpticalDisc, task) in drive.preventRemoval(task) },
        Code.discInformation: { $1.answer(discInformation) },
    ]
    private static let allCommands = commonCommands.merging(discCommands) { $1 }

    /// Kinds of events of its medium. (MMC-6, 6.7.2.5)
    private enum Event { static let none: UInt8 = 0, new: UInt8 = 2, removed: UInt8 = 3 }

    /// The guest keeps the medium.
    private var isLocked = false
    /// What has become of the medium, until the guest has asked.
    private var event = Event.none

    public required init(_ context: DeviceContext) {
        super.init(context)
        disk.backend.readsOnly = true
        disk.backend.door = MediumDoor(
            isLocked: { [unowned self] in domain.lock.withLock { isLocked } },
            changed: { [unowned self] in domain.lock.withLock { mediumHasChanged() } })
    }

    private func mediumHasChanged() {
        isLocked = false
        event = absence == nil ? Event.new : Event.removed
        attention = absence == nil ? .mediumChanged : nil
    }

    public override func wasReset(_ why: Sense) {
        super.wasReset(why)
        isLocked = false
    }

    /// Hosts ask with these what has become of the medium. (MMC-6, 6.6 and 6.7)
    override var attentiveCommands: Set<UInt8> {
        super.attentiveCommands.union([Code.configuration, Code.eventStatus])
    }
    override var absence: Sense? { disk.backend.isTrayOpen ? .trayIsOpen : super.absence }
    override var peripheralType: UInt8 { 0x05 }
    override var isRemovable: Bool { true }
    override var isReadOnly: Bool { true }
    override var commands: [UInt8: Command] { Self.allCommands }
    override var modePages: [ModePage] { [.errorRecovery, Self.capabilities] }

    /// What it can do: it reads discs of all kinds, and opens its tray. (MMC-3, 5.5.10)
    private static let capabilities: ModePage = {
        let reads: UInt8 = 0x3b, multipleSessions: UInt8 = 0x40, tray: UInt8 = 0x29
        let speed: [UInt8] = [0x22, 0x60]  // 8800 KB/s: 50 times that of music.
        return ModePage(
            0x2a, [reads, 0, multipleSessions, 0, tray, 0] + speed + [0, 0, 8, 0] + speed + [0, 0, 0, 0, 0, 0])
    }()

    /// One session, one track, and nothing to be added. (MMC-6, 6.22)
    private static let discInformation: [UInt8] = {
        let complete: UInt8 = 0x0e, anyUse: UInt8 = 0x20
        return [0, 32, complete, 1, 1, 1, 1, anyUse] + Array(repeating: 0, count: 26)
    }()

    /// Minutes, seconds and frames, or a block's number.
    private func address(_ block: UInt32, inTime: Bool) -> [UInt8] {
        guard inTime else { return (0..<4).reversed().map { UInt8(truncatingIfNeeded: block >> (8 * $0)) } }
        let frame = UInt64(block) + 150
        return [0, UInt8(truncatingIfNeeded: frame / 75 / 60), UInt8(frame / 75 % 60), UInt8(frame % 75)]
    }

    /// Opens or closes the tray. (MMC-6, 6.42)
    private func startStop(_ task: SCSITask) {
        let load: UInt8 = 2, start: UInt8 = 1
        guard task.block[4] & load != 0 else { return task.end() }
        let opens = task.block[4] & start == 0
        if opens, isLocked { return task.fail(.removalPrevented) }
        if opens != disk.backend.isTrayOpen {
            disk.backend.isTrayOpen = opens
            mediumHasChanged()
        }
        task.end()
    }

    private func preventRemoval(_ task: SCSITask) {
        isLocked = task.block[4] & 1 != 0
        task.end()
    }

    private func readContents(_ task: SCSITask) {
        if let absence { return task.fail(absence) }
        let inTime = task.block[1] & 2 != 0, format = task.block[2] & 0xf, start = task.block[6]
        let dataTrack: UInt8 = 0x14, leadOut: UInt8 = 0xaa
        var tracks: [(number: UInt8, first: UInt32)]
        switch format {
        case 0:
            guard start <= 1 || start == leadOut else { return task.fail(.invalidField) }
            tracks = [(1, 0), (leadOut, UInt32(clamping: disk.blocks))]
            if start == leadOut { tracks.removeFirst() }
        case 1: tracks = [(1, 0)]
        default: return task.fail(.invalidField)
        }
        var answer = AnswerBytes()
        answer.add(UInt16(2 + 8 * tracks.count))
        answer.bytes += [1, 1]
        for (number, first) in tracks {
            answer.bytes += [0, dataTrack, number, 0] + address(first, inTime: inTime)
        }
        task.answer(answer.bytes)
    }

    /// Features, and the kind of disc. (MMC-6, 6.6)
    private func configuration(_ task: SCSITask) {
        /// Number, flags of it, and what follows.
        let features: [(number: UInt16, flags: UInt8, bytes: [UInt8])] = [
            (0x0000, 0x03, [0, 0x10, isDVD ? 1 : 0, 0, 0, 0x08, isDVD ? 0 : 1, 0]),  // Kinds of discs.
            (0x0001, 0x0b, [0, 0, 0, 1, 1, 0, 0, 0]),  // On SCSI.
            (0x0003, 0x03, [0x21, 0, 0, 0]),  // A tray.
            (0x0010, 0x01, [0, 0, 8, 0, 0, 1, 0, 0]),  // Reads blocks of 2048 bytes.
        ]
        let wanted = task.block[1] & 3, first = UInt16(task.block.number(2..<4)), current: UInt8 = 1
        var answer = AnswerBytes()
        answer.add(zeros: 2)
        answer.add(UInt16(isDVD ? 0x10 : 0x08))
        for feature in features {
            let isWanted: Bool
            switch wanted {
            case 0: isWanted = feature.number >= first
            case 1: isWanted = feature.number >= first && feature.flags & current != 0
            default: isWanted = feature.number == first
            }
            guard isWanted else { continue }
            answer.add(feature.number)
            answer.bytes += [feature.flags, UInt8(feature.bytes.count)] + feature.bytes
        }
        let length = UInt32(answer.bytes.count)
        task.answer((0..<4).reversed().map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + answer.bytes)
    }

    /// More than fits on a CD.
    private var isDVD: Bool { disk.size > 700 << 20 }

    /// What has become of the medium, and whether there is one. (MMC-6, 6.7)
    private func eventStatus(_ task: SCSITask) {
        let isPolled = task.block[1] & 1 != 0, wantsMedia = task.block[4] & 0x10 != 0
        let media: UInt8 = 4, classes: UInt8 = 0x10, open: UInt8 = 1, present: UInt8 = 2, none: UInt8 = 0x80
        guard isPolled else { return task.fail(.invalidField) }
        guard wantsMedia else { return task.answer([0, 2, none, classes]) }
        let status = (disk.backend.isTrayOpen ? open : 0) | (disk.backend.isEmpty ? 0 : present)
        task.answer([0, 6, media, classes, event, status, 0, 0])
        event = Event.none
    }
}
