// Device trees against those of QEMU, node by node. `./devtool payloads` fetches the QEMU; without it these tests do nothing.

import DeviceTree
import TestSupport
import Testing

@testable import Machines

/// Nodes that only QEMU's tree has, because the device does not exist here yet, and the reason.
private let absent: [(prefix: String, reason: String)] = [
    ("/platform-bus@", "the platform bus: no devices are added by hand"), ("/pmu", "event counters"),
]
/// Properties whose cells are references, and how many cells apart.
private let references = ["interrupt-parent": 1, "interrupts-extended": 2, "regmap": 1, "cpu": 1, "interrupt-map": 6]
/// Where the first of them is, if not at the beginning.
private let firstReference = ["interrupt-map": 4]

/// Each property of each node by its path. References are the paths that they lead to; phandles themselves are left out.
private func properties(_ tree: FlatTree) -> [String: String] {
    var paths: [UInt32: String] = [:]
    func walk(_ node: DeviceTreeNode, _ path: String, _ visit: (DeviceTreeNode, String) -> Void) {
        visit(node, path)
        for child in node.children { walk(child, path + "/" + child.name, visit) }
    }
    walk(tree.root, "") { node, path in
        if let handle = node.cells("phandle")?.first { paths[handle] = path }
    }
    var found: [String: String] = [:]
    walk(tree.root, "") { node, path in
        found[path + "/"] = "node"
        for property in node.properties where property.name != "phandle" {
            let cells = node.cells(property.name)
            var text = "\(property.value)"
            if let stride = references[property.name], let cells {
                let first = firstReference[property.name] ?? 0
                text = cells.enumerated().map {
                    $0.offset % stride == first ? paths[$0.element] ?? "?" : "\($0.element)"
                }.joined(separator: " ")
            }
            found[path + "/" + property.name] = text
        }
    }
    return found
}

struct TreeCase: CustomTestStringConvertible, Sendable {
    var machine: MachineDescription
    var option: String
    var width = HartWidth.bits64
    var harts = 1
    var testDescription: String { "\(option), \(width.rawValue) bits, \(harts) harts" }
}

@Suite struct QEMUTreeTests {
    @Test(
        .enabled(if: Payloads.have("qemu-system-riscv64"), "./devtool payloads fetches QEMU"),
        arguments: [
            TreeCase(machine: .virt(), option: "virt"), TreeCase(machine: .virt(), option: "virt", harts: 4),
            TreeCase(machine: .virt(), option: "virt", width: .bits32, harts: 2),
            TreeCase(machine: .virt(aclint: true), option: "virt,aclint=on", harts: 2),
            TreeCase(machine: .spike, option: "spike", harts: 2),
        ])
    func theTreeIsQEMUs(tree: TreeCase) throws {
        let folder = try TemporaryFolder("tree")
        let dump = folder.path + "/dump"
        let run = try runProcess(
            "\(Payloads.folder)/qemu-system-riscv\(tree.width.rawValue)",
            ["-M", "\(tree.option),dumpdtb=\(dump)", "-m", "96M", "-smp", "\(tree.harts)", "-display", "none"])
        try #require(run.exit == 0, "\(run.errorText)")
        let theirs = try FlatTree(blob: try #require(readFile(dump)))
        // The harts are QEMU's: what they are is not the machine's business.
        let node = try #require(theirs.root.find("/cpus/cpu@0"))
        guard case .bytes(let extensions)? = node["riscv,isa-extensions"] else {
            Issue.record("no extensions")
            return
        }
        let blocks = ["cbop", "cboz", "cbom"].compactMap { name in
            node.cells("riscv,\(name)-block-size").map { (name: name, size: $0[0]) }
        }
        let hart = HartShape(
            width: tree.width, extensions: extensions.split(separator: 0).map { String(decoding: $0, as: UTF8.self) },
            paging: node.text("mmu-type").flatMap { Int($0.dropFirst("riscv,sv".count)) }, cacheBlocks: blocks)
        let shape = MachineShape(hart: hart, hartCount: tree.harts, ramSize: 96 << 20)
        let ours = try FlatTree(blob: FlatTree(root: tree.machine.deviceTree(for: shape)).flattened())
        let expected = properties(theirs).filter { path, _ in
            !absent.contains { path.hasPrefix($0.prefix) } && path != "/chosen/rng-seed"
        }
        let actual = properties(ours)
        try #require(expected.count > 40)
        for path in Set(expected.keys).union(actual.keys).sorted() {
            #expect(actual[path] == expected[path], "\(path)")
        }
    }
}
