// PROCMAP_QUERY: a request to /proc/PID/maps for one mapping (include/uapi/linux/fs.h, Linux 6.11).

import CLinux
import HostOS
import LinuxMemory

enum ProcMapQuery {
    /// The low half of the request's number; the high half has the size of the caller's structure.
    static let number: UInt32 = 0x6611

    // struct procmap_query: size 0, query_flags 8, query_addr 16, vma_start 24, vma_end 32, vma_flags 40, vma_page_size 48,
    // vma_offset 56, inode 64, dev_major 72, dev_minor 76, vma_name_size 80, build_id_size 84, vma_name_addr 88,
    // build_id_addr 96; 104 bytes.
    private static let size = 104
    // Of mappings: readable, writable, executable, shared. Of queries, besides these: the next when none is there; only of
    // files.
    private static let coveringOrNext: UInt64 = 16, fileBacked: UInt64 = 32

    static func answer(_ thread: GuestThread, _ address: UInt64) throws(Errno) -> Int {
        let given = try thread.load(address, as: UInt64.self)
        if given > thread.memory.pageSize { throw .tooBig }
        if given < 24 { throw .inval }
        let known = min(Int(given), size)
        let more = try thread.memory.readBytes(address &+ UInt64(known), count: Int(given) - known)
        if more.contains(where: { $0 != 0 }) { throw .tooBig }
        return try withScratch(size) { (query) throws(Errno) in
            let structure = UnsafeMutableRawBufferPointer(rebasing: query[..<known])
            try thread.memory.readBytes(address, into: structure)
            let flags = query.load(fromByteOffset: 8, as: UInt64.self)
            let wanted = query.load(fromByteOffset: 16, as: UInt64.self)
            let nameSize = query.load(fromByteOffset: 80, as: UInt32.self)
            let idSize = query.load(fromByteOffset: 84, as: UInt32.self)
            let nameAddress = query.load(fromByteOffset: 88, as: UInt64.self)
            let idAddress = query.load(fromByteOffset: 96, as: UInt64.self)
            guard flags < 64, (nameSize == 0) == (nameAddress == 0), (idSize == 0) == (idAddress == 0) else {
                throw .inval
            }
            let maps = ProcMaps(thread.process, details: false)
            guard let line = find(maps, wanted, flags) else { throw .noent }
            query.storeBytes(of: line.mapping.start, toByteOffset: 24, as: UInt64.self)
            query.storeBytes(of: line.mapping.end, toByteOffset: 32, as: UInt64.self)
            query.storeBytes(of: rights(line), toByteOffset: 40, as: UInt64.self)
            query.storeBytes(of: thread.memory.pageSize, toByteOffset: 48, as: UInt64.self)
            query.storeBytes(of: line.offset, toByteOffset: 56, as: UInt64.self)
            storeObject(line.object, query)
            let id = idSize == 0 ? [] : try buildID(line.mapping.start, room: idSize)
            query.storeBytes(of: UInt32(id.count), toByteOffset: 84, as: UInt32.self)
            if nameSize != 0 {
                let name = line.name.isEmpty ? [] : Array(line.name + [0])
                if name.count > min(Int(nameSize), HostFile.longestPath) { throw .nametoolong }
                query.storeBytes(of: UInt32(name.count), toByteOffset: 80, as: UInt32.self)
                try thread.memory.writeBytes(nameAddress, name)
            }
            try thread.memory.writeBytes(idAddress, id)
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(structure))
            return 0
        }
    }

    private static func find(_ maps: ProcMaps, _ address: UInt64, _ flags: UInt64) -> ProcMaps.Line? {
        for line in maps.lines(from: address) {
            if flags & coveringOrNext == 0 && line.mapping.start > address { return nil }
            let needed = flags & 15
            let isMatch = rights(line) & needed == needed && (flags & fileBacked == 0 || !line.object.isEmpty)
            if isMatch { return line }
            if flags & coveringOrNext == 0 { return nil }
        }
        return nil
    }

    private static func rights(_ line: ProcMaps.Line) -> UInt64 {
        UInt64(line.mapping.rights.rawValue) | (line.mapping.isShared ? 8 : 0)
    }

    /// "major:minor inode", the first two in hexadecimal.
    private static func storeObject(_ object: ArraySlice<UInt8>, _ query: UnsafeMutableRawBufferPointer) {
        let parts = String(decoding: object, as: UTF8.self).split { $0 == ":" || $0 == " " }
        guard parts.count == 3 else { return }
        query.storeBytes(of: UInt64(parts[2]) ?? 0, toByteOffset: 64, as: UInt64.self)
        query.storeBytes(of: UInt32(parts[0], radix: 16) ?? 0, toByteOffset: 72, as: UInt32.self)
        query.storeBytes(of: UInt32(parts[1], radix: 16) ?? 0, toByteOffset: 76, as: UInt32.self)
    }

    /// What the host finds in the file that is mapped there.
    private static func buildID(_ address: UInt64, room: UInt32) throws(Errno) -> [UInt8] {
        let maps = try HostFile.openForReading("/proc/self/maps")
        defer { HostFile.close(maps) }
        return try withScratch(size + 64) { (query) throws(Errno) in
            query.storeBytes(of: UInt64(size), as: UInt64.self)
            query.storeBytes(of: address, toByteOffset: 16, as: UInt64.self)
            query.storeBytes(of: min(room, 64), toByteOffset: 84, as: UInt32.self)
            query.storeBytes(of: query.word &+ size, toByteOffset: 96, as: Int.self)
            _ = try Errno.check(kernel(SYS_ioctl, Int(maps), 0xc000_0000 | size &<< 16 | Int(number), query.word))
            let count = query.load(fromByteOffset: 84, as: UInt32.self)
            return Array(query[size..<(size + Int(min(count, 64)))])
        }
    }
}
