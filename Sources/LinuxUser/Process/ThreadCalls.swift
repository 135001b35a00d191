// System calls of a thread about itself: its end, its id word, its robust list, and futexes.

import CLinux
import GuestMemory
import HostOS

enum ThreadCalls {
    static func exit(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.exitStatus = call.int32(0) & 0xff
        thread.isFinished = true
        return 0
    }

    static func setTIDAddress(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        thread.clearChildTID = call.a0
        return Int(thread.tid)
    }

    /// set_robust_list(2): the host kernel walks the list when the process is killed; `GuestThread.finish` when the
    /// thread ends.
    static func setRobustList(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a1 == 24 else { throw .inval }
        let pointer = thread.optionalInput(call.a0, 24)
        let result = kernel(SYS_set_robust_list, pointer, 24)
        if result == 0 { thread.robustList = call.a0 }
        return result
    }

    /// get_robust_list(2). The host kernel knows the list of a thread that has set one.
    static func getRobustList(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        if call.int32(0) != 0 && call.int32(0) != thread.tid {
            return kernel(
                SYS_get_robust_list, Int(call.int32(0)), thread.output(call.a1, 8), thread.output(call.a2, 8))
        }
        try thread.memory.write(call.a2, UInt64(24))
        try thread.memory.write(call.a1, thread.robustList)
        return 0
    }

    /// futex(2): guest words are host words, so the host's futex is the guest's.
    static func futex(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let operation = call.int32(1) & 0x7f  // without FUTEX_PRIVATE_FLAG (128)
        let word = thread.input(call.a0, 4)
        var timeout = call.word(3), second = 0
        switch operation {
        case 0, 6, 9, 11, 13:  // waiting calls take a struct timespec, or null
            timeout = thread.optionalInput(call.a3, 16)
            if operation == 11 { second = thread.input(call.a4, 4) }
        case 3, 4, 5, 12:  // two words; the fourth argument is a count
            second = thread.input(call.a4, 4)
        default: break
        }
        // The kernel itself changes words of FUTEX_WAKE_OP and of priority inheritance, where translated code may be in the way. The
        // call has done nothing then; another thread may protect the page again before it is repeated.
        for _ in 0..<1000 {
            let result = thread.blocking(SYS_futex, word, call.word(1), call.word(2), timeout, second, call.word(5))
            guard result == Errno.fault.negated,
                thread.makeWritable(call.a0) || second != 0 && thread.makeWritable(call.a4)
            else { return result }
        }
        throw .fault
    }
}

extension GuestThread {
    /// Lifts the write protection of the code on a word's page. False where code cannot be in the way.
    fileprivate func makeWritable(_ address: UInt64) -> Bool {
        guard memory.mayGetCode(address, 4) else { return false }
        memory.prepareWrite(address, 4)
        serveEngine()
        return true
    }

    /// Does what the engine asks of this thread, so that it does not keep a system call from being made.
    private func serveEngine() {
        vcpu.serveRequests()
        if mailbox.pointee.signal != 0 { vcpu.requestExit() }
    }
}
