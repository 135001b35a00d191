// Numbers as text.

/// A number with so many digits behind the point, rounded to even like printf(3).
public func fixed(_ value: Double, _ digits: Int) -> String {
    let scale = UInt64((0..<digits).reduce(1) { power, _ in power * 10 })
    let scaled = UInt64((value * Double(scale)).rounded(.toNearestOrEven))
    return digits == 0 ? "\(scaled)" : "\(scaled / scale)." + zeros(scaled % scale, digits)
}

public func zeros(_ value: UInt64, _ width: Int) -> String {
    let text = "\(value)"
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
}

/// Three digits and a unit of 1024: from 1000 on the next unit is used.
public func sizeText(_ value: UInt64) -> String {
    var unit = 0, amount = Double(value)
    while amount >= 1000, unit < 6 {
        amount /= 1024
        unit += 1
    }
    var number = fixed(amount, amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2)
    if number.contains(".") {
        while number.last == "0" { number.removeLast() }
        if number.last == "." { number.removeLast() }
    }
    return number + " " + ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][unit]
}
