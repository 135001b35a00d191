// ioctl(2) requests by what they do with their third argument. Newer numbers say it themselves (asm-generic/ioctl.h):
// direction and size. Historical ones say nothing, and a few say something that is not so: these are listed, by family
// and header of include/uapi. All structures here are the same on asm-generic guests and x86-64, pointers inside them
// included, except those that have a kind of their own.

/// What an ioctl request does with its third argument.
public struct IoctlArgument: Sendable, Equatable {
    public enum Kind: Sendable {
        case none, value
        /// A structure of `size` bytes that the kernel reads, writes, or both.
        case input, output, both
        /// struct ifconf; struct ifreq whose data is a pointer; struct loop_info.
        case interfaceList, interfaceData, loopInformation
    }
    public var kind: Kind
    public var size: Int
}

public enum Ioctl {
    /// The argument of a known request; nil when neither the table nor the number says.
    public static func argument(_ request: UInt32) -> IoctlArgument? {
        switch request {
        // Terminals (asm-generic/ioctls.h, ioctl_tty(2))
        case 0x5401: output(36)  // TCGETS
        case 0x5402, 0x5403, 0x5404: input(36)  // TCSETS, TCSETSW, TCSETSF
        case 0x5405: output(18)  // TCGETA
        case 0x5406, 0x5407, 0x5408: input(18)  // TCSETA, TCSETAW, TCSETAF
        case 0x5409, 0x540a, 0x540b, 0x5425, 0x545c: value  // TCSBRK, TCXONC, TCFLSH, TCSBRKP, TIOCMIWAIT
        // TIOCEXCL, TIOCNXCL, TIOCNOTTY, breaks, TIOCCONS, TIOCVHANGUP
        case 0x540c, 0x540d, 0x5422, 0x5427, 0x5428, 0x541d, 0x5437: none
        case 0x540e, 0x5441: value  // TIOCSCTTY, TIOCGPTPEER
        // TIOCGPGRP, TIOCGSID, TIOCOUTQ, FIONREAD, TIOCMGET, TIOCGSOFTCAR, TIOCGETD, TIOCSERGETLSR
        case 0x540f, 0x5429, 0x5411, 0x541b, 0x5415, 0x5419, 0x5424, 0x5459: output(4)
        // TIOCSPGRP, TIOCM*, TIOCSSOFTCAR, TIOCSETD, TIOCPKT, FIONBIO, FIOASYNC
        case 0x5410, 0x5416, 0x5417, 0x5418, 0x541a, 0x5423, 0x5420, 0x5421, 0x5452: input(4)
        case 0x5412: input(1)  // TIOCSTI
        case 0x5413: output(8)  // TIOCGWINSZ
        case 0x5414: input(8)  // TIOCSWINSZ
        case 0x541c: both(16)  // TIOCLINUX
        case 0x541e: output(72)  // TIOCGSERIAL
        case 0x541f: input(72)  // TIOCSSERIAL
        case 0x542e: output(32)  // TIOCGRS485
        case 0x542f: both(32)  // TIOCSRS485
        case 0x5450, 0x5451: none  // FIONCLEX, FIOCLEX
        case 0x5456: output(36)  // TIOCGLCKTRMIOS
        case 0x5457: input(36)  // TIOCSLCKTRMIOS
        case 0x545d: output(80)  // TIOCGICOUNT
        case 0x5460: output(8)  // FIOQSIZE
        case 0x4004_5436: value  // TIOCSIG
        // Consoles: keyboard and font (kd.h, ioctl_console(2))
        case 0x4b2f, 0x4b30, 0x4b32, 0x4b34, 0x4b35, 0x4b3a, 0x4b45, 0x4b4e, 0x4b63, 0x4b65: value
        case 0x4b36, 0x4b37, 0x4b3c, 0x4b3d, 0x4b6d: none
        case 0x4b31, 0x4b33: output(1)  // KDGETLED, KDGKBTYPE
        case 0x4b3b, 0x4b44, 0x4b62, 0x4b64: output(4)  // KDGETMODE, KDGKBMODE, KDGKBMETA, KDGKBLED
        case 0x4b40: output(256)  // GIO_SCRNMAP
        case 0x4b41: input(256)  // PIO_SCRNMAP
        case 0x4b46: both(4)  // KDGKBENT
        case 0x4b47: input(4)  // KDSKBENT
        case 0x4b48: both(513)  // KDGKBSENT
        case 0x4b49: input(513)  // KDSKBSENT
        case 0x4b4a: output(772)  // KDGKBDIACR
        case 0x4b4b: input(772)  // KDSKBDIACR
        case 0x4bfa: output(3076)  // KDGKBDIACRUC
        case 0x4bfb: input(3076)  // KDSKBDIACRUC
        case 0x4b4c: both(8)  // KDGETKEYCODE
        case 0x4b4d: input(8)  // KDSETKEYCODE
        case 0x4b52: both(8)  // KDKBDREP
        case 0x4b60: output(8192)  // GIO_FONT
        case 0x4b61: input(8192)  // PIO_FONT
        case 0x4b6b: both(16)  // GIO_FONTX
        case 0x4b6c: input(16)  // PIO_FONTX
        case 0x4b66: both(16)  // GIO_UNIMAP
        case 0x4b67, 0x4b68: input(16)  // PIO_UNIMAP, PIO_UNIMAPCLR
        case 0x4b69: output(512)  // GIO_UNISCRNMAP
        case 0x4b6a: input(512)  // PIO_UNISCRNMAP
        case 0x4b70: output(48)  // GIO_CMAP
        case 0x4b71: input(48)  // PIO_CMAP
        case 0x4b72: both(32)  // KDFONTOP
        // Consoles: switching (vt.h)
        case 0x5600: output(4)  // VT_OPENQRY
        case 0x5601: output(8)  // VT_GETMODE
        case 0x5602: input(8)  // VT_SETMODE
        case 0x5603: output(6)  // VT_GETSTATE
        case 0x5604, 0x560b, 0x560c: none  // VT_SENDSIG, VT_LOCKSWITCH, VT_UNLOCKSWITCH
        case 0x5605...0x5608: value  // VT_RELDISP, VT_ACTIVATE, VT_WAITACTIVE, VT_DISALLOCATE
        case 0x5609: input(6)  // VT_RESIZE
        case 0x560a: input(12)  // VT_RESIZEX
        case 0x560d: output(2)  // VT_GETHIFONTMASK
        case 0x560e: both(28)  // VT_WAITEVENT
        case 0x560f: input(12)  // VT_SETACTIVATE
        // Frame buffers (fb.h)
        case 0x4600: output(160)  // FBIOGET_VSCREENINFO
        case 0x4601, 0x4606: both(160)  // FBIOPUT_VSCREENINFO, FBIOPAN_DISPLAY
        case 0x4602: output(80)  // FBIOGET_FSCREENINFO
        case 0x4604: both(40)  // FBIOGETCMAP
        case 0x4605: input(40)  // FBIOPUTCMAP
        case 0x460f: both(8)  // FBIOGET_CON2FBMAP
        case 0x4610: input(8)  // FBIOPUT_CON2FBMAP
        case 0x4611: value  // FBIOBLANK
        // Sockets (asm-generic/sockios.h, sockios.h, wireless.h)
        case 0x8901, 0x8902: input(4)  // FIOSETOWN, SIOCSPGRP
        case 0x8903, 0x8904, 0x8905, 0x894b: output(4)  // FIOGETOWN, SIOCGPGRP, SIOCATMARK, SIOCOUTQNSD
        case 0x8906, 0x8907: output(16)  // SIOCGSTAMP, SIOCGSTAMPNS
        case 0x890b, 0x890c: input(120)  // SIOCADDRT, SIOCDELRT
        case 0x894c, 0x89e0: none  // SIOCGSKNS, SIOCUNIXFILE
        case 0x8912: IoctlArgument(kind: .interfaceList, size: 16)  // SIOCGIFCONF
        case 0x8953, 0x8955, 0x8960, 0x8962: input(68)  // SIOCDARP, SIOCSARP, SIOCDRARP, SIOCSRARP
        case 0x8954, 0x8961: both(68)  // SIOCGARP, SIOCGRARP
        case 0x8980, 0x8981: none  // SIOCADDDLCI, SIOCDELDLCI
        case 0x8982, 0x8983: both(56)  // SIOCGIFVLAN, SIOCSIFVLAN
        case 0x89a0, 0x89a1: input(16)  // SIOCBRADDBR, SIOCBRDELBR
        // SIOCGIFBR, SIOCSIFBR: three words, and more behind them for some
        case 0x8940, 0x8941: both(24)
        // SIOCETHTOOL, SIOCWANDEV, SIOCSHWTSTAMP, SIOCGHWTSTAMP, SIOCDEVPRIVATE and up
        case 0x8946, 0x894a, 0x89b0, 0x89b1, 0x89f0...0x89ff: IoctlArgument(kind: .interfaceData, size: 40)
        case 0x8910...0x894a, 0x8970...0x8971, 0x8990...0x8995, 0x89a2...0x89a3: both(40)  // struct ifreq
        case 0x89e1...0x89ef: both(64)  // SIOCPROTOPRIVATE: what the protocol says
        case 0x8b00...0x8bff: both(32)  // struct iwreq
        // Files (fs.h)
        case 0x1: both(4)  // FIBMAP
        case 0x2: output(4)  // FIGETBSZ
        case 0x4004_9409: value  // FICLONE
        // Block devices (fs.h, blkpg.h, hdreg.h)
        case 0x125d: input(4)  // BLKROSET
        case 0x1262, 0x1264: value  // BLKRASET, BLKFRASET
        case 0x1260, 0x1263, 0x1265: output(8)  // BLKGETSIZE, BLKRAGET, BLKFRAGET
        case 0x1267, 0x127e: output(2)  // BLKSECTGET, BLKROTATIONAL
        // BLKROGET, BLKSSZGET, BLKIOMIN, BLKIOOPT, BLKALIGNOFF, BLKPBSZGET, BLKDISCARDZEROES
        case 0x125e, 0x1268, 0x1278, 0x1279, 0x127a, 0x127b, 0x127c: output(4)
        case 0x125f, 0x1261, 0x1274, 0x1275, 0x1276: none  // BLKRRPART, BLKFLSBUF, BLKTRACE*
        case 0x1269: input(24)  // BLKPG
        case 0x1277, 0x127d, 0x127f: input(16)  // BLKDISCARD, BLKSECDISCARD, BLKZEROOUT
        case 0x0301: output(16)  // HDIO_GETGEO
        case 0x0302...0x030c: output(8)  // HDIO_GET_*
        case 0x030d: output(512)  // HDIO_GET_IDENTITY
        case 0x0321...0x032f: value  // HDIO_SET_*
        // Loop devices (loop.h)
        case 0x4c00, 0x4c06, 0x4c08, 0x4c09: value  // LOOP_SET_FD, CHANGE_FD, SET_DIRECT_IO, SET_BLOCK_SIZE
        case 0x4c01, 0x4c07, 0x4c82: none  // LOOP_CLR_FD, LOOP_SET_CAPACITY, LOOP_CTL_GET_FREE
        case 0x4c02, 0x4c03: IoctlArgument(kind: .loopInformation, size: 160)  // LOOP_SET_STATUS, LOOP_GET_STATUS
        case 0x4c04: input(232)  // LOOP_SET_STATUS64
        case 0x4c05: output(232)  // LOOP_GET_STATUS64
        case 0x4c0a: input(304)  // LOOP_CONFIGURE
        case 0x4c80, 0x4c81: value  // LOOP_CTL_ADD, LOOP_CTL_REMOVE
        // Network block devices (nbd.h)
        case 0xab00...0xab02, 0xab07, 0xab09, 0xab0a: value
        case 0xab03...0xab06, 0xab08: none
        // CD-ROM (cdrom.h)
        case 0x5301, 0x5302, 0x5307...0x5309, 0x5312, 0x5319, 0x5327, 0x5328, 0x5331: none
        case 0x530f, 0x5320...0x5323, 0x5325, 0x5326, 0x5329, 0x5330: value
        case 0x5303, 0x5316: input(6)  // CDROMPLAYMSF, CDROMSEEK
        case 0x5304, 0x530a: input(4)  // CDROMPLAYTRKIND, CDROMVOLCTRL
        case 0x5305: output(2)  // CDROMREADTOCHDR
        case 0x5306: both(12)  // CDROMREADTOCENTRY
        case 0x530b: both(16)  // CDROMSUBCHNL
        case 0x530c, 0x530d, 0x5314, 0x5315: both(2646)  // CDROMREADMODE2, MODE1, RAW, COOKED
        case 0x530e: both(24)  // CDROMREADAUDIO
        case 0x5310: both(8)  // CDROMMULTISESSION
        case 0x5311: output(14)  // CDROM_GET_MCN
        case 0x5313: output(4)  // CDROMVOLREAD
        case 0x5390: both(2056)  // DVD_READ_STRUCT
        case 0x5392: both(16)  // DVD_AUTH
        case 0x5393: both(64)  // CDROM_SEND_PACKET
        case 0x5394, 0x5395: output(8)  // CDROM_NEXT_WRITABLE, CDROM_LAST_WRITTEN
        // SCSI (scsi/sg.h, scsi/scsi_ioctl.h)
        case 0x2201, 0x2275: input(4)  // SG_SET_TIMEOUT, SG_SET_RESERVED_SIZE
        case 0x2202: none  // SG_GET_TIMEOUT
        case 0x2203, 0x2272, 0x2282, 0x5386: output(4)  // SG_EMULATED_HOST, ..., SCSI_IOCTL_GET_BUS_NUMBER
        case 0x2276: output(32)  // SG_GET_SCSI_ID
        case 0x2285: both(88)  // SG_IO
        case 0x5382: output(8)  // SCSI_IOCTL_GET_IDLUN
        case 0x5387: output(20)  // SCSI_IOCTL_GET_PCI
        // I2C (i2c-dev.h)
        case 0x0701...0x0704, 0x0706, 0x0708: value
        case 0x0705: output(8)  // I2C_FUNCS
        case 0x0707, 0x0720: both(16)  // I2C_RDWR, I2C_SMBUS
        // TUN and TAP (if_tun.h): an interface where the number says an int, and values
        case 0x4004_54ca: both(40)  // TUNSETIFF
        case 0x4004_54d9: input(40)  // TUNSETQUEUE
        case 0x4004_54c8, 0x4004_54c9, 0x4004_54cb, 0x4004_54cc, 0x4004_54cd, 0x4004_54ce, 0x4004_54d0: value
        // User-level input (uinput.h): events and keys by value
        case 0x4004_5564...0x4004_556b, 0x4004_556d, 0x4004_556e: value
        // Namespaces (ioctl_ns(2)): NS_GET_USERNS, NS_GET_PARENT, NS_GET_NSTYPE; the owner's id goes to a pointer
        case 0xb701, 0xb702, 0xb703: none
        case 0xb704: output(4)  // NS_GET_OWNER_UID
        // Process descriptors (pidfd.h): PIDFD_GET_*_NAMESPACE
        case 0xff01...0xff0a: none
        default: said(by: request)
        }
    }

    /// A request of an ABI with longs of 32 bits, as one with 64 bits numbers it: the size of a long is part of some numbers
    /// (linux/fs.h).
    public static func hostRequest(_ request: UInt32) -> UInt32 {
        switch request {
        // FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_GETVERSION, FS_IOC_SETVERSION, BLKBSZGET, BLKBSZSET, BLKGETSIZE64
        case 0x8004_6601, 0x4004_6602, 0x8004_7601, 0x4004_7602, 0x8004_1270, 0x4004_1271, 0x8004_1272:
            request ^ (4 ^ 8) << 16
        default: request
        }
    }

    /// What the number says: direction in bits 30 and 31, size in bits 16 to 29.
    private static func said(by request: UInt32) -> IoctlArgument? {
        let size = Int(request &>> 16 & 0x3fff)
        return request &>> 30 == 0 || size == 0 ? nil : both(size)
    }

    /// True for a request that is encoded as having no argument at all (_IO with size 0 and direction "none").
    public static func isEncodedWithoutArgument(_ request: UInt32) -> Bool { request &>> 16 == 0 }

    private static var none: IoctlArgument { IoctlArgument(kind: .none, size: 0) }
    private static var value: IoctlArgument { IoctlArgument(kind: .value, size: 0) }
    private static func input(_ size: Int) -> IoctlArgument { IoctlArgument(kind: .input, size: size) }
    private static func output(_ size: Int) -> IoctlArgument { IoctlArgument(kind: .output, size: size) }
    private static func both(_ size: Int) -> IoctlArgument { IoctlArgument(kind: .both, size: size) }
}
