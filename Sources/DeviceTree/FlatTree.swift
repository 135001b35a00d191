// Device trees as blobs, which firmware and kernels are handed: written and checked by libfdt.
//
// Source: Devicetree Specification 0.4, chapter 5.

import CFDT

/// What is wrong with a tree or a blob, as half a sentence.
public struct DeviceTreeError: Error, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }

    init(code: Int32) { self.init("libfdt says \(String(cString: fdt_strerror(code)))") }
}

/// A whole tree: what a blob holds.
public struct FlatTree {
    public var root: DeviceTreeNode
    /// Memory that the client program must leave alone: (start, size).
    public var reservations: [(start: UInt64, size: UInt64)] = []
    /// The hart that boots, by the number that its node has.
    public var bootHart: UInt32 = 0

    /// Bytes of a blob, at most: what is handed to a kernel is far smaller.
    public static let sizeLimit = 2 << 20
    /// Nodes in nodes, at most, the root counted.
    public static let depthLimit = 64

    public init(root: DeviceTreeNode) { self.root = root }
}

// MARK: Writing

extension FlatTree {
    /// The blob. Nodes that others refer to get phandles: those without one, the lowest free numbers in the tree's order.
    public func flattened() throws(DeviceTreeError) -> [UInt8] {
        let writer = Writer(handles: try handles())
        var size = 16 << 10
        while true {
            var blob = [UInt8](repeating: 0, count: size)
            let result = blob.withUnsafeMutableBytes { buffer -> Result<Int, DeviceTreeError> in
                do throws(DeviceTreeError) {
                    return .success(try writer.write(self, to: buffer))
                } catch { return .failure(error) }
            }
            switch result {
            case .success(let count): return Array(blob[..<count])
            case .failure(let error) where error != DeviceTreeError(code: -FDT_ERR_NOSPACE): throw error
            case .failure where size >= Self.sizeLimit:
                throw DeviceTreeError("the tree is larger than \(Self.sizeLimit >> 20) MiB")
            case .failure: size *= 2
            }
        }
    }

    /// The phandle of each node that has one or is referred to, once the tree is known to be no deeper than it may be.
    private func handles() throws(DeviceTreeError) -> [ObjectIdentifier: UInt32] {
        var nodes: [DeviceTreeNode] = []
        try Self.collect(root, depth: 1, into: &nodes)
        var handles: [ObjectIdentifier: UInt32] = [:]
        for node in nodes {
            if let handle = node.cells("phandle") ?? node.cells("linux,phandle"), handle.count == 1 {
                handles[ObjectIdentifier(node)] = handle[0]
            }
        }
        let taken = Set(handles.values)
        let there = Set(nodes.map { ObjectIdentifier($0) })
        var next: UInt32 = 1
        for node in nodes {
            for property in node.properties {
                guard case .cells(let cells) = property.value else { continue }
                for case .phandle(let target) in cells {
                    let id = ObjectIdentifier(target)
                    guard there.contains(id) else {
                        throw DeviceTreeError("\(property.name) of '\(node.name)' refers to a node outside the tree")
                    }
                    if handles[id] != nil { continue }
                    while taken.contains(next) { next += 1 }
                    handles[id] = next
                    next += 1
                }
            }
        }
        return handles
    }

    private static func collect(_ node: DeviceTreeNode, depth: Int, into nodes: inout [DeviceTreeNode])
        throws(DeviceTreeError)
    {
        if depth > depthLimit { throw DeviceTreeError("it has more than \(depthLimit) nodes in each other") }
        nodes.append(node)
        for child in node.children { try collect(child, depth: depth + 1, into: &nodes) }
    }

    private struct Writer {
        let handles: [ObjectIdentifier: UInt32]

        /// Returns the blob's size.
        func write(_ tree: FlatTree, to buffer: UnsafeMutableRawBufferPointer) throws(DeviceTreeError) -> Int {
            let blob = buffer.baseAddress!
            try check(fdt_create(blob, Int32(buffer.count)))
            for range in tree.reservations { try check(fdt_add_reservemap_entry(blob, range.start, range.size)) }
            try check(fdt_finish_reservemap(blob))
            try write(tree.root, to: blob)
            try check(fdt_finish(blob))
            fdt_set_boot_cpuid_phys(blob, tree.bootHart)
            return Int(fdt_totalsize_of(blob))
        }

        private func write(_ node: DeviceTreeNode, to blob: UnsafeMutableRawPointer) throws(DeviceTreeError) {
            try check(fdt_begin_node(blob, try checked(node.name)))
            for property in node.properties {
                let bytes = try bytes(property.value)
                try check(fdt_property(blob, try checked(property.name), bytes, Int32(bytes.count)))
            }
            if node["phandle"] == nil, node["linux,phandle"] == nil, let handle = handles[ObjectIdentifier(node)] {
                try check(fdt_property_u32(blob, "phandle", handle))
            }
            for child in node.children { try write(child, to: blob) }
            try check(fdt_end_node(blob))
        }

        private func bytes(_ value: DeviceTreeValue) throws(DeviceTreeError) -> [UInt8] {
            switch value {
            case .empty: return []
            case .bytes(let bytes): return bytes
            case .quads(let quads): return quads.flatMap { bigEndian($0) }
            case .cells(let cells):
                return cells.flatMap { cell in
                    switch cell {
                    case .value(let value): bigEndian(value)
                    case .phandle(let node): bigEndian(handles[ObjectIdentifier(node)] ?? 0)
                    }
                }
            case .strings(let strings):
                var bytes: [UInt8] = []
                for string in strings { bytes += Array(try checked(string).utf8) + [0] }
                return bytes
            }
        }

        /// Text that a NUL would cut.
        private func checked(_ text: String) throws(DeviceTreeError) -> String {
            if text.utf8.contains(0) { throw DeviceTreeError("a name or a string in it has a NUL") }
            return text
        }

        private func bigEndian<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
            withUnsafeBytes(of: value.bigEndian) { Array($0) }
        }

        private func check(_ code: Int32) throws(DeviceTreeError) {
            if code < 0 { throw DeviceTreeError(code: code) }
        }
    }
}

// MARK: Changing a blob in its place

extension FlatTree {
    /// Gives a property of a sound blob another value of the same length. False: there is no such property, or its length is another one.
    public static func replace(_ property: String, of path: String, in blob: inout [UInt8], with value: [UInt8]) -> Bool
    {
        blob.withUnsafeMutableBytes { bytes in
            guard let blob = bytes.baseAddress else { return false }
            let node = fdt_path_offset(blob, path)
            return node >= 0 && fdt_setprop_inplace(blob, node, property, value, Int32(value.count)) == 0
        }
    }
}

// MARK: Reading

extension FlatTree {
    /// Reads a blob, which may be anything: what is no sound tree is an error. Bytes after its end are left alone.
    public init(blob: [UInt8]) throws(DeviceTreeError) {
        if blob.count > Self.sizeLimit { throw DeviceTreeError("it is larger than \(Self.sizeLimit >> 20) MiB") }
        let result = blob.withUnsafeBytes { bytes -> Result<FlatTree, DeviceTreeError> in
            do throws(DeviceTreeError) { return .success(try Self.read(bytes)) } catch { return .failure(error) }
        }
        self = try result.get()
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws(DeviceTreeError) -> FlatTree {
        // An array's bytes lie at a multiple of 16, as libfdt wants it (8).
        guard let blob = bytes.baseAddress, bytes.count >= 40 else { throw DeviceTreeError("it is too short") }
        let code = fdt_check_full(blob, bytes.count)
        if code < 0 { throw DeviceTreeError(code: code) }
        // From here on every tag, name and property is known to lie in the blob.
        var open: [DeviceTreeNode] = []
        var root: DeviceTreeNode?
        // That of the node: the root's is 0.
        var depth: Int32 = -1
        var node = fdt_next_node(blob, -1, &depth)
        while node >= 0, depth >= 0 {
            if Int(depth) >= depthLimit {
                throw DeviceTreeError("it has more than \(depthLimit) nodes in each other")
            }
            var length: Int32 = 0
            guard let name = fdt_get_name(blob, node, &length) else { throw DeviceTreeError(code: length) }
            let made = DeviceTreeNode(depth == 0 ? "" : text(name, length))
            open.removeSubrange(min(Int(depth), open.count)...)
            if let parent = open.last { parent.add(made) } else if root == nil { root = made } else { break }
            open.append(made)
            var property = fdt_first_property_offset(blob, node)
            while property >= 0 {
                var name: UnsafePointer<CChar>?
                guard let value = fdt_getprop_by_offset(blob, property, &name, &length), let name else {
                    throw DeviceTreeError(code: length)
                }
                let bytes = UnsafeRawBufferPointer(start: value, count: Int(length))
                made.append(String(cString: name), length == 0 ? .empty : .bytes(Array(bytes)))
                property = fdt_next_property_offset(blob, property)
            }
            node = fdt_next_node(blob, node, &depth)
        }
        guard let root else { throw DeviceTreeError("it has no root") }
        var tree = FlatTree(root: root)
        tree.bootHart = fdt_boot_cpuid_phys_of(blob)
        for index in 0..<max(0, fdt_num_mem_rsv(blob)) {
            var start: UInt64 = 0
            var size: UInt64 = 0
            if fdt_get_mem_rsv(blob, index, &start, &size) == 0 { tree.reservations.append((start, size)) }
        }
        return tree
    }

    private static func text(_ start: UnsafePointer<CChar>, _ length: Int32) -> String {
        String(decoding: UnsafeRawBufferPointer(start: start, count: Int(length)), as: UTF8.self)
    }
}
