// struct ifreq of guests with other words: a name and a union, which is larger where longs are (netdevice(7)).

import HostOS
import LinuxABI

enum InterfaceRequest {
    private static let nameSize = 16, hostSize = 40

    /// What of the union a request is about.
    private enum Member { case int, short, address }

    private static func member(_ request: UInt32) -> Member? {
        switch request {
        // SIOC[GS]IFMETRIC, SIOC[GS]IFMTU, SIOCGIFINDEX, SIOCGIFNAME, SIOC[GS]IFTXQLEN
        case 0x891d, 0x891e, 0x8921, 0x8922, 0x8933, 0x8910, 0x8942, 0x8943: .int
        case 0x8913, 0x8914: .short  // SIOC[GS]IFFLAGS
        // SIOC[GS]IFADDR, DSTADDR, BRDADDR, NETMASK, HWADDR, SIOCADDMULTI, SIOCDELMULTI
        case 0x8915...0x891c, 0x8924, 0x8927, 0x8931, 0x8932: .address
        default: nil
        }
    }

    static func isOne(_ request: UInt32) -> Bool { member(request) != nil }

    static func perform(
        _ thread: GuestThread, _ address: UInt64, _ request: UInt32, _ body: (_ argument: Int) -> Int
    ) throws(Errno) -> Int {
        guard let member = member(request) else { throw .notty }
        let size = nameSize + 16
        return try withScratch(hostSize) { (buffer) throws(Errno) in
            let given = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
            do throws(Errno) { try thread.memory.readBytes(address, into: given) } catch {
                return body(GuestThread.unusablePointer)
            }
            convert(given, member, thread, fromGuest: true)
            let result = body(buffer.word)
            if result < 0 { return result }
            convert(given, member, thread, fromGuest: false)
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(given))
            return result
        }
    }

    private static func convert(
        _ record: UnsafeMutableRawBufferPointer, _ member: Member, _ thread: GuestThread, fromGuest: Bool
    ) {
        guard thread.words.order != LinuxTable.host.order else { return }
        let union = UnsafeMutableRawBufferPointer(rebasing: record[nameSize...])
        switch member {
        case .int: union.storeBytes(of: union.loadUnaligned(as: UInt32.self).byteSwapped, as: UInt32.self)
        case .short: union.storeBytes(of: union.loadUnaligned(as: UInt16.self).byteSwapped, as: UInt16.self)
        case .address: SocketAddress.swap(union, fromGuest: fromGuest)
        }
    }

    /// SIOCGIFCONF: all interfaces with their addresses, as far as there is `length` room, or how much room they need.
    static func list(
        _ thread: GuestThread, _ length: Int, _ room: UInt64, _ body: (_ argument: Int) -> Int
    ) throws(Errno) -> (result: Int, bytes: Int) {
        let size = thread.process.guest.table.layout(.ifreq)?.size ?? hostSize
        let count = max(0, min(length, 1 << 20)) / size
        return try withScratch(16 + count * hostSize) { (buffer) throws(Errno) in
            let records = UnsafeMutableRawBufferPointer(rebasing: buffer[16...])
            buffer.storeBytes(of: room == 0 ? 0 : count * hostSize, as: Int.self)
            buffer.storeBytes(of: room == 0 ? 0 : records.word, toByteOffset: 8, as: Int.self)
            let result = body(buffer.word)
            if result < 0 { return (result, 0) }
            let found = Int(buffer.load(as: Int32.self)) / hostSize
            if room == 0 { return (result, found * size) }
            for index in 0..<min(found, count) {
                let record = UnsafeMutableRawBufferPointer(
                    rebasing: records[index * hostSize..<index * hostSize + nameSize + 16])
                convert(record, .address, thread, fromGuest: false)
                try thread.memory.writeBytes(room &+ UInt64(index * size), UnsafeRawBufferPointer(record))
            }
            return (result, min(found, count) * size)
        }
    }
}
