// The rules of the house: arrows only point down, an import is declared, the host's C library has one door.

/// What a scan of the sources found in one target.
struct TargetImports {
    var target: String
    var file: String
    var modules: [String]
}

/// Modules that come with the toolchain and that every layer may use.
private let everywhere: Set = ["Swift", "Synchronization", "Builtin"]
/// The only targets that may import the C library.
private let importersOfGlibc: Set = ["HostOS"]
/// The topmost layer of the program, and the tools beside it: Foundation stays out of everything else.
private let mayUseFoundation: Set = ["martlet", "DecodeTree", "decodetree", "abitables"]

/// Every violation as one line; empty when the house is in order.
func violations(targets: [TargetRow], imports: [TargetImports]) -> [String] {
    var found: [String] = []
    var position: [String: Int] = [:]
    for (index, row) in targets.enumerated() {
        if position.updateValue(index, forKey: row.name) != nil { found.append("\(row.name) is listed twice") }
    }
    for (index, row) in targets.enumerated() where row.kind != .testTarget {
        for dependency in row.dependencies {
            guard let other = position[dependency] else {
                found.append("\(row.name) depends on \(dependency), which is no target of the package")
                continue
            }
            if other >= index {
                found.append("upward arrow: \(row.name) depends on \(dependency), which is listed after it")
            }
            if targets[other].kind == .testTarget { found.append("\(row.name) depends on the tests \(dependency)") }
        }
    }
    let byName = Dictionary(targets.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    for scan in imports {
        guard let row = byName[scan.target] else {
            found.append("\(scan.file): no target \(scan.target) in Package.swift")
            continue
        }
        for module in scan.modules where !everywhere.contains(module) {
            switch module {
            case "Glibc" where row.kind == .testTarget || importersOfGlibc.contains(row.name): break
            case "Glibc" where mayUseFoundation.contains(row.name) && row.name != "martlet": break
            case "Glibc": found.append("\(scan.file): only HostOS may import Glibc")
            case "Foundation", "FoundationEssentials", "Dispatch":
                if row.kind != .testTarget, row.kind != .plugin, !mayUseFoundation.contains(row.name) {
                    found.append("\(scan.file): \(module) below the App layer")
                }
            case "Testing" where row.kind == .testTarget, "PackagePlugin" where row.kind == .plugin: break
            default:
                if byName[module] == nil {
                    found.append("\(scan.file): imports \(module), which is no target of the package")
                } else if !row.dependencies.contains(module) {
                    found.append("\(scan.file): imports \(module) without declaring it in Package.swift")
                }
            }
        }
    }
    return found
}
