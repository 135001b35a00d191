// Network interfaces of the host whose cable leads to a file descriptor. (Linux, Documentation/networking/tuntap.rst)

import CLinux
import Glibc

public enum HostTap {
    private static let device = "/dev/net/tun"
    /// TUNSETIFF and TUNGETIFF, and bits of what they take and give; TUNSETVNETHDRSZ.
    private static let setInterface = 0x4004_54ca, getInterface = 0x8004_54d2, setHeaderSize = 0x4004_54d8
    private static let ethernet: UInt16 = 2, severalQueues: UInt16 = 0x100, withoutInformation: UInt16 = 0x1000
    private static let headers: UInt16 = 0x4000
    /// Bytes of a `struct virtio_net_hdr`, which stands before a frame where there are headers.
    public static let headerSize = 10
    /// Of an interface.
    public static let mostQueues = 256
    private static let nameSize = 16, requestSize = 40
    public static let longestName = nameSize - 1

    /// A device like those that `open` opens, whoever has opened it.
    public static func isDevice(_ fd: Int32) -> Bool { ((try? HostFile.status(fd))?.mode ?? 0) & 0o170000 == 0o020000 }

    /// Frames are read from it and written to it, one at a time, without waiting, by as many descriptors as there are queues. `name`: of an
    /// interface that is there, or is made; without one the kernel chooses. `hasHeaders`: before each frame stands a header.
    public static func open(
        _ name: String?, queues: Int = 1, hasHeaders: Bool = false
    ) throws(Errno) -> (descriptors: [Int32], name: String) {
        var opened: [Int32] = [], name = name ?? ""
        let flags = ethernet | withoutInformation | (queues > 1 ? severalQueues : 0) | (hasHeaders ? headers : 0)
        do throws(Errno) {
            for _ in 0..<queues {
                let fd = try HostStream.open(device)
                opened.append(fd)
                var request = [UInt8](repeating: 0, count: requestSize)
                for (index, byte) in name.utf8.prefix(longestName).enumerated() { request[index] = byte }
                (request[nameSize], request[nameSize + 1]) = (UInt8(flags & 255), UInt8(flags >> 8))
                try control(fd, setInterface, &request)
                name = String(decoding: request.prefix(nameSize).prefix { $0 != 0 }, as: UTF8.self)
                if hasHeaders { try setHeaders(fd) }
            }
        } catch {
            for fd in opened { HostFile.close(fd) }
            throw error
        }
        return (opened, name)
    }

    /// Whether headers stand before the frames of an interface that somebody has opened.
    public static func hasHeaders(_ fd: Int32) -> Bool {
        var request = [UInt8](repeating: 0, count: requestSize)
        guard (try? control(fd, getInterface, &request)) != nil else { return false }
        return (UInt16(request[nameSize]) | UInt16(request[nameSize + 1]) << 8) & headers != 0
    }

    /// Headers have the size that they have here.
    public static func setHeaders(_ fd: Int32) throws(Errno) {
        var size = (0..<4).map { UInt8(truncatingIfNeeded: headerSize >> (8 * $0)) }
        try control(fd, setHeaderSize, &size)
    }

    private static func control(_ fd: Int32, _ number: Int, _ bytes: inout [UInt8]) throws(Errno) {
        let status = bytes.withUnsafeMutableBytes {
            kernel(SYS_ioctl, Int(fd), number, Int(bitPattern: $0.baseAddress))
        }
        _ = try Errno.check(status)
    }
}

extension HostFile {
    /// Calls on an open file do not wait from now on, whoever has it open.
    public static func stopWaiting(_ fd: Int32) {
        let flags = kernel(SYS_fcntl, Int(fd), Int(F_GETFL))
        if flags >= 0 { _ = kernel(SYS_fcntl, Int(fd), Int(F_SETFL), flags | Int(O_NONBLOCK)) }
    }
}
