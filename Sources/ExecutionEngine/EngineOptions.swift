// What can be chosen about an engine.

import CodeGen
import Diagnostics
import IR
import TranslationStore

/// Which code a vCPU runs.
public enum Tier: String, CaseIterable, Sendable {
    /// Baseline first, hot regions optimized.
    case automatic = "auto"
    /// IR run directly. (The app hands the engine the interpreter as its host.)
    case interpreter
    case baseline
    /// Large regions from the first execution on.
    case optimizing
}

/// Options of one engine.
public struct EngineOptions: Sendable {
    /// Bytes of code cache.
    public var codeCacheSize = 256 << 20
    /// Guest instructions per translation (`-one-insn-per-tb`: 1).
    public var maxInstructions = 128
    /// Translations jump to each other without the cpu loop.
    public var chaining = true
    public var tier = Tier.automatic
    /// Executions after which a baseline translation is made again as an optimized region.
    public var hotThreshold: UInt32 = 4000
    /// Entries after which an optimized region that leaves through calls is made again, with what it calls.
    public var expansionThreshold: UInt32 { hotThreshold < 1 << 24 ? max(hotThreshold, 1) &* 8 : 1 << 30 }
    /// Hot regions are compiled on a thread of their own while fewer vCPUs than `processors` are there.
    public var compilesInBackground = false
    public var processors = 1
    /// Time spent translating is counted (two clock readings a translation).
    public var measuresTime = false
    /// Code is made for a profile: see `HostConfiguration`.
    public var isProfiled = false
    /// Of a machine: code counts the instructions that it executes, and stops where their budget ends (`VCPU+Counting.swift`).
    public var countsInstructions = false
    /// Where the optimizer may work, by the translations' first addresses: elsewhere, code stays as the front end made it.
    public var optimizeOnly = AddressFilter()
    /// Optimizer passes turned off by name.
    public var disabledPasses: [String] = []
    /// Translations that are checked while they are made.
    public var verification = Verification.standard
    /// For tests: called behind each stage and before its check, to plant mistakes.
    var plant: (@Sendable (TranslationStage, Region, Allocation) -> Void)?
    /// Keeps translations on disk between runs.
    public var store: StoreOptions?
    public var diagnostics: Diagnostics
    /// Disassembles host code for `-d out_asm`: bytes, address -> text lines.
    public var disassembleHost: (@Sendable (UnsafeRawBufferPointer, UInt64) -> String)?
    /// Told of each translation: host address, size, guest pc (`-perfmap`).
    public var codeListener: (@Sendable (UInt64, Int, UInt64) -> Void)?

    public init(diagnostics: Diagnostics) { self.diagnostics = diagnostics }
}
