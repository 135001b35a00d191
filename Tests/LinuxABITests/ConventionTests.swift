import LinuxABI
import Testing

@Suite struct ConventionTests {
    private func list(_ joined: InlineArray<6, UInt64>) -> [UInt64] { (0..<6).map { joined[$0] } }

    @Test func wideArgumentsTakeTwoRegisters() {
        // pread64(fd, buffer, count, offset)
        let words: [UInt32] = [3, 0x1000, 16, 0x89ab_cdef, 0x0123_4567]
        #expect(
            list(Convention.PairRule.unaligned.join(words, wide: 0b1000, order: .little))
                == [3, 0x1000, 16, 0x0123_4567_89ab_cdef, 0, 0])
        let padded: [UInt32] = [3, 0x1000, 16, 0xdead, 0x0123_4567, 0x89ab_cdef]
        #expect(
            list(Convention.PairRule.aligned.join(padded, wide: 0b1000, order: .big))
                == [3, 0x1000, 16, 0x0123_4567_89ab_cdef, 0, 0])
        // sync_file_range(fd, offset, count, flags): the seventh word
        #expect(
            list(Convention.PairRule.aligned.join([5, 0, 1, 0, 2, 0, 7], wide: 0b110, order: .little)) == [
                5, 1, 2, 7, 0, 0,
            ])
    }

    @Test func cloneHasFourOrders() {
        let wanted = CloneArguments(flags: 1, stack: 2, parentTID: 3, childTID: 4, tls: 5)
        #expect(Convention.CloneOrder.childBeforeTLS.arguments(1, 2, 3, 4, 5, 0) == wanted)
        #expect(Convention.CloneOrder.childAfterTLS.arguments(1, 2, 3, 5, 4, 0) == wanted)
        #expect(Convention.CloneOrder.stackFirst.arguments(2, 1, 3, 4, 5, 0) == wanted)
        #expect(Convention.CloneOrder.withSize.arguments(1, 2, 0, 3, 4, 5) == wanted)
        #expect(Convention.riscv64.clone == .childAfterTLS && Convention.riscv32.pairs == .unaligned)
    }
}
