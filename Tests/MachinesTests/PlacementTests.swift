// Where a boot's parts go: as QEMU has them, never over each other, and an error that says how much RAM would do.

import TestSupport
import Testing

@testable import Machines

private let base: UInt64 = 0x8000_0000

private func contents(kernel: UInt64 = 30 << 20, initrd: UInt64? = 1 << 20, tree: UInt64 = 4096) -> BootContents {
    var contents = BootContents()
    contents.fixed = [("firmware", base, 0x4_2c00)]
    contents.firmwareEnd = base + 0x4_2c00
    contents.kernel = ("kernel", kernel)
    contents.initrd = initrd.map { ("initrd", $0) }
    contents.treeSize = tree
    return contents
}

@Suite struct PlacementTests {
    /// Addresses that qemu-system-riscv64 10.0.13 has chosen for the same: kernel and initrd in `/chosen`, the tree in the ROM.
    @Test(
        arguments: [
            (64 << 20, 0x8220_0000, 0x83e0_0000), (512 << 20, 0x9020_0000, 0x9fe0_0000),
            (5 << 30, 0xa020_0000, 0x1_bfe0_0000),
        ] as [(UInt64, UInt64, UInt64)])
    func addressesAreQEMUs(ram: UInt64, initrd: UInt64, tree: UInt64) throws {
        let layout = try BootLayout(contents(), ramBase: base, ramSize: ram)
        #expect(layout.kernel == 0x8020_0000 && layout.initrd == initrd && layout.tree == tree)
    }

    @Test func kernelsOf32BitsAreAlignedTo4MiBAndTheTreeIsBelow3GiB() throws {
        var contents = contents()
        contents.width = .bits32
        let layout = try BootLayout(contents, ramBase: base, ramSize: 2 << 30)
        #expect(layout.kernel == 0x8040_0000 && layout.tree == 0xbfe0_0000)
    }

    @Test func withoutFirmwareTheKernelIsWhereRAMBegins() throws {
        var contents = contents()
        contents.fixed = []
        contents.firmwareEnd = nil
        #expect(try BootLayout(contents, ramBase: base, ramSize: 128 << 20).kernel == base)
    }

    @Test func theLeastRAMIsEnoughAndLessIsNot() throws {
        for mebibytes in UInt64(1)...64 {
            let ram = mebibytes << 20
            guard (try? BootLayout(contents(), ramBase: base, ramSize: ram)) == nil else { continue }
            let least = try #require(BootLayout.leastRAM(for: contents(), ramBase: base, above: ram))
            _ = try BootLayout(contents(), ramBase: base, ramSize: least << 20)
            if least - 1 > mebibytes {
                #expect(throws: (any Error).self) {
                    try BootLayout(contents(), ramBase: base, ramSize: (least - 1) << 20)
                }
            }
        }
    }

    @Test func whatNoRAMWouldHoldHasNoLeastRAM() {
        var contents = contents()
        contents.fixed.append(("loader", base, 16))
        #expect(BootLayout.leastRAM(for: contents, ramBase: base, above: 1 << 20) == nil)
        contents.fixed = [("loader", 0, 16)]
        #expect(BootLayout.leastRAM(for: contents, ramBase: base, above: 1 << 20) == nil)
    }

    /// Whatever the sizes are: either there is an error, or all lie in RAM, disjoint, in order and aligned.
    @Test(.seeded(11)) func randomSizesAreDisjointOrRefused() {
        var random = SeededRandom(seed: Seed.current)
        func size() -> UInt64 { random.next() >> UInt64(random.below(64)) }
        var placed = 0
        for _ in 0..<Rounds.count(20_000) {
            var contents = BootContents()
            contents.width = random.below(2) == 0 ? .bits32 : .bits64
            if random.below(3) > 0 {
                let start = random.below(4) == 0 ? size() : base
                let firmware = size() >> 20
                contents.fixed.append(("firmware", start, firmware))
                contents.firmwareEnd = start &+ firmware
            }
            if random.below(3) > 0 { contents.kernel = ("kernel", size() >> 16) }
            if random.below(8) == 0 { contents.kernelStart = size() }
            if random.below(3) > 0 { contents.initrd = ("initrd", size() >> 16) }
            if random.below(3) == 0 { contents.fixed.append(("loader", base &+ size() >> 16, size() >> 24)) }
            contents.treeSize = 1 + size() >> 44
            let ram = size()
            guard let layout = try? BootLayout(contents, ramBase: base, ramSize: ram) else { continue }
            placed += 1
            let ranges = layout.placement.ranges
            for range in ranges {
                #expect(range.start >= base && range.size <= ram && range.start - base <= ram - range.size)
            }
            for (low, high) in zip(ranges, ranges.dropFirst()) { #expect(low.start + low.size <= high.start) }
            #expect(layout.tree % (2 << 20) == 0)
        }
        #expect(placed > 1000)
    }
}
