// The value of `-icount`.

import EngineSetup
import Options

struct CountingOption: Sendable {
    /// An instruction takes 2^shift nanoseconds. Where the shift follows the host's speed, it begins with that.
    private(set) var shift = 3
    /// The shift is changed while the machine runs, so that its clock keeps up with the host's.
    private(set) var followsHost = false
    /// What harts wait, the host waits.
    private(set) var sleeps = true
    /// A machine that is faster than its clock waits for the host's.
    private(set) var isAligned = false

    init(parsing text: String) throws(OptionError) {
        let wanted = "shift=N|auto[,sleep=on|off,align=on|off]"
        var hasShift = false
        for (key, value) in try keyedValues(text, implied: "shift", wanted: wanted) {
            switch key {
            case "shift":
                hasShift = true
                followsHost = value == "auto"
                if followsHost { continue }
                guard let number = Int(value), (0...10).contains(number) else {
                    throw OptionError("wanted shift=N, N from 0 to 10: an instruction takes 2^N ns; or shift=auto")
                }
                shift = number
            case "sleep": sleeps = try isOn(value, of: key)
            case "align": isAligned = try isOn(value, of: key)
            case "rr", "rrfile", "rrsnapshot":
                throw OptionError("nothing is recorded or replayed: wanted \(wanted)")
            default: throw OptionError("'\(key)' is not known; wanted \(wanted)")
            }
        }
        guard hasShift else { throw OptionError("wanted shift=N, N from 0 to 10, or shift=auto") }
        if isAligned, !sleeps {
            throw OptionError("align=on waits for the host's clock, and sleep=off does not: wanted one of them")
        }
    }
}
