// Sets of RISC-V extensions as people write them. The bits themselves, their names and what each brings with it are
// rows of Decode/Extensions.decode; this file adds completion, presets and the ISA string (Unprivileged ISA, chapter
// "ISA extension naming conventions").

import GuestKit

extension RISCVExtensions {
    /// RV64GC as user programs expect it, with counters and hints.
    public static var rv64gc: RISCVExtensions { general(.bits64) }

    static func general(_ wordSize: WordSize) -> RISCVExtensions {
        let base: RISCVExtensions = [wordSize == .bits32 ? .rv32 : .rv64, .i, .m, .a, .f, .d, .c]
        return base.union([.zicsr, .zifencei, .zicntr, .zihintpause]).completed
    }

    /// All that decodes on a 64-bit hart: without RV32-only encodings and without Zcmp, whose encodings Zcd uses.
    public static var everything64: RISCVExtensions {
        all.subtracting([.rv32, .zcmp])
    }
    /// The same on a 32-bit hart.
    public static var everything32: RISCVExtensions {
        all.subtracting([.rv64, .zcmp])
    }

    /// The set with everything that its members imply.
    public var completed: RISCVExtensions {
        var result = self
        while true {
            var next = result
            for bit in 0..<Self.count where result.contains(bit: bit) {
                next.formUnion(Self.implied(by: bit))
            }
            if next == result { return result }
            result = next
        }
    }

    /// The extension called `name` (lower case, as in an ISA string); nil when there is none.
    public static func named(_ name: String) -> RISCVExtensions? {
        for bit in 0..<count where self.name(bit) == name { return RISCVExtensions(bit: bit) }
        return nil
    }

    /// The ISA string of the set: `rv64imafdc_zicsr_…`, single letters first, in the canonical order.
    public var isaString: String {
        var text = contains(.rv32) ? "rv32" : "rv64"
        for letter in ["i", "m", "a", "f", "d", "c", "v", "h"] {
            if let one = Self.named(letter), contains(one) { text += letter }
        }
        for bit in 0..<Self.count where contains(bit: bit) {
            let name = Self.name(bit)
            if name.hasPrefix("z") || isMultiLetter(bit) { text += "_" + name }
        }
        return text
    }

    /// Names of a machine's that are extensions (`smstateen`), not modes or widths of page tables.
    private func isMultiLetter(_ bit: Int) -> Bool {
        let name = Self.name(bit)
        return name.utf8.count > 4 && (name.hasPrefix("sm") || name.hasPrefix("ss") || name.hasPrefix("sv"))
            || name == "sstc"
    }

    /// The extensions one by one, in the order of the ISA string: `riscv,isa-extensions` of device trees.
    public var isaExtensions: [String] {
        let parts = isaString.split(separator: "_").map(String.init)
        return parts[0].dropFirst(4).map(String.init) + parts.dropFirst()
    }

    /// Reads an ISA string such as `rv64imac_zba_zbb` or `rv64gc` (without version numbers), and completes it; nil when
    /// a part is unknown.
    public init?(isaString: String) {
        var parts = isaString.lowercased().split(separator: "_")[...]
        guard let base = parts.popFirst() else { return nil }
        var result: RISCVExtensions
        if base.hasPrefix("rv64") {
            result = .rv64
        } else if base.hasPrefix("rv32") {
            result = .rv32
        } else {
            return nil
        }
        for letter in base.dropFirst(4) {
            if letter == "g" {
                result.formUnion([.i, .m, .a, .f, .d, .zicsr, .zifencei])
            } else if let one = Self.named(String(letter)) {
                result.formUnion(one)
            } else {
                return nil
            }
        }
        for name in parts {
            guard name.hasPrefix("z"), let one = Self.named(String(name)) else { return nil }
            result.formUnion(one)
        }
        self = result.completed
    }
}
