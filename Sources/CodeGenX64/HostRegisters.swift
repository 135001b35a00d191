// The register convention of generated code.
//
//     rbp   CPU-state pointer + 128: the first 256 bytes of state have one-byte displacements
//     rsp   frame: `FrameLayout`; 16-byte aligned at every instruction outside of helper calls
//     r11   scratch within one op and between ops, and xmm15 likewise; never allocated
//     r10   scratch within one op where guest addresses are looked up (`GuestAddressing.tables`); with r11 it tells the page of the last access
//     all others are the allocator's
//
// Allocator numbers: general register n is n, vector register n is 32 + n.

import CodeGen
import IR

/// The register that points at the CPU state, and by how much beyond its start.
enum StateRegister {
    static let register = GPR.rbp
    static let bias = 128
}

/// The stack frame of generated code, made once by the prologue.
///
///     rsp + 0     spill slots, 8 bytes each
///     rsp + 512   scratch words of one op
enum FrameLayout {
    static let spillSlots = 64
    static let scratch = Int32(spillSlots * 8)
    /// Six registers are pushed after the return address: 56 bytes; this makes it a multiple of 16.
    static let size = Int32(spillSlots * 8 + 24)
}

extension RegisterSet {
    init(_ registers: GPR...) {
        self.init(rawValue: 0)
        for r in registers { insert(RegisterSet(r.rawValue)) }
    }
}

/// The register of an operand's place.
@inline(__always)
func gpr(_ place: UInt8) -> GPR {
    assert(place < 16, "no general register")
    return unsafeBitCast(place & 15, to: GPR.self)  // all 16 values are cases
}

@inline(__always)
func xmm(_ place: UInt8) -> XMM {
    assert(place >= floatRegisterBase && place < floatRegisterBase + 16, "no vector register")
    return unsafeBitCast(place & 15, to: XMM.self)  // all 16 values are cases
}

extension HostDescription {
    /// x86-64 as the allocator sees it.
    static func x64(usesTables: Bool = false) -> HostDescription {
        // Registers that no instruction asks for come first, short encodings before long ones.
        var general: [GPR] = [.rbx, .rsi, .rdi, .r8, .r9, .r10, .r14, .r15, .r12, .r13, .rcx, .rdx, .rax]
        if usesTables { general.removeAll { $0 == .r10 } }
        let order = general.map(\.rawValue) + (0..<15).map { floatRegisterBase + $0 }
        var allocatable = RegisterSet()
        for r in order { allocatable.insert(RegisterSet(r)) }
        return HostDescription(
            allocatable: allocatable,
            calleeSaved: RegisterSet(.rbx, .r12, .r13, .r14, .r15),
            argumentRegisters: [GPR.rsi, .rdx, .rcx, .r8].map(\.rawValue),
            resultRegister: GPR.rax.rawValue,
            scratchGeneral: GPR.r11.rawValue,
            scratchFloat: floatRegisterBase + XMM.xmm15.rawValue,
            order: order,
            rows: Opcode.allCases.map(\.x64.constraints),
            spillSlots: FrameLayout.spillSlots,
            registerName: { $0 < 16 ? "\(gpr($0))" : "\(xmm($0))" })
    }
}
