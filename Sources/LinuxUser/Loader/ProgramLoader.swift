// Maps a checked ELF program and its interpreter into the guest's address space, as the kernel's execve does.

import HostOS
import LinuxABI
import LinuxMemory

/// What is known of a program once it is mapped.
public struct LoadedProgram: Sendable {
    /// Where the guest starts: the interpreter's entry, or the program's.
    public var start: UInt64 = 0
    /// AT_ENTRY, AT_PHDR, AT_PHNUM, AT_BASE.
    public var entry: UInt64 = 0
    public var headers: UInt64 = 0
    public var headerCount: Int = 0
    public var interpreterBase: UInt64 = 0
    /// End of the program's data: the heap starts at the next page.
    public var dataEnd: UInt64 = 0
    /// From the first byte of executable segments to the last one that the file holds, and of the last segment.
    public var code: Range<UInt64> = 0..<0, data: Range<UInt64> = 0..<0
    public var interpreterPath: String?

    public init() {}
}

struct ProgramLoader {
    let memory: UserAddressSpace

    /// Opens and checks the program at a host path. `descriptor`: it is open, and is closed with the result.
    static func open(
        _ path: String, shown: String, abi: @escaping (ELFTarget) -> LinuxGuestABI?, runs: String,
        descriptor: Int32? = nil
    ) throws(UserModeError) -> ELFFile {
        try ELFFile(
            path: path, shown: shown, needsExecutePermission: true, abi: abi, runs: runs, descriptor: descriptor)
    }

    /// The interpreter of `program`, opened and checked.
    static func openInterpreter(
        of program: borrowing ELFFile, shown: String, prefix: String?, abi: @escaping (ELFTarget) -> LinuxGuestABI?,
        runs: String
    ) throws(UserModeError) -> ELFFile? {
        guard let name = program.interpreter else { return nil }
        let path: String
        do throws(Errno) { path = try GuestPaths.hostPath(name, prefix: prefix) } catch {
            throw UserModeError("\(shown): interpreter \(name): \(error.message)", errno: error)
        }
        if !HostFile.exists(path) {
            // Without a free descriptor nothing is found under -L.
            do throws(Errno) { HostFile.close(try HostFile.openForReading("/")) } catch
                where error == .mfile || error == .nfile
            {
                throw UserModeError("\(shown): interpreter \(name): \(error.message)", errno: error)
            } catch {}
            let hint =
                prefix == nil
                ? "; -L DIR names the folder that holds the guest's libraries" : " (looked up under -L too)"
            throw UserModeError(
                "\(shown): needs the interpreter \(name), which does not exist\(hint)", status: 127, errno: .noent)
        }
        let file: ELFFile
        do throws(UserModeError) {
            file = try ELFFile(
                path: path, shown: "\(shown): interpreter \(name)", needsExecutePermission: false, abi: abi,
                runs: runs)
        } catch {
            throw UserModeError(
                error.description, status: error.status, errno: error.errno == .noexec ? .libbad : error.errno)
        }
        if file.inode == program.inode {
            throw UserModeError("\(shown): names itself as its interpreter", status: 126, errno: .libbad)
        }
        let target = file.target, wanted = program.target
        if target.machine != wanted.machine || target.words != wanted.words {
            throw UserModeError("\(shown): interpreter \(name) is for another machine", status: 126, errno: .libbad)
        }
        return file
    }

    /// Maps `program` and its interpreter.
    func load(_ program: borrowing ELFFile, interpreter: consuming ELFFile?, shown: String) throws(UserModeError)
        -> LoadedProgram
    {
        var image = LoadedProgram()
        let base = try map(program, shown: shown, preferred: memory.pageFloor(memory.limit / 3 * 2))
        image.entry = program.entry &+ base
        image.start = image.entry
        image.headers = headerAddress(program) &+ base
        image.headerCount = program.headerCount
        image.dataEnd = program.span.end &+ base
        setRanges(program, base, &image)
        image.interpreterPath = program.interpreter
        if let interpreter {
            let span = interpreter.span, length = span.end - span.start
            let at = try map(
                interpreter, shown: "\(shown): interpreter",
                preferred: memory.usualPlace(ofFile: interpreter.fd, length: length))
            image.interpreterBase = at
            image.start = interpreter.entry &+ at
        }
        return image
    }

    /// As the kernel shows them (proc(5), stat: startcode, endcode, start_data, end_data).
    private func setRanges(_ file: borrowing ELFFile, _ base: UInt64, _ image: inout LoadedProgram) {
        func range(_ first: ELFSegment?, _ last: ELFSegment?) -> Range<UInt64> {
            guard let first, let last else { return base..<base }
            return (first.address &+ base)..<(last.address &+ last.fileSize &+ base)
        }
        let executable = file.segments.filter(\.isExecutable)
        let code = executable.isEmpty ? file.segments : executable
        image.code = range(code.first, code.last)
        image.data = range(file.segments.last, file.segments.last)
    }

    /// AT_PHDR: where the program headers are mapped; zero when no segment holds them.
    private func headerAddress(_ file: borrowing ELFFile) -> UInt64 {
        for segment in file.segments
        where segment.fileOffset <= file.headerOffset && file.headerOffset < segment.fileOffset + segment.fileSize {
            return segment.address + (file.headerOffset - segment.fileOffset)
        }
        return 0
    }

    /// Maps all segments; returns what was added to their addresses.
    private func map(_ file: borrowing ELFFile, shown: String, preferred: UInt64?) throws(UserModeError) -> UInt64 {
        let span = file.span
        var bias: UInt64 = 0
        do throws(Errno) {
            if file.isPositionIndependent {
                let length = span.end - span.start
                if let preferred, memory.isFree(preferred, length: length) {
                    bias = preferred &- span.start
                } else {
                    // Find room for the whole, then map piece by piece.
                    let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve
                    let place = try memory.map(0, length: length, rights: [], flags: flags)
                    try memory.unmap(place, length: length)
                    bias = place &- span.start
                }
            }
            var mappedEnd: UInt64 = 0
            for segment in file.segments {
                try map(segment, file.fd, bias, &mappedEnd)
            }
        } catch {
            if error == .nomem { try memory.limits.checkRoom(span.end - span.start) }
            let reason =
                error == .exist || error == .nomem || error == .perm
                ? "its addresses 0x\(String(span.start, radix: 16))...0x\(String(span.end, radix: 16)) "
                    + "are not available on this host"
                : error.message
            throw UserModeError("\(shown): cannot be mapped: \(reason)", status: 126, errno: .nomem)
        }
        return bias
    }

    /// One segment: pages of the file, the zeroed rest of the last one, and anonymous pages.
    private func map(_ segment: ELFSegment, _ fd: Int32, _ bias: UInt64, _ mappedEnd: inout UInt64) throws(Errno) {
        var rights: PageRights = []
        if segment.isReadable { rights.insert(.read) }
        if segment.isWritable { rights.insert(.write) }
        if segment.isExecutable { rights.insert(.execute) }
        let start = memory.pageFloor(segment.address &+ bias)
        let fileEnd = segment.address &+ bias &+ segment.fileSize
        let memoryEnd = memory.pageCeiling(segment.address &+ bias &+ segment.memorySize)
        // Two segments may share a page; the later one then replaces it, as in the kernel.
        let how = start < mappedEnd ? HostMemory.fixed : HostMemory.fixedNoReplace
        var at = start
        if segment.fileSize > 0 {
            let filePages = memory.pageCeiling(fileEnd)
            _ = try memory.map(
                start, length: filePages - start, rights: rights, flags: HostMemory.privateCopy | how, fd: fd,
                offset: memory.pageFloor(segment.fileOffset))
            if segment.isWritable && memory.pageOffset(fileEnd) != 0 && segment.memorySize > segment.fileSize {
                let zeros = [UInt8](repeating: 0, count: Int(filePages - fileEnd))
                try memory.writeBytes(fileEnd, zeros)
            }
            at = filePages
        }
        if memoryEnd > at {
            _ = try memory.map(
                at, length: memoryEnd - at, rights: rights, flags: HostMemory.privateCopy | HostMemory.anonymous | how)
        }
        mappedEnd = max(mappedEnd, memoryEnd)
    }
}
