// Guest addresses to functions: by the mappings that a profile has noted and the symbols of the files, each read once.

import ExecutionEngine
import HostOS

/// A function of the guest, or a place that belongs to none.
struct GuestFunction: Hashable {
    /// The file's name without its folder; "" for memory that no file is known for.
    var file: String
    var name: String
}

/// Symbols of files, each read once for all profiles.
final class SymbolFiles {
    private var files: [String: ELFSymbols] = [:]

    subscript(_ path: String) -> ELFSymbols {
        if let known = files[path] { return known }
        let symbols = ELFSymbols(path: path)
        files[path] = symbols
        return symbols
    }
}

/// Of one process.
final class Symbolizer {
    private let mappings: [RecordedMapping]
    private let files: SymbolFiles
    private struct Key: Hashable {
        var address: UInt64
        var mapping: Int
    }
    private var known: [Key: GuestFunction] = [:]

    init(_ mappings: [RecordedMapping], _ files: SymbolFiles) {
        self.mappings = mappings
        self.files = files
    }

    /// The function at `address` when the first `count` mappings had been made.
    func function(at address: UInt64, _ count: Int) -> GuestFunction {
        let index = mappings.prefix(count).lastIndex { $0.start <= address && address < $0.end }
        let key = Key(address: address, mapping: index ?? -1)
        if let found = known[key] { return found }
        let function = index.map { lookUp(address, mappings[$0]) } ?? GuestFunction(file: "", name: hex(address))
        known[key] = function
        return function
    }

    private func lookUp(_ address: UInt64, _ mapping: RecordedMapping) -> GuestFunction {
        let file = String(mapping.path.split(separator: "/").last ?? "?")
        let symbols = files[mapping.path]
        let offset = address - mapping.start &+ mapping.offset
        guard let inFile = symbols.address(ofOffset: offset) else {
            return GuestFunction(file: file, name: "\(file)+\(hex(offset))")
        }
        guard let function = symbols.function(at: inFile) else {
            return GuestFunction(file: file, name: "\(file)+\(hex(inFile))")
        }
        return GuestFunction(file: file, name: function.name.map(withoutVersion) ?? "\(file)+\(hex(function.start))")
    }

    /// `memcpy@@GLIBC_2.27` is memcpy.
    private func withoutVersion(_ name: String) -> String { String(name.prefix { $0 != "@" }) }
}

func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
