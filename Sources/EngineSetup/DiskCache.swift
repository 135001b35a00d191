// Where translations are kept between runs, and for which runs they are good.

import Diagnostics
import ExecutionEngine
import HostOS
import TranslationStore

public enum DiskCache {
    /// The folder: `cache=DIR`, else $MARTLET_CACHE_DIR, $XDG_CACHE_HOME/martlet or ~/.cache/martlet, and `translations` below it. Nil
    /// when it is turned off or nothing says where.
    public static func folder(_ setting: String?) -> String? {
        if setting == "off" { return nil }
        if let setting, setting.hasPrefix("/") { return setting + "/translations" }
        for (name, below) in [("MARTLET_CACHE_DIR", ""), ("XDG_CACHE_HOME", "/martlet"), ("HOME", "/.cache/martlet")] {
            if let value = HostProcess.variable(name), value.hasPrefix("/") { return value + below + "/translations" }
        }
        return nil
    }

    /// The store of a run, where one is wanted and nothing is in its way. `guest` and `cpu`: what code depends on
    /// besides guest bytes; `program`: the name of the file that has what comes from no other one.
    public static func options(
        _ accelerator: AcceleratorOptions, _ options: EngineOptions, folder: String?, guest: String,
        cpu: String?, program: String
    ) -> StoreOptions? {
        // Code that counts instructions is another's code.
        guard let folder, options.tier != .interpreter, options.optimizeOnly.ranges.isEmpty,
            !options.countsInstructions,
            !isInTheWay(of: options.diagnostics), options.verification != .all,
            let configuration = configuration(options, guest: guest, cpu: cpu)
        else { return nil }
        var store = StoreOptions(folder: folder, configuration: configuration, program: program)
        if let limit = accelerator.diskCacheSize { store.limit = limit }
        return store
    }

    /// What the translations of this run depend on besides guest code: this very build of Martlet, guest, options.
    private static func configuration(_ options: EngineOptions, guest: String, cpu: String?) -> StoreIdentity? {
        guard let own = try? HostFile.status(path: "/proc/self/exe") else { return nil }
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
