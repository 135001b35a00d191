// The helpers that translated code calls: one case and one row each. Their bodies are in this folder, by subject.

import IR

/// A helper; its raw value is its index in the table that the guest hands to the engine.
enum Helper: Int, CaseIterable {
    /// (selector, a, b, c) -> result; flags go to the state's `softFlags`.
    case softFloat
    /// (bit pattern) -> class mask of FCLASS.
    case classifySingle
    case classifyDouble
    /// () -> nanoseconds.
    case clock

    var id: HelperID { HelperID(rawValue) }

    /// No helper touches globals; the state fields that some write are no globals.
    var descriptor: HelperDescriptor {
        switch self {
        case .softFloat: HelperDescriptor("soft_float", helperSoftFloat, arguments: 4)
        case .classifySingle: HelperDescriptor("classify_single", helperClassifySingle, arguments: 1, isPure: true)
        case .classifyDouble: HelperDescriptor("classify_double", helperClassifyDouble, arguments: 1, isPure: true)
        case .clock: HelperDescriptor("clock", helperClock, arguments: 0)
        }
    }
}
