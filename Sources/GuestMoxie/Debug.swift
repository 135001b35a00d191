// The state of a core for debuggers, dumps and the embedder's glue.

import GuestKit

/// Registers by name. What was compared is there as long as nothing works out the condition codes from it.
let registerDescriptors: [RegisterDescriptor] =
    registerNames.enumerated().map {
        RegisterDescriptor(name: $1, offset: StateOffset.registers + 4 * $0, size: 4, group: .general)
    }
    + [RegisterDescriptor(name: "pc", offset: StateOffset.pc, size: 4, group: .general)]
    + (0...1).map {
        RegisterDescriptor(name: "cmp\($0)", offset: StateOffset.compared + 4 * $0, size: 4, group: .system)
    }
    + (0...9).map {
        RegisterDescriptor(name: "sr\($0)", offset: StateOffset.special + 4 * $0, size: 4, group: .system)
    }
