// Which drives are in a machine's flash memory.

import BlockLayer
import Devices
import EngineSetup
import GuestMemory
import SystemKit

extension SystemCommandLine {
    static let flashProperties = ["pflash0", "pflash1"]

    /// The names of the drives in both banks: of `-drive if=pflash,unit=N`, and of `-M pflashN=ID`.
    func flashDrives() throws(CommandError) -> [String?] {
        var banks: [String?] = [nil, nil]
        for drive in block.drives where drive.interface == .pflash {
            guard let unit = drive.index ?? banks.firstIndex(of: nil) else {
                throw CommandError("-drive if=pflash: the machine has two banks of flash memory, no third one")
            }
            guard banks.indices.contains(unit) else {
                throw CommandError("-drive if=pflash,index=\(unit): wanted 0 or 1, a bank of flash memory")
            }
            if banks[unit] != nil { throw CommandError("-drive if=pflash,unit=\(unit): there are two of them") }
            banks[unit] = drive.id ?? Disks.name(drive.interface, unit)
        }
        for (unit, name) in Self.flashProperties.enumerated() {
            guard let value = machineProperties.last(where: { $0.name == name })?.value else { continue }
            if banks[unit] != nil { throw CommandError("-M \(name)=\(value): a -drive is there already") }
            banks[unit] = value
        }
        return banks
    }
}

/// What is on a board where flash memory is.
struct FlashBanks {
    /// By bank.
    let disks: [BlockBackend?]
    let makeMemory: (_ name: String, _ size: UInt64) throws -> RAMBlock
    /// A bank does not show its memory any more.
    let hidden: () -> Void

    func add(to board: Board, at base: UInt64) throws {
        for (index, disk) in disks.enumerated() {
            let name = "flash\(index)", size = ParallelFlash.size
            let memory = try makeMemory(name, size)
            if let disk {
                guard disk.image.size == size else {
                    throw CommandError(
                        "drive \(disk.name): flash memory wants an image of \(size) bytes, not \(disk.image.size)")
                }
                let bytes = UnsafeMutableRawBufferPointer(start: memory.base, count: Int(size))
                do throws(BlockError) { try disk.image.read(at: 0, into: [bytes]) } catch {
                    throw CommandError("\(error)")
                }
            }
            var context = board.context(name, try Properties(ParallelFlash.descriptor))
            context.disk = disk
            let addresses = FlashAddresses(ParallelFlash(context, memory, hidden: hidden))
            memory.cover = addresses
            try board.add(addresses)
            try board.add(memory, at: base + UInt64(index) * size)
        }
    }
}
