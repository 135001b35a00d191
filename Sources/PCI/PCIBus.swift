// A root bus: the functions on it, what answers at which of its addresses, and where interrupts lead.

import GuestMemory
import HostOS
import SystemKit

public enum PCIError: Error, Equatable, CustomStringConvertible {
    case taken(PCIAddress)
    case notMultifunction(PCIAddress)
    case full

    public var description: String {
        switch self {
        case .taken(let address): "addr=\(address): another device is there"
        case .notMultifunction(let address):
            "addr=\(address): the device at \(PCIAddress(slot: address.slot)!) wants multifunction=on"
        case .full: "all slots of the bus are taken"
        }
    }
}

public final class PCIBus: @unchecked Sendable {
    /// Addresses at which a region of a function answers.
    struct Mapping {
        let space: PCISpace
        let start: UInt64
        let size: UInt64
        let contents: any PhysicalDevice

        init(_ space: PCISpace, _ start: UInt64, _ size: UInt64, _ contents: any PhysicalDevice) {
            self.space = space
            self.start = start
            self.size = size
            self.contents = contents
        }
    }

    public let name: String
    /// Where the interrupts lead: pin A of slot 0, and so on.
    private let lines: [IRQLine]
    /// Fixed while the machine runs.
    public private(set) var functions: [PCIFunction?] = Array(repeating: nil, count: 256)
    /// Guards what follows. A leaf but for the interrupt controller's lock: no region is called with it.
    private let lock = Lock()
    private var mapped: [[Mapping]] = Array(repeating: [], count: 256)
    private var mappings: [Mapping] = []
    /// How many functions interrupt, by line.
    private var counts: [Int]

    public init(_ name: String, lines: [IRQLine]) {
        precondition(!lines.isEmpty)
        self.name = name
        self.lines = lines
        counts = Array(repeating: 0, count: lines.count)
    }

    /// Connects a function, before the machine runs. `address` nil: the first free slot.
    public func add(_ function: PCIFunction, at address: PCIAddress? = nil) throws(PCIError) {
        guard let address = address ?? freeSlot else { throw .full }
        if functions[Int(address.byte)] != nil { throw .taken(address) }
        if address.function > 0, let first = functions[address.slot << 3], !first.isMultifunction {
            throw .notMultifunction(address)
        }
        functions[Int(address.byte)] = function
        function.join(self, at: address)
    }

    private var freeSlot: PCIAddress? {
        (0..<PCIAddress.slots).first { slot in
            functions[slot << 3..<slot << 3 + PCIAddress.functions].allSatisfy { $0 == nil }
        }.flatMap { PCIAddress(slot: $0) }
    }

    // MARK: addresses

    /// Where a function answers from now on.
    func place(_ places: [Mapping], of function: PCIFunction) {
        lock.withLock {
            let number = Int(function.address.byte)
            if places.isEmpty, mapped[number].isEmpty { return }
            mapped[number] = places
            mappings = mapped.flatMap { $0 }
        }
    }

    /// What answers to an access, and where in it that is. Where software has put two at one place it is the one of the lower slot.
    func find(_ space: PCISpace, _ address: UInt64, size: Int) -> (contents: any PhysicalDevice, offset: UInt64)? {
        lock.withLock {
            for mapping in mappings where mapping.space == space {
                let offset = address &- mapping.start
                if offset < mapping.size, UInt64(size) <= mapping.size - offset { return (mapping.contents, offset) }
            }
            return nil
        }
    }

    // MARK: interrupts

    /// Pins of neighbours lead to different lines. (PCI-to-PCI Bridge Architecture Specification 1.2, 9.1)
    func interruptChanged(slot: Int, pin: Int, _ level: Bool) {
        if pin == 0 { return }
        let line = (slot + pin - 1) % lines.count
        lock.withLock {
            counts[line] += level ? 1 : -1
            lines[line].set(counts[line] > 0)
        }
    }
}
