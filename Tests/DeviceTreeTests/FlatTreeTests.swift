// Device trees: what is written is read back, and what is no sound tree is refused.

import DeviceTree
import TestSupport
import Testing

private func example() -> DeviceTreeNode {
    let root = DeviceTreeNode()
    root["compatible"] = .strings(["acme,board", "acme,family"])
    let controller = DeviceTreeNode("interrupt-controller", at: 0xc00_0000)
    controller["interrupt-controller"] = .empty
    let serial = root.add(DeviceTreeNode("serial", at: 0x1000_0000))
    serial["reg"] = .quads([0x1_2345_6789, 0x100])
    serial["interrupt-parent"] = .phandle(controller)
    serial["interrupts-extended"] = .cells([.phandle(controller), 10, .phandle(root.add(DeviceTreeNode("cpu"))), 11])
    serial["local-mac-address"] = .bytes([1, 2, 3, 4, 5, 6])
    root.add(controller)
    return root
}

@Suite struct FlatTreeTests {
    @Test func aTreeIsReadBackAsItWasWritten() throws {
        var tree = FlatTree(root: example())
        tree.reservations = [(0x8000_0000, 0x4_0000)]
        tree.bootHart = 3
        let blob = try tree.flattened()
        let read = try FlatTree(blob: blob)
        #expect(read.bootHart == 3)
        #expect(read.reservations.map(\.start) == [0x8000_0000] && read.reservations.map(\.size) == [0x4_0000])
        #expect(read.root.properties.map(\.name) == ["compatible"])
        #expect(read.root.children.map(\.name) == ["serial@10000000", "cpu", "interrupt-controller@c000000"])
        let serial = try #require(read.root.find("/serial"))
        #expect(serial.cells("reg") == [1, 0x2345_6789, 0, 0x100])
        // In the order in which they are referred to.
        #expect(serial.cells("interrupt-parent") == [1])
        #expect(serial.cells("interrupts-extended") == [1, 10, 2, 11])
        #expect(read.root.find("/interrupt-controller@c000000")?.cells("phandle") == [1])
        #expect(read.root.find("/interrupt-controller")?.cells("interrupt-controller") == [])
        // Bytes of an unknown type make the same blob again.
        #expect(try read.flattened() == blob)
    }

    @Test func aPropertyIsReplacedByOneOfItsSize() throws {
        var blob = try FlatTree(root: example()).flattened()
        let size = blob.count
        #expect(FlatTree.replace("reg", of: "/serial@10000000", in: &blob, with: [UInt8](repeating: 1, count: 16)))
        #expect(!FlatTree.replace("reg", of: "/serial@10000000", in: &blob, with: [1]))
        #expect(!FlatTree.replace("reg", of: "/none", in: &blob, with: [1]))
        #expect(!FlatTree.replace("none", of: "/cpu", in: &blob, with: [1]))
        let cells = try FlatTree(blob: blob).root.find("/serial")?.cells("reg")
        #expect(blob.count == size && cells == [UInt32](repeating: 0x0101_0101, count: 4))
    }

    @Test func phandlesThatAreThereAlreadyAreKept() throws {
        let root = DeviceTreeNode()
        let old = root.add(DeviceTreeNode("old")), new = root.add(DeviceTreeNode("new"))
        old["phandle"] = .cell(1)
        root["both"] = .cells([.phandle(new), .phandle(old)])
        let read = try FlatTree(blob: FlatTree(root: root).flattened())
        #expect(read.root.cells("both") == [2, 1])
    }

    @Test func whatNoBlobCanHoldIsRefused() {
        let stranger = DeviceTreeNode()
        stranger["other"] = .phandle(DeviceTreeNode("elsewhere"))
        #expect(throws: DeviceTreeError.self) { try FlatTree(root: stranger).flattened() }
        let cut = DeviceTreeNode()
        cut["text"] = .string("a\0b")
        #expect(throws: DeviceTreeError.self) { try FlatTree(root: cut).flattened() }
        let large = DeviceTreeNode()
        large["all"] = .bytes([UInt8](repeating: 0, count: FlatTree.sizeLimit))
        #expect(throws: DeviceTreeError.self) { try FlatTree(root: large).flattened() }
    }

    @Test(arguments: [0, 1]) func depthIsLimited(beyond: Int) throws {
        func chain(_ depth: Int) -> DeviceTreeNode {
            let root = DeviceTreeNode()
            var node = root
            for _ in 1..<depth { node = node.add(DeviceTreeNode("n")) }
            return root
        }
        if beyond == 0 {
            let blob = try FlatTree(root: chain(FlatTree.depthLimit)).flattened()
            _ = try FlatTree(blob: blob)
        } else {
            #expect(throws: DeviceTreeError.self) { try FlatTree(root: chain(FlatTree.depthLimit + 1)).flattened() }
            #expect(throws: DeviceTreeError.self) { try FlatTree(blob: deepBlob(FlatTree.depthLimit + 1)) }
            #expect(throws: DeviceTreeError.self) { try FlatTree(blob: deepBlob(100_000)) }
        }
    }

    /// A sound blob of nodes without properties, each in the one before it.
    private func deepBlob(_ depth: Int) -> [UInt8] {
        func word(_ value: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(value).bigEndian) { Array($0) } }
        let nodes = (word(1) + word(0)) + (0..<depth - 1).flatMap { _ in word(1) + Array("n\0\0\0".utf8) }
        let structure = nodes + (0..<depth).flatMap { _ in word(2) } + word(9)
        // The header, an empty list of reservations, the structure; no strings.
        let start = 40 + 16
        let end = start + structure.count
        let header = [0xd00d_feed, end, start, end, 40, 17, 16, 0, 0, structure.count].flatMap(word)
        return header + [UInt8](repeating: 0, count: 16) + structure
    }

    @Test func everyCutOfABlobIsRefused() throws {
        let blob = try FlatTree(root: example()).flattened()
        for count in 0..<blob.count {
            #expect(throws: DeviceTreeError.self) { try FlatTree(blob: Array(blob[..<count])) }
        }
    }

    /// A changed blob is refused, or read as the tree that it then is: writing that and reading it again gives the same.
    @Test(.seeded(7)) func randomChangesOfABlobAreRefusedOrRead() throws {
        let blob = try FlatTree(root: example()).flattened()
        var random = SeededRandom(seed: Seed.current)
        var isRead = 0
        for _ in 0..<Rounds.count(3000) {
            var changed = blob
            for _ in 0...random.below(3) { changed[random.below(blob.count)] = UInt8(random.below(256)) }
            guard let tree = try? FlatTree(blob: changed), let again = try? tree.flattened() else { continue }
            isRead += 1
            #expect(try FlatTree(blob: again).flattened() == again)
        }
        #expect(isRead > 0)
    }
}
