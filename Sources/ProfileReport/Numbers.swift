// Numbers as text, without Foundation.

/// With `digits` digits behind the point.
func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "?" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let rounded = UInt64((value.magnitude * scale).rounded())
    let whole = String(rounded / UInt64(scale))
    let sign = value < 0 && rounded > 0 ? "-" : ""
    if digits == 0 { return sign + whole }
    let fraction = String(rounded % UInt64(scale))
    return sign + whole + "." + String(repeating: "0", count: digits - fraction.count) + fraction
}

func seconds(_ nanoseconds: Double) -> String { fixed(nanoseconds / 1e9, 3) }

func percent(_ part: Double, of whole: Double) -> String { whole > 0 ? fixed(part / whole * 100, 1) : "-" }

/// 1234567 as 1,234,567.
func grouped(_ value: UInt64) -> String {
    let digits = Array(String(value))
    var text = ""
    for (i, digit) in digits.enumerated() {
        if i > 0, (digits.count - i) % 3 == 0 { text += "," }
        text.append(digit)
    }
    return text
}
