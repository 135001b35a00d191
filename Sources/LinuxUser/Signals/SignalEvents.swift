// Calls that say by struct sigevent how a program is to be told of something, and descriptors that signals are read from.
// (timer_create(2), mq_notify(3), signalfd(2).)

import CLinux
import HostOS
import LinuxABI

extension SignalCalls {
    static func timerCreate(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let event = try signalEvent(thread, call.a1)
        return kernel(SYS_timer_create, Int(call.int32(0)), event, thread.output(call.a2, .int32))
    }

    static func queueNotify(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        kernel(SYS_mq_notify, Int(call.int32(0)), try signalEvent(thread, call.a1))
    }

    /// The host's form of a struct sigevent, which may be null.
    private static func signalEvent(_ thread: GuestThread, _ address: UInt64) throws(Errno) -> Int {
        let pointer = thread.optionalInput(address, .signalEvent)
        let table = thread.process.guest.table, layout = StructLayout.host(.sigevent)
        guard address != 0, pointer != GuestThread.unusablePointer, thread.process.contents[.signalEvent] != nil,
            let host = UnsafeMutableRawPointer(bitPattern: pointer)
        else { return pointer }
        typealias F = FieldIndex.sigevent
        let signal = Int32(truncatingIfNeeded: layout.load(F.sigev_signo, host))
        let thread32 = 2  // SIGEV_THREAD: the number is a descriptor, and the value an address, that of 32 bytes
        if layout.load(F.sigev_notify, host) == thread32 {
            let field = layout[F.sigev_value]
            (host + field.offset).storeBytes(of: thread.input(try thread.loadWord(address), 32), as: Int.self)
        } else {
            layout.store(UInt64(bitPattern: Int64(table.hostSignal(signal) ?? -1)), F.sigev_signo, host)
        }
        return pointer
    }

    /// signalfd4(2).
    static func signalDescriptor(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a2 == thread.signalSetSize else { throw .inval }
        let set = try thread.loadSignals(call.a1)
        return withUnsafePointer(to: set) {
            kernel(SYS_signalfd4, Int(call.int32(0)), Int(bitPattern: $0), 8, call.word(3))
        }
    }

    static func pidfdSendSignal(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        func send(_ information: Int) -> Int {
            kernel(SYS_pidfd_send_signal, Int(call.int32(0)), Int(call.int32(1)), information, call.word(3))
        }
        if call.a2 == 0 || thread.process.signalInfo.isIdentical {
            return send(thread.optionalInput(call.a2, UInt64(SignalInfoConversion.size)))
        }
        let bytes = try thread.memory.readBytes(call.a2, count: SignalInfoConversion.size)
        return withUnsafePointer(to: thread.process.signalInfo.toHost(bytes).words) { send(Int(bitPattern: $0)) }
    }
}
