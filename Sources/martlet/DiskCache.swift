// Where translations are kept between runs, and for which runs they are good.

import EngineSetup
import Diagnostics
import ExecutionEngine
import HostOS
import TranslationStore

enum DiskCache {
    /// The folder: `cache=DIR`, else $MARTLET_CACHE_DIR, $XDG_CACHE_HOME/martlet or ~/.cache/martlet, and `translations` below it. Nil
    /// when it is turned off or nothing says where.
    static func folder(_ setting: String?) -> String? {
        if setting == "off" { return nil }
        if let setting, setting.hasPrefix("/") { return setting + "/translations" }
        for (name, below) in [("MARTLET_CACHE_DIR", ""), ("XDG_CACHE_HOME", "/martlet"), ("HOME", "/.cache/martlet")] {
            if let value = HostProcess.variable(name), value.hasPrefix("/") { return value + below + "/translations" }
        }
        return nil
    }

    /// What the translations of this run depend on besides guest code: this very build of Martlet, guest, options.
    static func configuration(_ options: EngineOptions, guest: String, cpu: String?) -> StoreIdentity? {
        guard let own = try? HostFile.status(path: "/proc/self/exe") else { return nil }
        let parts: [String] = [
            martletVersion, "\(own.device) \(own.inode) \(own.size) \(own.modified) \(own.changed)", guest, cpu ?? "",
            options.tier.rawValue, "\(options.maxInstructions) \(options.chaining) \(options.isProfiled)",
            options.disabledPasses.sorted().joined(separator: ","),
        ]
        return StoreIdentity(describing: parts.joined(separator: "\0").utf8)
    }

    /// Listings of translations show what is translated: nothing is taken from the disk then.
    static func isInTheWay(of diagnostics: Diagnostics) -> Bool {
        [.guestCode, .ops, .optimizedOps, .hostCode, .regions].contains { diagnostics.isEnabled($0) }
    }
}
