// Open files of /proc that the kernel itself cannot treat as the guest's own. A stand-in is a memory file with the
// contents that the guest must see: what tells it from the real file is answered for the real one. A memory file of the
// process is the real one, through which the guest reaches its own mappings only. Descriptors are known by the file that
// they lead to, so duplicates and inherited ones are known too.

import CLinux
import HostOS
import LinuxMemory
import Synchronization

final class ProcDescriptors: Sendable {
    /// st_dev of stand-ins, and of all other memory files; 0 while there is none.
    private let standInDevice = Atomic<UInt64>(0)
    /// Some thread has opened /proc/self/mem.
    private let hasMemory = Atomic(false)
    /// Those files, and the processes whose memory they are.
    private let memoryFiles = Mutex<[MemoryFile]>([])

    private struct MemoryFile: Equatable {
        var device: UInt64, inode: UInt64, process: Int32
    }

    // MARK: Stand-ins

    /// Puts a stand-in with the guest's view in the place of `fd`, which the kernel has opened by the guest's own name
    /// and flags: so errors and the number are the kernel's. Returns the descriptor, or -errno.
    func substitute(_ fd: Int, _ file: ProcFile, _ thread: GuestThread, flags: UInt64) -> Int {
        if file == .memory { noteMemory(fd) }
        guard let content = file.content(thread) else { return fd }
        let closeOnExec = Int(flags) & HostFile.closeOnExec
        let standIn = open(fd, content, flags: Int(flags) & Self.nonBlocking | Self.largeFile)
        if standIn < 0 {
            _ = kernel(SYS_close, fd)
            return standIn
        }
        let result = kernel(SYS_dup3, standIn, fd, closeOnExec)
        _ = kernel(SYS_close, standIn)
        return result
    }

    private static let nonBlocking = 0o4000, largeFile = 0o100000
    /// The kernel's name for a stand-in is this, then the file's own name, then " (deleted)".
    private static let marker: StaticString = "/memfd:proc/"

    /// A memory file with `content`, open for reading only, as files of /proc are.
    private func open(_ real: Int, _ content: [UInt8], flags: Int) -> Int {
        // The name without the slash that it begins with.
        let memory = ProcPath.withName(real) { name in
            withPath(String(decoding: name.dropFirst(), as: UTF8.self)) { kernel(SYS_memfd_create, $0, 1) }
        }
        guard let memory else { return Errno.noent.negated }
        if memory < 0 { return memory }
        defer { _ = kernel(SYS_close, memory) }
        if standInDevice.load(ordering: .relaxed) == 0, let status = try? HostFile.status(Int32(memory)) {
            standInDevice.store(status.device, ordering: .relaxed)
        }
        guard content.withUnsafeBytes({ writeAll(Int32(memory), $0) }) else { return Errno.nomem.negated }
        return withPath("/proc/self/fd/\(memory)") {
            kernel(SYS_openat, AT.currentDirectory, $0, HostFile.closeOnExec | flags)
        }
    }

    var hasStandIns: Bool { standInDevice.load(ordering: .relaxed) != 0 }

    /// The real file's name when a descriptor leads to a stand-in. Costs nothing while there is none.
    func standIn(_ fd: Int32) -> String? {
        if standInDevice.load(ordering: .relaxed) == 0 { return nil }
        return ProcPath.withName(Int(fd)) { Self.realName($0) }
    }

    func isStandInDevice(_ device: UInt64) -> Bool { hasStandIns && device == standInDevice.load(ordering: .relaxed) }

    /// The real file's name in place of the kernel's name for a stand-in.
    static func realName(_ name: UnsafeBufferPointer<UInt8>) -> String? {
        let ending = " (deleted)".utf8
        guard name.count > marker.utf8CodeUnitCount + ending.count, name.suffix(ending.count).elementsEqual(ending),
            ProcPath.equal(.init(rebasing: name[..<marker.utf8CodeUnitCount]), marker)
        else { return nil }
        return "/" + String(decoding: name.dropFirst(7).dropLast(ending.count), as: UTF8.self)
    }

    // MARK: The process's memory

    private func noteMemory(_ fd: Int) {
        guard let file = Self.memoryFile(fd) else { return }
        memoryFiles.withLock { if !$0.contains(file) { $0.append(file) } }
        hasMemory.store(true, ordering: .releasing)
    }

    private static func memoryFile(_ fd: Int) -> MemoryFile? {
        guard let status = try? HostFile.status(Int32(truncatingIfNeeded: fd)) else { return nil }
        return MemoryFile(device: status.device, inode: status.inode, process: HostProcess.processID)
    }

    /// Whether any file of the kind has been opened.
    @inline(__always)
    var hasMemoryFiles: Bool { hasMemory.load(ordering: .relaxed) }

    /// A child's are its own: those of its parent stay its parent's memory.
    func isOwnMemory(_ fd: Int32) -> Bool {
        guard let file = Self.memoryFile(Int(fd)) else { return false }
        return memoryFiles.withLock { $0.contains(file) }
    }
}
