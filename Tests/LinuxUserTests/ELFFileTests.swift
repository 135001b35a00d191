// Malformed programs: each is one clear error, found before anything is mapped.

import Foundation
import HostOS
import LinuxABI
import Testing

@testable import LinuxUser

/// An ELF-64 file built from parts.
private struct ELFBuilder {
    struct Header {
        var type: UInt32, flags: UInt32, offset: UInt64, address: UInt64, fileSize: UInt64, memorySize: UInt64
    }
    var elfClass: UInt8 = 2, data: UInt8 = 1, type: UInt16 = 2, machine: UInt16 = 243, headerSize: UInt16 = 56
    var headerOffset: UInt64 = 64
    var headers: [Header] = [Header(type: 1, flags: 5, offset: 0, address: 0x10000, fileSize: 0x200, memorySize: 0x300)]
    var size = 0x1000
    var contents: [(Int, [UInt8])] = []

    var bytes: [UInt8] {
        var out = [UInt8](repeating: 0, count: max(size, 64))
        func put<T: FixedWidthInteger>(_ value: T, _ at: Int) {
            withUnsafeBytes(of: value.littleEndian) {
                for (i, b) in $0.enumerated() where at + i < out.count { out[at + i] = b }
            }
        }
        out[0] = 0x7f
        out[1] = 0x45
        out[2] = 0x4c
        out[3] = 0x46
        out[4] = elfClass
        out[5] = data
        out[6] = 1
        put(type, 16)
        put(machine, 18)
        put(UInt64(0x10100), 24)
        put(headerOffset, 32)
        put(headerSize, 54)
        put(UInt16(headers.count), 56)
        for (index, header) in headers.enumerated() {
            let at = 64 + 56 * index
            put(header.type, at)
            put(header.flags, at + 4)
            put(header.offset, at + 8)
            put(header.address, at + 16)
            put(header.fileSize, at + 32)
            put(header.memorySize, at + 40)
        }
        for (at, text) in contents { for (i, b) in text.enumerated() { out[at + i] = b } }
        return Array(out[..<size])
    }
}

@Suite struct ELFFileTests {
    private func failure(_ bytes: [UInt8], mode: Int = 0o755, pageSize: UInt64 = 4096) -> String? {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("elf-\(UUID().uuidString)").path
        _ = FileManager.default.createFile(atPath: path, contents: Data(bytes), attributes: [.posixPermissions: mode])
        defer { try? FileManager.default.removeItem(atPath: path) }
        return failure(path: path, pageSize: pageSize)
    }

    private func failure(path: String, prefix: String? = nil, pageSize: UInt64 = 4096) -> String? {
        let abi: (ELFTarget) -> LinuxGuestABI? = {
            var abi = LinuxGuestABI.riscv64
            abi.addressLimit = 0x40_0000_0000
            abi.convention.pageSize = pageSize
            return abi.runs($0) ? abi : nil
        }
        do throws(UserModeError) {
            let file = try ProgramLoader.open(path, shown: "prog", abi: abi, runs: "riscv64")
            _ = try ProgramLoader.openInterpreter(
                of: file, shown: "prog", prefix: prefix, abi: abi, runs: "riscv64")
            return nil
        } catch {
            #expect(error.status == 126 || error.status == 127)
            #expect(!error.description.contains("\n"))
            return error.description
        }
    }

    private func failure(pageSize: UInt64 = 4096, _ change: (inout ELFBuilder) -> Void) -> String? {
        var builder = ELFBuilder()
        change(&builder)
        return failure(builder.bytes, pageSize: pageSize)
    }

    @Test func aSoundProgramIsAccepted() { #expect(failure { _ in } == nil) }

    @Test func segmentsAreAlignedToTheABIsPages() {
        let message = "prog: segment 0 is not aligned to pages of "
        #expect(failure { $0.headers[0].address = 0x11000 } == nil)
        #expect(failure(pageSize: 0x4000) { $0.headers[0].address = 0x11000 } == message + "16384 bytes")
        #expect(failure(pageSize: 0x4000) { $0.headers[0].address = 0x14000 } == nil)
        #expect(failure { $0.headers[0].address = 0x10800 } == message + "4096 bytes")
    }

    @Test func wrongKindsOfFilesAreNamed() {
        #expect(failure(path: "/nonexistent/x") == "prog: No such file or directory")
        #expect(failure(path: "/usr") == "prog: is a directory, not a program")
        #expect(failure([]) == "prog: is empty, not a program")
        #expect(failure(Array("hello, world, this is text".utf8)) == "prog: is not an ELF program")
        #expect(failure(ELFBuilder().bytes, mode: 0o644) == "prog: Permission denied")
        #expect(failure { $0.machine = 62 } == "prog: is an x86-64 program; Martlet runs riscv64")
        #expect(failure { $0.elfClass = 1 } == "prog: is a 32-bit little-endian RISC-V program; Martlet runs riscv64")
        #expect(failure { $0.data = 2 } != nil)
        #expect(failure { $0.type = 1 } == "prog: is an object file, not a program")
        #expect(failure { $0.headerSize = 32 } != nil)
        #expect(failure { $0.headers = [] } != nil)
        #expect(failure { $0.headers[0].type = 4 } == "prog: has no segment to load")
    }

    @Test func aFileCutAnywhereInItsHeadersIsAnError() {
        let whole = ELFBuilder().bytes
        for length in 1..<120 {
            let message = failure(Array(whole[..<length]))
            #expect(message != nil, "cut at \(length)")
            if length >= 4 { #expect(message?.contains("cut off") == true, "cut at \(length)") }
        }
        #expect(failure { $0.size = 0x100 } == "prog: is cut off: segment 0 reaches past the end of the file")
        #expect(failure { $0.headerOffset = .max - 8 } == "prog: is cut off within its program headers")
    }

    @Test func impossibleSegmentsAreRefused() {
        #expect(failure { $0.headers[0].memorySize = 0x100 }?.contains("larger in the file") == true)
        #expect(failure { $0.headers[0].address = 0x10004 }?.contains("not aligned") == true)
        #expect(failure { $0.headers[0].memorySize = .max - 0x100 }?.contains("wraps around") == true)
        #expect(failure { $0.headers[0].address = 0x7fff_ffff_0000 }?.contains("outside the address space") == true)
        #expect(failure { $0.headers[0].offset = .max & ~0xfff }?.contains("past the end") == true)
        #expect(failure { $0.headers.append($0.headers[0]) } == "prog: segments 0 and 1 overlap")
        #expect(
            failure {
                var second = $0.headers[0]
                second.address = 0x1000
                $0.headers.append(second)
            } == "prog: segments are not in ascending order")
    }

    @Test func interpretersMustExistAndDifferFromTheProgram() throws {
        func builder(_ interpreter: String) -> ELFBuilder {
            var builder = ELFBuilder()
            let name = Array(interpreter.utf8) + [0]
            builder.contents = [(0x400, name)]
            builder.headers.insert(
                .init(type: 3, flags: 4, offset: 0x400, address: 0, fileSize: UInt64(name.count), memorySize: 0), at: 0)
            return builder
        }
        let missing = failure(builder("/lib/ld-none.so").bytes)
        #expect(missing?.contains("needs the interpreter /lib/ld-none.so, which does not exist") == true)
        #expect(failure(builder("").bytes) == "prog: has no proper interpreter name")
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("self-\(UUID().uuidString)").path
        _ = FileManager.default.createFile(
            atPath: path, contents: Data(builder(path).bytes), attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(failure(path: path) == "prog: names itself as its interpreter")
    }
}

@Suite struct ScriptTests {
    private func resolve(_ text: String, _ arguments: [String]) throws -> ResolvedProgram {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("script-\(UUID().uuidString)").path
        _ = FileManager.default.createFile(
            atPath: path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o755])
        defer { try? FileManager.default.removeItem(atPath: path) }
        let resolver = ProgramResolver(
            prefix: nil, abi: { LinuxGuestABI.riscv64.runs($0) ? .riscv64 : nil }, runs: "riscv64")
        return try resolver.resolve(path, shown: "script", arguments: arguments.map { Array($0.utf8) })
    }

    @Test func interpreterLinesGiveOneOptionAndTheScript() throws {
        let program = try resolve("#! /bin/sh  -e -x \necho\n", ["zero", "one"])
        #expect(!program.isGuest)
        #expect(program.hostPath == "/bin/sh")
        #expect(program.arguments.map { String(decoding: $0, as: UTF8.self) } == ["/bin/sh", "-e -x", "script", "one"])
    }

    @Test func anEmptyInterpreterLineIsAnError() {
        #expect(throws: UserModeError.self) { try resolve("#!  \n", ["zero"]) }
    }
}
