// A guest of the made-up ABI that has registers and no instructions.

import HostOS
import LinuxABI
import ToyABI

@testable import LinuxUser

extension LinuxGuestABI {
    static let bigEndian = LinuxGuestABI(
        machine: "big", elfMachine: 0x1234, elfFlags: (value: 0x20, mask: 0x30), addressLimit: 0xffff_f000,
        table: .bigEndian,
        convention: Convention(
            number: "x17",
            arguments: (10..<14).map { .register("x\($0)") } + [.stack(16), .stack(20), .stack(24)], result: "x5",
            errors: .flag(register: "x7", clear: .max, set: 1), pairs: .aligned, stackPointer: "x2",
            threadPointer: "x4"),
        signalFrame: LinuxGuestABI.riscv32.signalFrame, core: LinuxGuestABI.riscv32.core)
}

/// A guest of that ABI: calls go through its registers, and structures are written word by word.
final class BigEndianFixture {
    let guest: SystemCallFixture
    private let stack: UInt64
    var thread: GuestThread { guest.thread }
    let at = UInt32(bitPattern: -100)

    init() throws {
        guest = try SystemCallFixture(abi: .bigEndian)
        stack = guest.room(64)
    }

    private func place(_ register: Int) -> Int { 8 + 4 * register }
    func register(_ number: Int) -> UInt32 {
        thread.state.load(fromByteOffset: place(number), as: UInt32.self)
    }
    func setRegister(_ number: Int, _ value: UInt32) {
        thread.state.storeBytes(of: value, toByteOffset: place(number), as: UInt32.self)
    }

    /// The call's value, or the ABI's number of its error, negative.
    @discardableResult
    func call(_ id: SystemCallID, _ arguments: UInt32...) -> Int {
        setRegister(17, UInt32(LinuxTable.bigEndian.number(of: id) ?? 0))
        setRegister(2, UInt32(stack))
        for (index, value) in (arguments + [UInt32](repeating: 0xdead_beef, count: 7)).prefix(7).enumerated() {
            if index < 4 {
                setRegister(10 + index, value)
            } else {
                try? guest.memory.write(stack + 16 + UInt64(4 * (index - 4)), value.bigEndian)
            }
        }
        thread.systemCall()
        let result = Int(Int32(bitPattern: register(5)))
        return register(7) == 1 ? -result : result
    }

    func error(_ error: Errno) -> Int { -(200 - Int(error.rawValue)) }

    func room(_ count: Int) -> UInt32 { UInt32(guest.room(count)) }
    func string(_ text: String) throws -> UInt32 { UInt32(try guest.string(text)) }

    /// Words of 32 bits, one after the other.
    func words(_ values: UInt32...) throws -> UInt32 {
        let address = guest.room(values.count * 4)
        for (index, value) in values.enumerated() {
            try guest.memory.write(address + UInt64(4 * index), value.bigEndian)
        }
        return UInt32(address)
    }

    func word(_ address: UInt32, _ index: Int = 0) throws -> UInt32 {
        try guest.memory.read(UInt64(address) + UInt64(4 * index), as: UInt32.self).bigEndian
    }
    func half(_ address: UInt32) throws -> UInt16 { try guest.memory.read(UInt64(address), as: UInt16.self).bigEndian }
    func long(_ address: UInt32) throws -> UInt64 { try guest.memory.read(UInt64(address), as: UInt64.self).bigEndian }
    func bytes(_ address: UInt32, _ count: Int) throws -> [UInt8] { try guest.bytes(UInt64(address), count) }
    func write(_ bytes: [UInt8], _ address: UInt32) throws { try guest.memory.writeBytes(UInt64(address), bytes) }

    /// A new file that may be read and written.
    func file(_ name: String) throws -> UInt32 {
        let fd = call(.openat, at, try string(guest.folder + "/" + name), 2 | 0x100, 0o600)
        return UInt32(bitPattern: Int32(fd))
    }

    func remove(_ name: String) { removeFile(guest.folder + "/" + name) }
}
