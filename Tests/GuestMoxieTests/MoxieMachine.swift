// An engine with one Moxie core, the simulator's calls, and nothing else of an operating system.

import CodeGen
import CodeGenInterpreter
import CodeGenX64
import Diagnostics
import ExecutionEngine
import GuestKit
import GuestMemory
import GuestMoxie
import HostOS
import LinuxMemory
import Testing

/// All tests that run code, one after another: programs lie at fixed addresses of the one process.
@Suite(.serialized, .timeLimit(.minutes(3))) enum MoxieRuns {}

/// A mode of the engine, as `Documentation/Testing.md` has them for guest programs.
struct EngineMode: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var runsMachineCode = true
    var change: @Sendable (inout EngineOptions) -> Void = { _ in }

    static let interpreter = EngineMode(testDescription: "interpreter", runsMachineCode: false) {
        $0.tier = .interpreter
    }
    static let others = [
        EngineMode(testDescription: "default"),
        EngineMode(testDescription: "one instruction per block") { $0.maxInstructions = 1 },
        EngineMode(testDescription: "no chaining") { $0.chaining = false },
        EngineMode(testDescription: "tiny cache") { $0.codeCacheSize = 1 << 16 },
        EngineMode(testDescription: "hot at once") { $0.hotThreshold = 20 },
        EngineMode(testDescription: "verified") {
            $0.hotThreshold = 20
            $0.verification = .all
        },
        EngineMode(testDescription: "baseline") { $0.tier = .baseline },
        EngineMode(testDescription: "optimizing") {
            $0.tier = .optimizing
            $0.verification = .all
        },
    ]
    static let all = [interpreter] + others

    func makeHost() -> any HostBackEnd {
        if runsMachineCode { return X64Host() }
        return InterpreterHost(
            access: GuestAccess(
                load: GuestCopy.sizedLoad, store: GuestCopy.sizedStore, compareExchange: GuestCopy.sizedCompareExchange,
                compareExchangePair: GuestCopy.pairCompareExchange))
    }
}

private let startSignals: Void = HostSignals.start()

final class MoxieMachine {
    let memory: UserAddressSpace
    let engine: Engine
    let vcpu: VCPU
    /// What the program has written to standard output and standard error.
    private(set) var output: [UInt8] = []

    init(_ mode: EngineMode = EngineMode(testDescription: "default")) throws {
        startSignals
        memory = try UserAddressSpace(limit: 1 << 32)
        var options = EngineOptions(diagnostics: .silent)
        options.codeCacheSize = 8 << 20
        options.verification = .none
        mode.change(&options)
        engine = try Engine(guest: MoxieGuest(), host: mode.makeHost(), memory: memory, options: options)
        memory.codeHolder = engine
        vcpu = try engine.makeVCPU(in: memory)
    }

    deinit {
        for mapping in memory.mappings { try? memory.unmap(mapping.start, length: mapping.end - mapping.start) }
        engine.endOwnThreads()
        memory.codeHolder = nil  // they hold each other
    }

    // MARK: State

    func offset(_ register: String) -> Int {
        guard let offset = engine.guest.registers.first(where: { $0.name == register })?.offset else {
            fatalError("no \(register)")
        }
        return offset
    }
    subscript(register: String) -> UInt32 {
        get { vcpu.state.load(fromByteOffset: offset(register), as: UInt32.self) }
        set { vcpu.state.storeBytes(of: newValue, toByteOffset: offset(register), as: UInt32.self) }
    }
    /// In the numbering of instructions.
    subscript(_ i: Int) -> UInt32 {
        get { vcpu.state.load(fromByteOffset: 4 * i, as: UInt32.self) }
        set { vcpu.state.storeBytes(of: newValue, toByteOffset: 4 * i, as: UInt32.self) }
    }
    var registers: [UInt32] { (0..<16).map { self[$0] } }
    var pc: UInt32 {
        get { UInt32(truncatingIfNeeded: vcpu.programCounter) }
        set { vcpu.programCounter = UInt64(newValue) }
    }

    func map(_ address: UInt32, _ size: Int, rights: PageRights = [.read, .write, .execute]) throws {
        let flags = HostMemory.privateCopy | HostMemory.anonymous | HostMemory.noReserve | HostMemory.fixedNoReplace
        let start = UInt64(address) & ~4095, end = (UInt64(address) + UInt64(size) + 4095) & ~4095
        _ = try memory.map(start, length: end - start, rights: rights, flags: flags)
    }
    func write(_ bytes: [UInt8], at address: UInt32) throws { try memory.writeBytes(UInt64(address), bytes) }
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

    // MARK: Running

    /// Runs until something other than an interruption.
    func run() -> VCPUExit {
        while true {
            let exit = vcpu.run()
            guard case .interrupted = exit else { return exit }
        }
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

extension VCPUExit {
    var text: String {
        switch self {
        case .systemCall: "systemCall"
        case .exception(let number): "exception \(number)"
        case .memoryFault(let address, let access, let kind): "\(access) \(kind) \(String(address, radix: 16))"
        case .interrupted: "interrupted"
        case .outOfCodeMemory: "outOfCodeMemory"
        }
    }
}
