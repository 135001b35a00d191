// What a device says of a command that it did not carry out. (SPC-4, 4.5)

/// A key, and a code with its qualifier.
public struct Sense: Equatable, Sendable {
    public let key: UInt8
    public let code: UInt16

    private init(_ key: UInt8, _ code: UInt16) { (self.key, self.code) = (key, code) }

    static let none = Sense(0x0, 0x0000)
    static let notPresent = Sense(0x2, 0x3a00), trayIsOpen = Sense(0x2, 0x3a02)
    static let unrecoveredRead = Sense(0x3, 0x1100), writeError = Sense(0x3, 0x0c00)
    static let parameterListLength = Sense(0x5, 0x1a00), invalidOperation = Sense(0x5, 0x2000)
    static let outOfRange = Sense(0x5, 0x2100), invalidField = Sense(0x5, 0x2400)
    static let noSuchUnit = Sense(0x5, 0x2500), invalidParameter = Sense(0x5, 0x2600)
    static let savingNotSupported = Sense(0x5, 0x3900), removalPrevented = Sense(0x5, 0x5302)
    /// Power has been off, or the machine begins anew.
    public static let powerOn = Sense(0x6, 0x2900), unitReset = Sense(0x6, 0x2903), nexusReset = Sense(0x6, 0x2907)
    static let mediumChanged = Sense(0x6, 0x2800)
    static let capacityChanged = Sense(0x6, 0x2a09)
    static let writeProtected = Sense(0x7, 0x2700), noSpace = Sense(0x7, 0x2707)

    /// The fixed format.
    public var bytes: [UInt8] {
        [0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, UInt8(code >> 8), UInt8(code & 0xff), 0, 0, 0, 0]
    }

    /// The format of descriptors, without any.
    var descriptorBytes: [UInt8] { [0x72, key, UInt8(code >> 8), UInt8(code & 0xff), 0, 0, 0, 0] }
}
