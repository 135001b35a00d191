import HostOS
import LinuxABI
import TestSupport
import Testing

/// Conversions between riscv64, riscv32, the host, and a big-endian ABI of 32 bits that does not exist.
@Suite struct StructLayoutTests {
    private static let big = bigEndian(.flock64)

    /// riscv32's layout with the bytes of each number the other way round.
    private static func bigEndian(_ id: StructID) -> StructLayout? {
        LinuxTable.riscv32.layout(id).map { layout in
            StructLayout(size: layout.size, fields: (0..<layout.count).map { layout[$0] }, word: 4, order: .big)
        }
    }

    /// A structure of one field at offset 4 of 8 or 16 bytes.
    private func one(_ size: Int, _ kind: StructField.Kind, word: Int = 4, _ order: ByteOrder = .big) -> StructLayout {
        StructLayout(
            size: 4 + size, fields: [StructField(offset: 4, size: size, kind: kind)], word: word, order: order)
    }

    private func convert(_ bytes: [UInt8], _ from: StructLayout, _ to: StructLayout) -> (bytes: [UInt8], fits: Bool) {
        var target = [UInt8](repeating: 0xaa, count: to.size)
        do throws(Errno) {
            try StructConversion(guest: to, host: from).toGuest(bytes, &target)
            return (target, true)
        } catch {
            return (target, false)
        }
    }

    @Test func theTablesHaveTheLayoutsOfTheKernel() throws {
        let riscv = try #require(LinuxTable.riscv64.layout(.stat)), x64 = try #require(LinuxTable.x86_64.layout(.stat))
        #expect(riscv.size == 128 && x64.size == 144)
        #expect(riscv[FieldIndex.stat.st_nlink] == StructField(offset: 20, size: 4, kind: .checkedUnsigned))
        #expect(x64[FieldIndex.stat.st_nlink] == StructField(offset: 16, size: 8, kind: .checkedUnsigned))
        #expect(LinuxTable.riscv32.layout(.stat64) != nil)
        #expect(LinuxTable.riscv64.layout(.stat64) == nil)
        #expect(try #require(LinuxTable.x86_64.layout(.epoll_event)).size == 12)
        let action = LinuxGuestABI.riscv64.signalAction
        #expect(action.size == 24 && action.mask == 16 && action.restorer == nil)
    }

    @Test func whatIsTheSameOnBothSidesIsKnownToBe() throws {
        for id in [
            StructID.statfs, .statx, .flock, .timespec, .rusage, .msghdr, .sysinfo, .termios, .siginfo, .rlimit, .timex,
        ] {
            #expect(try #require(StructConversion(.riscv64, id)).isIdentical, "\(id)")
        }
        for id in [StructID.stat, .epoll_event, .semid, .loop_info, .sigaction] {
            #expect(!(try #require(StructConversion(.riscv64, id)).isIdentical), "\(id)")
        }
        for id in [StructID.timespec64, .flock64, .statx, .clone_args] {
            #expect(LinuxTable.riscv32.layout(id) != nil, "\(id)")
        }
        let small = try #require(StructConversion(.riscv32, .timespec))
        #expect(!small.isIdentical && small.guest.size == 8)
    }

    @Test func numbersAreExtendedBySignAndSwapped() {
        let signed = one(4, .signed), unsigned = one(4, .unsigned)
        let wide = one(8, .signed, word: 8, .little)
        let bytes: [UInt8] = [9, 9, 9, 9, 0xff, 0xff, 0xff, 0xfe]
        #expect(convert(bytes, signed, wide).bytes == [0, 0, 0, 0, 0xfe] + [UInt8](repeating: 0xff, count: 7))
        #expect(convert(bytes, unsigned, wide).bytes == [0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0, 0, 0, 0])
        #expect(
            convert([0, 0, 0, 0, 0x80, 1], one(2, .signed), one(4, .signed)).bytes.suffix(4) == [0xff, 0xff, 0x80, 1])
        // Pointers have no sign.
        #expect(convert(bytes, one(4, .pointer), one(8, .pointer, word: 8, .little)).bytes.suffix(4) == [0, 0, 0, 0])
    }

    @Test func numbersThatDoNotFitAreCutOrReported() {
        func wide(_ value: UInt64, _ kind: StructField.Kind, to: StructField.Kind) -> (UInt32, Bool) {
            let from = one(8, kind, word: 8, .little), target = one(4, to)
            var bytes = [UInt8](repeating: 0, count: 12)
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: 4, as: UInt64.self) }
            let result = convert(bytes, from, target)
            return (UInt32(truncatingIfNeeded: target.load(0, result.bytes)), result.fits)
        }
        #expect(wide(0x1_0000_0005, .unsigned, to: .unsigned) == (5, true))
        #expect(wide(0x1_0000_0005, .checkedUnsigned, to: .checkedUnsigned) == (5, false))
        #expect(wide(0xffff_ffff, .checkedUnsigned, to: .checkedUnsigned) == (0xffff_ffff, true))
        #expect(wide(0x8000_0000, .checkedSigned, to: .checkedSigned) == (0x8000_0000, false))
        #expect(wide(UInt64(bitPattern: -5), .checkedSigned, to: .checkedSigned) == (UInt32(bitPattern: -5), true))
        #expect(wide(.max, .checkedOrNone, to: .checkedOrNone) == (.max, true))
        #expect(wide(.max - 1, .checkedOrNone, to: .checkedOrNone).1 == false)
    }

    @Test func aFileTooLargeForTheGuestIsAnOverflow() throws {
        let host = try #require(LinuxTable.x86_64.layout(.stat))
        let guest = StructLayout(
            size: 64,
            fields: (0..<host.count).map { StructField(offset: 4 * $0, size: 4, kind: host[$0].kind) }, word: 4,
            order: .big)
        let conversion = StructConversion(guest: guest, host: host)
        var bytes = [UInt8](repeating: 0, count: host.size), target = [UInt8](repeating: 0, count: guest.size)
        host.store(0x7fff_ffff, FieldIndex.stat.st_size, &bytes)
        host.store(0x1_0000_0003, FieldIndex.stat.st_atime, &bytes)  // silently cut, as in Linux
        try conversion.toGuest(bytes, &target)
        #expect(guest.load(FieldIndex.stat.st_atime, target) == 3)
        host.store(0x8000_0000, FieldIndex.stat.st_size, &bytes)
        #expect(throws: Errno.overflow) { try conversion.toGuest(bytes, &target) }
    }

    @Test func signalSetsKeepTheirSignals() {
        let host = one(8, .signalSet, word: 8, .little), set: [UInt8] = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        #expect(convert(set, host, one(8, .signalSet)).bytes.suffix(8) == [4, 3, 2, 1, 8, 7, 6, 5])
        #expect(convert(set, host, one(8, .signalSet, word: 8)).bytes.suffix(8) == [8, 7, 6, 5, 4, 3, 2, 1])
        #expect(
            convert(set, host, one(16, .signalSet)).bytes.suffix(12) == [8, 7, 6, 5] + [UInt8](repeating: 0, count: 8))
        #expect(convert(convert(set, host, one(16, .signalSet)).bytes, one(16, .signalSet), host).bytes == set)
        #expect(!one(8, .signalSet).isIdentical(to: one(8, .signalSet, word: 8)))
    }

    @Test func rawBytesAreNotSwapped() {
        let bytes: [UInt8] = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        #expect(convert(bytes, one(8, .raw), one(8, .raw, word: 8, .little)).bytes == bytes)
        #expect(convert(bytes, one(8, .opaque), one(8, .opaque, word: 8, .little)).bytes == bytes)
    }

    @Test(.seeded(41)) func randomStructuresComeBackFromTheHost() {
        var random = SeededRandom(seed: Seed.current)
        for id in StructID.allCases where id != .siginfo {  // a union: its fields lie over each other
            let hostID: StructID =
                switch id {
                case .stat64: .stat
                case .statfs64: .statfs
                case .flock64: .flock
                default: id
                }
            guard let host = LinuxTable.x86_64.layout(hostID) else { continue }
            for guest in [LinuxTable.riscv64.layout(id), LinuxTable.riscv32.layout(id), Self.bigEndian(id)] {
                guard let guest else { continue }
                for _ in 0..<Rounds.count(50) {
                    var original = [UInt8](repeating: 0, count: guest.size)
                    for index in 0..<guest.count where host[index].size >= guest[index].size || guest[index].size > 8 {
                        let field = guest[index]
                        if host[index].size == 0 { continue }
                        if field.size <= 8 && field.kind != .raw && field.kind != .opaque {
                            let edges: [UInt64] = [0, 1, .max, 1 << 31, 1 << 63, 0x7fff_ffff]
                            guest.store(random.below(3) == 0 ? edges[random.below(6)] : random.next(), index, &original)
                        } else {
                            for at in field.offset..<field.offset + min(field.size, host[index].size) {
                                original[at] = UInt8(truncatingIfNeeded: random.next())
                            }
                        }
                    }
                    let there = convert(original, guest, host)
                    let back = convert(there.bytes, host, guest)
                    #expect(there.fits && back.fits, "\(id)")
                    #expect(back.bytes == original, "\(id) word \(guest.word) \(guest.order)")
                }
            }
        }
    }
}
