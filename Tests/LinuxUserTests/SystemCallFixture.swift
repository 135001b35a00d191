// A guest process that exists only to make system calls: memory, a thread, no instructions.

import CLinux
import Diagnostics
import ExecutionEngine
import GuestKit
import Glibc
import HostOS
import IR
import LinuxABI
import LinuxMemory
import TestSupport

@testable import LinuxUser

/// One guest thread, 1 MiB of guest memory handed out from the bottom, and a folder of its own.
final class SystemCallFixture {
    let process: GuestProcess
    let thread: GuestThread
    let memory: UserAddressSpace
    let folder: String
    /// The guest's memory: [start, end), readable and writable; nothing is mapped right after it.
    let start: UInt64
    let end: UInt64
    private var next: UInt64

    init(
        prefix: String? = nil, log: String? = nil, items: String? = nil, abi: LinuxGuestABI = .riscv64
    ) throws {
        HostSignals.start()
        let memory = try UserAddressSpace(limit: abi.addressLimit, pageSize: abi.convention.pageSize)
        self.memory = memory
        // Fixtures of several tests live at once in one host process: each finds its own free place.
        let size: UInt64 = 1 << 20
        start = try memory.map(0, length: size, rights: [.read, .write], flags: 0x22)
        end = start + size
        next = start
        folder = try makeTemporaryFolder("test")
        var options = UserModeOptions(program: "/bin/guest")
        options.prefix = prefix
        options.diagnostics = try Diagnostics(items: items, file: log)
        process = try makeTestProcess(options, memory, abi)
        thread = try makeTestThread(process)
        thread.tid = HostProcess.threadID
        process.threads = [thread]
    }

    deinit {
        process.threads = []
        try? memory.unmap(start, length: end - start)
        _ = withPath(folder) { kernel(SYS_rmdir, $0) }
    }

    /// Makes a system call by name.
    @discardableResult
    func call(
        _ id: SystemCallID, _ a0: UInt64 = 0, _ a1: UInt64 = 0, _ a2: UInt64 = 0, _ a3: UInt64 = 0, _ a4: UInt64 = 0,
        _ a5: UInt64 = 0
    ) -> Int {
        performSystemCall(
            thread,
            SystemCallArguments(number: LinuxTable.riscv64.number(of: id) ?? .max, a0, a1, a2, a3, a4, a5))
    }

    /// Guest memory for `count` bytes, zeroed.
    func room(_ count: Int) -> UInt64 {
        let address = next
        next = (next + UInt64(count) + 15) & ~15
        precondition(next <= end)
        return address
    }

    func string(_ text: String) throws -> UInt64 {
        let address = room(text.utf8.count + 1)
        try memory.writeBytes(address, Array(text.utf8) + [0])
        return address
    }

    func words(_ values: [UInt64]) throws -> UInt64 {
        let address = room(values.count * 8)
        for (index, value) in values.enumerated() { try memory.write(address + UInt64(index) * 8, value) }
        return address
    }

    /// A set of descriptors for select(2) with one member, which may be any number: tests that run beside have descriptors too.
    func descriptorSet(_ member: UInt64) throws -> UInt64 {
        try words((0...member / 64).map { $0 == member / 64 ? 1 << (member % 64) : 0 })
    }

    func bytes(_ address: UInt64, _ count: Int) throws -> [UInt8] { try memory.readBytes(address, count: count) }
    func word(_ address: UInt64) throws -> UInt64 { try memory.read(address, as: UInt64.self) }

    /// Opens a path of the guest.
    func open(_ path: String, _ flags: Int32 = O_RDONLY) throws -> UInt64 {
        let result = call(.openat, at, try string(path), UInt64(UInt32(bitPattern: flags)), 0o644)
        return UInt64(bitPattern: Int64(result))
    }

    /// All that a descriptor gives, as text.
    func readAll(_ fd: UInt64) throws -> String {
        let buffer = room(8192)
        var text: [UInt8] = []
        while true {
            let count = call(.read, fd, buffer, 8192)
            if count <= 0 { break }
            text += try bytes(buffer, count)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// AT_FDCWD.
    let at = UInt64(bitPattern: -100)
}

/// Removes a file of the host and forgets whether it was there.
func removeFile(_ path: String) { _ = withPath(path) { kernel(SYS_unlink, $0) } }

func isError(_ result: Int, _ error: Errno) -> Bool { result == error.negated }

/// A guest with integer registers, a word each, and no instructions.
final class RegistersOnlyGuest: GuestArchitecture {
    let name: String
    let globals: [GlobalDescriptor] = []
    let helpers: [HelperDescriptor] = []
    let registers: [RegisterDescriptor]
    let stateSize = 8 + 32 * 8
    let wordSize = WordSize.bits64
    let dataIsBig = false
    let codeLayout = CodeLayout(unit: 2, order: .little, joinsHigh: false)
    let pcOffset = 0
    let instructionAlignment = 2
    let memoryModel = MemoryModel.weak

    init(_ abi: LinuxGuestABI) {
        name = abi.machine
        let size = abi.words.size
        registers = (0..<32).map {
            RegisterDescriptor(name: "x\($0)", offset: 8 + $0 * size, size: size, group: .general)
        }
    }

    func reset(_ state: UnsafeMutableRawPointer) {}
    func mode(_ state: UnsafeMutableRawPointer) -> UInt64 { 0 }
    func translateBlock(_ unit: inout TranslationUnit) {}
    func disassemble(_ bytes: UnsafeRawBufferPointer, at pc: UInt64) -> (text: String, length: Int) { ("", 2) }
}
