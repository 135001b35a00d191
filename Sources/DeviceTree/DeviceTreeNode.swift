// A device tree as a program builds and changes it: nodes with properties in the order in which they were added.
//
// Source: Devicetree Specification 0.4, chapter 2.

/// 32 bits of a property.
public enum DeviceTreeCell: ExpressibleByIntegerLiteral {
    case value(UInt32)
    /// The number by which a node is referred to. Nodes get theirs when the tree is flattened.
    case phandle(DeviceTreeNode)

    public init(integerLiteral value: UInt32) { self = .value(value) }
}

/// What a property holds. A tree that was read from a blob holds bytes only: nothing there tells their type.
public enum DeviceTreeValue {
    /// The property is there: that is what it says.
    case empty
    case cells([DeviceTreeCell])
    /// Each is two cells, the upper half first: addresses and sizes where #address-cells and #size-cells are 2.
    case quads([UInt64])
    case strings([String])
    case bytes([UInt8])

    public static func string(_ text: String) -> DeviceTreeValue { .strings([text]) }
    public static func cell(_ value: UInt32) -> DeviceTreeValue { .cells([.value(value)]) }
    public static func phandle(_ node: DeviceTreeNode) -> DeviceTreeValue { .cells([.phandle(node)]) }
}

/// A node. Names are taken as they are; flattening refuses those that no blob can hold.
public final class DeviceTreeNode {
    public struct Property {
        public let name: String
        public var value: DeviceTreeValue
    }

    /// With the unit address, as `serial@10000000`. The root has none.
    public let name: String
    public private(set) var properties: [Property] = []
    public private(set) var children: [DeviceTreeNode] = []

    public init(_ name: String = "") { self.name = name }

    /// A name with the unit address that the manual wants: in hexadecimal without leading zeros.
    public convenience init(_ name: String, at address: UInt64) {
        self.init("\(name)@\(String(address, radix: 16))")
    }

    /// The first property of this name. Setting keeps its place; nil removes it.
    public subscript(_ name: String) -> DeviceTreeValue? {
        get { properties.first { $0.name == name }?.value }
        set {
            let index = properties.firstIndex { $0.name == name }
            switch (index, newValue) {
            case (let index?, let value?): properties[index].value = value
            case (let index?, nil): properties.remove(at: index)
            case (nil, let value?): properties.append(Property(name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    @discardableResult public func add(_ child: DeviceTreeNode) -> DeviceTreeNode {
        children.append(child)
        return child
    }

    public func removeChildren(where isUnwanted: (DeviceTreeNode) -> Bool) { children.removeAll(where: isUnwanted) }

    /// The child of this name, with or without its unit address where the name asked for has none.
    public func child(_ name: String) -> DeviceTreeNode? {
        children.first { $0.name == name } ?? children.first { $0.name.prefix { $0 != "@" } == name }
    }

    /// The child of this name, which is made when there is none.
    public func childMade(_ name: String) -> DeviceTreeNode { child(name) ?? add(DeviceTreeNode(name)) }

    /// The node at a path such as `/soc/serial@10000000`, from this one on.
    public func find(_ path: String) -> DeviceTreeNode? {
        path.split(separator: "/").reduce(self as DeviceTreeNode?) { $0?.child(String($1)) }
    }

    /// For reading a tree: appends without looking for the name.
    func append(_ name: String, _ value: DeviceTreeValue) { properties.append(Property(name: name, value: value)) }
}

extension DeviceTreeNode {
    /// The property as cells; nil when it is absent, of no whole cells, or refers to nodes.
    public func cells(_ name: String) -> [UInt32]? {
        switch self[name] {
        case .cells(let cells):
            let values = cells.compactMap { if case .value(let value) = $0 { value } else { nil } }
            return values.count == cells.count ? values : nil
        case .quads(let quads): return quads.flatMap { [UInt32($0 >> 32), UInt32(truncatingIfNeeded: $0)] }
        case .bytes(let bytes) where bytes.count % 4 == 0:
            return stride(from: 0, to: bytes.count, by: 4).map { at in
                bytes[at..<at + 4].reduce(0) { $0 << 8 | UInt32($1) }
            }
        case .empty: return []
        default: return nil
        }
    }

    /// The property as text, without the NUL at its end.
    public func text(_ name: String) -> String? {
        switch self[name] {
        case .strings(let strings): strings.first
        case .bytes(let bytes) where bytes.last == 0: String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        default: nil
        }
    }
}
