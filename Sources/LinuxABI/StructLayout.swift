// Layouts of structures, and their conversion field by field. Every structure has its fields in one order for all ABIs,
// so that two layouts are walked side by side. Conversions read and write unaligned memory; callers hand in buffers of
// at least the layouts' sizes.

import HostOS

/// A field of a structure.
public struct StructField: BitwiseCopyable, Sendable, Equatable {
    /// How a field is converted. The letters are those of the tables.
    public enum Kind: UInt16, BitwiseCopyable, Sendable {
        /// u, s: a number without and with sign; one that does not fit is cut.
        case unsigned, signed
        /// U, S: one that does not fit is EOVERFLOW, as in Linux.
        case checkedUnsigned, checkedSigned
        /// W: as U, but all ones stand for "none" and fit everywhere.
        case checkedOrNone
        /// p: a pointer.
        case pointer
        /// g: a set of signals: words of the ABI, the lowest signals in the first.
        case signalSet
        /// r: bytes that belong to the guest. o: bytes that are alike everywhere.
        case raw, opaque

        var isSigned: Bool { self == .signed || self == .checkedSigned }
        var isNumber: Bool {
            switch self {
            case .raw, .opaque, .signalSet: false
            default: true
            }
        }
        var isChecked: Bool { self == .checkedUnsigned || self == .checkedSigned || self == .checkedOrNone }
    }

    public var offset: Int
    /// Bytes; 0 when the ABI does not have the field.
    public var size: Int
    public var kind: Kind

    public init(offset: Int, size: Int, kind: Kind) {
        self.offset = offset
        self.size = size
        self.kind = kind
    }
}

/// The layout of one structure of one ABI: a place in the ABI's list of numbers.
public struct StructLayout: Sendable {
    private let list: [UInt16]
    private let start: Int
    /// Bytes of the whole structure.
    public let size: Int
    public let count: Int
    public let word: Int
    public let order: ByteOrder

    init(_ list: [UInt16], at start: Int, word: Int, order: ByteOrder) {
        self.list = list
        self.start = start
        self.word = word
        self.order = order
        size = Int(list[start])
        count = Int(list[start + 1])
    }

    /// A layout that is in no table.
    public init(size: Int, fields: [StructField], word: Int, order: ByteOrder) {
        var list = [UInt16(size), UInt16(fields.count)]
        for field in fields { list += [UInt16(field.offset), UInt16(field.size), field.kind.rawValue] }
        self.init(list, at: 0, word: word, order: order)
    }

    /// By the field's `FieldIndex`.
    public subscript(_ index: Int) -> StructField {
        let at = start + 2 + 3 * index
        return StructField(
            offset: Int(list[at]), size: Int(list[at + 1]), kind: StructField.Kind(rawValue: list[at + 2]) ?? .opaque)
    }

    /// Every byte that counts has the same meaning in both.
    public func isIdentical(to other: StructLayout) -> Bool {
        guard size == other.size, count == other.count, order == other.order else { return false }
        for index in 0..<count {
            let a = self[index], b = other[index]
            if a.size != b.size || a.size != 0 && a.offset != b.offset { return false }
            if a.kind == .signalSet && order == .big && word != other.word { return false }
        }
        return true
    }

    // MARK: Numbers

    /// The number in a field of up to 8 bytes, extended as the field says; 0 for one that the ABI does not have.
    public func load(_ index: Int, _ base: UnsafeRawPointer) -> UInt64 { load(self[index], base) }

    public func store(_ value: UInt64, _ index: Int, _ base: UnsafeMutableRawPointer) {
        store(value, self[index], base)
    }

    @inline(__always)
    private func load(_ field: StructField, _ base: UnsafeRawPointer) -> UInt64 {
        let at = base + field.offset, isSigned = field.kind.isSigned
        switch field.size {
        case 1:
            let value = at.loadUnaligned(as: UInt8.self)
            return isSigned ? UInt64(bitPattern: Int64(Int8(bitPattern: value))) : UInt64(value)
        case 2:
            let value = ordered(at.loadUnaligned(as: UInt16.self))
            return isSigned ? UInt64(bitPattern: Int64(Int16(bitPattern: value))) : UInt64(value)
        case 4:
            let value = ordered(at.loadUnaligned(as: UInt32.self))
            return isSigned ? UInt64(bitPattern: Int64(Int32(bitPattern: value))) : UInt64(value)
        case 8: return ordered(at.loadUnaligned(as: UInt64.self))
        default: return 0
        }
    }

    @inline(__always)
    private func store(_ value: UInt64, _ field: StructField, _ base: UnsafeMutableRawPointer) {
        let at = base + field.offset
        switch field.size {
        case 1: at.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 2: at.storeBytes(of: ordered(UInt16(truncatingIfNeeded: value)), as: UInt16.self)
        case 4: at.storeBytes(of: ordered(UInt32(truncatingIfNeeded: value)), as: UInt32.self)
        case 8: at.storeBytes(of: ordered(value), as: UInt64.self)
        default: break
        }
    }

    /// From the layout's order to the host's, or back.
    @inline(__always)
    private func ordered<N: FixedWidthInteger>(_ value: N) -> N {
        order == .little ? N(littleEndian: value) : N(bigEndian: value)
    }

    // MARK: Conversion

    /// Writes one field of `target`, laid out as `self`, from `source`, laid out as `other`. False when a number that Linux
    /// checks does not fit.
    @discardableResult
    public func convertField(
        _ index: Int, from other: StructLayout, _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer
    ) -> Bool {
        let field = self[index], from = other[index]
        switch field.kind {
        case .raw, .opaque:
            (target + field.offset).copyMemory(from: source + from.offset, byteCount: min(field.size, from.size))
        case .signalSet:
            copySignals(from: other, source + from.offset, from.size, target + field.offset, field.size)
        case .checkedOrNone where from.size < 8 && other.load(from, source) == (1 << (8 * from.size)) - 1:
            store(.max, field, target)
        default:
            let value = other.load(from, source)
            store(value, field, target)
            if field.kind.isChecked, field.size < from.size, load(field, UnsafeRawPointer(target)) != value {
                return field.kind == .checkedOrNone && value == .max
            }
        }
        return true
    }

    /// Copies a set word by word, 32 signals at a time: they are in this order in every ABI.
    private func copySignals(
        from other: StructLayout, _ source: UnsafeRawPointer, _ sourceSize: Int, _ target: UnsafeMutableRawPointer,
        _ targetSize: Int
    ) {
        for half in 0..<min(sourceSize, targetSize) / 4 {
            let value = UnsafeRawPointer(source + other.placeOfSignals(half)).loadUnaligned(as: UInt32.self)
            (target + placeOfSignals(half)).storeBytes(of: ordered(other.ordered(value)), as: UInt32.self)
        }
    }

    /// Where signals 32n + 1 ... 32n + 32 of a set are: in a big-endian word of 64 bits the low half comes second.
    private func placeOfSignals(_ half: Int) -> Int { 4 * (order == .big && word == 8 ? half ^ 1 : half) }
}

/// One direction of a conversion, decided beforehand: runs of bytes that are copied, numbers that change their size or the
/// order of their bytes, and fields that need more than that. Its steps are plain memory, so that a system call's conversion
/// counts no references.
struct ConversionPlan: @unchecked Sendable {
    private struct Step: BitwiseCopyable {
        enum Kind: UInt8, BitwiseCopyable { case bytes, number, field }
        var source, target: UInt16
        var kind: Kind
        /// Bytes of a run, or the field's number.
        var count: UInt16
        var sourceSize: UInt8 = 0, targetSize: UInt8 = 0
        /// The source's number has a sign; the target's has; what does not fit there is an error.
        var isSigned = false, keepsSign = false, isChecked = false
    }

    private let steps: UnsafeMutableBufferPointer<Step>
    private let swapsSource, swapsTarget: Bool
    private let targetSize: Int
    /// For fields that need more.
    private let source, target: StructLayout

    init(from source: StructLayout, to target: StructLayout) {
        var steps: [Step] = []
        for index in 0..<min(source.count, target.count) {
            let from = source[index], to = target[index]
            if from.size == 0 || to.size == 0 { continue }
            var step = Step(
                source: UInt16(from.offset), target: UInt16(to.offset), kind: .field, count: UInt16(index),
                sourceSize: UInt8(truncatingIfNeeded: from.size), targetSize: UInt8(truncatingIfNeeded: to.size))
            let count = Self.bytesToCopy(from, source, to, target)
            if count != 0 {
                step.kind = .bytes
                step.count = UInt16(count)
                if let last = steps.last, last.kind == .bytes, last.source + last.count == step.source,
                    last.target + last.count == step.target
                {
                    steps[steps.count - 1].count += step.count
                    continue
                }
            } else if from.kind.isNumber, to.kind.isNumber, to.kind != .checkedOrNone, from.size <= 8, to.size <= 8 {
                step.kind = .number
                step.isSigned = from.kind.isSigned
                step.keepsSign = to.kind.isSigned
                step.isChecked = to.kind.isChecked && to.size < from.size
            }
            steps.append(step)
        }
        self.steps = .allocate(capacity: steps.count)
        _ = self.steps.initialize(from: steps)
        swapsSource = source.order.swapping(UInt16(1)) != 1
        swapsTarget = target.order.swapping(UInt16(1)) != 1
        targetSize = target.size
        self.source = source
        self.target = target
    }

    func deallocate() { steps.deallocate() }

    /// 0 when the field is not the same bytes on both sides.
    private static func bytesToCopy(
        _ from: StructField, _ source: StructLayout, _ to: StructField, _ target: StructLayout
    ) -> Int {
        switch to.kind {
        case .raw, .opaque: return min(from.size, to.size)
        case .signalSet:
            let isSame = source.order == target.order && (source.order == .little || source.word == target.word)
            return isSame ? min(from.size, to.size) : 0
        default: return from.size == to.size && (source.order == target.order || from.size == 1) ? from.size : 0
        }
    }

    /// Writes to `target` what `source` says; what it does not say becomes zero. False when a number that Linux checks does
    /// not fit: EOVERFLOW.
    func run(_ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer) -> Bool {
        to.initializeMemory(as: UInt8.self, repeating: 0, count: targetSize)
        var fits = true
        for step in steps {
            let at = from + Int(step.source), there = to + Int(step.target)
            switch step.kind {
            case .bytes:
                switch step.count {
                case 8: there.storeBytes(of: at.loadUnaligned(as: UInt64.self), as: UInt64.self)
                case 4: there.storeBytes(of: at.loadUnaligned(as: UInt32.self), as: UInt32.self)
                default: there.copyMemory(from: at, byteCount: Int(step.count))
                }
            case .number:
                let value = load(at, step)
                store(value, there, step)
                if step.isChecked {
                    let bits = UInt64(step.targetSize) * 8
                    let kept =
                        step.keepsSign
                        ? UInt64(bitPattern: Int64(bitPattern: value << (64 - bits)) >> Int64(64 - bits))
                        : value & (1 << bits - 1)
                    if kept != value { fits = false }
                }
            case .field: if !target.convertField(Int(step.count), from: source, from, to: to) { fits = false }
            }
        }
        return fits
    }

    @inline(__always)
    private func load(_ at: UnsafeRawPointer, _ step: Step) -> UInt64 {
        func number<N: FixedWidthInteger & BitwiseCopyable>(_ type: N.Type) -> N {
            let value = at.loadUnaligned(as: N.self)
            return swapsSource ? value.byteSwapped : value
        }
        switch step.sourceSize {
        case 8: return number(UInt64.self)
        case 4:
            let value = number(UInt32.self)
            return step.isSigned ? UInt64(bitPattern: Int64(Int32(bitPattern: value))) : UInt64(value)
        case 2:
            let value = number(UInt16.self)
            return step.isSigned ? UInt64(bitPattern: Int64(Int16(bitPattern: value))) : UInt64(value)
        default:
            let value = number(UInt8.self)
            return step.isSigned ? UInt64(bitPattern: Int64(Int8(bitPattern: value))) : UInt64(value)
        }
    }

    @inline(__always)
    private func store(_ value: UInt64, _ there: UnsafeMutableRawPointer, _ step: Step) {
        func put<N: FixedWidthInteger & BitwiseCopyable>(_ type: N.Type) {
            let cut = N(truncatingIfNeeded: value)
            there.storeBytes(of: swapsTarget ? cut.byteSwapped : cut, as: N.self)
        }
        switch step.targetSize {
        case 8: put(UInt64.self)
        case 4: put(UInt32.self)
        case 2: put(UInt16.self)
        default: put(UInt8.self)
        }
    }
}

/// A structure as the guest and the host have it. Where they are identical, callers may hand on the guest's pointer. A class,
/// because a copy of its lists would cost a system call more than the conversion.
public final class StructConversion: Sendable {
    public let guest: StructLayout
    public let host: StructLayout
    /// Bytes of each.
    public let guestSize, hostSize: Int
    /// To the host's form and to the guest's; nil: they are identical. Made once, when the guest's ABI is.
    private let plans: (toHost: ConversionPlan, toGuest: ConversionPlan)?
    public var isIdentical: Bool { plans == nil }

    public init(guest: StructLayout, host: StructLayout) {
        self.guest = guest
        self.host = host
        guestSize = guest.size
        hostSize = host.size
        plans =
            guest.isIdentical(to: host)
            ? nil : (ConversionPlan(from: guest, to: host), ConversionPlan(from: host, to: guest))
    }

    deinit {
        plans?.toHost.deallocate()
        plans?.toGuest.deallocate()
    }

    /// `other`: what the host calls the structure where it has another name for it (`stat` for `stat64`). Nil when one of
    /// them does not have it.
    public convenience init?(_ table: LinuxTable, _ id: StructID, host other: StructID? = nil) {
        guard let guest = table.layout(id), let host = LinuxTable.host.layout(other ?? id) else { return nil }
        self.init(guest: guest, host: host)
    }

    /// - Throws: EOVERFLOW. The structure is written then too, with what does not fit cut.
    public func toGuest(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) throws(Errno) {
        guard let plans else { return target.copyMemory(from: source, byteCount: host.size) }
        if !plans.toGuest.run(source, target) { throw .overflow }
    }

    public func toHost(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) throws(Errno) {
        guard let plans else { return target.copyMemory(from: source, byteCount: host.size) }
        if !plans.toHost.run(source, target) { throw .overflow }
    }
}

extension StructLayout {
    /// The host's own layout of a structure that every host has.
    public static func host(_ id: StructID) -> StructLayout {
        LinuxTable.host.layout(id) ?? StructLayout(size: 0, fields: [], word: 8, order: .little)
    }
}
