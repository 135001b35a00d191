// The few calls of programs for Moxie's simulator.

import HostOS
@testable import LinuxABI
import Testing

@Suite struct MoxieTests {
    private let abi = LinuxGuestABI.moxie

    @Test func callsHaveTheNumbersOfLibgloss() {
        let calls: [SystemCallID?] = (0...9).map { abi.systemCall($0) }
        #expect(calls == [nil, .exit_group, .open, .close, .read, .write, .lseek, .unlink, nil, nil])
        // The simulator's number for what a handler of Linux would serve.
        #expect(abi.systemCall(0xffff_ffff) == nil)
    }

    @Test func everyErrorIsMinusOne() {
        for number in 1..<134 as Range<Int32> { #expect(abi.table.error(Errno(number)) == 1) }
    }

    @Test func flagsOfOpenAreNewlibs() {
        func host(_ flags: UInt32) -> UInt32 { abi.table.toHost(flags, .open) }
        #expect((0...2).map { host($0) } == [0, 1, 2])
        #expect(host(0x601) == 0x241)  // O_WRONLY, O_CREAT, O_TRUNC
        #expect(host(0x20a) == 0x442)  // O_RDWR, O_CREAT, O_APPEND
        #expect(host(0xa01) == 0xc1)  // O_WRONLY, O_CREAT, O_EXCL
    }

    @Test func itsFilesAreBigEndianAndOf32Bits() {
        #expect(abi.runs(ELFTarget(machine: 223, words: Words(size: 4, order: .big))))
        #expect(!abi.runs(ELFTarget(machine: 223, words: Words(size: 4, order: .little))))
    }
}
