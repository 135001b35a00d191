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
        process.registers.frame.save(vcpu, frame, words)
    }

    /// Puts a frame's registers back into the CPU state.
    func restoreRegisters(_ frame: UnsafeRawPointer) {
        let words = words
        pc = words.loadWord(frame, at: frameLayout.programCounter)
        process.registers.frame.restore(vcpu, frame, words)
    }
}
