// The modes of the engine that tests of all guests run in, for tests without the command line.

import CodeGen
import CodeGenInterpreter
import CodeGenX64
import Diagnostics
import ExecutionEngine
import GuestKit
import GuestMemory
import HostOS

/// A mode of the engine, as `Documentation/Testing.md` has them for guest programs.
public struct EngineMode: Sendable, CustomStringConvertible {
    public var name: String
    public var description: String { name }
    public var runsMachineCode = true
    public var change: @Sendable (inout EngineOptions) -> Void = { _ in }

    /// As little of the engine as can be: what others are compared with.
    public static let reference = EngineMode(name: "reference", runsMachineCode: false) {
        $0.tier = .interpreter
        $0.maxInstructions = 1
    }
    public static let interpreter = EngineMode(name: "interpreter", runsMachineCode: false) {
        $0.tier = .interpreter
    }
    public static let others = [
        EngineMode(name: "default"),
        EngineMode(name: "one instruction per block") { $0.maxInstructions = 1 },
        EngineMode(name: "no chaining") { $0.chaining = false },
        EngineMode(name: "tiny cache") { $0.codeCacheSize = 1 << 16 },
        EngineMode(name: "hot at once") { $0.hotThreshold = 20 },
        EngineMode(name: "verified") {
            $0.hotThreshold = 20
            $0.verification = .all
        },
        EngineMode(name: "baseline") { $0.tier = .baseline },
        EngineMode(name: "optimizing") {
            $0.tier = .optimizing
            $0.verification = .all
        },
    ]
    public static let all = [interpreter] + others

    /// With a small cache, and verification only where the mode says so.
    public func options(diagnostics: Diagnostics) -> EngineOptions {
        var options = EngineOptions(diagnostics: diagnostics)
        options.codeCacheSize = 8 << 20
        options.verification = .none
        change(&options)
        return options
    }

    public func makeHost() -> any HostBackEnd { Self.makeHost(runsMachineCode: runsMachineCode) }

    public static func makeHost(runsMachineCode: Bool) -> any HostBackEnd {
        if runsMachineCode { return X64Host() }
        return InterpreterHost(
            access: GuestAccess(
                load: GuestCopy.sizedLoad, store: GuestCopy.sizedStore, compareExchange: GuestCopy.sizedCompareExchange,
                compareExchangePair: GuestCopy.pairCompareExchange))
    }
}
