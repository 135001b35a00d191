// Where translations are kept between runs, and for which runs they are good.

import Diagnostics
import ExecutionEngine
import HostOS
import TranslationStore

public enum DiskCache {
    /// The folder: `cache=DIR`, else $MARTLET_CACHE_DIR, $XDG_CACHE_HOME/martlet or ~/.cache/martlet, and `translations` below it. Nil
    /// when it is turned off or nothing says where.
    ///
    /// A root for another architecture is an image in the making, or a container's, and gets no files of Martlet's. There, the folder is in
    /// memory, in /dev/shm, if that is a file system of its own.
    public static func folder(_ setting: String?) -> String? {
        if setting == "off" { return nil }
        // With rights that the user does not have, no file is taken from or left in places that the user names.
        if HostProcess.isSecure { return nil }
        if let setting, setting.hasPrefix("/") { return setting + "/translations" }
        if let folder = folder(named: "MARTLET_CACHE_DIR", "") { return folder }
        if !isHostRoot { return memoryFolder }
        return folder(named: "XDG_CACHE_HOME", "/martlet") ?? folder(named: "HOME", "/.cache/martlet")
    }

    private static func folder(named name: String, _ below: String) -> String? {
        HostProcess.variable(name).flatMap { $0.hasPrefix("/") ? $0 + below + "/translations" : nil }
    }

    private static let memory = "/dev/shm"
    private static var memoryFolder: String? {
        guard HostFile.fileSystem(memory) == HostFile.tmpfs else { return nil }
        return "\(memory)/martlet-\(HostProcess.effectiveUserID)/translations"
    }

    /// The shell is a program for this processor.
    private static var isHostRoot: Bool {
        guard let fd = try? HostFile.openForReading("/bin/sh") else { return false }
        defer { HostFile.close(fd) }
        return withUnsafeTemporaryAllocation(byteCount: 20, alignment: 4) { start in
            let elf: UInt32 = 0x464c_457f, x86_64: UInt16 = 62  // magic number, e_machine (System V ABI)
            return (try? HostFile.read(fd, into: start, at: 0)) == start.count && start.load(as: UInt32.self) == elf
                && start.load(fromByteOffset: 18, as: UInt16.self) == x86_64
        }
    }

    /// Bytes that all files may have together where nothing is said: of a file system in memory at most a quarter.
    private static func usualLimit(_ folder: String) -> Int? {
        guard folder.hasPrefix(memory + "/"), let size = HostFile.fileSystemSize(memory) else { return nil }
        return min(StoreOptions.usualLimit, Int(size / 4))
    }

    /// The store of a run, where one is wanted and nothing is in its way. `guest` and `cpu`: what code depends on
    /// besides guest bytes; `program`: the name of the file that has what comes from no other one.
    public static func options(
        _ accelerator: AcceleratorOptions, _ options: EngineOptions, folder: String?, kept: KeptFolder = KeptFolder(),
        guest: String, cpu: String?, program: String
    ) -> StoreOptions? {
        // Code that counts instructions is another's code.
        guard let folder, options.tier != .interpreter, options.optimizeOnly.ranges.isEmpty,
            !options.countsInstructions,
            !isInTheWay(of: options.diagnostics), options.verification != .all,
            let configuration = configuration(options, guest: guest, cpu: cpu)
        else { return nil }
        var store = StoreOptions(folder: folder, kept: kept, configuration: configuration, program: program)
        if let limit = accelerator.diskCacheSize ?? usualLimit(folder) { store.limit = limit }
        return store
    }

    /// What the translations of this run depend on besides guest code: this very build of Martlet, guest, options.
    private static func configuration(_ options: EngineOptions, guest: String, cpu: String?) -> StoreIdentity? {
        guard let own = OwnFile.status else { return nil }
        let parts: [String] = [
            martletVersion, "\(own.device) \(own.inode) \(own.size) \(own.modified) \(own.changed)", guest, cpu ?? "",
            options.tier.rawValue, "\(options.maxInstructions) \(options.chaining) \(options.isProfiled)",
            options.disabledPasses.sorted().joined(separator: ","),
        ]
        return StoreIdentity(describing: parts.joined(separator: "\0").utf8)
    }

    /// Listings of translations show what is translated: nothing is taken from the disk then.
    private static func isInTheWay(of diagnostics: Diagnostics) -> Bool {
        [.guestCode, .ops, .optimizedOps, .hostCode, .regions].contains { diagnostics.isEnabled($0) }
    }
}
