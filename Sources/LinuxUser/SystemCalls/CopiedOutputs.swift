// Output of system calls that goes to pages which may hold translated code.
//
// Such pages are write-protected on the host while they hold code, and any thread may make code there at any time, also while a call
// waits: the kernel would find EFAULT, and what a pipe or a socket delivered would be lost. So the kernel writes to a copy of the
// guest's bytes; afterwards what it has changed goes to the guest, as stores of the guest's would.

import HostOS
import LinuxMemory

/// A copy of guest memory that the kernel writes in its place.
struct CopiedOutput {
    private let address: UInt64
    private let count: Int
    /// The bytes as the kernel sees them, and as they were.
    private let copy: UnsafeMutableRawPointer
    private let before: UnsafeMutableRawPointer
    /// Where the copy ends at memory that nobody may touch: all of that.
    private let room: (start: UInt, length: Int)?

    /// For the kernel.
    var pointer: Int { Int(bitPattern: copy) }

    /// Nil when nothing can be written at `address`, or there is no memory.
    init?(_ memory: UserAddressSpace, _ address: UInt64, _ length: UInt64) {
        self.address = address
        let extent = memory.writableExtent(from: address, length: length)
        guard extent > address else { return nil }
        count = Int(extent - address)
        if extent - address == length {
            room = nil
            copy = .allocate(byteCount: count, alignment: 16)
        } else {
            // The kernel has to find the hole at the same distance: it writes up to there, or nothing.
            let page = Int(HostProcess.pageSize), offset = Int(address) & (page - 1)
            let size = (offset + count + page - 1) & ~(page - 1)
            let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve
            guard let start = try? HostMemory.map(0, size + page, HostMemory.read | HostMemory.write, flags) else {
                return nil
            }
            room = (UInt(bitPattern: start), size + page)
            try? HostMemory.protect(UInt(bitPattern: start) + UInt(size), page, HostMemory.none)
            copy = start + offset
        }
        before = .allocate(byteCount: count, alignment: 16)
        let source = UInt(bitPattern: memory.hostAddress(address))
        let missing = GuestCopy.copy(to: UInt(bitPattern: copy), from: source, count: count)
        (copy + (count - missing)).initializeMemory(as: UInt8.self, repeating: 0, count: missing)
        before.copyMemory(from: copy, byteCount: count)
    }

    /// Stores to the guest what the kernel has changed.
    func store(_ memory: UserAddressSpace) {
        var at = 0
        while at < count {
            guard isChanged(at) else {
                at += at + 8 <= count && word(copy, at) == word(before, at) ? 8 : 1
                continue
            }
            var end = at + 1
            while end < count, isChanged(end) { end += 1 }
            try? memory.writeBytes(address &+ UInt64(at), UnsafeRawBufferPointer(start: copy + at, count: end - at))
            at = end
        }
    }

    func deallocate() {
        before.deallocate()
        if let room { try? HostMemory.unmap(room.start, room.length) } else { copy.deallocate() }
    }

    private func isChanged(_ at: Int) -> Bool {
        copy.load(fromByteOffset: at, as: UInt8.self) != before.load(fromByteOffset: at, as: UInt8.self)
    }

    private func word(_ bytes: UnsafeMutableRawPointer, _ at: Int) -> UInt64 {
        bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
    }
}

extension GuestThread {
    /// The host pointer for a range that the host kernel writes during this system call; nil when it begins outside the guest's address
    /// space. (Where that ends there is a wall.)
    func outputPointer(_ address: UInt64, _ length: UInt64) -> Int? {
        guard address < memory.limit else { return nil }
        if memory.mayGetCode(address, length), let output = CopiedOutput(memory, address, length) {
            copiedOutputs.append(output)
            hasArgumentsToFinish = true
            return output.pointer
        }
        return memory.hostAddress(address)
    }

    /// After a system call: what the kernel wrote to copies goes to the guest. Returns the call's result, which is an error
    /// where something does not fit the guest's structures.
    @inline(__always)
    func finishArguments(_ result: Int) -> Int {
        hasArgumentsToFinish ? finishAllArguments(result) : result
    }

    /// Before a call is over, where its handler has still to change something.
    func finishArguments() { _ = finishArguments(0) }

    @inline(never)
    private func finishAllArguments(_ result: Int) -> Int {
        hasArgumentsToFinish = false
        var result = result
        let succeeded = result >= 0
        for argument in convertedArguments {
            do throws(Errno) { try argument.store(self, succeeded: succeeded) } catch {
                if succeeded { result = error.negated }
            }
            argument.deallocate()
        }
        convertedArguments.removeAll()
        for output in copiedOutputs {
            output.store(memory)
            output.deallocate()
        }
        copiedOutputs.removeAll()
        return result
    }
}
