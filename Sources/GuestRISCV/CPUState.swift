// The state of one hart, as generated code, helpers and tables of registers see it.
//
//     offset 0    x0 ... x31      reachable with 8-bit displacements where the host has them; x0's slot stays 0
//            256  f0 ... f31      NaN-boxed when narrower than 64 bits
//            512  pc, reservation, frm, operands of amocas.q
//
// Offsets come from `MemoryLayout.offset(of:)`, never from this drawing. The accrued exception flags (fflags) are not
// here: the host keeps them where its floating-point instructions do, and IR reads them with `fp_get_flags`.

import GuestKit
import IR

/// State of a hart. All 64 bits wide also where XLEN is 32: registers then hold their value in the low half.
public struct RISCVState {
    public var x: InlineArray<32, UInt64> = .init(repeating: 0)
    public var f: InlineArray<32, UInt64> = .init(repeating: 0)
    public var pc: UInt64 = 0
    /// Address that the last load-reserved reserved; `Reservation.none` when there is none.
    public var reservationAddress: UInt64 = Reservation.none
    /// What the load-reserved read, extended as it extended it.
    public var reservationValue: UInt64 = 0
    /// Dynamic rounding mode (field of fcsr): 0...7, of which 5...7 are invalid.
    public var frm: UInt32 = 0
    /// Exception flags raised by the last call of a SoftFloat helper.
    public var softFlags: UInt32 = 0
    /// Operands of `amocas.q` while it executes: the expected pair, then the new pair.
    public var pairOperands: InlineArray<4, UInt64> = .init(repeating: 0)

    public init() {}

    /// Byte offset of a field.
    static func offset<T>(_ field: KeyPath<RISCVState, T>) -> Int {
        guard let offset = MemoryLayout<RISCVState>.offset(of: field) else { fatalError("field without offset") }
        return offset
    }
}

/// Byte offsets that translation uses.
enum StateOffset {
    static let x = RISCVState.offset(\.x)
    static let f = RISCVState.offset(\.f)
    static let pc = RISCVState.offset(\.pc)
    static let reservationAddress = RISCVState.offset(\.reservationAddress)
    static let reservationValue = RISCVState.offset(\.reservationValue)
    static let frm = RISCVState.offset(\.frm)
    static let softFlags = RISCVState.offset(\.softFlags)
    static let pairOperands = RISCVState.offset(\.pairOperands)
}

/// The IR globals, in temp order: x1...x31, f0...f31: fewer than 64, so that a set of them is one word. x0 is no global:
/// reads are the constant 0, writes are dropped.
enum Global {
    /// The global of x`i`, 1...31.
    @inline(__always) static func x(_ i: Int32) -> Temp { Temp(UInt32(bitPattern: i &- 1)) }
    /// The global of f`i`.
    @inline(__always) static func f(_ i: Int32) -> Temp { Temp(UInt32(bitPattern: i &+ 31)) }

    static func descriptors(xlen: ValueType) -> [GlobalDescriptor] {
        let integers = (1...31).map { GlobalDescriptor(name: "x\($0)", type: xlen, offset: StateOffset.x + 8 * $0) }
        let floats = (0...31).map { GlobalDescriptor(name: "f\($0)", type: .f64, offset: StateOffset.f + 8 * $0) }
        return integers + floats
    }
}

/// What dynamic rounding means while frm has its present value: the part of frm that translations depend on.
enum RoundingClass: UInt64 {
    /// 0...3: the host can do it.
    case host
    /// 4, round to nearest with ties to max magnitude: SoftFloat does it.
    case maxMagnitude
    /// 5...7: instructions with dynamic rounding are illegal.
    case invalid

    init(frm: UInt32) { self = frm < 4 ? .host : frm == 4 ? .maxMagnitude : .invalid }
}
