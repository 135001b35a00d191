// The entry points of binary16: what `BinaryFormat` lists, each specialised from `Core` here.

/// IEEE 754-2019 binary16 (3.6 table 3.5: 1 + 5 + 10 bits).
public enum Binary16: BinaryFormat, WorkingFormat {
    public typealias Bits = UInt16
    typealias Work = UInt32

    @inlinable public static var exponentBits: Int { 5 }
    @inlinable public static var fractionBits: Int { 10 }
}

// MARK: Arithmetic

extension Binary16 {
    public static func add(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.add(a, b, negateB: false, &status)
    }

    public static func subtract(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.add(a, b, negateB: true, &status)
    }

    public static func multiply(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.multiply(a, b, &status)
    }

    public static func divide(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.divide(a, b, &status)
    }

    public static func squareRoot(_ a: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.squareRoot(a, &status)
    }

    public static func fusedMultiplyAdd(
        _ a: UInt16, _ b: UInt16, _ c: UInt16, negateProduct: Bool = false, negateAddend: Bool = false,
        _ status: inout Status
    ) -> UInt16 {
        Core<Binary16>.fusedMultiplyAdd(a, b, c, negateProduct, negateAddend, &status)
    }
}

// MARK: Comparison

extension Binary16 {
    public static func isEqual(_ a: UInt16, _ b: UInt16, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary16>.isEqual(a, b, signaling, &status)
    }

    public static func isLess(_ a: UInt16, _ b: UInt16, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary16>.isLess(a, b, signaling, &status)
    }

    public static func isLessOrEqual(_ a: UInt16, _ b: UInt16, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary16>.isLessOrEqual(a, b, signaling, &status)
    }

    public static func minimumNumber(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.extremeNumber(a, b, wantsLess: true, &status)
    }

    public static func maximumNumber(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.extremeNumber(a, b, wantsLess: false, &status)
    }

    public static func minimum(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.extreme(a, b, wantsLess: true, &status)
    }

    public static func maximum(_ a: UInt16, _ b: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.extreme(a, b, wantsLess: false, &status)
    }

    public static func classify(_ a: UInt16) -> FloatClass { Core<Binary16>.classify(a) }

    public static func isNaN(_ a: UInt16) -> Bool { Core<Binary16>.isNaN(a) }

    public static func isSignalingNaN(_ a: UInt16) -> Bool { Core<Binary16>.isSignalingNaN(a) }
}

// MARK: Conversion

extension Binary16 {
    public static func roundToIntegral(_ a: UInt16, raisesInexact: Bool, _ status: inout Status) -> UInt16 {
        Core<Binary16>.roundToIntegral(a, raisesInexact, &status)
    }

    public static func toInt32(_ a: UInt16, _ status: inout Status) -> Int32 {
        Core<Binary16>.toInteger(a, as: Int32.self, &status)
    }

    public static func toUInt32(_ a: UInt16, _ status: inout Status) -> UInt32 {
        Core<Binary16>.toInteger(a, as: UInt32.self, &status)
    }

    public static func toInt64(_ a: UInt16, _ status: inout Status) -> Int64 {
        Core<Binary16>.toInteger(a, as: Int64.self, &status)
    }

    public static func toUInt64(_ a: UInt16, _ status: inout Status) -> UInt64 {
        Core<Binary16>.toInteger(a, as: UInt64.self, &status)
    }

    public static func toInt32Modular(_ a: UInt16, _ status: inout Status) -> Int32 {
        Core<Binary16>.toInt32Modular(a, &status)
    }

    public static func from(_ value: Int32, _ status: inout Status) -> UInt16 {
        Core<Binary16>.from(magnitude: UInt64(value.magnitude), value < 0, &status)
    }

    public static func from(_ value: UInt32, _ status: inout Status) -> UInt16 {
        Core<Binary16>.from(magnitude: UInt64(value), false, &status)
    }

    public static func from(_ value: Int64, _ status: inout Status) -> UInt16 {
        Core<Binary16>.from(magnitude: UInt64(value.magnitude), value < 0, &status)
    }

    public static func from(_ value: UInt64, _ status: inout Status) -> UInt16 {
        Core<Binary16>.from(magnitude: UInt64(value), false, &status)
    }

    public static func toBinary16(_ a: UInt16, _ status: inout Status) -> UInt16 {
        Core<Binary16>.convert(a, to: Binary16.self, &status)
    }

    public static func toBinary32(_ a: UInt16, _ status: inout Status) -> UInt32 {
        Core<Binary16>.convert(a, to: Binary32.self, &status)
    }

    public static func toBinary64(_ a: UInt16, _ status: inout Status) -> UInt64 {
        Core<Binary16>.convert(a, to: Binary64.self, &status)
    }
}
