// Straight-line code made of a guest's rows: random operands, addresses in a sandbox, and nothing that leaves it.

import EngineModes
import ExecutionEngine
import GuestKit
import GuestMemory
import TestSupport

/// One machine for many pieces of code, at addresses that no other test uses.
final class ConformingMachine: GuestMachine {
    static let code: UInt32 = 0x4000_0000, data: UInt32 = 0x4100_0000, readOnly: UInt32 = 0x4200_0000
    static let dataSize = 0x4000
    /// What the second base points to: the middle of pages that may not be written, or of none.
    static let readOnlyMiddle = readOnly + UInt32(dataSize / 2), nowhere: UInt32 = 0x4300_0000

    let guest: ConformingGuest
    private let registers: [RegisterDescriptor]
    private let stop: [UInt8]

    init(_ guest: ConformingGuest, _ mode: EngineMode) throws {
        self.guest = guest
        stop = guest.bytes(guest.stop)
        let architecture = guest.make()
        registers = Self.plain(architecture)
        try super.init(architecture, mode, limit: 0x8000_0000, pageSize: guest.pageSize)
        try map(Self.code, 0x4000)
        try map(Self.data, Self.dataSize, rights: [.read, .write])
        try map(Self.readOnly, Self.dataSize, rights: .read)
    }

    /// The registers that are in the CPU state, but for the pc.
    @inline(never) private static func plain(_ guest: any GuestArchitecture) -> [RegisterDescriptor] {
        let pc = guest.pcOffset
        return guest.registers.filter { ($0.offset ?? pc) != pc }
    }

    /// All that instructions see and change: registers, flags, memory.
    struct State: Equatable, CustomStringConvertible {
        var exit = ""
        var pc: UInt32 = 0
        var registers: [UInt64] = []
        var flags: UInt32 = 0
        var memory: [UInt8] = []
        var names: [String] = []
        var description: String { "\(exit) at \(String(pc, radix: 16))" }

        func difference(from other: State) -> String {
            if exit != other.exit || pc != other.pc { return "\(self) instead of \(other)" }
            for (index, name) in names.enumerated() where registers[index] != other.registers[index] {
                return
                    "\(name) is \(String(registers[index], radix: 16)), not \(String(other.registers[index], radix: 16))"
            }
            if flags != other.flags { return "flags are \(flags), not \(other.flags)" }
            return self == other ? "nothing" : "memory"
        }
    }

    private func state(_ exit: String) throws -> State {
        State(
            exit: exit, pc: pc, registers: registers.map { load($0.name) }, flags: vcpu.floatFlags,
            memory: try memory.readBytes(UInt64(Self.data), count: Self.dataSize), names: registers.map(\.name))
    }

    /// Puts code into memory, with the breakpoint behind it.
    func place(_ code: [UInt8]) throws { try write(code + stop + stop + guest.illegal, at: Self.code) }

    /// Runs what is in memory from a state made of `seed`, until it stops or can do no more.
    func start(_ seed: UInt64, _ sandbox: [UInt8], other: UInt32 = nowhere) throws -> State {
        var random = SeededRandom(seed: seed)
        engine.guest.reset(vcpu.state)
        vcpu.floatFlags = 0
        for register in registers where register.group != .system { store(random.operand(), register.name) }
        store(UInt64(Self.data) + UInt64(Self.dataSize / 2), guest.base.name)
        store(UInt64(other), guest.otherBase.name)
        try write(sandbox, at: Self.data)
        pc = Self.code
        return try state(run().text)
    }
}

extension SeededRandom {
    /// A value that instructions treat in a special way, or any other.
    mutating func operand() -> UInt64 {
        let edges: [UInt64] = [
            0, 1, 2, 31, 32, 63, 64, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, .max, 1 << 63, 0x7ff0_0000_0000_0000,
            0xffff_ffff_7f80_0001, 0xffff_ffff_3f80_0000, 0x3ff0_0000_0000_0000, 0xffff_ffff_7fc0_0000,
        ]
        return chance(60) ? pick(edges) : next()
    }
}

/// Makes instructions of a guest.
struct RandomCode {
    let guest: ConformingGuest
    var random: SeededRandom
    private let bases: Set<UInt32>
    private var kinds: [RowKind: [Int]] = [:]

    init(_ guest: ConformingGuest, seed: UInt64) {
        self.guest = guest
        random = SeededRandom(seed: seed)
        bases = Set([guest.base, guest.otherBase].compactMap { guest.temp("x", Int64($0.number)) })
        for row in 0..<guest.rows.count where guest.has(row) && !guest.exceptions.contains(guest.rows.name(row)) {
            kinds[RowKind(guest.rows.classes(row)), default: []].append(row)
        }
    }

    /// An instruction of a kind that accesses memory, if it does, at the register `base`; it changes no base. Nil: none was found.
    mutating func instruction(_ kind: RowKind, base: Int) -> EncodedInstruction? {
        guard let rows = kinds[kind] else { return nil }
        for _ in 0..<200 {
            var made = guest.rows.random(random.pick(rows), using: &random)
            if !guest.rows.classes(made.row).isDisjoint(with: [.system, .fence]) { continue }
            let hasAddress = guest.rows.operands(made.row).contains { $0.access.contains(.address) }
            if hasAddress ? !access(base, &made) : [.load, .store, .atomic].contains(kind) { continue }
            if guest.rows.isItself(made, where: guest.has), guest.written(made).isDisjoint(with: bases) { return made }
        }
        return nil
    }

    /// Makes it access the sandbox around the register `base`.
    private func access(_ base: Int, _ made: inout EncodedInstruction) -> Bool {
        guard guest.rows.setBase(base, in: &made) else { return false }
        let reach = Int64(ConformingMachine.dataSize / 2 - 64)
        for operand in guest.rows.operands(made.row) where operand.access.isEmpty {
            guard let value = guest.rows.value(operand, of: made) else { return false }
            if abs(value) >= reach, !guest.rows.set(operand, to: value % reach, in: &made) { return false }
        }
        return true
    }

    mutating func instructions(_ count: Int, of kinds: [RowKind] = [.plain, .plain, .float, .load, .store]) -> [[UInt8]]
    {
        (0..<count).compactMap { _ in
            instruction(random.pick(kinds), base: guest.base.number).map { guest.rows.bytes($0) }
        }
    }
}
