// The entry points of binary64: what `BinaryFormat` lists, each specialised from `Core` here.

/// IEEE 754-2019 binary64 (3.6 table 3.5: 1 + 11 + 52 bits).
public enum Binary64: BinaryFormat, WorkingFormat {
    public typealias Bits = UInt64
    typealias Work = UInt64

    @inlinable public static var exponentBits: Int { 11 }
    @inlinable public static var fractionBits: Int { 52 }
}

// MARK: Arithmetic

extension Binary64 {
    public static func add(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.add(a, b, negateB: false, &status)
    }

    public static func subtract(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.add(a, b, negateB: true, &status)
    }

    public static func multiply(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.multiply(a, b, &status)
    }

    public static func divide(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.divide(a, b, &status)
    }

    public static func squareRoot(_ a: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.squareRoot(a, &status)
    }

    public static func fusedMultiplyAdd(
        _ a: UInt64, _ b: UInt64, _ c: UInt64, negateProduct: Bool = false, negateAddend: Bool = false,
        _ status: inout Status
    ) -> UInt64 {
        Core<Binary64>.fusedMultiplyAdd(a, b, c, negateProduct, negateAddend, &status)
    }
}

// MARK: Comparison

extension Binary64 {
    public static func isEqual(_ a: UInt64, _ b: UInt64, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary64>.isEqual(a, b, signaling, &status)
    }

    public static func isLess(_ a: UInt64, _ b: UInt64, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary64>.isLess(a, b, signaling, &status)
    }

    public static func isLessOrEqual(_ a: UInt64, _ b: UInt64, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary64>.isLessOrEqual(a, b, signaling, &status)
    }

    public static func minimumNumber(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.extremeNumber(a, b, wantsLess: true, &status)
    }

    public static func maximumNumber(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.extremeNumber(a, b, wantsLess: false, &status)
    }

    public static func minimum(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.extreme(a, b, wantsLess: true, &status)
    }

    public static func maximum(_ a: UInt64, _ b: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.extreme(a, b, wantsLess: false, &status)
    }

    public static func classify(_ a: UInt64) -> FloatClass { Core<Binary64>.classify(a) }

    public static func isNaN(_ a: UInt64) -> Bool { Core<Binary64>.isNaN(a) }

    public static func isSignalingNaN(_ a: UInt64) -> Bool { Core<Binary64>.isSignalingNaN(a) }
}

// MARK: Conversion

extension Binary64 {
    public static func roundToIntegral(_ a: UInt64, raisesInexact: Bool, _ status: inout Status) -> UInt64 {
        Core<Binary64>.roundToIntegral(a, raisesInexact, &status)
    }

    public static func toInt32(_ a: UInt64, _ status: inout Status) -> Int32 {
        Core<Binary64>.toInteger(a, as: Int32.self, &status)
    }

    public static func toUInt32(_ a: UInt64, _ status: inout Status) -> UInt32 {
        Core<Binary64>.toInteger(a, as: UInt32.self, &status)
    }

    public static func toInt64(_ a: UInt64, _ status: inout Status) -> Int64 {
        Core<Binary64>.toInteger(a, as: Int64.self, &status)
    }

    public static func toUInt64(_ a: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.toInteger(a, as: UInt64.self, &status)
    }

    public static func toInt32Modular(_ a: UInt64, _ status: inout Status) -> Int32 {
        Core<Binary64>.toInt32Modular(a, &status)
    }

    public static func from(_ value: Int32, _ status: inout Status) -> UInt64 {
        Core<Binary64>.from(magnitude: UInt64(value.magnitude), value < 0, &status)
    }

    public static func from(_ value: UInt32, _ status: inout Status) -> UInt64 {
        Core<Binary64>.from(magnitude: UInt64(value), false, &status)
    }

    public static func from(_ value: Int64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.from(magnitude: UInt64(value.magnitude), value < 0, &status)
    }

    public static func from(_ value: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.from(magnitude: UInt64(value), false, &status)
    }

    public static func toBinary16(_ a: UInt64, _ status: inout Status) -> UInt16 {
        Core<Binary64>.convert(a, to: Binary16.self, &status)
    }

    public static func toBinary32(_ a: UInt64, _ status: inout Status) -> UInt32 {
        Core<Binary64>.convert(a, to: Binary32.self, &status)
    }

    public static func toBinary64(_ a: UInt64, _ status: inout Status) -> UInt64 {
        Core<Binary64>.convert(a, to: Binary64.self, &status)
    }
}
