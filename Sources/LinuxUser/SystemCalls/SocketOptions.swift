// Socket options: most are an int, some are structures (socket(7), setsockopt(2)). Where guest and host have the same words
// their bytes pass as they are.

import CLinux
import HostOS
import LinuxABI

enum SocketOptions {
    /// The forms of an option's value.
    private enum Form {
        /// Bytes that are alike everywhere, ints, and numbers of 64 bits.
        case bytes, ints, longs
        /// struct timeval, of longs; struct sock_fprog, a short and a pointer.
        case time, filter
    }

    private static let socketLevel: Int32 = 1

    private static func form(_ level: Int32, _ option: Int32, _ length: UInt64) -> Form {
        if level == socketLevel {
            switch option {
            case 20, 21: return .time  // SO_RCVTIMEO_OLD, SO_SNDTIMEO_OLD
            case 26, 51: return .filter  // SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF
            case 25: return .bytes  // SO_BINDTODEVICE
            case 66, 67: return .longs  // SO_RCVTIMEO_NEW, SO_SNDTIMEO_NEW
            default: return length & 3 == 0 ? .ints : .bytes
            }
        }
        let interfaceAddress = level == 0 && option == 32  // IP_MULTICAST_IF
        return length == 4 && !interfaceAddress ? .ints : .bytes
    }

    /// The host's number of an option.
    private static func number(_ thread: GuestThread, _ call: SystemCallArguments) -> Int32 {
        let table = thread.process.guest.table
        guard call.int32(1) == socketLevel, !table.isHosts(.sockoption) else { return call.int32(2) }
        return table.toHost(call.uint32(2), .sockoption).map { Int32(bitPattern: $0) } ?? call.int32(2)
    }

    static func set(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let option = number(thread, call), length = call.uint32(4)
        func pass(_ value: Int, _ length: Int) -> Int {
            kernel(SYS_setsockopt, Int(call.int32(0)), Int(call.int32(1)), Int(option), value, length)
        }
        let words = thread.words
        if words.areHosts { return pass(thread.optionalInput(call.a3, UInt64(length)), Int(call.int32(4))) }
        switch form(call.int32(1), option, UInt64(length)) {
        case .time where length >= 2 * UInt32(words.size): return pass(thread.input(call.a3, .timeval), 16)
        case .filter where length >= 2 * UInt32(words.size): return try attachFilter(thread, call.a3, pass)
        case .longs where length <= 64:
            return pass(thread.optionalInput(call.a3, .uint64, count: Int(length / 8)), Int(length))
        case .ints where length <= 64:
            return pass(thread.optionalInput(call.a3, .int32, count: Int(length / 4)), Int(length))
        default: return pass(thread.optionalInput(call.a3, UInt64(length)), Int(call.int32(4)))
        }
    }

    static func get(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let option = number(thread, call)
        func pass(_ value: Int, _ length: Int) -> Int {
            kernel(SYS_getsockopt, Int(call.int32(0)), Int(call.int32(1)), Int(option), value, length)
        }
        let words = thread.words, length = (try? thread.load(call.a4, as: Int32.self)) ?? 0
        if words.areHosts {
            return pass(thread.optionalOutput(call.a3, UInt64(max(length, 0))), thread.optionalOutput(call.a4, 4))
        }
        let place = thread.optionalOutput(call.a4, .int32, reads: true)
        switch form(call.int32(1), option, UInt64(max(length, 0))) {
        case .time where length >= 2 * Int32(words.size):
            var size: Int32 = 16
            let time = thread.output(call.a3, .timeval)
            let result = withUnsafeMutablePointer(to: &size) { pass(time, Int(bitPattern: $0)) }
            if result == 0 { try thread.store(call.a4, UInt32(2 * words.size)) }
            return result
        case .longs where length <= 64:
            return pass(thread.optionalOutput(call.a3, .uint64, count: Int(length / 8)), place)
        case .ints where length <= 64:
            let result = pass(thread.optionalOutput(call.a3, .int32, count: Int(length / 4)), place)
            let table = thread.process.guest.table
            if result == 0, call.int32(1) == socketLevel, option == 4, !table.hasHostErrors {  // SO_ERROR
                thread.finishArguments()
                let error = try thread.load(call.a3, as: Int32.self)
                if error > 0 { try thread.store(call.a3, table.error(Errno(error))) }
            }
            return result
        default: return pass(thread.optionalOutput(call.a3, UInt64(max(length, 0))), place)
        }
    }

    /// struct sock_fprog, and its instructions: a short, two bytes and an int each.
    private static func attachFilter(
        _ thread: GuestThread, _ address: UInt64, _ pass: (Int, Int) -> Int
    ) throws(Errno) -> Int {
        let count = Int(try thread.load(address, as: UInt16.self))
        let program = try thread.loadWord(address &+ UInt64(thread.words.size))
        return try withScratch(16 &+ 8 &* count) { (buffer) throws(Errno) in
            let filter = UnsafeMutableRawBufferPointer(rebasing: buffer[16...])
            try thread.memory.readBytes(program, into: filter)
            if let base = filter.baseAddress {
                for at in stride(from: 0, to: 8 * count, by: 8) {
                    let code = thread.words.load(base, at: at, as: UInt16.self)
                    let operand = thread.words.load(base, at: at + 4, as: UInt32.self)
                    base.storeBytes(of: code, toByteOffset: at, as: UInt16.self)
                    base.storeBytes(of: operand, toByteOffset: at + 4, as: UInt32.self)
                }
            }
            buffer.storeBytes(of: UInt16(count), as: UInt16.self)
            buffer.storeBytes(of: filter.word, toByteOffset: 8, as: Int.self)
            return pass(buffer.word, 16)
        }
    }
}
