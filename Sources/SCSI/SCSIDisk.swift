// A disk. (SBC-3)

import BlockLayer
import SystemKit

public final class SCSIDisk: SCSIUnit, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor {
        DeviceDescriptor(
            "scsi-hd", "a disk on a SCSI adapter",
            commonProperties(product: "QEMU HARDDISK", blockSize: 512) + [
                Property(
                    "rotation_rate", .number(0...65534), "0",
                    "turns in a minute; 1: nothing turns, 0: the guest is not told"),
                Property("dpofua", .flag, "off", "the guest is told that a write can say that it is to stay"),
                Property("removable", .flag, "off", "the guest is told that its medium can be taken out"),
            ])
    }

    private static let allCommands: [UInt8: Command] = {
        var list = commonCommands
        for code in [Code.write6, Code.write10, Code.write12, Code.write16] { list[code] = change { $0.write($1) } }
        for code in [Code.writeVerify10, Code.writeVerify12, Code.writeVerify16] {
            list[code] = change { $0.write($1, mustStay: true) }
        }
        for code in [Code.writeSame10, Code.writeSame16] { list[code] = change { $0.writeSame($1) } }
        list[Code.unmap] = change { $0.unmap($1) }
        return list
    }()

    /// What changes the disk.
    private static func change(_ body: @escaping @Sendable (SCSIDisk, SCSITask) -> Void) -> Command {
        own { (disk: SCSIDisk, task) in disk.isReadOnly ? task.fail(.writeProtected) : body(disk, task) }
    }

    /// Most bytes that one command discards, or fills with a block: 2 GiB.
    private static let mostBytes: UInt64 = 1 << 31
    private static let mostDescriptors = 255
    /// Bytes that are written at once where a block is repeated.
    private static let patternSize = 1 << 18

    override var peripheralType: UInt8 { 0x00 }
    override var isRemovable: Bool { properties.flag("removable") }
    override var canForceWrites: Bool { properties.flag("dpofua") }
    override var commands: [UInt8: Command] { Self.allCommands }
    override var modePages: [ModePage] { [.errorRecovery, .caching(disk.keepsWrites), .control] }

    // MARK: vital product data (SBC-3, 6.6)

    override var productPages: [UInt8: () -> [UInt8]] {
        [
            0xb0: { [unowned self] in blockLimits }, 0xb1: { [unowned self] in characteristics },
            0xb2: { [unowned self] in provisioning },
        ]
    }

    private var mostBlocks: UInt64 { Self.mostBytes / disk.blockSize }

    private var blockLimits: [UInt8] {
        let countsFromOne: UInt8 = 1
        var answer = AnswerBytes(bytes: [countsFromOne, 0])
        answer.add(zeros: 14)
        answer.add(isReadOnly ? 0 : UInt32(mostBlocks))
        answer.add(isReadOnly ? 0 : UInt32(Self.mostDescriptors))
        answer.add(zeros: 8)
        answer.add(isReadOnly ? 0 : mostBlocks)
        answer.add(zeros: 0x3c - answer.bytes.count)
        return answer.bytes
    }

    private var characteristics: [UInt8] {
        var answer = AnswerBytes()
        answer.add(UInt16(properties.number("rotation_rate")))
        answer.add(zeros: 0x3c - 2)
        return answer.bytes
    }

    private var provisioning: [UInt8] {
        let unmap: UInt8 = 0x80, writeSame16: UInt8 = 0x40, writeSame10: UInt8 = 0x20, thin: UInt8 = 2
        return isReadOnly ? [0, 0, 0, 0] : [0, unmap | writeSame16 | writeSame10, thin, 0]
    }

    // MARK: commands

    private func write(_ task: SCSITask, mustStay: Bool = false) {
        guard let (offset, bytes) = extent(task), let data = task.data(bytes) else { return }
        if bytes == 0 { return task.end() }
        submit(
            .write(offset: offset, data.map { UnsafeRawBufferPointer($0.bytes) }), task,
            mustStay: mustStay || task.block.mustStay)
    }

    private func unmap(_ task: SCSITask) {
        let anchors = task.block[1] & 1 != 0, header = 8, size = 16, count = task.block.dataLength
        if anchors { return task.fail(.invalidField) }
        if count == 0 { return task.end() }
        guard let list = task.parameters(count) else { return }
        guard count >= header else { return task.fail(.parameterListLength) }
        let given = min(Int(list[2]) << 8 | Int(list[3]), count - header) / size
        guard given <= Self.mostDescriptors else { return task.fail(.invalidParameter) }
        var ranges: [(offset: UInt64, bytes: UInt64)] = [], total: UInt64 = 0
        for index in 0..<given {
            let row = CommandBlock(Array(list[(header + size * index)...].prefix(size)))
            let blocks = row.number(8..<12)
            if blocks == 0 { continue }
            guard let range = extent(row.number(0..<8), blocks) else { return task.fail(.outOfRange) }
            total += range.bytes
            ranges.append(range)
        }
        guard total <= Self.mostBytes else { return task.fail(.invalidParameter) }
        discard(ranges[...], task)
    }

    private func discard(_ ranges: ArraySlice<(offset: UInt64, bytes: UInt64)>, _ task: SCSITask) {
        guard let range = ranges.first else { return task.end() }
        let operation = BlockOperation.discard(offset: range.offset, count: range.bytes)
        disk.submit(operation) { [unowned self] error in
            if let error { return task.fail(Self.sense(of: error, operation)) }
            discard(ranges.dropFirst(), task)
        }
    }

    private func writeSame(_ task: SCSITask) {
        let unmaps = task.block[1] & 8 != 0, anchors = task.block[1] & 16 != 0
        let hasNoData = task.block.code == Code.writeSame16 && task.block[1] & 1 != 0
        let (_, count) = task.block.blocks
        guard !anchors, 1...mostBlocks ~= count else { return task.fail(.invalidField) }
        guard let (offset, bytes) = extent(task) else { return }
        var block = [UInt8](repeating: 0, count: Int(disk.blockSize))
        if !hasNoData {
            guard let given = task.parameters(block.count) else { return }
            block = given
        }
        if block.allSatisfy({ $0 == 0 }) {
            return submit(.writeZeroes(offset: offset, count: bytes, mayUnmap: unmaps), task)
        }
        write(Pattern(block, atMost: min(Self.patternSize, Int(bytes))), offset, bytes, task)
    }

    /// A block, many times.
    private final class Pattern {
        let bytes: UnsafeMutableRawBufferPointer

        init(_ block: [UInt8], atMost size: Int) {
            bytes = .allocate(byteCount: max(1, size / block.count) * block.count, alignment: 4096)
            for at in stride(from: 0, to: bytes.count, by: block.count) {
                UnsafeMutableRawBufferPointer(rebasing: bytes[at...]).copyBytes(from: block)
            }
        }

        deinit { bytes.deallocate() }
    }

    private func write(_ pattern: Pattern, _ offset: UInt64, _ count: UInt64, _ task: SCSITask) {
        if count == 0 { return task.end() }
        let part = min(count, UInt64(pattern.bytes.count))
        let operation = BlockOperation.write(
            offset: offset, [UnsafeRawBufferPointer(rebasing: pattern.bytes[..<Int(part)])])
        disk.submit(operation) { [unowned self] error in
            if let error { return task.fail(Self.sense(of: error, operation)) }
            write(pattern, offset + part, count - part, task)
        }
    }
}
