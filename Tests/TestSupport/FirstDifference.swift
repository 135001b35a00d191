/// The first line in which two texts differ, for a short message.
public func firstDifference(_ result: String, _ expectation: String) -> String {
    let left = result.split(separator: "\n", omittingEmptySubsequences: false)
    let right = expectation.split(separator: "\n", omittingEmptySubsequences: false)
    for index in 0..<max(left.count, right.count) {
        let got = index < left.count ? left[index] : "(end)"
        let wanted = index < right.count ? right[index] : "(end)"
        if got != wanted { return "line \(index + 1) is\n  \(got.prefix(300))\nbut should be\n  \(wanted.prefix(300))" }
    }
    return "no difference"
}
