// Values of options that are made of KEY=VALUE, separated by commas.

import EngineSetup

/// The pairs of a value. `implied`: the key of a first part that is a value alone.
func keyedValues(_ text: String, implied: String? = nil, wanted: String) throws(OptionError) -> [(
    key: String, value: String
)] {
    var pairs: [(key: String, value: String)] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if halves.count == 2 {
            pairs.append((halves[0], halves[1]))
        } else if let implied, pairs.isEmpty, !part.isEmpty {
            pairs.append((implied, halves[0]))
        } else {
            throw OptionError("'\(part)' is not known; wanted \(wanted)")
        }
    }
    return pairs
}

func isOn(_ value: String, of key: String) throws(OptionError) -> Bool {
    guard value == "on" || value == "off" else { throw OptionError("\(key) wants on or off") }
    return value == "on"
}
