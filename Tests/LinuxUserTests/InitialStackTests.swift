// The first stack of a program, read back as the program would.

import HostOS
import LinuxABI
import LinuxMemory
import Testing

@testable import LinuxUser

@Suite(.serialized) struct InitialStackTests {
    @Test func argumentsEnvironmentAndAuxiliaryVectorAreWherePrograms_look() throws {
        HostSignals.start()
        let space = try UserAddressSpace(limit: 0x40_0000_0000)
        space.placementTop = 0x18_0000_0000
        let base = try space.map(
            0, length: 1 << 16, rights: [.read, .write], flags: HostMemory.privateCopy | HostMemory.anonymous)
        let top = base + 1 << 16
        defer { try? space.unmap(base, length: 1 << 16) }
        var image = LoadedProgram()
        image.entry = 0x1234
        image.headers = 0x10040
        image.headerCount = 7
        let stack = InitialStack(
            words: LinuxGuestABI.riscv64.words, arguments: [Array("prog".utf8), [0xff, 0x80], []],
            environment: [Array("A=b".utf8)],
            fileName: Array("/bin/prog".utf8), image: image, hardwareCapabilities: 0x112d, seed: 42)
        let first = try stack.write(to: space, top: top)
        let sp = first.stackPointer
        #expect(sp & 15 == 0)
        #expect(try space.read(sp, as: UInt64.self) == 3)
        func string(_ index: UInt64) throws -> [UInt8] {
            try space.readCString(try space.read(sp + 8 * index, as: UInt64.self)).dropLast()
        }
        #expect(try string(1) == Array("prog".utf8))
        #expect(try string(2) == [0xff, 0x80])
        #expect(try string(3) == [])
        #expect(try space.read(sp + 32, as: UInt64.self) == 0)
        #expect(try string(5) == Array("A=b".utf8))
        #expect(try space.read(sp + 48, as: UInt64.self) == 0)
        var vector: [UInt64: UInt64] = [:]
        var at = sp + 56
        while true {
            let key = try space.read(at, as: UInt64.self)
            if key == 0 { break }
            vector[key] = try space.read(at + 8, as: UInt64.self)
            at += 16
        }
        #expect(vector[9] == 0x1234 && vector[3] == 0x10040 && vector[5] == 7 && vector[4] == 56)
        #expect(vector[6] == 4096 && vector[16] == 0x112d)
        #expect(try space.readCString(vector[31]!) == Array("/bin/prog".utf8) + [0])
        let random = try space.readBytes(vector[25]!, count: 16)
        // The same seed gives the same bytes.
        _ = try stack.write(to: space, top: top)
        #expect(try space.readBytes(vector[25]!, count: 16) == random)
        #expect(Set(random).count > 4)
    }
}
