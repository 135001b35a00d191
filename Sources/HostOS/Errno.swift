// A host error number as a typed Swift error. Raw kernel entries return -errno; `Errno.check` turns that into a throw.

import CLinux
import Glibc

/// A Linux error number (errno(3)). The same numbers hold for every guest with the asm-generic ABI.
public struct Errno: Error, RawRepresentable, Equatable, Hashable, Sendable {
    public let rawValue: Int32
    @inlinable public init(rawValue: Int32) { self.rawValue = rawValue }
    @inlinable public init(_ value: Int32) { rawValue = value }

    /// MAX_ERRNO: results from -4095 to -1 are errors.
    @inlinable public static var largest: Int { 4095 }

    /// The kernel's result convention.
    @inlinable public static func isFailure(_ result: Int) -> Bool { result < 0 && result >= 0 &- largest }

    @inlinable public static func check(_ result: Int) throws(Errno) -> Int {
        if isFailure(result) { throw Errno(Int32(truncatingIfNeeded: 0 &- result)) }
        return result
    }

    /// The form in which a system call returns this error.
    @inlinable public var negated: Int { 0 &- Int(rawValue) }

    /// The C library's text, e.g. "No such file or directory".
    public var message: String { String(cString: strerror(rawValue)) }
}

extension Errno {
    public static let perm = Errno(1), noent = Errno(2), srch = Errno(3), intr = Errno(4), io = Errno(5),
        nxio = Errno(6)
    public static let tooBig = Errno(7), noexec = Errno(8), badf = Errno(9), child = Errno(10), again = Errno(11)
    public static let nomem = Errno(12), acces = Errno(13), fault = Errno(14), busy = Errno(16), exist = Errno(17)
    public static let xdev = Errno(18), nodev = Errno(19), notdir = Errno(20), isdir = Errno(21), inval = Errno(22)
    public static let nfile = Errno(23), mfile = Errno(24), notty = Errno(25), txtbsy = Errno(26), fbig = Errno(27)
    public static let nospc = Errno(28), spipe = Errno(29), rofs = Errno(30), pipe = Errno(32), range = Errno(34)
    public static let nametoolong = Errno(36), nosys = Errno(38), notempty = Errno(39), loop = Errno(40)
    public static let overflow = Errno(75), nomedium = Errno(123), libbad = Errno(80), notsock = Errno(88),
        msgsize = Errno(90),
        opnotsupp = Errno(95), timedOut = Errno(110)
    public static let afnosupport = Errno(97), timedout = Errno(110)
}

extension Errno: CustomStringConvertible {
    public var description: String { message }
}
