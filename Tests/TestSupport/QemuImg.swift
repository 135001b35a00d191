// QEMU's tool for images, as the other side of tests. Without it they do nothing: `./devtool payloads` fetches it.

import Glibc
import Testing

public enum QemuImg {
    public static let path =
        (environmentValue("XDG_CACHE_HOME") ?? (environmentValue("HOME") ?? "/root") + "/.cache")
        + "/martlet/payloads/qemu-img"

    public static var isThere: Bool { access(path, X_OK) == 0 }

    /// Runs it. Returns nil when it is not there.
    public static func run(_ arguments: [String]) throws -> ProcessRun? {
        isThere ? try runProcess(path, arguments, seconds: 30) : nil
    }

    /// It finds nothing wrong with an image, but for clusters that nobody uses where `mayLeak`. True also where it is not there.
    public static func checks(_ path: String, mayLeak: Bool = false) throws -> Bool {
        guard let run = try run(["check", path]) else { return true }
        let isRight = run.exit == 0 || mayLeak && run.exit == 3
        if !isRight { Issue.record("qemu-img check: \(run.text) \(run.errorText)") }
        return isRight
    }
}

extension Trait where Self == ConditionTrait {
    public static var qemuImg: Self { .enabled(if: QemuImg.isThere, "./devtool payloads fetches qemu-img") }
}
