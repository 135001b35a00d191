// A command on its way, and what becomes of it. (SAM-5, 5)

import SystemKit

public final class SCSITask {
    public enum Outcome: Equatable, Sendable {
        case good
        /// CHECK CONDITION.
        case failed(Sense)
        /// There is less room, or there are fewer bytes, than the command speaks of.
        case overrun
        /// There is nothing at its address.
        case noTarget
    }

    let block: CommandBlock
    let output: [DMAWindow]
    let input: [DMAWindow]
    /// Bytes of data that have been moved so far.
    public private(set) var moved = 0
    /// Those of them that are the device's.
    public var movedIn: Int { input.isEmpty ? 0 : moved }
    /// Bytes that there is room for, or that are there.
    public var dataCount: Int { output.byteCount + input.byteCount }
    private let ended: (Outcome) -> Void

    /// `output`: data for the device. `input`: room for data of the device's.
    public init(
        _ block: [UInt8], output: [DMAWindow], input: [DMAWindow], ended: @escaping (Outcome) -> Void
    ) {
        self.block = CommandBlock(block)
        self.output = output
        self.input = input
        self.ended = ended
    }

    /// Called once.
    func end(_ outcome: Outcome = .good) { ended(outcome) }

    func fail(_ sense: Sense) {
        moved = 0
        ended(.failed(sense))
    }

    /// Ends it with an answer, of which the command wants `limit` bytes at most.
    func answer(_ bytes: [UInt8], limit: Int) {
        let wanted = min(limit, bytes.count)
        moved = input.write(bytes.prefix(wanted))
        end(moved == wanted ? .good : .overrun)
    }

    func answer(_ bytes: [UInt8]) { answer(bytes, limit: block.dataLength) }

    /// So many bytes of parameters; nil: there are not so many, and it has ended.
    func parameters(_ count: Int) -> [UInt8]? {
        guard let bytes = output.read(count: count) else {
            end(.overrun)
            return nil
        }
        moved = count
        return bytes
    }

    /// Room for so many bytes; nil: there is less, and it has ended.
    func room(_ count: UInt64) -> [DMAWindow]? { windows(input, count) }

    /// So many bytes for the device; nil: there are fewer, and it has ended.
    func data(_ count: UInt64) -> [DMAWindow]? { windows(output, count) }

    private func windows(_ windows: [DMAWindow], _ count: UInt64) -> [DMAWindow]? {
        guard count <= UInt64(windows.byteCount) else {
            end(.overrun)
            return nil
        }
        moved = Int(count)
        return windows.part(0..<Int(count))
    }
}
