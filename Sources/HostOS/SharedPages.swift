// Pages to be mapped at several places.

import CLinux
import Glibc

/// Zeroed pages that show the same bytes wherever they are mapped, for as long as they are mapped somewhere.
///
/// They are a file without a name or, where the process may have no such file (RLIMIT_FSIZE, no descriptor left), a shared mapping
/// that the kernel copies: mremap(2), old size 0.
struct SharedPages: ~Copyable {
    private enum Source {
        case file(Int32)
        case mapping(UInt)
    }
    private let source: Source
    private let size: Int

    /// `mayBeFile` false: as where no file is possible.
    init(size: Int, mayBeFile: Bool = true) throws(Errno) {
        self.size = size
        if mayBeFile, let fd = Self.makeFile(size) {
            source = .file(fd)
        } else {
            let first = try HostMemory.map(
                0, size, HostMemory.none, HostMemory.shared | HostMemory.anonymous | HostMemory.noReserve)
            source = .mapping(UInt(bitPattern: first))
        }
    }

    private static func makeFile(_ size: Int) -> Int32? {
        // Beyond the limit the kernel would send SIGXFSZ.
        if HostLimits.get(HostLimits.fileSize).soft < UInt64(size) { return nil }
        let fd = withPath("martlet-code") { kernel(SYS_memfd_create, $0, Int(CLX_MFD_CLOEXEC | CLX_MFD_ALLOW_SEALING)) }
        if fd < 0 { return nil }
        if kernel(SYS_ftruncate, fd, size) == 0 { return Int32(truncatingIfNeeded: fd) }
        _ = kernel(SYS_close, fd)
        return nil
    }

    deinit {
        switch source {
        case .file(let fd): HostFile.close(fd)
        case .mapping(let start): try? HostMemory.unmap(start, size)
        }
    }

    /// Maps the pages from `offset` on. `how`: `HostMemory.fixed`, `HostMemory.fixedNoReplace` or 0.
    func map(
        _ address: UInt, _ length: Int, _ protection: Int32, _ how: Int32 = 0, offset: Int = 0
    ) throws(Errno) -> UnsafeMutableRawPointer {
        switch source {
        case .file(let fd):
            return try HostMemory.map(address, length, protection, HostMemory.shared | how, fd: fd, offset: offset)
        case .mapping(let start):
            let isFixed = how & HostMemory.fixed != 0
            let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve | how
            let target =
                isFixed ? address : UInt(bitPattern: try HostMemory.map(address, length, HostMemory.none, flags))
            let mayMove = 1, fixed = 2
            do throws(Errno) {
                // The copy has the rights of what is copied, and takes the place of what is there in one step: other threads may run in it.
                try HostMemory.protect(start, size, protection)
                _ = try Errno.check(
                    kernel(
                        SYS_mremap, Int(bitPattern: start) + offset, 0, length, mayMove | fixed,
                        Int(bitPattern: target)))
                try HostMemory.protect(start, size, HostMemory.none)
            } catch {
                if !isFixed { try? HostMemory.unmap(target, length) }
                throw error
            }
            guard let pointer = UnsafeMutableRawPointer(bitPattern: target) else { throw .nomem }
            return pointer
        }
    }

    /// From now on the pages cannot be written through the file, and mappings of it cannot be made writable (memfd_create(2),
    /// F_SEAL_FUTURE_WRITE); a writable mapping that exists stays. Without a file, and with kernels before 5.1, nothing is sealed.
    func seal() {
        guard case .file(let fd) = source else { return }
        let addSeals = 1033, shrink = 2, futureWrite = 16
        _ = kernel(SYS_fcntl, Int(fd), addSeals, shrink | futureWrite)
    }

    /// Puts bytes at the start of the pages.
    func fill(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        switch source {
        case .file(let fd): try HostFile.write(fd, bytes, at: 0)
        case .mapping(let start):
            try HostMemory.protect(start, size, HostMemory.read | HostMemory.write)
            UnsafeMutableRawPointer(bitPattern: start)?.copyMemory(from: base, byteCount: bytes.count)
        }
    }
}
