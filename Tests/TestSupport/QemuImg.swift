// QEMU's tool for images, as the other side of tests. Without it they do nothing: `./devtool payloads` fetches it.

import Glibc
import TestSupport
import Testing

enum QemuImg {
    static let path =
        (environmentValue("XDG_CACHE_HOME") ?? (environmentValue("HOME") ?? "/root") + "/.cache")
        + "/martlet/payloads/qemu-img"

    static var isThere: Bool { access(path, X_OK) == 0 }

    /// Runs it. Returns nil when it is not there.
    static func run(_ arguments: [String]) throws -> ProcessRun? {
        isThere ? try runProcess(path, arguments, seconds: 30) : nil
    }

    /// It finds nothing wrong with an image. True also where it is not there.
    static func checks(_ path: String) throws -> Bool {
        guard let run = try run(["check", path]) else { return true }
        if run.exit != 0 { Issue.record("qemu-img check: \(run.text) \(run.errorText)") }
        return run.exit == 0
    }
}

extension Trait where Self == ConditionTrait {
    static var qemuImg: Self { .enabled(if: QemuImg.isThere, "./devtool payloads fetches qemu-img") }
}
