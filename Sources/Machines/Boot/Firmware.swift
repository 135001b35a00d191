// -bios: which firmware a machine starts.

import HostOS

public enum Firmware: Sendable, Equatable {
    /// Harts begin in the kernel, in machine mode.
    case none
    /// OpenSBI, where it is found.
    case usual
    case file(String)

    /// As `-bios` takes it; nil: it was not given.
    public init(option: String?) {
        switch option {
        case nil, "default"?: self = .usual
        case "none"?: self = .none
        case let path?: self = .file(path)
        }
    }

    /// Files of OpenSBI for harts of a width, best first: beside the emulator, in what `devtool payloads` has fetched, where packages of
    /// distributions have them. `executable`: the emulator's path; `cache`: the user's folder for what can be fetched again.
    public static func usualFiles(_ width: HartWidth, executable: String?, cache: String?) -> [String] {
        let bits = width.rawValue
        var files: [String] = []
        if let folder = executable.flatMap({ path in path.lastIndex(of: "/").map { path[..<$0] } }) {
            files += ["\(folder)/firmware\(bits).bin", "\(folder)/../share/martlet/firmware\(bits).bin"]
        }
        if let cache { files.append("\(cache)/martlet/payloads/firmware\(bits).bin") }
        return files + [
            "/usr/lib/riscv\(bits)-linux-gnu/opensbi/generic/fw_dynamic.bin",
            "/usr/share/opensbi/\(width == .bits64 ? "lp64" : "ilp32")/generic/firmware/fw_dynamic.bin",
            "/usr/share/opensbi/generic/fw_dynamic.bin",
            "/usr/share/qemu/opensbi-riscv\(bits)-generic-fw_dynamic.bin",
        ]
    }

    /// The file; nil: no firmware is wanted.
    func path(_ width: HartWidth, searching files: [String]) throws(MachineError) -> String? {
        switch self {
        case .none: return nil
        case .file(let path): return path
        case .usual:
            if let found = files.first(where: { HostFile.exists($0) }) { return found }
            throw MachineError(
                "-bios default: there is no OpenSBI for \(width.rawValue)-bit harts here: install the package opensbi, or name a file with -bios"
            )
        }
    }
}
