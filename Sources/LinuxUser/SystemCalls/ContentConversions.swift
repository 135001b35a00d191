// What pointer arguments point to, as guest and host have it. One list for each guest, made at start: where both have the
// same bytes, and so for everything on most 64-bit little-endian guests, there is nothing in it and pointers pass as they
// are.

import HostOS
import LinuxABI

/// How the elements of an argument differ between guest and host.
enum ElementConversion: Sendable {
    case structure(StructConversion)
    /// struct sockaddr: which of its numbers have the host's order depends on the family.
    case socketAddress

    var guestSize: Int { if case .structure(let it) = self { it.guest.size } else { 1 } }
    var hostSize: Int { if case .structure(let it) = self { it.host.size } else { 1 } }
}

/// The conversions of one guest, by content.
final class ContentConversions: Sendable {
    private let list: [ElementConversion?]
    /// False: every pointer passes as it is.
    let areNeeded: Bool

    init(_ table: LinuxTable) {
        list = Content.allCases.map { Self.conversion($0, table) }
        areNeeded = list.contains { $0 != nil }
    }

    /// Nil where the bytes are the same.
    subscript(_ content: Content) -> ElementConversion? { list[Int(content.rawValue)] }

    private static func conversion(_ content: Content, _ table: LinuxTable) -> ElementConversion? {
        if content == .socketAddress { return table.order == LinuxTable.host.order ? nil : .socketAddress }
        let pair: StructConversion?
        switch content.shape {
        case .bytes: return nil
        case .numbers(let count, let size):
            if table.order == LinuxTable.host.order { return nil }
            func layout(_ order: ByteOrder) -> StructLayout { numbers(count, size, order) }
            pair = StructConversion(guest: layout(table.order), host: layout(LinuxTable.host.order))
        case .words(let count):
            if table.words.areHosts { return nil }
            pair = StructConversion(
                guest: numbers(count, table.word, table.order, signed: true),
                host: numbers(count, LinuxTable.host.word, LinuxTable.host.order, signed: true))
        case .ownWords:
            if table.words.areHosts { return nil }
            // Also where the bytes are the same: the host's last long is longer than the guest's.
            return .structure(
                StructConversion(
                    guest: numbers(1, table.word, table.order),
                    host: numbers(1, table.word, LinuxTable.host.order)))
        case .structure(let id):
            pair = StructConversion(table, id).map {
                StructConversion(guest: $0.guest.withShortNanoseconds(id), host: $0.host)
            }
        }
        guard let pair, !pair.isIdentical else { return nil }
        return .structure(pair)
    }

    private static func numbers(_ count: Int, _ size: Int, _ order: ByteOrder, signed: Bool = false) -> StructLayout {
        let fields = (0..<count).map {
            StructField(offset: $0 * size, size: size, kind: signed ? .signed : .unsigned)
        }
        return StructLayout(size: count * size, fields: fields, word: 8, order: order)
    }
}

extension StructLayout {
    /// A kernel of 32 bits uses only a long of struct __kernel_timespec's nanoseconds, whatever the other half says.
    fileprivate func withShortNanoseconds(_ id: StructID) -> StructLayout {
        let places: [Int]
        switch id {
        case .timespec64: places = [FieldIndex.timespec64.tv_nsec]
        case .itimerspec64:
            places = [FieldIndex.itimerspec64.it_interval_tv_nsec, FieldIndex.itimerspec64.it_value_tv_nsec]
        default: return self
        }
        guard word == 4 else { return self }
        let fields = (0..<count).map { index -> StructField in
            let field = self[index]
            guard places.contains(index), field.size == 8 else { return field }
            return StructField(offset: field.offset + (order == .big ? 4 : 0), size: 4, kind: field.kind)
        }
        return StructLayout(size: size, fields: fields, word: word, order: order)
    }
}

/// An argument in the host's form, for the duration of one system call.
struct ConvertedArgument {
    private let address: UInt64
    private let count: Int
    private let conversion: ElementConversion
    private let isOutput: Bool
    /// The elements as the kernel sees them, and for what it writes as they were.
    private let buffer: UnsafeMutableRawPointer
    private let bytes: Int
    /// Where they are as they were. The kernel may touch whole words.
    private let before: Int

    var pointer: Int { Int(bitPattern: buffer) }

    /// Nil for what cannot be read, or written: the kernel finds that out by itself.
    init?(
        _ thread: GuestThread, _ address: UInt64, _ count: Int, _ conversion: ElementConversion, reads: Bool,
        writes: Bool
    ) {
        let size = conversion.guestSize &* count
        guard count <= 1 << 20, !writes || thread.memory.allows(.write, at: address, length: UInt64(size)) else {
            return nil
        }
        self.address = address
        self.count = count
        self.conversion = conversion
        isOutput = writes
        bytes = conversion.hostSize &* count
        let room = (bytes &+ 7) & ~7
        before = room
        buffer = .allocate(byteCount: max(writes ? 2 * room : room, 1), alignment: 16)
        buffer.initializeMemory(as: UInt8.self, repeating: 0, count: room)
        // An address that is only written is the host's from its first byte on.
        if case .socketAddress = conversion, !reads {
            // (Nothing that the kernel writes begins with these bytes.)
            buffer.storeBytes(of: 0xffff, as: UInt16.self)
        } else if reads || writes {
            let isRead = (try? thread.memory.readBytes(address, count: size)).map { toHost($0) } != nil
            if !isRead, reads {
                buffer.deallocate()
                return nil
            }
        }
        if writes { (buffer + before).copyMemory(from: buffer, byteCount: bytes) }
    }

    private func toHost(_ guest: [UInt8]) {
        switch conversion {
        case .structure(let pair):
            guest.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                for index in 0..<count {
                    try? pair.toHost(base + index * pair.guest.size, buffer + index * pair.host.size)
                }
            }
        case .socketAddress:
            guest.withUnsafeBytes { source in
                if let base = source.baseAddress { buffer.copyMemory(from: base, byteCount: count) }
            }
            SocketAddress.swap(UnsafeMutableRawBufferPointer(start: buffer, count: count), fromGuest: true)
        }
    }

    /// Stores to the guest what the kernel has written: all of it after a success, else what has changed.
    func store(_ thread: GuestThread, succeeded: Bool) throws(Errno) {
        guard isOutput, succeeded || isChanged else { return }
        if case .socketAddress = conversion, !isChanged { return }
        switch conversion {
        case .structure(let pair):
            var target = [UInt8](repeating: 0, count: pair.guest.size)
            for index in 0..<count {
                // Elements that the kernel has not reached stay as they are.
                if count > 1, !isChanged(index * pair.host.size, pair.host.size) { continue }
                try pair.toGuest(buffer + index * pair.host.size, &target)
                try thread.memory.writeBytes(address &+ UInt64(index * pair.guest.size), target)
            }
        case .socketAddress:
            // As far as the kernel has written: behind that the guest's bytes stay.
            var end = bytes
            while end > 0, !isChanged(end - 1, 1) { end -= 1 }
            let all = UnsafeMutableRawBufferPointer(start: buffer, count: end)
            SocketAddress.swap(all, fromGuest: false)
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(all))
        }
    }

    func deallocate() { buffer.deallocate() }

    private var isChanged: Bool { isChanged(0, bytes) }

    private func isChanged(_ start: Int, _ size: Int) -> Bool {
        let now = UnsafeRawBufferPointer(start: buffer + start, count: size)
        return !now.elementsEqual(UnsafeRawBufferPointer(start: buffer + before + start, count: size))
    }
}

/// Socket addresses of guests of the other byte order. Ports and internet addresses have the network's order everywhere.
enum SocketAddress {
    /// Swaps the numbers of an address that is at most as long as its buffer.
    static func swap(_ address: UnsafeMutableRawBufferPointer, fromGuest: Bool) {
        guard address.count >= 2 else { return }
        let given = address.loadUnaligned(as: UInt16.self)
        let family = fromGuest ? given.byteSwapped : given
        address.storeBytes(of: given.byteSwapped, as: UInt16.self)
        for (offset, size) in numbers(family) where offset + size <= address.count {
            if size == 2 {
                let value = address.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
                address.storeBytes(of: value.byteSwapped, toByteOffset: offset, as: UInt16.self)
            } else {
                let value = address.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                address.storeBytes(of: value.byteSwapped, toByteOffset: offset, as: UInt32.self)
            }
        }
    }

    /// Offset and size of what is a number of the host's, after the family (include/uapi/linux).
    private static func numbers(_ family: UInt16) -> [(Int, Int)] {
        switch family {
        case 10: [(24, 4)]  // AF_INET6: sin6_scope_id
        case 16: [(4, 4), (8, 4)]  // AF_NETLINK: nl_pid, nl_groups
        case 17: [(4, 4), (8, 2)]  // AF_PACKET: sll_ifindex, sll_hatype
        case 29: [(4, 4)]  // AF_CAN: can_ifindex
        case 40: [(4, 4), (8, 4)]  // AF_VSOCK: svm_port, svm_cid
        default: []
        }
    }
}
