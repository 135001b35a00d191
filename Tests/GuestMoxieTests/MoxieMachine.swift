// An engine with one Moxie core, the simulator's calls, and nothing else of an operating system.

import EngineModes
import ExecutionEngine
import GuestMemory
import GuestMoxie
import LinuxMemory
import Testing

/// All tests that run code, one after another: programs lie at fixed addresses of the one process.
@Suite(.serialized, .timeLimit(.minutes(3))) enum MoxieRuns {}

final class MoxieMachine: GuestMachine {
    /// What the program has written to standard output and standard error.
    private(set) var output: [UInt8] = []

    init(_ mode: EngineMode = .others[0]) throws { try super.init(MoxieGuest(), mode, limit: 1 << 32) }

    /// In the numbering of instructions.
    subscript(_ i: Int) -> UInt32 {
        get { vcpu.state.load(fromByteOffset: 4 * i, as: UInt32.self) }
        set { vcpu.state.storeBytes(of: newValue, toByteOffset: 4 * i, as: UInt32.self) }
    }
    var registers: [UInt32] { (0..<16).map { self[$0] } }
    func word(_ address: UInt32) throws -> UInt32 {
        UInt32(bigEndian: try memory.read(UInt64(address), as: UInt32.self))
    }

    /// Maps a program and puts its arguments on the stack: their number, pointers to them, a null pointer.
    func load(_ file: MoxieFile, arguments: [String] = []) throws {
        for segment in file.segments {
            try map(segment.address, segment.memorySize)
            try write(segment.bytes, at: segment.address)
        }
        pc = file.entry
        guard !arguments.isEmpty else { return }
        // Room below for the stack, above for the text of the arguments.
        let stack: UInt32 = 0x0500_0000
        try map(stack - 0x80_0000, 0x80_0000 + 0x4000)
        var text = stack + 0x1000
        var vector = [UInt32(arguments.count)]
        for argument in arguments {
            vector.append(text)
            try write(Array(argument.utf8) + [0], at: text)
            text += UInt32(argument.utf8.count) + 1
        }
        for (index, value) in (vector + [0]).enumerated() {
            try memory.write(UInt64(stack) + UInt64(4 * index), value.bigEndian)
        }
        self["sp"] = stack
    }

    /// Runs a program until it ends: `[exit N]`, or what else became of it.
    func runProgram() throws -> String {
        while true {
            let exit = run()
            guard case .systemCall = exit else { return "[\(exit.text) at \(String(pc, radix: 16))]" }
            // The calls that programs for GDB's simulator make (libgloss, `syscall.h`); arguments and result are in $r0 ... $r2.
            switch self["sr3"] {
            case 1: return "[exit \(self["r0"] & 0xff)]"
            case 5:
                output += try memory.readBytes(UInt64(self["r1"]), count: Int(self["r2"]))
                self["r0"] = self["r2"]
            default: self["r0"] = .max
            }
        }
    }
}
