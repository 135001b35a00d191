// Reading and checking an ELF program before anything of it is mapped. Every malformed file is one clear error here,
// so that the loader proper works on values that are known to be consistent.
//
// Source: System V gABI, chapters 4 and 5.

import HostOS
import LinuxABI

/// A loadable segment with checked bounds.
struct ELFSegment {
    var index: Int
    var fileOffset: UInt64
    var fileSize: UInt64
    var address: UInt64
    var memorySize: UInt64
    var isReadable: Bool, isWritable: Bool, isExecutable: Bool
    var end: UInt64 { address + memorySize }
}

/// An open ELF program or interpreter whose headers are known to be sound. Closes its file when destroyed.
struct ELFFile: ~Copyable {
    let path: String
    let fd: Int32
    let status: HostFile.Status
    let inode: (device: UInt64, number: UInt64)
    let target: ELFTarget
    /// Bytes of a page as its ABI has it.
    let pageSize: UInt64
    /// ET_DYN: may be placed anywhere.
    let isPositionIndependent: Bool
    let entry: UInt64
    let headerOffset: UInt64
    let headerCount: Int
    /// In ascending, disjoint address order.
    let segments: [ELFSegment]
    let interpreter: String?
    /// PT_GNU_STACK asks for an executable stack (the default without one).
    let hasExecutableStack: Bool

    deinit { HostFile.close(fd) }

    /// Opens and checks `path`, or the file open at `descriptor`, which is closed with this one. `shown` is how the user
    /// knows the file; `abi` is that of a program, nil for what does not run.
    init(
        path: String, shown: String, needsExecutePermission: Bool, abi: (ELFTarget) -> LinuxGuestABI?, runs: String,
        descriptor: Int32? = nil
    ) throws(UserModeError) {
        func refuse(_ reason: String, _ errno: Errno = .noexec) -> UserModeError {
            UserModeError("\(shown): \(reason)", status: 126, errno: errno)
        }
        let opened: Int32
        do throws(Errno) {
            if let descriptor { opened = descriptor } else { opened = try HostFile.openProgram(path) }
        } catch {
            throw UserModeError("\(shown): \(error.message)", status: error == .noent ? 127 : 126, errno: error)
        }
        var isOpen = true
        func close(_ error: UserModeError) -> UserModeError {
            if isOpen { HostFile.close(opened) }
            isOpen = false
            return error
        }
        let information: HostFile.Status
        var start = [UInt8](repeating: 0, count: Self.firstRead)
        let got: Int
        do throws(Errno) {
            information = try HostFile.status(opened)
            if information.isDirectory { throw .isdir }
            if !information.isRegular { throw .acces }
            if needsExecutePermission && descriptor == nil && !HostFile.isExecutable(path) { throw .acces }
            got = try Self.readAt(opened, &start, offset: 0)
        } catch {
            throw close(
                error == .isdir ? refuse("is a directory, not a program", .acces) : refuse(error.message, error))
        }
        if got == 0 { throw close(refuse("is empty, not a program")) }
        guard got >= 4, start[0] == 0x7f, start[1] == 0x45, start[2] == 0x4c, start[3] == 0x46 else {
            throw close(refuse("is not an ELF program"))
        }
        // Even what is of no known class has its machine here.
        let is32 = start[4] == 1, isBig = start[5] == 2
        let format = ELFFormat(Words(size: is32 ? 4 : 8, order: isBig ? .big : .little))
        if got < format.headerSize { throw close(refuse("is cut off within its ELF header")) }
        let kind = start.withUnsafeBytes { ELFTarget($0) }
        guard let kind, let abi = abi(kind) else {
            let width = is32 ? "32-bit" : start[4] == 2 ? "64-bit" : "unknown-width"
            let order = isBig ? "big-endian" : start[5] == 1 ? "little-endian" : "unknown-endian"
            let name = Self.machineName(format.words.load(start, at: 18, as: UInt16.self))
            let what = width == "64-bit" && order == "little-endian" ? "an \(name)" : "a \(width) \(order) \(name)"
            throw close(refuse("is \(what) program; Martlet runs \(runs)"))
        }
        let header = format.header(start)
        guard header.type == 2 || header.type == 3 else {
            let what =
                header.type == 1
                ? "an object file" : header.type == 4 ? "a core dump" : "an ELF file of unknown type \(header.type)"
            throw close(refuse("is \(what), not a program"))
        }
        let tableOffset = header.tableOffset, count = header.count, entrySize = format.programHeaderSize
        guard header.programHeaderSize == entrySize else {
            throw close(
                refuse(
                    "has program headers of \(header.programHeaderSize) bytes; \(8 * format.words.size)-bit ELF has "
                        + "\(entrySize)"))
        }
        guard count > 0 else { throw close(refuse("has no program headers, so nothing to load")) }
        let tableBytes = count * entrySize
        guard tableBytes <= 65536 else { throw close(refuse("has too many program headers (\(count))")) }
        let fileSize = UInt64(max(0, information.size))
        guard tableOffset <= fileSize, UInt64(tableBytes) <= fileSize - tableOffset else {
            throw close(refuse("is cut off within its program headers"))
        }
        var table = Array(start[..<got].dropFirst(Int(tableOffset)).prefix(tableBytes))
        if table.count < tableBytes {
            table = [UInt8](repeating: 0, count: tableBytes)
            var read = 0
            do throws(Errno) { read = try Self.readAt(opened, &table, offset: Int(tableOffset)) } catch {
                throw close(refuse(error.message, error))
            }
            if read < tableBytes { throw close(refuse("is cut off within its program headers")) }
        }

        let pageSize = abi.convention.pageSize
        var loads: [ELFSegment] = []
        var interpreterPath: String?
        var executableStack = true
        for index in 0..<count {
            let row = format.programHeader(table, at: index * entrySize)
            let flags = row.flags, offset = row.offset, address = row.address
            let inFile = row.fileSize, inMemory = row.memorySize
            func inside(_ what: String) throws(UserModeError) {
                guard offset <= fileSize, inFile <= fileSize - offset else {
                    throw refuse("is cut off: \(what) reaches past the end of the file")
                }
            }
            do throws(UserModeError) {
                switch row.type {
                case 1:  // PT_LOAD
                    if inMemory == 0 { continue }
                    try inside("segment \(index)")
                    guard inFile <= inMemory else {
                        throw refuse("segment \(index) is larger in the file than in memory")
                    }
                    guard (address ^ offset) & (pageSize - 1) == 0 || inFile == 0 else {
                        throw refuse("segment \(index) is not aligned to pages of \(pageSize) bytes")
                    }
                    let (end, wraps) = address.addingReportingOverflow(inMemory)
                    if wraps { throw refuse("segment \(index) wraps around the end of the address space") }
                    guard end <= abi.addressLimit else {
                        throw refuse("segment \(index) lies outside the address space of such programs")
                    }
                    if let last = loads.last {
                        if address < last.end && end > last.address {
                            throw refuse("segments \(last.index) and \(index) overlap")
                        }
                        if address < last.address { throw refuse("segments are not in ascending order") }
                    }
                    loads.append(
                        ELFSegment(
                            index: index, fileOffset: offset, fileSize: inFile, address: address, memorySize: inMemory,
                            isReadable: flags & 4 != 0, isWritable: flags & 2 != 0, isExecutable: flags & 1 != 0))
                case 3:  // PT_INTERP
                    try inside("the interpreter's name")
                    guard inFile > 1, inFile <= HostFile.longestPath else {
                        throw refuse("has no proper interpreter name")
                    }
                    var name = [UInt8](repeating: 0, count: Int(inFile))
                    let read = (try? Self.readAt(opened, &name, offset: Int(offset))) ?? 0
                    guard read == name.count, name.last == 0, let end = name.firstIndex(of: 0), end > 0 else {
                        throw refuse("has no proper interpreter name")
                    }
                    interpreterPath = String(decoding: name[..<end], as: UTF8.self)
                case 0x6474_e551: executableStack = flags & 1 != 0  // PT_GNU_STACK
                default: break
                }
            } catch { throw close(error) }
        }
        if loads.isEmpty { throw close(refuse("has no segment to load")) }
        self.path = path
        fd = opened
        status = information
        inode = (information.device, information.inode)
        target = kind
        self.pageSize = pageSize
        isPositionIndependent = header.type == 3
        entry = header.entry
        headerOffset = tableOffset
        headerCount = count
        segments = loads
        interpreter = interpreterPath
        hasExecutableStack = executableStack
    }

    /// Guest address range of all segments, to whole pages.
    var span: (start: UInt64, end: UInt64) {
        (
            (segments.first?.address ?? 0) & ~(pageSize - 1),
            ((segments.last?.end ?? 0) + pageSize - 1) & ~(pageSize - 1)
        )
    }

    /// So much is read at once: the header, and as a rule its table.
    private static let firstRead = 4096

    private static func readAt(_ fd: Int32, _ bytes: inout [UInt8], offset: Int) throws(Errno) -> Int {
        var failure: Errno?
        let count = bytes.withUnsafeMutableBytes { buffer -> Int in
            do throws(Errno) {
                return try HostFile.read(fd, into: buffer, at: offset)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }

    /// Names of e_machine values that users meet (gABI registry).
    static func machineName(_ machine: UInt16) -> String {
        switch machine {
        case 2, 18, 43: "SPARC"
        case 3: "i386"
        case 4: "m68k"
        case 8: "MIPS"
        case 20: "PowerPC"
        case 21: "PowerPC64"
        case 22: "s390"
        case 40: "ARM"
        case 42: "SuperH"
        case 62: "x86-64"
        case 183: "AArch64"
        case 223: "Moxie"
        case 243: "RISC-V"
        case 258: "LoongArch"
        default: "unknown (machine \(machine))"
        }
    }
}
