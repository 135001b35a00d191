// Samples as a tree of calls: what the flame graph draws and the folded text lists.

import ExecutionEngine

/// One frame of the tree. Children come in the order in which they were met.
struct CallNode {
    var name: String
    var file: String
    /// Periods of samples in this frame itself, and in it and all it called.
    var own = 0
    var total = 0
    var children: [Int] = []
}

struct CallTree {
    /// Node 0 is the root: the whole profile.
    private(set) var nodes: [CallNode]
    private struct Edge: Hashable {
        var parent: Int
        var function: GuestFunction
    }
    private var edges: [Edge: Int] = [:]

    init(root: String) { nodes = [CallNode(name: root, file: "")] }

    /// Adds a stack, outermost frame first.
    mutating func add(_ stack: [GuestFunction], periods: Int) {
        var at = 0
        nodes[0].total += periods
        for function in stack {
            at = child(of: at, function)
            nodes[at].total += periods
        }
        nodes[at].own += periods
    }

    private mutating func child(of parent: Int, _ function: GuestFunction) -> Int {
        let edge = Edge(parent: parent, function: function)
        if let index = edges[edge] { return index }
        nodes.append(CallNode(name: function.name, file: function.file))
        edges[edge] = nodes.count - 1
        nodes[parent].children.append(nodes.count - 1)
        return nodes.count - 1
    }

    /// Children by name: flame graphs of two runs look alike.
    func sortedChildren(_ node: Int) -> [Int] {
        nodes[node].children.sorted { (nodes[$0].name, nodes[$0].file) < (nodes[$1].name, nodes[$1].file) }
    }

    /// One line a stack: frames separated by semicolons, outermost first, and the periods. The form that flame graph tools read.
    var folded: String {
        var text = ""
        var pending: [(node: Int, path: String)] = [(0, Self.frame(nodes[0].name))]
        while let (node, path) = pending.popLast() {
            if nodes[node].own > 0 { text += "\(path) \(nodes[node].own)\n" }
            for child in sortedChildren(node).reversed() {
                pending.append((child, path + ";" + Self.frame(nodes[child].name)))
            }
        }
        return text
    }

    /// By byte: a newline may be part of a larger character.
    private static func frame(_ name: String) -> String {
        let (semicolon, newline, colon) = (UInt8(ascii: ";"), UInt8(ascii: "\n"), UInt8(ascii: ":"))
        return String(decoding: name.utf8.map { $0 == semicolon || $0 == newline ? colon : $0 }, as: UTF8.self)
    }
}
