// Results of system calls outside the range of values and errors.

import HostOS

/// What a handler may return besides a value or -errno.
public enum SystemCallResult {
    /// A signal came before the kernel did anything: the call is made after the signal's handler, as if the signal had
    /// come one instruction earlier.
    public static let restart = interruptedBeforeKernel
    /// A signal ended the call's waiting: the call is made again, or fails with EINTR when a handler without SA_RESTART
    /// runs first.
    public static let interrupted = interruptedInKernel
    /// The guest's registers are already as they must be (signal return).
    public static let unchanged = -514
}

extension Int {
    /// A call's value changed; an error stays.
    func mapResult(_ body: (Int) -> Int) -> Int { self < 0 ? self : body(self) }
}
