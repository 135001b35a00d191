// The CPU state in a signal frame: what a handler finds on its stack and rt_sigreturn takes back. The places are the
// guest's (`SignalFrameLayout`).

import HostOS
import LinuxABI
import LinuxMemory

extension GuestThread {
    var frameLayout: SignalFrameLayout { process.guest.signalFrame }

    /// Copies the CPU state into a frame buffer.
    func saveRegisters(_ frame: UnsafeMutableRawPointer) {
        let words = words
        words.storeWord(pc, frame, at: frameLayout.programCounter)
        for copy in process.registers.frame { copy.save(state, frame, words) }
        guard let control = frameLayout.floatControl else { return }
        words.store(floatControlWord(control), frame, at: control.offset)
    }

    /// The floating-point control word in the form that `control` says.
    func floatControlWord(_ control: SignalFrameLayout.FloatControl) -> UInt32 {
        let offset = process.registers.floatRounding
        let rounding = offset < 0 ? 0 : state.load(fromByteOffset: offset, as: UInt32.self)
        return (vcpu.floatFlags & 31) << UInt32(control.flagsShift) | (rounding & 7) << UInt32(control.roundingShift)
    }

    /// Puts a frame's registers back into the CPU state.
    func restoreRegisters(_ frame: UnsafeRawPointer) {
        let words = words
        pc = words.loadWord(frame, at: frameLayout.programCounter)
        for copy in process.registers.frame { copy.restore(state, frame, words) }
        guard let control = frameLayout.floatControl else { return }
        let word = words.load(frame, at: control.offset, as: UInt32.self)
        let rounding = word >> UInt32(control.roundingShift) & 7, offset = process.registers.floatRounding
        if offset >= 0 { state.storeBytes(of: rounding, toByteOffset: offset, as: UInt32.self) }
        vcpu.floatFlags = word >> UInt32(control.flagsShift) & 31
        // A reserved mode makes instructions that use it illegal; the host then keeps any valid one.
        vcpu.floatRounding = rounding <= 4 ? rounding : 0
    }
}
