// A device's registers at physical addresses.

import GuestMemory

/// The registers of one device, whatever its class.
open class RegisterBlock: PhysicalDevice, @unchecked Sendable {
    public final let device: Device
    public final let size: UInt64
    public final let sizes: AccessSizes

    /// For a subclass whose registers are no rows.
    public init(_ device: Device, size: UInt64, sizes: AccessSizes) {
        self.device = device
        self.size = size
        self.sizes = sizes
    }

    /// A vCPU may access it while it counts as running generated code: it waits for a leaf lock at most. Others may wait for the engine, with
    /// DMA, or for a thread that does.
    public final var isLeaf: Bool { device.domain.isLeaf }

    open func read(_ offset: UInt64, size: Int) -> UInt64? { nil }
    open func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool { false }
    open var rows: [RegisterInfo] { [] }
    open func reset(_ kind: ResetKind) {}
    /// In a section named like the device.
    open func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {}
}

public final class Registers<D: RegisterDevice>: RegisterBlock, @unchecked Sendable {
    /// Where a row's registers are, for the search.
    private struct Place {
        var offset: UInt64, end: UInt64, stride: UInt64, width: UInt64
    }

    private let owner: D
    private let map: RegisterMap<D>
    private let places: [Place]

    public init(_ device: D) {
        var map = RegisterMap<D>()
        device.registers(&map)
        self.map = map
        places = map.rows.map { row in
            let info = row.info
            return Place(
                offset: info.offset, end: info.offset + info.stride * UInt64(info.count - 1) + UInt64(info.width),
                stride: info.stride, width: UInt64(info.width))
        }
        owner = device
        super.init(device, size: device.span, sizes: map.sizes)
        device.domain.lock.withLock { start(.cold) }
    }

    public override var rows: [RegisterInfo] { map.rows.map(\.info) }

    // MARK: accesses

    public override func read(_ offset: UInt64, size: Int) -> UInt64? {
        guard accepts(offset, size) else { return nil }
        return owner.domain.lock.withLock {
            var value: UInt64 = 0, done = 0
            while done < size {
                let step = read(one: offset &+ UInt64(done), size - done)
                value |= step.value &<< UInt64(8 * done)
                if !map.splits { break }
                done += step.count
            }
            return value
        }
    }

    public override func write(_ offset: UInt64, size: Int, _ value: UInt64) -> Bool {
        guard accepts(offset, size) else { return false }
        owner.domain.lock.withLock {
            var done = 0
            while done < size {
                let count = write(one: offset &+ UInt64(done), size - done, value &>> UInt64(8 * done))
                if !map.splits { break }
                done += count
            }
        }
        return true
    }

    private func accepts(_ offset: UInt64, _ size: Int) -> Bool {
        if map.sizes.contains(size: size), offset & UInt64(size - 1) == 0, offset < self.size { return true }
        owner.guestError("access of \(size) bytes at 0x\(String(offset, radix: 16))")
        return false
    }

    /// The row and which register of it holds the byte at an offset, and which byte of the register that is. Of several the first.
    @inline(__always)
    private func find(_ offset: UInt64) -> (row: RegisterRow<D>, index: Int, byte: Int)? {
        var number = 0
        while number < places.count {
            let place = places[number]
            if offset >= place.offset, offset < place.end {
                let distance = offset &- place.offset
                let index = distance < place.width ? 0 : distance / place.stride
                let byte = distance &- index &* place.stride
                if byte < place.width { return (map.rows[number], Int(index), Int(byte)) }
            }
            number &+= 1
        }
        return nil
    }

    private static func bits(_ bytes: Int) -> UInt64 { bytes >= 8 ? .max : 1 &<< UInt64(8 * bytes) &- 1 }

    /// Reads at most `size` bytes of one register.
    private func read(one offset: UInt64, _ size: Int) -> (value: UInt64, count: Int) {
        guard let (row, index, byte) = find(offset) else {
            owner.guestError("read at 0x\(String(offset, radix: 16)), where there is no register")
            return (0, 1)
        }
        let count = min(size, row.info.width - byte)
        return (value(row, index, byte, count) &>> UInt64(8 * byte) & Self.bits(count), count)
    }

    private func value(_ row: RegisterRow<D>, _ index: Int, _ byte: Int, _ count: Int) -> UInt64 {
        switch row.info.kind {
        case .writeOnly: return 0
        case .reserved: return row.info.reset
        default:
            guard let get = row.get else { return row.read?(owner, index) ?? 0 }
            let value = get(owner, index)
            if row.info.kind == .readClears {
                row.set?(owner, index, value & ~(row.info.mask & Self.bits(count) &<< UInt64(8 * byte)))
                row.changed?(owner, index)
            }
            return value
        }
    }

    /// Writes at most `size` bytes of one register. Returns how many.
    private func write(one offset: UInt64, _ size: Int, _ written: UInt64) -> Int {
        guard let (row, index, byte) = find(offset) else {
            owner.guestError("write at 0x\(String(offset, radix: 16)), where there is no register")
            return 1
        }
        let count = min(size, row.info.width - byte)
        guard row.info.isWritable else {
            owner.guestError("write to \(row.info.name)")
            return count
        }
        let covered = Self.bits(count) &<< UInt64(8 * byte)
        let value = written &<< UInt64(8 * byte) & covered
        if let get = row.get, let set = row.set {
            let old = get(owner, index), mask = row.info.mask & covered
            switch row.info.kind {
            case .write1ToClear: set(owner, index, old & ~(value & mask))
            case .readClears: break
            default: set(owner, index, old & ~mask | value & mask)
            }
            row.changed?(owner, index)
        } else if let write = row.write {
            // Part of a register that can be read keeps the rest.
            let rest = count == row.info.width ? 0 : (row.read?(owner, index) ?? 0) & ~covered
            write(owner, index, value | rest)
        }
        return count
    }

    // MARK: reset and saved state

    public override func reset(_ kind: ResetKind) { owner.domain.lock.withLock { start(kind) } }

    private func start(_ kind: ResetKind) {
        for row in map.rows {
            guard let set = row.set else { continue }
            for index in 0..<row.info.count { set(owner, index, row.info.reset) }
        }
        owner.reset(kind)
    }

    public override func snapshot(_ coder: inout SnapshotCoder) throws(SnapshotError) {
        owner.domain.lock.lock()
        defer { owner.domain.lock.unlock() }
        try coder.section(owner.name) { coder, _ throws(SnapshotError) in
            for row in map.rows {
                guard let get = row.get, let set = row.set else { continue }
                for index in 0..<row.info.count {
                    var value = get(owner, index)
                    switch row.info.width {
                    case 1: try code(&coder, &value, UInt8.self)
                    case 2: try code(&coder, &value, UInt16.self)
                    case 4: try code(&coder, &value, UInt32.self)
                    default: try code(&coder, &value, UInt64.self)
                    }
                    // What no write can set, a saved state does not set either.
                    if coder.isLoading {
                        set(
                            owner, index,
                            row.info.kind == .plain ? value & row.info.mask | row.info.reset & ~row.info.mask : value)
                    }
                }
            }
            try owner.snapshot(&coder)
            if coder.isLoading { owner.hasLoaded() }
        }
    }

    private func code<T: FixedWidthInteger>(
        _ coder: inout SnapshotCoder, _ value: inout UInt64, _ type: T.Type
    ) throws(SnapshotError) {
        var narrow = T(truncatingIfNeeded: value)
        try coder.field(&narrow)
        value = UInt64(truncatingIfNeeded: narrow)
    }
}
