// The helpers that translated code calls: one case and one row each. Their bodies are in this folder, by subject.

import IR

/// A helper; its raw value is its index in the table that the guest hands to the engine.
enum Helper: Int, CaseIterable {
    /// (bits of a double) -> result of FCVTMOD.W.D; flags go to the state's `softFlags`.
    case convertModular
    /// () -> nanoseconds.
    case clock

    var id: HelperID { HelperID(rawValue) }

    /// No helper touches globals; the state fields that some write are no globals.
    var descriptor: HelperDescriptor {
        switch self {
        case .convertModular: HelperDescriptor("convert_modular", helperConvertModular, arguments: 1)
        case .clock: HelperDescriptor("clock", helperClock, arguments: 0)
        }
    }
}
