// Results of system calls outside the range of values and errors.

import HostOS

/// What a handler may return besides a value or -errno.
public enum SystemCallResult {
    /// A signal came before the kernel did anything: the call is restarted, or fails with EINTR when a handler without
    /// SA_RESTART runs first.
    public static let restart = interruptedBeforeKernel
    /// The guest's registers are already as they must be (signal return).
    public static let unchanged = -513
}
