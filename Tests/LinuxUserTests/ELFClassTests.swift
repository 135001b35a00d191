// ELF files of both classes and byte orders, written here byte by byte as elf(5) has them.

import Foundation
import HostOS
import LinuxABI
import LinuxMemory
import Testing

@testable import LinuxUser

/// A program of 32 bits with one segment of code at 0x10000.
private struct SmallELF {
    var isBig = false
    var machine: UInt16 = 243
    var flags: UInt32 = 0
    var address: UInt32 = 0x1_0000
    var memorySize: UInt32 = 0x300
    var interpreter: String?

    var bytes: [UInt8] {
        var out = [UInt8](repeating: 0, count: 4096)
        func put<T: FixedWidthInteger>(_ value: T, _ at: Int) {
            withUnsafeBytes(of: isBig ? value.bigEndian : value.littleEndian) {
                out.replaceSubrange(at..<at + $0.count, with: $0)
            }
        }
        out.replaceSubrange(0..<7, with: [0x7f, 0x45, 0x4c, 0x46, 1, isBig ? 2 : 1, 1])
        put(UInt16(2), 16)  // ET_EXEC
        put(machine, 18)
        put(UInt32(1), 20)
        put(address + 0x100, 24)  // e_entry
        put(UInt32(52), 28)  // e_phoff
        put(flags, 36)
        put(UInt16(52), 40)
        put(UInt16(32), 42)
        put(UInt16(interpreter == nil ? 1 : 2), 44)
        func header(_ at: Int, _ values: [UInt32]) {
            for (index, value) in values.enumerated() { put(value, at + 4 * index) }
        }
        header(52, [1, 0, address, address, 0x200, memorySize, 5, 4096])
        if let interpreter {
            let name = Array(interpreter.utf8) + [0]
            header(84, [3, 0x400, 0, 0, UInt32(name.count), 0, 4, 1])
            out.replaceSubrange(0x400..<0x400 + name.count, with: name)
        }
        return out
    }
}

@Suite struct ELFClassTests {
    private let abis = [LinuxGuestABI.riscv64, .riscv32, .bigEndian]

    private func open(_ file: SmallELF, _ body: (borrowing ELFFile) throws -> Void = { _ in }) throws -> String? {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("elf-\(UUID().uuidString)").path
        _ = FileManager.default.createFile(
            atPath: path, contents: Data(file.bytes), attributes: [.posixPermissions: 0o755])
        defer { removeFile(path) }
        let abis = abis
        do {
            let opened = try ProgramLoader.open(
                path, shown: "prog", abi: { file in abis.first { $0.runs(file) } }, runs: "what it can")
            try body(opened)
            return nil
        } catch let error as UserModeError {
            return error.description
        }
    }

    @Test func bothOrdersAreRead() throws {
        let little = try open(SmallELF(flags: 5, interpreter: "/lib/ld")) { file in
            #expect(file.target == ELFTarget(machine: 243, words: Words(size: 4, order: .little), flags: 5))
            #expect(file.entry == 0x1_0100 && file.headerOffset == 52 && file.headerCount == 2)
            #expect(file.segments.count == 1 && file.segments[0].isExecutable && !file.segments[0].isWritable)
            #expect(file.segments[0].address == 0x1_0000 && file.segments[0].memorySize == 0x300)
            #expect(file.interpreter == "/lib/ld")
        }
        #expect(little == nil)
        let big = try open(SmallELF(isBig: true, machine: 0x1234, flags: 0x21)) { file in
            #expect(file.target.words.order == .big && file.target.machine == 0x1234 && file.target.flags == 0x21)
            #expect(file.entry == 0x1_0100 && file.segments[0].fileSize == 0x200)
        }
        #expect(big == nil)
    }

    @Test func aProgramIsOfOneMachineClassOrderAndKind() throws {
        // e_flags 0x20 of 0x30 are what the big-endian ABI asks for.
        #expect(
            try open(SmallELF(isBig: true, machine: 0x1234, flags: 0x10))
                == "prog: is a 32-bit big-endian unknown (machine 4660) program; Martlet runs what it can")
        #expect(
            try open(SmallELF(isBig: true)) == "prog: is a 32-bit big-endian RISC-V program; Martlet runs what it can")
        #expect(
            try open(SmallELF(machine: 62))
                == "prog: is a 32-bit little-endian x86-64 program; Martlet runs what it can")
        #expect(LinuxGuestABI.riscv32.runs(ELFTarget(machine: 243, words: Words(size: 4, order: .little), flags: 5)))
        #expect(!LinuxGuestABI.riscv64.runs(ELFTarget(machine: 243, words: Words(size: 4, order: .little), flags: 5)))
    }

    @Test func segmentsLieBelowTheLastPage() throws {
        #expect(try open(SmallELF(address: 0xffff_e000, memorySize: 0x1000)) == nil)
        #expect(
            try open(SmallELF(address: 0xffff_e000, memorySize: 0x1001))?.contains("outside the address space") == true)
        #expect(try open(SmallELF(address: 0xffff_f000, memorySize: 0xffff_ffff))?.contains("outside") == true)
    }

    @Test func headersAreWrittenInBothClasses() {
        let small = ELFFormat(Words(size: 4, order: .big))
        let target = ELFTarget(machine: 0x1234, words: small.words, flags: 0x20)
        #expect(
            small.bytes(type: 4, machine: target, count: 3)
                == [0x7f, 0x45, 0x4c, 0x46, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0x12, 0x34, 0, 0, 0, 1] + [
                    0, 0, 0, 0, 0, 0, 0, 52, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 52, 0, 32, 0, 3, 0, 0, 0, 0, 0, 0,
                ])
        let row = ELFFormat.ProgramHeader(
            type: 1, flags: 6, offset: 0x1000, address: 0x8000_0000, fileSize: 5, memorySize: 9, alignment: 4096)
        for words in [Words(size: 4, order: .big), Words(size: 8, order: .little), Words(size: 8, order: .big)] {
            let format = ELFFormat(words), bytes = format.bytes(row), read = format.programHeader([0] + bytes, at: 1)
            #expect(bytes.count == format.programHeaderSize)
            #expect(read.flags == 6 && read.address == 0x8000_0000 && read.memorySize == 9 && read.alignment == 4096)
        }
        #expect(
            small.bytes(row) == [
                0, 0, 0, 1, 0, 0, 0x10, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 6, 0, 0, 0x10, 0,
            ])
    }

    @Test func theFirstStackIsMadeOfTheGuestsWords() throws {
        let big = try BigEndianFixture()
        var image = LoadedProgram()
        image.entry = 0x1234
        image.headerCount = 2
        let stack = InitialStack(
            words: LinuxGuestABI.bigEndian.words, arguments: [Array("prog".utf8), []], environment: [Array("A=b".utf8)],
            fileName: Array("/bin/prog".utf8), image: image, hardwareCapabilities: 0x112d, seed: 42)
        let written = try stack.write(to: big.guest.memory, top: big.guest.end)
        let sp = UInt32(written.stackPointer)
        #expect(sp & 15 == 0)
        #expect(try big.word(sp) == 2 && big.word(sp, 3) == 0 && big.word(sp, 5) == 0)
        #expect(try big.bytes(try big.word(sp, 1), 5) == Array("prog\0".utf8))
        #expect(try big.bytes(try big.word(sp, 4), 4) == Array("A=b\0".utf8))
        var vector: [UInt32: UInt32] = [:], at = 6
        while at < 64 {
            let key = try big.word(sp, at)
            vector[key] = try big.word(sp, at + 1)
            if key == 0 { break }
            at += 2
        }
        #expect(vector[9] == 0x1234 && vector[4] == 32 && vector[5] == 2 && vector[6] == 4096 && vector[16] == 0x112d)
        #expect(try big.bytes(vector[31] ?? 0, 10) == Array("/bin/prog\0".utf8))
        big.guest.process.auxiliaryVector = written.auxiliaryVector
        #expect(big.guest.process.auxiliaryVectorBytes.count == 4 * written.auxiliaryVector.count)
        #expect(big.call(.prctl, 0x4155_5856, UInt32(sp), 8, 0, 0) == 4 * written.auxiliaryVector.count)
        #expect(try big.word(sp) == 16 && big.word(sp, 1) == 0x112d)
    }

    @Test func framesOfBothWidthsAreTheKernels() {
        // offsetof in struct rt_sigframe, arch/riscv, compiled for both widths.
        let wide = LinuxGuestABI.riscv64.signalFrame, narrow = LinuxGuestABI.riscv32.signalFrame
        #expect(wide.size == 1088 && wide.stack == 144 && wide.mask == 168 && wide.programCounter == 304)
        #expect(narrow.size == 944 && narrow.stack == 136 && narrow.mask == 148 && narrow.programCounter == 288)
        #expect(place(wide, "fcsr") == 816 && place(narrow, "fcsr") == 672)
        func place(_ frame: SignalFrameLayout, _ name: String) -> Int? {
            frame.registers.first { $0.register == name }?.offset
        }
        #expect(place(wide, "x31") == 552 && place(narrow, "x31") == 412 && place(narrow, "f1") == 424)
        for (abi, size, registers) in [(LinuxGuestABI.riscv64, 376, 112), (.riscv32, 204, 72)] {
            let status = ThreadStatusLayout(word: abi.words.size, registers: abi.core.general)
            #expect(status.size == size && status.registers == registers)
        }
        #expect(ProcessInformationLayout(word: 8).size == 136 && ProcessInformationLayout(word: 4).size == 128)
    }
}
