// The entry points of binary32: what `BinaryFormat` lists, each specialised from `Core` here.

/// IEEE 754-2019 binary32 (3.6 table 3.5: 1 + 8 + 23 bits).
public enum Binary32: BinaryFormat, WorkingFormat {
    public typealias Bits = UInt32
    typealias Work = UInt32

    @inlinable public static var exponentBits: Int { 8 }
    @inlinable public static var fractionBits: Int { 23 }
}

// MARK: Arithmetic

extension Binary32 {
    public static func add(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.add(a, b, negateB: false, &status)
    }

    public static func subtract(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.add(a, b, negateB: true, &status)
    }

    public static func multiply(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.multiply(a, b, &status)
    }

    public static func divide(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.divide(a, b, &status)
    }

    public static func squareRoot(_ a: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.squareRoot(a, &status)
    }

    public static func fusedMultiplyAdd(
        _ a: UInt32, _ b: UInt32, _ c: UInt32, negateProduct: Bool = false, negateAddend: Bool = false,
        _ status: inout Status
    ) -> UInt32 {
        Core<Binary32>.fusedMultiplyAdd(a, b, c, negateProduct, negateAddend, &status)
    }
}

// MARK: Comparison

extension Binary32 {
    public static func isEqual(_ a: UInt32, _ b: UInt32, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary32>.isEqual(a, b, signaling, &status)
    }

    public static func isLess(_ a: UInt32, _ b: UInt32, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary32>.isLess(a, b, signaling, &status)
    }

    public static func isLessOrEqual(_ a: UInt32, _ b: UInt32, signaling: Bool, _ status: inout Status) -> Bool {
        Core<Binary32>.isLessOrEqual(a, b, signaling, &status)
    }

    public static func minimumNumber(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.extremeNumber(a, b, wantsLess: true, &status)
    }

    public static func maximumNumber(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.extremeNumber(a, b, wantsLess: false, &status)
    }

    public static func minimum(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.extreme(a, b, wantsLess: true, &status)
    }

    public static func maximum(_ a: UInt32, _ b: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.extreme(a, b, wantsLess: false, &status)
    }

    public static func classify(_ a: UInt32) -> FloatClass { Core<Binary32>.classify(a) }

    public static func isNaN(_ a: UInt32) -> Bool { Core<Binary32>.isNaN(a) }

    public static func isSignalingNaN(_ a: UInt32) -> Bool { Core<Binary32>.isSignalingNaN(a) }
}

// MARK: Conversion

extension Binary32 {
    public static func roundToIntegral(_ a: UInt32, raisesInexact: Bool, _ status: inout Status) -> UInt32 {
        Core<Binary32>.roundToIntegral(a, raisesInexact, &status)
    }

    public static func toInt32(_ a: UInt32, _ status: inout Status) -> Int32 {
        Core<Binary32>.toInteger(a, as: Int32.self, &status)
    }

    public static func toUInt32(_ a: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.toInteger(a, as: UInt32.self, &status)
    }

    public static func toInt64(_ a: UInt32, _ status: inout Status) -> Int64 {
        Core<Binary32>.toInteger(a, as: Int64.self, &status)
    }

    public static func toUInt64(_ a: UInt32, _ status: inout Status) -> UInt64 {
        Core<Binary32>.toInteger(a, as: UInt64.self, &status)
    }

    public static func toInt32Modular(_ a: UInt32, _ status: inout Status) -> Int32 {
        Core<Binary32>.toInt32Modular(a, &status)
    }

    public static func from(_ value: Int32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.from(magnitude: UInt64(value.magnitude), value < 0, &status)
    }

    public static func from(_ value: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.from(magnitude: UInt64(value), false, &status)
    }

    public static func from(_ value: Int64, _ status: inout Status) -> UInt32 {
        Core<Binary32>.from(magnitude: UInt64(value.magnitude), value < 0, &status)
    }

    public static func from(_ value: UInt64, _ status: inout Status) -> UInt32 {
        Core<Binary32>.from(magnitude: UInt64(value), false, &status)
    }

    public static func toBinary16(_ a: UInt32, _ status: inout Status) -> UInt16 {
        Core<Binary32>.convert(a, to: Binary16.self, &status)
    }

    public static func toBinary32(_ a: UInt32, _ status: inout Status) -> UInt32 {
        Core<Binary32>.convert(a, to: Binary32.self, &status)
    }

    public static func toBinary64(_ a: UInt32, _ status: inout Status) -> UInt64 {
        Core<Binary32>.convert(a, to: Binary64.self, &status)
    }
}
