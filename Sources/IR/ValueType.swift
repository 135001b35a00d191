// The types an IR value can have. A type is a field of an op and of a temp, never part of an op's name.
//
// Vector types have their place here and in the verifier; no host lowers ops on them yet.

public enum ValueType: UInt8, CaseIterable, Sendable {
    case i32, i64
    case f32, f64
    case v64, v128, v256

    /// Register class a value of this type lives in.
    @inlinable public var isFloat: Bool { rawValue >= ValueType.f32.rawValue }
    @inlinable public var isInteger: Bool { rawValue <= ValueType.i64.rawValue }
    @inlinable public var isVector: Bool { rawValue >= ValueType.v64.rawValue }

    /// Size in bytes of a value of this type in its home.
    public var size: Int {
        switch self {
        case .i32, .f32: 4
        case .i64, .f64, .v64: 8
        case .v128: 16
        case .v256: 32
        }
    }

    public var name: StaticString {
        switch self {
        case .i32: "i32"
        case .i64: "i64"
        case .f32: "f32"
        case .f64: "f64"
        case .v64: "v64"
        case .v128: "v128"
        case .v256: "v256"
        }
    }
}
