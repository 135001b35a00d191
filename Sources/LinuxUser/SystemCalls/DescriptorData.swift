// Numbers that are read from and written to descriptors: what eventfd(2), timerfd_create(2), signalfd(2) and inotify(7) give
// are the kernel's own numbers, in the host's order and with the host's signals. Guests that have others get them converted.
// Only such guests pay for the look at what a descriptor is.

import CLinux
import HostOS
import LinuxABI

/// What a descriptor's bytes are made of.
enum DescriptorData {
    case counter, signals, fileEvents

    /// Nil for files, pipes, sockets and the like.
    init?(_ fd: Int32) {
        // Such descriptors have a kind of their own, which costs one call to see.
        guard let status = try? HostFile.status(fd), status.mode & 0o170000 == 0,
            let name = try? HostFile.readLink("/proc/self/fd/\(fd)")
        else { return nil }
        switch name {
        case "anon_inode:[eventfd]", "anon_inode:[timerfd]": self = .counter
        case "anon_inode:[signalfd]": self = .signals
        case "anon_inode:inotify": self = .fileEvents
        default: return nil
        }
    }

    /// Converts the bytes that came from such a descriptor.
    func toGuest(_ bytes: UnsafeMutableRawBufferPointer, _ table: LinuxTable) {
        guard let base = bytes.baseAddress else { return }
        switch self {
        case .counter: convert(bytes, 8) { table.words.store($0.load(as: UInt64.self), $0) }
        case .signals:
            guard let pair = StructConversion(table, .signalfd_siginfo) else { return }
            let number = FieldIndex.signalfd_siginfo.ssi_signo
            convert(bytes, pair.host.size) { record in
                let signal = Int32(truncatingIfNeeded: pair.host.load(number, record))
                pair.host.store(UInt64(table.signal(signal)), number, record)
                var converted = [UInt8](repeating: 0, count: pair.guest.size)
                try? pair.toGuest(record, &converted)
                record.copyMemory(from: converted, byteCount: converted.count)
            }
        case .fileEvents:
            // Records have their own lengths: four ints, of which the last says how long a name follows.
            var at = 0
            while at + 16 <= bytes.count {
                let length = bytes.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self)
                for field in 0..<4 {
                    let value = bytes.loadUnaligned(fromByteOffset: at + 4 * field, as: UInt32.self)
                    table.words.store(value, base, at: at + 4 * field)
                }
                at += 16 + Int(length)
            }
        }
    }

    private func convert(
        _ bytes: UnsafeMutableRawBufferPointer, _ size: Int, _ body: (UnsafeMutableRawPointer) -> Void
    ) {
        guard let base = bytes.baseAddress else { return }
        for at in stride(from: 0, through: bytes.count - size, by: size) { body(base + at) }
    }
}

extension DescriptorData {
    /// read(2).
    func read(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let result = thread.blocking(
            Int32(SYS_read), call.word(0), thread.output(call.a1, call.a2), call.word(2))
        guard result > 0 else { return result }
        thread.finishArguments()
        return try withScratch(result) { (buffer) throws(Errno) in
            try thread.memory.readBytes(call.a1, into: buffer)
            toGuest(buffer, thread.process.guest.table)
            try thread.memory.writeBytes(call.a1, UnsafeRawBufferPointer(buffer))
            return result
        }
    }

    /// write(2): a number that is added to a counter; the other kinds take nothing.
    func write(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let given = try? thread.load(call.a1, as: UInt64.self)
        guard self == .counter, call.a2 >= 8, let given else {
            return kernel(SYS_write, call.word(0), thread.input(call.a1, call.a2), call.word(2))
        }
        return withUnsafePointer(to: given) {
            thread.blocking(Int32(SYS_write), call.word(0), Int(bitPattern: $0), 8)
        }
    }
}
