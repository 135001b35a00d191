// What can be chosen about a device: `-device NAME,KEY=VALUE,...`. From the rows come parsing, defaults, errors and help.

import Diagnostics
import Options

public enum PropertyKind: Sendable {
    case flag
    case number(ClosedRange<UInt64>)
    /// A number, or none: nothing, or -1.
    case numberOrNone(ClosedRange<UInt64>)
    case text
    case choice([String])
    /// The identifier of a drive.
    case drive
    /// The identifier of a network back end.
    case network
    /// The identifier of a folder of the host's.
    case share
    /// The identifier of an object that gives random bytes.
    case entropy
    /// The identifier of an object that is a thread with a loop.
    case thread
    /// The identifier of a character device.
    case character
    /// An address of Ethernet: six bytes in hexadecimal digits.
    case mac
}

public struct Property: Sendable {
    public let name: String
    public let kind: PropertyKind
    /// As it would be written.
    public let standard: String
    public let help: String

    public init(_ name: String, _ kind: PropertyKind, _ standard: String, _ help: String) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.help = help
    }

    /// Of devices that can be booted from.
    public static let bootIndex = Property(
        "bootindex", .numberOrNone(0...UInt64(Int32.max)), "",
        "its place in the order in which firmware tries to boot, from 0 on")

    /// What may stand behind `=`.
    public var form: String {
        switch kind {
        case .flag: "on|off"
        case .number(let range), .numberOrNone(let range):
            range.upperBound == .max ? "number" : "\(range.lowerBound)..\(range.upperBound)"
        case .text: "text"
        case .choice(let names): names.joined(separator: "|")
        case .drive: "drive"
        case .network: "netdev"
        case .share: "fsdev"
        case .entropy, .thread: "object"
        case .character: "chardev"
        case .mac: "52:54:00:12:34:56"
        }
    }

    fileprivate func parse(_ text: String) -> PropertyValue? {
        switch kind {
        case .flag:
            ["on": true, "true": true, "yes": true, "off": false, "false": false, "no": false][text].map { .flag($0) }
        case .number(let range): parseNumber(text.utf8).flatMap { range.contains($0) ? .number($0) : nil }
        case .numberOrNone(let range):
            text.isEmpty || text == "-1"
                ? .text("") : parseNumber(text.utf8).flatMap { range.contains($0) ? .number($0) : nil }
        case .text, .drive, .network, .share, .entropy, .thread, .character: .text(text)
        case .mac: text.isEmpty || macAddress(text) != nil ? .text(text) : nil
        case .choice(let names): names.contains(text) ? .text(text) : nil
        }
    }
}

/// The six bytes of an address of Ethernet; nil: it is none.
public func macAddress(_ text: String) -> [UInt8]? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let bytes = parts.compactMap { $0.count == 2 ? UInt8($0, radix: 16) : nil }
    return parts.count == 6 && bytes.count == 6 ? bytes : nil
}

public enum PropertyValue: Equatable, Sendable {
    case flag(Bool), number(UInt64), text(String)
}

public enum PropertyError: Error, Equatable, CustomStringConvertible {
    case unknown(device: String, name: String)
    case bad(device: String, name: String, value: String, wanted: String)
    case twice(device: String, name: String)

    public var description: String {
        switch self {
        case .unknown(let device, let name): "\(device) has no property '\(name)' (-device \(device),help lists them)"
        case .bad(let device, let name, let value, let wanted):
            "\(device): '\(name)' cannot be '\(value)': \(wanted) is what it takes"
        case .twice(let device, let name): "\(device): '\(name)' is given twice"
        }
    }
}

/// A value for each property of one kind of device.
public struct Properties: Sendable {
    private var values: [String: PropertyValue] = [:]

    /// `text`: what stands behind the device's name and its comma; a flag's name alone turns it on.
    public init(_ descriptor: DeviceDescriptor, parsing text: String = "") throws(PropertyError) {
        try self.init(descriptor, OptionList(text.isEmpty ? [] : splitAtCommas(text)))
    }

    public init(_ descriptor: DeviceDescriptor, _ list: OptionList) throws(PropertyError) {
        for row in descriptor.properties {
            guard let value = row.parse(row.standard) else { preconditionFailure("the standard value of \(row.name)") }
            values[row.name] = value
        }
        var given: Set<String> = []
        for pair in list.pairs {
            let name = pair.name, written = pair.value ?? "on"
            guard let row = descriptor.properties.first(where: { $0.name == name }) else {
                throw .unknown(device: descriptor.name, name: name)
            }
            if !given.insert(name).inserted { throw .twice(device: descriptor.name, name: name) }
            guard let value = row.parse(written) else {
                throw .bad(device: descriptor.name, name: name, value: written, wanted: row.form)
            }
            values[name] = value
        }
    }

    public func flag(_ name: String) -> Bool {
        if case .flag(let value) = values[name] { value } else { missing(name) }
    }
    public func number(_ name: String) -> UInt64 {
        if case .number(let value) = values[name] { value } else { missing(name) }
    }
    public func numberOrNone(_ name: String) -> UInt64? {
        switch values[name] {
        case .number(let value): value
        case .text: nil
        default: missing(name)
        }
    }
    public func text(_ name: String) -> String {
        if case .text(let value) = values[name] { value } else { missing(name) }
    }

    /// What is wrong with the first of these numbers that is no power of two; nil: all are.
    public func firstNoPowerOfTwo(_ names: [String]) -> String? {
        names.first { number($0).nonzeroBitCount != 1 }.map { "\($0)=\(number($0)): wanted a power of two" }
    }

    private func missing(_ name: String) -> Never { preconditionFailure("no property \(name) of this kind") }
}
