// Functions that the decode tables apply to a field (`!name`).

/// The register number of s0...s7 in three bits: x8, x9, x18...x23 (Unprivileged ISA, chapter "Zc*", `xreg`).
@inline(__always)
func savedRegister(_ number: Int32) -> Int32 { number < 2 ? number &+ 8 : number &+ 16 }
