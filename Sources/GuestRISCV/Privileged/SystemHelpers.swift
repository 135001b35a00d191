// The helpers that privileged instructions call; in a guest's table they come behind those of user mode. None touches x or f registers, so
// no row names globals.

import GuestKit
import IR

enum SystemHelper: Int, CaseIterable {
    /// (number, change and operand of a CSR instruction) -> what it reads; see `Outcome`.
    case accessCSR
    /// () -> ticks of the machine's timer.
    case time
    /// Both write the pc.
    case mret
    case sret
    /// (kind, address, address space): SFENCE.VMA.
    case fence

    var id: HelperID { HelperID(Helper.allCases.count + rawValue) }

    func descriptor(_ inputs: SystemInputs) -> HelperDescriptor {
        switch self {
        case .accessCSR: HelperDescriptor("csr", helperAccessCSR, arguments: 3)
        case .time: HelperDescriptor("time", inputs.time, arguments: 0)
        case .mret: HelperDescriptor("mret", helperMret, arguments: 0, result: false)
        case .sret: HelperDescriptor("sret", helperSret, arguments: 0, result: false)
        case .fence: HelperDescriptor("fence_vma", inputs.flush, arguments: 3, result: false)
        }
    }
}

private let helperAccessCSR: HelperFunction = { state, number, change, operand, _ in
    let hart = Hart(state)
    // Translated code asks for registers that there are.
    guard let row = hart.configuration.pointee.csrs.row(Int(truncatingIfNeeded: number)),
        let change = CSRChange(rawValue: change)
    else {
        hart.p.outcome = Outcome.illegal
        return 0
    }
    return hart.access(row, change, operand)
}

private let helperMret: HelperFunction = { state, _, _, _, _ in
    Hart(state).returnFromMachine()
    return 0
}

private let helperSret: HelperFunction = { state, _, _, _, _ in
    Hart(state).returnFromSupervisor()
    return 0
}
