// What can be chosen about the engine on a command line, in both modes: the properties of `-accel tcg`.

import CodeGen
import CodeGenInterpreter
import CodeGenX64
import Diagnostics
import ExecutionEngine
import HostOS
import Optimizer
import Options

public struct AcceleratorOptions: Sendable {
    public var oneInstruction = false
    public var cacheSize: Int?
    public var tier: String?
    /// Executions after which code is optimized.
    public var hotThreshold: UInt32?
    /// Translations on disk: `on`, `off` or a folder, and the bytes that they may have.
    public var diskCache: String?
    public var diskCacheSize: Int?
    /// Hot regions are compiled on another thread; nil: where there is a second processor.
    public var background: Bool?
    /// `single` or `multi`; nil: as is usual.
    public var threads: String?
    public var disabledPasses: [String] = []
    public var verification = Verification.standard
    public var optimizeOnly = AddressFilter()

    public init() {}

    /// The properties of `-accel tcg`.
    public mutating func parse(_ value: String) throws(OptionError) {
        let parts = value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard parts.first == "tcg" else { throw OptionError("wanted tcg; no other accelerator exists") }
        for part in parts.dropFirst() {
            guard let equals = part.firstIndex(of: "=") else { throw OptionError("property '\(part)' wants a value") }
            let name = String(part[..<equals])
            let setting = String(part[part.index(after: equals)...])
            switch name {
            case "tier":
                guard ["auto", "interpreter", "baseline", "optimizing"].contains(setting) else {
                    throw OptionError("tier wants auto, interpreter, baseline or optimizing")
                }
                tier = setting
            case "tb-size": cacheSize = try parseCacheSize(setting)
            case "hot":
                guard let count = UInt32(setting), count > 0 else {
                    throw OptionError("hot wants a number of executions")
                }
                hotThreshold = count
            case "cache":
                guard setting == "on" || setting == "off" || setting.hasPrefix("/") else {
                    throw OptionError("cache wants on, off or an absolute path")
                }
                diskCache = setting
            case "cache-size":
                guard let size = parseSize(setting, unit: 1 << 20), size >= 64 << 10, size <= 1 << 40 else {
                    throw OptionError("cache-size wants a size in MiB, or with a suffix such as 512K, at least 64K")
                }
                diskCacheSize = Int(size)
            case "one-insn-per-tb":
                guard setting == "on" || setting == "off" else { throw OptionError("one-insn-per-tb wants on or off") }
                oneInstruction = setting == "on"
            case "background":
                guard setting == "on" || setting == "off" else { throw OptionError("background wants on or off") }
                background = setting == "on"
            case "thread":
                guard setting == "multi" || setting == "single" else {
                    throw OptionError("thread wants multi or single")
                }
                threads = setting
            case "optimize-only":
                do { optimizeOnly = try AddressFilter(parsing: setting) } catch {
                    throw OptionError("optimize-only wants a range of addresses such as 0x10000..0x10fff")
                }
            case "no-pass":
                guard Pass(rawValue: setting) != nil else {
                    throw OptionError("no-pass wants one of \(Pass.allCases.map(\.rawValue).joined(separator: ", "))")
                }
                disabledPasses.append(setting)
            case "verify":
                guard let parsed = Verification(parsing: setting) else {
                    throw OptionError("verify wants all, none, or N for one translation in N")
                }
                verification = parsed
            default:
                throw OptionError(
                    "unknown property '\(name)'; wanted tier, hot, background, cache, cache-size, tb-size, one-insn-per-tb, thread, no-pass, optimize-only or verify"
                )
            }
        }
    }

    /// Options of an engine as chosen here.
    public func engineOptions(_ diagnostics: Diagnostics) -> EngineOptions {
        var options = EngineOptions(diagnostics: diagnostics)
        options.codeCacheSize = cacheSize ?? Self.codeCacheSize(options.codeCacheSize)
        if oneInstruction { options.maxInstructions = 1 }
        options.chaining = !diagnostics.isEnabled(.noChaining)
        options.tier = tier.flatMap(Tier.init(rawValue:)) ?? .automatic
        if let count = hotThreshold { options.hotThreshold = count }
        options.disabledPasses = disabledPasses
        options.processors = HostProcessor.available
        options.compilesInBackground = background ?? (options.processors > 1)
        options.optimizeOnly = optimizeOnly
        options.verification = verification
        options.disassembleHost = disassembleHostCode
        return options
    }

    /// The usual size, or less where the host limits the address space (ulimit -v): the tables are in proportion, and most is for the
    /// guest.
    private static func codeCacheSize(_ usual: Int) -> Int {
        let limit = HostLimits.get(HostLimits.addressSpace).soft
        return limit == ResourceLimit.unlimited ? usual : min(usual, max(4, Int(limit >> 26)) << 20)
    }

    /// The processors that code is made for.
    public static let hostNames = ["x86-64"]

    /// The host for a tier.
    public static func host(_ tier: Tier) throws -> any HostBackEnd {
        tier == .interpreter ? interpreter() : try x64()
    }

    private static func x64() throws(UnfitProcessor) -> X64Host {
        let missing = HostProcessor.missing(of: X64Host.requiredFeatures)
        guard missing.isEmpty else { throw UnfitProcessor(missing: missing) }
        return X64Host()
    }

    /// The interpreter, with guest accesses that survive a host fault.
    private static func interpreter() -> InterpreterHost {
        InterpreterHost(
            access: GuestAccess(
                load: GuestCopy.sizedLoad, store: GuestCopy.sizedStore, compareExchange: GuestCopy.sizedCompareExchange,
                compareExchangePair: GuestCopy.pairCompareExchange))
    }
}

/// The host's processor cannot run the code that a back end makes.
public struct UnfitProcessor: Error, CustomStringConvertible {
    var missing: [String]
    public var description: String {
        "this processor lacks \(missing.joined(separator: ", ")), which generated code uses: "
            + "-accel tcg,tier=interpreter runs without"
    }
}
