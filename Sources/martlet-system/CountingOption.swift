// The value of `-icount`.

import EngineSetup

struct CountingOption: Sendable {
    /// An instruction takes 2^shift nanoseconds.
    var shift = 0
    /// What harts wait, the host waits.
    var sleeps = true

    init(parsing text: String) throws(OptionError) {
        var shift: Int?
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard halves.count == 2 else { throw OptionError("'\(part)' is not known; wanted shift=N[,sleep=on|off]") }
            switch halves[0] {
            case "shift":
                guard let number = Int(halves[1]), (0...10).contains(number) else {
                    throw OptionError(
                        halves[1] == "auto"
                            ? "a shift that follows the host's speed would make each run another: wanted shift=0 to 10"
                            : "wanted shift=0 to 10: an instruction takes 2^N ns")
                }
                shift = number
            case "sleep": sleeps = try Self.isOn(halves[1], "sleep wants on or off")
            case "align":
                if try Self.isOn(halves[1], "align wants off") {
                    throw OptionError("instructions do not wait for the host's clock: wanted align=off")
                }
            case "rr", "rrfile", "rrsnapshot":
                throw OptionError("nothing is recorded or replayed: wanted shift=N[,sleep=on|off]")
            default: throw OptionError("'\(halves[0])' is not known; wanted shift=N[,sleep=on|off]")
            }
        }
        guard let shift else { throw OptionError("wanted shift=N, and N from 0 to 10") }
        self.shift = shift
    }

    private static func isOn(_ value: String, _ wanted: String) throws(OptionError) -> Bool {
        guard value == "on" || value == "off" else { throw OptionError(wanted) }
        return value == "on"
    }
}
