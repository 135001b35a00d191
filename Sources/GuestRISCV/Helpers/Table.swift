// The helpers that translated code calls: one case and one row each. Their bodies are in this folder, by subject.

import GuestKit
import IR

/// A helper; its raw value is its index in the table that the guest hands to the engine.
enum Helper: Int, CaseIterable {
    /// (bits of a double) -> result of FCVTMOD.W.D; flags go to the state's `softFlags`.
    case convertModular
    /// () -> nanoseconds: cycle, time and instret (Unprivileged ISA, chapter "Zicntr"). Cycles and instructions are not counted: a
    /// program sees a hart of 1 GHz that retires one instruction per cycle.
    case clock

    var id: HelperID { HelperID(rawValue) }

    /// No helper touches globals; the state fields that some write are no globals.
    func descriptor(_ inputs: GuestInputs) -> HelperDescriptor {
        switch self {
        case .convertModular: HelperDescriptor("convert_modular", helperConvertModular, arguments: 1)
        case .clock: HelperDescriptor("clock", inputs.clock, arguments: 0)
        }
    }
}
