// Commands about the blocks of a disk that change nothing. (SBC-3, 5)

import BlockLayer
import SystemKit

extension SCSIUnit {
    func readCapacity(_ task: SCSITask) {
        let ofPart = task.block[8] & 1 != 0
        if ofPart || task.block.number(2..<6) != 0 { return task.fail(.invalidField) }
        if let absence { return task.fail(absence) }
        var answer = AnswerBytes()
        answer.add(UInt32(clamping: disk.blocks - 1))
        answer.add(UInt32(disk.blockSize))
        task.answer(answer.bytes, limit: answer.bytes.count)
    }

    func serviceActionIn(_ task: SCSITask) {
        let readCapacity16: UInt8 = 0x10, canUnmap: UInt8 = 0x80
        guard task.block[1] & 0x1f == readCapacity16 else { return task.fail(.invalidField) }
        if let absence { return task.fail(absence) }
        var answer = AnswerBytes()
        answer.add(disk.blocks - 1)
        answer.add(UInt32(disk.blockSize))
        answer.bytes += [
            0, UInt8((disk.physicalBlockSize / disk.blockSize).trailingZeroBitCount), isReadOnly ? 0 : canUnmap,
        ]
        answer.add(zeros: 32 - answer.bytes.count)
        task.answer(answer.bytes)
    }

    /// Where the command's blocks are; nil: not on the disk, and it has ended.
    func extent(_ task: SCSITask) -> (offset: UInt64, bytes: UInt64)? {
        guard !task.block.isProtected else {
            task.fail(.invalidField)
            return nil
        }
        if let absence {
            task.fail(absence)
            return nil
        }
        let (first, count) = task.block.blocks
        guard let place = extent(first, count) else {
            task.fail(.outOfRange)
            return nil
        }
        return place
    }

    func extent(_ first: UInt64, _ count: UInt64) -> (offset: UInt64, bytes: UInt64)? {
        guard first < disk.blocks else { return nil }
        let bytes = count * disk.blockSize
        return disk.place(first, unit: disk.blockSize, bytes: bytes).map { ($0, bytes) }
    }

    func read(_ task: SCSITask) {
        guard let (offset, bytes) = extent(task), let room = task.room(bytes) else { return }
        if bytes == 0 { return task.end() }
        submit(.read(offset: offset, room.map(\.bytes)), task, reads: room)
    }

    /// Whether blocks can be read is found out when they are.
    func verify(_ task: SCSITask) {
        let compares: UInt8 = 6
        guard task.block[1] & compares == 0 else { return task.fail(.invalidField) }
        if extent(task) != nil { task.end() }
    }

    func flush(_ task: SCSITask) { submit(.flush, task) }

    /// A request that is all there is to the command.
    func submit(_ operation: BlockOperation, _ task: SCSITask, mustStay: Bool = false, reads: [DMAWindow] = []) {
        disk.submit(operation, mustStay: mustStay) { error in
            for window in reads { window.wrote(0..<window.bytes.count) }
            if let error { task.fail(Self.sense(of: error, operation)) } else { task.end() }
        }
    }

    static func sense(of error: BlockError, _ operation: BlockOperation) -> Sense {
        if case .read = operation { return .unrecoveredRead }
        return error.errno == .nospc ? .noSpace : .writeError
    }
}
