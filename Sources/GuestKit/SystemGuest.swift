// What a guest owes the engine besides `GuestArchitecture` where it runs a whole machine: its MMU, its exceptions and its interrupts.
//
// Memory ops carry an MMU index, which says as whom the access is made (`MemOp`). What an access under an index finds also depends on the
// CPU's state: registers that hold the page tables' root, or let one privilege see the pages of another. The guest sums that up as the
// index's view: look-ups made under one view are not used under another.

import GuestMemory
import IR

/// What a walk of the page tables found.
public enum Walk: Sendable {
    case page(PageMapping)
    /// The access is not possible: an exception by the manual's number.
    case fault(UInt32)
}

/// Where the byte asked for lies, and what may be done on its page of 4 KiB.
public struct PageMapping: Sendable {
    public struct Rights: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let read = Rights(rawValue: 1)
        public static let write = Rights(rawValue: 2)
        public static let execute = Rights(rawValue: 4)
    }
    /// Physical address of the byte.
    public var physical: UInt64
    /// log2 of the bytes that the leaf of the page tables maps; 12 or more.
    public var leafBits: UInt8
    /// What may be done in this view without another walk, what was asked for included. A page that is not marked dirty yet has no
    /// right to be written, but where the walk was for a write.
    public var rights: Rights
    /// All bytes of the page are alike. False: each access is to be walked for.
    public var isUniform: Bool
    /// Bytes from the one asked for on that have the same rights by the same rule, where the page is not uniform. Memory refuses an access
    /// to more of them.
    public var reach: UInt64
    /// In the page tables of every address space.
    public var isGlobal: Bool

    public init(
        physical: UInt64, leafBits: UInt8, rights: Rights, isUniform: Bool = true, reach: UInt64 = .max,
        isGlobal: Bool = false
    ) {
        self.physical = physical
        self.leafBits = leafBits
        self.rights = rights
        self.isUniform = isUniform
        self.reach = reach
        self.isGlobal = isGlobal
    }
}

/// A guest architecture with everything that its privileged software sees. All functions get the CPU state of a vCPU, and are called by
/// its thread, outside generated code or from a helper.
public protocol SystemGuest: GuestArchitecture {
    /// How many MMU indexes there are, from 0 on; at most 16.
    var mmuIndexCount: Int { get }
    /// The MMU index of instruction fetches at present.
    func fetchIndex(_ state: UnsafeMutableRawPointer) -> Int
    /// The view of an index at present. Equal views see the same, until the guest asks for a flush.
    func view(_ state: UnsafeMutableRawPointer, index: Int) -> UInt64
    /// The part of a view that instruction fetches depend on.
    func fetchView(_ view: UInt64) -> UInt64
    /// The part of a view of fetches that the pages of all address spaces (`PageMapping.isGlobal`) depend on: views that have it in common
    /// differ in other pages only.
    func globalView(_ view: UInt64) -> UInt64
    /// Is a view one of the address space that the guest gives this number (`SystemFlush.space`)?
    func isView(_ view: UInt64, of space: UInt64) -> Bool
    /// Finds where the byte at `address` lies for an access under an MMU index. Never for longer than a few page-table levels.
    func walk(
        _ state: UnsafeMutableRawPointer, _ address: UInt64, _ access: MemoryAccess, index: Int, _ memory: PhysicalMap
    ) -> Walk
    /// The exception of an access that memory itself refuses.
    func exception(_ kind: MemoryFaultKind, _ access: MemoryAccess) -> UInt32
    /// Enters the handler of an exception; the pc is at the instruction that raised it. `value`: what the manual has the CPU report
    /// about it, such as the address; nil: what the instruction says of it.
    func raise(_ state: UnsafeMutableRawPointer, _ exception: UInt32, value: UInt64?)
    /// Where the guest's own debug registers have the vCPU stop at present, in whatever mode (`SystemInputs.stopsChanged`).
    func stops(_ state: UnsafeMutableRawPointer) -> [StopPoint]
    /// The vCPU has come to one of them, by an access to `size` bytes or, 0, to the instruction: the exception that is raised instead; nil:
    /// none, in the present mode.
    func exception(at stop: StopPoint, size: Int, _ state: UnsafeMutableRawPointer) -> UInt32?
    /// Byte offset of a 64-bit word in the CPU state, eight-byte aligned: the interrupt lines that lead to the vCPU, by the numbers that the
    /// manual gives interrupts. Any thread changes it atomically, and asks the vCPU to leave generated code then.
    var interruptLinesOffset: Int { get }
    /// Enters the handler of the most urgent interrupt that is pending and enabled. False: there is none.
    func takeInterrupt(_ state: UnsafeMutableRawPointer) -> Bool
    /// When a timer of the vCPU's own interrupts next, in ticks of the machine's timer (`SystemInputs.time`); `.max`: never.
    func deadline(_ state: UnsafeMutableRawPointer) -> UInt64
    /// Would a vCPU that waits for an interrupt go on?
    func isAwake(_ state: UnsafeMutableRawPointer) -> Bool
}

extension SystemGuest {
    public func stops(_ state: UnsafeMutableRawPointer) -> [StopPoint] { [] }
    public func exception(at stop: StopPoint, size: Int, _ state: UnsafeMutableRawPointer) -> UInt32? { nil }
}
