// getdents64(2), and with it the folders of /proc/PID that list what Martlet has too: threads (task) and descriptors (fd,
// fdinfo). Only the guest's are shown. This process's own thread of the translator goes, until there is work for it
// again; what else is Martlet's is left out.

import CLinux
import HostOS
import LinuxABI

enum ProcFolders {
    static func list(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let hidden = thread.process.listsProc ? hidden(thread, call.word(0)) : []
        while true {
            let result = kernel(SYS_getdents64, call.word(0), thread.output(call.a1, call.a2), call.word(2))
            let isHosts = thread.words.order == LinuxTable.host.order
            guard result > 0, !hidden.isEmpty || !isHosts else { return result }
            let count = try adapt(thread, call.a1, result, hiding: hidden)
            // Nothing left of these is not the end.
            if count > 0 { return count }
        }
    }

    /// A path that may name such a folder.
    static func isNamed(_ path: HostPath) -> Bool {
        let name = ProcPath.lastComponent(ignoringSlashes: path)
        return ProcPath.equal(name, "task") || ProcPath.equal(name, "fd") || ProcPath.equal(name, "fdinfo")
            || ProcPath.equal(name, ".")
    }

    /// Names that the open folder must not show.
    private static func hidden(_ thread: GuestThread, _ fd: Int) -> [String] {
        guard ProcPath.isInProc(fd) else { return [] }
        let names = ProcPath.withName(fd) { path -> [String]? in
            var parts = ProcPath(path)
            guard parts.next("proc"), let id = parts.next(), var name = parts.next() else { return nil }
            // /proc/PID/task/TID/fd
            if !parts.isAtEnd, ProcPath.equal(name, "task"), parts.next() != nil, let inner = parts.next() {
                name = inner
            }
            guard parts.isAtEnd else { return nil }
            let isOwn = ProcPath.isOwn(id)
            if ProcPath.equal(name, "task") {
                if !isOwn { return OtherProcess(id)?.ownThreads() }
                if !thread.isSharedChild, !thread.runsBeside { thread.process.engine.endOwnThreads() }
                return nil
            }
            guard ProcPath.equal(name, "fd") || ProcPath.equal(name, "fdinfo") else { return nil }
            return isOwn ? FileCalls.reserved(thread).map { "\($0)" } : OtherProcess(id)?.ownDescriptors()
        }
        return names ?? []
    }

    /// Entries without those of the names, in the guest's byte order; how many bytes they have. (struct linux_dirent64
    /// has the same layout everywhere: two numbers of 64 bits, the entry's length, a byte, and the name.)
    private static func adapt(
        _ thread: GuestThread, _ address: UInt64, _ count: Int, hiding hidden: [String]
    ) throws(Errno) -> Int {
        thread.finishArguments()
        let order = thread.words.order
        return try withScratch(count) { (buffer) throws(Errno) in
            try thread.memory.readBytes(address, into: buffer)
            var at = 0, kept = 0
            while at + 19 <= count {
                let length = max(Int(buffer.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self)), 19)
                let entry = buffer[at..<min(at + length, count)]
                let name = entry.dropFirst(19).prefix { $0 != 0 }
                at += length
                if hidden.contains(where: { name.elementsEqual($0.utf8) }) { continue }
                for (offset, byte) in zip(kept..., entry) { buffer[offset] = byte }
                for field in [kept, kept + 8] {
                    let value = buffer.loadUnaligned(fromByteOffset: field, as: UInt64.self)
                    buffer.storeBytes(of: order.swapping(value), toByteOffset: field, as: UInt64.self)
                }
                buffer.storeBytes(of: order.swapping(UInt16(length)), toByteOffset: kept + 16, as: UInt16.self)
                kept += entry.count
            }
            try thread.memory.writeBytes(address, UnsafeRawBufferPointer(rebasing: buffer[..<kept]))
            return kept
        }
    }
}
