// Pages of 8 KiB, of which each is two of the host's: every call counts in the guest's, and code may lie and change anywhere.

import EngineModes
import Glibc
import LinuxABI
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ToyPageTests {
    /// r1 holds a multiple of the page.
    private func expectAligned(_ p: inout ToyProgram, _ what: String) {
        p.add(Toy.pair(.mov, 2, 1))
        p.load(3, 8191)
        p.add(Toy.pair(.and, 2, 3))
        p.load(3, 0)
        p.compare(what)
    }
    private static let base: UInt32 = 0x3000_0000
    // MAP_PRIVATE, MAP_FIXED, MAP_ANONYMOUS
    private func map(_ p: inout ToyProgram, _ address: UInt32, _ length: UInt32, _ rights: UInt32 = 3) {
        p.call(.mmap2, .number(address), .number(length), .number(rights), 0x32, .number(.max), 0)
        p.expectResult(.number(address), "mmap at \(address)")
    }

    @Test(arguments: EngineMode.all) func mappingsAreOfWholePages(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        let base = Self.base
        var p = ToyProgram()
        p.room("vector", 8)
        for _ in 0..<3 {
            p.call(.mmap2, 0, 1, 3, 0x22, .number(.max), 0)
            expectAligned(&p, "a mapping's place")
            // The page's last word is there.
            p.add(Toy.pair(.mov, 4, 1), Toy.memory(.st32, 4, 4, 8188))
        }
        map(&p, base, 3 * 8192)
        let half = Value.number(base + 4096)
        for (id, what) in [(.munmap, "munmap"), (.mprotect, "mprotect"), (.mseal, "mseal")]
            as [(SystemCallID, String)]
        {
            p.call(id, half, 4096, 0)
            p.expectError(EINVAL, what + " of half a page")
        }
        p.call(.mremap, half, 4096, 8192, 1)
        p.expectError(EINVAL, "mremap of half a page")
        p.call(.mmap2, half, 4096, 3, 0x32, .number(.max), 0)
        p.expectError(EINVAL, "mmap at half a page")
        for (id, last, what) in [(.madvise, 4, "madvise"), (.msync, 4, "msync")] as [(SystemCallID, UInt32, String)] {
            p.call(id, half, 4096, .number(last))
            p.expectError(EINVAL, what + " of half a page")
        }
        p.call(.mincore, half, 4096, .label("vector"))
        p.expectError(EINVAL, "mincore of half a page")
        // One byte for each page of the guest's.
        p.load(4, .number(base + 8192 + 4096))
        p.add(Toy.memory(.st8, 4, 4, 0))
        p.call(.mincore, .number(base), 8193, .label("vector"))
        p.expectResult(0, "mincore")
        p.expect(.ld16, .label("vector"), 0x0001, "what mincore says")
        p.expect(.ld32, .label("vector", 2), 0xeeee_eeee, "behind what mincore says")
        // Advice is for whole pages.
        p.load(4, .number(base))
        p.add(Toy.memory(.st32, 4, 4, 8188))
        p.call(.madvise, .number(base), 1, 4)  // MADV_DONTNEED
        p.expectResult(0, "madvise")
        p.expect(.ld32, .number(base + 8188), 0, "what madvise has thrown away")
        // A page less one byte is a page: behind it, the next has stayed.
        p.call(.munmap, .number(base), 8191)
        p.expectResult(0, "munmap")
        p.expect(.ld8, .number(base + 8192 + 4096), 0, "the page behind one that is gone")
        p.call(.mprotect, .number(base), 8192, 1)
        p.expectError(ENOMEM, "mprotect of what is gone")
        p.call(.mremap, .number(base + 8192), 8192, 1, 0)
        p.expectResult(.number(base + 8192), "mremap")
        p.call(.mprotect, .number(base + 8192), 1, 1)
        p.expectResult(0, "mprotect of one byte")
        p.load(4, .number(base + 8192 + 8188))
        p.add(Toy.memory(.st32, 4, 4, 0))
        p.exit(0)
        // The store to the protected page's other half.
        let run = try folder.end(p, mode)
        #expect(run == "[signal \(SIGSEGV)]", "\(mode): \(run)")
    }

    @Test(arguments: EngineMode.all) func theHeapGrowsByPages(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        p.word("start", 0)
        p.call(.brk, 0)
        p.keep(.label("start"))
        func move(_ distance: UInt32, _ what: String) {
            p.load(4, .label("start"))
            p.add(Toy.memory(.ld32, 1, 4, 0))
            p.load(2, .number(distance))
            p.add(Toy.pair(.add, 1, 2))
            p.load(0, .number(UInt32(LinuxTable.bigEndian.number(of: .brk) ?? 0)))
            p.add(Toy.sys, Toy.pair(.mov, 2, 1))
            p.load(4, .label("start"))
            p.add(Toy.memory(.ld32, 3, 4, 0))
            p.load(4, .number(distance))
            p.add(Toy.pair(.add, 3, 4))
            p.compare(what)
        }
        move(1, "brk by a byte")
        // The last word of the page that the byte is in.
        p.load(4, .number(8191))
        p.add(Toy.pair(.or, 1, 4), Toy.pair(.mov, 5, 1), Toy.memory(.st32, 5, 5, -3))
        move(8193, "brk by a page more")
        p.add(Toy.pair(.mov, 1, 5), Toy.memory(.ld32, 2, 1, -3), Toy.pair(.mov, 3, 5))
        p.compare("what was stored")
        p.load(4, .number(8191))
        p.add(Toy.memory(.st32, 5, 5, 8192 - 3))
        move(0, "brk back")
        p.exit(0)
        try folder.run(p, mode, file: p.file(zeros: 5000))
    }

    /// Where the file ends within a page, the rest of it is zero.
    @Test(arguments: EngineMode.all) func filesEndWithinPages(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        let name = try folder.write("short", Array("0123456789".utf8))
        let long = try folder.write("long", [UInt8](repeating: 0x5a, count: 3 * 4096))
        var p = ToyProgram()
        p.string("short", name)
        p.string("long", long)
        p.closeOthers()
        p.call(.openat, .number(.max - 99), .label("short"), 2)
        p.expectResult(3, "openat")
        for (kind, place) in [(1, Self.base), (2, Self.base + 0x10000)] as [(UInt32, UInt32)] {
            p.call(.mmap2, .number(place), 1, 3, .number(0x10 | kind), 3, 0)
            p.expectResult(.number(place), "mmap of a file")
            p.expect(.ld32, .number(place + 6), 0x3637_3839, "the file")
            p.expect(.ld32, .number(place + 10), 0, "behind the file")
            p.expect(.ld32, .number(place + 8188), 0, "the page's other half")
            p.load(4, .number(place + 8188))
            p.add(Toy.memory(.st32, 4, 4, 0))
            p.expect(.ld32, .number(place + 8188), .number(place + 8188), "what was stored there")
        }
        // Offsets are in 4096 bytes, and are whole pages.
        p.call(.openat, .number(.max - 99), .label("long"), 0)
        p.call(.mmap2, 0, 1, 1, 2, 4, 1)
        p.expectError(EINVAL, "mmap at half a page of a file")
        p.call(.mmap2, .number(Self.base), 8192, 1, 0x12, 4, 2)
        p.expectResult(.number(Self.base), "mmap at a page of a file")
        p.expect(.ld32, .number(Self.base + 4092), 0x5a5a_5a5a, "the file's end")
        p.expect(.ld32, .number(Self.base + 4096), 0, "the page's other half")
        p.exit(0)
        try folder.run(p, mode)
        // The program's own file, and what it has beyond.
        var q = ToyProgram()
        q.word("data", 0x1234_5678)
        q.expect(.ld32, .label("data"), 0x1234_5678, "data")
        q.expect(.ld32, .label("data", 4), 0, "behind data")
        q.expect(.ld32, .label("data", 8192), 0, "pages behind data")
        q.exit(0)
        try folder.run(q, mode, file: q.file(zeros: 20000, isPadded: false))
        try folder.run(q, mode, file: q.file(zeros: 20000))
    }

    /// Instructions that begin in one page and end in the next, with their delay slots.
    @Test(arguments: EngineMode.all) func codeCrossesPages(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        let border = Self.base + 8192
        for offset: UInt32 in 1...11 {
            var p = ToyProgram()
            map(&p, Self.base, 2 * 8192, 7)
            // ldi r2, ...; bra +2 pages' worth of nothing, with ldi in its slot; ret.
            let code =
                Toy.ldi(2, 0x0102_0300 + offset) + Toy.branch(.bra, 9) + Toy.ldi(3, 0x0506_0700 + offset)
                + Toy.ret + Toy.nop
            for at in stride(from: 0, to: code.count + 3, by: 4) {
                let word = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(at + $1 < code.count ? code[at + $1] : 0) }
                p.load(4, .number(border - offset + UInt32(at)))
                p.load(3, .number(word))
                p.add(Toy.memory(.st32, 3, 4, 0))
            }
            for _ in 0..<3 {
                p.load(5, .number(border - offset))
                // A call of a register: the return address by hand.
                let back = p.newLabel()
                p.load(6, .label(back))
                p.add(Toy.jr(5), Toy.nop)
                p.label(back)
                p.add(Toy.pair(.mov, 1, 3))
                p.expect(2, .number(0x0102_0300 + offset), "the first instruction")
                p.expect(1, .number(0x0506_0700 + offset), "the delay slot")
            }
            p.exit(0)
            try folder.run(p, mode)
        }
    }

    /// A function changes itself and what lies in its page's other half, and a page that is not there ends it.
    @Test(arguments: EngineMode.all) func changedCodeIsSeen(_ mode: EngineMode) throws {
        let folder = try ToyFolder()
        var p = ToyProgram()
        map(&p, Self.base, 2 * 8192, 7)
        // At 4096 - 3: ldi r2, N, of which both halves of the page have a part; ret.
        let at = Self.base + 4096 - 3
        let code = Toy.ldi(2, 0) + Toy.ret + Toy.nop
        for (index, byte) in code.enumerated() {
            p.load(4, .number(at + UInt32(index)))
            p.load(3, .number(UInt32(byte)))
            p.add(Toy.memory(.st8, 3, 4, 0))
        }
        p.word("count", 100)
        p.word("sum", 0)
        p.label("loop")
        // The number becomes count * 0x01000001: its bytes lie on both sides.
        p.load(4, .label("count"))
        p.add(Toy.memory(.ld32, 3, 4, 0))
        p.load(2, 0x0100_0001)
        p.add(Toy.pair(.mul, 3, 2))
        p.load(4, .number(at + 2))
        p.add(Toy.memory(.st32, 3, 4, 0))
        p.load(5, .number(at))
        p.load(6, .label("back"))
        p.add(Toy.jr(5), Toy.nop)
        p.label("back")
        p.load(4, .label("sum"))
        p.add(Toy.memory(.ld32, 3, 4, 0), Toy.pair(.add, 3, 2), Toy.memory(.st32, 3, 4, 0))
        p.load(4, .label("count"))
        p.add(Toy.memory(.ld32, 3, 4, 0), Toy.addi(3, -1), Toy.memory(.st32, 3, 4, 0))
        p.load(2, 0)
        p.add(Toy.pair(.cmp, 3, 2))
        p.branch(.bne, "loop")
        p.expect(.ld32, .label("sum"), .number(5050 &* 0x0100_0001), "the sum of all numbers")
        // Another mapping in its place: its code is another.
        map(&p, Self.base, 8192, 7)
        p.load(4, .number(at))
        p.add(Toy.memory(.ld32, 2, 4, 0))
        p.load(3, 0)
        p.compare("a new mapping")
        p.call(.mprotect, .number(Self.base), 1, 3)
        p.load(5, .number(at))
        p.add(Toy.jr(5), Toy.nop)
        p.exit(0)
        let end = try folder.end(p, mode)
        #expect(end == "[signal \(SIGSEGV)]", "\(mode): \(end)")
    }
}
