// `-cpu`: models, extensions switched on and off, and what is wrong with a specification.
//
//     NAME[,EXT=on|off | ,+EXT | ,-EXT]...

import GuestKit

/// A RISC-V CPU: what decodes.
public struct RISCVCPU: Sendable, Equatable {
    /// The model it started from.
    public let model: String
    /// Complete: with everything that its members imply.
    public let extensions: RISCVExtensions

    /// The ISA string (`rv64imafdc_zicsr_...`), as in /proc/cpuinfo.
    public var isaString: String { extensions.isaString }

    /// Bits of AT_HWCAP: one per single-letter extension (Linux, arch/riscv/include/uapi/asm/hwcap.h).
    public var hardwareCapabilities: UInt64 {
        let letters: [(RISCVExtensions, Character)] = [
            (.i, "i"), (.m, "m"), (.a, "a"), (.f, "f"), (.d, "d"), (.c, "c"), (.v, "v"),
        ]
        return letters.reduce(0) { bits, one in
            extensions.contains(one.0) ? bits | 1 << UInt64(one.1.asciiValue! - 97) : bits
        }
    }

    /// The models used when none is asked for.
    public static let standard = RISCVCPU(model: RISCVCPUModel.of64Bits[0])
    public static let standard32 = RISCVCPU(model: RISCVCPUModel.of32Bits[0])
    public static let machine = RISCVCPU(model: RISCVCPUModel.ofMachines(.bits64)[0])
    public static let machine32 = RISCVCPU(model: RISCVCPUModel.ofMachines(.bits32)[0])

    init(model: RISCVCPUModel) {
        self.model = model.name
        extensions = model.extensions
    }

    /// A CPU with these extensions, completed, and no questions asked.
    public init(named name: String, extensions: RISCVExtensions) {
        model = name
        self.extensions = extensions.completed
    }

    public var wordSize: WordSize { extensions.wordSize }

    /// Reads a specification of a CPU with words of this size: of programs, or of a machine.
    public init(
        _ specification: String, _ wordSize: WordSize = .bits64, _ use: RISCVCPUUse = .programs
    ) throws(RISCVCPUError) {
        var parts = specification.split(separator: ",", omittingEmptySubsequences: false).map(String.init)[...]
        let name = parts.popFirst() ?? ""
        guard let model = RISCVCPUModel.all(wordSize, use).first(where: { $0.name == name.lowercased() }) else {
            throw .unknownModel(name, wordSize, use)
        }
        var result = model.extensions
        for part in parts {
            let (name, isOn) = try Self.option(part)
            let members = try Self.members(name, isOn: isOn, wordSize, use)
            if isOn {
                result.formUnion(members)
                result = result.completed.intersection(.all(wordSize))
            } else {
                result.subtract(members)
                result = Self.withoutOrphans(result, of: members)
            }
        }
        self.model = model.name
        extensions = result
        try check()
    }

    // MARK: Options

    /// `EXT=on`, `EXT=off`, `+EXT` or `-EXT`.
    private static func option(_ text: String) throws(RISCVCPUError) -> (name: String, isOn: Bool) {
        let lower = text.lowercased()
        if lower.hasPrefix("+") || lower.hasPrefix("-") { return (String(lower.dropFirst()), lower.hasPrefix("+")) }
        let parts = lower.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw .notAnOption(text) }
        switch parts[1] {
        case "on", "true", "yes", "1": return (parts[0], true)
        case "off", "false", "no", "0": return (parts[0], false)
        default: throw .badValue(option: parts[0], value: parts[1])
        }
    }

    /// What a name switches: an extension with its parts, or a group.
    private static func members(
        _ name: String, isOn: Bool, _ wordSize: WordSize, _ use: RISCVCPUUse
    ) throws(RISCVCPUError) -> RISCVExtensions {
        if let group = groups.first(where: { $0.name == name }) { return group.members }
        guard let one = RISCVExtensions.named(name), !one.isSubset(of: notExtensions) else {
            throw .unknownExtension(name)
        }
        guard one.isSubset(of: .implemented(wordSize, use)) else {
            // What is not there may be switched off.
            if !isOn { return [] }
            throw .unsupportedExtension(name)
        }
        return one
    }

    /// Names that stand for several extensions; for m, a and c: all that is defined as part of them.
    static let groups: [(name: String, summary: String, members: RISCVExtensions)] = [
        ("g", "m, a, f, d, zicsr, zifencei", [.m, .a, .f, .d, .zicsr, .zifencei]),
        ("b", "zba, zbb, zbs", [.zba, .zbb, .zbs]),
        ("m", "", [.m, .zmmul]),
        ("a", "", [.a, .zaamo, .zalrsc]),
        ("c", "", [.c, .zca, .zcd, .zcf]),
    ]
    /// Bits that gate encodings and are no extensions one can switch.
    static let notExtensions: RISCVExtensions = [.rv32, .rv64, .priv]

    /// Drops extensions that need one of those removed, until none does.
    private static func withoutOrphans(_ set: RISCVExtensions, of removed: RISCVExtensions) -> RISCVExtensions {
        var result = set
        var gone = removed
        var changed = true
        while changed {
            changed = false
            for bit in 0..<RISCVExtensions.count {
                let one = RISCVExtensions(bit: bit)
                let needs = RISCVExtensions.implied(by: bit)
                if result.contains(one) && !needs.isDisjoint(with: gone) {
                    result.remove(one)
                    gone.insert(one)
                    changed = true
                }
            }
        }
        return result
    }

    private func check() throws(RISCVCPUError) {
        if !extensions.contains(.i) { throw .required("i") }
        if extensions.contains(.zcmp) && extensions.contains(.zcd) { throw .conflict("zcmp", "zcd") }
    }
}

/// Whom a CPU is for: programs of an operating system that is not emulated, or a whole machine, which has privileged modes.
public enum RISCVCPUUse: Sendable { case programs, machine }

/// A named CPU model.
public struct RISCVCPUModel: Sendable {
    public let name: String
    public let summary: String
    public let extensions: RISCVExtensions

    /// All models with words of this size; the first is the default.
    public static func all(_ wordSize: WordSize, _ use: RISCVCPUUse = .programs) -> [RISCVCPUModel] {
        use == .machine ? ofMachines(wordSize) : wordSize == .bits32 ? of32Bits : of64Bits
    }

    static let of32Bits: [RISCVCPUModel] = [
        RISCVCPUModel("rv32", usualSummary, .usual(.bits32)),
        RISCVCPUModel("max", maxSummary, .usual(.bits32).union(.zihpm)),
        RISCVCPUModel("rv32i", baseSummary, [.rv32, .i]),
        RISCVCPUModel("rv32gc", generalSummary, .general(.bits32)),
        RISCVCPUModel(
            "rv32imac", "the same without floating point", .general(.bits32).subtracting([.f, .d])),
    ]

    static let of64Bits: [RISCVCPUModel] = [
        RISCVCPUModel("rv64", usualSummary, .usual(.bits64)),
        RISCVCPUModel("max", maxSummary, .usual(.bits64).union(.zihpm)),
        RISCVCPUModel("rv64i", baseSummary, [.rv64, .i]),
        RISCVCPUModel("rv64gc", generalSummary, .rv64gc),
        RISCVCPUModel(
            "rva20u64", "profile RVA20U64: rv64gc and counters", .rv64gc.subtracting([.zifencei, .zihintpause])),
        RISCVCPUModel(
            "rva22u64", "profile RVA22U64: with bit manipulation, cache blocks and half-precision conversions",
            .rv64gc.subtracting(.zifencei).union([
                .zihpm, .zba, .zbb, .zbs, .zicbom, .zicbop, .zicboz, .zfhmin,
            ])),
        RISCVCPUModel("sifive-u54", "SiFive U54: rv64gc and counters", .rv64gc.subtracting(.zihintpause)),
    ]

    static func ofMachines(_ wordSize: WordSize) -> [RISCVCPUModel] {
        let name = wordSize == .bits32 ? "rv32" : "rv64"
        let usual = RISCVExtensions.usual(wordSize, .machine)
        let all = usual.union(.smstateen)
        let base: RISCVExtensions = [wordSize == .bits32 ? .rv32 : .rv64, .i, .zicsr, .priv, .pmp, .u]
        let general = RISCVExtensions.general(wordSize).union([
            .priv, .pmp, .u, .s, wordSize == .bits32 ? .sv32 : .sv48,
        ])
        return [
            RISCVCPUModel(name, "everything that is supported, except zcmp, smstateen and svade (default)", usual),
            RISCVCPUModel("max", maxSummary, all),
            RISCVCPUModel("any", "the same as max", all),
            RISCVCPUModel(name + "i", "the base integer instruction set, M and U mode", base),
            RISCVCPUModel(name + "gc", "general purpose with compressed instructions, M, S and U mode", general),
        ]
    }

    private static let usualSummary = "everything that is supported, except zcmp and zihpm (default)"
    private static let maxSummary = "everything that can be combined"
    private static let baseSummary = "the base integer instruction set alone"
    private static let generalSummary = "general purpose with compressed instructions"

    private init(_ name: String, _ summary: String, _ extensions: RISCVExtensions) {
        self.name = name
        self.summary = summary
        self.extensions = extensions.completed.intersection(.all(extensions.wordSize))
    }

    /// What `-cpu help` prints.
    public static func help(_ wordSize: WordSize, _ use: RISCVCPUUse = .programs) -> String {
        var text = "CPU models:\n"
        for model in all(wordSize, use) { text += line(model.name, model.summary) }
        text += "\nExtensions, switched by NAME,EXT=on|off:\n"
        for bit in 0..<RISCVExtensions.count {
            let one = RISCVExtensions(bit: bit)
            guard one.isSubset(of: .implemented(wordSize, use)) else { continue }
            text += line(RISCVExtensions.name(bit), RISCVExtensions.summary(bit) + (one == .zacas ? " (w and d)" : ""))
        }
        for group in RISCVCPU.groups where !group.summary.isEmpty { text += line(group.name, group.summary) }
        return text
    }

    private static func line(_ name: String, _ text: String) -> String {
        "  " + name + String(repeating: " ", count: max(1, 13 - name.utf8.count)) + text + "\n"
    }
}

extension RISCVExtensions {
    public var wordSize: WordSize { contains(.rv32) ? .bits32 : .bits64 }

    /// What may be in a CPU with words of this size: zcf is of RV32 alone.
    static func all(_ wordSize: WordSize) -> RISCVExtensions {
        all.subtracting(wordSize == .bits32 ? [.rv64, .sv39, .sv48, .sv57, .svnapot, .svpbmt] : [.rv32, .zcf, .sv32])
    }
    /// What the translator implements of that.
    static func implemented(_ wordSize: WordSize, _ use: RISCVCPUUse = .programs) -> RISCVExtensions {
        (use == .machine ? implemented.union(implementedOfMachines) : implemented).intersection(all(wordSize))
    }

    private static let implemented: RISCVExtensions = [
        .i, .m, .a, .f, .d, .c, .zicsr, .zifencei, .zicntr, .zihpm, .zihintpause, .zihintntl, .zicond, .zicbom, .zicbop,
        .zicboz, .zimop, .zmmul, .zaamo, .zalrsc, .zawrs, .zacas, .zfa, .zfhmin, .zca, .zcb, .zcd, .zcf, .zcmp, .zcmop,
        .zba, .zbb, .zbc, .zbs,
    ]
    private static let implementedOfMachines: RISCVExtensions = [
        .u, .s, .pmp, .sv32, .sv39, .sv48, .sv57, .smstateen, .sstc, .svade, .svadu, .svinval, .svnapot, .svpbmt,
    ]
    /// What a program, or the software of a machine, may count on by default. Of svade and svadu, which contradict each other in what they
    /// promise, the hart has the latter. Programs do without zihpm: no operating system lets them read those counters.
    static func usual(_ wordSize: WordSize, _ use: RISCVCPUUse = .programs) -> RISCVExtensions {
        let usual = implemented(wordSize, use).subtracting([.zcmp, .smstateen, .svade])
        let base: RISCVExtensions = wordSize == .bits32 ? .rv32 : .rv64
        return use == .machine ? usual.union([base, .priv]) : usual.subtracting(.zihpm).union(base)
    }
}

/// What is wrong with a `-cpu` specification.
public enum RISCVCPUError: Error, Equatable, CustomStringConvertible {
    case unknownModel(String, WordSize, RISCVCPUUse = .programs)
    case unknownExtension(String)
    case unsupportedExtension(String)
    case notAnOption(String)
    case badValue(option: String, value: String)
    case required(String)
    case conflict(String, String)

    public var description: String {
        switch self {
        case .unknownModel(let name, let wordSize, let use):
            "unknown CPU model '\(name)'; known: \(RISCVCPUModel.all(wordSize, use).map(\.name).joined(separator: ", "))"
        case .unknownExtension(let name): "unknown CPU extension '\(name)'; '-cpu help' lists them"
        case .unsupportedExtension(let name):
            "CPU extension '\(name)' is not supported; '-cpu help' lists those that are"
        case .notAnOption(let text): "'\(text)' is no CPU option; write EXT=on or EXT=off"
        case .badValue(let option, let value): "CPU option '\(option)=\(value)': the value must be on or off"
        case .required(let name): "CPU extension '\(name)' cannot be switched off"
        case .conflict(let one, let other):
            "CPU extensions '\(one)' and '\(other)' cannot be combined: switch one of them off"
        }
    }
}
