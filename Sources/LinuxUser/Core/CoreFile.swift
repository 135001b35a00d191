// An ELF core file: header, program headers (PT_NOTE, then PT_LOAD of each area), notes, and the areas' pages from the next page on.
// Pages that are not there, or zero, are holes.
//
// Source: System V gABI, chapters 4 and 5; core(5); Linux fs/binfmt_elf.c, elf_core_dump.

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

struct CoreFile {
    static let pageSize = HostProcess.pageSize
    /// Program headers that e_phnum can count, less the notes': more than the kernel lets a process have mappings.
    private static let maxSegments = 0xfffe - 1

    let machine: ELFTarget
    let notes: [UInt8]
    /// Areas and how many bytes of each are written.
    let segments: ArraySlice<(area: CoreArea, size: UInt64)>

    init(machine: ELFTarget, notes: [UInt8], segments: [(area: CoreArea, size: UInt64)]) {
        self.machine = machine
        self.notes = notes
        self.segments = segments.prefix(Self.maxSegments)
    }

    private var format: ELFFormat { ELFFormat(machine.words) }
    private var headerBytes: Int { format.headerSize + format.programHeaderSize * (segments.count + 1) }

    private var dataStart: UInt64 { (UInt64(headerBytes + notes.count) + Self.pageSize - 1) & ~(Self.pageSize - 1) }

    /// All before the areas' pages.
    var head: [UInt8] {
        let format = format
        var bytes = format.bytes(type: 4, machine: machine, count: segments.count + 1)  // ET_CORE
        func append(
            _ type: UInt32, _ flags: UInt32, offset: UInt64, address: UInt64, _ sizes: (UInt64, UInt64),
            _ alignment: UInt64
        ) {
            bytes += format.bytes(
                ELFFormat.ProgramHeader(
                    type: type, flags: flags, offset: offset, address: address, fileSize: sizes.0,
                    memorySize: sizes.1, alignment: alignment))
        }
        append(4, 0, offset: UInt64(headerBytes), address: 0, (UInt64(notes.count), 0), 4)  // PT_NOTE
        var at = dataStart
        for (area, size) in segments {
            let flags = (area.rights.contains(.read) ? 4 : 0) | (area.rights.contains(.write) ? 2 : 0)
            append(
                1, UInt32(flags | (area.rights.contains(.execute) ? 1 : 0)), offset: at, address: area.start,
                (size, area.end - area.start), Self.pageSize)  // PT_LOAD, PF_R ...
            at += size
        }
        return bytes + notes
    }

    /// Writes at most `limit` bytes, not counting holes; what is beyond is missing, as when the kernel writes.
    func write(to fd: Int32, limit: UInt64) {
        var output = LimitedFile(fd: fd, left: limit)
        let isWritten = head.withUnsafeBytes { output.write($0, at: 0) }
        guard isWritten else { return }
        let memory = CoreMemory()
        defer { memory.close() }
        var at = dataStart
        for (area, size) in segments {
            guard memory.copy(area, size, { output.write($0, at: at + $1) }) else { return }
            at += size
        }
        _ = kernel(SYS_ftruncate, Int(fd), Int(truncatingIfNeeded: at))
    }
}

/// A file that takes only so many bytes.
private struct LimitedFile {
    let fd: Int32
    var left: UInt64

    /// False when the file does not take all: then it has those whole pages that it takes.
    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        let isWhole = UInt64(bytes.count) <= left
        let count = isWhole ? bytes.count : Int(left & ~(CoreFile.pageSize - 1))
        do throws(Errno) {
            try HostFile.write(
                fd, UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: Int(truncatingIfNeeded: offset))
        } catch { return false }
        left -= UInt64(count)
        return isWhole
    }
}

/// The process's own memory, read page by page, whatever its protection.
private struct CoreMemory {
    private static let chunkPages = 64
    private let memory = (try? HostFile.openForReading("/proc/self/mem")) ?? -1
    private let pageMap = (try? HostFile.openForReading("/proc/self/pagemap")) ?? -1
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: CoreMemory.chunkPages * Int(CoreFile.pageSize), alignment: Int(CoreFile.pageSize))
    private let entries = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: 1 << 16)

    func close() {
        for fd in [memory, pageMap] where fd >= 0 { HostFile.close(fd) }
        buffer.deallocate()
        entries.deallocate()
    }

    /// Hands each page of the area's first `size` bytes that holds something to `write`, with its offset in the area, several at a
    /// time. False when `write` refused.
    func copy(_ area: CoreArea, _ size: UInt64, _ write: (UnsafeRawBufferPointer, UInt64) -> Bool) -> Bool {
        var at: UInt64 = 0
        while at < size {
            let count = min(entries.count, Int((size - at) / CoreFile.pageSize))
            let present = area.isAnonymous ? readPageMap(area.start + at, count) : nil
            var page = 0
            while page < count {
                if let present, present[page] >> 62 == 0 {  // neither in memory (bit 63) nor swapped out (bit 62)
                    page += 1
                    continue
                }
                var run = 1
                while run < Self.chunkPages, page + run < count, present.map({ $0[page + run] >> 62 != 0 }) ?? true {
                    run += 1
                }
                let offset = at + UInt64(page) * CoreFile.pageSize
                guard copyPages(area.start + offset, run, { write($0, offset + $1) }) else { return false }
                page += run
            }
            at += UInt64(count) * CoreFile.pageSize
        }
        return true
    }

    /// proc(5), /proc/PID/pagemap: a word a page.
    private func readPageMap(_ address: UInt64, _ count: Int) -> UnsafeMutableBufferPointer<UInt64>? {
        let bytes = UnsafeMutableRawBufferPointer(start: entries.baseAddress, count: 8 * count)
        let offset = Int(truncatingIfNeeded: (address &+ UserAddressSpace.guestBase) / CoreFile.pageSize * 8)
        guard pageMap >= 0, (try? HostFile.read(pageMap, into: bytes, at: offset)) == bytes.count else { return nil }
        return entries
    }

    private func copyPages(_ address: UInt64, _ count: Int, _ write: (UnsafeRawBufferPointer, UInt64) -> Bool) -> Bool {
        let pageSize = Int(CoreFile.pageSize)
        if !read(address, UnsafeMutableRawBufferPointer(rebasing: buffer[..<(count * pageSize)])) {
            // Perhaps only some of them cannot be read: those past the end of a file.
            for page in 0..<count {
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[(page * pageSize)..<((page + 1) * pageSize)])
                if !read(address + UInt64(page * pageSize), part) {
                    part.initializeMemory(as: UInt8.self, repeating: 0)
                }
            }
        }
        var start = 0
        while start < count {
            var end = start
            while end < count, !isZero(end) { end += 1 }
            if end > start {
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[(start * pageSize)..<(end * pageSize)])
                if !write(bytes, UInt64(start * pageSize)) { return false }
            }
            start = end + 1
        }
        return true
    }

    private func read(_ address: UInt64, _ bytes: UnsafeMutableRawBufferPointer) -> Bool {
        let host = UInt(truncatingIfNeeded: address &+ UserAddressSpace.guestBase)
        if memory >= 0 { return (try? HostFile.read(memory, into: bytes, at: Int(bitPattern: host))) == bytes.count }
        return GuestCopy.copy(to: UInt(bitPattern: bytes.baseAddress), from: host, count: bytes.count) == 0
    }

    private func isZero(_ page: Int) -> Bool {
        let words = Int(CoreFile.pageSize) / 8
        return (0..<words).allSatisfy {
            buffer.load(fromByteOffset: (page * words + $0) * 8, as: UInt64.self) == 0
        }
    }
}
