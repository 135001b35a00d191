// swift-tools-version: 6.2
import PackageDescription

// The rooms of Documentation/Architecture.md, lowest layer first. A target may depend only on targets above it in
// this file; Tests/ArchitectureTests reads the package description and fails on an upward arrow.

/// Targets on the translation or execution path are optimised in debug builds too, so that tests run at usable speed.
let hot: [SwiftSetting] = [
    .unsafeFlags(["-O"], .when(configuration: .debug)),
    .unsafeFlags(["-enforce-exclusivity=unchecked"]),
]

/// Tests that spend their time in other targets are compiled without optimization, which takes a fifth of the time.
let quick: [SwiftSetting] = [.unsafeFlags(["-Onone"])]

let package = Package(
    name: "martlet",
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .executable(name: "martlet-system", targets: ["martlet-system"]),
    ],
    targets: [
        // Base
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CCapstone", pkgConfig: "capstone", providers: [.apt(["libcapstone-dev"])]),
        .systemLibrary(name: "CFDT", providers: [.apt(["libfdt-dev"])]),
        .systemLibrary(name: "CSlirp", providers: [.apt(["libslirp-dev"])]),
        .systemLibrary(name: "CBuild"),
        .systemLibrary(name: "CURing", providers: [.apt(["liburing-dev"])]),
        .systemLibrary(name: "CZ", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "HostOS", dependencies: ["CLinux"], swiftSettings: hot),
        .target(name: "Diagnostics", dependencies: ["HostOS"], swiftSettings: hot),
        .target(name: "Options"),
        .target(name: "SoftFloat", swiftSettings: hot),
        // Translator
        .target(name: "IR", swiftSettings: hot),
        .target(name: "Optimizer", dependencies: ["IR"], swiftSettings: hot),
        .target(name: "CodeGen", dependencies: ["IR", "SoftFloat"], swiftSettings: hot),
        .target(name: "CodeGenX64", dependencies: ["IR", "CodeGen", "SoftFloat"], swiftSettings: hot),
        .target(name: "CodeGenInterpreter", dependencies: ["IR", "CodeGen", "SoftFloat"], swiftSettings: hot),
        // Contract
        .target(name: "GuestMemory", swiftSettings: hot),
        .target(name: "GuestKit", dependencies: ["IR", "SoftFloat", "GuestMemory"], swiftSettings: hot),
        // Guests
        .target(
            name: "GuestRISCV", dependencies: ["IR", "GuestKit", "GuestMemory", "SoftFloat"],
            swiftSettings: hot, plugins: ["DecodeTables"]),
        .target(
            name: "GuestMoxie", dependencies: ["IR", "GuestKit"], swiftSettings: hot, plugins: ["DecodeTables"]),
        // Engine
        .target(name: "TranslationStore", dependencies: ["GuestMemory", "HostOS"], swiftSettings: hot),
        .target(
            name: "ExecutionEngine",
            dependencies: [
                "IR", "Optimizer", "CodeGen", "GuestKit", "GuestMemory", "TranslationStore", "HostOS", "Diagnostics",
            ],
            swiftSettings: hot),
        .target(
            name: "Profiling", dependencies: ["ExecutionEngine", "GuestMemory", "HostOS", "CLinux"], swiftSettings: hot),
        // User mode
        .target(name: "LinuxMemory", dependencies: ["GuestMemory", "HostOS", "CLinux"], swiftSettings: hot),
        .target(name: "LinuxABI", dependencies: ["HostOS"], swiftSettings: hot, plugins: ["LinuxTables"]),
        .target(
            name: "LinuxUser",
            dependencies: [
                "LinuxMemory", "LinuxABI", "ExecutionEngine", "Profiling", "GuestKit", "GuestMemory", "HostOS",
                "Diagnostics", "CLinux",
            ],
            swiftSettings: hot),
        // Machines. Their libraries are linked as archives, so that a program needs none of them where it runs.
        .target(name: "DeviceTree", dependencies: ["CFDT"], linkerSettings: [.linkedLibrary(":libfdt.a")]),
        .target(
            name: "Machines", dependencies: ["DeviceTree", "GuestMemory", "HostOS", "CZ"],
            linkerSettings: [.linkedLibrary(":libz.a")]),
        .target(name: "EventLoop", dependencies: ["HostOS", "CLinux"]),
        .target(name: "CharLayer", dependencies: ["EventLoop", "Options", "HostOS", "CLinux"]),
        .target(name: "FileShare", dependencies: ["HostOS"]),
        .target(name: "NetLayer", dependencies: ["CharLayer", "EventLoop", "Options", "HostOS", "CSlirp"]),
        .target(
            name: "DiskRing", dependencies: ["HostOS", "CURing"], linkerSettings: [.linkedLibrary(":liburing.a")]),
        .target(
            name: "BlockLayer", dependencies: ["DiskRing", "EventLoop", "Options", "HostOS", "CLinux", "CZ", "CZstd"],
            linkerSettings: [.linkedLibrary(":libz.a"), .linkedLibrary(":libzstd.a")]),
        .target(
            name: "SystemKit",
            dependencies: [
                "EventLoop", "CharLayer", "BlockLayer", "NetLayer", "FileShare", "GuestMemory", "HostOS", "Diagnostics",
                "Options",
            ]),
        .target(
            name: "Devices",
            dependencies: ["SystemKit", "BlockLayer", "EventLoop", "CharLayer", "GuestMemory", "HostOS"]),
        .target(name: "PCI", dependencies: ["SystemKit", "GuestMemory", "HostOS"]),
        .target(name: "SCSI", dependencies: ["SystemKit", "BlockLayer"]),
        .target(
            name: "Virtio",
            dependencies: [
                "SystemKit", "PCI", "SCSI", "BlockLayer", "NetLayer", "FileShare", "EventLoop", "CharLayer",
                "GuestMemory",
                "HostOS",
            ]),
        .target(
            name: "Monitor",
            dependencies: [
                "SystemKit", "EventLoop", "CharLayer", "BlockLayer", "NetLayer", "Options", "HostOS", "Diagnostics",
            ]),
        .target(name: "ProfileReport", dependencies: ["Profiling", "ExecutionEngine", "HostOS"]),
        .target(
            name: "EngineSetup",
            dependencies: [
                "CodeGen", "CodeGenX64", "CodeGenInterpreter", "ExecutionEngine", "TranslationStore", "Optimizer",
                "Options", "HostOS", "Diagnostics", "CCapstone", "CBuild",
            ]),
        .target(name: "ImageTool", dependencies: ["BlockLayer", "EventLoop", "EngineSetup", "Options", "HostOS"]),
        // System mode
        .target(
            name: "Harts", dependencies: ["ExecutionEngine", "GuestKit", "GuestMemory", "HostOS"], swiftSettings: hot),
        // App
        .executableTarget(
            name: "martlet",
            dependencies: [
                "EngineSetup", "GuestKit", "GuestRISCV", "GuestMoxie", "TranslationStore", "ExecutionEngine", "HostOS",
                "LinuxMemory", "LinuxABI", "LinuxUser", "ProfileReport", "Options", "Diagnostics",
            ]),
        .executableTarget(
            name: "martlet-system",
            dependencies: [
                "EngineSetup", "GuestKit", "GuestMemory", "GuestRISCV", "ExecutionEngine", "Harts", "EventLoop",
                "CharLayer", "BlockLayer", "NetLayer", "FileShare", "SystemKit", "Devices", "PCI", "SCSI", "Virtio",
                "Monitor",
                "Machines", "ImageTool", "HostOS", "Diagnostics", "Options",
            ]),
        // Tools
        .target(name: "DecodeTree"),
        .executableTarget(name: "decodetree", dependencies: ["DecodeTree"]),
        .plugin(name: "DecodeTables", capability: .buildTool(), dependencies: ["decodetree"]),
        .target(name: "ABITables"),
        .executableTarget(name: "abitables", dependencies: ["ABITables"]),
        .plugin(name: "LinuxTables", capability: .buildTool(), dependencies: ["abitables"]),
        // Tests
        .testTarget(name: "TestSupport", dependencies: ["IR", "GuestKit", "HostOS"]),
        .target(
            name: "ToyGuest", dependencies: ["IR", "GuestKit"], path: "Tests/ToyGuest", swiftSettings: quick,
            plugins: ["DecodeTables"]),
        .target(name: "ToyABI", dependencies: ["LinuxABI", "HostOS"], path: "Tests/ToyABI", swiftSettings: quick),
        .target(
            name: "EngineModes",
            dependencies: [
                "ExecutionEngine", "CodeGen", "CodeGenX64", "CodeGenInterpreter", "GuestKit", "GuestMemory",
                "LinuxMemory",
                "HostOS", "Diagnostics",
            ], path: "Tests/EngineModes", swiftSettings: quick),
        .executableTarget(
            name: "toyuser",
            dependencies: [
                "ToyGuest", "ToyABI", "EngineModes", "LinuxUser", "LinuxABI", "LinuxMemory", "ExecutionEngine",
                "GuestMemory",
                "HostOS",
            ], path: "Tests/ToyUser", swiftSettings: quick),
        .testTarget(name: "ArchitectureTests", swiftSettings: quick),
        .testTarget(name: "SoftFloatTests", dependencies: ["SoftFloat", "TestSupport"]),
        .testTarget(
            name: "DecodeTreeTests", dependencies: ["DecodeTree", "GuestKit", "TestSupport"], swiftSettings: quick,
            plugins: ["DecodeTables"]),
        .testTarget(name: "IRTests", dependencies: ["IR", "TestSupport"], swiftSettings: quick),
        .testTarget(
            name: "OptimizerTests", dependencies: ["IR", "Optimizer", "CodeGen", "CodeGenInterpreter", "TestSupport"],
            exclude: ["Cases"]),
        .testTarget(
            name: "CodeGenTests",
            dependencies: [
                "IR", "CodeGen", "CodeGenX64", "CodeGenInterpreter", "SoftFloat", "HostOS", "CCapstone", "TestSupport",
            ],
            exclude: ["Goldens"]),
        .testTarget(
            name: "GuestRISCVTests",
            dependencies: ["IR", "GuestKit", "GuestMemory", "GuestRISCV", "SoftFloat", "TestSupport"],
            swiftSettings: quick),
        .testTarget(
            name: "GuestMoxieTests",
            dependencies: [
                "IR", "GuestKit", "GuestMoxie", "GuestMemory", "LinuxMemory", "ExecutionEngine", "EngineModes",
                "TestSupport",
            ],
            swiftSettings: quick),
        .testTarget(
            name: "ExecutionEngineTests",
            dependencies: [
                "ExecutionEngine", "EngineModes", "CodeGen", "GuestKit", "GuestMemory", "GuestRISCV",
                "TranslationStore", "HostOS", "Diagnostics", "IR", "Optimizer", "CLinux", "TestSupport",
            ],
            swiftSettings: quick),
        .testTarget(
            name: "ToyGuestTests",
            dependencies: [
                "ToyGuest", "ToyABI", "ExecutionEngine", "EngineModes", "GuestKit", "GuestMemory", "LinuxMemory",
                "LinuxABI", "HostOS", "TestSupport",
            ], swiftSettings: quick),
        .testTarget(
            name: "ConformanceTests",
            dependencies: [
                "IR", "GuestKit", "GuestRISCV", "GuestMoxie", "ToyGuest", "EngineModes", "ExecutionEngine",
                "GuestMemory", "LinuxMemory", "TestSupport",
            ]),
        .testTarget(
            name: "LinuxABITests", dependencies: ["LinuxABI", "ABITables", "HostOS", "TestSupport"],
            swiftSettings: quick),
        .testTarget(
            name: "LinuxUserTests",
            dependencies: [
                "LinuxUser", "LinuxMemory", "LinuxABI", "GuestMemory", "HostOS", "ExecutionEngine", "GuestKit",
                "Diagnostics", "IR", "CodeGenInterpreter", "CLinux", "ToyABI", "TestSupport",
            ],
            swiftSettings: quick),
        .testTarget(
            name: "EventLoopTests",
            dependencies: ["EventLoop", "CharLayer", "Options", "HostOS", "CLinux", "TestSupport"],
            swiftSettings: quick),
        .testTarget(
            name: "BlockLayerTests",
            dependencies: ["BlockLayer", "DiskRing", "EventLoop", "Options", "HostOS", "TestSupport"],
            swiftSettings: quick),
        .testTarget(name: "OptionsTests", dependencies: ["Options"], swiftSettings: quick),
        .testTarget(
            name: "SystemKitTests",
            dependencies: [
                "SystemKit", "Monitor", "EventLoop", "CharLayer", "BlockLayer", "Options", "GuestMemory", "HostOS",
                "Diagnostics", "TestSupport",
            ], swiftSettings: quick),
        .testTarget(
            name: "DevicesTests",
            dependencies: [
                "Devices", "PCI", "SCSI", "Virtio", "BlockLayer", "NetLayer", "FileShare", "SystemKit", "EventLoop",
                "CharLayer", "Options",
                "GuestMemory",
                "HostOS",
                "Diagnostics", "TestSupport",
            ], swiftSettings: quick),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Devices", "PCI", "SCSI", "Virtio", "BlockLayer", "CharLayer", "NetLayer", "FileShare", "SystemKit",
                "EventLoop", "Options", "GuestMemory", "HostOS",
            ], path: "Tests/FuzzTargets"),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "TestSupport"], swiftSettings: quick),
        .testTarget(
            name: "ProfileReportTests", dependencies: ["ProfileReport", "Profiling", "ExecutionEngine", "TestSupport"],
            swiftSettings: quick),
        .testTarget(
            name: "DeviceTreeTests", dependencies: ["DeviceTree", "TestSupport"], swiftSettings: quick),
        .testTarget(
            name: "MachinesTests",
            dependencies: ["Machines", "DeviceTree", "GuestMemory", "HostOS", "CZ", "TestSupport"],
            swiftSettings: quick),
        .testTarget(
            name: "SystemCommandTests", dependencies: ["BlockLayer", "HostOS", "TestSupport"], swiftSettings: quick),
        .testTarget(
            name: "GuestProgramTests", dependencies: ["GuestKit", "GuestRISCV", "SoftFloat", "HostOS", "TestSupport"]),
        .testTarget(name: "MachineProgramTests", dependencies: ["TestSupport"], swiftSettings: quick),
    ],
    swiftLanguageModes: [.v6]
)

// `./devtool fuzz` builds its program and what that needs, and nothing else: whatever the compiler's fuzzer has touched has no main function.
if Context.environment["MARTLET_FUZZ"] != nil {
    package.targets.append(.executableTarget(name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz"))
    var needed: Set = ["fuzz"]
    for target in package.targets.reversed() where needed.contains(target.name) {
        for case .byNameItem(let name, _) in target.dependencies { needed.insert(name) }
    }
    package.targets.removeAll { !needed.contains($0.name) }
    package.products = []
}
