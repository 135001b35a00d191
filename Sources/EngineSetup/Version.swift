// What the programs say of themselves.

import CBuild

public let martletVersion = "0.1.0"

/// The text of `-version`. `names` are the guests or the targets that the program has, under `title`.
public func versionText(_ title: String, _ names: [String]) -> String {
    """
    martlet version \(martletVersion)
    commit: \(buildCommit(cbuild_commit()))
    hosts: \(AcceleratorOptions.hostNames.joined(separator: ", "))
    \(title): \(names.joined(separator: ", "))

    """
}

/// The commit in a value of `cbuild_commit`.
func buildCommit(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    guard digits.utf8.count == 13 else { return "unknown" }
    return digits.dropFirst() + (digits.hasPrefix("2") ? " with changes" : "")
}
