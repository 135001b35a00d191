// siginfo_t between host and guest. Its second half is a union: which member counts depends on the signal and its code
// (sigaction(2); Linux kernel/signal.c, siginfo_layout).

import LinuxABI

/// siginfo_t as the guest and the host have it.
struct SignalInfoConversion: Sendable {
    private let guest: StructLayout
    private let host = StructLayout.host(.siginfo)
    private let table: LinuxTable
    /// The bytes are the same.
    let isIdentical: Bool
    static let size = 128

    /// - Precondition: the table has siginfo_t, as that of every ABI.
    init(_ table: LinuxTable) {
        self.table = table
        guest = table.layout(.siginfo) ?? host
        isIdentical = guest.isIdentical(to: host) && table.hasHostSignals && table.hasHostErrors
    }

    func toGuest(_ information: SignalInfo, _ target: UnsafeMutableRawPointer) {
        withUnsafeBytes(of: information.words) { source in
            guard let base = source.baseAddress else { return }
            target.copyMemory(from: base, byteCount: Self.size)
            if !isIdentical { convert(base, host, to: target, guest) }
        }
    }

    /// What a program hands to rt_sigqueueinfo(2).
    func toHost(_ source: UnsafeRawPointer) -> SignalInfo {
        var words = InlineArray<16, UInt64>(repeating: 0)
        withUnsafeMutableBytes(of: &words) { target in
            guard let base = target.baseAddress else { return }
            if isIdentical {
                base.copyMemory(from: source, byteCount: Self.size)
            } else {
                convert(source, guest, to: base, host)
            }
        }
        return SignalInfo(words: words)
    }

    private func convert(
        _ source: UnsafeRawPointer, _ from: StructLayout, to target: UnsafeMutableRawPointer, _ to: StructLayout
    ) {
        typealias F = FieldIndex.siginfo
        func number(_ field: Int) -> Int32 { Int32(truncatingIfNeeded: from.load(field, source)) }
        let signal = number(F.si_signo), error = number(F.si_errno), code = number(F.si_code)
        let toGuest = from.order == host.order && from.word == host.word && !isHost(to)
        // The kernel's numbers, whose members the layouts have.
        let hostSignal = toGuest ? signal : table.hostSignal(signal) ?? 0
        target.initializeMemory(as: UInt8.self, repeating: 0, count: Self.size)
        func put(_ value: Int32, _ field: Int) { to.store(UInt64(bitPattern: Int64(value)), field, target) }
        put(toGuest ? table.signal(signal) : hostSignal, F.si_signo)
        put(toGuest && error > 0 ? table.error(.init(error)) : error, F.si_errno)
        put(code, F.si_code)
        for field in Self.members(signal: hostSignal, code: code) {
            to.convertField(field, from: from, source, to: target)
        }
        // A fault's further words lie behind its address, at multiples of a word.
        if Self.isFault(signal: hostSignal, code: code) {
            let start = from[F.si_addr].offset + from.word, end = to[F.si_addr].offset + to.word
            let fromWords = Words(size: from.word, order: from.order), toWords = Words(size: to.word, order: to.order)
            switch (hostSignal, code) {
            case (SignalNumber.bus, 4...5):  // BUS_MCEERR_*: si_addr_lsb
                toWords.store(fromWords.load(source, at: start, as: Int16.self), target, at: end)
            case (SignalNumber.segv, 3):  // SEGV_BNDERR: si_lower, si_upper
                for index in 1...2 {
                    toWords.storeWord(
                        fromWords.loadWord(source, at: start + index * from.word), target, at: end + index * to.word)
                }
            case (SignalNumber.segv, 4):  // SEGV_PKUERR: si_pkey
                toWords.store(
                    fromWords.load(source, at: start + from.word, as: UInt32.self), target, at: end + to.word)
            default: break
            }
        }
    }

    private func isHost(_ layout: StructLayout) -> Bool { layout.isIdentical(to: host) }

    private static func isFault(signal: Int32, code: Int32) -> Bool {
        code > 0 && code < SignalInfo.byKernel
            && [SignalNumber.ill, SignalNumber.trap, SignalNumber.bus, SignalNumber.fpe, SignalNumber.segv].contains(
                signal)
    }

    /// The members that count, but for a fault's further ones.
    private static func members(signal: Int32, code: Int32) -> [Int] {
        typealias F = FieldIndex.siginfo
        let sender = [F.si_pid, F.si_uid]
        if code > 0, code < SignalInfo.byKernel {
            if isFault(signal: signal, code: code) { return [F.si_addr] }
            switch signal {
            case SignalNumber.chld: return sender + [F.si_status, F.si_utime, F.si_stime]
            case SignalNumber.sys: return [F.si_call_addr, F.si_syscall, F.si_arch]
            default: return [F.si_band, F.si_fd]  // of SIGIO, or what fcntl(F_SETSIG) has chosen in its place
            }
        }
        // SI_USER, SI_KERNEL, SI_TKILL; SI_SIGIO; SI_QUEUE, SI_TIMER, SI_MESGQ, ...
        switch code {
        case -5: return [F.si_band, F.si_fd]
        case ..<0: return sender + [F.si_value]
        default: return sender
        }
    }
}
