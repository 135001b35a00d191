// A bank of parallel NOR flash memory: two chips of 16 bits side by side, with the command set of Intel's.
//
// Sources: JEDEC JESD68.01, Common Flash Interface; Intel StrataFlash Memory (J3) datasheet, chapters 9 to 11. Where these leave something
// open, or drivers rely on something else, it does what QEMU's machines do.

import BlockLayer
import GuestMemory
import Synchronization
import SystemKit

public final class ParallelFlash: Device, @unchecked Sendable {
    public override class var descriptor: DeviceDescriptor { DeviceDescriptor("cfi.pflash01", "flash memory") }

    /// Bytes of a bank.
    public static let size: UInt64 = 32 << 20
    /// Bytes that are erased at once.
    private static let blockSize: UInt64 = 256 << 10
    /// Bytes that are programmed at once, at most.
    private static let bufferSize = 4096

    private enum Command {
        static let program: UInt8 = 0x10, eraseSetup: UInt8 = 0x20, programToo: UInt8 = 0x40, clearStatus: UInt8 = 0x50
        static let lockSetup: UInt8 = 0x60, readStatus: UInt8 = 0x70, readIdentifier: UInt8 = 0x90, query: UInt8 = 0x98
        static let confirm: UInt8 = 0xd0, lock: UInt8 = 0x01, buffer: UInt8 = 0xe8
    }
    private enum Status { static let ready: UInt8 = 0x80, eraseError: UInt8 = 0x20, programError: UInt8 = 0x10 }

    /// What reads show.
    private enum View: UInt8 { case array, status, identifier, query }
    /// What the next write is.
    private enum Step: UInt8 { case command, data, erase, lock, count, buffer, confirm }

    /// What the chips say of themselves, by words from 0x10 on. (JESD68.01)
    private static let queryTable: [UInt8] =
        Array("QRY".utf8) + [
            0x01, 0x00, 0x31, 0x00, 0x00, 0x00, 0x00, 0x00,  // Intel's command set; its own table is at 0x31
            0x45, 0x55, 0x00, 0x00,  // voltages
            0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00,  // times, as powers of two
            24, 0x02, 0x00, 11, 0x00,  // a chip's size, 16 bits wide, size of its buffer
            0x01, 0x7f, 0x00, 0x00, 0x02,  // 128 blocks of 128 KiB
        ] + Array("PRI10".utf8) + Array(repeating: 0, count: 9) + [0x01]
    private static let queryStart = 0x10
    private static let identifiers: [UInt8] = [0x89, 0x18]

    private let memory: RAMBlock
    private let disk: BlockBackend?
    private let dma: DMA?
    /// Called when it stops showing its memory.
    private let hidden: () -> Void
    private var view = View.array
    /// For those who look without the lock.
    let showsArray = Atomic<Bool>(true)
    private var step = Step.command
    private var status = Status.ready
    // A write to the buffer: what is still to come, and where.
    private var left: UInt32 = 0
    private var bufferStart: UInt64 = 0
    private var buffer = [UInt8](repeating: 0xff, count: bufferSize)

    /// `memory`: of `size` bytes, and with the contents of the context's disk. Without one the contents end with the machine.
    public init(_ context: DeviceContext, _ memory: RAMBlock, hidden: @escaping () -> Void) {
        precondition(memory.size == Self.size)
        self.memory = memory
        disk = context.disk
        dma = context.dma
        self.hidden = hidden
        super.init(context)
        disk?.device = context.name
        disk?.hasFixedSize = true
    }

    public required init(_ context: DeviceContext) { preconditionFailure("flash without memory") }

    private var isReadOnly: Bool { disk?.image.isReadOnly ?? false }

    // MARK: accesses

    /// Words of 32 bits, in which both chips say the same.
    func read(_ offset: UInt64, size: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<size { value |= UInt64(byte(offset &+ UInt64(index))) &<< UInt64(8 * index) }
        return value
    }

    private func byte(_ offset: UInt64) -> UInt8 {
        if view == .array { return memory.base.load(fromByteOffset: Int(offset), as: UInt8.self) }
        // Each chip has a low byte, which says something, and a high one.
        if offset & 1 != 0 { return 0 }
        let word = Int(truncatingIfNeeded: offset / 4 & 0xff)
        switch view {
        case .identifier: return word < Self.identifiers.count ? Self.identifiers[word] : 0
        case .query:
            let index = word - Self.queryStart
            return Self.queryTable.indices.contains(index) ? Self.queryTable[index] : 0
        default: return status
        }
    }

    /// One write of at most 4 bytes.
    func write(_ offset: UInt64, size: Int, _ value: UInt64) {
        let command = UInt8(truncatingIfNeeded: value)
        switch step {
        case .command: begin(command)
        case .data:
            program(offset, (0..<size).map { UInt8(truncatingIfNeeded: value &>> UInt64(8 * $0)) })
            step = .command
        case .erase:
            if command == Command.confirm { erase(offset) } else { refuse(command) }
            step = .command
        case .lock:
            // There are no locks.
            if command != Command.confirm, command != Command.lock { show(.array) }
            step = .command
        case .count:
            left = UInt32(truncatingIfNeeded: value & 0xffff) + 1
            bufferStart = offset & ~UInt64(Self.bufferSize - 1)
            let start = Int(bufferStart)
            buffer.withUnsafeMutableBytes { buffer in
                buffer.copyMemory(from: UnsafeRawBufferPointer(start: memory.base + start, count: Self.bufferSize))
            }
            step = .buffer
        case .buffer: fill(offset, size, value)
        case .confirm:
            if command == Command.confirm { program(bufferStart, buffer) } else { show(.array) }
            step = .command
        }
    }

    private func begin(_ command: UInt8) {
        switch command {
        case Command.program, Command.programToo: begin(.data)
        case Command.eraseSetup: begin(.erase)
        case Command.lockSetup: begin(.lock)
        case Command.buffer: begin(.count)
        case Command.readStatus: show(.status)
        case Command.readIdentifier: show(.identifier)
        case Command.query: show(.query)
        case Command.clearStatus:
            status = Status.ready
            show(.array)
        default: show(.array)
        }
    }

    /// A command of several writes, which shows the status.
    private func begin(_ next: Step) {
        step = next
        show(.status)
    }

    private func show(_ new: View) {
        let isHidden = view == .array && new != .array
        view = new
        showsArray.store(view == .array, ordering: .sequentiallyConsistent)
        if isHidden { hidden() }
    }

    /// Not what has to follow.
    private func refuse(_ command: UInt8) {
        guestError("command 0x\(String(command, radix: 16)) does not erase")
        status |= Status.eraseError | Status.programError
        show(.array)
    }

    private func fill(_ offset: UInt64, _ size: Int, _ value: UInt64) {
        let at = offset &- bufferStart
        guard !isReadOnly, at < UInt64(Self.bufferSize) else {
            guestError(isReadOnly ? "it cannot be written" : "0x\(String(offset, radix: 16)) is not in the buffer")
            status |= Status.programError
            step = .command
            return
        }
        for index in 0..<size where Int(at) + index < Self.bufferSize {
            buffer[Int(at) + index] = UInt8(truncatingIfNeeded: value &>> UInt64(8 * index))
        }
        left -= 1
        if left == 0 { step = .confirm }
    }

    private func program(_ offset: UInt64, _ bytes: [UInt8]) {
        if !change(offset, bytes) { status |= Status.programError }
    }

    private func erase(_ offset: UInt64) {
        let start = offset & ~(Self.blockSize - 1)
        if !change(start, Array(repeating: 0xff, count: Int(Self.blockSize))) { status |= Status.eraseError }
    }

    /// In memory and in the image. False: it cannot be written.
    private func change(_ offset: UInt64, _ bytes: [UInt8]) -> Bool {
        if isReadOnly {
            guestError("it cannot be written")
            return false
        }
        let count = min(bytes.count, Int(Self.size - offset))
        return bytes.withUnsafeBytes { all in
            let part = UnsafeRawBufferPointer(rebasing: all.prefix(count))
            do throws(BlockError) { try disk?.perform(now: .write(offset: offset, [part])) } catch {
                domain.diagnostics.write("\(name): \(error)\n")
                return false
            }
            if let from = part.baseAddress { (memory.base + Int(offset)).copyMemory(from: from, byteCount: count) }
            dma?.wrote(memory, offset, UInt64(count))
            return true
        }
    }

    // MARK: state

    public override func reset(_ kind: ResetKind) {
        show(.array)
        step = .command
        status = Status.ready
        left = 0
    }

    /// Without the contents.
    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        var view = view.rawValue, step = step.rawValue
        try coder.field(&view, in: 0...View.query.rawValue)
        try coder.field(&step, in: 0...Step.confirm.rawValue)
        try coder.field(&status)
        try coder.field(&left, in: 0...0x1_0000)
        try coder.field(&bufferStart, in: 0...Self.size - UInt64(Self.bufferSize))
        try coder.field(&buffer)
        bufferStart &= ~UInt64(Self.bufferSize - 1)
        self.step = Step(rawValue: step) ?? .command
        show(View(rawValue: view) ?? .array)
        if self.step == .buffer, left == 0 { self.step = .confirm }
    }
}

/// The bank's addresses.
public final class FlashAddresses: RegisterBlock, MemoryCover, @unchecked Sendable {
    private let flash: ParallelFlash

    public init(_ flash: ParallelFlash) {
        self.flash = flash
        super.init(flash, size: ParallelFlash.size, sizes: .any)
    }

    public var showsMemory: Bool { flash.showsArray.load(ordering: .sequentiallyConsistent) }

    private func accepts(_ offset: UInt64, _ size: Int) -> Bool {
        sizes.contains(size: size) && offset <= self.size && UInt64(size) <= self.size - offset
    }

    public override func read(_ offset: UInt64, size: Int) -> UInt64? {
        accepts(offset, size) ? flash.domain.lock.withLock { flash.read(offset, size: size) } : nil
    }

    /// The bus has 32 bits.
    public override func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        guard accepts(offset, size) else { return false }
        flash.domain.lock.withLock {
            for done in stride(from: 0, to: size, by: 4) {
                flash.write(offset &+ UInt64(done), size: min(4, size - done), value &>> UInt64(8 * done))
            }
        }
        return true
    }

    public override func reset(_ kind: ResetKind) { flash.domain.lock.withLock { flash.reset(kind) } }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        flash.domain.lock.lock()
        defer { flash.domain.lock.unlock() }
        try coder.section(flash.name) { coder, _ throws(SnapshotError) in try flash.snapshot(&coder) }
    }
}
