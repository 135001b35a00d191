// Network interfaces of the host whose cable leads to a file descriptor. (Linux, Documentation/networking/tuntap.rst)

import CLinux
import Glibc

public enum HostTap {
    private static let device = "/dev/net/tun"
    /// TUNSETIFF, and bits of what it takes.
    private static let setInterface = 0x4004_54ca, ethernet: UInt16 = 2, withoutHeader: UInt16 = 0x1000
    /// struct ifreq: the name, then what is asked.
    private static let nameSize = 16, requestSize = 40
    public static let longestName = nameSize - 1

    /// A device like those that `open` opens, whoever has opened it.
    public static func isDevice(_ fd: Int32) -> Bool { ((try? HostFile.status(fd))?.mode ?? 0) & 0o170000 == 0o020000 }

    /// Frames are read from it and written to it, one at a time, without waiting. `name`: of an interface that is there, or is made; without
    /// one the kernel chooses.
    public static func open(_ name: String?) throws(Errno) -> (descriptor: Int32, name: String) {
        let fd = try HostStream.open(device)
        var request = [UInt8](repeating: 0, count: requestSize)
        for (index, byte) in (name ?? "").utf8.prefix(longestName).enumerated() { request[index] = byte }
        let flags = ethernet | withoutHeader
        (request[nameSize], request[nameSize + 1]) = (UInt8(flags & 255), UInt8(flags >> 8))
        let status = request.withUnsafeMutableBytes {
            kernel(SYS_ioctl, Int(fd), setInterface, Int(bitPattern: $0.baseAddress))
        }
        do throws(Errno) { _ = try Errno.check(status) } catch {
            HostFile.close(fd)
            throw error
        }
        return (fd, String(decoding: request.prefix(nameSize).prefix { $0 != 0 }, as: UTF8.self))
    }
}

extension HostFile {
    /// Calls on an open file do not wait from now on, whoever has it open.
    public static func stopWaiting(_ fd: Int32) {
        let flags = kernel(SYS_fcntl, Int(fd), Int(F_GETFL))
        if flags >= 0 { _ = kernel(SYS_fcntl, Int(fd), Int(F_SETFL), flags | Int(O_NONBLOCK)) }
    }
}
