// ioctl(2) requests whose argument is known. Terminal and file requests have historical numbers that say nothing about
// their argument, so they are listed; newer requests encode direction and size in the number (asm-generic/ioctl.h). All
// the structures listed here are the same on asm-generic guests and x86-64 and, unless marked, contain no pointers.

/// What an ioctl request does with its third argument.
public struct IoctlArgument: Sendable, Equatable {
    public enum Kind: Sendable { case none, value, input, output, both, interfaceList }
    public var kind: Kind
    public var size: Int
}

public enum Ioctl {
    /// The argument of a known request; nil when the request is not in the table.
    public static func argument(_ request: UInt32) -> IoctlArgument? {
        switch request {
        // Terminals (ioctl_tty(2))
        case 0x5401: output(36)  // TCGETS
        case 0x5402, 0x5403, 0x5404: input(36)  // TCSETS, TCSETSW, TCSETSF
        case 0x5405: output(18)  // TCGETA
        case 0x5406, 0x5407, 0x5408: input(18)  // TCSETA, TCSETAW, TCSETAF
        case 0x5409, 0x540a, 0x540b, 0x5425: value  // TCSBRK, TCXONC, TCFLSH, TCSBRKP
        // TIOCEXCL, TIOCNXCL, TIOCNOTTY, breaks, TIOCCONS, TIOCVHANGUP
        case 0x540c, 0x540d, 0x5422, 0x5427, 0x5428, 0x541d, 0x5437: none
        case 0x540e, 0x5441: value  // TIOCSCTTY, TIOCGPTPEER
        // TIOCGPGRP, TIOCGSID, TIOCOUTQ, FIONREAD, TIOCMGET, ...
        case 0x540f, 0x5429, 0x5411, 0x541b, 0x5415, 0x5419, 0x5424: output(4)
        // TIOCSPGRP, TIOCM*, FIONBIO, FIOASYNC
        case 0x5410, 0x5416, 0x5417, 0x5418, 0x541a, 0x5423, 0x5420, 0x5421, 0x5452: input(4)
        case 0x5412: input(1)  // TIOCSTI
        case 0x5413: output(8)  // TIOCGWINSZ
        case 0x5414: input(8)  // TIOCSWINSZ
        case 0x5450, 0x5451: none  // FIONCLEX, FIOCLEX
        case 0x5456: output(36)  // TIOCGLCKTRMIOS
        case 0x5457: input(36)  // TIOCSLCKTRMIOS
        case 0x545d: output(80)  // TIOCGICOUNT
        case 0x5460: output(8)  // FIOQSIZE
        case 0x802c_542a: output(44)  // TCGETS2
        case 0x402c_542b, 0x402c_542c, 0x402c_542d: input(44)  // TCSETS2...
        // TIOCGPTN, TIOCGDEV, TIOCGPKT, ...
        case 0x8004_5430, 0x8004_5432, 0x8004_5438, 0x8004_5439, 0x8004_5440: output(4)
        case 0x4004_5431: input(4)  // TIOCSPTLCK
        case 0x4004_5436: value  // TIOCSIG
        // Virtual console (ioctl_console(2))
        case 0x4b33, 0x4b3b, 0x4b44: output(4)  // KDGKBTYPE, KDGETMODE, KDGKBMODE
        case 0x4b3a, 0x4b45: value  // KDSETMODE, KDSKBMODE
        // Sockets (sockios.h)
        case 0x8901, 0x8902: input(4)  // FIOSETOWN, SIOCSPGRP
        case 0x8903, 0x8904, 0x8905: output(4)  // FIOGETOWN, SIOCGPGRP, SIOCATMARK
        case 0x8906, 0x8907: output(16)  // SIOCGSTAMP, SIOCGSTAMPNS
        case 0x8912: IoctlArgument(kind: .interfaceList, size: 16)  // SIOCGIFCONF
        // SIOCGIF*
        case 0x8910, 0x8913, 0x8915, 0x8917, 0x8919, 0x891b, 0x891d, 0x8921, 0x8927, 0x8933, 0x8942, 0x8970: both(40)
        case 0x8914, 0x8916, 0x8918, 0x891a, 0x891c, 0x8922, 0x8924, 0x8943: input(40)  // SIOCSIF*
        // Files (fs.h, fsmap.h)
        case 0x1: both(4)  // FIBMAP
        case 0x2: output(4)  // FIGETBSZ
        case 0x4004_9409: value  // FICLONE
        case 0x4020_940d: input(32)  // FICLONERANGE
        case 0x8008_6601: output(8)  // FS_IOC_GETFLAGS: the kernel writes an int
        case 0x4008_6602: input(8)  // FS_IOC_SETFLAGS
        case 0x8008_7601: output(8)  // FS_IOC_GETVERSION
        case 0x801c_581f: output(28)  // FS_IOC_FSGETXATTR
        case 0x401c_5820: input(28)  // FS_IOC_FSSETXATTR
        case 0xc004_5877, 0xc004_5878: both(4)  // FIFREEZE, FITHAW
        // Block devices (fs.h)
        case 0x125d: input(4)  // BLKROSET
        // BLKROGET, BLKGETSIZE, BLKSSZGET, BLKPBSZGET, ...
        case 0x125e, 0x1260, 0x1268, 0x127b, 0x1278, 0x1279, 0x127a: output(8)
        case 0x1261: none  // BLKFLSBUF
        case 0x8008_1272, 0x8008_1270: output(8)  // BLKGETSIZE64, BLKBSZGET
        // Random device, pid descriptors, real-time clock
        case 0x8004_5200: output(4)  // RNDGETENTCNT
        case 0x8024_7009: output(36)  // RTC_RD_TIME
        case 0x4024_700a: input(36)  // RTC_SET_TIME
        // TUN/TAP
        case 0x4004_54ca: both(40)  // TUNSETIFF
        case 0x8004_54cf: output(4)  // TUNGETFEATURES
        // Namespaces (ioctl_ns(2))
        case 0xb701, 0xb702, 0xb703: none  // NS_GET_USERNS, NS_GET_PARENT, NS_GET_NSTYPE
        default: nil
        }
    }

    /// True for a request that is encoded as having no argument at all (_IO with size 0 and direction "none").
    public static func isEncodedWithoutArgument(_ request: UInt32) -> Bool { request &>> 16 == 0 }

    private static var none: IoctlArgument { IoctlArgument(kind: .none, size: 0) }
    private static var value: IoctlArgument { IoctlArgument(kind: .value, size: 0) }
    private static func input(_ size: Int) -> IoctlArgument { IoctlArgument(kind: .input, size: size) }
    private static func output(_ size: Int) -> IoctlArgument { IoctlArgument(kind: .output, size: size) }
    private static func both(_ size: Int) -> IoctlArgument { IoctlArgument(kind: .both, size: size) }
}
