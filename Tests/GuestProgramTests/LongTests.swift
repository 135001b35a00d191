// What takes minutes: with MARTLET_LONG=1 only.

import Glibc
import TestSupport
import Testing

@Suite(.enabled(if: environmentValue("MARTLET_LONG") == "1"), .serialized) struct LongTests {
    /// Ten minutes in all.
    private static let modes: [Mode] = [
        Mode(name: "default", options: []),
        Mode(name: "baseline", options: ["-accel", "tcg,tier=baseline"]),
        Mode(name: "optimizing", options: ["-accel", "tcg,tier=optimizing"]),
        Mode(name: "64 KiB of code", options: ["-tb-size", "64K"]),
    ]

    /// Code that threads, children and signal handlers run while it changes (c/codestress.c). A failure names its seed.
    @Test(arguments: modes)
    func changingCodeIsRightForMinutes(_ mode: Mode) throws {
        let run = try runProcess(
            try Workspace.requireMartlet(),
            ["-accel", "tcg,cache=off"] + mode.options
                + [
                    Workspace.guestFolder + "/c/codestress", "150",
                    environmentValue("MARTLET_FUZZ_SEED") ?? "\(time(nil))",
                ],
            seconds: 290)
        #expect(run.text + run.ending == "ok\n[exit 0]", "\(run.errorText)")
    }
}
