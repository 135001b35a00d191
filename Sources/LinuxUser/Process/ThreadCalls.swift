// System calls of a thread about itself: its end, its id word, its robust list, and futexes.

import CLinux
import HostOS
import LinuxABI
import LinuxMemory

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

    /// set_robust_list(2): the host kernel walks the list when the process is killed, where the list's words are its own;
    /// `GuestThread.finish` when the thread ends.
    static func setRobustList(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        guard call.a1 == 3 * UInt64(thread.words.size) else { throw .inval }
        if !thread.words.areHosts {
            thread.robustList = call.a0
            return 0
        }
        let pointer = thread.optionalInput(call.a0, 24)
        let result = kernel(SYS_set_robust_list, pointer, 24)
        if result == 0 { thread.robustList = call.a0 }
        return result
    }

    /// get_robust_list(2). The host kernel knows the list of a thread that has set one.
    static func getRobustList(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let process = thread.process, tid = call.int32(0)
        var list = thread.robustList
        if tid != 0 && tid != thread.tid {
            if thread.words.areHosts {
                return kernel(SYS_get_robust_list, Int(tid), thread.output(call.a1, 8), thread.output(call.a2, 8))
            }
            // The host knows the list of no guest with other words. Of other processes it cannot be had.
            let other = process.lock.withLock { process.threads.first { $0.tid == tid } }
            guard let other else { throw HostProcess.hasThread(tid) ? .srch : .perm }
            list = other.robustList
        }
        try thread.storeWord(call.a2, 3 * UInt64(thread.words.size))
        try thread.storeWord(call.a1, list)
        return 0
    }

    /// futex(2): a guest word is a host word at the same place, so the host's futex is the guest's. Where its bytes have
    /// another order, values that the kernel compares with it are given to it in that order.
    static func futex(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let operation = call.int32(1) & 0x7f  // without FUTEX_PRIVATE_FLAG (128)
        if thread.words.order != LinuxTable.host.order { return try swappedFutex(thread, call, operation) }
        let word = thread.input(call.a0, 4)
        var timeout = call.word(3), second = 0
        switch operation {
        case 0, 6, 9, 11, 13:  // waiting calls take a struct timespec, or null
            timeout = thread.optionalInput(call.a3, .timespec)
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

    /// The same for a guest of the other order. What the kernel would compute in the word is computed here; priority
    /// inheritance, where it keeps thread ids in the word, there is not.
    private static func swappedFutex(
        _ thread: GuestThread, _ call: SystemCallArguments, _ operation: Int32
    ) throws(Errno) -> Int {
        let word = thread.input(call.a0, 4)
        func swapped(_ index: Int) -> Int { Int(call.uint32(index).byteSwapped) }
        switch operation {
        case 0, 9:  // FUTEX_WAIT, FUTEX_WAIT_BITSET
            let timeout = thread.optionalInput(call.a3, .timespec)
            return thread.blocking(SYS_futex, word, call.word(1), swapped(2), timeout, 0, call.word(5))
        case 1, 10: return kernel(SYS_futex, word, call.word(1), call.word(2), 0, 0, call.word(5))  // FUTEX_WAKE*
        case 3, 4:  // FUTEX_REQUEUE, FUTEX_CMP_REQUEUE
            return kernel(
                SYS_futex, word, call.word(1), call.word(2), call.word(3), thread.input(call.a4, 4), swapped(5))
        case 5: return try wakeWithOperation(thread, call)
        default: throw .nosys
        }
    }

    /// FUTEX_WAKE_OP: changes the second word, wakes waiters of the first, and of the second if the old value says so.
    private static func wakeWithOperation(_ thread: GuestThread, _ call: SystemCallArguments) throws(Errno) -> Int {
        let code = call.uint32(5), order = thread.words.order
        func number(_ field: UInt32) -> Int32 { Int32(bitPattern: field << 20) >> 20 }
        var operand = number(code >> 12 & 0xfff)
        if code >> 31 != 0 { operand = 1 << (operand & 31) }  // FUTEX_OP_ARG_SHIFT
        var seen = try thread.memory.loadWord(call.a4)
        while true {
            let old = Int32(bitPattern: order.swapping(seen)), new: Int32
            switch code >> 28 & 7 {
            case 0: new = operand
            case 1: new = old &+ operand
            case 2: new = old | operand
            case 3: new = old & ~operand
            case 4: new = old ^ operand
            default: throw .nosys
            }
            let desired = order.swapping(UInt32(bitPattern: new))
            let now = try thread.memory.compareExchangeWord(call.a4, expected: seen, desired: desired)
            if now == seen { break }
            seen = now
        }
        let old = Int32(bitPattern: order.swapping(seen)), comparand = number(code & 0xfff)
        let wakesSecond: Bool
        switch code >> 24 & 15 {
        case 0: wakesSecond = old == comparand
        case 1: wakesSecond = old != comparand
        case 2: wakesSecond = old < comparand
        case 3: wakesSecond = old <= comparand
        case 4: wakesSecond = old > comparand
        case 5: wakesSecond = old >= comparand
        default: throw .nosys
        }
        let wake = Int(call.int32(1) & 0x80) | 1  // FUTEX_WAKE, private or not
        let result = kernel(SYS_futex, thread.input(call.a0, 4), wake, call.word(2))
        if result < 0 || !wakesSecond { return result }
        let second = kernel(SYS_futex, thread.input(call.a4, 4), wake, call.word(3))
        return second < 0 ? second : result + second
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
