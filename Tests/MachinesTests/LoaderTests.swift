// -device loader: what its options mean, and what is refused.

import Testing

@testable import Machines

@Suite struct LoaderTests {
    @Test func optionsAreRead() throws {
        let data = try LoaderDevice(parsing: "addr=0x1000,data=0xff,data-len=4")
        #expect(data.content == .data(0xff, count: 4, isBig: false) && data.address == 0x1000 && data.hart == nil)
        let file = try LoaderDevice(parsing: "file=a,,b.elf,cpu-num=1,force-raw=on,addr=64")
        #expect(file.content == .file("a,b.elf", isRaw: true) && file.address == 64 && file.hart == 1)
        let entry = try LoaderDevice(parsing: "addr=0x80000000,cpu-num=0")
        #expect(entry.content == .nothing && entry.hart == 0)
        #expect(
            try LoaderDevice(parsing: "addr=1,data=1,data-len=8,data-be").content == .data(1, count: 8, isBig: true))
    }

    @Test(arguments: [
        ("", "it needs"), ("addr=1", "it needs"), ("cpu-num=1", "it needs"), ("file=", "no name"),
        ("wrong=1", "no 'wrong'"),
        ("addr=x,cpu-num=0", "no number"), ("addr=0x1ffffffffffffffff,cpu-num=0", "no number"),
        ("addr=1,data=1", "data-len"), ("addr=1,data=1,data-len=9", "data-len"),
        ("addr=1,data=256,data-len=1", "more than 1"),
        ("data=1,data-len=1", "needs addr"), ("addr=1,data=1,data-len=1,file=x", "both"),
        ("addr=1,data=1,data-len=1,data-be=perhaps", "neither"), ("file=x,data-len=1", "go with data"),
    ])
    func wrongOptionsAreOneLine(options: String, reason: String) throws {
        do throws(MachineError) {
            _ = try LoaderDevice(parsing: options)
            Issue.record("\(options) is taken")
        } catch {
            #expect(error.description.contains(reason))
        }
    }
}
