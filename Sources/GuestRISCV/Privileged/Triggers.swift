// Debug triggers (RISC-V Debug Specification 1.0, chapter "Sdtrig"): two address triggers, which raise a breakpoint exception.

import GuestKit
import IR

/// The registers, by trigger.
public struct TriggerState {
    static let count = 2
    /// `tselect`.
    var selected: UInt64 = 0
    var data1: InlineArray<2, UInt64> = .init(repeating: 0)
    var data2: InlineArray<2, UInt64> = .init(repeating: 0)
    var data3: InlineArray<2, UInt64> = .init(repeating: 0)

    var current: Int { Int(truncatingIfNeeded: selected) }
}

/// Fields of tdata1, which the types `mcontrol` and `mcontrol6` have at the same places.
enum Trigger {
    static let load: UInt64 = 1 << 0
    static let store: UInt64 = 1 << 1
    static let execute: UInt64 = 1 << 2
    static let user: UInt64 = 1 << 3
    static let supervisor: UInt64 = 1 << 4
    static let machine: UInt64 = 1 << 6
    static let modes = user | supervisor | machine
    /// What may be compared is the address, for equality, and the access's size: the field `size` of mcontrol6, `sizelo` and `sizehi` of
    /// mcontrol, of which RV32 has the former only.
    static let kinds = load | store | execute

    /// What the field of four bits above the others says.
    enum Kind { static let mcontrol: UInt64 = 2, mcontrol6: UInt64 = 6, disabled: UInt64 = 15 }
    /// `tinfo`: a bit for each of these.
    static let info: UInt64 = 1 << Kind.mcontrol | 1 << Kind.mcontrol6 | 1 << Kind.disabled

    /// Bytes by the numbers of the field `size`; 0: any.
    static func bytes(size: UInt64) -> Int? {
        switch size {
        case 0: 0
        case 1: 1
        case 2: 2
        case 3: 4
        case 5: 8
        default: nil
        }
    }
}

extension SystemConfiguration {
    private var typeShift: UInt64 { isNarrow ? 28 : 60 }

    func triggerKind(_ data1: UInt64) -> UInt64 { data1 >> typeShift & 15 }

    /// tdata1 at reset.
    var initialTrigger: UInt64 { Trigger.Kind.mcontrol << typeShift }

    /// tdata1 as written: what is not offered is 0, a type that is not offered makes the trigger a disabled one.
    func trigger(_ value: UInt64) -> UInt64 {
        let kind = triggerKind(value)
        guard kind == Trigger.Kind.mcontrol || kind == Trigger.Kind.mcontrol6 else {
            return Trigger.Kind.disabled << typeShift
        }
        var mask = Trigger.kinds
        if hasUser { mask |= Trigger.user }
        if hasSupervisor { mask |= Trigger.supervisor }
        mask |= Trigger.machine
        let sizes = sizeMask(kind)
        let size = size(value)
        let hasSize = value & Trigger.execute == 0 && Trigger.bytes(size: size) != nil
        return kind << typeShift | value & mask | (hasSize ? value & sizes : 0)
    }

    private func sizeMask(_ kind: UInt64) -> UInt64 {
        if kind == Trigger.Kind.mcontrol6 { return 7 << 16 }
        return isNarrow ? 3 << 16 : 3 << 16 | 3 << 21
    }

    /// The field `size`, whose upper part mcontrol has elsewhere.
    func size(_ data1: UInt64) -> UInt64 {
        let low = data1 & sizeMask(triggerKind(data1)) & 7 << 16
        return triggerKind(data1) == Trigger.Kind.mcontrol && !isNarrow
            ? low >> 16 | (data1 >> 21 & 3) << 2 : low >> 16
    }

    /// tdata3: mhvalue, and of mhselect whether mcontext has to equal it.
    var triggerContext: (select: UInt64, shift: UInt64, mask: UInt64) {
        isNarrow ? (1 << 25, 26, 0x3f) : (1 << 50, 51, 0x1fff)
    }
}

extension Hart {
    // MARK: Registers

    func write(tselect value: UInt64) {
        if value < UInt64(TriggerState.count) { p.triggers.selected = value }
    }
    func write(tdata1 value: UInt64) {
        p.triggers.data1[p.triggers.current] = configuration.pointee.trigger(value)
        stopsChanged()
    }
    func write(tdata2 value: UInt64) {
        p.triggers.data2[p.triggers.current] = value
        stopsChanged()
    }
    func write(tdata3 value: UInt64) {
        let context = configuration.pointee.triggerContext
        p.triggers.data3[p.triggers.current] = value & (context.select | context.mask << context.shift)
    }

    // MARK: Stops

    /// The triggers that are on in some mode.
    var triggerStops: [StopPoint] {
        (0..<TriggerState.count).compactMap { i in
            let data1 = p.triggers.data1[i]
            guard data1 & Trigger.modes != 0 else { return nil }
            var kinds: StopPoint.Kinds = []
            if data1 & Trigger.execute != 0 { kinds.insert(.execute) }
            if data1 & Trigger.load != 0 { kinds.insert(.load) }
            if data1 & Trigger.store != 0 { kinds.insert(.store) }
            return kinds.isEmpty ? nil : StopPoint(kinds, p.triggers.data2[i], number: i)
        }
    }

    /// Does a trigger fire at its address, in the present mode, for an access to `size` bytes (0: an instruction)?
    func fires(_ i: Int, size: Int) -> Bool {
        let data1 = p.triggers.data1[i], data3 = p.triggers.data3[i]
        let mode =
            switch privilege {
            case .user: Trigger.user
            case .supervisor: Trigger.supervisor
            case .machine: Trigger.machine
            }
        if data1 & mode == 0 { return false }
        let wanted = Trigger.bytes(size: configuration.pointee.size(data1)) ?? 0
        if wanted != 0 && wanted != size { return false }
        let context = configuration.pointee.triggerContext
        return data3 & context.select == 0 || data3 >> context.shift & context.mask == p.mcontext
    }
}
