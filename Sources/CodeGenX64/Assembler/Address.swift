// Memory operands. The registers are kept as the ModRM and SIB fields want them: "no index" is number 4 (what SIB means
// by it, and why rsp cannot be an index) and "no base" is number 5 with its own form.

/// A memory operand: base and index registers with a displacement, or a place relative to rip.
public struct Address: BitwiseCopyable, Sendable {
    enum Form: UInt8 { case base, narrow, noBase, label, absolute }

    /// The displacement; the label's index for `.label`; the executable address for `.absolute`.
    var value: Int64
    var base: UInt8
    var index: UInt8
    var scale: UInt8
    var form: Form

    @inline(__always)
    init(value: Int64, base: UInt8 = 5, index: UInt8 = 4, scale: UInt8 = 0, form: Form) {
        self.value = value
        self.base = base
        self.index = index
        self.scale = scale
        self.form = form
    }

    /// `[base + displacement]`
    @inline(__always)
    public init(_ base: GPR, _ displacement: Int32 = 0) {
        self.init(value: Int64(displacement), base: base.rawValue, form: .base)
    }

    /// `[base + displacement]` modulo 2^32, of the low half of the base (SDM volume 2, 2.1.1, address-size override prefix).
    @inline(__always)
    public static func narrow(_ base: GPR, _ displacement: Int32 = 0) -> Address {
        Address(value: Int64(displacement), base: base.rawValue, form: .narrow)
    }

    /// `[base + index * scale + displacement]`; the index must not be rsp.
    @inline(__always)
    public init(_ base: GPR, index: GPR, _ scale: Scale = .x1, _ displacement: Int32 = 0) {
        assert(index != .rsp, "rsp cannot be an index")
        self.init(
            value: Int64(displacement), base: base.rawValue, index: index.rawValue, scale: scale.rawValue, form: .base)
    }

    /// `[index * scale + displacement]`; the index must not be rsp.
    @inline(__always)
    public init(index: GPR, _ scale: Scale, _ displacement: Int32 = 0) {
        assert(index != .rsp, "rsp cannot be an index")
        self.init(value: Int64(displacement), index: index.rawValue, scale: scale.rawValue, form: .noBase)
    }

    /// `[displacement]`: a sign-extended 32-bit address that does not depend on where the code is.
    @inline(__always)
    public static func low(_ displacement: Int32) -> Address { Address(value: Int64(displacement), form: .noBase) }

    /// `[rip + (label - rip)]`
    @inline(__always)
    public static func rip(_ label: Label) -> Address { Address(value: Int64(label.index), form: .label) }

    /// `[rip + (address - rip)]`; ask `Assembler.reaches` first.
    @inline(__always)
    public static func rip(_ address: UInt) -> Address {
        Address(value: Int64(Int(bitPattern: address)), form: .absolute)
    }
}
