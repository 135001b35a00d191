// The guest's exact state where generated code was left in the middle of a translation: at a fault, a side exit, or a counter that ran
// out. The recovery records of the translation say which host register holds which guest register there,
// or what else its value is.

import CodeGen
import GuestKit

extension VCPU {
    /// Writes dirty globals back from the registers saved at a fault or side exit, and sets pc.
    func recover() {
        let address = header.pointee.sideExitAddress
        // A host that keeps every global at home reports no address.
        if address == 0 {
            programCounter = header.pointee.exitPC
            storeWord(UInt16(truncatingIfNeeded: header.pointee.exitWord))
            exitTranslation = nil
            return
        }
        guard let index = engine.cache.containing(address) else {
            fatalError("exit at host address 0x\(String(address, radix: 16)), which no translation owns")
        }
        exitTranslation = index
        let row = engine.cache[index]
        let records = engine.cache.code(of: index).records
        guard
            let found = RecoveryReader.find(
                records, pc: row.key.pc, offset: Int(address &- row.entry), globalCount: globals.count,
                sources: recovered)
        else {
            fatalError(
                "no recovery record at host address 0x\(String(address, radix: 16)) of the translation of 0x\(String(row.key.pc, radix: 16))"
            )
        }
        for (i, global) in globals.enumerated() {
            let value = RecoveryReader.value(
                of: i, in: recovered, registers: { header.pointee.savedRegisters[$0] }, home: { self.home($0) })
            guard let value else { continue }
            if global.type.size == 4 {
                state.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: global.offset, as: UInt32.self)
            } else {
                state.storeBytes(of: value, toByteOffset: global.offset, as: UInt64.self)
            }
        }
        programCounter = found.pc &+ delta(of: row)
        storeWord(found.word)
    }

    /// How far behind the addresses that a translation was made for the vCPU sees it that executes it.
    func delta(of row: Translation) -> UInt64 { row.key.isRelative ? header.pointee.delta : 0 }

    func home(_ global: Int) -> UInt64 {
        let place = globals[global]
        return place.type.size == 4
            ? UInt64(state.load(fromByteOffset: place.offset, as: UInt32.self))
            : state.load(fromByteOffset: place.offset, as: UInt64.self)
    }

    private func storeWord(_ word: UInt16) {
        if let place = engine.guest.instructionWord {
            state.storeBytes(of: word, toByteOffset: place, as: UInt16.self)
        }
    }
}
