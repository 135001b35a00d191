import Glibc
import Testing

let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

func read(_ path: String) throws -> String {
    let file = try #require(fopen(path, "r"), "cannot read \(path)")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}

/// All files below a folder whose names end so.
func files(_ folder: String, ending suffix: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var found: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name.hasPrefix(".") { continue }
        let path = folder + "/" + name
        if name.hasSuffix(suffix) { found.append(path) } else { found += files(path, ending: suffix) }
    }
    return found.sorted()
}

func swiftFiles(_ folder: String) -> [String] { files(folder, ending: ".swift") }

private func scan(_ targets: [TargetRow], in base: String) throws -> [TargetImports] {
    var scans: [TargetImports] = []
    for row in targets {
        let folder =
            switch row.kind {
            case .testTarget: "Tests"
            case .plugin: "Plugins"
            default: "Sources"
            }
        for file in swiftFiles("\(base)/\(folder)/\(row.name)") {
            scans.append(TargetImports(target: row.name, file: file, modules: parseImports(try read(file))))
        }
    }
    return scans
}

@Suite struct LayeringTests {
    @Test func arrowsOnlyPointDown() throws {
        let targets = parseTargets(try read(root + "/Package.swift"))
        try #require(targets.count > 15, "Package.swift was not understood: \(targets.map(\.name))")
        let scans = try scan(targets, in: root)
        try #require(scans.count > 20, "the sources were not found")
        let found = violations(targets: targets, imports: scans)
        #expect(found.isEmpty, "\(found.joined(separator: "\n"))")
    }

    @Test func everySourceFolderIsATarget() throws {
        let names = Set(parseTargets(try read(root + "/Package.swift")).map(\.name))
        for file in swiftFiles(root + "/Sources") {
            let target = file.dropFirst(root.count + "/Sources/".count).prefix { $0 != "/" }
            #expect(names.contains(String(target)), "\(file) belongs to no target")
        }
    }

    /// A region's invariants have one owner: what its storage holds is assigned in IR alone (`Region+Walk.swift`).
    @Test func onlyIRAssignsARegionsFields() throws {
        let assignment = #/region\.s\.pointee\.\w+ *[-+&]*=[^=]/#
        for file in swiftFiles(root + "/Sources") where !file.contains("/Sources/IR/") {
            let text = try read(file)
            #expect(text.firstMatch(of: assignment) == nil, "\(file)")
        }
    }

    private static let sample = """
        let package = Package(name: "p", products: [.executable(name: "p", targets: ["App"])], targets: [
            // .target(name: "Commented", dependencies: ["App"]),
            .systemLibrary(name: "CLib"),
            .target(name: "Low", dependencies: ["CLib"], swiftSettings: hot),
            .target(
                name: "Middle",
                dependencies: [
                    "Low", "CLib",
                ]),
            .executableTarget(name: "App", dependencies: ["Middle"]),
            .testTarget(name: "LowTests", dependencies: ["Low"]),
        ])
        """

    @Test func theDescriptionIsRead() {
        let rows = parseTargets(Self.sample)
        #expect(rows.map(\.name) == ["CLib", "Low", "Middle", "App", "LowTests"])
        #expect(rows[2] == TargetRow(kind: .target, name: "Middle", dependencies: ["Low", "CLib"]))
        #expect(rows[4].kind == .testTarget)
    }

    @Test func importsAreRead() {
        let text =
            "import A\n@testable import B\npublic import struct C.D\n// import E\n  import F.G\nlet x = 1 // import H"
        #expect(parseImports(text) == ["A", "B", "C", "F"])
    }

    @Test func anUpwardArrowIsFound() {
        let bad = Self.sample.replacing(
            "name: \"Low\", dependencies: [\"CLib\"]", with: "name: \"Low\", dependencies: [\"App\"]")
        #expect(
            violations(targets: parseTargets(bad), imports: []) == [
                "upward arrow: Low depends on App, which is listed after it"
            ])
    }

    @Test(arguments: [
        ("Low", "Middle", "Low.swift: imports Middle without declaring it in Package.swift"),
        ("App", "Low", "Low.swift: imports Low without declaring it in Package.swift"),
        ("Low", "Glibc", "Low.swift: only HostOS may import Glibc"),
        ("Middle", "Foundation", "Low.swift: Foundation below the App layer"),
        ("Middle", "Nothing", "Low.swift: imports Nothing, which is no target of the package"),
    ])
    func aWrongImportIsFound(_ target: String, _ module: String, _ message: String) {
        let scan = TargetImports(target: target, file: "Low.swift", modules: [module])
        #expect(violations(targets: parseTargets(Self.sample), imports: [scan]) == [message])
    }

    @Test func aGoodImportIsAccepted() {
        let scans = [
            TargetImports(target: "Low", file: "f", modules: ["CLib", "Synchronization"]),
            TargetImports(target: "LowTests", file: "t", modules: ["Testing", "Low", "Glibc"]),
        ]
        #expect(violations(targets: parseTargets(Self.sample), imports: scans).isEmpty)
    }
}
