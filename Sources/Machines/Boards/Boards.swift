// The machines that there are.

extension MachineDescription {
    public static let all: [MachineDescription] = [.virt(), .spike, .bare]

    /// The machine of a name as `-M` takes it.
    public static func named(_ name: String) throws(MachineError) -> MachineDescription {
        if let machine = all.first(where: { $0.name == name }) { return machine }
        throw MachineError("-M \(name): there is no such machine; there are \(all.map(\.name).joined(separator: ", "))")
    }
}

/// Inputs of a hart's own interrupt controller, which are the numbers of its interrupts (Privileged ISA, mcause).
enum HartInput {
    static let supervisorSoftware: UInt32 = 1, machineSoftware: UInt32 = 3, machineTimer: UInt32 = 7
    static let supervisorExternal: UInt32 = 9, machineExternal: UInt32 = 11
}
